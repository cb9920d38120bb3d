"""Pasts of a few seasons: a naive forecast reaches beyond a short context, and no model gains by its first year."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import DAILY, check_blind, panel

from tsforecast.contract import Forecast, Forecaster
from tsforecast.frequency import DAY, Frequency
from tsforecast.models.components import candidates
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import SeasonalNaive
from tsforecast.models.recurrent import LSTM
from tsforecast.models.settle import context_size, has_daily_cycle
from tsforecast.models.structural import EARLY, _Common
from tsforecast.panel import Panel, View

HOURLY, WEEKLY = Frequency("fixed", DAY // 24), Frequency("fixed", 7 * DAY)
LEARNERS = [Ridge(), LSTM(n_seeds=1)]


def cycle(seed: int, season: int, steps: int, noise: float = 1.0) -> np.ndarray:
    """A pattern that comes again, and noise."""
    rng = np.random.default_rng(seed)
    return 50 + np.resize(rng.normal(scale=5, size=season), steps) + rng.normal(scale=noise, size=steps)


def answer(recipe: Forecaster, past: Panel, horizon: int) -> Forecast:
    [found] = recipe.fit(past, horizon).predict([View(past, past.future(horizon))])
    return found


def error(recipe: Forecaster, season: int, steps: int, horizon: int, freq: Frequency, seeds: int = 4) -> float:
    """Mean absolute error over several series, each learned and forecast alone."""
    misses = []
    for seed in range(seeds):
        y = cycle(seed, season, steps + horizon)
        past = panel(y[:steps], season_length=season, freq=freq)
        misses.append(np.abs(answer(recipe, past, horizon).point[0] - y[steps:]).mean())
    return float(np.mean(misses))


@pytest.mark.parametrize("recipe", LEARNERS, ids=lambda recipe: str(recipe.name))
def test_three_days_of_hours_are_enough_to_know_a_day(recipe: Forecaster) -> None:
    """The context is two steps, so that windows are left to learn from; the day before lies in front of it."""
    past = panel(cycle(0, 24, 72), season_length=24, freq=HOURLY)
    assert context_size(past, 24) == 2
    naive = error(SeasonalNaive(), 24, 72, 24, HOURLY)
    assert error(recipe, 24, 72, 24, HOURLY) < 1.02 * naive
    blind = Ridge().fit(past, 24)  # the control: without what precedes the context
    encoding = replace(blind.encoding, preceding=0)
    seen = replace(blind, encoding=encoding).predict(past).point[0]
    truth = cycle(0, 24, 96)[72:]
    assert np.abs(seen - truth).mean() > 2 * naive


@pytest.mark.parametrize("recipe", LEARNERS, ids=lambda recipe: str(recipe.name))
@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_nothing_after_the_cutoff_is_looked_at(recipe: Forecaster, poison: float) -> None:
    whole = panel(cycle(0, 24, 100), cycle(1, 24, 100), season_length=24, freq=HOURLY)

    def forecast(data: Panel, ends: np.ndarray) -> np.ndarray:
        found = answer(recipe, data.cut(ends), 24)
        return np.concatenate([found.point[:, :, None], found.quantiles], axis=2)

    check_blind(forecast, whole, whole.starts + 70, poison)


@pytest.mark.parametrize("years", [2.25, 3.0])
def test_a_few_years_of_weeks_keep_their_season(years: float) -> None:
    """Structural models are most of the answer here, and nothing is held out to judge them by."""
    steps = int(52 * years)
    assert error(Ridge(), 52, steps, 13, WEEKLY, seeds=6) < error(SeasonalNaive(), 52, steps, 13, WEEKLY, seeds=6)


def test_what_comes_before_all_models_can_speak_counts_as_twelve_steps() -> None:
    weeks, months = _Common.of(candidates(52)), _Common.of(candidates(12))
    assert (weeks.first, weeks.fewest, months.first) == (53, 104, 13)
    counts = weeks.counted(torch.tensor([[150], [100]]), 160)
    assert counts[0, :53].sum() == pytest.approx(53 * EARLY / 51) and counts[0, 53:].tolist() == [1.0] * 97 + [0.0] * 10
    assert counts[1].tolist() == [1.0] * 100 + [0.0] * 60, "with less than two years no model has a season"
    assert (months.counted(torch.tensor([[60]]), 60) == 1).all(), "a season of months is as it was"


@pytest.mark.parametrize(
    ("hours", "season", "daily", "context"),
    [(1, 24, True, 336), (2, 12, True, 168), (3, 8, True, 112), (6, 4, True, 56)],
)
def test_a_day_of_few_steps_is_a_day_by_the_clock(hours: int, season: int, daily: bool, context: int) -> None:
    past = panel(np.zeros(2_000), season_length=season, freq=Frequency("fixed", hours * DAY // 24))
    assert has_daily_cycle(past) == daily and context_size(past, season) == context
    assert not has_daily_cycle(panel(np.zeros(2_000), season_length=season + 1, freq=past.freq)) or hours == 1


@pytest.mark.parametrize(
    ("season", "freq"), [(7, DAILY), (52, WEEKLY), (4, DAILY), (1, HOURLY), (2, Frequency("fixed", DAY // 2))]
)
def test_a_week_a_year_and_half_days_are_no_day_of_hours(season: int, freq: Frequency) -> None:
    assert not has_daily_cycle(panel(np.zeros(500), season_length=season, freq=freq))


def test_steps_of_three_hours_know_a_week() -> None:
    """A day and a week: the same hour of the week before is the one to beat, and the day before knows nothing of it."""
    misses = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        t = np.arange(8 * 7 * 12)
        y = 50 + rng.normal(scale=3, size=8)[t % 8] + rng.normal(scale=5, size=56)[t % 56] + rng.normal(size=len(t))
        whole = panel(y, season_length=8, freq=Frequency("fixed", DAY // 8))
        pasts = [whole.cut(np.array([k])) for k in range(8 * 7 * 10, len(y) - 8, 8)]
        found = Ridge().fit(pasts[0], 8).predict([View(p, p.future(8)) for p in pasts])
        truth = np.stack([y[p.ends[0] :][:8] for p in pasts])
        week = np.stack([y[p.ends[0] - 56 :][:8] for p in pasts])
        misses.append([np.abs(np.stack([f.point[0] for f in found]) - truth).mean(), np.abs(week - truth).mean()])
    ridge, naive = np.mean(misses, axis=0)
    assert ridge < naive, (ridge, naive)


def test_where_something_is_known_ahead_no_model_without_it_is_believed_unjudged() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=120)
    y = 100 + 10 * x + rng.normal(size=120)
    with_x = Ridge().fit(panel(y, season_length=12, freq=DAILY, futr=x), 12)
    assert with_x.combined is None
    assert Ridge().fit(panel(y, season_length=12, freq=DAILY), 12).combined is not None  # the control
