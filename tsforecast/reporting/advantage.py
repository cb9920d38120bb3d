"""When does one model win over another: its gain at each origin, and at each step of the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.judging.scores import Cube
from tsforecast.results import BacktestResult

__all__ = ["Advantage", "advantage"]

Floats = npt.NDArray[np.float64]

LEAST_APART = 8  # origins' worth of information, below which an interval covers too little to be shown


@dataclass(frozen=True, eq=False)
class Advantage:
    """How much smaller the loss of `model` is than that of `benchmark`; gains are positive where the model is better.

    by_origin  `fold, cutoff, gain_percent, running_percent`: percent of the benchmark's mean loss, so that the mean
               gain is the effect of the comparison; `running_percent` is the mean up to that origin
    by_step    `step, gain_percent, low_percent, high_percent`: percent of the benchmark's loss at that step, with a
               pointwise 95 % interval: a t interval over origins, which count for less where forecasts overlap;
               NaN where they are worth fewer than 8
    """

    model: str
    benchmark: str
    by_origin: pd.DataFrame
    by_step: pd.DataFrame


def advantage(result: BacktestResult, model: str, benchmark: str, loss: str) -> Advantage:
    """Gains of one model over another, of the series and origins that every model has forecast.

    loss   "mase" or "mae", as in the comparisons
    """
    cube = Cube.of(result)
    places = [result.models.index(name) for name in (model, benchmark)]
    by_origin, by_step = _losses(cube, places, loss)
    known = np.isfinite(by_origin).all(axis=0)
    folds = np.unique(cube.rows["fold"].to_numpy())[known]
    gains = _gains(by_origin[:, known])
    table = pd.DataFrame({"fold": folds, "gain_percent": gains})
    table.insert(1, "cutoff", table["fold"].map(result.pasts.groupby("fold")["cutoff"].max()))
    table["running_percent"] = gains.cumsum() / np.arange(1, len(gains) + 1)
    return Advantage(model, benchmark, table, _by_step(by_step, result))


def _losses(cube: Cube, models: list[int], loss: str) -> tuple[Floats, Floats]:
    """The losses of some models by origin `[M, T]` and by origin and step `[M, T, H]`: means over series."""
    error = np.abs(cube.y - cube.point[models])
    if loss == "mase":
        scale = cube.rows["scale_abs"].to_numpy(np.float64)
        error = error / np.where(scale > 0, scale, np.nan)[:, None]
    error = np.where(cube.common[:, None], error, np.nan)
    folds = np.unique(cube.rows["fold"].to_numpy(), return_inverse=True)[1]
    rows = _mean(np.nansum(error, axis=2), np.isfinite(error).sum(axis=2))
    return np.stack([_by_fold(r[:, None], folds)[:, 0] for r in rows]), np.stack([_by_fold(e, folds) for e in error])


def _by_fold(rows: Floats, folds: npt.NDArray[np.intp]) -> Floats:
    """Means `[T, H]` of the rows `[R, H]` of each fold."""
    n, steps = int(folds.max()) + 1, rows.shape[1]
    cells = (folds[:, None] * steps + np.arange(steps)).ravel()
    known = np.isfinite(rows).ravel()
    totals = np.bincount(cells[known], rows.ravel()[known], minlength=n * steps)
    return _mean(totals, np.bincount(cells[known], minlength=n * steps)).reshape(n, steps)


def _mean(totals: npt.NDArray[Any], counts: npt.NDArray[np.intp]) -> Floats:
    return np.asarray(np.divide(totals, counts, out=np.full(totals.shape, np.nan), where=counts > 0))


def _gains(losses: Floats) -> Floats:
    """`[2, T]` losses of the model and the benchmark -> percent of the benchmark's mean loss gained at each origin."""
    own, theirs = losses
    level = float(theirs.mean()) if len(theirs) else 0.0
    return np.asarray((theirs - own) / level * 100 if level > 0 else np.full(len(theirs), np.nan))


def _by_step(losses: Floats, result: BacktestResult) -> pd.DataFrame:
    from scipy.special import stdtrit

    gap, apart = int(result.facts["gap"]), int(result.facts["step_size"])
    rows = []
    for h in range(losses.shape[2]):
        at = losses[:, :, h]
        gains = _gains(at[:, np.isfinite(at).all(axis=0)])
        mean = float(gains.mean()) if len(gains) else np.nan
        worth = len(gains) / -(-(h + 1 + gap) // apart)  # as many do not share a shock
        reach = np.nan
        if worth >= LEAST_APART and gains.std() > 0:
            reach = float(stdtrit(worth - 1, 0.975) * gains.std() / np.sqrt(worth - 1))
        rows.append((h + 1, mean, mean - reach, mean + reach))
    return pd.DataFrame(rows, columns=["step", "gain_percent", "low_percent", "high_percent"])
