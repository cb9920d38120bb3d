"""What every model must do, whoever wrote it: one set of facts, all recipes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from cases import DAILY, HORIZON, INTEGER, NETS, RECIPES, folds, panel, panel_for, sensors

from tsforecast.contract import QUANTILES, Fitted, Forecast, Forecaster
from tsforecast.errors import DataError
from tsforecast.panel import Panel, View

every_recipe = pytest.mark.parametrize("name", RECIPES)
PLAIN = [name for name in RECIPES if "covariates" not in name]
every_plain_recipe = pytest.mark.parametrize("name", PLAIN)


@cache
def views(name: str) -> list[View]:
    """Three origins of the recipe's panel, eight steps apart."""
    return [fold.view for fold in folds(panel_for(name), horizon=HORIZON, n_windows=3, step_size=8)]


@cache
def fitted(name: str) -> Fitted:
    """The model, fitted once at the first origin."""
    return RECIPES[name](1).fit(views(name)[0].past, HORIZON)


@cache
def answers(name: str) -> list[Forecast]:
    return fitted(name).predict(views(name))


def bits(*forecasts: Forecast) -> bytes:
    return b"".join(f.point.tobytes() + f.quantiles.tobytes() for f in forecasts)


def alone(view: View, row: int) -> View:
    """One series of a view, without its neighbours."""
    past, future = view
    one = replace(
        future, ids=future.ids[row : row + 1], times=future.times[row : row + 1], futr=future.futr[row : row + 1]
    )
    return View(past.take([row]), one)


def test_all_recipes_are_forecasters() -> None:
    assert all(isinstance(make(0), Forecaster) for make in RECIPES.values())


@every_recipe
def test_a_forecast_has_a_finite_number_for_every_series_step_and_quantile(name: str) -> None:
    for view, answer in zip(views(name), answers(name), strict=True):
        assert answer.ids == view.past.ids and answer.failures == ()
        np.testing.assert_array_equal(answer.times, view.future.times)
        assert answer.point.shape == (3, HORIZON) and answer.quantiles.shape == (3, HORIZON, len(QUANTILES))
        assert answer.levels == QUANTILES
        assert answer.point.dtype == answer.quantiles.dtype == np.float64
        assert np.isfinite(answer.point).all() and np.isfinite(answer.quantiles).all()
        assert (np.diff(answer.quantiles, axis=2) >= 0).all()
        assert (answer.quantiles[:, :, -1] > answer.quantiles[:, :, 0]).all()


@every_recipe
def test_fitting_and_forecasting_change_nothing_they_are_given(name: str) -> None:
    whole = panel_for(name)
    view = folds(whole, horizon=HORIZON, n_windows=1)[0].view
    given = [whole.values, whole.times, whole.hist, whole.futr, whole.starts, whole.ends, view.future.futr]
    before = [array.tobytes() for array in given]
    RECIPES[name](1).fit(view.past, HORIZON).predict([view])
    assert [array.tobytes() for array in given] == before


@every_recipe
def test_the_same_seed_gives_the_same_bytes_and_only_networks_have_another_seed(name: str) -> None:
    view = views(name)[0]
    again, other = (RECIPES[name](seed).fit(view.past, HORIZON).predict([view])[0] for seed in (1, 2))
    assert bits(again) == bits(answers(name)[0])
    assert (bits(other) != bits(again)) == (name in NETS)


@every_recipe
def test_a_series_alone_gets_the_bits_it_gets_among_others(name: str) -> None:
    view, together = views(name)[1], answers(name)[1]
    for row in range(3):
        one = fitted(name).predict([alone(view, row)])[0]
        assert one.point.tobytes() == together.point[row : row + 1].tobytes()
        assert one.quantiles.tobytes() == together.quantiles[row : row + 1].tobytes()


@every_recipe
def test_many_origins_at_once_and_one_at_a_time_have_the_same_bits_in_any_order(name: str) -> None:
    one_by_one = [fitted(name).predict([view])[0] for view in reversed(views(name))]
    assert bits(*reversed(one_by_one)) == bits(*answers(name))


@every_recipe
def test_no_origin_and_no_series_are_no_trouble(name: str) -> None:
    past, future = views(name)[0]
    none = replace(future, ids=(), times=future.times[:0], futr=future.futr[:0])
    assert fitted(name).predict([]) == []
    assert fitted(name).predict([View(past.take([]), none)])[0].point.shape == (0, HORIZON)


