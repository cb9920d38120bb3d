"""Every fault in a frame is refused by name, place, number and remedy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from frame_cases import days, refusal, two_series
from hypothesis import given, settings
from hypothesis import strategies as st

from tsforecast.errors import ConfigError, DataError
from tsforecast.reading.cells import Source
from tsforecast.reading.frames import read_frame

# ---- columns


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
        "columns: ds (date), open (number), close (number), name (text such as 'a'); say which to take with --target"
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


# ---- rows and cells


def test_a_duplicate_time_names_series_time_rows_values_and_how_many_more():
    frame = two_series()
    doubled = pd.concat([frame, frame.iloc[[28]].assign(y=999.0), frame.iloc[[60, 61]]], ignore_index=True)
    assert refusal(doubled) == (
        "the frame: duplicate time: series 'A', 2024-02-29 occurs 2 times (row 28, row 80; y = 28, 999); "
        "2 more such rows in 2 series; keep one row for each time of a series, for example their mean, "
        "or name the column that tells series apart (--id)"
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


def test_unusable_options_are_refused():
    with pytest.raises(ConfigError, match="missing='fill' is not a policy; did you mean 'ffill'"):
        read_frame(days(1, 2), missing="fill")
    with pytest.raises(ConfigError, match="season_length=0: must be at least 1"):
        read_frame(days(1, 2), season_length=0)


def test_rows_are_named_as_the_source_names_them():
    source = Source("a.csv", lambda row: f"line {row + 2}")
    with pytest.raises(DataError, match=r"a\.csv: line 3: series 'y', 2024-02-02: 'y' is missing"):
        read_frame(days(1, np.nan, 3), source=source)


# ---- injected at random


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
