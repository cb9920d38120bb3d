"""Nothing sees past the cutoff: poison the future, and every forecast must keep every bit.

Each check of a model is itself checked by models that cheat and must be caught.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
import pytest
from cases import HORIZON, RECIPES, folds, panel, panel_for, poisoned, sensors

from tsforecast.backtesting import run_backtest
from tsforecast.contract import QUANTILES, Forecast, Forecaster
from tsforecast.folds import Fold, Plan
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Naive
from tsforecast.panel import Future, Panel, View
from tsforecast.results import BacktestResult, quantile_columns

every_recipe = pytest.mark.parametrize("name", RECIPES)
NUMBERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a billion": lambda x: np.full_like(x, 1e9),
    "minus one": lambda x: np.full_like(x, -1.0),
    "noise": lambda x: np.random.default_rng(9).normal(5, 50, size=x.shape),
}
POISONS = {"missing": lambda x: np.full_like(x, np.nan), **NUMBERS}


def bits(forecast: Forecast) -> bytes:
    return forecast.point.tobytes() + forecast.quantiles.tobytes()


def forecast_of(recipe: Forecaster, fold: Fold) -> bytes:
    """Fit and forecast one fold, as the backtest does."""
    return bits(recipe.fit(fold.training, fold.plan.reach).predict([fold.view])[0])


@cache
def clean(name: str) -> bytes:
    """What a recipe forecasts of the middle fold of its own panel, where nothing is touched."""
    return forecast_of(RECIPES[name](0), middle(panel_for(name)))


def middle(whole: Panel) -> Fold:
    return folds(whole, horizon=HORIZON, n_windows=3)[1]


def seen_by(make: Callable[[Panel], Forecaster], whole: Panel, poisons: dict = POISONS) -> list[str]:
    """The poisons after the cutoff that change a forecast of the middle fold; `make` may look at the whole panel."""
    fold = middle(whole)
    untouched = forecast_of(make(whole), fold)
    found = []
    for name, poison in poisons.items():
        dirty = poisoned(whole, fold.ends, poison)
        assert not np.array_equal(dirty.values, whole.values, equal_nan=True)
        if forecast_of(make(dirty), replace(fold, panel=dirty)) != untouched:
            found.append(name)
    return found


@every_recipe
def test_no_model_sees_what_was_observed_after_the_cutoff(name: str) -> None:
    assert seen_by(lambda _: RECIPES[name](0), panel_for(name)) == []


@dataclass(frozen=True)
class Answer:
    """Some numbers `[N]`, repeated over the steps and quantiles."""

    numbers: Callable[[Panel], np.ndarray]
    horizon: int

    def predict(self, views: list[View]) -> list[Forecast]:
        found = []
        for past, future in views:
            point = np.repeat(self.numbers(past)[:, None], self.horizon, axis=1)
            quantiles = np.repeat(point[:, :, None], len(QUANTILES), axis=2)
            found.append(Forecast(past.ids, future.times, past.freq, point, QUANTILES, quantiles))
        return found


@dataclass(frozen=True)
class Cheat:
    """A model with a hidden way to the future."""

    numbers: Callable[[Panel], np.ndarray]
    name = "cheat"

    def fit(self, past: Panel, horizon: int) -> Answer:
        return Answer(self.numbers, horizon)


def knows_all(whole: Panel) -> Cheat:
    return Cheat(lambda past: whole.values[whole.ends - 3])


def scales_by_everything(whole: Panel) -> Cheat:
    return Cheat(lambda past: past.values[past.ends - 1] / np.nanstd(whole.values))


def reads_its_neighbours_rows(whole: Panel) -> Cheat:
    return Cheat(lambda past: np.full(len(past), np.nanmean(past.values)))


def reads_one_row_too_many(whole: Panel) -> Cheat:
    return Cheat(lambda past: past.values[np.minimum(past.ends, len(past.values) - 1)])


@pytest.mark.parametrize("cheat", [knows_all, scales_by_everything, reads_its_neighbours_rows, reads_one_row_too_many])
def test_a_model_that_cheats_is_caught(cheat: Callable[[Panel], Forecaster]) -> None:
    assert seen_by(cheat, sensors()) == list(POISONS)


def test_with_one_series_nothing_after_the_cutoff_is_in_reach() -> None:
    assert seen_by(reads_its_neighbours_rows, sensors((90,))) == []


@every_recipe
def test_every_model_sees_the_last_value_before_the_cutoff(name: str) -> None:
    """Without this the test above would be passed by a model that sees nothing."""
    whole = panel_for(name)
    fold = middle(whole)
    values = whole.values.copy()
    values[fold.ends - 1] += 2.0
    assert forecast_of(RECIPES[name](0), replace(fold, panel=replace(whole, values=values))) != clean(name)


def cut_off(whole: Panel, ends: np.ndarray) -> Panel:
    """A panel that was never longer: new arrays that end at the cutoff."""
    rows = np.concatenate([np.arange(a, b) for a, b in zip(whole.starts, ends, strict=True)])
    lengths = ends - whole.starts
    stops = np.cumsum(lengths)
    flat = {name: getattr(whole, name)[rows].copy() for name in ("values", "times", "hist", "futr")}
    return replace(whole, starts=stops - lengths, ends=stops, **flat)


@every_recipe
def test_a_fold_is_what_a_panel_that_ends_at_the_cutoff_gives(name: str) -> None:
    fold = middle(panel_for(name))
    short = cut_off(fold.panel, fold.ends)
    answer = RECIPES[name](0).fit(short, HORIZON).predict([View(short, fold.view.future)])[0]
    assert bits(answer) == clean(name)


def test_a_future_has_no_place_for_a_target_or_a_past_only_covariate() -> None:
    assert [f.name for f in fields(Future)] == ["ids", "times", "futr", "futr_names"]
    fold = middle(panel_for("ridge_covariates"))
    assert "humidity" in fold.past.hist_names and "humidity" not in fold.view.future.futr_names


@pytest.mark.parametrize("name", [name for name in RECIPES if "covariates" in name])
def test_covariates_known_ahead_count_up_to_the_last_step_and_not_beyond(name: str) -> None:
    whole = panel_for(name)
    fold = middle(whole)

    def changed_at(step: int) -> bytes:
        futr = whole.futr.copy()
        futr[fold.ends + step, 0] += 3.0
        return forecast_of(RECIPES[name](0), replace(fold, panel=replace(whole, futr=futr)))

    assert changed_at(HORIZON - 1) != clean(name) and changed_at(0) != clean(name)
    assert changed_at(HORIZON) == clean(name)


MIXED = ("naive", "naive2", "ridge", "autoarima", "lstm_segments")


def run(whole: Panel, refit: bool | int = True, **models: Forecaster) -> BacktestResult:
    plan = Plan(horizon=HORIZON, n_windows=3, refit=refit)
    return run_backtest(whole, models or {name: RECIPES[name](0) for name in MIXED}, plan)


def numbers(result: BacktestResult, fold: int) -> bytes:
    """Everything that was forecast in a fold."""
    table = result.forecasts[result.forecasts["fold"] == fold]
    return table[["forecast", *quantile_columns(table).values()]].to_numpy().tobytes()


@pytest.mark.parametrize("refit", [True, False, 2])
def test_in_a_whole_backtest_poison_changes_no_fold_before_it_and_every_fold_after_it(refit: bool | int) -> None:
    whole = sensors()
    clean, cutoffs = run(whole, refit), folds(whole, horizon=HORIZON, n_windows=3)
    for k, fold in enumerate(cutoffs):
        dirty = run(poisoned(whole, fold.ends, NUMBERS["noise"]), refit)
        same = [numbers(dirty, j) == numbers(clean, j) for j in range(3)]
        assert same == [j <= k for j in range(3)]
        if k == 2:
            assert not dirty.forecasts["y"].equals(clean.forecasts["y"])


def test_a_series_that_stops_does_not_change_what_is_forecast_of_the_others() -> None:
    """Who learns is decided at the cutoff: leaving out series that did not survive would be a look ahead."""
    whole = sensors()
    ends = whole.ends.copy()
    ends[1] -= HORIZON  # s1 stops with the last cutoff
    clean, stopped = (run(p, ridge=Ridge(input_size=14)) for p in (whole, replace(whole, ends=ends)))
    last = stopped.forecasts[stopped.forecasts["fold"] == 2]
    assert set(last["unique_id"]) == {"s0", "s2"}
    other = clean.forecasts[(clean.forecasts["fold"] == 2) & (clean.forecasts["unique_id"] != "s1")]
    assert last["forecast"].to_numpy().tobytes() == other["forecast"].to_numpy().tobytes()


@pytest.mark.parametrize("name", MIXED)
def test_folds_in_reverse_order_or_alone_give_the_same_bits(name: str) -> None:
    found = folds(sensors(), horizon=HORIZON, n_windows=3)
    forward = [forecast_of(RECIPES[name](0), fold) for fold in found]
    backward = [forecast_of(RECIPES[name](0), fold) for fold in reversed(found)]
    assert forward == backward[::-1]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", MIXED)
def test_without_refit_the_parameters_stay_and_the_history_moves(name: str) -> None:
    found = folds(sensors(), horizon=HORIZON, n_windows=3, refit=2)
    first, second, third = found
    result = run(sensors(), refit=2, model=RECIPES[name](0))
    assert result.tasks["fitted_at"].tolist() == [0, 0, 2]
    early, late = (RECIPES[name](0).fit(fold.training, HORIZON) for fold in (first, third))
    for fold, model in ((first, early), (second, early), (third, late)):
        answer = model.predict([fold.view])[0]
        table = result.forecasts[result.forecasts["fold"] == fold.number]
        assert table["forecast"].to_numpy().tobytes() == answer.point.tobytes()


def test_the_scales_of_scores_are_made_of_the_past_alone() -> None:
    whole = sensors()
    fold = folds(whole, horizon=HORIZON, n_windows=3)[2]
    clean, dirty = (run(p, naive=Naive()) for p in (whole, poisoned(whole, fold.ends, NUMBERS["a billion"])))
    assert clean.pasts.equals(dirty.pasts)
    assert (dirty.scores()["mase"] > 1e6).all()  # the truth itself was poisoned
    expected = np.abs(whole.values[7 : 120 - HORIZON] - whole.values[: 120 - HORIZON - 7]).mean()
    last = clean.pasts[(clean.pasts["fold"] == 2) & (clean.pasts["unique_id"] == "s0")]
    assert last["scale_abs"].item() == pytest.approx(expected, rel=1e-12)


def test_a_sliding_window_forgets_what_came_before_it() -> None:
    whole = panel(np.arange(60.0))
    spoiled = whole.values.copy()
    spoiled[:20] = 1e9
    one, two = (folds(p, horizon=4, n_windows=2, train_size=30)[0] for p in (whole, replace(whole, values=spoiled)))
    assert one.training.series(0).tolist() == two.training.series(0).tolist() == list(range(22, 52))
    assert forecast_of(Ridge(input_size=8), one) == forecast_of(Ridge(input_size=8), two)
