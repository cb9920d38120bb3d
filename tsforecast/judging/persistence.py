"""Does a model forecast, or does it repeat the last value? In a chart a copy one step late looks right.

Every forecast is split at the last value observed before its cutoff: what the model says will change from there,
against what did change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.judging.cubes import Cube, cubes
from tsforecast.results import BacktestResult

__all__ = ["Changes", "changes", "persistence"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

NO_SKILL = 0.02  # a smaller gain over the last value is not worth having: the margin of the comparisons
NO_SLOPE = 0.1  # predicted changes that follow so little of the actual ones explain about 1 % of them
VERY_HIGH = 0.9  # correlation with the last value
SMALL = 0.5  # larger changes than this share of the actual ones are not a copy, right or wrong
_ROUNDING = 1e-9  # levels this little apart, beside their size, are one level


class Changes(NamedTuple):
    """From the last observed value to the forecast (`predicted`) and to the truth (`actual`), `[n]` each, in units of
    the series' mean absolute change before the cutoff; fold by fold, series by series, step by step."""

    predicted: Floats
    actual: Floats


def changes(result: BacktestResult, model: str) -> Changes:
    """What one model said would change and what did, wherever all models have a forecast and the truth is known."""
    place = result.models.index(model)
    parts = [(values.predicted[place], values.actual) for values in map(_Values.of, cubes(result))]
    return Changes(*(np.concatenate(own) for own in zip(*parts, strict=True)))


def persistence(result: BacktestResult) -> pd.DataFrame:
    """How far each model is from repeating the last observed value. One row per model:

    model        its name
    skill        1 - its mean absolute error / that of the last value: 0 is as good as repeating it
    corr_now     correlation of the forecasts with the values that they forecast
    corr_before  correlation of the forecasts with the last value before the cutoff
    slope        of predicted on actual changes since that value, through the origin: 1 is all of them, 0 is none
    size         mean absolute predicted change / mean absolute actual change
    flagged      whether it is the last value delayed: no skill, closer to the last value than to the truth, and changes
                 that are small and do not follow the actual ones
    sentence     all of it in words

    Correlations are about the mean of each series, so that different levels of series do not make them 1. A model can
    be flagged and yet be the best there is: on a random walk nothing beats the last value. NaN where nothing moved, or
    where the model has no forecast.
    """
    sums = sum((_Values.of(cube).sums() for cube in cubes(result)), np.zeros((len(SUMS), 1)))
    found = {
        model: _Copy.of(dict(zip(SUMS, own, strict=True)))
        for model, own in zip(result.models, sums.T.tolist(), strict=True)
    }
    rows = [
        {"model": model, **asdict(copy), "flagged": copy.flagged, "sentence": copy.sentence(model)}
        for model, copy in found.items()
    ]
    return pd.DataFrame(rows)


SUMS = (
    "miss", "moved", "said", "said moved", "moved moved",
    "forecast truth", "forecast last", "forecast forecast", "truth truth", "last last",
)  # fmt: skip
"""Of products of the changes and of the levels about their means: all that persistence is found from."""


class _Values(NamedTuple):
    """n forecast values of M models: changes from the last value, and levels about the mean of their series."""

    predicted: Floats  # [M, n]
    actual: Floats  # [n]
    forecast: Floats  # [M, n]
    truth: Floats  # [n]
    last: Floats  # [n]

    @classmethod
    def of(cls, cube: Cube) -> _Values:
        last = np.broadcast_to(cube.last[:, None], cube.y.shape)
        scale = np.broadcast_to(_scales(cube, last)[:, None], cube.y.shape)
        # a model that failed everywhere takes nobody with it
        known = np.isfinite(cube.y - last) & (scale > 0) & np.isfinite(cube.point[cube.alive]).all(axis=0)
        names = np.broadcast_to(cube.series[:, None], cube.y.shape)[known]
        y, point, last, scale = cube.y[known], cube.point[:, known], last[known], scale[known]
        unit = _means(scale, names)  # one for all levels of a series: in changing units a constant would move
        return cls(
            (point - last) / scale,
            (y - last) / scale,
            np.stack([_centred(row / unit, names) for row in point]),
            _centred(y / unit, names),
            _centred(last / unit, names),
        )

    def sums(self) -> Floats:
        """SUMS of each model `[10, M]`."""
        every = [
            [
                np.abs(predicted - self.actual).sum(),
                np.abs(self.actual).sum(),
                np.abs(predicted).sum(),
                predicted @ self.actual,
                self.actual @ self.actual,
                forecast @ self.truth,
                forecast @ self.last,
                forecast @ forecast,
                self.truth @ self.truth,
                self.last @ self.last,
            ]
            for predicted, forecast in zip(self.predicted, self.forecast, strict=True)
        ]
        return np.array(every).T


