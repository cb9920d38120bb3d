"""From a result to its scores: every metric per series and fold, then averaged over what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast import metrics
from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.results import BacktestResult, quantile_columns

if TYPE_CHECKING:
    from tsforecast.compare import Comparison

__all__ = ["BASELINES", "LEVELS", "best_baseline", "compare_models", "score", "undefined"]

Floats = npt.NDArray[np.float64]

BASELINES = ("naive", "seasonal_naive", "drift", "naive2")
"""Kinds of model that anybody gets for nothing: what others have to beat."""

LEVELS = (80, 95)
KEYS = ("model", "unique_id", "fold", "step")


@dataclass(frozen=True, eq=False)
class Cube:
    """The forecast table as arrays: M models, R rows (one series in one fold), H steps, Q levels."""

    rows: pd.DataFrame  # fold, unique_id, last, scale_abs, scale_sq: R rows
    y: Floats  # [R, H]
    point: Floats  # [M, R, H]
    quantiles: Floats  # [M, R, H, Q]
    levels: tuple[float, ...]
    common: npt.NDArray[np.bool_]  # [R]: every model has a forecast

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
        return cls(rows, y, point, quantiles, tuple(columns), np.isfinite(point).all(axis=(0, 2)))

    def row_scores(self, model: int, step: slice = slice(None)) -> dict[str, Floats]:
        """Each metric `[R]` of one model over some of the steps."""
        y, f, q = self.y[:, step], self.point[model][:, step], self.quantiles[model][:, step]
        scale_abs, scale_sq, last = (self.rows[c].to_numpy(np.float64) for c in ("scale_abs", "scale_sq", "last"))
        found = {
            "mase": metrics.mase(y, f, scale_abs),
            "mae": metrics.mae(y, f),
            "mse": metrics.mse(y, f),
            "bias": metrics.bias(y, f),
            "smape": metrics.smape(y, f),
            "wape": metrics.wape(y, f),
            "msse": metrics.scaled(metrics.mse(y, f), scale_sq),
            "wql": metrics.wql(y, q, self.levels),
            "crps": metrics.crps(y, q, self.levels),
            "directional": metrics.directional_accuracy(y, f, last),
        }
        for level in LEVELS:
            ends = (round(0.5 - level / 200, 6), round(0.5 + level / 200, 6))
            if set(ends) <= set(self.levels):
                low, high = np.moveaxis(metrics.at_levels(q, self.levels, ends), -1, 0)
                found[f"coverage_{level}"] = metrics.coverage(y, low, high)
                found[f"width_{level}"] = metrics.width(y, low, high)
                found[f"winkler_{level}"] = metrics.winkler(y, low, high, level)
        return found


def score(result: BacktestResult, by: Sequence[str] = ("model",)) -> pd.DataFrame:
    """Every metric per group of `by`, which names some of model, unique_id, fold, step.

    Only series and folds that *every* model has forecast are scored, so that no model gains by failing on what is
    hard: `n` counts them, `failed` those that this model could not forecast. A metric of a group is the mean over its
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
    steps = range(cube.y.shape[1]) if "step" in by else [None]
    tables = []
    for m, model in enumerate(result.models):
        for step in steps:
            table = _averages(cube, m, codes, len(groups), slice(None) if step is None else slice(step, step + 1))
            table = pd.concat([groups, table], axis=1)
            table.insert(0, "model", model)
            if step is not None:
                table["step"] = step + 1
            tables.append(table)
    whole = pd.concat(tables, ignore_index=True)
    whole["owa"] = _owa(whole, result, [k for k in by if k != "model"])
    keys = list(by)
    if "model" not in by:
        keys = ["model", *keys]
    return whole[[*keys, *[c for c in whole.columns if c not in KEYS]]]


def _groups(rows: pd.DataFrame, keys: list[str]) -> tuple[npt.NDArray[np.int64], pd.DataFrame]:
    if not keys:
        return np.zeros(len(rows), dtype=np.int64), pd.DataFrame(index=[0])
    groups = rows.groupby(keys, sort=True)
    return groups.ngroup().to_numpy(np.int64), groups.size().reset_index()[keys]


