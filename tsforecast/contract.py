"""The contract between models and everything else: what a model is given, what it answers.

A *forecaster* is a frozen recipe. `fit` returns a new object, the *fitted* model, which can forecast from any number
of origins at once and cannot be fitted again. Any object with these two methods can be backtested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, overload, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.errors import ConfigError
from tsforecast.fields import plain_value
from tsforecast.floor import has_floor
from tsforecast.frequency import Frequency
from tsforecast.panel import Panel, View

__all__ = [
    "QUANTILES",
    "Failure",
    "Fitted",
    "FittedModel",
    "Forecast",
    "Forecaster",
    "check_quantiles",
    "level_quantiles",
]

QUANTILES = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
"""The levels every model answers unless told otherwise: deciles for the CRPS, the ends of 80, 90 and 95 % intervals."""

FLOOR = "negative forecasts set to zero: the past reaches zero often and never goes below"


class Failure(NamedTuple):
    """A series that a model could not forecast, and why. Its numbers are NaN, never those of another model."""

    unique_id: str
    reason: str


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a model says of the H steps after one cutoff, in the units of the target.

    point      `[N, H]`: the mean or the median, as the model documents
    levels     Q probabilities, ascending
    quantiles  `[N, H, Q]`, non-decreasing along Q
    failures   series that have no forecast (their rows are NaN)
    notes      remarks worth recording: (id, remark), such as the rung of a fallback ladder; id "": of all series
    members    `[S, N, H]`: the points of each of S models that this forecast is the mean of; None for one alone
    """

    ids: Sequence[str]
    times: npt.NDArray[Any]
    freq: Frequency
    point: npt.NDArray[np.float64]
    levels: tuple[float, ...]
    quantiles: npt.NDArray[np.float64]
    failures: tuple[Failure, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    members: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n, h = self.times.shape
        assert n == len(self.ids) and self.point.shape == (n, h), "point forecasts must be [N, H]"
        assert self.quantiles.shape == (n, h, len(self.levels)), "quantiles must be [N, H, Q]"
        assert self.members is None or self.members.shape[1:] == (n, h), "members must be [S, N, H]"

    def tail(self, steps: int) -> Forecast:
        """The last `steps` steps: what is left of a forecast over a gap and a horizon."""
        members = None if self.members is None else self.members[:, :, -steps:]
        cut = {name: getattr(self, name)[:, -steps:] for name in ("times", "point", "quantiles")}
        return replace(self, **cut, members=members)

    def at(self, levels: Sequence[float]) -> npt.NDArray[np.float64]:
        """The quantiles `[N, H, Q]` at these levels; NaN at those that it does not have."""
        found = np.full((*self.point.shape, len(levels)), np.nan)
        there = [k for k, q in enumerate(levels) if q in self.levels]
        found[:, :, there] = self.quantiles[:, :, [self.levels.index(levels[k]) for k in there]]
        return found

    def none_below_zero(self, rows: npt.NDArray[np.bool_]) -> Forecast:
        """The same with zero in place of what is below it in these rows `[N]`, and a note for each."""
        lowest = np.where(rows, 0.0, -np.inf)[:, None]
        return replace(
            self,
            point=np.maximum(self.point, lowest),
            quantiles=np.maximum(self.quantiles, lowest[:, :, None]),
            members=None if self.members is None else np.maximum(self.members, lowest),
            notes=(*self.notes, *((self.ids[i], FLOOR) for i in np.flatnonzero(rows).tolist())),
        )

    def to_frame(self, name: str = "forecast", level: Sequence[int] = (80, 95)) -> pd.DataFrame:
        """Long frame `unique_id, ds, <name>, <name>-lo-80, <name>-hi-80, ...`."""
        h = self.times.shape[1]
        columns: dict[str, Any] = {
            "unique_id": np.repeat(np.asarray(self.ids, dtype=object), h),
            "ds": self.freq.to_pandas(self.times.ravel()),
            name: self.point.ravel(),
        }
        for percent in level:
            for word, q in zip(("lo", "hi"), level_quantiles(percent), strict=True):
                if q not in self.levels:
                    raise ConfigError(f"level {percent}: the forecast has no quantile {q}; it has {list(self.levels)}")
                columns[f"{name}-{word}-{percent}"] = self.quantiles[:, :, self.levels.index(q)].ravel()
        return pd.DataFrame(columns)


class Fitted(Protocol):
    """A fitted model: forecasts from many origins in one call."""

    def predict(self, views: Sequence[View], /) -> list[Forecast]:
        """One forecast per view, for the series of the view, in its order."""
        ...


@runtime_checkable
class Forecaster(Protocol):
    """A recipe. `name` is what results and reports call it.

    One that forecasts each series from that series alone may say `local = True`: it is then run on some of the series
    at a time, and what goes wrong on a series costs that series.

    One of all series whose forecast is the mean of several models (`ensemble.mean_forecast`), such as a network trained
    from several seeds, may offer `members() -> {name: recipe}`: each is then fitted in a task of its own.
    """

    @property
    def name(self) -> str: ...

    def fit(self, past: Panel, horizon: int, /) -> Fitted:
        """Learn from `past`, which ends at the cutoff, to forecast `horizon` steps."""
        ...


class FittedModel:
    """What the package's own fitted models share: one origin may be given without a list around it, and nothing below
    zero is forecast of what comes down to zero often and never went further."""

    @overload
    def predict(self, views: Panel | View, /) -> Forecast: ...
    @overload
    def predict(self, views: Sequence[View], /) -> list[Forecast]: ...
    def predict(self, views: Panel | View | Sequence[View], /) -> Forecast | list[Forecast]:
        """Forecast from one origin (a panel, or a view where covariates are known ahead) or from a list of views.

        Raises DataError where a series is unknown to a model that forecasts none but those it was fitted on, or too
        short for it; ConfigError where another number of steps is asked for than it was fitted for.
        """
        if isinstance(views, Panel):
            return self.predict([View(views, views.future(self.horizon))])[0]
        if isinstance(views, View):
            return self.predict([views])[0]
        for view in views:
            if view.future.horizon != self.horizon:
                raise ConfigError(
                    f"the model was fitted to forecast {self.horizon} steps and is asked for {view.future.horizon}; "
                    "fit it for as many as you need"
                )
        return _with_floor(views, self._predict(list(views)))

    horizon: int

    def _predict(self, views: list[View]) -> list[Forecast]:
        raise NotImplementedError


def _with_floor(views: Sequence[View], found: list[Forecast]) -> list[Forecast]:
    """Quantiles do not cross, and the median is among them: the lowest tells whether anything is below zero."""
    lows = [forecast.quantiles[:, :, 0] if forecast.levels else forecast.point for forecast in found]
    sizes = np.array([len(low) for low in lows], dtype=np.int64)
    below = np.flatnonzero((np.concatenate(lows) < 0).any(axis=1)) if found else sizes
    if not len(below):
        return found
    owner = np.repeat(np.arange(len(found)), sizes)[below]
    those, first = np.unique(owner, return_index=True)  # many origins are asked at once, and few have any below zero
    rows = np.split(below - (np.cumsum(sizes) - sizes)[owner], first[1:])
    floors = has_floor([views[i].past.take(some) for i, some in zip(those, rows, strict=True)])
    kept = list(found)
    for i, some, floor in zip(those, rows, np.split(floors, first[1:]), strict=True):
        lifted = np.zeros(len(found[i].ids), dtype=bool)
        lifted[some] = floor
        kept[i] = found[i].none_below_zero(lifted) if floor.any() else found[i]
    return kept


def level_quantiles(percent: int | float) -> tuple[float, float]:
    """The two quantiles of a central interval: 80 -> (0.1, 0.9)."""
    if not 0 < percent < 100:
        raise ConfigError(f"level {percent}: an interval's level is a percentage between 0 and 100")
    return round((1 - percent / 100) / 2, 6), round((1 + percent / 100) / 2, 6)


def check_quantiles(levels: Sequence[float]) -> tuple[float, ...]:
    """Ascending probabilities inside (0, 1), the median among them, or ConfigError."""
    levels = tuple(round(q, 6) for q in plain_value("quantiles", levels, tuple[float, ...]))
    if not levels or list(levels) != sorted(set(levels)) or levels[0] <= 0 or levels[-1] >= 1:
        raise ConfigError(f"quantiles {list(levels)}: give ascending numbers between 0 and 1, each once")
    if 0.5 not in levels:
        raise ConfigError(f"quantiles {list(levels)}: 0.5 must be among them, since the median is a point forecast")
    return levels