def _scales(cube: Cube, last: Floats) -> Floats:
    """The unit of each row `[R]`: the mean absolute change before its cutoff; where the past was too short or did not
    move, how far the series went from its last values; NaN where it went nowhere."""
    moved = np.abs(cube.y - last)
    counts = np.bincount(cube.series, np.isfinite(moved).sum(axis=1))
    distance = np.bincount(cube.series, np.nansum(moved, axis=1)) / np.maximum(counts, 1)
    scale = np.where(cube.scale_abs > 0, cube.scale_abs, distance[cube.series])
    return np.where(scale > 0, scale, np.nan)


def _means(values: Floats, names: Codes) -> Floats:
    """The mean of each value's series `[n]`."""
    return np.asarray((np.bincount(names, values) / np.maximum(np.bincount(names), 1))[names])


def _centred(values: Floats, names: Codes) -> Floats:
    mean = _means(values, names)
    return np.where(np.abs(values - mean) > _ROUNDING * np.abs(mean), values - mean, 0.0)


def _correlation(products: float, one: float, other: float) -> float:
    """From sums of products about the means; NaN where one does not vary."""
    size = math.sqrt(one * other)
    return products / size if size > 0 else math.nan


@dataclass(frozen=True)
class _Copy:
    """The numbers of one model: see `persistence`."""

    skill: float
    corr_now: float
    corr_before: float
    slope: float
    size: float

    @classmethod
    def of(cls, sums: Mapping[str, float]) -> _Copy:
        if not (sums["moved"] > 0 and math.isfinite(sums["miss"])):
            return cls(*[math.nan] * 5)
        levels = sums["forecast forecast"]
        return cls(
            1 - sums["miss"] / sums["moved"],
            _correlation(sums["forecast truth"], levels, sums["truth truth"]),
            _correlation(sums["forecast last"], levels, sums["last last"]),
            sums["said moved"] / sums["moved moved"],
            sums["said"] / sums["moved"],
        )

    @property
    def near(self) -> bool:
        """With one origin the last values of a series do not vary, and the correlations have no say."""
        closer = not (self.corr_before < VERY_HIGH or self.corr_before <= self.corr_now)
        return closer and abs(self.slope) <= NO_SLOPE and self.size <= SMALL

    @property
    def flagged(self) -> bool:
        """Near to the last value, and no better."""
        return self.near and self.skill <= NO_SKILL

    def sentence(self, model: str) -> str:
        """What the numbers say, and no more."""
        if math.isnan(self.skill):
            return f"{model} cannot be held against the last value: it has no forecast, or nothing changed."
        if self.size <= _ROUNDING:
            return f"{model} is the last value, repeated."
        apart = f"{100 * abs(self.skill):.1f} %"
        error = "equal to" if apart == "0.0 %" else f"{apart} {'smaller' if self.skill > 0 else 'larger'} than"
        size = f"{100 * self.size:.0f} %" if self.size >= 0.005 else f"{100 * self.size:.1g} %"
        slope = f"slope {self.slope:.2f}".replace("-0.00", "0.00").replace("-", "−")
        facts = f"its error is {error} that of the last value; "
        facts += f"its predicted changes are {size} as large as the actual ones"
        if not self.flagged:
            but = "" if self.skill > NO_SKILL else ", but comes no closer"
            word = "says little more than" if self.near else "does not repeat"
            return f"{model} {word} the last value{but}: {facts} and follow them with {slope}."
        facts += f" and do not follow them ({slope})"
        if math.isfinite(self.corr_before + self.corr_now):
            facts += f"; it is nearer to the last value (correlation {self.corr_before:.3f}) than to what came "
            facts += f"({self.corr_now:.3f})"
        end = "On a series like this that may be the best there is, but it has learned nothing beyond it."
        if self.skill < -NO_SKILL:
            end = "It has learned nothing beyond it, and here the last value itself came closer."
        return f"{model} repeats the last value: {facts}. {end}"
