"""The likelihood, the tests for differences and the choice of orders, against statsmodels and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arima_cases import arma, panel, parameters, sarimax, upper, walk
from statsmodels.tsa.statespace.sarimax import SARIMAX

from tsforecast.models import arima_fit
from tsforecast.models.arima import ARIMA, AutoARIMA
from tsforecast.models.arima_likelihood import Order, polynomials, residuals
from tsforecast.models.arima_order import Bounds, differences, seasonal_strength

DATA = Path(__file__).parents[2] / "shared" / "data"


ORDERS = [
    ((1, 1, 1), (0, 0, 0)),
    ((2, 0, 1), (0, 0, 0)),
    ((0, 1, 1), (0, 1, 1)),
    ((1, 0, 1), (1, 1, 0)),
    ((0, 2, 1), (1, 0, 0)),
]


@pytest.mark.parametrize(("order", "seasonal"), ORDERS)
@pytest.mark.parametrize("gaps", [False, True])
def test_parameters_likelihood_forecasts_and_variances_are_those_of_statsmodels(
    order: tuple[int, int, int], seasonal: tuple[int, int, int], gaps: bool
) -> None:
    y = walk() if order[1] + seasonal[1] else arma([0.9, -0.3], [0.5], 200, 4)
    if gaps:
        y[[50, 51, 52, 100, 195, 199]] = np.nan
    past = panel(y, season_length=12)
    fitted = ARIMA(order=order, seasonal_order=seasonal, constant=False).fit(past, 15)
    answer = fitted.predict(past)
    model = fitted.models["s0"]
    oracle = sarimax((y - model.centre) / model.scale, model.order)
    optimum = oracle.fit(parameters(model), method="nm", maxiter=2000, disp=0)
    assert optimum.llf - oracle.loglike(parameters(model)) < 1e-4
    np.testing.assert_allclose(parameters(model), optimum.params, rtol=2e-3, atol=2e-3)
    truth = oracle.smooth(parameters(model)).get_forecast(15)
    np.testing.assert_allclose((answer.point[0] - model.centre) / model.scale, truth.predicted_mean, atol=1e-8)
    deviation = (upper(answer) - answer.point)[0] / 1.959963984540054 / model.scale
    np.testing.assert_allclose(deviation**2, truth.var_pred_mean, rtol=1e-7)


def test_the_log_likelihood_is_that_of_the_differenced_series() -> None:
    y, order = walk(), Order(1, 1, 1, 0, 1, 1, 12)
    free = np.array([0.3, -0.2, -0.5])
    columns, _ = arima_fit.stacked(y, np.empty((200, 0)), False, order.lost)
    w = np.diff(y[12:] - y[:-12])
    ours = arima_fit.likelihood(w[:, None], order, free, 0)
    poly = ours.polynomials
    plain = SARIMAX(w, order=(1, 0, 1), seasonal_order=(0, 0, 1, 12))
    theirs = plain.loglike([-poly.phi[1], poly.theta[1], poly.seasonal_theta[1], ours.sigma2])
    assert ours.loglik == pytest.approx(theirs, abs=1e-8) and len(columns) == 200


def test_filtered_residuals_equal_a_recursion_written_out() -> None:
    poly = polynomials(Order(2, 0, 1, 1, 0, 1, 4), np.array([0.5, -0.3, 0.4, 0.6, -0.7]))
    w = np.random.default_rng(0).normal(size=61)
    e = np.zeros(61)
    for t in range(61):
        e[t] = sum(c * w[t - k] for k, c in enumerate(poly.ar) if k <= t)
        e[t] -= sum(c * e[t - k] for k, c in enumerate(poly.ma) if 0 < k <= t)
    np.testing.assert_allclose(residuals(poly, w[:, None])[:, 0], e, atol=1e-10)


def test_any_numbers_make_a_stationary_and_invertible_model() -> None:
    free = np.random.default_rng(0).normal(size=(50, 8)) * 3
    for row in free:
        poly = polynomials(Order(3, 0, 3, 1, 0, 1, 4), row)
        assert all(np.abs(np.roots(c)).max() < 1 for c in (poly.phi, poly.theta, poly.seasonal_phi))


def test_a_random_walk_is_differenced_once_white_noise_never_and_a_double_sum_twice() -> None:
    noise = np.random.default_rng(3).normal(size=400)
    assert differences(noise, 1, Bounds()) == (0, 0)
    assert differences(np.cumsum(noise), 1, Bounds()) == (1, 0)
    assert differences(np.cumsum(np.cumsum(noise)), 1, Bounds()) == (2, 0)
    assert differences(np.tile([1.0, 5, 2, 9], 8), 4, Bounds()) == (0, 1)  # nothing is left to test, and nothing warns
    assert seasonal_strength(noise, 12) < 0.2 < 0.9 < seasonal_strength(np.tile(noise[:12], 9), 12)


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_the_logged_air_passengers_get_the_airline_model() -> None:
    y = np.log(pd.read_csv(DATA / "classics" / "darts_AirPassengers.csv").iloc[:, -1].to_numpy(dtype=np.float64))
    assert differences(y, 12, Bounds()) == (1, 1)
    fitted = AutoARIMA().fit(panel(y, season_length=12), 12)
    assert fitted.models["s0"].notes == ("ARIMA(0,1,1)(0,1,1)[12]",)
    # Box & Jenkins print 0.40 and 0.61, Brockwell & Davis 0.402 and 0.557 by maximum likelihood
    poly = fitted.models["s0"].polynomials
    assert poly.theta[1] == pytest.approx(-0.402, abs=2e-3) and poly.seasonal_theta[1] == pytest.approx(
        -0.557, abs=2e-3
    )


@pytest.mark.parametrize(
    ("phi", "theta", "wanted"), [([0.5], [], (1, 0)), ([1.2, -0.6], [], (2, 0)), ([], [0.7], (0, 1))]
)
def test_known_orders_are_found_in_most_of_eight_seeds(
    phi: list[float], theta: list[float], wanted: tuple[int, int]
) -> None:
    past = panel(*(arma(phi, theta, 400, seed) + 10 for seed in range(8)))
    orders = [model.order for model in AutoARIMA().fit(past, 1).models.values()]
    assert sum((o.p, o.q) == wanted and o.d == 0 and o.constant for o in orders) >= 5
