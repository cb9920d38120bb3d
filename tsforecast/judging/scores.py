"""From a result to its scores: every metric per series and fold, then averaged over what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.forecast import level_quantiles
from tsforecast.judging import metrics
from tsforecast.results import BacktestResult, quantile_columns

__all__ = ["BASELINES", "LEVELS", "best_baseline", "origin_losses", "score", "undefined"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BASELINES = ("naive", "seasonal_naive", "drift", "naive2")
"""Kinds of model that anybody gets for nothing: what others have to beat."""

LEVELS = (80, 95)
DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Levels of WQL and CRPS: evenly spaced, so that they count alike; all levels where a result has not all of these."""

KEYS = ("model", "unique_id", "fold", "step")


@dataclass(frozen=True, eq=False)
class Cube:
    """The forecast table as arrays: M models, R rows (one series in one fold), H steps, Q levels."""

    rows: pd.DataFrame  # fold, unique_id, last, scale_abs, scale_sq: R rows
    y: Floats  # [R, H]
    point: Floats  # [M, R, H]
    quantiles: Floats  # [M, R, H, Q]
    levels: tuple[float, ...]
    common: npt.NDArray[np.bool_]  # [R]: every model that forecast anything has a forecast

    @classmethod
    def of(cls, result: BacktestResult) -> Cube:
        """The table is sorted by model, fold, series and step, so that it only has to be folded up."""
        table, models = result.forecasts, result.models
        steps = int(table["step"].max())
        columns = quantile_columns(table)
        shape = (len(models), -1, steps)
        point = table["forecast"].to_numpy(dtype=np.float64).reshape(shape)
        stacked = table[list(columns.values())].to_numpy(dtype=np.float64)
        quantiles = stacked.reshape(*point.shape, len(columns))
        y = table["y"].to_numpy(dtype=np.float64).reshape(shape)[0]
        first = table.iloc[: len(y) * steps : steps]
        rows = first[["fold", "unique_id"]].merge(result.pasts, on=["fold", "unique_id"], how="left", validate="1:1")
        there = np.isfinite(point).all(axis=2)  # [M, R]
        # a model that failed everywhere has no scores; it must not take those of the others with it
        common = there[there.any(axis=1)].all(axis=0)
        return cls(rows, y, point, quantiles, tuple(columns), common)

    def row_scores(self, model: int, step: slice = slice(None)) -> dict[str, Floats]:
        """Each metric `[R]` of one model over some of the steps."""
        y, f, q = self.y[:, step], self.point[model][:, step], self.quantiles[model][:, step]
        scale_abs, scale_sq, last = (self.rows[c].to_numpy(np.float64) for c in ("scale_abs", "scale_sq", "last"))
        mse, nothing = metrics.mse(y, f), np.full(len(y), np.nan)
        even = DECILES if set(DECILES) <= set(self.levels) else self.levels
        found = {
            "mase": metrics.mase(y, f, scale_abs),
            "mae": metrics.mae(y, f),
            "mse": mse,
            "bias": metrics.bias(y, f),
            "smape": metrics.smape(y, f),
            "wape": metrics.wape(y, f),
            "msse": metrics.scaled(mse, scale_sq),
            "crps": metrics.crps(y, metrics.at_levels(q, self.levels, even), even) if even else nothing,
            "directional": metrics.directional_accuracy(y, f, last),
        }
        for level in LEVELS:
            if set(ends := level_quantiles(level)) <= set(self.levels):
                low, high = np.moveaxis(metrics.at_levels(q, self.levels, ends), -1, 0)
                found[f"coverage_{level}"] = metrics.coverage(y, low, high)
                found[f"width_{level}"] = metrics.width(y, low, high)
                found[f"winkler_{level}"] = metrics.winkler(y, low, high, level)
        return found

    def why(self, metric: str, model: int, row: int, lag: int) -> str:
        """Why a model's score of one row is NaN, given a name of `row_scores`; `lag` is that of the scales."""
        y, values = self.y[row], self.rows.iloc[row]
        forecast = self.point[model, row]
        if metric == "crps":
            forecast = self.quantiles[model, row]
        elif metric.endswith(tuple(map(str, LEVELS))):
            ends = level_quantiles(int(metric.rpartition("_")[2]))
            forecast = metrics.at_levels(self.quantiles[model, row], self.levels, ends)
        full = {"msse": "rmsse", "directional": "directional_accuracy"}.get(metric, metric)
        scale = float(values["scale_sq" if metric == "msse" else "scale_abs"])
        reason = metrics.why_undefined(full, y, forecast, scale=scale, lag=lag, last=float(values["last"]))
        return reason or "the model gave no quantiles"


def score(result: BacktestResult, by: Sequence[str] = ("model",)) -> pd.DataFrame:
    """Every metric per group of `by`, which names some of model, unique_id, fold, step.

    Only series and folds that *every* model has forecast are scored, so that no model gains by failing on what is
    hard: `n` counts them, `failed` those that this model could not forecast. (A model without any forecast has no
    scores and is not counted among them.) A metric of a group is the mean over its
    series and folds; RMSE and RMSSE are the roots of mean squares; WAPE and WQL are ratios of sums, so that large
    series weigh more; OWA needs the model naive2 in the run. A series whose metric is undefined (see `undefined`) is
    left out of that metric's mean.
    """
    for key in by:
        if key not in KEYS:
            raise ConfigError(f"scores: cannot group by '{key}'{did_you_mean(key, KEYS)}")
    cube = Cube.of(result)
    inner = [k for k in ("unique_id", "fold") if k in by]
    codes, groups = _groups(cube.rows, inner)
    slices = [slice(h, h + 1) for h in range(cube.y.shape[1])] if "step" in by else [slice(None)]
    tables = []
    for m, model in enumerate(result.models):
        for step in slices:
            table = pd.concat([groups, _averages(cube, m, codes, len(groups), step)], axis=1)
            tables.append(table.assign(model=model, step=step.stop))
    whole = pd.concat(tables, ignore_index=True)
    whole["owa"] = _owa(whole, result)
    keys = list(by) if "model" in by else ["model", *by]
    return whole[[*keys, *[c for c in whole.columns if c not in KEYS]]]


