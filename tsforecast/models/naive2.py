"""Naive2, the benchmark of the M4 competition: the naive forecast of what is left when a season is taken out.

Makridakis, Spiliotis & Assimakopoulos (2020), The M4 Competition, International Journal of Forecasting 36(1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tsforecast.contract import QUANTILES, Forecast, check_quantiles
from tsforecast.errors import ConfigError
from tsforecast.fields import plain_fields
from tsforecast.models.naive import FromPast, Naive
from tsforecast.panel import Future, Panel

__all__ = ["Naive2"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Naive2:
    """Divide by seasonal indices where the series passes a test for a season, repeat the last value, multiply back.

    season_length  steps in a season p; None takes the panel's. With 1 it is the naive forecast.

    The test: autocorrelation at lag p beyond 1.645 of its standard errors. As in the competition it is only made with
    at least 3 p steps and where p is among the lags up to 10 log10(n) of n steps (24 needs 252 steps, 48 needs 63,096).
    The indices: classical multiplicative decomposition, which needs values above zero. A series without a season is
    forecast as by `Naive`, and a note says why. Quantiles are those of `Naive` for the adjusted series, times the
    index of the step.
    """

    season_length: int | None = None
    quantiles: tuple[float, ...] = QUANTILES
    name = "naive2"
    local = True

    def __post_init__(self) -> None:
        plain_fields(self, self.name)
        if self.season_length is not None and self.season_length < 1:
            raise ConfigError(f"naive2.season_length={self.season_length}: must be at least 1")
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))

    def fit(self, past: Panel, horizon: int, /) -> FromPast:
        """Nothing is learned; the season length is settled."""
        return FromPast(replace(self, season_length=self.season_length or past.season_length), horizon)

    def forecast(self, past: Panel, future: Future) -> Forecast:
        """Point and quantiles from one cutoff."""
        p = self.season_length or past.season_length
        indices, notes = seasonal_indices(past, p)
        rows, owner, step = _flat(past)
        adjusted = past.values.copy()
        adjusted[rows] /= indices[owner, step % p]
        plain = Naive(quantiles=self.quantiles).forecast(replace(past, values=adjusted), future)
        phases = (past.lengths[:, None] + np.arange(future.horizon)) % p
        ahead = np.take_along_axis(indices, phases, axis=1)
        return replace(plain, point=plain.point * ahead, quantiles=plain.quantiles * ahead[:, :, None], notes=notes)


def seasonal_indices(past: Panel, p: int) -> tuple[Floats, tuple[tuple[str, str], ...]]:
    """Multiplicative indices `[N, p]` of mean 1, the phase of a series' first step first; all 1 without a season.

    The notes name the series without one, and why.
    """
    indices = np.ones((len(past), p))
    if p == 1:
        return indices, ()
    n = past.lengths
    reasons = np.full(len(past), "", dtype=object)
    reasons[_lowest(past) <= 0] = "values at or below zero have no multiplicative season"
    reasons[10 * np.log10(np.maximum(n, 1)) < p] = f"too short to test for a season of {p} steps"
    reasons[n < 3 * p] = f"shorter than three seasons of {p} steps"
    candidates = np.flatnonzero(reasons == "")
    seasonal = _has_season(past.take(candidates), p)
    reasons[candidates[~seasonal]] = f"no season of {p} steps by the autocorrelation test"
    found = candidates[seasonal]
    measured = _decompose(past.take(found), p)
    whole = np.isfinite(measured).all(axis=1)
    reasons[found[~whole]] = f"a phase of the season of {p} steps has no trend around it: too many gaps"
    indices[found[whole]] = measured[whole]
    return indices, tuple(
        (past.ids[i], f"naive2 without a season: {reasons[i]}") for i in np.flatnonzero(reasons != "").tolist()
    )


def _has_season(past: Panel, p: int) -> npt.NDArray[np.bool_]:
    """Whether |r_p| > 1.645 sqrt((1 + 2 sum of r_k^2 for k < p) / n), with r_k the autocorrelations (Bartlett 1946)."""
    rows, owner, _ = _flat(past)
    values = past.values[rows]
    values = values - _means(owner, values, len(past))[owner]
    values = np.where(np.isfinite(values), values, 0.0)
    total = np.bincount(owner, values**2, len(past))
    r = np.zeros((len(past), p + 1))
    for k in range(1, p + 1):
        same = owner[k:] == owner[:-k]
        r[:, k] = np.bincount(owner[k:][same], (values[k:] * values[:-k])[same], len(past))
    r /= np.where(total > 0, total, np.nan)[:, None]
    limit = 1.645 / np.sqrt(past.lengths) * np.sqrt(1 + 2 * (r[:, 1:p] ** 2).sum(axis=1))
    return np.asarray(np.abs(r[:, p]) > limit)


def _decompose(past: Panel, p: int) -> Floats:
    """Indices `[N, p]`: per phase the mean ratio of value to centred moving average, scaled to mean 1."""
    rows, owner, step = _flat(past)
    values = past.values[rows]
    half = p // 2
    weights = np.ones(p) if p % 2 else np.concatenate([[0.5], np.ones(p - 1), [0.5]])
    trend = np.full(len(values), np.nan)
    if len(values):
        trend[half : len(values) - half] = np.convolve(values, weights / p, mode="valid")
    trend[(step < half) | (step >= past.lengths[owner] - half)] = np.nan  # the window would reach a neighbour
    ratios = _means(owner * p + step % p, values / trend, len(past) * p).reshape(-1, p)
    return np.asarray(ratios / ratios.mean(axis=1, keepdims=True))


def _flat(past: Panel) -> tuple[Ints, Ints, Ints]:
    """For every row of every series, end to end: its flat position, the number of its series, its step in it."""
    owner = np.repeat(np.arange(len(past)), past.lengths)
    before = np.cumsum(past.lengths) - past.lengths
    step = np.arange(len(owner)) - before[owner]
    return past.starts[owner] + step, owner, step


def _means(group: Ints, values: Floats, groups: int) -> Floats:
    """Mean of the observed values of each group; NaN where there is none."""
    seen = np.isfinite(values)
    count = np.bincount(group[seen], minlength=groups)
    return np.bincount(group[seen], values[seen], groups) / np.where(count > 0, count, np.nan)


def _lowest(past: Panel) -> Floats:
    rows, owner, _ = _flat(past)
    lowest = np.full(len(past), np.inf)
    np.fmin.at(lowest, owner, past.values[rows])
    return lowest
