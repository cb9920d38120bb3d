"""ARIMA recipes: planted coefficients, rolling origins, missing values, failures and what must hold for every model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from arima_cases import arma, panel, parameters, sarimax, upper, walk

from tsforecast.contract import Forecast
from tsforecast.errors import ConfigError, DataError
from tsforecast.models import arima_fit
from tsforecast.models.arima import ARIMA, AutoARIMA
from tsforecast.models.arima_order import Bounds
from tsforecast.models.arima_series import fit_series
from tsforecast.panel import Future, Panel, View
from tsforecast.progress import listening

Floats = npt.NDArray[np.float64]


def test_a_planted_covariate_and_drift_are_found_and_carried_forward() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(330, 1))
    y = 0.5 * np.arange(330) + 4 * x[:, 0] + arma([0.6], [], 330, 1)
    past = panel(y[:300], futr=x[:300])
    future = Future(past.ids, np.arange(300, 330)[None], x[None, 300:], past.futr_names)
    for recipe in (ARIMA(order=(1, 1, 1), constant=True), AutoARIMA()):
        fitted = recipe.fit(past, 30)
        answer = fitted.predict(View(past, future))
        model = fitted.models["s0"]
        assert model.beta[-1] / model.width[0] * model.scale == pytest.approx(4, abs=0.15)
        assert np.abs(answer.point[0] - y[300:]).mean() < 2  # without the covariate 3.4, without the drift 8


def test_constant_repeated_and_seasonal_covariates_do_not_break_the_fit() -> None:
    season = np.sin(np.arange(212) * np.pi / 6)[:, None]
    x = np.concatenate([np.ones((212, 1)), season, 2 * season, np.random.default_rng(5).normal(size=(212, 1))], axis=1)
    past = panel(walk(200) + x[:200, 3], season_length=12, futr=x[:200])
    view = View(past, Future(past.ids, np.arange(200, 212)[None], x[None, 200:], past.futr_names))
    none, one = ARIMA(order=(0, 1, 1), seasonal_order=(0, 1, 1)), ARIMA(order=(0, 1, 1))
    assert none.fit(past, 12).models["s0"].kept.tolist() == [3]  # a seasonal difference leaves nothing of the season
    said = "1 of 4 covariates used: the others say nothing of their own after differencing"
    assert none.fit(past, 12).predict(view).notes[1] == ("s0", said)
    assert one.fit(past, 12).models["s0"].kept.tolist()[1:] == [3]
    for recipe in (none, one, AutoARIMA()):
        assert np.isfinite(recipe.fit(past, 12).predict(view).point).all()


def test_a_step_without_its_covariate_counts_as_missing() -> None:
    x = np.random.default_rng(0).normal(size=(120, 1))
    y = walk(120) + 3 * x[:, 0]
    holes, unseen = x.copy(), y.copy()
    holes[60], unseen[60] = np.nan, np.nan
    recipe = ARIMA(order=(1, 1, 0))
    a = recipe.fit(panel(y, futr=holes), 2).models["s0"]
    b = recipe.fit(panel(unseen, futr=np.where(np.isnan(holes), 0.0, holes)), 2).models["s0"]
    np.testing.assert_array_equal(parameters(a), parameters(b))


def test_constant_linear_and_periodic_series_are_forecast_exactly_and_without_spread() -> None:
    past = panel([7.1] * 30, np.arange(30.0) * 3, np.tile([1.0, 5, 2, 9], 8), season_length=4)
    answer = AutoARIMA().fit(past, 4).predict(past)
    np.testing.assert_allclose(answer.point, [[7.1] * 4, [90, 93, 96, 99], [1, 5, 2, 9]], rtol=1e-12)
    np.testing.assert_array_equal(answer.quantiles, np.repeat(answer.point[:, :, None], 13, axis=2))
    assert answer.point[0, 0] == 7.1 and answer.failures == ()


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_forecasts_scale_with_the_series(factor: float) -> None:
    y = walk()
    one, other = panel(y, season_length=12), panel(y * factor, season_length=12)
    recipe = AutoARIMA(max_p=2, max_q=2, max_P=1)
    plain, scaled = recipe.fit(one, 12).predict(one), recipe.fit(other, 12).predict(other)
    assert plain.notes == scaled.notes
    np.testing.assert_allclose(scaled.quantiles, plain.quantiles * factor, rtol=1e-5)


RECIPES: list[Any] = [ARIMA(order=(1, 1, 1), seasonal_order=(0, 1, 1)), AutoARIMA(max_p=1, max_q=1, max_P=1, max_Q=1)]


def origins(past: Panel, cutoffs: list[int], horizon: int) -> list[View]:
    cuts = [past.cut(past.starts + np.minimum(c, past.lengths)) for c in cutoffs]
    return [View(cut, cut.future(horizon)) for cut in cuts]


@pytest.mark.parametrize("recipe", RECIPES)
def test_rolling_origins_keep_the_parameters_and_equal_statsmodels_apply(recipe: Any) -> None:
    y = walk(240)
    fitted: Any = recipe.fit(panel(y[:180], season_length=12), 6)
    model = fitted.models["s0"]
    result = sarimax((y[:180] - model.centre) / model.scale, model.order).smooth(parameters(model))
    cutoffs = [180, 181, 205, 234]
    for cutoff, answer in zip(cutoffs, fitted.predict(origins(panel(y), cutoffs, 6)), strict=True):
        truth = result.apply((y[:cutoff] - model.centre) / model.scale).get_forecast(6)
        # statsmodels takes its gain for settled a little earlier
        np.testing.assert_allclose(answer.point[0], truth.predicted_mean * model.scale + model.centre, atol=1e-5)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("poison", [np.nan, 1e9, "noise"])
def test_nothing_after_the_cutoff_matters_to_the_bit(recipe: Any, poison: Any) -> None:
    y = np.concatenate([walk(150, 1), walk(150, 2)])
    y[40] = np.nan
    bad = y.copy()
    late = np.r_[120:150, 270:300]
    bad[late] = np.random.default_rng(9).normal(size=60) * 1e3 if poison == "noise" else poison

    def answers(values: Floats) -> list[Forecast]:
        whole = panel(values[:150], values[150:], season_length=12)
        views = origins(whole, [110, 120], 5)
        return recipe.fit(views[1].past, 5).predict(views)

    for a, b in zip(answers(y), answers(bad), strict=True):
        np.testing.assert_array_equal(a.quantiles, b.quantiles)
    bad[119] += 1.0  # the control: the last past value does matter
    assert (answers(y)[1].point[0] != answers(bad)[1].point[0]).all()


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_view_and_a_series_give_the_same_bits_alone_and_in_company(recipe: Any) -> None:
    y, z = walk(150, 1), walk(130, 2)
    both, alone = panel(z, y, season_length=12), replace(panel(y, season_length=12), ids=("s1",))
    fitted: Any = recipe.fit(both, 5)
    views = origins(both, [100, 130, 150], 5)
    together = fitted.predict(views)
    for view, answer in zip(views, together, strict=True):
        np.testing.assert_array_equal(fitted.predict(view).quantiles, answer.quantiles)
    np.testing.assert_array_equal(recipe.fit(alone, 5).predict(alone).quantiles[0], together[2].quantiles[1])
    again: Any = recipe.fit(both, 5)
    np.testing.assert_array_equal(again.predict(both).quantiles, fitted.predict(both).quantiles)


def test_leading_missing_values_do_not_matter_and_a_trailing_one_widens_the_interval() -> None:
    y = walk(150)
    plain, led = panel(y), panel(np.concatenate([np.full(20, np.nan), y]))
    recipe = ARIMA(order=(1, 1, 1))
    np.testing.assert_array_equal(recipe.fit(plain, 4).predict(plain).point, recipe.fit(led, 4).predict(led).point)
    blind = panel(np.append(y, np.nan))
    fitted = recipe.fit(plain, 4)
    shifted, now = fitted.predict(blind), fitted.predict(plain)
    np.testing.assert_allclose(shifted.point[0, :3], now.point[0, 1:], rtol=1e-12)
    assert (upper(shifted) - shifted.point > upper(now) - now.point).all()


def test_a_series_without_a_model_is_a_failure_with_a_reason_and_the_others_are_not_touched() -> None:
    past = panel([np.nan] * 40, [1.0, 2.0], walk(90), season_length=12)
    for recipe in (ARIMA(order=(1, 1, 1), seasonal_order=(1, 1, 1)), AutoARIMA()):
        answer = recipe.fit(past, 3).predict(past)
        assert [f.unique_id for f in answer.failures] == ["s0", "s1"]
        assert answer.failures[0].reason == "no observed value in the last 40 steps"
        assert answer.failures[1].reason.startswith("too short: ")
        assert np.isnan(answer.quantiles[:2]).all() and np.isfinite(answer.quantiles[2]).all()


def test_a_short_history_at_a_later_origin_is_a_failure_of_that_origin_only() -> None:
    fitted = ARIMA(order=(0, 1, 1), seasonal_order=(0, 1, 1)).fit(panel(walk(90), season_length=12), 3)
    short, long = fitted.predict(origins(panel(walk(90)), [20, 60], 3))
    assert short.failures[0].reason == "too short: ARIMA(0,1,1)(0,1,1)[12] forecasts from 26 steps, has 20"
    assert long.failures == () and np.isfinite(long.point).all()


def test_the_order_and_every_rung_of_the_ladder_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    past = panel(walk(120))
    recipe = ARIMA(order=(1, 1, 1))
    assert recipe.fit(past, 2).predict(past).notes == (("s0", "ARIMA(1,1,1)"),)
    best = recipe.fit(past, 2).models["s0"]
    monkeypatch.setattr(arima_fit, "_least_squares", lambda *_: None)
    simplex = recipe.fit(past, 2)
    assert simplex.predict(past).notes[1] == ("s0", "likelihood maximised by Nelder-Mead")
    np.testing.assert_allclose(parameters(simplex.models["s0"]), parameters(best), atol=1e-3)
    monkeypatch.setattr(arima_fit, "_simplex", lambda *_: None)
    answer = recipe.fit(past, 2).predict(past)
    assert answer.notes[1] == ("s0", "likelihood not maximised: coefficients of conditional least squares")
    assert np.isfinite(answer.point).all()


def test_only_the_last_max_length_steps_are_used_and_that_is_noted() -> None:
    y = walk(300)
    wild = y.copy()
    wild[:200] *= 50
    recipe = AutoARIMA(max_length=100)
    a, b = (recipe.fit(p, 3).predict(p) for p in (panel(y), panel(wild)))
    np.testing.assert_array_equal(a.quantiles, b.quantiles)
    assert a.notes[1] == ("s0", "estimated from the last 100 of 300 observed values")


def test_progress_is_reported_series_by_series() -> None:
    heard: list[float] = []
    with listening(heard.append):
        ARIMA(order=(1, 0, 0)).fit(panel(walk(50), walk(60)), 1)
    assert heard == [0.5, 1.0]


def test_strangers_and_other_covariates_are_refused() -> None:
    fitted = ARIMA(order=(1, 0, 0)).fit(panel(walk(50)), 2)
    with pytest.raises(DataError, match="arima has no model of series 's1': it was fitted on 's0'"):
        fitted.predict(panel(walk(50), walk(50)))
    other = panel(walk(50), futr=np.ones((50, 1)))
    with pytest.raises(DataError, match=r"covariates \(\) and is given \(x0\)"):
        fitted.predict(View(other, other.future(2, np.ones((1, 2, 1)))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ARIMA(order=(1, 1)), "arima.order"),  # type: ignore[arg-type]
        (lambda: ARIMA(order=(-1, 1, 0)), "at least 0"),
        (lambda: ARIMA(order=(0, 2, 1), constant=True), "no room for a constant"),
        (lambda: ARIMA(seasonal_order=(0, 1, 1)).fit(panel(walk(50)), 2), "no season"),
        (lambda: AutoARIMA(season_length=0), "autoarima.season_length=0"),
        (lambda: AutoARIMA(max_p=-1), "autoarima.max_p"),
        (lambda: AutoARIMA(max_length=3), "max_length=3"),
        (lambda: AutoARIMA(quantiles=(0.1,)), "0.5"),
    ],
)
def test_impossible_settings_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_shorter_past_than_the_season_is_modelled_without_it() -> None:
    model = fit_series(walk(20), np.empty((20, 0)), 52, 2000, Bounds())
    assert model.order.P == model.order.Q == model.order.D == 0 and np.isfinite(model.sigma2)


def test_a_series_whose_start_has_no_variance_gets_a_model_as_others_do() -> None:
    """On the way of the search a variance becomes zero, which statsmodels answers with a division by it."""
    short = [1, 0, -1, -1, -1, 0, -1, 0, 0, 0, 0, 1, -1, 2, 0.0]
    data = panel(short, walk(60), season_length=4)
    found = ARIMA(order=(1, 1, 1), seasonal_order=(1, 0, 1)).fit(data, 2).predict(data)
    assert np.isfinite(found.point).all() and not found.failures


def test_a_shop_that_is_closed_on_one_day_of_the_week_has_a_model() -> None:
    """A seasonal difference would need the Sunday before, which nobody ever saw."""
    t, rng = np.arange(140), np.random.default_rng(0)
    sales = 20 + np.array([9.0, 1, 2, 4, 3, 12, 0])[t % 7] + rng.normal(size=140)
    open_, closed = sales.copy(), np.where(t % 7 == 6, np.nan, sales)
    data = panel(open_, closed, season_length=7)
    recipe = AutoARIMA(max_p=1, max_q=1, max_P=1, max_Q=0)
    found = recipe.fit(data, 7).predict(data)
    assert not found.failures and np.isfinite(found.point).all()
    told = {key: note for key, note in found.notes if "never observed" in note}
    assert told == {"s1": "no seasonal difference: 1 of 7 phases of the season were never observed"}
