"""Estimating the coefficients of one ARIMA order, by conditional least squares or by exact maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import leastsq, minimize

from tsforecast.models.arima_likelihood import (
    Order,
    Polynomials,
    loglikelihood,
    polynomials,
    profile,
    residuals,
    whitened,
)

__all__ = ["Estimate", "conditional", "exact", "first_guess", "likelihood", "shocks", "stacked"]

Floats = npt.NDArray[np.float64]
_Climbed = tuple[Floats, bool] | None  # coefficients, and whether they are the maximum
_GAIN = 1e-4  # of log-likelihood: a step that promises less is the last
_NOWHERE = 1e100  # a residual that turns the optimiser back


@dataclass(frozen=True, eq=False)
class Estimate:
    """Coefficients of one order.

    free   ARMA coefficients before `polynomials`, `[p + q + P + Q]`
    beta   of the columns beside the series: constant first, then covariates
    sigma2 innovation variance
    loglik exact Gaussian log-likelihood of the differenced series
    aicc   corrected Akaike criterion; comparable among orders of equal d and D
    """

    order: Order
    free: Floats
    beta: Floats
    sigma2: float
    loglik: float
    aicc: float

    @property
    def polynomials(self) -> Polynomials:
        return polynomials(self.order, self.free)


def stacked(y: Floats, x: Floats, constant: bool, lost: int) -> tuple[Floats, int]:
    """Columns `[T, c]` of a regression: y with zeros for missing values, a unit column per missing value, constant, x.

    The constant is a column of ones, or of 0, 1, 2, ... where differencing would remove it. Second answer: how many
    values are missing.
    """
    gaps = np.flatnonzero(np.isnan(y))
    units = np.zeros((len(y), len(gaps)))
    units[gaps, np.arange(len(gaps))] = 1.0
    base = np.arange(len(y), dtype=np.float64) if lost else np.ones(len(y))
    parts = [np.where(np.isnan(y), 0.0, y)[:, None], units, *([base[:, None]] if constant else []), x]
    return np.concatenate(parts, axis=1), len(gaps)


def shocks(w: Floats, m: int) -> Floats:
    """Of differenced columns, as `[n, 2]`: OLS residuals, and those of a long autoregression as rough innovations.

    The first step of Hannan & Rissanen (1982). Lags up to 10 log10(n), and one and two seasons with their neighbours.
    """
    y = w[:, 0] - w[:, 1:] @ np.linalg.lstsq(w[:, 1:], w[:, 0])[0] if w.shape[1] > 1 else w[:, 0]
    n = len(y)
    short = range(1, int(min(10 * np.log10(n), n // 4)) + 1)
    lags = sorted({*short, *((m, m + 1, 2 * m) if m > 1 else ())})
    x = np.stack([_lag(y, k) for k in lags if k < n // 2] or [np.zeros(n)], axis=1)
    return np.stack([y, y - x @ np.linalg.lstsq(x, y)[0]], axis=1)


def first_guess(rough: Floats, order: Order) -> Floats:
    """Free coefficients from one regression of the series on its own lags and on those of its rough innovations.

    A start of zeros would not do: there the columns of an autoregressive and a moving average lag are the same.
    """
    y, e = rough.T
    sizes = ((order.p, y, 1), (order.q, e, 1), (order.P, y, order.m), (order.Q, e, order.m))
    x = np.stack([_lag(column, step * k) for size, column, step in sizes for k in range(1, size + 1)], axis=1)
    phi, theta, Phi, Theta = np.split(
        np.linalg.lstsq(x, y)[0], [order.p, order.p + order.q, order.p + order.q + order.P]
    )  # fmt: skip
    partial = np.concatenate([_partial(phi), -_partial(-theta), _partial(Phi), -_partial(-Theta)])
    return np.asarray(np.arctanh(partial))


def _lag(x: Floats, k: int) -> Floats:
    return np.concatenate([np.zeros(min(k, len(x))), x[: max(len(x) - k, 0)]])


def _partial(phi: Floats) -> Floats:
    """Partial autocorrelations of an autoregression, drawn inside (-0.9, 0.9): the Durbin-Levinson recursion undone."""
    out = np.zeros(len(phi))
    for k in range(len(phi), 0, -1):
        out[k - 1] = r = np.clip(phi[k - 1], -0.9, 0.9)
        phi = (phi[: k - 1] + r * phi[: k - 1][::-1]) / (1 - r * r)
    return out


def conditional(w: Floats, order: Order, start: Floats) -> Floats:
    """Conditional least squares on differenced columns `[n, c]` without missing values; the free coefficients.

    The first p + mP residuals, which lack their autoregressive past, are left out where enough others remain.
    """
    if not order.arma:
        return start
    lead = order.p + order.m * order.P
    skip = lead if len(w) - lead > 3 * (order.arma + w.shape[1]) + 10 else 0
    if len(w) < order.arma:
        raise np.linalg.LinAlgError("fewer steps than coefficients")

    def rest(free: Floats) -> Floats:
        try:
            return profile(residuals(polynomials(order, free), w)[skip:], 0)[0]
        except np.linalg.LinAlgError:
            return np.full(len(w) - skip, _NOWHERE)

    enough = 20 * (order.arma + 1)
    return np.asarray(leastsq(rest, start, ftol=1e-5, xtol=1e-4, gtol=0.0, maxfev=enough, full_output=True)[0])


def likelihood(w: Floats, order: Order, free: Floats, missing: int) -> Estimate:
    """The exact likelihood at given ARMA coefficients, with the regression and the variance at their best.

    Raises LinAlgError where it does not exist.
    """
    white, log_det = whitened(polynomials(order, free), w)
    rest, beta, extra = profile(white, missing)
    loglik, sigma2 = loglikelihood(rest, log_det + extra, missing)
    n, k = len(w) - missing, order.arma + w.shape[1] - missing  # coefficients and the variance
    aicc = -2 * loglik + 2 * k * (1 + (k + 1) / (n - k - 1)) if n > k + 1 else np.inf
    return Estimate(order, free, beta[missing:], sigma2, loglik, aicc)


def exact(w: Floats, order: Order, start: Floats, missing: int, patient: bool = True) -> tuple[Estimate, str]:
    """Maximum likelihood from `start`, and what had to be done for it: nothing (""), or a rung of the fallback ladder.

    The rungs: Levenberg-Marquardt from `start`, the same from zero, Nelder-Mead, the coefficients of `start` as is.

    Raises LinAlgError where the likelihood does not exist even there; unless `patient`, where the first rung fails.
    """
    if not order.arma:
        return likelihood(w, order, start, missing), ""
    zero = np.zeros(order.arma)
    rungs: tuple[tuple[str, Callable[[], _Climbed]], ...] = (
        ("", lambda: _least_squares(w, order, start, missing)),
        ("likelihood maximised from a zero start", lambda: _least_squares(w, order, zero, missing)),
        ("likelihood maximised by Nelder-Mead", lambda: _simplex(w, order, start, missing)),
    )
    for rung, climb in rungs if patient else rungs[:1]:
        climbed = climb()
        if climbed is None:
            continue
        free, settled = climbed
        try:
            found = likelihood(w, order, free, missing)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(found.loglik):
            return found, rung if settled else f"{rung or 'likelihood maximised'}, stopped at the limit of evaluations"
    if not patient:
        raise np.linalg.LinAlgError("the likelihood has no clear maximum")
    return likelihood(w, order, start, missing), "likelihood not maximised: coefficients of conditional least squares"


def _least_squares(w: Floats, order: Order, start: Floats, missing: int) -> _Climbed:
    """The maximum by Levenberg-Marquardt, or as far as 25 evaluations a coefficient lead; None where it breaks down.

    Minus twice the log-likelihood is n log S, where S is the sum of squares of the whitened residuals times the n-th
    root of the determinant: maximum likelihood is least squares too. On hourly series that takes 3 to 13 times fewer
    evaluations than BFGS, by which statsmodels' own `innovations_mle` climbs the same likelihood, and ends as high.
    """
    n = len(w) - missing

    def rest(free: Floats) -> Floats:
        try:
            white, log_det = whitened(polynomials(order, free), w)
            errors, _, extra = profile(white, missing)
        except np.linalg.LinAlgError:
            return np.full(len(w), _NOWHERE)
        return np.asarray(errors * np.exp((log_det + extra) / (2 * n)))

    if len(w) < order.arma:
        return None
    enough, small = 25 * (order.arma + 1), 2 * _GAIN / n
    free, _, _, _, status = leastsq(
        rest, start, ftol=small, xtol=1e-6, gtol=0.0, maxfev=enough, epsfcn=1e-12, full_output=True
    )
    return (np.asarray(free), status != 5) if status in (1, 2, 3, 4, 5) and np.isfinite(free).all() else None


def _simplex(w: Floats, order: Order, start: Floats, missing: int) -> _Climbed:
    def cost(free: Floats) -> float:
        try:
            loglik = likelihood(w, order, free, missing).loglik
        except np.linalg.LinAlgError:
            return _NOWHERE
        return -loglik if np.isfinite(loglik) else _NOWHERE

    found = minimize(cost, start, method="Nelder-Mead", options={"maxfev": 100 * order.arma})
    return (np.asarray(found.x), True) if found.success and found.fun < _NOWHERE else None