def _groups(rows: pd.DataFrame, keys: list[str]) -> tuple[Ints, pd.DataFrame]:
    """The number of each row's group, and the groups."""
    if not keys:
        return np.zeros(len(rows), dtype=np.int64), pd.DataFrame(index=[0])
    groups = rows.groupby(keys, sort=True)
    return groups.ngroup().to_numpy().astype(np.int64), groups.size().reset_index()[keys]


def _averages(cube: Cube, model: int, codes: Ints, n: int, step: slice) -> pd.DataFrame:
    """The metrics of one model averaged over each of n groups of rows; `codes` `[R]` are the group numbers."""
    rows = cube.row_scores(model, step)
    keep = cube.common

    def ratio(over: Floats, under: Floats) -> Floats:
        """Sum over sum, of the rows where both are defined."""
        there = keep & np.isfinite(over) & np.isfinite(under)
        top, bottom = (np.bincount(codes[there], v[there], minlength=n) for v in (over, under))
        return np.asarray(np.divide(top, bottom, out=np.full(n, np.nan), where=bottom > 0))

    def mean(name: str) -> Floats:
        return ratio(rows.pop(name), np.ones(len(keep)))

    observed = np.isfinite(cube.y[:, step]).sum(axis=1).astype(np.float64)
    size = np.nansum(np.abs(cube.y[:, step]), axis=1)
    wape, wql = ratio(rows["mae"] * observed, size), ratio(rows["crps"] * observed, size)
    failed = ~np.isfinite(cube.point[model]).all(axis=1)
    columns: dict[str, Any] = {
        "n": np.bincount(codes[keep], minlength=n),
        "failed": np.bincount(codes[failed], minlength=n),
        "mase": mean("mase"),
        "mae": mean("mae"),
        "rmse": np.sqrt(mean("mse")),
        "bias": mean("bias"),
        "smape": mean("smape"),
        "wape": wape,
        "rmsse": np.sqrt(mean("msse")),
        "wql": wql,
        "crps": mean("crps"),
    }
    del rows["wape"]
    return pd.DataFrame(columns | {name: mean(name) for name in list(rows)})


def _owa(table: pd.DataFrame, result: BacktestResult) -> Floats:
    """OWA of each row against the naive2 row of the same group; NaN where naive2 is not in the run."""
    kinds = result.facts.get("kinds", {})
    naive2 = [m for m in result.models if kinds.get(m, m) == "naive2"]
    if not naive2:
        return np.full(len(table), np.nan)
    reference = table[table["model"] == naive2[0]]
    count = len(table) // len(reference)
    scores = [np.tile(reference[c].to_numpy(np.float64), count) for c in ("smape", "mase")]
    with np.errstate(divide="ignore", invalid="ignore"):
        owa = (table["smape"].to_numpy() / scores[0] + table["mase"].to_numpy() / scores[1]) / 2
    return np.where(np.isfinite(owa), owa, np.nan)


def undefined(result: BacktestResult) -> pd.DataFrame:
    """Scores of single series and folds that have no value although there is a forecast, and why."""
    cube, lag = Cube.of(result), int(result.facts["season_length"])
    names = {"mse": "rmse", "msse": "rmsse"}
    found = []
    for m, model in enumerate(result.models):
        there = np.isfinite(cube.point[m]).all(axis=1)
        for metric, values in cube.row_scores(m).items():
            for r in np.flatnonzero(~np.isfinite(values) & there).tolist():
                key, fold = cube.rows["unique_id"].iloc[r], cube.rows["fold"].iloc[r]
                found.append((model, key, fold, names.get(metric, metric), cube.why(metric, m, r, lag)))
    return pd.DataFrame(found, columns=["model", "unique_id", "fold", "metric", "reason"])


def origin_losses(result: BacktestResult) -> tuple[pd.DataFrame, str]:
    """The mean loss of each model at each origin `[T, M]` (index: fold), and which loss: "mase", or "mae" where no
    series has a scale. The mean is over the series that every model has forecast."""
    table = score(result, ("model", "fold"))
    loss = "mase" if table["mase"].notna().any() else "mae"
    wide = table.pivot_table(index="fold", columns="model", values=loss, dropna=False)
    wide = wide[list(result.models)]
    alive = wide.columns[wide.notna().any()]
    return wide.dropna(subset=list(alive)), loss


def best_baseline(result: BacktestResult) -> str:
    """The baseline with the smallest loss over all origins; the best of all models where no baseline was run."""
    losses, _ = origin_losses(result)
    kinds = result.facts.get("kinds", {})
    baselines = [m for m in result.models if kinds.get(m, m) in BASELINES] or list(result.models)
    mean = losses[baselines].mean().dropna()
    return str(mean.idxmin()) if len(mean) else baselines[0]
