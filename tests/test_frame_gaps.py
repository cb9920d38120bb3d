"""What is missing in a frame is refused by name, place and number, or treated as the policy says, never with what
comes later."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from frame_cases import days, refusal, two_series
from hypothesis import given, settings
from hypothesis import strategies as st

from tsforecast.reading.frames import read_frame

# ---- refused


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


# ---- injected at random


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
