"""Every shape of frame becomes the same panel, and every fault in one is refused by name, place, number and remedy."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsforecast.errors import ConfigError, DataError
from tsforecast.panel import Panel
from tsforecast.reading.cells import Source
from tsforecast.reading.frames import read_frame


def days(*values: float, start: str = "2024-02-01", **columns: list[object]) -> pd.DataFrame:
    frame = pd.DataFrame({"ds": pd.date_range(start, periods=len(values), freq="D"), "y": list(values)})
    return frame.assign(**columns)


def two_series(n: int = 40) -> pd.DataFrame:
    ds = pd.date_range("2024-02-01", periods=n, freq="D")
    return pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": ds, "y": np.arange(n) + 100.0 * i}) for i, name in enumerate("AB")],
        ignore_index=True,
    )


def refusal(frame: pd.DataFrame | pd.Series, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read_frame(frame, **options)
    return str(caught.value)


# ---- shapes


def test_long_wide_and_series_are_the_same_panel():
    long = two_series()
    wide = long.pivot(index="ds", columns="unique_id", values="y")
    panel = read_frame(long)
    assert panel.ids == ("A", "B") and panel.freq.name == "D" and panel.season_length == 7
    assert read_frame(wide).fingerprint() == panel.fingerprint()
    assert read_frame(wide[["B", "A"]].iloc[::-1]).fingerprint() == panel.fingerprint()
    assert read_frame(wide["A"]).fingerprint() == panel.take([0]).fingerprint()
    assert read_frame(long.set_index(["unique_id", "ds"])).fingerprint() == panel.fingerprint()
    assert read_frame(long.set_index("ds")).fingerprint() == panel.fingerprint()


def test_other_names_can_be_given_and_the_evident_ones_are_found():
    panel = read_frame(two_series())
    frame = two_series().rename(columns={"unique_id": "ticker", "ds": "day", "y": "close"})
    named = read_frame(frame, id="ticker", time="day", target="close")
    found = read_frame(frame)
    assert named.fingerprint() == found.fingerprint() == panel.fingerprint()
    assert named.notes == ("frequency D, inferred",)
    assert found.notes[0] == "columns taken: time 'day', target 'close', series named by 'ticker'"


def test_without_an_id_there_is_one_series_named_after_the_target():
    assert read_frame(days(1, 2, 3)).ids == ("y",)
    assert read_frame(days(1, 2, 3).rename(columns={"y": "price"})).ids == ("price",)
    assert read_frame(pd.Series([1.0, 2.0, 3.0])).ids == ("y",)
    assert read_frame(pd.Series([1.0, 2.0, 3.0], name="load")).ids == ("load",)


def test_a_series_without_times_counts_steps():
    panel = read_frame(pd.Series([5.0, 6.0, 7.0]))
    assert panel.times.tolist() == [0, 1, 2] and panel.freq.name == "1"
    assert read_frame(pd.Series([5.0, 6.0, 7.0], index=[10, 12, 14])).times.tolist() == [10, 12, 14]


def test_a_filtered_frame_with_left_over_row_labels_reads_as_before():
    frame = days(1, 2, 3, 4, 5).rename(columns={"y": "load", "ds": "day"})
    assert read_frame(frame[frame.load > 2]).times.astype("datetime64[D]").astype(str).tolist() == [
        "2024-02-03",
        "2024-02-04",
        "2024-02-05",
    ]


def test_blanks_around_a_wide_column_are_not_part_of_its_series():
    wide = pd.DataFrame(
        {"old": [1.0, 2.0, np.nan, np.nan], "new": [np.nan, np.nan, 7.0, 8.0]},
        index=pd.period_range("2024-01", periods=4, freq="M"),
    )
    panel = read_frame(wide)
    assert panel.ids == ("new", "old") and panel.lengths.tolist() == [2, 2]
    assert panel.series(0).tolist() == [7.0, 8.0] and panel.freq.name == "MS"
    inside = refusal(wide.assign(old=[1.0, np.nan, 3.0, np.nan]))
    assert "row 1: series 'old', 2024-02-01: 'y' is missing" in inside


def test_ids_become_text_and_are_sorted_as_text():
    frame = pd.DataFrame({"unique_id": [10, 10, 9, 9, 2, 2], "ds": [0, 1] * 3, "y": np.arange(6.0)})
    panel = read_frame(frame)
    assert panel.ids == ("10", "2", "9") and panel.series(1).tolist() == [4.0, 5.0]
    categories = frame.assign(unique_id=frame["unique_id"].astype("category"))
    assert read_frame(categories).fingerprint() == panel.fingerprint()


def test_covariates_are_read_by_role():
    frame = days(1, 2, 3, temperature=[10, 11, 12], holiday=[0, 0, 1], remark=["a", "b", "c"])
    panel = read_frame(frame, hist_exog=["temperature"], futr_exog=["holiday"])
    assert panel.hist[:, 0].tolist() == [10, 11, 12] and panel.futr[:, 0].tolist() == [0, 0, 1]
    assert panel.hist_names == ("temperature",) and panel.futr_names == ("holiday",)
    assert "columns not used: remark" in panel.notes
    assert read_frame(frame, hist_exog="temperature").hist_names == ("temperature",)


def test_values_are_float64_times_are_microseconds_and_the_season_can_be_given():
    panel = read_frame(days(1, 2, 3).astype({"y": "int8"}), season_length=30)
    assert panel.values.dtype == np.float64 and panel.times.dtype == "datetime64[us]" and panel.season_length == 30


@pytest.mark.parametrize("dtype", ["int64", "float32", "Int64", "Float64", "double[pyarrow]", "object", "str"])
def test_numbers_of_any_type_are_the_same_numbers(dtype):
    assert read_frame(days(1, 2, 3).astype({"y": dtype})).fingerprint() == read_frame(days(1, 2, 3)).fingerprint()


# ---- what must not matter


@settings(max_examples=25)
@given(st.permutations(range(30)))
def test_the_order_of_rows_does_not_matter(order):
    frame = two_series(15)
    shuffled = read_frame(frame.iloc[list(order)])
    assert shuffled.fingerprint() == read_frame(frame).fingerprint()


def test_sorting_is_noted_and_a_table_by_date_is_no_disorder():
    frame = two_series(5)
    backwards = read_frame(frame.iloc[::-1]).notes
    assert backwards[0] == "rows were not in the order of time (8 steps backwards); sorted"
    assert read_frame(frame.sort_values(["ds", "unique_id"])).notes == read_frame(frame).notes


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_the_stamps_does_not_matter(unit):
    frame = two_series()
    assert read_frame(frame.astype({"ds": f"datetime64[{unit}]"})).fingerprint() == read_frame(frame).fingerprint()


def test_dates_as_text_objects_periods_or_stamps_do_not_matter():
    frame = days(1, 2, 3)
    same = read_frame(frame).fingerprint()
    texts = frame["ds"].dt.strftime
    for ds in (
        texts("%Y-%m-%d"),
        texts("%Y/%m/%d"),
        texts("%b-%d-%Y"),
        texts("%d %B %Y"),
        texts("%Y-%m-%dT%H:%M:%S"),
        pd.Series([datetime.date(2024, 2, d) for d in (1, 2, 3)]),
        pd.Series([pd.Timestamp(2024, 2, d) for d in (1, 2, 3)], dtype=object),
        frame["ds"].dt.to_period("D"),
    ):
        assert read_frame(frame.assign(ds=ds)).fingerprint() == same, ds.iloc[0]


def test_the_frame_is_not_modified():
    frame = two_series().sample(frac=1, random_state=0).assign(x=1.0)
    before = frame.copy(deep=True)
    panel = read_frame(frame, hist_exog=["x"])
    pd.testing.assert_frame_equal(frame, before)
    frame.loc[:, "y"] = 0.0  # and it is still the user's to write to
    assert panel.values.max() == 139.0


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


# ---- faults


def test_a_missing_column_names_the_nearest():
    assert refusal(two_series(), target="Y") == "the frame: there is no column 'Y'; did you mean 'y'?"
    assert "there is no column 'temprature'; did you mean 'temperature'?" in refusal(
        days(1, 2, temperature=[1, 2]), hist_exog=["temprature"]
    )


def test_columns_that_are_not_evident_are_listed():
    several = days(1, 2, 3).rename(columns={"y": "open"}).assign(close=[1, 2, 3], name=["a", "b", "c"])
    message = refusal(several)
    assert "2 columns of numbers could be the target (open, close)" in message
    assert message.endswith(
        "columns: ds (date), open (number), close (number), name (text); say which to take with --target"
    )
    assert "2 columns hold dates (a, b)" in refusal(
        pd.DataFrame({"a": ["2024-01-01", "2024-01-02"], "b": ["2024-01-01", "2024-01-02"], "v": [1, 2]})
    )
    assert "no column of numbers is left to forecast" in refusal(days(1, 2)[["ds"]])
    ids = pd.DataFrame({"ds": [0, 0], "y": [1, 2], "shop": ["a", "b"], "town": ["c", "d"]})
    assert "2 columns of text could name the series (shop, town)" in refusal(ids)


def test_one_column_has_one_role_and_one_name():
    assert "column 'y' is given two roles" in refusal(days(1, 2), target="y", hist_exog=["y"])
    assert "column 'y' occurs 2 times" in refusal(pd.DataFrame([[1, 2]], columns=["y", "y"]))


def test_a_duplicate_time_names_series_time_rows_values_and_how_many_more():
    frame = two_series()
    doubled = pd.concat([frame, frame.iloc[[28]].assign(y=999.0), frame.iloc[[60, 61]]], ignore_index=True)
    assert refusal(doubled) == (
        "the frame: duplicate time: series 'A', 2024-02-29 occurs 2 times (row 28, row 80; y = 28, 999); "
        "2 more such rows in 2 series; keep one row for each time of a series, for example their mean"
    )


def test_an_empty_time_names_its_row():
    frame = two_series()
    frame.loc[[7, 9], "ds"] = pd.NaT
    assert refusal(frame) == "the frame: row 7: the time column 'ds' is empty (2 such rows); every row needs a time"
    assert "row 1: the time column 'ds' is empty" in refusal(days(1, 2).assign(ds=["2024-01-01", " "]))


def test_an_empty_id_names_its_row():
    for blank in (None, "", "  "):
        frame = two_series()
        frame.loc[3, "unique_id"] = blank
        assert "row 3: the id column 'unique_id' is empty (1 such rows)" in refusal(frame)


def test_an_id_may_be_called_na():
    frame = two_series()
    frame["unique_id"] = frame["unique_id"].replace({"A": "NA", "B": "None"})
    assert read_frame(frame).ids == ("NA", "None")


def test_a_cell_that_is_no_number_names_row_series_time_and_value():
    frame = two_series().astype({"y": object})
    frame.loc[[45, 50], "y"] = "broken"
    assert refusal(frame) == (
        "the frame: row 45, series 'B', 2024-02-06 00:00:00: 'broken' in column 'y' is not a number (2 such cells); "
        "if 'broken' means no value, say so with na_values='broken' (--na-values 'broken')"
    )
    assert "'x' in column 'temp' is not a number" in refusal(days(1, 2, temp=["x", "2"]), hist_exog=["temp"])
    assert "decimal=','" in refusal(days(1, 2).assign(y=["1,5", "2"]), target="y")
    assert "'1_0' in column 'y' is not a number" in refusal(days(1, 2, 3).assign(y=["1", "2", "1_0"]))
    assert "is too large to be kept exactly" in refusal(days(1, 2).assign(y=[1, 2**53 + 1]))


def test_decimal_commas_and_signs_are_numbers_when_said_so():
    frame = days(1, 2, 3).assign(y=["+1,5", "-2", "3e2"])
    assert read_frame(frame, decimal=",").values.tolist() == [1.5, -2.0, 300.0]
    assert "'1.234,5' in column 'y' is not a number" in refusal(frame.assign(y=["1.234,5", "2", "3"]), decimal=",")


def test_an_infinite_cell_is_always_refused():
    for policy in ("error", "nan", "ffill"):
        message = refusal(days(1, np.inf, 3, -np.inf), missing=policy)
        assert message.startswith("the frame: row 1: series 'y', 2024-02-02: 'y' is inf (2 such cells); correct it")
    assert "is inf" in refusal(days(1, 2).assign(y=["1", "1e400"]))


def test_an_empty_frame_and_an_empty_series_are_refused():
    assert refusal(days()) == "the frame: there are no rows"
    frame = two_series().astype({"y": float})
    frame.loc[frame["unique_id"] == "B", "y"] = np.nan
    for policy in ("error", "nan", "ffill"):
        assert "series 'B' has no observed value of 'y' (1 such series: B); leave it out" in refusal(
            frame, missing=policy
        )
    assert "series 'b' has no observed value" in refusal(
        pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, np.nan]}, index=pd.date_range("2024", periods=2))
    )


def test_one_row_needs_a_frequency():
    assert "no frequency can be inferred; give one (--freq)" in refusal(days(1))
    assert read_frame(days(1), freq="D").freq.name == "D"


def test_a_gap_names_series_both_ends_how_much_is_missing_and_the_remedies():
    frame = two_series().drop([3, 4, 5, 20, 60])
    message = refusal(frame)
    assert message.startswith(
        "the frame: gap: series 'A': 3 steps are missing between 2024-02-03 and 2024-02-07 (row 3); "
        "5 steps are missing from the D grid in 2 of 2 series; choose missing='nan' (masked) or 'ffill'"
    )
    assert "--missing nan | ffill" in message and "freq='bars'" in message


def test_a_gap_far_beyond_the_data_is_a_wrong_date_not_missing_data():
    frame = days(*range(60))
    frame.loc[59, "ds"] = pd.Timestamp("2204-04-01")
    message = refusal(frame, missing="nan")
    assert "missing between 2024-03-30 and 2204-04-01" in message and "check the times" in message


def test_a_missing_cell_names_its_place_and_the_policies():
    frame = two_series().astype({"y": float})
    frame.loc[[12, 50], "y"] = np.nan
    message = refusal(frame)
    assert "row 12: series 'A', 2024-02-13: 'y' is missing (2 such cells in 2 of 2 series)" in message
    assert "choose missing='nan' (masked) or 'ffill'" in message and "on trading days also 'drop'" in message


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


def test_a_date_that_cannot_be_read_names_its_row():
    frame = days(1, 2, 3).assign(ds=["2024-01-01", "2024-01-02", "2024-13-02"])
    assert "row 2: '2024-13-02' in the time column 'ds' cannot be read; write dates like 2024-02-29" in refusal(frame)
    assert "cannot be read as %d-%m-%Y" in refusal(frame, date_format="%d-%m-%Y")
    mixed = frame.assign(ds=["13/01/2024", "14/01/2024", "01/15/2024"])
    assert "row 2: '01/15/2024'" in refusal(mixed)


def test_unusable_options_are_refused():
    with pytest.raises(ConfigError, match="missing='fill' is not a policy; did you mean 'ffill'"):
        read_frame(days(1, 2), missing="fill")
    with pytest.raises(ConfigError, match="season_length=0: must be at least 1"):
        read_frame(days(1, 2), season_length=0)


def test_rows_are_named_as_the_source_names_them():
    source = Source("a.csv", lambda row: f"line {row + 2}")
    with pytest.raises(DataError, match=r"a\.csv: line 3: series 'y', 2024-02-02: 'y' is missing"):
        read_frame(days(1, np.nan, 3), source=source)


# ---- policies


def test_nan_puts_a_masked_step_where_one_is_missing():
    panel = read_frame(two_series().drop([3, 4, 5, 60]), missing="nan")
    assert panel.lengths.tolist() == [40, 40]
    assert np.flatnonzero(np.isnan(panel.values)).tolist() == [3, 4, 5, 60]
    assert panel.notes[0] == (
        "series 'A': 3 steps not observed, first 2024-02-04; series 'B': 1 steps not observed, first 2024-02-21"
    )


def test_ffill_carries_the_last_value_forward_and_counts_it():
    frame = two_series().drop([3, 4, 5]).astype({"y": float})
    frame.loc[[10, 40], "y"] = np.nan  # one within A, and the first of B
    panel = read_frame(frame, missing="ffill")
    assert panel.series(0)[:12].tolist() == [0, 1, 2, 2, 2, 2, 6, 7, 8, 9, 9, 11]
    assert panel.series(1)[0] == 101.0 and panel.lengths.tolist() == [40, 39]  # nothing comes before the first value
    assert panel.notes[0] == "series 'A': 4 gaps filled forward, first 2024-02-04"
    assert panel.notes[1] == "series 'B': 1 leading steps without a value left out, first 2024-02-01"


@settings(max_examples=40)
@given(st.lists(st.integers(1, 19), min_size=1, max_size=8, unique=True), st.integers(0, 19))
def test_filling_forward_never_looks_ahead(missing, cut):
    frame = days(*map(float, range(20)))
    frame.loc[missing, "y"] = np.nan
    whole = read_frame(frame, missing="ffill", freq="D").values
    past = read_frame(frame.iloc[: cut + 1], missing="ffill", freq="D").values
    assert whole[: cut + 1].tolist() == past.tolist()


def test_covariates_are_carried_forward_too():
    frame = days(1, 2, 3, 4, x=[1.0, np.nan, 3.0, 4.0]).drop([2])
    panel = read_frame(frame, hist_exog=["x"], missing="ffill")
    assert panel.hist[:, 0].tolist() == [1, 1, 1, 4] and panel.values.tolist() == [1, 2, 2, 4]
    assert "'x' is missing (1 such cells" in refusal(days(1, 2, x=[1.0, np.nan]), hist_exog=["x"])


def test_bars_have_no_gaps_and_drop_leaves_out_rows_without_a_value():
    frame = days(*map(float, range(30))).drop([4, 5, 6])
    assert read_frame(frame, freq="bars").lengths.tolist() == [27]
    prices = pd.DataFrame({"ds": pd.bdate_range("2024-01-01", periods=100), "y": np.arange(100.0)})
    prices.loc[[10, 50], "y"] = np.nan
    panel = read_frame(prices, missing="drop")
    assert panel.freq.name == "bars" and panel.lengths.tolist() == [98]
    assert panel.notes[0] == "series 'y': 2 rows without a value left out, first 2024-01-15"
    assert "'drop' leaves rows out, which only bars can bear" in refusal(prices, missing="drop", freq="B")


# ---- faults injected at random


@settings(max_examples=30)
@given(st.data(), st.integers(1, 5))
def test_injected_duplicates_are_refused_by_the_first_and_their_number(data, k):
    frame = two_series(20)
    rows = sorted(data.draw(st.lists(st.integers(0, 39), min_size=k, max_size=k, unique=True)))
    broken = pd.concat([frame, frame.iloc[rows]], ignore_index=True).sample(frac=1, random_state=k)
    first = frame.iloc[rows[0]]
    message = refusal(broken)
    assert f"duplicate time: series '{first['unique_id']}', {first['ds'].date()} occurs 2 times" in message
    assert (f"{k - 1} more such rows" in message) == (k > 1)


@settings(max_examples=30)
@given(st.data(), st.integers(1, 5), st.booleans())
def test_injected_blanks_are_refused_by_the_first_and_their_number(data, k, as_text):
    frame = two_series(20).astype({"y": object if as_text else float})
    rows = sorted(data.draw(st.lists(st.integers(0, 39), min_size=k, max_size=k, unique=True)))
    frame.loc[rows, "y"] = "NA" if as_text else np.nan
    first = frame.iloc[rows[0]]
    message = refusal(frame)
    assert (
        f"row {rows[0]}: series '{first['unique_id']}', {first['ds'].date()}: 'y' is missing ({k} such cells" in message
    )
    assert np.isnan(read_frame(frame, missing="nan").values).sum() == k


@settings(max_examples=30)
@given(st.data(), st.integers(1, 6))
def test_removed_rows_are_refused_by_the_first_and_their_number(data, k):
    frame = two_series(20)
    inner = [row for row in range(40) if row % 20 not in (0, 19)]
    rows = sorted(data.draw(st.lists(st.sampled_from(inner), min_size=k, max_size=k, unique=True)))
    first = frame.iloc[rows[0]]
    found = re.search(
        r"series '(.)': .* between (\S+) and .*; (\d+) steps? (?:is|are) missing from", refusal(frame.drop(rows))
    )
    assert found is not None and found[1] == first["unique_id"] and int(found[3]) == k
    assert pd.Timestamp(found[2]) == first["ds"] - pd.Timedelta("1D")


def test_what_is_valid_is_not_refused():
    assert isinstance(read_frame(two_series()), Panel)
