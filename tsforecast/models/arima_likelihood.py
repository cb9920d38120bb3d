"""Gaussian ARIMA on one series: conditional residuals, and the exact likelihood by the innovations algorithm.

With w = (1-B)^d (1-B^m)^D (y - X b), the model is phi(B) Phi(B^m) w = theta(B) Theta(B^m) e.

The exact likelihood is that of statsmodels' `arma_innovations` (Brockwell & Davis, Time Series: Theory and Methods,
5.3 and 8.7), which turns w, and every column beside it, into one-step errors and their variances. The Kalman filter of
its `SARIMAX` gives the same numbers (the tests hold the two against each other), but takes several times as long on
seasonal series. Three things follow from the errors:

* regressors and the innovation variance are profiled out by least squares on whitened columns;
* a missing value is one more column, an unknown height at its own row. The determinant of those columns turns the
  likelihood into that of the observed values alone; it equals the Kalman filter's with exact diffuse start;
* a step after the end is a missing value too: the estimate of its height is its forecast, with its exact variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from statsmodels.tsa.innovations.arma_innovations import arma_innovations

__all__ = ["Order", "Polynomials", "difference", "loglikelihood", "polynomials", "profile", "residuals", "whitened"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Order:
    """ARIMA(p,d,q)(P,D,Q)[m], and whether it has a constant: a mean without differencing, a drift with one."""

    p: int
    d: int
    q: int
    P: int = 0
    D: int = 0
    Q: int = 0
    m: int = 1
    constant: bool = False

    @property
    def lost(self) -> int:
        """Rows that differencing uses up."""
        return self.d + self.m * self.D

    @property
    def reach(self) -> int:
        """r: rows of w before the covariance settles into its band."""
        return max(self.p + self.m * self.P, self.q + self.m * self.Q)

    @property
    def arma(self) -> int:
        """Number of ARMA coefficients."""
        return self.p + self.q + self.P + self.Q

    def __str__(self) -> str:
        text = f"ARIMA({self.p},{self.d},{self.q})"
        if self.P or self.D or self.Q:
            text += f"({self.P},{self.D},{self.Q})[{self.m}]"
        return text + (f" with {'drift' if self.d + self.D else 'mean'}" if self.constant else "")


@dataclass(frozen=True)
class Polynomials:
    """The four polynomials, each with a leading 1; `phi` is 1 - phi_1 B - ..., `theta` is 1 + theta_1 B + ..."""

    phi: Floats
    theta: Floats
    seasonal_phi: Floats
    seasonal_theta: Floats
    m: int

    @property
    def ar(self) -> Floats:
        """phi(B) Phi(B^m), expanded."""
        return np.convolve(self.phi, _spread(self.seasonal_phi, self.m))

    @property
    def ma(self) -> Floats:
        """theta(B) Theta(B^m), expanded."""
        return np.convolve(self.theta, _spread(self.seasonal_theta, self.m))


def polynomials(order: Order, free: Floats) -> Polynomials:
    """Stationary and invertible polynomials from any real numbers `[p + q + P + Q]`.

    tanh makes them partial autocorrelations, and the Durbin-Levinson recursion coefficients (Monahan 1984).
    """
    p, q, P = order.p, order.q, order.P
    phi, theta, Phi, Theta = np.split(np.tanh(free), [p, p + q, p + q + P])
    return Polynomials(_levinson(phi), _levinson(-theta), _levinson(Phi), _levinson(-Theta), order.m)


def _levinson(partial: Floats) -> Floats:
    poly = np.ones(1)
    for r in partial:
        longer = np.append(poly, 0.0)
        poly = longer - r * longer[::-1]
    return poly


def _spread(poly: Floats, m: int) -> Floats:
    out = np.zeros((len(poly) - 1) * m + 1)
    out[::m] = poly
    return out


def difference(columns: Floats, order: Order) -> Floats:
    """(1-B)^d (1-B^m)^D of each column `[T, c]`, as `[T - d - mD, c]`."""
    for _ in range(order.D):
        columns = columns[order.m :] - columns[: -order.m]
    for _ in range(order.d):
        columns = columns[1:] - columns[:-1]
    return columns


def residuals(poly: Polynomials, w: Floats) -> Floats:
    """One-step residuals of each column `[n, c]`, everything before the first row taken as zero.

    The seasonal factors are applied by themselves, the recursive one to every phase of the season: their filters have
    P or Q taps then, not mP or mQ.
    """
    e = _lagged_sum(poly.seasonal_phi, _lagged_sum(poly.phi, w, 1), poly.m)
    if len(poly.theta) > 1:
        e = lfilter([1.0], poly.theta, e, axis=0)
    if len(poly.seasonal_theta) > 1:
        n, c = e.shape
        phases = np.concatenate([e, np.zeros((-n % poly.m, c))]).reshape(-1, poly.m * c)
        e = lfilter([1.0], poly.seasonal_theta, phases, axis=0).reshape(-1, c)[:n]
    return np.asarray(e)


def _lagged_sum(coefficients: Floats, x: Floats, step: int) -> Floats:
    out = x.copy()
    for k in range(step, min(step * (len(coefficients) - 1), len(x) - 1) + 1, step):
        out[k:] += coefficients[k // step] * x[:-k]
    return out


def whitened(poly: Polynomials, w: Floats) -> tuple[Floats, float]:
    """Columns `[n, c]` made independent with unit variance up to the innovation variance; log determinant of that.

    Raises LinAlgError where rounding leaves an error without a variance: a root on the unit circle.
    """
    try:
        white, variances = arma_innovations(w, -poly.ar[1:], poly.ma[1:], normalize=True, prefix="d")
    except (ValueError, ZeroDivisionError):  # a variance below zero, or none
        raise np.linalg.LinAlgError("the covariance is not positive definite") from None
    if not variances.min() > 0:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    return np.asarray(white), float(np.log(variances).sum())


def profile(columns: Floats, missing: int) -> tuple[Floats, Floats, float]:
    """Least squares of the first of the whitened columns on the others, of which the first `missing` are missing rows.

    Returns residuals, coefficients `[c - 1]` and the log determinant that integrating the missing rows out adds.
    """
    y, x = columns[:, 0], columns[:, 1:]
    if x.shape[1] == 0:
        return y, np.empty(0), 0.0
    if x.shape[1] == 1 and missing == 0:
        power = float(x[:, 0] @ x[:, 0])
        slope = float(x[:, 0] @ y) / power if power > 0 else 0.0
        return y - slope * x[:, 0], np.array([slope]), 0.0
    r: Floats = np.asarray(np.linalg.qr(np.concatenate([x, y[:, None]], axis=1), mode="r"))
    k = x.shape[1]
    heights = np.abs(np.diagonal(r)[:missing])
    if len(y) < k or (missing and heights.min() < 1e-9 * heights.max()):
        raise np.linalg.LinAlgError("missing values leave too little to identify the model")
    coefficients: Floats = np.asarray(np.linalg.solve(r[:k, :k], r[:k, k]), dtype=np.float64)
    return y - x @ coefficients, coefficients, 2.0 * float(np.log(heights).sum())


def loglikelihood(rest: Floats, log_det: float, missing: int) -> tuple[float, float]:
    """Log-likelihood at the best innovation variance, and that variance, from whitened residuals."""
    n = len(rest) - missing
    variance = float(rest @ rest) / n if n > 0 else 0.0
    if not variance > 0:
        raise np.linalg.LinAlgError("no residual is left to measure the variance from")
    return -0.5 * (n * log(2 * pi * variance) + log_det + n), variance
