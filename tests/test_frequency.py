"""Grids: positions and times are inverses of each other, over leap days, month ends and summer time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.errors import ConfigError, DataError
from tsforecast.frequency import Frequency, parse_frequency
from tsforecast.reading.inference import infer_frequency

WEEKS = [f"W-{day}" for day in ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")]
ALIASES = [
    "h",
    "30min",
    "5min",
    "s",
    "D",
    "B",
    *WEEKS,
    "MS",
    "ME",
    "QS",
    "QE",
    "QS-FEB",
    "QE-JAN",
    "YS",
    "YE",
    "YE-JUN",
]
FIRST, LAST = pd.Timestamp("1896-01-01"), pd.Timestamp("2104-12-31")


def stamps(alias: str, start: pd.Timestamp, count: int) -> np.ndarray:
    """The oracle: what pandas says the grid is."""
    return pd.date_range(start, periods=count, freq=alias).to_numpy().astype("datetime64[us]")


def micros(text: str) -> np.ndarray:
    return np.array([text], dtype="datetime64[us]")


@given(st.sampled_from(ALIASES), st.datetimes(FIRST, LAST), st.integers(3, 40))
def test_a_grid_agrees_with_pandas_and_ordinals_and_times_are_inverses(alias, start, count):
    times = stamps(alias, pd.Timestamp(start).floor("s").normalize(), count)
    freq = parse_frequency(alias, times)
    ordinals = freq.ordinals(times)
    assert (np.diff(ordinals) == 1).all()
    assert (freq.times(ordinals) == times).all()
    assert freq.on_grid(times).all()
    assert (freq.after(times[:1], count - 1)[0] == times[1:]).all()


@pytest.mark.parametrize("alias", ALIASES)
def test_two_centuries_of_a_grid_have_no_step_too_many_or_too_few(alias):
    if alias in ("s", "5min"):
        times = stamps(alias, pd.Timestamp("2024-02-28"), 100_000)
    else:
        times = pd.date_range(FIRST, LAST, freq=alias).to_numpy().astype("datetime64[us]")
    freq = parse_frequency(alias, times)
    assert (freq.times(freq.ordinals(times)) == times).all()
    assert (np.diff(freq.ordinals(times)) == 1).all()


@pytest.mark.parametrize("alias", ALIASES)
def test_the_frequency_is_inferred_and_its_name_reads_back_as_itself(alias):
    times = stamps(alias, pd.Timestamp("2023-06-30"), 60)
    freq, note = infer_frequency(times, np.array([0]), None, "the frame")
    assert freq == parse_frequency(alias, times)
    assert parse_frequency(freq.name, times) == freq
    assert note.startswith(f"frequency {freq.name}") and note.endswith(", inferred")
    expected = {"QS": "QS", "QE": "QE", "YS": "YS-JAN", "YE": "YE-DEC"}
    assert freq.name == expected.get(alias, alias)


def test_the_month_after_the_31st_of_january_ends_on_the_29th_in_a_leap_year():
    ends = parse_frequency("ME", micros("2024-01-31"))
    assert ends.after(micros("2024-01-31"), 2).astype("datetime64[D]").astype(str).tolist() == [
        ["2024-02-29", "2024-03-31"]
    ]
    assert parse_frequency("ME", micros("1900-01-31")).after(micros("1900-01-31"), 1)[0, 0] == np.datetime64(
        "1900-02-28"
    )


def test_months_counted_on_the_15th_are_months():
    times = np.array(["2024-01-15", "2024-02-15", "2024-03-15"], dtype="datetime64[us]")
    freq, _ = infer_frequency(times, np.array([0]), None, "x")
    assert (freq.kind, freq.day, freq.name) == ("months", 15, "MS (day 15)")
    assert parse_frequency("MS", times) == freq == parse_frequency(freq.name, times)


def test_quarters_and_years_keep_their_own_first_month():
    fiscal = np.array(["2023-04-01", "2024-04-01", "2025-04-01"], dtype="datetime64[us]")
    assert infer_frequency(fiscal, np.array([0]), None, "x")[0].name == "YS-APR"
    with_gap = stamps("QS-FEB", pd.Timestamp("2020-02-01"), 20)[[0, 1, 2, 4, 5, 6]]
    assert infer_frequency(with_gap, np.array([0]), None, "x")[0].name == "QS-FEB"


def test_a_missing_month_does_not_hide_the_grid():
    times = np.delete(stamps("ME", pd.Timestamp("2020-01-31"), 24), [5, 6, 13])
    assert infer_frequency(times, np.array([0]), None, "x")[0].name == "ME"


def test_weekdays_without_holidays_are_b_and_with_a_few_are_trading_bars():
    days = stamps("B", pd.Timestamp("2024-01-01"), 260)
    assert infer_frequency(days, np.array([0]), None, "x") == (
        Frequency("weekdays"),
        "frequency B (Monday to Friday), inferred",
    )
    freq, note = infer_frequency(np.delete(days, [0, 100, 250]), np.array([0]), None, "x")
    assert freq == Frequency("bars")
    assert "the 2 missing weekdays (0.8%" in note and "Give freq=B to treat them as gaps" in note
    half = np.sort(np.random.default_rng(0).choice(days, 180, replace=False))
    assert infer_frequency(half, np.array([0]), None, "x")[0] != Frequency("bars")


def test_the_step_from_one_series_to_the_next_is_not_counted():
    times = np.concatenate([stamps("h", pd.Timestamp("2024-01-01"), 2)] * 5)
    assert infer_frequency(times, np.arange(0, 10, 2), None, "x")[0].name == "h"


def test_integer_time_has_the_step_it_has_and_a_phase():
    freq, note = infer_frequency(np.array([5, 15, 25, 45]), np.array([0]), None, "x")
    assert freq == Frequency("integer", 10, 5) and freq.name == "10"
    assert note == "integer time with step 10, inferred"
    assert freq.after(np.array([45]), 2).tolist() == [[55, 65]]
    assert parse_frequency(10, np.array([5, 15])) == freq == parse_frequency("10", np.array([5, 15]))


def test_single_rows_do_not_tell_a_frequency():
    with pytest.raises(
        DataError, match=r"no series has two rows, so no frequency can be inferred; give one \(--freq\)"
    ):
        infer_frequency(np.array([1, 1]), np.array([0, 1]), None, "x")


@pytest.mark.parametrize(
    ("freq", "message"),
    [
        ("hourly-ish", "freq='hourly-ish' is not a frequency; use a pandas alias such as h"),
        ("BME", "freq='BME' is not supported; use h, min"),
        ("2B", "is not supported"),
        (3, "freq=3: a number is a step of integer time, but the time column holds dates"),
    ],
)
def test_an_unusable_frequency_is_refused_with_what_to_use(freq, message):
    with pytest.raises(ConfigError, match=message):
        parse_frequency(freq, micros("2024-01-01"))


def test_a_pandas_alias_does_not_fit_integer_time():
    with pytest.raises(ConfigError, match=r"holds integers; give their step as a number \(freq=1\) or 'bars'"):
        parse_frequency("h", np.array([0, 1]))
    with pytest.raises(ConfigError, match="must be at least 1"):
        parse_frequency(0, np.array([0, 1]))


def test_after_the_last_bar_come_the_next_weekdays_or_the_usual_distance():
    trading = parse_frequency("bars", stamps("B", pd.Timestamp("2024-01-01"), 9))
    friday = micros("2024-01-05")
    assert trading.after(friday, 2).astype("datetime64[D]").astype(str).tolist() == [["2024-01-08", "2024-01-09"]]
    uneven = parse_frequency(
        "bars", np.array(["2024-01-05T10:00", "2024-01-05T10:05", "2024-01-05T10:10", "2024-01-05T11:00"], "M8[us]")
    )
    assert uneven.after(micros("2024-01-05T11:00"), 2).astype("datetime64[m]").astype(str).tolist() == [
        ["2024-01-05T11:05", "2024-01-05T11:10"]
    ]
    every_day = parse_frequency("bars", stamps("D", pd.Timestamp("2024-01-01"), 9))
    assert every_day.after(friday, 1)[0, 0] == np.datetime64("2024-01-06")
    assert parse_frequency("bars", np.array([3, 7])).after(np.array([7]), 2).tolist() == [[8, 9]]


def test_usual_seasons_and_horizons_of_the_grids():
    seasons = {"h": 24, "30min": 48, "5min": 288, "s": 60, "D": 7, "B": 5, "W-SUN": 52, "MS": 12, "QE": 4, "YE": 1}
    horizons = {"h": 24, "30min": 48, "D": 14, "B": 5, "W-SUN": 13, "MS": 12, "QE": 4, "YE": 4}
    grids = {alias: parse_frequency(alias, stamps(alias, pd.Timestamp("2024-01-01"), 3)) for alias in seasons}
    assert {alias: grid.season_length for alias, grid in grids.items()} == seasons
    assert {alias: grids[alias].default_horizon for alias in horizons} == horizons
    assert Frequency("bars").season_length == 5 and Frequency("integer").season_length == 1


def test_hours_are_kept_in_utc_and_days_on_the_wall():
    assert not parse_frequency("h", micros("2024-01-01")).wall
    assert parse_frequency("D", micros("2024-01-01")).wall
    assert parse_frequency("ME", micros("2024-01-31")).wall


def test_times_are_shown_as_the_user_knows_them():
    day = Frequency("weekdays")
    assert day.show(np.datetime64("2024-02-29", "us")) == "2024-02-29"
    hour = Frequency("fixed", 3_600_000_000, tz="Europe/Berlin")
    assert hour.show(np.datetime64("2024-07-01T10:00", "us")) == "2024-07-01 12:00:00+02:00"
    assert Frequency("integer").show(np.int64(7)) == "7"
