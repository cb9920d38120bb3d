"""What a backtest will cost in time and memory: cheap models have been run, others say so themselves or are tried."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tsforecast.contract import Forecaster
from tsforecast.folds import Fold
from tsforecast.panel import Panel
from tsforecast.results import BacktestResult

__all__ = ["EARLY", "Cost", "cost_of", "memory_of", "seconds_of"]

EARLY = "less if it stops early"
TRIED = 2  # series that an unknown model is tried on
SHORT = 5.0  # seconds; a trial below this is repeated, since the first call also imports what the model needs
# Measured on two cores of a server: prices.yaml (oil) and sensors.yaml (weather), and 1.15 million rows of forecasts.
START_SECONDS = 8.0  # to import everything, and to draw the figures of a report
ROW_SECONDS = 8e-6  # to join, score and write one forecast
BASE_BYTES = 600_000_000  # of a process that has imported everything and draws a report


@dataclass(frozen=True)
class Cost:
    """What one model takes in a run.

    fits     how often it is fitted
    seconds  over all fits and forecasts; NaN where it could not be tried
    memory   bytes that it holds while it is fitted, where it says so
    how      how this was found out
    """

    model: str
    fits: int
    seconds: float
    memory: int
    how: str


def cost_of(
    name: str, recipe: Forecaster, folds: Sequence[Fold], ran: BacktestResult, cheap: Mapping[str, Any], series: int
) -> Cost:
    """The cost of a model on these folds.

    ran, cheap  the backtest of the cheap models, on so many `series`, and their recipes: what is among them has been
                measured
    """
    fits = sum(fold.plan.fits_at(fold.number) for fold in folds)
    same = [other for other, run in cheap.items() if run is recipe or run == recipe]
    if same:
        tasks, whole = ran.tasks[ran.tasks["model"] == same[0]], len(folds[-1].panel)
        seconds = float(tasks[["fit_seconds", "predict_seconds"]].sum().sum()) * whole / series
        return Cost(name, fits, seconds, 0, "measured" if series == whole else _scaled(series, whole))
    own = getattr(recipe, "cost", None)
    try:
        if callable(own):
            seconds, memory = own(folds[-1].training, folds[-1].plan.reach)
            return Cost(
                name, fits, float(seconds) * fits, int(memory), "from a few training steps; less if it stops early"
            )
        return _tried(name, recipe, folds, fits)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return Cost(name, fits, math.nan, 0, f"could not be tried: {reason}")


def _tried(name: str, recipe: Forecaster, folds: Sequence[Fold], fits: int) -> Cost:
    """Fit and forecast two series at the last fold, and scale by the observations, fits and origins."""
    last = folds[-1]
    rows = last.rows[np.linspace(0, len(last.rows) - 1, min(TRIED, len(last.rows))).astype(int)]
    few = [replace(fold, learners=rows, rows=np.intersect1d(rows, fold.rows)) for fold in folds[-3:]]
    training, views = few[-1].training, [fold.view for fold in few if len(fold.rows)]
    fitting, one, several = _seconds(recipe, training, views)
    if fitting + one + several < SHORT:
        fitting, one, several = _seconds(recipe, training, views)
    scale = float(last.training.lengths.sum() / training.lengths.sum())
    more = max(several - one, 0.0) / max(len(views) - 1, 1)  # a model may need one pass for many origins, or one each
    forecasting = one * fits + more * (len(folds) - fits)
    seconds = scale * (fitting * fits + forecasting)
    return Cost(name, fits, seconds, 0, _scaled(len(rows), len(last.rows)))


def _scaled(series: int, of: int) -> str:
    return f"scaled up from {series:,} of {of:,} series"


def _seconds(recipe: Forecaster, training: Panel, views: list[Any]) -> tuple[float, float, float]:
    """To fit, to forecast from one origin, and from all of them."""
    clock = [time.perf_counter()]
    fitted = recipe.fit(training, views[-1].future.horizon)
    clock.append(time.perf_counter())
    fitted.predict(views[-1:])
    clock.append(time.perf_counter())
    fitted.predict(views)
    clock.append(time.perf_counter())
    return clock[1] - clock[0], clock[2] - clock[1], clock[3] - clock[2]


def seconds_of(folds: Sequence[Fold], costs: Sequence[Cost]) -> float:
    """The whole run: its models, what it begins with, and its report. NaN where a model could not be tried."""
    return sum(cost.seconds for cost in costs) + START_SECONDS + ROW_SECONDS * _rows(folds, costs)


def memory_of(panel: Panel, costs: Sequence[Cost]) -> int:
    """Bytes that a run kept in a folder holds at its largest: the panel and the largest model. Forecasts are scored and
    written piece by piece there; one in memory alone holds the table of them too."""
    arrays = (panel.values, panel.times, panel.hist, panel.futr)
    largest = max((cost.memory for cost in costs), default=0)
    return BASE_BYTES + sum(array.nbytes for array in arrays) + largest


def _rows(folds: Sequence[Fold], costs: Sequence[Cost]) -> int:
    """Of the table of forecasts."""
    return sum(len(fold.rows) for fold in folds) * (folds[0].plan.horizon or 1) * len(costs)
