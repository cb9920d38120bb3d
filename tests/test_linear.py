"""The ridge against numpy on explicit windows, its limits, and effects planted in covariates."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import HORIZON, folds, panel, sensors

from tsforecast.contract import QUANTILES
from tsforecast.errors import ConfigError, DataError
from tsforecast.models import least_squares
from tsforecast.models.least_squares import _before_a_hill, _spread
from tsforecast.models.linear import Ridge, _products
from tsforecast.models.naive import Naive, SeasonalNaive
from tsforecast.panel import Panel, View


def rounded(x: np.ndarray) -> np.ndarray:
    """Numbers that are the same in float32, in which windows are shown to models."""
    return np.round(x * 64) / 64


def apart(errors: Any, levels: Any) -> np.ndarray:
    """How far from a point its quantiles lie `[H, Q]`: those of errors around their mean, none on its far side."""
    mean, levels = np.clip(errors, *np.quantile(errors, (0.02, 0.98), axis=0)).mean(axis=0), np.array(levels)
    away = (np.quantile(errors, levels, axis=0) - mean).T
    return np.where(levels < 0.5, np.minimum(away, 0), np.where(levels > 0.5, np.maximum(away, 0), 0))


@pytest.mark.parametrize(("slope", "drift"), [(0.0, False), (0.5, True)])
def test_it_is_the_solution_of_the_penalised_normal_equations(slope: float, drift: bool) -> None:
    """One series, identity scaling, one penalty; 200 steps, context 6, horizon 3, the last 40 steps validate. Only what
    has drifted has a constant among its features."""
    time = np.arange(200)
    values = rounded(np.sin(time / 3) + np.random.default_rng(0).normal(size=200) / 4 + slope * time)
    size, horizon, penalty, one = 6, 3, 2.5, [1.0] if drift else []
    origins = np.arange(size, 200 - horizon + 1)
    last = values[origins - 1, None]
    x = np.array([np.append(values[o - size : o], one) for o in origins])
    y = np.array([values[o : o + horizon] for o in origins]) - last
    early, late = origins <= 160 - horizon, origins >= 160  # no target on both sides of 160

    def solved(rows: np.ndarray) -> np.ndarray:
        return np.linalg.solve(x[rows].T @ x[rows] + penalty * np.eye(x.shape[1]), x[rows].T @ y[rows])

    past = panel(values)
    recipe = Ridge(input_size=size, penalties=(penalty,), scaling="identity", structural=False)
    answer = recipe.fit(past, horizon).predict(past)
    point = values[-1] + np.append(values[-size:], one) @ solved(origins > 0)
    np.testing.assert_allclose(answer.point[0], point, rtol=1e-9)
    errors = y[late] - x[late] @ solved(early)  # of a map that has not seen them
    np.testing.assert_allclose(answer.quantiles[0], point[:, None] + apart(errors, QUANTILES), rtol=1e-6)


@pytest.mark.parametrize(("season", "naive"), [(1, Naive()), (7, SeasonalNaive())])
def test_a_huge_penalty_means_the_naive_forecast_that_was_closer(season: int, naive: Any) -> None:
    past = replace(sensors(), season_length=season)
    answer = Ridge(input_size=14, penalties=(1e18,), earlier=False, structural=False).fit(past, HORIZON).predict(past)
    np.testing.assert_allclose(answer.point, naive.fit(past, HORIZON).predict(past).point, rtol=1e-6)


def test_the_penalty_is_chosen_by_later_windows() -> None:
    rng = np.random.default_rng(1)
    wave, walk = np.sin(np.arange(300) / 5), np.cumsum(rng.normal(size=300))
    for values, chosen in ((wave, 1e-3), (walk, 1e12)):
        past = panel(values)
        free, fixed = (Ridge(input_size=40, penalties=p).fit(past, 5).predict(past) for p in ((1e-3, 1e12), (chosen,)))
        np.testing.assert_array_equal(free.point, fixed.point)


@pytest.mark.parametrize(("horizon", "chosen"), [(10, 10.0), (20, 30.0)])
def test_where_few_horizons_are_held_out_a_plainer_map_is_as_good(horizon: int, chosen: float) -> None:
    """80 steps are held out: eight horizons of 10, where penalties of 10 and 30 are .4 and 1.4 % from the closest, and
    four of 20, where they are .7 and 1.7 % from it. 100 is 6 % away in both."""
    past = panel(np.sin(np.arange(400) / 5) + np.random.default_rng(0).normal(size=400) / 2)

    def point(*penalties: float) -> list[float]:
        return Ridge(input_size=40, penalties=penalties).fit(past, horizon).predict(past).point.tolist()[0]

    free = point(1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
    assert [penalty for penalty in (3.0, 10.0, 30.0, 100.0) if point(penalty) == free] == [chosen]


HIERARCHY = [0.613, 0.612, 0.606, 0.618, 0.693, 0.802, 0.576]
"""Held-out errors of eight daily series that add up, 100 days of them, from the strongest penalty to the weakest."""


@pytest.mark.parametrize(
    ("errors", "left"),
    [
        (HIERARCHY, 4),  # .693 is 14 % above .606; what comes after it had 3.1 times the error of .606 on later days
        (HIERARCHY[:4], 4),  # .618 is 2 % above: a ripple
        ([0.9, 0.8, 0.4, 0.1, 0.02], 5),  # what has no noise is forecast the better, the weaker the penalty
        ([0.9, 0.91, 0.5], 3),
        ([0.9, 0.95, 0.5], 1),
    ],
)
def test_no_penalty_is_weaker_than_one_with_which_the_error_has_risen(errors: list[float], left: int) -> None:
    seen = _before_a_hill(torch.tensor([errors, [1.0] * len(errors)], dtype=torch.float64))
    assert seen[0].isfinite().tolist() == [i < left for i in range(len(errors))]
    assert seen[0, :left].tolist() == errors[:left] and seen[1].tolist() == [1.0] * len(errors)


def test_a_map_beyond_a_hill_is_not_taken(monkeypatch) -> None:
    """Five series that share two waves, and three sums of them: 65 days, of which a context is 35."""
    rng, days, known = np.random.default_rng(73), np.arange(100), 65
    waves = np.zeros((2, 100))
    for day in days[1:]:
        waves[:, day] = 0.7 * waves[:, day - 1] + rng.normal(0, 1, 2)
    waves += 2 * np.sin(2 * np.pi * (days / 7 + rng.uniform(0, 6, (2, 1)) / (2 * np.pi)))
    own = 10 * rng.normal(0, 1, (5, 2)) @ waves + 100 + rng.normal(0, 0.6, (5, 1)) * days
    series = np.vstack([own, own[:2].sum(0), own[2:].sum(0), own.sum(0)])
    past = panel(*series[:, :known], season_length=7)
    misses = []
    for hill in (math.inf, least_squares.HILL):
        monkeypatch.setattr(least_squares, "HILL", hill)
        (answer,) = Ridge(input_size=35, structural=False).fit(past, 7).predict([View(past, past.future(7))])
        misses.append(np.abs(answer.point - series[:, known : known + 7]).mean())
    week_before = np.abs(series[:, known - 7 : known] - series[:, known : known + 7]).mean()
    assert misses[0] > 1.3 * week_before  # the control: whatever has the smallest held-out error
    assert misses[1] < 0.9 * week_before


def test_a_linear_recurrence_is_forecast_exactly() -> None:
    """A sine follows y_t = 2 cos(w) y_{t-1} - y_{t-2}: a linear map of the context knows the whole horizon."""
    wave = 10 + np.sin(np.arange(412) / 5)
    past = panel(wave[:400])
    answer = Ridge(input_size=30, penalties=(1e-6,)).fit(past, 12).predict(past)
    np.testing.assert_allclose(answer.point[0], wave[400:], atol=0.01)


def test_what_is_missing_is_told_only_where_contexts_begin_before_the_data() -> None:
    whole = sensors((90, 90))
    values = whole.values.copy()
    values[40] = np.nan
    recipe = Ridge(input_size=14, earlier=False)
    for past in (whole, replace(whole, values=values)):
        assert recipe.fit(past, HORIZON).map.weights.shape == (14 + 1, HORIZON)
    assert recipe.fit(sensors((90, 17)), HORIZON).map.weights.shape == (2 * 14 + 1, HORIZON)
    assert Ridge(input_size=14).fit(whole, HORIZON).map.weights.shape == (14 + HORIZON + 1, HORIZON)  # and a smoothing


def test_scaling_by_name_and_quantiles_stay_in_order_and_positive_under_a_logarithm() -> None:
    past = sensors()
    answer = Ridge(input_size=14, scaling="log+standard").fit(past, HORIZON).predict(past)
    assert (answer.quantiles > 0).all() and (np.diff(answer.quantiles, axis=2) >= 0).all()
    with pytest.raises(DataError, match="logarithm needs values above 0"):
        Ridge(input_size=14, scaling="log").fit(replace(past, values=past.values - 25), HORIZON)


def planted(n: int = 300, seed: int = 0) -> tuple[Panel, Panel]:
    """Two series that are 10 plus twice a random covariate and a little noise: with the covariate known ahead, and
    without."""
    rng = np.random.default_rng(seed)
    price = rng.normal(size=2 * n)
    values = 10 + 2 * price + 0.1 * rng.normal(size=2 * n)
    with_price = panel(values[:n], values[n:], futr=price)
    return with_price, replace(with_price, futr=price[:, None][:, :0], futr_names=())


def mae(recipe: Any, whole: Panel) -> float:
    """Mean absolute error over four folds."""
    found = folds(whole, horizon=HORIZON, n_windows=4)
    answers = recipe.fit(found[0].training, HORIZON).predict([fold.view for fold in found])
    return float(np.mean([np.abs(a.point - f.truth()[0]).mean() for a, f in zip(answers, found, strict=True)]))


def test_an_effect_that_is_known_ahead_is_used() -> None:
    with_price, without = planted()
    recipe = Ridge(input_size=30)
    assert mae(recipe, without) > 1.2  # nothing but the noise of the covariate is left to guess
    assert mae(recipe, with_price) < 0.5


def test_past_only_covariates_are_used() -> None:
    """The series is what the covariate was one step before: only the first step can be known."""
    rng = np.random.default_rng(2)
    leading = rng.normal(size=400)
    past = panel(np.append(0.0, leading[:-1]), hist=leading)
    errors = [np.abs(a.point[0] - f.truth()[0][0]) for f in folds(past, horizon=3, n_windows=20)
              for a in [Ridge(input_size=8).fit(f.training, 3).predict(f.past)]]  # fmt: skip
    assert np.mean(errors, axis=0)[0] < 0.25 and np.mean(errors, axis=0)[1] > 0.5


def test_a_product_by_rows_does_not_depend_on_the_other_rows() -> None:
    torch.manual_seed(0)
    x, w = torch.randn(300, 64, dtype=torch.float64), torch.randn(64, 5, dtype=torch.float64)
    whole = _products(x, w)
    np.testing.assert_allclose(whole, x @ w, rtol=1e-10, atol=1e-12)
    assert all(torch.equal(_products(x[i : i + 1], w)[0], whole[i]) for i in range(300))


def test_too_short_a_panel_is_refused_with_the_steps_it_needs() -> None:
    with pytest.raises(DataError, match=r"context of 10 steps and a horizon of 5 need 15 steps.*'s1'\) has 14"):
        Ridge(input_size=40).fit(panel(np.arange(12.0), np.arange(14.0)), 5)
    assert Ridge(input_size=40).fit(panel(np.arange(15.0)), 5).predict(panel(np.arange(15.0))).failures == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"penalties": ()}, r"ridge\.penalties=\[\]"),
        ({"penalties": (0.0, 1.0)}, "give one or more positive numbers"),
        ({"input_size": 0}, r"ridge\.input_size=0: must be between 1 and 10000"),
        ({"val_share": 0.0}, r"ridge\.val_share=0\.0"),
        ({"scaling": "standart"}, "did you mean 'standard'"),
        ({"quantiles": (0.9, 0.5)}, "ascending"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Ridge(**settings)


def test_with_few_validation_windows_every_fifth_of_the_time_gives_errors_under_the_map_of_what_is_apart_from_it() -> (
    None
):
    rng = np.random.default_rng(3)
    short = panel(rng.normal(size=60), season_length=1)
    fitted = Ridge(input_size=6, penalties=(10.0,), earlier=False).fit(short, 12)  # one validation window
    rows = np.lib.stride_tricks.sliding_window_view(short.values, 18)
    mean, std = rows[:, :6].mean(1, keepdims=True), rows[:, :6].std(1, keepdims=True)
    x = (rows[:, :6] - mean) / std  # without a constant: noise does not drift
    y = (rows[:, 6:] - rows[:, 5:6]) / std
    weight = 1 / np.maximum(np.abs(y).max(1, keepdims=True) / 5, 1)
    number, fifth = np.arange(len(rows)), np.arange(len(rows)) * 5 // len(rows)
    errors = []
    for out in range(
        len(rows)
    ):  # the oracle: solve without the window's fifth, and without what it shares targets with
        own = number[fifth == fifth[out]]
        keep = (number <= own[0] - 12) | (number >= own[-1] + 12)
        a, b = (x * weight)[keep], (y * weight)[keep]
        errors.append(y[out] - x[out] @ np.linalg.solve(a.T @ a + 10 * np.eye(6), a.T @ b))
    expected = apart(errors, fitted.recipe.quantiles)
    np.testing.assert_allclose(fitted.map.spread.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert (np.diff(fitted.map.spread.numpy(), axis=1) >= 0).all()


def test_the_intervals_of_what_is_mostly_zero_hold_the_zeros() -> None:
    rng = np.random.default_rng(0)
    sold = panel(*(rng.poisson(0.3, 400) * rng.integers(1, 5, 400) for _ in range(10)), season_length=7)
    inside = []
    for fold in folds(sold, horizon=7, n_windows=5):
        answer = Ridge(structural=False).fit(fold.training, 7).predict(fold.past)
        low, high = (answer.quantiles[:, :, QUANTILES.index(level)] for level in (0.1, 0.9))
        truth = fold.truth()[0]
        inside.append(((low <= truth) & (truth <= high)).mean())
    assert 0.75 < np.mean(inside) < 0.95, "around the median of the errors they held .26"


def test_a_few_bursts_do_not_move_the_intervals() -> None:
    errors = torch.randn(2_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    burst = torch.cat([errors[:-20], torch.full((20, 1), 1e6, dtype=torch.float64)])
    calm, moved = (_spread(e, (0.1, 0.5, 0.9)) for e in (errors, burst))
    assert (calm[:, 1] == 0).all() and (moved - calm).abs().max() < 0.1
    assert float(burst.mean()) == pytest.approx(1e4, rel=0.01), "control: their plain mean does move"
