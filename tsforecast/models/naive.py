"""The forecasts that cost nothing and are hard to beat: the opponents of every other model.

Quantiles are normal with the spread of the model's own in-sample errors, grown over the horizon as theory says for a
random walk (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 5.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tsforecast.contract import QUANTILES, Failure, FittedModel, Forecast, check_quantiles
from tsforecast.errors import ConfigError
from tsforecast.fields import plain_fields
from tsforecast.panel import Future, Panel, View

__all__ = ["Drift", "FromPast", "Naive", "SeasonalNaive"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Rule(Protocol):
    """A recipe that forecasts from a past as it stands."""

    def forecast(self, past: Panel, future: Future) -> Forecast: ...


NEVER = "the last value at phases of the season that were never observed"


@dataclass(frozen=True, eq=False)
class FromPast(FittedModel):
    """What a rule is once fitted: the rule. Every number comes from the past that a forecast is made from."""

    rule: Rule
    horizon: int

    def _predict(self, views: list[View]) -> list[Forecast]:
        return [self.rule.forecast(past, future) for past, future in views]


@dataclass(frozen=True, kw_only=True)
class Naive:
    """The last observed value, for every step: the best forecast of a random walk.

    Spread: the root mean square of one-step changes, times the root of the steps since that value.
    """

    quantiles: tuple[float, ...] = QUANTILES
    name = "naive"
    local = True

    def __post_init__(self) -> None:
        plain_fields(self, self.name)
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))

    def fit(self, past: Panel, horizon: int, /) -> FromPast:
        """Nothing is learned."""
        return FromPast(self, horizon)

    def forecast(self, past: Panel, future: Future) -> Forecast:
        """Point and quantiles from one cutoff."""
        _, last = observed_rows(past)
        point = np.repeat(values_at(past, last)[:, None], future.horizon, axis=1)
        spread = np.sqrt(past.mean_change(1, power=2)[:, None] * _steps_since(past, last, future.horizon))
        return _normal(past, future, self.quantiles, point, spread, needed=2)


@dataclass(frozen=True, kw_only=True)
class SeasonalNaive:
    """The value one season before, the last season repeated over the horizon.

    season_length  steps in a season; None takes the panel's. With 1 it is the naive forecast.

    Where that value was not observed, the same phase one more season back is taken, and for a phase that was never
    observed, such as the day on which a shop is closed, the last value. Spread: the root mean square of seasonal
    changes, times the root of the number of seasons since that value (of all, for such a phase).
    """

    season_length: int | None = None
    quantiles: tuple[float, ...] = QUANTILES
    name = "seasonal_naive"
    local = True

    def __post_init__(self) -> None:
        plain_fields(self, self.name)
        if self.season_length is not None and self.season_length < 1:
            raise ConfigError(f"seasonal_naive.season_length={self.season_length}: must be at least 1")
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))

    def fit(self, past: Panel, horizon: int, /) -> FromPast:
        """Nothing is learned; the season length is settled."""
        return FromPast(replace(self, season_length=self.season_length or past.season_length), horizon)

    def forecast(self, past: Panel, future: Future) -> Forecast:
        """Point and quantiles from one cutoff."""
        m = self.season_length or past.season_length
        steps = np.arange(future.horizon)
        season, age = _last_season(past, m)
        never = ~np.isfinite(season) & (past.lengths > m)[:, None]
        last = values_at(past, observed_rows(past)[1])
        point = np.where(never, last[:, None], season)[:, steps % m]
        spread = np.sqrt(past.mean_change(m, power=2)[:, None] * (steps // m + age[:, steps % m]))
        found = _normal(past, future, self.quantiles, point, spread, needed=m + 1)
        told = np.flatnonzero((never[:, steps % m] & np.isfinite(found.point)).any(axis=1))
        return replace(found, notes=tuple((past.ids[i], NEVER) for i in told.tolist()))


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The line from the first observed value to the last, continued.

    Spread: one-step changes about the slope, times sqrt(h (1 + h / (T - 1))), h and T counted from the observed values.
    """

    quantiles: tuple[float, ...] = QUANTILES
    name = "drift"
    local = True

    def __post_init__(self) -> None:
        plain_fields(self, self.name)
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))

    def fit(self, past: Panel, horizon: int, /) -> FromPast:
        """Nothing is learned: the slope is that of the past that a forecast is made from."""
        return FromPast(self, horizon)

    def forecast(self, past: Panel, future: Future) -> Forecast:
        """Point and quantiles from one cutoff."""
        first, last = observed_rows(past)
        ahead = _steps_since(past, last, future.horizon)
        distance = np.maximum(last - first, 1)
        start, end = values_at(past, first), values_at(past, last)
        slope = np.where(last > first, (end - start) / distance, np.nan)
        variance = np.maximum(past.mean_change(1, power=2) - slope**2, 0.0)
        point = end[:, None] + slope[:, None] * ahead
        spread = np.sqrt(variance[:, None] * ahead * (1 + ahead / distance[:, None]))
        return _normal(past, future, self.quantiles, point, spread, needed=2)