@every_plain_recipe
def test_too_little_to_learn_from_is_said_with_the_steps_that_are_needed(name: str) -> None:
    past = panel([4.0, 5.0, 3.0], season_length=7, freq=DAILY)
    recipe, wide = RECIPES[name](0), name in (*NETS, "ridge")
    with pytest.raises(DataError, match=r"needs? (at least )?\d+ steps.*'s0'.* has 3") if wide else nullcontext():
        answer = recipe.fit(past, HORIZON).predict([View(past, past.future(HORIZON))])[0]
        if answer.failures:
            assert answer.failures[0].unique_id == "s0" and "need" in answer.failures[0].reason
            assert np.isnan(answer.point).all() and np.isnan(answer.quantiles).all()
        else:
            assert np.isfinite(answer.quantiles).all()


@every_plain_recipe
def test_a_short_series_among_long_ones_fails_alone_or_is_forecast(name: str) -> None:
    long = sensors((120, 104))
    past = panel(long.series(0), [7.0], long.series(1), season_length=7, freq=DAILY)
    answer = RECIPES[name](0).fit(past, HORIZON).predict([View(past, past.future(HORIZON))])[0]
    assert [f.unique_id for f in answer.failures] == ["s1"]
    assert "need" in answer.failures[0].reason and np.isnan(answer.quantiles[1]).all()
    assert np.isfinite(answer.quantiles[[0, 2]]).all()


@every_plain_recipe
def test_a_series_without_a_single_value_fails_alone(name: str) -> None:
    long = sensors((120, 104))
    past = panel(long.series(0), np.full(60, np.nan), long.series(1), season_length=7, freq=DAILY)
    answer = RECIPES[name](0).fit(past, HORIZON).predict([View(past, past.future(HORIZON))])[0]
    assert [f.unique_id for f in answer.failures] == ["s1"]
    assert np.isnan(answer.quantiles[1]).all() and np.isfinite(answer.quantiles[[0, 2]]).all()


@every_plain_recipe
@pytest.mark.parametrize("constant", [0.0, 42.0, -3e-9, 1e12 / 3])
def test_a_constant_series_is_forecast_as_that_constant(name: str, constant: float) -> None:
    past = panel(sensors((90,)).values, np.full(60, constant), season_length=7, freq=DAILY)
    answer = RECIPES[name](0).fit(past, HORIZON).predict([View(past, past.future(HORIZON))])[0]
    np.testing.assert_allclose(answer.quantiles[1], constant, rtol=1e-12)
    np.testing.assert_allclose(answer.point[1], constant, rtol=1e-12)


@every_plain_recipe
def test_values_that_were_not_observed_are_no_trouble(name: str) -> None:
    whole = sensors()
    values = whole.values.copy()
    values[:9] = np.nan  # the first series starts with them
    values[120:210][[20, 21, 40, 55, 89]] = np.nan  # the second has them inside and as its last value
    past = replace(whole, values=values)
    answer = RECIPES[name](0).fit(past, HORIZON).predict([View(past, past.future(HORIZON))])[0]
    assert answer.failures == () and np.isfinite(answer.quantiles).all()
    level = [np.nanmean(past.series(i)) for i in range(3)]
    assert (np.abs(answer.point - np.array(level)[:, None]) < 15).all()


@every_plain_recipe
@pytest.mark.parametrize("factor", [2.0**-30, 2.0**30])
def test_forecasts_scale_with_the_series_from_1e_minus_9_to_1e9(name: str, factor: float) -> None:
    past = sensors()
    small = replace(past, values=past.values * factor)
    one, two = (RECIPES[name](0).fit(p, HORIZON).predict([View(p, p.future(HORIZON))])[0] for p in (past, small))
    np.testing.assert_allclose(two.quantiles / factor, one.quantiles, rtol=1e-6)
    np.testing.assert_allclose(two.point / factor, one.point, rtol=1e-6)


@every_plain_recipe
def test_integer_time_and_dates_give_the_same_bits(name: str) -> None:
    dates = sensors()
    numbers = replace(dates, times=DAILY.ordinals(dates.times), freq=INTEGER)
    one, two = (RECIPES[name](0).fit(p, HORIZON).predict([View(p, p.future(HORIZON))])[0] for p in (dates, numbers))
    assert bits(one) == bits(two)


@pytest.mark.parametrize("name", ["ridge", "lstm", "autoarima"])
def test_other_covariates_than_those_trained_with_are_refused(name: str) -> None:
    view = views(f"{name}_covariates")[0]
    with pytest.raises(DataError, match=r"covariates.*humidity|price"):
        fitted(name).predict([view])


def test_a_panel_is_forecast_without_a_list_around_it() -> None:
    past: Panel = views("ridge")[0].past
    assert bits(fitted("ridge").predict(past)) == bits(answers("ridge")[0])
