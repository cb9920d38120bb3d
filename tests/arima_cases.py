"""Series, panels and state space oracles for the tests of ARIMA."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from statsmodels.tsa.statespace.sarimax import SARIMAX

from tsforecast.contract import Forecast
from tsforecast.frequency import Frequency
from tsforecast.models.arima_likelihood import Order
from tsforecast.panel import Panel

Floats = npt.NDArray[np.float64]


def panel(*series: Any, season_length: int = 1, futr: Floats | None = None) -> Panel:
    """Series of integer time, end to end, and one table of known-ahead covariates."""
    lengths = np.array([len(s) for s in series])
    ends = np.cumsum(lengths)
    values = np.concatenate([np.asarray(s, dtype=np.float64) for s in series])
    times = np.concatenate([np.arange(n) for n in lengths])
    ids, none = tuple(f"s{i}" for i in range(len(series))), np.empty((len(values), 0))
    known = none.copy() if futr is None else futr
    names = tuple(f"x{k}" for k in range(known.shape[1]))
    frequency = Frequency("integer")
    return Panel(ids, ends - lengths, ends, values, times, frequency, season_length, none, known, futr_names=names)


def walk(n: int = 200, seed: int = 0, season: float = 3.0) -> Floats:
    """A noisy random walk with a season of 12."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n)
    return np.cumsum(rng.normal(size=n)) + season * np.sin(np.arange(n) * np.pi / 6) + noise


def arma(phi: list[float], theta: list[float], n: int, seed: int) -> Floats:
    """An ARMA series, w_t = phi_1 w_(t-1) + ... + e_t + theta_1 e_(t-1) + ..."""
    shocks = np.random.default_rng(seed).normal(size=n + 200)
    return np.asarray(lfilter([1, *theta], [1, *(-p for p in phi)], shocks)[200:])


def sarimax(y: Floats, order: Order, exog: Floats | None = None) -> Any:
    """The same model as a state space with exact diffuse start."""
    seasonal = (order.P, order.D, order.Q, order.m if order.m > 1 else 0)
    model = SARIMAX(y, exog, order=(order.p, order.d, order.q), seasonal_order=seasonal, use_exact_diffuse=True)
    model.ssm.tolerance = 0  # the exact gain to the end
    return model


def parameters(model: Any, unit: float = 1.0) -> Floats:
    """Ours in the order and the units of statsmodels."""
    poly = model.polynomials
    parts = [-poly.phi[1:], poly.theta[1:], -poly.seasonal_phi[1:], poly.seasonal_theta[1:]]
    return np.concatenate([model.beta * unit, *parts, [model.sigma2 * unit**2]])


def upper(forecast: Forecast) -> Floats:
    return np.asarray(forecast.quantiles[..., forecast.levels.index(0.975)])
