"""Every shape of frame becomes the same panel, and what must not matter in one does not."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from frame_cases import days, refusal, two_series
from hypothesis import given, settings
from hypothesis import strategies as st

from tsforecast.panel import Panel
from tsforecast.reading.frames import read_frame

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
    said = (
        "blank rows that are not part of a series: 2 before the first value of 'new', 2 after the last value of 'old'"
    )
    assert said in panel.notes and not any("blank" in note for note in read_frame(wide[["old"]][:2]).notes)
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


def test_what_is_valid_is_not_refused():
    assert isinstance(read_frame(two_series()), Panel)


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
