"""Every metric of single rows of a result (a row is one series in one fold), and why one of them has no value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.contract import level_quantiles
from tsforecast.judging import metrics
from tsforecast.judging.cubes import Cube, Layout, cubes
from tsforecast.results import BacktestResult

__all__ = ["LEVELS", "row_scores", "undefined"]

Floats = npt.NDArray[np.float64]

LEVELS = (80, 95)
DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Levels of WQL and CRPS: evenly spaced, so that they count alike; all levels where a result has not all of these."""


def row_scores(
    cube: Cube, model: int, rows: slice, *, each_step: bool = False, wanted: Collection[str] | None = None
) -> dict[str, Floats]:
    """Each metric of one model on some rows of a cube, `[rows]` over all steps or `[rows, H]` of each step.

    rows    one of the cube's blocks
    wanted  only these metrics
    """
    y, f, last = cube.y[rows], cube.point[model, rows], cube.last[rows]
    scale_abs, scale_sq, levels = cube.scale_abs[rows], cube.scale_sq[rows], tuple(cube.levels)
    if each_step:
        y, f, last, scale_abs, scale_sq = y[..., None], f[..., None], *(v[:, None] for v in (last, scale_abs, scale_sq))
        last = np.broadcast_to(last, f.shape[:2])
    q = np.empty(0)

    def at(some: Sequence[float]) -> Floats:
        """The quantiles of some levels, read when the first are asked for."""
        nonlocal q
        if not q.size:
            q = cube.quantiles(model, rows)
            q = q[:, :, None] if each_step else q
        return metrics.at_levels(q, levels, some)

    even = DECILES if set(DECILES) <= set(levels) else levels
    make: dict[str, Callable[[], Floats]] = {
        "mase": lambda: metrics.mase(y, f, scale_abs),
        "mae": lambda: metrics.mae(y, f),
        "mse": lambda: metrics.mse(y, f),
        "bias": lambda: metrics.bias(y, f),
        "smape": lambda: metrics.smape(y, f),
        "wape": lambda: metrics.wape(y, f),
        "msse": lambda: metrics.scaled(metrics.mse(y, f), scale_sq),
        "crps": lambda: metrics.crps(y, at(even), even) if even else np.full(y.shape[:-1], np.nan),
        "directional": lambda: metrics.directional_accuracy(y, f, last),
    }
    for level in LEVELS:
        if set(ends := level_quantiles(level)) <= set(levels):
            make |= _interval_scores(y, partial(at, ends), level)
    return {name: score() for name, score in make.items() if wanted is None or name in wanted}


def _interval_scores(y: Floats, ends: Callable[[], Floats], level: int) -> dict[str, Callable[[], Floats]]:
    def of(metric: Callable[..., Floats], *more: float) -> Callable[[], Floats]:
        return lambda: metric(y, *np.moveaxis(ends(), -1, 0), *more)

    return {
        f"coverage_{level}": of(metrics.coverage),
        f"width_{level}": of(metrics.width),
        f"winkler_{level}": of(metrics.winkler, level),
    }


def undefined(result: BacktestResult) -> pd.DataFrame:
    """Scores of single series and folds that have no value although there is a forecast, and why."""
    lag, folds = int(result.facts["season_length"]), Layout.of(result).folds.tolist()
    names, found = {"mse": "rmse", "msse": "rmsse"}, []
    for cube in cubes(result):
        for (m, model), rows in product(enumerate(result.models), cube.blocks()):
            there = np.isfinite(cube.point[m, rows]).all(axis=1)
            for metric, values in row_scores(cube, m, rows).items():
                for r in (rows.start + np.flatnonzero(~np.isfinite(values) & there)).tolist():
                    key, fold = cube.names[cube.series[r]], folds[cube.fold[r]]
                    found.append((model, key, fold, names.get(metric, metric), _why(cube, metric, m, r, lag)))
    return pd.DataFrame(found, columns=["model", "unique_id", "fold", "metric", "reason"])


def _why(cube: Cube, metric: str, model: int, row: int, lag: int) -> str:
    """Why a model's score of one row is NaN, given a name of `row_scores`; `lag` is that of the scales."""
    y, forecast = cube.y[row], cube.point[model, row]
    if metric == "crps" or metric.endswith(tuple(map(str, LEVELS))):
        forecast = cube.quantiles(model, slice(row, row + 1))[0]
        if metric != "crps":
            forecast = metrics.at_levels(forecast, tuple(cube.levels), level_quantiles(int(metric.rpartition("_")[2])))
    full = {"msse": "rmsse", "directional": "directional_accuracy"}.get(metric, metric)
    scale = float((cube.scale_sq if metric == "msse" else cube.scale_abs)[row])
    reason = metrics.why_undefined(full, y, forecast, scale=scale, lag=lag, last=float(cube.last[row]))
    return reason or "the model gave no quantiles"
