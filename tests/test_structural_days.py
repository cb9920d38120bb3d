"""Structural models of hours: with a day, a week and what passes; where they are asked, and what they are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import check_blind, panel
from torch import Tensor

from tsforecast.contract import Forecast, Forecaster
from tsforecast.frequency import DAY, Frequency
from tsforecast.models.combination import LESS, Combination
from tsforecast.models.components import UNKNOWN, Structural, candidates_of_days
from tsforecast.models.encoding import Encoding
from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM
from tsforecast.models.structural import StructuralMean
from tsforecast.models.training import Training
from tsforecast.panel import Panel, View
from tsforecast.transforms import Standard
from tsforecast.windows import Windows, contexts

HOURLY = Frequency("fixed", DAY // 24)
HORIZON = 24
SMALL = Structural(4, level=0.3, turning=0.1, week=12, weekly=0.2, passing=3.0, fading=0.8)


def hours(seed: int, days: int = 40) -> np.ndarray:
    """A day, a week, and what passes within some hours."""
    rng = np.random.default_rng(seed)
    t, passing = np.arange(24 * days), np.zeros(24 * days)
    for i, noise in enumerate(rng.normal(size=len(t))):
        passing[i] = 0.95 * passing[i - 1] + noise if i else noise
    day, week = rng.normal(scale=3, size=24), rng.normal(scale=3, size=168)
    return 50 + day[t % 24] + week[t % 168] + passing + rng.normal(scale=0.5, size=len(t))


def filtered(x: np.ndarray, model: Structural, horizon: int) -> np.ndarray:
    """The next steps by a Kalman filter, step by step. States: level, what passes, each phase of season and week."""
    m, w = model.season, model.week
    states = 2 + m + (w if model.weekly is not None else 0)
    move, mean = np.eye(states), np.zeros(states)
    move[1, 1] = model.fading
    cov = np.diag([UNKNOWN, model.passing, *[UNKNOWN] * (states - 2)])
    found = []
    for t in range(len(x) + horizon):
        if t:
            mean, cov = move @ mean, move @ cov @ move.T
            cov[0, 0] += model.level
            cov[1, 1] += model.passing * (1 - model.fading**2)
        seen = np.zeros(states)
        seen[[0, 1, 2 + t % m]] = 1
        if t >= m:
            cov[2 + t % m, 2 + t % m] += model.turning
        if model.weekly is not None:
            seen[2 + m + t % w] = 1
            if t >= w:
                cov[2 + m + t % w, 2 + m + t % w] += model.weekly
        if t >= len(x):
            found.append(seen @ mean)
            continue
        gain = cov @ seen / (seen @ cov @ seen + 1)
        mean, cov = mean + gain * (x[t] - seen @ mean), cov - np.outer(gain, seen @ cov)
    return np.array(found)


@pytest.mark.parametrize("model", [SMALL, replace(SMALL, weekly=None)], ids=["week", "none"])
def test_one_model_forecasts_as_the_filter_of_it_does(model: Structural) -> None:
    x = np.random.default_rng(0).normal(size=(2, 60)).cumsum(axis=1)
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    expected = [filtered(series, model, 9) for series in x]

    def forecast(model: Structural) -> Tensor:
        return StructuralMean(4, 60, 9, (model,), torch.ones(1, dtype=torch.float64)).forecast(torch.from_numpy(x))

    np.testing.assert_allclose(forecast(model), expected, atol=1e-7)
    wrong = forecast(replace(model, passing=6.0)).numpy()
    assert np.abs(wrong - expected).max() > 1e-3  # the control


def test_models_with_a_week_are_asked_as_late_as_those_without() -> None:
    """So that each is judged by the same steps."""
    assert SMALL.first == replace(SMALL, weekly=None).first == 13 and SMALL.fewest == 24
    assert Structural(4).first == 5 and Structural(1).first == 2


def test_a_week_is_looked_for_where_windows_show_three() -> None:
    assert len(candidates_of_days(24, 504)) == 24 and len(candidates_of_days(24, 503)) == 12
    assert {model.week for model in candidates_of_days(24, 504)} == {168}
    assert {model.week for model in candidates_of_days(24, 503)} == {1}
    hourly, quarters = (max(model.fading for model in candidates_of_days(day, 400)) for day in (24, 96))
    assert quarters**4 == pytest.approx(hourly) and hourly == 0.97  # left an hour later


@pytest.mark.parametrize(
    ("day", "days", "steps"), [(24, 60, 672), (24, 10, 240), (24, 3, 72), (48, 60, 672), (96, 20, 672), (144, 20, 672)]
)
def test_they_look_back_over_four_weeks_of_hours_and_no_further_than_series_reach(
    day: int, days: int, steps: int
) -> None:
    data = panel(np.random.default_rng(0).normal(size=day * days), season_length=day)
    found = Combination.of(data, Windows.of(data, day, 12), Encoding.of(data, Standard(), day))
    assert found is not None and found.daily and found.share == LESS
    assert found.structural.steps == steps and found.preceding == steps - day


def test_they_are_not_asked_of_two_days_nor_of_minutes_nor_far_ahead() -> None:
    for day, length, horizon in ((24, 48, 12), (288, 3_000, 12), (24, 3_000, 337)):
        data = panel(np.random.default_rng(0).normal(size=length), season_length=day)
        assert Combination.of(data, Windows.of(data, 24, horizon), Encoding.of(data, Standard(), day)) is None


def answer(recipe: Forecaster, data: Panel) -> Forecast:
    return recipe.fit(data, HORIZON).predict([View(data, data.future(HORIZON))])[0]


def combined(found: Forecast) -> bool:
    return any("structural" in note for _, note in found.notes)


def test_hours_of_one_series_are_forecast_closer_with_them() -> None:
    """4 series of 26 days, each of the next 14 forecast; mean absolute error of the map with them and without."""

    def error(structural: bool) -> float:
        misses = []
        for seed in range(4):
            whole = panel(hours(seed), season_length=24, freq=HOURLY)
            pasts = [whole.cut(np.array([24 * day])) for day in range(26, 40)]
            found = (
                Ridge(structural=structural).fit(pasts[0], HORIZON).predict([View(p, p.future(HORIZON)) for p in pasts])
            )
            assert combined(found[0]) == structural
            truth = whole.values[24 * 26 :].reshape(14, 1, HORIZON)
            misses.append(np.abs(np.stack([each.point for each in found]) - truth).mean())
        return float(np.mean(misses))

    assert error(True) < 0.97 * error(False), (error(True), error(False))


def test_an_answer_that_is_closer_alone_stays_alone() -> None:
    """Two cycles that are no day: a linear map has them exactly, models of days do not. Nor where nothing is held
    out, which would tell."""
    t = np.arange(24 * 40)
    waves = np.sin(2 * np.pi * t / 17) + np.sin(2 * np.pi * t / 31)
    assert not combined(answer(Ridge(), panel(waves, season_length=24, freq=HOURLY)))
    assert combined(answer(Ridge(), panel(hours(0), season_length=24, freq=HOURLY)))  # the control
    everything = LSTM(n_seeds=1, training=Training(max_steps=5, val_share=0.0, device="cpu"))
    assert not combined(answer(everything, panel(hours(0), season_length=24, freq=HOURLY)))


@pytest.mark.parametrize("recipe", [Ridge(), LSTM(n_seeds=1)], ids=lambda recipe: str(recipe.name))
@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_nothing_after_the_cutoff_is_looked_at(recipe: Forecaster, poison: float) -> None:
    whole = panel(hours(0, 32), season_length=24, freq=HOURLY)

    def forecast(data: Panel, ends: np.ndarray) -> np.ndarray:
        found = answer(recipe, data.cut(ends))
        assert combined(found)
        return np.concatenate([found.point[:, :, None], found.quantiles], axis=2)

    check_blind(forecast, whole, whole.starts + 24 * 31, poison)


def test_what_precedes_a_context_is_looked_at_and_nothing_before_a_series() -> None:
    data = panel(np.arange(10.0), np.arange(100.0, 120.0))
    windows = replace(Windows.of(data, 3, 2), preceding=4)
    batch = windows.gather(torch.tensor([8, 14, 20]), torch.tensor([0, 10, 10]))
    nan = np.nan
    expected = [[1.0, 2.0, 3.0, 4.0], [nan, nan, nan, 100.0], [103.0, 104.0, 105.0, 106.0]]
    np.testing.assert_array_equal(batch.preceding[:, :, 0], expected)
    asked = contexts([View(data, data.future(2))], 3, preceding=4)
    np.testing.assert_array_equal(asked.preceding[:, :, 0], [[3.0, 4.0, 5.0, 6.0], [113.0, 114.0, 115.0, 116.0]])
    assert contexts([View(data, data.future(2))], 3).preceding.shape == (2, 0, 1)


def test_a_window_of_hours_has_the_same_bits_wherever_it_stands_in_a_batch() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(256, 600)).cumsum(axis=1))
    x[::5, :200] = torch.nan
    mean = StructuralMean.of(x[:50], 24, 30, daily=True)
    found, order = mean.forecast(x), torch.from_numpy(rng.permutation(256))
    assert len(mean.models) <= 8
    assert torch.equal(mean.forecast(x[order]), found[order])
    assert torch.equal(mean.forecast(x[3:4].expand(256, -1)), found[3:4].expand(256, -1))
    assert not torch.equal(found[order], found)  # the control: windows differ
