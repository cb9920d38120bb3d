"""Gaussian ARIMA on one series: residuals, exact likelihood and forecasts, all in a few LAPACK calls.

With w = (1-B)^d (1-B^m)^D (y - X b), the model is phi(B) Phi(B^m) w = theta(B) Theta(B^m) e.

The exact likelihood multiplies w by the autoregressive polynomial from row r = max(p', q') on, p' and q' the expanded
orders. The covariance of the result is a band of width r (Brockwell & Davis, Time Series: Theory and Methods, 3.3.8),
so one banded Cholesky factor whitens the series and every column beside it at once. Three things follow at no extra
cost:

* regressors and the innovation variance are profiled out by least squares on whitened columns;
* a missing value is one more column, an unknown height at its own row. The determinant of those columns turns the
  likelihood into that of the observed values alone; it equals the Kalman filter's with exact diffuse start;
* the same band, `horizon` rows longer, gives the forecasts and their exact variances.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import numpy as np
import numpy.typing as npt
from scipy.linalg import hankel, toeplitz
from scipy.linalg.lapack import dpbtrf, dtbtrs
from scipy.signal import lfilter, lfiltic

__all__ = ["Band", "Order", "Polynomials", "difference", "loglikelihood", "polynomials", "profile", "residuals"]

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


class Band:
    """Cholesky factor of the covariance of n rows of w, those after the first r multiplied by phi(B) Phi(B^m).

    Raises LinAlgError where rounding leaves the covariance without a factor: a root on the unit circle.
    """

    def __init__(self, poly: Polynomials, n: int) -> None:
        self.ar, ma = poly.ar, poly.ma
        self.phi, self.seasonal_phi, self.m = poly.phi, poly.seasonal_phi, poly.m
        self.reach = r = max(len(self.ar), len(ma)) - 1
        late, start, across = _covariances(self.ar, ma, r)
        band = np.empty((r + 1, n), order="F")
        band[:] = late[:, None]
        head = min(r, n)
        lag, row = np.arange(r + 1)[:, None], np.arange(head)
        band[:, :head] = np.where(lag + row < r, start[:, None], across[:, None])
        self.factor, failed = dpbtrf(band, lower=1, overwrite_ab=1)
        if failed:
            raise np.linalg.LinAlgError("the covariance is not positive definite")
        self.log_det = 2.0 * float(np.log(self.factor[0]).sum())

    def filtered(self, w: Floats) -> Floats:
        """Columns `[n, c]` whose covariance is the band: w itself in the first r rows, phi(B) Phi(B^m) w after them."""
        z = _lagged_sum(self.seasonal_phi, _lagged_sum(self.phi, w, 1), self.m)
        z[: self.reach] = w[: self.reach]
        return z

    def whiten(self, w: Floats) -> Floats:
        """Independent columns of unit variance, up to the innovation variance."""
        white, failed = dtbtrs(self.factor[:, : len(w)], self.filtered(w), uplo="L")
        assert failed == 0
        return np.asarray(white)

    def extend(self, white: Floats, order: Order, y: Floats, horizon: int) -> tuple[Floats, Floats]:
        """Means `[horizon, c]` of what follows the columns `y` `[T, c]`, and rows `[horizon, horizon]` of their errors.

        `self` has `horizon` rows more than `white`, the whitened differences of y. The error of step h is row h of the
        second answer times independent innovations, so its variance is the row's sum of squares.
        """
        n, r = len(white), self.reach
        below = np.zeros((horizon, r + horizon))  # the last rows of the factor, dense, columns n - r to n + horizon
        for lag in range(r + 1):
            h = np.arange(horizon)
            below[h, h + r - lag] = self.factor[lag, n + h - lag]
        z = below[:, :r] @ white[n - r :]
        full = self.ar
        for _ in range(order.d):
            full = np.convolve(full, [1.0, -1.0])
        for _ in range(order.D):
            full = np.convolve(full, _spread(np.array([1.0, -1.0]), order.m))
        memory = np.stack([lfiltic([1.0], full, column[: -len(full) : -1]) for column in y.T], axis=1)
        mean = lfilter([1.0], full, z, axis=0, zi=memory)[0] if len(full) > 1 else z
        return np.asarray(mean), np.asarray(lfilter([1.0], full, below[:, r:], axis=0))


def _covariances(ar: Floats, ma: Floats, r: int) -> tuple[Floats, Floats, Floats]:
    """Lags 0 to r, for unit innovations: of the moving average, of w, and of w with the later moving average."""
    p, q = len(ar) - 1, len(ma) - 1
    late = np.zeros(r + 1)
    late[: q + 1] = np.convolve(ma, ma[::-1])[q:]
    impulse = np.zeros(q + 1)
    impulse[0] = 1.0
    weights = lfilter(ma, ar, impulse)
    across = np.zeros(r + 1)
    across[: q + 1] = np.convolve(ma, weights[::-1])[q:]
    # Yule-Walker for w: sum_k ar_k gamma(|j - k|) = across(j), lags 0 to p
    folded = hankel(ar)
    folded[:, 0] = 0.0
    right = np.zeros(p + 1)
    right[: min(p, r) + 1] = across[: p + 1]
    gamma = np.zeros(r + 1)
    gamma[: p + 1] = np.linalg.solve(toeplitz(ar, np.zeros(p + 1)) + folded, right)
    if r > p:
        gamma[p + 1 :] = lfilter([1.0], ar, across[p + 1 :], zi=lfiltic([1.0], ar, gamma[p:0:-1]))[0]
    return late, gamma, across


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
    r = np.linalg.qr(np.concatenate([x, y[:, None]], axis=1), mode="r")
    k = x.shape[1]
    heights = np.abs(np.diagonal(r)[:missing])
    if len(y) < k or (missing and heights.min() < 1e-9 * heights.max()):
        raise np.linalg.LinAlgError("missing values leave too little to identify the model")
    coefficients = np.linalg.solve(r[:k, :k], r[:k, k])
    return y - x @ coefficients, coefficients, 2.0 * float(np.log(heights).sum())


def loglikelihood(rest: Floats, log_det: float, missing: int) -> tuple[float, float]:
    """Log-likelihood at the best innovation variance, and that variance, from whitened residuals."""
    n = len(rest) - missing
    variance = float(rest @ rest) / n if n > 0 else 0.0
    if not variance > 0:
        raise np.linalg.LinAlgError("no residual is left to measure the variance from")
    return -0.5 * (n * log(2 * pi * variance) + log_det + n), variance