def _averages(cube: Cube, model: int, codes: npt.NDArray[np.int64], n: int, step: slice) -> pd.DataFrame:
    rows = cube.row_scores(model, step)
    keep = cube.common

    def total(values: Floats) -> Floats:
        return np.bincount(codes[keep], np.nan_to_num(values[keep], nan=0.0), minlength=n)

    def mean(values: Floats) -> Floats:
        count = np.bincount(codes[keep], np.isfinite(values[keep]).astype(float), minlength=n)
        return np.divide(total(values), count, out=np.full(n, np.nan), where=count > 0)

    def ratio(over: Floats, under: Floats) -> Floats:
        bottom = total(under)
        return np.divide(total(over), bottom, out=np.full(n, np.nan), where=bottom > 0)

    observed = np.isfinite(cube.y[:, step]).sum(axis=1).astype(np.float64)
    level = np.nansum(np.abs(cube.y[:, step]), axis=1)
    means = {name: mean(values) for name, values in rows.items()}
    failed = ~np.isfinite(cube.point[model]).all(axis=1)
    columns: dict[str, Any] = {
        "n": np.bincount(codes[keep], minlength=n),
        "failed": np.bincount(codes[failed], minlength=n),
        "mase": means.pop("mase"),
        "mae": means.pop("mae"),
        "rmse": np.sqrt(means.pop("mse")),
        "bias": means.pop("bias"),
        "smape": means.pop("smape"),
        "wape": ratio(rows["mae"] * observed, level),
        "rmsse": np.sqrt(means.pop("msse")),
        "wql": ratio(rows["crps"] * observed, level),
        "crps": means.pop("crps"),
    }
    del means["wape"], means["wql"]
    return pd.DataFrame(columns | means)


def _owa(table: pd.DataFrame, result: BacktestResult, keys: list[str]) -> Floats:
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
    cube = Cube.of(result)
    columns = ["model", "unique_id", "fold", "metric", "reason"]
    found = []
    for m, model in enumerate(result.models):
        names = {"mse": "rmse", "msse": "rmsse"}
        for metric, values in cube.row_scores(m).items():
            for r in np.flatnonzero(~np.isfinite(values) & np.isfinite(cube.point[m]).all(axis=1)):
                row = cube.rows.iloc[int(r)]
                found.append((model, row["unique_id"], row["fold"], names.get(metric, metric), _why(cube, int(r), metric, result)))
    return pd.DataFrame(found, columns=columns)


def _why(cube: Cube, row: int, metric: str, result: BacktestResult) -> str:
    if not np.isfinite(cube.y[row]).any():
        return "no target was observed"
    if metric in ("mase", "msse"):
        season = result.facts["season_length"]
        return f"the past never changes at lag {season}, so there is no scale"
    if metric in ("wape", "wql"):
        return "every observed target is zero"
    if metric == "directional":
        return "no observed target differs from the last value before the cutoff"
    return "a forecast of an observed step is missing"


def origin_losses(result: BacktestResult) -> tuple[pd.DataFrame, str]:
    """The mean loss of each model at each origin `[T, M]` (index: fold), and which loss: "mase", or "mae" where no
    series has a scale. The mean is over the series that every model has forecast."""
    table = score(result, ("model", "fold"))
    loss = "mase" if table["mase"].notna().any() else "mae"
    wide = table.pivot_table(index="fold", columns="model", values=loss, dropna=False)
    return wide[list(result.models)].dropna(), loss


def best_baseline(result: BacktestResult) -> str:
    """The baseline with the smallest loss over all origins; the best of all models where no baseline was run."""
    losses, _ = origin_losses(result)
    kinds = result.facts.get("kinds", {})
    baselines = [m for m in result.models if kinds.get(m, m) in BASELINES] or list(result.models)
    return str(losses[baselines].mean().idxmin()) if len(losses) else baselines[0]


def compare_models(result: BacktestResult, benchmark: str | None = None) -> list[Comparison]:
    """Each model against the benchmark, origin by origin."""
    from tsforecast.compare import compare

    if benchmark is not None and benchmark not in result.models:
        raise ConfigError(f"there is no model '{benchmark}' in this result{did_you_mean(benchmark, result.models)}")
    losses, _ = origin_losses(result)
    against = benchmark or best_baseline(result)
    horizon, step = int(result.facts["horizon"]), int(result.facts["step_size"])
    own = losses[against].to_numpy()
    return [
        compare(losses[m].to_numpy(), own, model=m, benchmark=against, horizon=horizon, step_size=step)
        for m in result.models
        if m != against
    ]
