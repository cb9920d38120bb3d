"""The forecasts that cost nothing and are hard to beat: the opponents of every other model.

Quantiles are normal with the spread of the model's own in-sample errors, grown over the horizon as theory says for a
random walk (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 5.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from tsforecast.errors import ConfigError
from tsforecast.forecast import QUANTILES, Failure, FittedModel, Forecast, check_quantiles
from tsforecast.panel import Panel, View

__all__ = ["Drift", "Naive", "SeasonalNaive"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Naive:
    """The last observed value, for every step: the best forecast of a random walk.

    Spread: the root mean square of one-step changes, times the root of the step.
    """

    quantiles: tuple[float, ...] = QUANTILES
    name = "naive"

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))

    def fit(self, past: Panel, horizon: int, /) -> _FittedNaive:
        """Nothing is learned: every number comes from the past that a forecast is made from."""
        return _FittedNaive(self, horizon)


@dataclass(frozen=True, eq=False)
class _FittedNaive(FittedModel):
    recipe: Naive
    horizon: int

    def _predict(self, views: list[View]) -> list[Forecast]:
        return [self._one(*view) for view in views]

    def _one(self, past: Panel, future: object) -> Forecast:
        steps = np.arange(1, self.horizon + 1)
        point = np.repeat(_last_observed(past)[:, None], self.horizon, axis=1)
        spread = np.sqrt(past.mean_change(1, power=2))[:, None] * np.sqrt(steps)
        return _normal(past, self.recipe.quantiles, point, spread, needed=2)


@dataclass(frozen=True, kw_only=True)
class SeasonalNaive:
    """The value one season before, the last season repeated over the horizon.

    season_length  steps in a season; None takes the panel's. With 1 it is the naive forecast.

    Where that value was not observed, the same phase one more season back is taken. Spread: the root mean square of
    seasonal changes, times the root of the number of seasons ahead.
    """

    season_length: int | None = None
    quantiles: tuple[float, ...] = QUANTILES
    name = "seasonal_naive"

    def __post_init__(self) -> None:
        if self.season_length is not None and self.season_length < 1:
            raise ConfigError(f"seasonal_naive.season_length={self.season_length}: must be at least 1")
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))

    def fit(self, past: Panel, horizon: int, /) -> _FittedSeasonalNaive:
        """Nothing is learned; the season length is settled."""
        return _FittedSeasonalNaive(self, horizon, self.season_length or past.season_length)


@dataclass(frozen=True, eq=False)
class _FittedSeasonalNaive(FittedModel):
    recipe: SeasonalNaive
    horizon: int
    season_length: int

    def _predict(self, views: list[View]) -> list[Forecast]:
        return [self._one(*view) for view in views]

    def _one(self, past: Panel, future: object) -> Forecast:
        m = self.season_length
        steps = np.arange(self.horizon)
        point = _last_season(past, m)[:, steps % m]
        spread = np.sqrt(past.mean_change(m, power=2))[:, None] * np.sqrt(steps // m + 1)
        return _normal(past, self.recipe.quantiles, point, spread, needed=m + 1)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The line from the first observed value to the last, continued.

    Spread: one-step changes about the slope, times sqrt(h (1 + h / (T - 1))).
    """

    quantiles: tuple[float, ...] = QUANTILES
    name = "drift"

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))

    def fit(self, past: Panel, horizon: int, /) -> _FittedDrift:
        """Nothing is learned: the slope is that of the past that a forecast is made from."""
        return _FittedDrift(self, horizon)


@dataclass(frozen=True, eq=False)
class _FittedDrift(FittedModel):
    recipe: Drift
    horizon: int

    def _predict(self, views: list[View]) -> list[Forecast]:
        return [self._one(*view) for view in views]

    def _one(self, past: Panel, future: object) -> Forecast:
        steps = np.arange(1, self.horizon + 1)
        first, last = _observed_rows(past)
        distance = np.where(last > first, last - first, 1)
        low, high = past.values[np.maximum(first, 0)], past.values[np.maximum(last, 0)]
        slope = np.where(last > first, (high - low) / distance, np.nan)
        variance = np.maximum(past.mean_change(1, power=2) - slope**2, 0.0)
        spread = np.sqrt(variance)[:, None] * np.sqrt(steps * (1 + steps / distance[:, None]))
        return _normal(past, self.recipe.quantiles, high[:, None] + slope[:, None] * steps, spread, needed=2)


def _observed_rows(past: Panel) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Flat positions of the first and the last observed value of each series; last < first where there is none."""
    rows = np.flatnonzero(np.isfinite(past.values))
    if len(rows) == 0:
        return past.ends, past.starts - 1
    after = np.searchsorted(rows, past.starts)
    before = np.searchsorted(rows, past.ends) - 1
    first = np.where(after <= before, rows[np.minimum(after, len(rows) - 1)], past.ends)
    last = np.where(after <= before, rows[np.maximum(before, 0)], past.starts - 1)
    return first, last


def _last_observed(past: Panel) -> Floats:
    first, last = _observed_rows(past)
    return np.where(last >= first, past.values[np.maximum(last, 0)], np.nan)


def _last_season(past: Panel, m: int) -> Floats:
    """`[N, m]`: the last observed value of each phase, the phase of the first step to forecast first."""
    rows = past.ends[:, None] - m + np.arange(m)
    season = np.full(rows.shape, np.nan)
    while (missing := ~np.isfinite(season) & (rows >= past.starts[:, None])).any():
        season = np.where(missing, past.values[np.maximum(rows, 0)], season)
        rows = rows - m
    return season


def _normal(past: Panel, levels: tuple[float, ...], point: Floats, spread: Floats, needed: int) -> Forecast:
    """Point and normal quantiles; a series whose spread cannot be measured is reported as failed."""
    scores = np.array([NormalDist().inv_cdf(q) for q in levels])
    good = np.isfinite(point).all(axis=1) & np.isfinite(spread).all(axis=1)
    point = np.where(good[:, None], point, np.nan)
    quantiles = point[:, :, None] + np.where(good[:, None], spread, np.nan)[:, :, None] * scores
    failures = tuple(
        Failure(past.ids[i], f"too short: needs {needed} steps with observed values, has {int(past.lengths[i])} steps")
        for i in np.flatnonzero(~good)
    )
    times = past.freq.after(past.last_times, point.shape[1])
    return Forecast(past.ids, times, past.freq, point, levels, quantiles, failures)
