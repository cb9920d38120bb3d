"""Times in a frame: zones, the forms in which they are written, the grid that they lie on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from frame_cases import days, refusal, two_series

from tsforecast.reading.frames import read_frame

# ---- time zones


def test_hours_over_the_end_of_summer_time_are_one_regular_grid():
    ds = pd.date_range("2024-10-26 12:00", periods=30, freq="h", tz="Europe/Berlin")
    panel = read_frame(pd.DataFrame({"ds": ds, "y": np.arange(30.0)}))
    assert panel.freq.name == "h" and panel.freq.tz == "Europe/Berlin"
    assert (np.diff(panel.times) == np.timedelta64(1, "h")).all() and panel.series(0).tolist() == list(range(30))
    back = panel.to_frame()["ds"]
    assert (back == pd.Series(ds)).all() and str(back.dt.tz) == "Europe/Berlin"
    assert panel.freq.show(panel.times[-1]) == str(ds[-1])


@pytest.mark.parametrize(("start", "hours"), [("2024-03-28", 23), ("2024-10-25", 25)])
def test_days_of_23_and_25_hours_are_one_step(start, hours):
    ds = pd.date_range(start, periods=6, freq="D", tz="Europe/Berlin")
    assert hours * 3600 in (ds[1:] - ds[:-1]).total_seconds()
    panel = read_frame(pd.DataFrame({"ds": ds, "y": np.arange(6.0)}))
    assert panel.freq.name == "D" and (np.diff(panel.freq.ordinals(panel.times)) == 1).all()
    assert (panel.to_frame()["ds"] == pd.Series(ds)).all()
    assert (panel.freq.to_pandas(panel.future(2).times[0]) == ds[-1:].shift(1).append(ds[-1:].shift(2))).all()


def test_a_day_whose_midnight_is_skipped_is_still_that_day():
    ds = pd.date_range("2018-11-02", periods=5).tz_localize("America/Sao_Paulo", nonexistent="shift_forward")
    assert ds[2].hour == 1
    assert read_frame(pd.DataFrame({"ds": ds, "y": range(5)})).freq.name == "D"


def test_texts_with_an_offset_are_utc_hours_or_local_days():
    hours = pd.DataFrame(
        {"ds": ["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00", "2024-03-31T04:00+02:00"], "y": [1, 2, 3]}
    )
    panel = read_frame(hours)
    assert panel.freq.tz == "UTC" and panel.times[0] == np.datetime64("2024-03-31T00:00")
    local = hours.assign(ds=["2024-03-30T00:00+01:00", "2024-03-31T00:00+01:00", "2024-04-01T00:00+02:00"])
    assert read_frame(local).freq.name == "D"
    fixed = read_frame(days(1, 2, 3).assign(ds=[f"2024-01-01T0{h}:00:00-05:00" for h in (1, 2, 3)]))
    assert fixed.freq.tz == "UTC-05:00" and str(fixed.to_frame()["ds"].iloc[0]) == "2024-01-01 01:00:00-05:00"


def test_times_with_and_without_a_zone_do_not_mix():
    stamps = [pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-02")]
    assert "the time column 'ds' holds times that do not agree" in refusal(pd.DataFrame({"ds": stamps, "y": [1, 2]}))


def test_half_hour_zones_keep_their_whole_hours():
    ds = pd.date_range("2024-01-01", periods=5, freq="h", tz="Asia/Kolkata")
    assert (read_frame(pd.DataFrame({"ds": ds, "y": range(5)})).to_frame()["ds"] == pd.Series(ds)).all()


# ---- forms


@pytest.mark.parametrize(
    ("times", "form"), [([19580329, 19580405, 19580412], "%Y%m%d"), (["202411", "202412", "202501"], "%Y%m")]
)
def test_integers_that_look_like_dates_are_not_silently_steps(times, form):
    frame = pd.DataFrame({"date": times, "co2": [316.1, 317.3, 317.6]})
    assert (
        f"holds integers that look like dates ({times[0]} to {times[-1]}); say so with date_format='{form}'"
        in refusal(frame)
    )
    assert read_frame(frame, date_format=form).freq.name in ("W-SAT", "MS")


def test_seconds_since_1970_can_be_said_to_be_that():
    frame = pd.DataFrame({"time": [1_700_000_000 + 3600 * i for i in range(4)], "y": range(4)})
    assert read_frame(frame, date_format="s").freq.name == "h"
    assert read_frame(frame.assign(time=frame["time"] * 1000), date_format="ms").times[0] == np.datetime64(
        "2023-11-14T22:13:20"
    )
    assert read_frame(frame).freq.name == "3600"


def test_years_and_counters_are_integer_time():
    frame = pd.DataFrame({"year": range(1871, 1881), "volume": range(10)})
    panel = read_frame(frame)
    assert panel.times[0] == 1871 and panel.freq.name == "1" and panel.ids == ("volume",)
    assert "holds 1.5, neither a date nor a whole number" in refusal(frame.assign(year=1.5), time="year")


def test_a_day_and_month_that_can_be_swapped_are_refused_and_one_thirteenth_decides():
    ambiguous = pd.DataFrame({"ds": ["03/04/2024", "04/04/2024", "05/04/2024"], "y": [1, 2, 3]})
    message = refusal(ambiguous)
    assert "dates of column 'ds' are ambiguous: 03/04/2024 may be 2024-04-03 or 2024-03-04" in message
    assert "date_format='%d/%m/%Y' or '%m/%d/%Y'" in message
    assert read_frame(ambiguous, date_format="%d/%m/%Y").freq.name == "D"
    assert read_frame(ambiguous, date_format="%m/%d/%Y").freq.name == "MS (day 4)"
    clear = ambiguous.assign(ds=["12/04/2024", "13/04/2024", "14/04/2024"])
    assert read_frame(clear).times[0] == np.datetime64("2024-04-12")
    swapped = ambiguous.assign(ds=["04/12/2024", "04/13/2024", "04/14/2024"])
    assert read_frame(swapped).times[0] == np.datetime64("2024-04-12")


@pytest.mark.parametrize(
    ("day", "clock", "zone"),
    [
        ("%d/%m/%Y", " %H:%M", ""),
        ("%m/%d/%Y", " %H:%M:%S", ""),
        ("%d.%m.%Y", " %H:%M:%S.%f", ""),
        ("%d/%m/%y", "T%H:%M", ""),
        ("%Y/%m/%d", " %H:%M", ""),
        ("%m/%d/%Y", " %I:%M %p", ""),
        ("%d/%m/%Y", " %I:%M:%S%p", ""),
        ("%Y-%m-%d", " %I:%M %p", ""),
        ("%d %b %Y", " %H:%M", ""),
        ("%B %d, %Y", " %H:%M", ""),
        ("%d-%b-%y", " %I:%M %p", ""),
        ("%d/%m/%Y", " %H:%M", "+02:00"),
        ("%Y/%m/%d", " %H:%M", "+02:00"),
        ("%d/%m/%y", "T%H:%M", "Z"),
    ],
)
def test_hours_are_read_in_every_way_that_days_are_written(day, clock, zone):
    """The oracle: strftime wrote them."""
    hours = pd.date_range("2024-01-30 09:00", periods=40, freq="h")
    panel = read_frame(pd.DataFrame({"ds": hours.strftime(day + clock) + zone, "y": range(40)}))
    assert panel.freq.name == "h"
    assert panel.to_frame()["ds"].dt.tz_localize(None).tolist() == hours.tolist()


@pytest.mark.parametrize(
    ("texts", "first", "freq"),
    [
        (["1/22/20", "1/23/20", "1/24/20"], "2020-01-22", "D"),
        (["30.12.99", "31.12.99", "01.01.00"], "1999-12-30", "D"),
        (["1/22/20 13:00", "1/22/20 14:00", "1/22/20 15:00"], "2020-01-22T13", "h"),
        (["Nov-95", "Dec-95", "Jan-96"], "1995-11-01", "MS"),
        (["30-Dec-19", "31-Dec-19", "1-Jan-20"], "2019-12-30", "D"),
        (["32-01-30", "32-01-31", "32-02-01"], "2032-01-30", "D"),
    ],
)
def test_a_year_of_two_digits_is_one_from_1969_to_2068(texts, first, freq):
    panel = read_frame(days(1, 2, 3).assign(ds=texts))
    assert panel.times[0] == np.datetime64(first) and panel.freq.name == freq


@pytest.mark.parametrize(
    ("texts", "first", "freq"),
    [
        (["2024M11", "2024M12", "2025M1"], "2024-11-01", "MS"),
        (["11/2024", "12/2024", "1/2025"], "2024-11-01", "MS"),
        (["Q3 2024", "Q4 2024", "Q1 2025"], "2024-07-01", "QS"),
        (["Q3-2024", "Q4-2024", "Q1-2025"], "2024-07-01", "QS"),
        (["2020-W52", "2020-W53", "2021-W01"], "2020-12-21", "W-MON"),
        (["2020W52", "2020W53", "2021W01"], "2020-12-21", "W-MON"),
        (["20240229T2300", "20240301T0000", "20240301T0100"], "2024-02-29T23", "h"),
        (["20240229 23:00:00", "20240301 00:00:00", "20240301 01:00:00"], "2024-02-29T23", "h"),
        (["29/02/2024, 23:00", "01/03/2024, 00:00", "01/03/2024, 01:00"], "2024-02-29T23", "h"),
        (["2024-02-29, 23:00", "2024-03-01, 00:00", "2024-03-01, 01:00"], "2024-02-29T23", "h"),
        (["May 2024", "June 2024", "July 2024"], "2024-05-01", "MS"),
        (["May 2022", "May 2023", "May 2024"], "2022-05-01", "YS-MAY"),
        (["01/01/2022", "01/01/2023", "01/01/2024"], "2022-01-01", "YS-JAN"),
        (["01/01/2022", "02/02/2022", "03/03/2022"], "2022-01-01", None),
    ],
)
def test_months_quarters_weeks_and_hours_are_read_as_statistical_offices_and_spreadsheets_write_them(
    texts, first, freq
):
    """Where day and month could be swapped and are the same, nothing is ambiguous."""
    frame = days(1, 2, 3).assign(ds=texts)
    if freq is None:
        assert "irregular" in refusal(frame), "and these days lie on no grid"
        return
    panel = read_frame(frame)
    assert panel.times[0] == np.datetime64(first) and panel.freq.name == freq


@pytest.mark.parametrize("form", ["%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"])
def test_hours_without_anything_between_are_no_steps(form):
    hours = pd.date_range("2024-02-28", periods=60, freq="h")
    frame = pd.DataFrame({"ds": hours.strftime(form).astype("int64"), "y": range(60)})
    assert f"integers that look like dates ({frame['ds'][0]} to {frame['ds'][59]}); say so" in refusal(frame)
    assert read_frame(frame, date_format=form).freq.name == "h"
    assert read_frame(frame.assign(ds=(hours - pd.Timestamp(0)) // pd.Timedelta("1s"))).freq.name == "3600", "of Unix"


def test_a_shape_that_is_not_known_is_guessed_and_asked_for():
    frame = pd.DataFrame({"at": [f"{d:%d%b%Y}" for d in pd.date_range("2024-01-30", periods=5)], "y": range(5)})
    assert "if '30Jan2024' of column 'at' is a time, say so with --time 'at' --date-format '%d%b%Y'" in refusal(frame)
    assert read_frame(frame, time="at", date_format="%d%b%Y").freq.name == "D"
    frame["at"] = [f"day {k}" for k in range(5)]
    assert read_frame(frame).notes[0] == "columns taken: time: the position of the row, target 'y'", "control: no date"


def test_of_three_short_numbers_the_year_must_be_told_apart():
    frame = days(1, 2, 3).assign(ds=["10-11-12", "11-11-12", "12-11-12"])
    message = refusal(frame)
    assert "ambiguous: 10-11-12 may be 2012-11-10 or 2012-10-11" in message and "date_format='%d-%m-%y' or" in message
    assert read_frame(frame, date_format="%y-%m-%d").times[0] == np.datetime64("2010-11-12")
    assert "ambiguous" in refusal(frame.assign(ds=["01/02/20", "01/03/20", "01/04/20"]))


def test_with_dots_the_day_comes_first():
    frame = days(1, 2, 3).assign(ds=["03.04.2024", "04.04.2024", "05.04.2024"])
    assert read_frame(frame).freq.name == "D" and read_frame(frame).times[0] == np.datetime64("2024-04-03")
    assert read_frame(frame, date_format="%m.%d.%Y").freq.name == "MS (day 4)", "unless it is said"
    assert "'04.13.2024' in the time column 'ds' cannot be read" in refusal(frame.assign(ds=["04.13.2024"] * 3))


def test_a_date_that_cannot_be_read_names_its_row():
    frame = days(1, 2, 3).assign(ds=["2024-01-01", "2024-01-02", "2024-13-02"])
    assert "row 2: '2024-13-02' in the time column 'ds' cannot be read; write dates like 2024-02-29" in refusal(frame)
    assert "cannot be read as %d-%m-%Y" in refusal(frame, date_format="%d-%m-%Y")
    mixed = frame.assign(ds=["13/01/2024", "14/01/2024", "01/15/2024"])
    assert "row 2: '01/15/2024'" in refusal(mixed)


# ---- the grid


def test_one_row_needs_a_frequency():
    assert "no frequency can be inferred; give one (--freq)" in refusal(days(1))
    assert read_frame(days(1), freq="D").freq.name == "D"


def test_irregular_times_name_the_first_stamp_off_the_grid():
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=9, freq="5min"), "y": range(9)})
    frame.loc[4, "ds"] += pd.Timedelta("1min")
    message = refusal(frame)
    assert "the times are irregular: series 'y', 2024-01-01 00:21:00 (row 4) is off the 5min grid" in message
    assert "as are 1 of 9 rows" in message and "--freq bars" in message
    assert read_frame(frame, freq="bars").lengths.tolist() == [9]
    assert "is off the MS grid" in refusal(days(1, 2, 3), freq="MS")


def test_series_on_shifted_grids_are_refused():
    shifted = pd.concat([two_series(), two_series().assign(unique_id="C", ds=lambda f: f["ds"] + pd.Timedelta("6h"))])
    assert "series 'C'" in refusal(shifted.drop_duplicates(["unique_id", "ds"]))
