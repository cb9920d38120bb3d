"""How many differences a series needs, and which ARIMA order fits it best: pure functions on one complete series.

The plan is that of Hyndman & Khandakar (2008, Automatic time series forecasting: the forecast package for R): tests
choose D and then d, a stepwise search over p, q, P, Q and the constant minimises the AICc. Each step here goes to the
best of the neighbours, not to the first better one: that costs a little more and forecasts better.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from statsmodels.tsa.stattools import kpss

from tsforecast.models.arima_fit import Estimate, conditional, first_guess, likelihood, shocks, stacked
from tsforecast.models.arima_likelihood import Order, difference

__all__ = ["Bounds", "differences", "is_stable", "search", "seasonal_strength", "wanders"]

Floats = npt.NDArray[np.float64]
_ROUNDING = 1e-10  # of the largest value: less than this is not variation


@dataclass(frozen=True)
class Bounds:
    """The largest orders that the search may try."""

    p: int = 5
    q: int = 5
    P: int = 2
    Q: int = 2
    d: int = 2
    D: int = 1


def wanders(x: Floats) -> bool:
    """Whether a KPSS test rejects a constant level at 5 %.

    Kwiatkowski, Phillips, Schmidt & Shin (1992). The long-run variance takes Bartlett weights over 3 sqrt(T) / 13 lags.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its table of p-values ends at 1 and 10 %; only the statistic counts here
        return bool(kpss(x, nlags=int(3 * np.sqrt(len(x)) / 13))[0] > 0.463)


def seasonal_strength(x: Floats, m: int) -> float:
    """How much of the variance around the trend is seasonal, 0 to 1: 1 - Var(rest) / Var(season + rest).

    The trend is a centred moving average over one season, the season is the mean of each phase.
    """
    width = m + 1 if m % 2 == 0 else m
    weights = np.full(width, 1.0 / m)
    if m % 2 == 0:
        weights[[0, -1]] /= 2
    around = x[width // 2 : len(x) - width // 2] - np.convolve(x, weights, "valid")
    phase = np.arange(len(around)) % m
    means = np.bincount(phase, around, m) / np.bincount(phase, minlength=m)
    total = float(around.var())
    if total <= _ROUNDING**2 * float(x @ x) / len(x):
        return 0.0
    return max(0.0, 1 - float((around - means[phase]).var()) / total)


def differences(x: Floats, m: int, bounds: Bounds) -> tuple[int, int]:
    """d and D: a seasonal difference where the season is strong (0.64), then ordinary ones until KPSS is content."""
    smallest = _ROUNDING * float(np.abs(x).max())
    D = int(bounds.D > 0 and m > 1 and len(x) >= 2 * m + 2 and seasonal_strength(x, m) > 0.64)
    if D:
        x = x[m:] - x[:-m]
    d = 0
    while d < bounds.d and len(x) > 3 and float(np.ptp(x)) > smallest and wanders(x):
        x, d = np.diff(x), d + 1
    return d, D


def search(y: Floats, x: Floats, plain: Order, bounds: Bounds) -> list[Estimate]:
    """Orders tried on `y` `[T]` with covariates `x` `[T, K]`, best AICc first. No NaN.

    `plain` has the differencing and the season. A mean or a drift is part of the search where d + D < 2.
    Coefficients come from conditional least squares; the AICc is exact at those coefficients.
    """
    w = {c: difference(stacked(y, x, c, plain.lost)[0], plain) for c in (False, True)}
    rough = {constant: shocks(columns, plain.m) for constant, columns in w.items()}
    n = len(w[False])
    most = [min(bounds.p, n // 3), min(bounds.q, n // 3)]
    most += [min(bounds.P, n // 3 // plain.m), min(bounds.Q, n // 3 // plain.m)] if plain.m > 1 else [0, 0]
    tried: dict[Order, Estimate | None] = {}

    def improves(order: Order, best: Estimate | None) -> Estimate | None:
        """The order's estimate, if it is allowed, new and better than the best."""
        orders = (order.p, order.q, order.P, order.Q)
        if order in tried or (order.constant and order.d + order.D > 1):
            return None
        if any(not 0 <= have <= limit for have, limit in zip(orders, most, strict=True)):
            return None
        tried[order] = found = _score(w[order.constant], rough[order.constant], order)
        return found if found is not None and (best is None or found.aicc < best.aicc) else None

    best: Estimate | None = None
    for order in _starts(replace(plain, constant=plain.d + plain.D < 2), *most):
        best = improves(order, best) or best
    better = best
    while better is not None:
        best = better
        around = [improves(order, best) for order in _neighbours(best.order)]
        better = min(filter(None, around), key=lambda found: found.aicc, default=None)
    return sorted((found for found in tried.values() if found is not None), key=lambda found: found.aicc)


def _score(w: Floats, rough: Floats, order: Order) -> Estimate | None:
    """The order's estimate, or None where it has none or one on the edge of stability."""
    try:
        start = first_guess(rough, order) if order.arma else np.empty(0)
        found = likelihood(w, order, conditional(w, order, start), 0)
    except np.linalg.LinAlgError:
        return None
    return found if np.isfinite(found.aicc) and is_stable(found) else None


def is_stable(found: Estimate) -> bool:
    """Whether every root of the four polynomials lies at least 1 % outside the unit circle."""
    poly = found.polynomials
    inverse = [np.abs(np.roots(c)) for c in (poly.phi, poly.theta, poly.seasonal_phi, poly.seasonal_theta)]
    return bool(np.concatenate(inverse).max(initial=0.0) <= 1 / 1.01)


def _starts(zero: Order, p: int, q: int, P: int, Q: int) -> Iterator[Order]:
    yield replace(zero, p=min(2, p), q=min(2, q), P=min(1, P), Q=min(1, Q))
    yield zero
    yield replace(zero, p=min(1, p), P=min(1, P))
    yield replace(zero, q=min(1, q), Q=min(1, Q))
    yield replace(zero, constant=False)


def _neighbours(o: Order) -> Iterator[Order]:
    """One step in P, Q or both, then in p, q or both, then the constant."""
    for dP, dQ in ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
        yield replace(o, P=o.P + dP, Q=o.Q + dQ)
    for dp, dq in ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
        yield replace(o, p=o.p + dp, q=o.q + dq)
    yield replace(o, constant=not o.constant)
