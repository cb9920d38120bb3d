"""A panel is cut without copying, and a future has no room for a target."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.errors import DataError
from tsforecast.panel import Future, Panel


def clock(*lengths: int, start: str = "2024-01-01", stagger: int = 0) -> Panel:
    """A panel in which every value is the number of its own hour since `start`, so that a misplaced one shows."""
    frames = []
    for i, length in enumerate(lengths):
        hours = np.arange(length) + i * stagger
        ds = pd.Timestamp(start) + pd.to_timedelta(hours, unit="h")
        frames.append(pd.DataFrame({"unique_id": f"s{i}", "ds": ds, "y": hours.astype(float)}))
    return Panel.from_frame(pd.concat(frames))


def hour(panel_times: np.ndarray, start: str = "2024-01-01") -> np.ndarray:
    return (panel_times - np.datetime64(start, "us")).astype(np.int64) // 3_600_000_000


@given(st.lists(st.integers(2, 30), min_size=1, max_size=4), st.integers(-5, 60), st.integers(0, 9))
def test_cutting_at_a_time_keeps_exactly_what_is_at_or_before_it(lengths, cutoff, stagger):
    panel = clock(*lengths, stagger=stagger)
    ends = panel.ends_at(np.datetime64("2024-01-01", "us") + np.timedelta64(cutoff, "h"))
    past = panel.cut(ends)
    for i in range(len(panel)):
        whole = panel.series(i)
        assert past.series(i).tolist() == whole[whole <= cutoff].tolist()
        assert hour(past.times[past.starts[i] : past.ends[i]]).tolist() == past.series(i).tolist()


def test_cut_tail_and_take_copy_no_observation():
    panel = clock(50, 40, 30)
    for part in (panel.cut(panel.ends - 7), panel.tail(5), panel.take([2, 0])):
        for name in ("values", "times", "hist", "futr"):
            whole, piece = getattr(panel, name), getattr(part, name)
            assert piece.size == 0 or np.shares_memory(piece, whole), name


def test_a_copy_would_be_noticed():
    panel = clock(50)
    assert not np.shares_memory(panel.values.copy(), panel.values)


def test_a_cut_panel_of_one_series_has_nothing_past_the_cutoff_in_reach():
    past = clock(50).cut(np.array([20]))
    assert len(past.values) == len(past.times) == 20
    assert past.values.max() == 19, "only the memory that the array is a view of goes on"


def test_tail_and_take_are_the_last_steps_and_the_named_series():
    panel = clock(10, 3)
    tail = panel.tail(4)
    assert [tail.series(i).tolist() for i in range(2)] == [[6, 7, 8, 9], [0, 1, 2]]
    assert panel.take([1]).ids == ("s1",) and panel.take([1]).series(0).tolist() == [0, 1, 2]


def test_a_panel_cannot_be_written_to():
    panel = clock(5)
    with pytest.raises(ValueError, match="read-only"):
        panel.values[0] = 1.0


def test_cutting_past_the_end_leaves_the_panel_as_it_is():
    panel = clock(10, 5)
    assert panel.cut(panel.ends + 99).fingerprint() == panel.fingerprint()


def test_mean_change_is_that_of_each_series_alone_and_skips_what_was_not_observed():
    frame = pd.DataFrame(
        {"unique_id": ["a"] * 4 + ["b"] * 3, "ds": [0, 1, 2, 3, 0, 1, 2], "y": [1, 3, np.nan, 6, 100, 90, 95]}
    )
    panel = Panel.from_frame(frame, missing="nan")
    assert panel.mean_change(1).tolist() == [2.0, 7.5]
    assert panel.mean_change(2, power=2).tolist() == [9.0, 25.0]
    assert np.isnan(panel.mean_change(5)).all()


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), max_size=6),
    st.integers(1, 12),
    st.integers(1, 3),
)
def test_what_is_worked_out_piece_by_piece_is_what_each_span_gives_alone(spans, block, lag):
    starts = np.array([a for a, _ in spans], dtype=np.int64)
    ends = starts + np.array([n for _, n in spans], dtype=np.int64)
    whole = clock(30)
    values = np.random.default_rng(0).normal(size=30)
    panel = replace(whole, ids=tuple(map(str, range(len(spans)))), starts=starts, ends=ends, values=values)
    assert panel.inside.tolist() == [any(a <= row < b for a, b in zip(starts, ends, strict=True)) for row in range(30)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tsforecast.spans.BLOCK", block)
        found = panel.mean_change(lag, power=2)
        rows = np.concatenate([np.empty(0), *panel.pieces(panel.values)])
    for i in range(len(spans)):
        own = panel.series(i)
        alone = np.mean((own[lag:] - own[:-lag]) ** 2) if len(own) > lag else np.nan
        np.testing.assert_allclose(found[i], alone, rtol=1e-13)
    assert found.tobytes() == panel.mean_change(lag, power=2).tobytes()
    if panel.inside.sum() == panel.lengths.sum():  # no two spans overlap
        assert rows.tolist() == values[panel.inside].tolist()


def test_a_future_has_no_field_for_a_target():
    assert {field.name for field in fields(Future)} == {"ids", "times", "futr", "futr_names"}


def test_the_future_begins_one_step_after_each_series():
    panel = clock(10, 20)
    future = panel.future(3)
    assert hour(future.times).tolist() == [[10, 11, 12], [20, 21, 22]]
    assert future.futr.shape == (2, 3, 0) and future.horizon == 3


def with_promotions() -> Panel:
    frame = pd.DataFrame({"unique_id": "a", "ds": [0, 1, 2], "y": [1.0, 2.0, 3.0], "promo": [0, 1, 0]})
    return Panel.from_frame(frame, futr_exog=["promo"])


def test_a_future_without_the_known_covariates_is_refused():
    with pytest.raises(DataError, match=r"known-ahead covariates promo: their next 2 values are needed"):
        with_promotions().future(2)
    with pytest.raises(DataError, match=r"have shape \(1, 2, 2\), expected \(1, 2, 1\)"):
        with_promotions().future(2, np.zeros((1, 2, 2)))
    with pytest.raises(
        DataError, match=r"series 'a', 4: the known-ahead covariate 'promo' is missing \(1 such cells\)"
    ):
        with_promotions().future(2, np.array([[[0.0], [np.nan]]]))


def test_known_covariates_come_first_and_calendar_features_after_them():
    panel = clock(30).with_calendar(["hour"])
    future = panel.future(2)
    assert panel.futr_names == future.futr_names == ("hour_sin1", "hour_cos1", "hour_sin2", "hour_cos2")
    assert panel.n_own_futr == 0
    np.testing.assert_allclose(future.futr[0, 0], panel.futr[6])  # hour 30 is 6 o'clock on the second day
    assert with_promotions().future(2, np.array([[[0.0], [1.0]]])).futr[0, :, 0].tolist() == [0.0, 1.0]


def test_the_frame_of_a_panel_reads_back_as_the_same_panel():
    panel = clock(10, 5, stagger=3)
    assert Panel.from_frame(panel.to_frame()).fingerprint() == panel.fingerprint()


def test_the_fingerprint_sees_one_changed_bit_a_time_a_name_and_the_season():
    frame = clock(10).to_frame()
    same = Panel.from_frame(frame).fingerprint()
    touched = frame.assign(y=np.nextafter(frame["y"], 1e9))
    later = frame.assign(ds=frame["ds"] + pd.Timedelta("1h"))
    renamed = frame.assign(unique_id="other")
    others = [Panel.from_frame(f).fingerprint() for f in (touched, later, renamed)]
    others.append(Panel.from_frame(frame, season_length=12).fingerprint())
    assert same not in others and len(set(others)) == 4


def test_the_fingerprint_of_a_cut_is_that_of_the_same_data_read_alone():
    panel = clock(10, 20)
    ends = panel.ends_at(np.datetime64("2024-01-01T07:00", "us"))
    assert panel.cut(ends).fingerprint() == clock(8, 8).fingerprint()
