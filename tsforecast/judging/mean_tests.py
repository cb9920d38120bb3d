"""Is the mean of a series of paired differences zero? Tests, intervals and corrections for many of them at once.

Every function takes differences with time along the first axis: `[T]`, or `[T, ...]` for many series at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "MeanTest",
    "autocorrelation_beyond",
    "benjamini_hochberg",
    "bootstrap_interval",
    "diebold_mariano",
    "effective_t",
    "giacomini_white",
    "holm",
    "with_variance",
    "worth",
]

Floats = npt.NDArray[np.float64]

ROUNDING = 1e-12  # variation this small beside the differences is rounding
MIN_APART = 3  # non-overlapping origins' worth of data, below which an interval says nothing
MOST_CORRELATION = 0.9
RESAMPLES = 2_000


class MeanTest(NamedTuple):
    """Means, their standard errors, t statistics, degrees of freedom and two-sided p-values; NaN = undefined."""

    mean: Floats
    error: Floats
    t: Floats
    df: Floats
    p_value: Floats

    @property
    def reach(self) -> Floats:
        """Half the widths of the 95 % intervals; NaN where there is none."""
        from scipy.special import stdtrit

        return np.where(self.df > 0, self.error * stdtrit(np.maximum(self.df, 1.0), 0.975), np.nan)


def with_variance(error: float, df: float, more: float, more_df: float) -> tuple[float, float]:
    """A standard error and its degrees of freedom with the variance of something else added, known as well as `more_df`
    degrees tell (Welch 1947, Satterthwaite 1946)."""
    if more <= 0 or not error > 0:
        return error, df
    both = error**2 + more
    return both**0.5, both**2 / (error**4 / df + more**2 / more_df)


def diebold_mariano(differences: Floats, lags: int) -> MeanTest:
    """Diebold & Mariano (1995) test that paired loss differences `[T, ...]` have mean 0.

    lags   how many neighbours overlap: h - 1 for h-step forecasts from every step

    The variance has Bartlett weights 1 - k / (lags + 1), the statistic the factor of Harvey, Leybourne & Newbold
    (1997), the p-value T - 1 degrees of freedom. Undefined (NaN) where the differences do not vary or T <= lags + 1:
    never replaced by a test of another hypothesis.
    """
    n, h = len(differences), lags + 1
    if n <= max(h, 1):
        return t_test(differences, np.nan, n - 1.0)
    d = differences - differences.mean(0)
    variance = (d * d).sum(0) / n
    for k in range(1, h):
        variance = variance + 2 * (1 - k / h) * (d[k:] * d[:-k]).sum(0) / n
    return t_test(differences, variance * n / ((n - h) * (n - h + 1)), n - 1.0)


def effective_t(differences: Floats, overlap: int) -> MeanTest:
    """The t test with only as many origins as the differences are worth (see `worth`).

    It is what keeps 5 % at 5 % where the Diebold-Mariano test alone rejects too often: its weights see two thirds of
    the variance of forecasts that share all their shocks, and nothing of errors that persist beyond the overlap.
    """
    apart = worth(differences, overlap)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(apart < MIN_APART, np.nan, differences.var(0) / (apart - 1))
    return t_test(differences, variance, apart - 1)


def worth(differences: Floats, overlap: int) -> Floats:
    """How many independent origins differences at T origins are worth, `overlap` of which forecast the same steps.

    T / overlap, divided by (1 + r) / (1 - r), which is what an autocorrelation r from one non-overlapping origin to
    the next costs a mean (Bartlett 1946); not below 3 where T / overlap is not, so that a mean many times the size of
    all variation is not withheld (the t test with 2 degrees of freedom asks for three standard deviations).
    """
    r, apart = autocorrelation_beyond(differences, overlap), len(differences) / overlap
    return np.maximum(apart * (1 - r) / (1 + r), min(apart, MIN_APART))


def autocorrelation_beyond(differences: Floats, overlap: int) -> Floats:
    """The autocorrelation at the first lag without overlap, between 0 and 0.9.

    The estimate is too small by about (1 + 3 r) / T' in T' independent values (Kendall 1954), which is added.
    """
    n = len(differences)
    d = differences - differences.mean(0)
    if n <= overlap:
        return np.zeros(differences.shape[1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (d[overlap:] * d[:-overlap]).sum(0) / (n - overlap) / d.var(0)
    r = np.nan_to_num(r, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(r + (1 + 3 * np.clip(r, 0, 1)) * overlap / n, 0, MOST_CORRELATION))


def t_test(differences: Floats, variance: Floats | float, df: Floats | float) -> MeanTest:
    """Of means with these variances; undefined where a variance is not above what rounding leaves."""
    from scipy.special import stdtr

    mean = np.asarray(differences.mean(0))
    floor = (ROUNDING * np.abs(differences).max(0, initial=0.0)) ** 2
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.where(np.asarray(variance) > floor, variance, np.nan))
        t = mean / error
    df = np.broadcast_to(np.asarray(df, dtype=np.float64), mean.shape)
    p_value = np.where(np.isfinite(t), 2 * stdtr(np.where(df > 0, df, 1.0), -np.abs(t)), np.nan)
    return MeanTest(mean, error, t, df, p_value)


def giacomini_white(differences: Floats, lags: int, *, conditional: bool = True) -> tuple[float, float]:
    """Statistic and p-value of Giacomini & White (2006): can the difference `[T]` be told in advance?

    conditional  with the instruments 1 and the difference before (one origin without overlap earlier); else 1 alone,
                 which for lags = 0 is DM^2 / (1 + DM^2 / T) without the small-sample factor

    The null hypothesis is about forecasts by models that are estimated anew on a window of fixed length, and about no
    others. The variance is uncentred, with Bartlett weights over `lags` neighbours. NaN where it is singular.
    """
    from scipy.special import chdtrc

    apart = lags + 1
    now, before = (differences[apart:], differences[:-apart]) if conditional else (differences, None)
    z = np.ones((len(now), 1)) if before is None else np.stack([np.ones(len(now)), before], axis=1)
    moments = z * now[:, None]
    n = len(moments)
    if n <= apart + z.shape[1]:
        return np.nan, np.nan
    spread = moments.T @ moments / n
    for k in range(1, apart):
        cross = moments[k:].T @ moments[:-k] / n
        spread = spread + (1 - k / apart) * (cross + cross.T)
    # the size of the instruments must not decide what counts as singular
    size = np.sqrt(np.abs(np.diag(spread)))
    if not (size > 0).all() or np.linalg.cond(spread / np.outer(size, size)) > 1 / ROUNDING:
        return np.nan, np.nan
    mean = moments.mean(0)
    statistic = float(n * mean @ np.linalg.solve(spread, mean))
    return (statistic, float(chdtrc(z.shape[1], statistic))) if statistic >= 0 else (np.nan, np.nan)


def bootstrap_interval(differences: Floats, overlap: int, *, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Studentised interval of the mean of differences `[T]` from a circular block bootstrap (Politis & Romano 1992).

    Blocks are as long as origins overlap. Each resample's mean is measured in its own standard error, which for few
    values is what makes the interval wide enough (Efron & Tibshirani 1993, ch. 12).
    """
    n = len(differences)
    rng = np.random.default_rng(seed)
    starts = rng.integers(n, size=(RESAMPLES, -(-n // overlap)))
    rows = ((starts[:, :, None] + np.arange(overlap)) % n).reshape(RESAMPLES, -1)[:, :n]
    drawn = differences[rows]
    mean, error = differences.mean(), differences.std() / np.sqrt(n - 1)
    errors = np.maximum(drawn.std(1) / np.sqrt(n - 1), 1e-3 * error)  # the same value drawn n times
    t = (drawn.mean(1) - mean) / errors
    low, high = np.quantile(t, [(1 - level) / 2, (1 + level) / 2])
    return float(mean - high * error), float(mean - low * error)


def holm(p_values: Floats) -> Floats:
    """Adjusted p-values `[K]`: those below a level are wrong anywhere among K with at most that probability (Holm
    1979). NaN stays NaN and is not counted."""
    return _stepwise(p_values, lambda p, k: np.maximum.accumulate(p * np.arange(k, 0, -1)))


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Adjusted p-values `[K]`: of those below a level, at most that share is expected to be wrong (Benjamini &
    Hochberg 1995). NaN stays NaN and is not counted."""
    return _stepwise(p_values, lambda p, k: np.minimum.accumulate((p * k / np.arange(1, k + 1))[::-1])[::-1])


def _stepwise(p_values: Floats, adjust: Callable[[Floats, int], Floats]) -> Floats:
    """Adjusted p-values in the given order; `adjust` takes the known ones, ascending, and their number."""
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    adjusted[order] = np.minimum(adjust(p_values[order], len(order)), 1.0)
    return adjusted
