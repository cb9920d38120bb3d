"""The naive models against closed forms, simulated random walks, and what must hold for every model."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tsforecast.contract import QUANTILES, Forecast, Forecaster
from tsforecast.errors import ConfigError
from tsforecast.floor import has_floor
from tsforecast.frequency import Frequency
from tsforecast.models.naive import NEVER, Drift, Naive, SeasonalNaive
from tsforecast.panel import Panel, View

EVERY = [Naive(), SeasonalNaive(), Drift()]
NAN = np.nan
UPPER = NormalDist().inv_cdf(0.9)


def panel(*series: Any, season_length: int = 1) -> Panel:
    """Series of integer time, end to end."""
    lengths = np.array([len(s) for s in series])
    ends = np.cumsum(lengths)
    values = np.concatenate([np.asarray(s, dtype=np.float64) for s in series])
    times = np.concatenate([np.arange(n) for n in lengths])
    ids, none = tuple(f"s{i}" for i in range(len(series))), np.empty((len(values), 0))
    return Panel(ids, ends - lengths, ends, values, times, Frequency("integer"), season_length, none, none.copy())


def quantile(forecast: Forecast, q: float) -> np.ndarray:
    return forecast.quantiles[..., forecast.levels.index(q)]


def test_naive_repeats_the_last_value_and_its_spread_grows_with_the_root_of_the_step() -> None:
    past = panel([1, 3, 2, 6], [5, 5])
    answer = Naive().fit(past, 3).predict(past)
    np.testing.assert_array_equal(answer.point, [[6, 6, 6], [5, 5, 5]])
    np.testing.assert_array_equal(answer.times, [[4, 5, 6], [2, 3, 4]])
    spread = np.sqrt((4 + 1 + 16) / 3) * np.sqrt([1, 2, 3])
    np.testing.assert_allclose(quantile(answer, 0.9)[0], 6 + UPPER * spread)
    np.testing.assert_array_equal(quantile(answer, 0.9)[1], 5)  # a series that never changed has no spread
    np.testing.assert_array_equal(quantile(answer, 0.5), answer.point)
    assert answer.levels == QUANTILES and answer.failures == ()


def test_seasonal_naive_repeats_the_last_season() -> None:
    past = panel([0, 10, 20, 1, 12, 23], season_length=3)
    answer = SeasonalNaive().fit(past, 7).predict(past)
    np.testing.assert_array_equal(answer.point, [[1, 12, 23, 1, 12, 23, 1]])
    spread = np.sqrt((1 + 4 + 9) / 3) * np.sqrt([1, 1, 1, 2, 2, 2, 3])
    np.testing.assert_allclose(quantile(answer, 0.9)[0], answer.point[0] + UPPER * spread)


def test_seasonal_naive_of_season_one_is_naive_and_a_given_season_goes_before_the_panels() -> None:
    past = panel([1, 3, 2, 6, 5], season_length=2)
    one, naive = (m.fit(past, 4).predict(past) for m in (SeasonalNaive(season_length=1), Naive()))
    np.testing.assert_array_equal(one.point, naive.point)
    np.testing.assert_array_equal(one.quantiles, naive.quantiles)
    np.testing.assert_array_equal(SeasonalNaive().fit(past, 2).predict(past).point, [[6, 5]])


def test_drift_continues_the_line_through_the_first_and_the_last_value() -> None:
    past = panel([1, 4, 2, 7])
    answer = Drift().fit(past, 2).predict(past)
    np.testing.assert_allclose(answer.point, [[9, 11]])
    sigma, h = np.sqrt(np.mean((np.array([3, -2, 5]) - 2.0) ** 2)), np.array([1, 2])
    np.testing.assert_allclose(quantile(answer, 0.9)[0], [9, 11] + UPPER * sigma * np.sqrt(h * (1 + h / 3)))


def test_gaps_are_bridged_and_the_steps_since_the_last_observed_value_count() -> None:
    past = panel([NAN, 1, 2, 4, NAN, NAN])
    naive, drift = (m.fit(past, 2).predict(past) for m in (Naive(), Drift()))
    np.testing.assert_array_equal(naive.point, [[4, 4]])
    np.testing.assert_allclose(quantile(naive, 0.9)[0], 4 + UPPER * np.sqrt((1 + 4) / 2 * np.array([3, 4])))
    np.testing.assert_allclose(drift.point, [[4 + 1.5 * 3, 4 + 1.5 * 4]])
    past = panel([1, 2, 5, 3, NAN, 8], season_length=2)
    seasonal = SeasonalNaive().fit(past, 3).predict(past)
    np.testing.assert_array_equal(seasonal.point, [[5, 8, 5]])
    variance = np.mean(np.array([4, 1, 5]) ** 2.0)  # pairs (1, 5), (2, 3), (3, 8)
    np.testing.assert_allclose(quantile(seasonal, 0.9)[0], [5, 8, 5] + UPPER * np.sqrt(variance * np.array([2, 1, 3])))


def test_a_series_with_too_little_in_it_fails_with_a_reason_and_its_neighbours_do_not() -> None:
    past = panel([1, 2, 3, 4, 5, 6], [7], [NAN, NAN, NAN], season_length=2)
    for model in EVERY:
        answer = model.fit(past, 2).predict(past)
        assert [failure.unique_id for failure in answer.failures] == ["s1", "s2"], model
        assert np.isnan(answer.point[1:]).all() and np.isnan(answer.quantiles[1:]).all()
        assert np.isfinite(answer.quantiles[0]).all()
    assert answer.failures[0].reason == "too short: has 1 steps, needs 2"
    assert answer.failures[1].reason == "too few observed values: 0 in 3 steps"


def test_a_phase_that_was_never_observed_gets_the_last_value_and_a_note() -> None:
    """A shop that is closed every other day has forecasts of the days on which it is open; what is said of the others
    is never scored."""
    past = panel([1, NAN, 2, NAN, 4, NAN], [1, 9, 2, 9, 4, 9], season_length=2)
    answer = SeasonalNaive().fit(past, 4).predict(past)
    np.testing.assert_array_equal(answer.point, [[4, 4, 4, 4], [4, 9, 4, 9]])
    assert answer.notes == (("s0", NEVER),) and not answer.failures
    short = panel([1, NAN], season_length=2)  # the control: no season has passed, so nobody knows
    assert SeasonalNaive().fit(short, 2).predict(short).failures[0].reason == "too short: has 2 steps, needs 3"


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="season_length=0"):
        SeasonalNaive(season_length=0)
    with pytest.raises(ConfigError, match="ascending"):
        Naive(quantiles=(0.9, 0.5))
    with pytest.raises(ConfigError, match=r"0\.5 must be among"):
        Drift(quantiles=(0.1, 0.9))


@pytest.mark.parametrize("model", EVERY, ids=lambda m: m.name)
def test_nothing_after_the_cutoff_is_seen(model: Forecaster) -> None:
    values = np.cumsum(np.random.default_rng(1).normal(size=(3, 60)), axis=1)
    clean, poisoned = panel(*values, season_length=7), values.copy()
    poisoned[:, 40:] = 1e30
    dirty = panel(*poisoned, season_length=7)
    ends = clean.starts + 40
    one, two = (
        model.fit(p.cut(ends), 5).predict([View(p.cut(ends), p.cut(ends).future(5))])[0] for p in (clean, dirty)
    )
    assert one.point.tobytes() == two.point.tobytes() and one.quantiles.tobytes() == two.quantiles.tobytes()
    whole = model.fit(dirty, 5).predict([View(dirty, dirty.future(5))])[0]
    assert (whole.point != one.point).all()  # the poison would have been seen


@pytest.mark.parametrize("model", EVERY, ids=lambda m: m.name)
def test_a_forecast_depends_on_its_own_series_and_origin_alone(model: Forecaster) -> None:
    values = np.cumsum(np.random.default_rng(2).normal(size=(4, 50)), axis=1)
    past = panel(*values, season_length=7)
    pasts = [past.cut(past.starts + n) for n in (30, 40, 50)]
    together = model.fit(pasts[0], 9).predict([View(p, p.future(9)) for p in pasts])
    for p, answer in zip(pasts, together, strict=True):
        for i in range(4):
            alone = model.fit(p.take([i]), 9).predict([View(p.take([i]), p.take([i]).future(9))])[0]
            assert alone.point.tobytes() == answer.point[i : i + 1].tobytes()
            assert alone.quantiles.tobytes() == answer.quantiles[i : i + 1].tobytes()


@given(arrays(np.float64, 12, elements=st.floats(-1e3, 1e3).map(lambda v: round(v, 2))), st.sampled_from([1e-9, 1e9]))
def test_forecasts_scale_and_shift_with_the_series(values: np.ndarray, factor: float) -> None:
    past = panel(values, season_length=4)
    moved = replace(past, values=factor * (values + 5))
    assume(not has_floor([past, moved]).any())  # a shift takes what comes to zero away from it
    for model in EVERY:
        one, two = (model.fit(p, 6).predict(p) for p in (past, moved))
        size = factor * (1 + np.abs(one.quantiles).max())
        np.testing.assert_allclose(two.quantiles, factor * (one.quantiles + 5), rtol=1e-9, atol=1e-5 * size)


def test_intervals_of_random_walks_cover_what_they_say() -> None:
    """4,000 walks of 300 steps with drift 0 (naive) or 0.5 (drift): the share inside 80 % at each of 10 steps."""
    steps = np.random.default_rng(4).normal(size=(4000, 310))
    for model, slope in ((Naive(), 0.0), (Drift(), 0.5)):
        walks = np.cumsum(steps + slope, axis=1)
        past = panel(*walks[:, :300])
        answer = model.fit(past, 10).predict(past)
        inside = (quantile(answer, 0.1) <= walks[:, 300:]) & (walks[:, 300:] <= quantile(answer, 0.9))
        np.testing.assert_allclose(inside.mean(axis=0), 0.8, atol=0.025)  # four standard errors
