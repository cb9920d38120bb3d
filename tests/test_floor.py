"""What comes down to zero often, and never further, is not forecast below it; whatever may go below is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from cases import LED, RECIPES, folds, panel

from tsforecast.contract import FLOOR, FittedModel, Forecast
from tsforecast.floor import LEAST, NEAR, SHARE, has_floor
from tsforecast.models.arima import ARIMA
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Naive
from tsforecast.models.recurrent import LSTM
from tsforecast.panel import Panel

WEEK = np.sin(2 * np.pi * np.arange(400) / 7)
NIGHTS = np.maximum(WEEK, 0) * np.random.default_rng(1).uniform(2, 6, 400)  # as the power of the sun
COUNTS = np.random.default_rng(2).poisson(0.6, 400).astype(float)
DEGREES = NIGHTS - 0.5  # the same shape, and below zero as often as above


def several() -> Panel:
    return panel(NIGHTS, COUNTS, DEGREES, season_length=7)


def lows(forecast: Forecast) -> list[float]:
    """The smallest number forecast of each series."""
    return forecast.quantiles.min(axis=(1, 2)).tolist()


@pytest.mark.parametrize(
    ("values", "floor"),
    [
        (COUNTS, True),
        (NIGHTS, True),
        (DEGREES, False),
        (COUNTS + 1, False),
        (np.where(np.arange(400) < 3, 0.0, 5.0 + WEEK), True),  # three zeros in 400
        (np.where(np.arange(400) < 2, 0.0, 5.0 + WEEK), False),  # two may be rounding
        (np.where(np.arange(900) < 4, 0.0, 5.0), False),  # one in 225 is not often
        (np.append(-1.0, np.tile(COUNTS, 3)), False),  # below zero once, long ago
        (np.where(np.arange(400) % 2, np.nan, COUNTS), True),
        (np.full(400, np.nan), False),
    ],
)
def test_zero_is_a_floor_where_it_was_seen_often_and_nothing_below_it(values: np.ndarray, floor: bool) -> None:
    assert (LEAST, SHARE) == (3, 0.005) and NEAR < 1_201
    assert has_floor([panel(values)]).tolist() == [floor]
    assert has_floor([panel(DEGREES, values, COUNTS)]).tolist() == [False, floor, True]


def test_many_cuts_at_once_say_what_each_says_alone() -> None:
    late = np.concatenate([COUNTS[:200], DEGREES[200:]])  # below zero after its first half
    whole = panel(NIGHTS, late, DEGREES, COUNTS)
    cuts = [whole.cut(whole.starts + steps) for steps in range(1, 400, 7)]
    alone = [has_floor([cut]) for cut in cuts]
    assert has_floor(cuts).tolist() == np.concatenate(alone).tolist()
    assert [found[1] for found in alone] == [(late[: 1 + 7 * i] == 0).sum() >= 3 and i < 29 for i in range(len(cuts))]


@pytest.mark.parametrize("name", ["naive", "seasonal_naive", "drift", "naive2", "ridge", "arima", "lstm", "gru"])
def test_no_model_forecasts_below_the_floor_and_every_one_does_where_there_is_none(name: str) -> None:
    recipe = ARIMA(order=(1, 0, 0)) if name == "arima" else RECIPES[name](0)
    past = several()
    found = recipe.fit(past, 7).predict(past)
    nights, counts, degrees = lows(found)
    assert nights >= 0 and counts >= 0 and degrees < 0
    assert found.point[:2].min() >= 0
    assert (np.diff(found.quantiles, axis=2) >= 0).all()
    told = {key for key, note in found.notes if note == FLOOR}
    assert told <= {"s0", "s1"}


@pytest.mark.parametrize("recipe", [Naive(), Ridge(input_size=14), LSTM(**{**LED, "n_seeds": 2})])
def test_a_floor_changes_nothing_above_zero_and_is_said_where_it_was_needed(
    recipe: Naive | Ridge | LSTM, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = several()
    fitted = recipe.fit(past, 7)
    found = fitted.predict(past)
    monkeypatch.setattr("tsforecast.contract.has_floor", lambda pasts: np.zeros(sum(map(len, pasts)), dtype=bool))
    without = fitted.predict(past)
    assert min(lows(without)[:2]) < 0  # the control: there was something to lift
    if recipe.name == "lstm":  # each network has the floor, and then their mean is taken
        assert found.members is not None and found.members[:, :2].min() >= 0
        assert (found.quantiles >= without.quantiles).all()
    else:
        lifted = np.where(np.array([1, 1, 0], dtype=bool)[:, None, None], np.maximum(without.quantiles, 0), -np.inf)
        assert np.array_equal(found.quantiles, np.maximum(without.quantiles, lifted))
    assert np.array_equal(found.quantiles[2], without.quantiles[2])
    below = {key for key, low in zip(past.ids, lows(without), strict=True) if low < 0} - {"s2"}
    assert {key for key, note in found.notes if note == FLOOR} == below
    assert FLOOR not in [note for _, note in without.notes]


@pytest.mark.parametrize("poison", [np.nan, 1e9, -1e9, 0.0])
@pytest.mark.parametrize("recipe", [Naive(), Ridge(input_size=14)])
def test_a_floor_is_found_in_the_past_alone(recipe: Naive | Ridge, poison: float) -> None:
    def forecast(change: Callable[[np.ndarray], np.ndarray]) -> Forecast:
        values = change(COUNTS.copy())
        whole = panel(values, values, season_length=7)
        past = whole.cut(whole.ends - 7)  # what follows of the first is still within its reach
        fitted: FittedModel = recipe.fit(past, 7)
        return fitted.predict(past)

    def ahead(values: np.ndarray) -> np.ndarray:
        values[-7:] = poison
        return values

    def behind(values: np.ndarray) -> np.ndarray:
        values[0] = -1.0
        return values

    clean = forecast(lambda values: values)
    assert lows(clean)[0] == 0
    assert np.array_equal(clean.quantiles, forecast(ahead).quantiles)
    assert lows(forecast(behind))[0] < 0  # the control: what lies before the cutoff is looked at


def test_points_are_closer_and_intervals_narrower_with_as_many_values_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    (fold, *others) = folds(several(), horizon=7, n_windows=12, step_size=7)
    fitted = Ridge(input_size=14).fit(fold.training, 7)
    views, truth = [one.view for one in (fold, *others)], np.stack([one.truth()[0] for one in (fold, *others)])

    def judged() -> tuple[float, float, float]:
        found = fitted.predict(views)
        points, quantiles = (np.stack([getattr(f, name)[:2] for f in found]) for name in ("point", "quantiles"))
        low, high = quantiles[..., 0], quantiles[..., -1]
        y = truth[:, :2]
        return float(np.abs(y - points).mean()), float((high - low).mean()), float(((low <= y) & (y <= high)).mean())

    error, width, inside = judged()
    monkeypatch.setattr("tsforecast.contract.has_floor", lambda pasts: np.zeros(sum(map(len, pasts)), dtype=bool))
    was = judged()
    assert error < was[0] and width < 0.95 * was[1] and inside == was[2]


def test_only_the_rows_that_are_named_are_lifted_and_what_is_unknown_stays_unknown() -> None:
    past = panel(COUNTS, COUNTS, [np.nan] * 400)
    found = Naive().fit(past, 2).predict(past)
    lowered = replace(found, point=found.point - 5, notes=())
    lifted = lowered.none_below_zero(np.array([True, False, True]))
    last = COUNTS[-1]
    assert lifted.point[:2].tolist() == [[0, 0], [last - 5, last - 5]] and np.isnan(lifted.point[2]).all()
    assert lifted.failures == found.failures != () and lifted.notes == (("s0", FLOOR), ("s2", FLOOR))
