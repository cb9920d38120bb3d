"""Structural models: the forecasts of a filter, and which of them has how much to say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from statsmodels.tsa.statespace.structural import UnobservedComponents
from torch import Tensor

from tsforecast.models import structural
from tsforecast.models.components import FIRST, UNKNOWN, Structural, candidates
from tsforecast.models.structural import StructuralMean

QUARTERS = np.array([4.0, -1.0, 2.0, -5.0])
MODELS = [
    Structural(1, level=0.3),
    Structural(1, level=3.0, slope=0.03, damping=1.0),
    Structural(4, level=0.1, slope=0.3, damping=0.8, turning=0.1),
    Structural(7, level=0.01, slope=0.0, damping=1.0, turning=0.0),
]


def rows(*series: object) -> Tensor:
    return torch.tensor(np.array(series, dtype=np.float64))


def mean_of(*models: Structural, steps: int = 40, horizon: int = 8) -> StructuralMean:
    """Each with as much to say before a series was seen."""
    prior = torch.full((len(models),), 1 / len(models), dtype=torch.float64)
    return StructuralMean(max(one.season for one in models), steps, horizon, models, prior)


def filtered(x: np.ndarray, model: Structural, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """A Kalman filter, step by step: its forecasts of the next steps; and the errors of each step and their deviation.

    States are the level, the trend and what each phase adds.
    """
    m = model.season
    states = 2 + (m if m > 1 else 0)
    move = np.eye(states)
    move[0, 1], move[1, 1] = model.damping, model.damping
    mean = np.zeros(states)
    cov = np.diag([UNKNOWN, FIRST * model.level, *[UNKNOWN] * (states - 2)])
    found, errors = [], []
    for t in range(len(x) + horizon):
        if t:
            mean, cov = move @ mean, move @ cov @ move.T
            cov[0, 0] += model.level
            cov[1, 1] += model.level * model.slope
        seen = np.zeros(states)
        seen[0] = 1
        if m > 1:
            seen[2 + t % m] = 1
            if t >= m:
                cov[2 + t % m, 2 + t % m] += model.turning
        if t >= len(x):
            found.append(seen @ mean)
            continue
        size = seen @ cov @ seen + 1
        errors.append((x[t] - seen @ mean, np.sqrt(size)))
        gain = cov @ seen / size
        mean, cov = mean + gain * (x[t] - seen @ mean), cov - np.outer(gain, seen @ cov)
    return np.array(found), np.array(errors)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_one_model_forecasts_as_the_filter_of_it_does_whatever_was_seen(model: Structural) -> None:
    x = np.random.default_rng(0).normal(size=(3, 41)).cumsum(axis=1)
    x[1, :9], x[2, :20] = np.nan, np.nan  # windows that begin before the data
    expected = []
    for series in x:
        own = series[~np.isnan(series)]
        level, scale = own.mean(), own.std()  # a filter that begins at zero knows as little of the level
        expected.append(filtered((own - level) / scale, model, 9)[0] * scale + level)
    found = mean_of(model, steps=41, horizon=9).forecast(rows(*x))
    np.testing.assert_allclose(found, expected, atol=1e-7)
    wrong = replace(model, level=model.level * 2)
    assert np.abs(mean_of(wrong, steps=41, horizon=9).forecast(rows(*x)).numpy() - expected).max() > 1e-3


def test_a_level_with_a_trend_is_that_of_statsmodels() -> None:
    x = np.random.default_rng(1).normal(size=60).cumsum()
    x = (x - x.mean()) / x.std()
    theirs = UnobservedComponents(x, "local linear trend")
    theirs.ssm.initialize_known(np.zeros(2), np.diag([UNKNOWN, FIRST * 0.3]))
    expected = theirs.smooth([1.0, 0.3, 0.3 * 0.03]).forecast(6)
    found = mean_of(Structural(1, level=0.3, slope=0.03, damping=1.0), steps=60, horizon=6).forecast(rows(x))
    np.testing.assert_allclose(found[0], expected, atol=1e-7)


def test_each_has_a_say_by_its_errors_of_one_step_and_over_the_horizon() -> None:
    """Written out for one window with a filter that is run anew from each origin."""
    x = np.random.default_rng(2).normal(size=30).cumsum() + 0.15 * QUARTERS[np.arange(30) % 4]
    y, models, horizon = (x - x.mean()) / x.std(), (MODELS[0], MODELS[2]), 5
    says, ahead = [], []
    for model in models:
        forecast, errors = filtered(y, model, horizon)
        first = model.season + 1 if model.season > 1 else 2
        error, size = errors[first:].T
        likelihood = -len(error) * np.log(np.abs(error / size).mean() + structural.EXACT) - np.log(size).sum()
        missed: list[float] = []
        for origin in range(2, 30, 2):  # 24 origins at most, of 30 steps
            if origin >= first:
                missed += list(np.abs(filtered(y[:origin], model, horizon)[0] - [*y, *[np.nan] * 5][origin:][:5]))
        says.append(0.5 * likelihood - 10 * np.log(np.nanmean(missed) + structural.EXACT))
        ahead.append(forecast * x.std() + x.mean())
    share = np.exp(np.array(says) - max(says))
    share /= share.sum()
    found = mean_of(*models, steps=30, horizon=horizon).forecast(rows(x))
    assert 0.001 < share[0] < 0.999
    np.testing.assert_allclose(found[0], share @ np.array(ahead), rtol=1e-6)
    assert np.abs(found[0].numpy() - np.mean(ahead, axis=0)).max() > 1e-3  # the control: each the same


def simulated(model: Structural, count: int, steps: int) -> np.ndarray:
    lower = torch.linalg.cholesky(model.covariance(steps)).numpy()
    return np.random.default_rng(3).normal(size=(count, steps)) @ lower.T


def test_the_models_that_windows_follow_are_found() -> None:
    """Of 40 windows of a model, forecasts are nearly as close as with that model, and closer than with all alike."""
    model = Structural(4, level=0.3, slope=0.03, damping=1.0, turning=0.01)
    x = simulated(model, 80, 48)
    found = StructuralMean.of(rows(*x[:40, :40]), 4, 8)
    assert 1 <= len(found.models) <= 24 and found.prior.sum() == pytest.approx(1)

    def error(one: StructuralMean) -> float:
        return float(np.abs(one.forecast(rows(*x[40:, :40])).numpy() - x[40:, 40:]).mean())

    known, whole = error(mean_of(model)), error(mean_of(*candidates(4)))
    assert known < 1.02 * error(found) and error(found) < 1.05 * known
    assert error(found) < error(mean_of(replace(model, season=1))) / 2  # the control: what has no season
    assert error(found) < 1.01 * whole


@pytest.mark.parametrize("length", [8, 13, 40])
def test_a_season_on_a_line_goes_on_whatever_of_it_was_seen(length: int) -> None:
    t = np.arange(length + 6)
    series = 50 + 0.5 * t + QUARTERS[t % 4]
    known = np.concatenate([np.full(40 - length, np.nan), series[:length]])  # it may begin before the data
    found = mean_of(*candidates(4), horizon=6).forecast(rows(known))
    np.testing.assert_allclose(found[0], series[length:], atol=1.5 if length == 8 else 0.3)
    flat = mean_of(Structural(4, level=3.0), horizon=6).forecast(rows(known))
    assert abs(float(flat[0, -1]) - series[-1]) > 1  # the control: no trend


def test_where_too_little_was_seen_there_is_none_and_gaps_are_filled() -> None:
    series = 50 + QUARTERS[np.arange(40) % 4]
    hidden = np.where(np.arange(40) < 33, np.nan, series)  # seven steps: not two seasons, but a level
    two = np.where(np.arange(40) < 38, np.nan, series)
    holes = np.where(np.isin(np.arange(40), [20, 21, 38]), np.nan, series)
    found = mean_of(*candidates(4), horizon=4).forecast(rows(series, hidden, two, holes, np.full(40, np.nan)))
    np.testing.assert_allclose(found[0], 50 + QUARTERS, atol=0.01)
    np.testing.assert_allclose(found[3], 50 + QUARTERS, atol=0.5)
    assert found[[2, 4]].isnan().all() and found[1].isfinite().all()
    assert mean_of(Structural(4)).forecast(rows(hidden)).isnan().all()  # the control: nothing that could


def test_a_shift_and_a_scale_of_a_window_go_through() -> None:
    x = np.random.default_rng(4).normal(size=(6, 40)).cumsum(axis=1)
    mean = mean_of(*candidates(4))
    np.testing.assert_allclose(mean.forecast(rows(*(1e6 + 1e3 * x))), 1e6 + 1e3 * mean.forecast(rows(*x)), atol=1e-3)
    still = mean.forecast(rows(np.full(40, 7.0)))
    np.testing.assert_allclose(still, 7.0)


@pytest.mark.parametrize(
    ("season", "steps", "horizon"), [(1, 21, 8), (1, 26, 13), (4, 45, 5), (7, 70, 7), (12, 90, 18)]
)
def test_a_window_has_the_same_bits_wherever_it_stands_in_a_batch(season: int, steps: int, horizon: int) -> None:
    rng = np.random.default_rng(steps)
    x = torch.from_numpy(rng.normal(size=(256, steps)).cumsum(axis=1))
    x[::5, : steps // 3] = torch.nan
    mean = StructuralMean.of(x[:100], season, horizon)
    found, order = mean.forecast(x), torch.from_numpy(rng.permutation(256))
    assert torch.equal(mean.forecast(x[order]), found[order])
    assert torch.equal(mean.forecast(x[3:4].expand(256, -1)), found[3:4].expand(256, -1))
    assert not torch.equal(found[order], found)  # the control: windows differ
