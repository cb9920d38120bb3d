"""When does one model win over another: its gain at each origin, and at each step of the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.judging.cubes import Cube, Layout, cubes
from tsforecast.judging.mean_tests import diebold_mariano, effective_t
from tsforecast.results import BacktestResult

__all__ = ["Advantage", "advantage"]

Floats = npt.NDArray[np.float64]

LEAST_APART = 8  # origins that do not overlap, below which an interval covers too little to be shown


@dataclass(frozen=True, eq=False)
class Advantage:
    """How much smaller the loss of `model` is than that of `benchmark`; gains are positive where the model is better.

    by_origin  `fold, cutoff, gain_percent, running_percent`: percent of the benchmark's mean loss, so that the mean
               gain is the effect of the comparison; `running_percent` is the mean up to that origin
    by_step    `step, gain_percent, low_percent, high_percent`: percent of the benchmark's loss at that step, with a
               pointwise 95 % interval, as a comparison has it but for the luck of seeds: origins count for less where
               forecasts overlap or go together; NaN where fewer than 8 do not overlap
    """

    model: str
    benchmark: str
    by_origin: pd.DataFrame
    by_step: pd.DataFrame


def advantage(result: BacktestResult, model: str, benchmark: str, loss: str) -> Advantage:
    """Gains of one model over another, of the series and origins that every model has forecast.

    loss   "mase" or "mae", as in the comparisons
    """
    places = [result.models.index(name) for name in (model, benchmark)]
    folds = Layout.of(result).folds
    totals = sum((_totals(cube, places, loss, len(folds)) for cube in cubes(result)), np.zeros((2, 2, 1, 1)))
    losses = _mean(*totals)
    by_origin, by_step = losses[:, :, -1], losses[:, :, :-1]
    known = np.isfinite(by_origin).all(axis=0)
    gains = _gains(by_origin[:, known])
    table = pd.DataFrame({"fold": folds[known], "gain_percent": gains})
    table.insert(1, "cutoff", result.cutoffs()[table["fold"]].to_numpy())
    table["running_percent"] = gains.cumsum() / np.arange(1, len(gains) + 1)
    return Advantage(model, benchmark, table, _by_step(by_step, result))


def _totals(cube: Cube, models: list[int], loss: str, folds: int) -> Floats:
    """Losses of some models in each fold, at each step and, in the last place, over all steps of a row: their sums over
    series, and how many they are `[2, M, T, H + 1]`."""
    error = np.abs(cube.y - cube.point[models])
    if loss == "mase":
        error = error / np.where(cube.scale_abs > 0, cube.scale_abs, np.nan)[:, None]
    error = np.where(cube.common[:, None], error, np.nan)
    rows = _mean(np.nansum(error, axis=2), np.isfinite(error).sum(axis=2))
    whole = np.concatenate([error, rows[..., None]], axis=2)
    return np.stack([_by_fold(own, cube.fold, folds) for own in whole], axis=1)


def _by_fold(rows: Floats, fold: npt.NDArray[np.int64], n: int) -> Floats:
    """Sums and counts `[2, n, H]` of the rows `[R, H]` of each fold."""
    steps = rows.shape[1]
    cells = (fold[:, None] * steps + np.arange(steps)).ravel()
    known = np.isfinite(rows).ravel()
    found = [np.bincount(cells[known], weights, minlength=n * steps) for weights in (rows.ravel()[known], None)]
    return np.array(found, dtype=np.float64).reshape(2, n, steps)


def _mean(totals: npt.NDArray[Any], counts: npt.NDArray[Any]) -> Floats:
    return np.asarray(np.divide(totals, counts, out=np.full(totals.shape, np.nan), where=counts > 0))


def _gains(losses: Floats) -> Floats:
    """`[2, T]` losses of the model and the benchmark -> percent of the benchmark's mean loss gained at each origin."""
    own, theirs = losses
    level = float(theirs.mean()) if len(theirs) else 0.0
    return np.asarray((theirs - own) / level * 100 if level > 0 else np.full(len(theirs), np.nan))


def _by_step(losses: Floats, result: BacktestResult) -> pd.DataFrame:
    gap, apart = int(result.facts["gap"]), int(result.facts["step_size"])
    rows = []
    for h in range(losses.shape[2]):
        at = losses[:, :, h]
        gains = _gains(at[:, np.isfinite(at).all(axis=0)])
        mean = float(gains.mean()) if len(gains) else np.nan
        overlap, reach = -(-(h + 1 + gap) // apart), np.nan
        if len(gains) >= LEAST_APART * overlap and gains.std() > 0:
            reach = float(np.max([diebold_mariano(gains, overlap - 1).reach, effective_t(gains, overlap).reach]))
        rows.append((h + 1, mean, mean - reach, min(mean + reach, 100.0)))  # no error is smaller than none
    return pd.DataFrame(rows, columns=["step", "gain_percent", "low_percent", "high_percent"])
