"""Folds in numbers: on a clock panel every value is the number of its own step, so a cut that is off by one shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import DAILY, clock, folds, panel
from hypothesis import assume, given
from hypothesis import strategies as st

from tsforecast.errors import ConfigError, DataError
from tsforecast.folds import Fold, Plan, make_folds
from tsforecast.frequency import Frequency
from tsforecast.panel import Panel

NAN = np.nan


def told(fold: Fold) -> list[tuple[str, list[float], list[float]]]:
    """Id, first and last step of the past, and the scored steps, of every series of a fold."""
    targets, _ = fold.truth()
    return [
        (key, [fold.past.series(i)[0], fold.past.series(i)[-1]], targets[i].tolist()) for i, key in enumerate(fold.ids)
    ]


def spans(found: list[Fold]) -> list[tuple[list[float], list[float]]]:
    """The first series of every fold."""
    return [told(fold)[0][1:] for fold in found]


def test_expanding_windows_one_horizon_apart_end_with_the_data() -> None:
    found = folds(clock((0, 20)), horizon=3, n_windows=3)
    assert spans(found) == [([0, 10], [11, 12, 13]), ([0, 13], [14, 15, 16]), ([0, 16], [17, 18, 19])]
    assert [fold.number for fold in found] == [0, 1, 2]
    np.testing.assert_array_equal(found[0].view.future.times, [[11, 12, 13]])
    np.testing.assert_array_equal(found[0].truth()[1], [[11, 12, 13]])


def test_sliding_windows_keep_the_last_steps_and_the_history_keeps_all() -> None:
    found = folds(clock((0, 20)), horizon=3, n_windows=2, train_size=6)
    assert spans(found) == [([8, 13], [14, 15, 16]), ([11, 16], [17, 18, 19])]
    assert found[0].training.series(0).tolist() == [8, 9, 10, 11, 12, 13]
    assert found[0].history.series(0).tolist() == list(range(14))


def test_a_gap_lies_between_the_cutoff_and_the_scored_steps() -> None:
    found = folds(clock((0, 20)), horizon=3, n_windows=2, gap=2)
    assert spans(found) == [([0, 11], [14, 15, 16]), ([0, 14], [17, 18, 19])]
    np.testing.assert_array_equal(found[1].view.future.times, [[15, 16, 17, 18, 19]])  # the model is asked for all five


@pytest.mark.parametrize(("step_size", "cutoffs"), [(1, [14, 15, 16]), (3, [10, 13, 16]), (5, [6, 11, 16])])
def test_the_step_size_may_be_smaller_or_larger_than_the_horizon(step_size: int, cutoffs: list[int]) -> None:
    found = folds(clock((0, 20)), horizon=3, n_windows=3, step_size=step_size)
    assert spans(found) == [([0, c], [c + 1, c + 2, c + 3]) for c in cutoffs]


@pytest.mark.parametrize(
    ("refit", "fits"),
    [(False, [True, False, False, False, False]), (True, [True] * 5), (2, [True, False, True, False, True])],
)
def test_refit_says_at_which_windows_a_model_is_fitted(refit: bool | int, fits: list[bool]) -> None:
    plan = Plan(horizon=3, refit=refit)
    assert [plan.fits_at(k) for k in range(5)] == fits


def test_cutoffs_are_one_instant_for_all_series() -> None:
    """s1 begins late, s2 stops early: each takes part where it has a past and a future."""
    found = folds(clock((0, 30), (12, 30), (0, 24)), horizon=4, n_windows=3)
    assert [told(fold) for fold in found] == [
        [("s0", [0, 17], [18, 19, 20, 21]), ("s1", [12, 17], [18, 19, 20, 21]), ("s2", [0, 17], [18, 19, 20, 21])],
        [
            ("s0", [0, 21], [22, 23, 24, 25]),
            ("s1", [12, 21], [22, 23, 24, 25]),
            ("s2", [0, 21], pytest.approx([22, 23, NAN, NAN], nan_ok=True)),
        ],
        [("s0", [0, 25], [26, 27, 28, 29]), ("s1", [12, 25], [26, 27, 28, 29])],
    ]


def test_a_series_that_has_ended_is_still_learnt_from() -> None:
    last = folds(clock((0, 30), (12, 30), (0, 24)), horizon=4, n_windows=3)[-1]
    assert last.ids == ("s0", "s1") and last.training.ids == ("s0", "s1", "s2")
    assert last.training.series(2).tolist() == list(range(24))


def test_what_is_learnt_from_does_not_depend_on_what_was_observed_after_the_cutoff() -> None:
    data = clock((0, 40), (0, 40))
    values = data.values.copy()
    values[75:] = NAN  # nothing of s1 is observed in the last fold
    clean, dirty = (folds(d, horizon=5, n_windows=2)[1] for d in (data, replace(data, values=values)))
    assert clean.ids == ("s0", "s1") and dirty.ids == ("s0",)
    assert clean.training.ids == dirty.training.ids == ("s0", "s1")


def test_counted_from_its_own_end_every_series_has_every_fold() -> None:
    found = folds(clock((0, 30), (100, 120)), horizon=4, n_windows=2, align="end")
    assert [told(fold) for fold in found] == [
        [("s0", [0, 21], [22, 23, 24, 25]), ("s1", [100, 111], [112, 113, 114, 115])],
        [("s0", [0, 25], [26, 27, 28, 29]), ("s1", [100, 115], [116, 117, 118, 119])],
    ]
    np.testing.assert_array_equal(found[1].view.future.times[:, 0], [26, 116])


def bars(*days: list[str]) -> Panel:
    """Trading bars: a series per list of dates, values counted from 0."""
    flat = np.array([day for series in days for day in series], dtype="datetime64[us]")
    found = panel(*(np.arange(len(series)) for series in days))
    return replace(found, times=flat, freq=Frequency("bars"))


def weekdays(start: str, n: int, without: tuple[str, ...] = ()) -> list[str]:
    days = np.busday_offset(start, np.arange(n), roll="forward")
    return [str(day) for day in days if str(day) not in without]


def test_trading_bars_with_different_holidays_share_the_instant_and_count_their_own_bars() -> None:
    """s1 has no 2024-05-01 and no 2024-05-09; the last fold has all its three bars in both."""
    data = bars(
        weekdays("2024-04-01", 33), weekdays("2024-04-01", 33, without=("2024-05-01", "2024-05-09"))
    )  # both end on 2024-05-15, a Wednesday
    found = folds(data, horizon=3, n_windows=2)
    assert told(found[1]) == [("s0", [0, 29], [30, 31, 32]), ("s1", [0, 27], [28, 29, 30])]
    assert [str(t)[:10] for t in found[1].past.last_times] == ["2024-05-10", "2024-05-10"]
    # six bars of s1 back is 2024-05-06; s0 has a bar more in between, which is not scored
    assert [str(t)[:10] for t in found[0].past.last_times] == ["2024-05-06", "2024-05-06"]
    assert told(found[0]) == [("s0", [0, 25], [26, 27, 28]), ("s1", [0, 24], [25, 26, 27])]
    # the stamps of the future are guesses, those beside the truth are what happened
    assert [str(t)[:10] for t in found[0].view.future.times[1]] == ["2024-05-07", "2024-05-08", "2024-05-09"]
    assert [str(t)[:10] for t in found[0].truth()[1][1]] == ["2024-05-07", "2024-05-08", "2024-05-10"]


def test_a_delisted_share_does_not_move_the_last_fold() -> None:
    data = bars(weekdays("2024-01-01", 90), weekdays("2024-01-01", 40))
    found = folds(data, horizon=5, n_windows=12)
    assert told(found[-1]) == [("s0", [0, 84], [85, 86, 87, 88, 89])]
    assert told(found[0])[1] == ("s1", [0, 29], [30, 31, 32, 33, 34])


@pytest.mark.parametrize(
    ("length", "season", "gap", "n_windows"),
    [(1_000, 1, 0, 24), (100, 1, 0, 10), (100, 1, 2, 9), (100, 70, 0, 5), (20, 1, 0, 2), (11, 1, 0, 1)],
)
def test_the_default_is_up_to_24_windows_that_leave_the_larger_half_for_training(
    length: int, season: int, gap: int, n_windows: int
) -> None:
    data = clock((0, length), season_length=season)
    plan = Plan(horizon=5, gap=gap).settle(data)
    assert (plan.n_windows, plan.step_size) == (n_windows, 5)
    assert min(fold.ends[0] for fold in make_folds(data, plan)) >= length // 2


def test_the_default_counts_the_windows_of_a_series_that_reaches_the_end() -> None:
    data = clock((0, 60), (0, 1_000), freq=DAILY)
    assert Plan(horizon=5).settle(data).n_windows == 24
    ended_long_ago = clock((0, 1_000), (940, 1_060), freq=DAILY)
    assert Plan(horizon=5).settle(ended_long_ago).n_windows == 12


def test_the_default_horizon_is_that_of_the_grid() -> None:
    assert Plan().settle(clock((0, 200), freq=DAILY)).horizon == 14


@given(
    st.integers(1, 6), st.integers(1, 5), st.integers(1, 9), st.integers(0, 4), st.integers(30, 80), st.integers(0, 20)
)
def test_for_every_plan_the_scored_steps_follow_the_cutoff_by_the_gap_and_the_last_ends_with_the_data(
    horizon: int, n_windows: int, step_size: int, gap: int, length: int, late: int
) -> None:
    assume(length - late > 7 + gap + horizon + (n_windows - 1) * step_size)
    data = clock((0, length), (late, length))
    for align in ("calendar", "end"):
        found = folds(data, horizon=horizon, n_windows=n_windows, step_size=step_size, gap=gap, align=align)
        for fold in found:
            targets, times = fold.truth()
            np.testing.assert_array_equal(targets, times)
            np.testing.assert_array_equal(targets[:, 0], fold.past.last_times + gap + 1)
            np.testing.assert_array_equal(np.diff(targets, axis=1), 1)
            np.testing.assert_array_equal(fold.view.future.times[:, gap:], times)
        last = [fold.truth()[0][0, -1] for fold in found]
        assert last[-1] == length - 1 and set(np.diff(last)) <= {step_size}


def test_covariates_known_ahead_are_those_of_the_forecast_steps() -> None:
    data = panel(np.arange(20), futr=np.arange(20) + 100, hist=np.arange(20) + 200)
    fold = folds(data, horizon=3, n_windows=1, gap=1)[0]
    np.testing.assert_array_equal(fold.view.future.futr[0, :, 0], [116, 117, 118, 119])
    assert fold.past.hist[-1, 0] == 215


def test_a_series_whose_known_covariates_stop_inside_the_horizon_is_not_forecast_there() -> None:
    data = clock((0, 30), (0, 28))
    assert folds(data, horizon=4, n_windows=2)[1].ids == ("s0", "s1")
    known = replace(data, futr=data.values[:, None].copy(), futr_names=("price",))
    assert folds(known, horizon=4, n_windows=2)[1].ids == ("s0",)


def test_too_short_a_series_is_refused_with_the_number_of_steps_it_needs() -> None:
    need = r"series 's0' is too short: it has 20 steps, but 8 windows of horizon 3, 3 steps apart, need 28 \(4 before"
    with pytest.raises(DataError, match=need + r".*use n_windows=5 or fewer"):
        folds(clock((0, 20)), horizon=3, n_windows=8)
    with pytest.raises(DataError, match=r"20 windows .* after a gap of 2, .* need 66 .* use n_windows=4 or fewer"):
        folds(clock((0, 20)), horizon=3, gap=2, n_windows=20)
    with pytest.raises(DataError, match=r"it has 6 steps.*needs 7 .*use a shorter horizon"):
        folds(clock((0, 6)), horizon=3)
    assert len(folds(clock((0, 20)), horizon=3, n_windows=5)) == 5  # the advice holds
    assert len(folds(clock((0, 7)), horizon=3)) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            clock((0, 40), (34, 40)),
            r"series 's1' is too short: it has 6 steps, but one window needs 7 \(4 before the cutoff\)",
        ),
        (
            clock((0, 40), (0, 20), (0, 21)),
            r"series 's1' ends at 19, before the steps .* 2 windows of horizon 3, .*align=end.*likewise s2",
        ),
        (panel(np.arange(40), np.append(np.arange(34), np.full(6, NAN))), "series 's1' has no observed value at"),
    ],
)
def test_a_series_in_no_fold_is_refused_with_the_reason(data: Panel, message: str) -> None:
    with pytest.raises(DataError, match=message):
        folds(data, horizon=3, n_windows=2)


def test_a_window_in_which_nothing_was_observed_is_refused() -> None:
    data = panel(np.where((np.arange(40) < 28) | (np.arange(40) > 33), np.arange(40.0), NAN))
    with pytest.raises(DataError, match="window 2 of 5: no series has an observed value"):
        folds(data, horizon=3, n_windows=5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 0}, "horizon=0: must be a whole number of at least 1"),
        ({"horizon": 2.5}, r"horizon=2\.5: expected a whole number or None"),
        ({"n_windows": 0}, "n_windows=0"),
        ({"step_size": -1}, "step_size=-1"),
        ({"gap": -1}, "gap=-1"),
        ({"train_size": 1}, "train_size=1"),
        ({"refit": 0}, "refit=0|refit=False"),
        ({"refit": "often"}, "refit='often': expected true or false or a whole number"),
        ({"align": "start"}, "align='start'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Plan(**settings)


def test_a_fold_copies_no_observation() -> None:
    data = clock((0, 50))
    fold = folds(data, horizon=3, n_windows=4)[0]
    assert np.shares_memory(fold.past.values, data.values) and np.shares_memory(fold.training.values, data.values)
    assert len(fold.past.values) == 38  # and with one series nothing past the cutoff is in reach
