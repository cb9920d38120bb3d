"""Does a model forecast, or does it repeat the last value? In a chart a copy one step late looks right.

Every forecast is split at the last value observed before its cutoff: what the model says will change from there,
against what did change.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.judging.scores import Cube
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
    values = _Values.of(result)
    return Changes(values.predicted[result.models.index(model)], values.actual)


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
    values = _Values.of(result)
    found = {model: _Copy.of(values, m) for m, model in enumerate(result.models)}
    rows = [
        {"model": model, **asdict(copy), "flagged": copy.flagged, "sentence": copy.sentence(model)}
        for model, copy in found.items()
    ]
    return pd.DataFrame(rows)


class _Values(NamedTuple):
    """n forecast values of M models: changes from the last value, and levels about the mean of their series."""

    predicted: Floats  # [M, n]
    actual: Floats  # [n]
    forecast: Floats  # [M, n]
    truth: Floats  # [n]
    last: Floats  # [n]

    @classmethod
    def of(cls, result: BacktestResult) -> _Values:
        cube = Cube.of(result)
        series = pd.factorize(cube.rows["unique_id"])[0]
        last = np.broadcast_to(cube.rows["last"].to_numpy(np.float64)[:, None], cube.y.shape)
        scale = np.broadcast_to(_scales(cube, series, last)[:, None], cube.y.shape)
        alive = np.isfinite(cube.point).any(axis=(1, 2))  # a model that failed everywhere takes nobody with it
        known = np.isfinite(cube.y - last) & (scale > 0) & np.isfinite(cube.point[alive]).all(axis=0)
        names = np.broadcast_to(series[:, None], cube.y.shape)[known]
        y, point, last, scale = cube.y[known], cube.point[:, known], last[known], scale[known]
        unit = _means(scale, names)  # one for all levels of a series: in changing units a constant would move
        return cls(
            (point - last) / scale,
            (y - last) / scale,
            np.stack([_centred(row / unit, names) for row in point]),
            _centred(y / unit, names),
            _centred(last / unit, names),
        )


def _scales(cube: Cube, series: Codes, last: Floats) -> Floats:
    """The unit of each row `[R]`: the mean absolute change before its cutoff; where the past was too short or did not
    move, how far the series went from its last values; NaN where it went nowhere."""
    moved = np.abs(cube.y - last)
    counts = np.bincount(series, np.isfinite(moved).sum(axis=1))
    distance = np.bincount(series, np.nansum(moved, axis=1)) / np.maximum(counts, 1)
    scale = cube.rows["scale_abs"].to_numpy(np.float64)
    scale = np.where(scale > 0, scale, distance[series])
    return np.where(scale > 0, scale, np.nan)


def _means(values: Floats, names: Codes) -> Floats:
    """The mean of each value's series `[n]`."""
    return np.asarray((np.bincount(names, values) / np.maximum(np.bincount(names), 1))[names])


def _centred(values: Floats, names: Codes) -> Floats:
    mean = _means(values, names)
    return np.where(np.abs(values - mean) > _ROUNDING * np.abs(mean), values - mean, 0.0)


def _correlation(a: Floats, b: Floats) -> float:
    """Of two samples about their means; NaN where one does not vary."""
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else math.nan


@dataclass(frozen=True)
class _Copy:
    """The numbers of one model: see `persistence`."""

    skill: float
    corr_now: float
    corr_before: float
    slope: float
    size: float

    @classmethod
    def of(cls, values: _Values, m: int) -> _Copy:
        predicted, actual = values.predicted[m], values.actual
        if not (np.abs(actual).sum() > 0 and np.isfinite(predicted).all()):
            return cls(*[math.nan] * 5)
        return cls(
            1 - float(np.abs(predicted - actual).sum() / np.abs(actual).sum()),
            _correlation(values.forecast[m], values.truth),
            _correlation(values.forecast[m], values.last),
            float(predicted @ actual / (actual @ actual)),
            float(np.abs(predicted).sum() / np.abs(actual).sum()),
        )

    @property
    def flagged(self) -> bool:
        """With one origin the last values of a series do not vary, and the correlations have no say."""
        closer = not (self.corr_before < VERY_HIGH or self.corr_before <= self.corr_now)
        return self.skill <= NO_SKILL and closer and abs(self.slope) <= NO_SLOPE and self.size <= SMALL

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
            return f"{model} does not repeat the last value{but}: {facts} and follow them with {slope}."
        facts += f" and do not follow them ({slope})"
        if math.isfinite(self.corr_before + self.corr_now):
            facts += f"; it is nearer to the last value (correlation {self.corr_before:.3f}) than to what came "
            facts += f"({self.corr_now:.3f})"
        end = "On a series like this that may be the best there is, but it has learned nothing beyond it."
        if self.skill < -NO_SKILL:
            end = "It has learned nothing beyond it, and here the last value itself came closer."
        return f"{model} repeats the last value: {facts}. {end}"