def observed_rows(past: Panel) -> tuple[Ints, Ints]:
    """Flat positions `[N]` of the first and the last observed value of each series; last < first if there is none."""
    rows = np.flatnonzero(np.isfinite(past.values))
    after = np.searchsorted(rows, past.starts)
    before = np.searchsorted(rows, past.ends) - 1
    found: npt.NDArray[np.bool_] = np.asarray(after <= before)
    rows = np.append(rows, -1)  # so that a series without a value has a row to look up, which is not used
    return np.where(found, rows[after], past.ends), np.where(found, rows[before], past.starts - 1)


def values_at(past: Panel, rows: Ints) -> Floats:
    """The values `[N]` at flat positions, one per series; NaN for a position outside the series."""
    inside: npt.NDArray[np.bool_] = (past.starts <= rows) & (rows < past.ends)
    return np.where(inside, past.values[np.where(inside, rows, 0)], np.nan)


def _steps_since(past: Panel, last: Ints, horizon: int) -> Ints:
    """`[N, H]`: steps from the last observed value to each step to forecast: 1, 2 ... where the past ends with it."""
    return np.asarray((past.ends - 1 - last)[:, None] + np.arange(1, horizon + 1))


def _last_season(past: Panel, m: int) -> tuple[Floats, Ints]:
    """`[N, m]` twice: the last observed value of each phase and how many seasons old it is, 1 for the last season.

    The phase of the first step to forecast comes first.
    """
    rows = past.ends[:, None] - m + np.arange(m)
    season, age = np.full(rows.shape, np.nan), np.ones(rows.shape, dtype=np.int64)
    while (missing := ~np.isfinite(season) & (rows >= past.starts[:, None])).any():
        season = np.where(missing, past.values[np.maximum(rows, 0)], season)
        rows = rows - m
        age += ~np.isfinite(season)
    return season, age


def _normal(
    past: Panel, future: Future, levels: tuple[float, ...], point: Floats, spread: Floats, needed: int
) -> Forecast:
    """Point and normal quantiles; a series whose spread cannot be measured is reported as failed."""
    scores = np.array([NormalDist().inv_cdf(q) for q in levels])
    good = np.isfinite(np.concatenate([point, spread], axis=1)).all(axis=1, keepdims=True)
    point = np.where(good, point, np.nan)
    quantiles = point[:, :, None] + np.where(good, spread, np.nan)[:, :, None] * scores
    failures = tuple(
        Failure(past.ids[i], _too_little(past.series(i), needed)) for i in np.flatnonzero(~good[:, 0]).tolist()
    )
    return Forecast(past.ids, future.times, past.freq, point, levels, quantiles, failures)


def _too_little(series: Floats, needed: int) -> str:
    if len(series) < needed:
        return f"too short: has {len(series)} steps, needs {needed}"
    return f"too few observed values: {int(np.isfinite(series).sum())} in {len(series)} steps"
