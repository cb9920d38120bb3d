"""From a result to its scores: every metric per series and fold, then averaged over what is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.judging.cubes import Cube, Layout, cubes
from tsforecast.judging.rowwise import row_scores
from tsforecast.results import BacktestResult

__all__ = ["BASELINES", "best_baseline", "origin_losses", "score", "scores_by_series"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BASELINES = ("naive", "seasonal_naive", "drift", "naive2")
"""Kinds of model that anybody gets for nothing: what others have to beat."""

KEYS = ("model", "unique_id", "fold", "step")
SPOKEN = {"mse": "rmse", "msse": "rmsse"}
"""Metrics whose mean is taken before the root."""


def score(result: BacktestResult, by: Sequence[str] = ("model",)) -> pd.DataFrame:
    """Every metric per group of `by`, which names some of model, unique_id, fold, step.

    Only series and folds that *every* model has forecast are scored, so that no model gains by failing on what is
    hard: `n` counts them, `failed` those that this model could not forecast. (A model without any forecast has no
    scores and is not counted among them.) A metric of a group is the mean over its
    series and folds; RMSE and RMSSE are the roots of mean squares; WAPE and WQL are ratios of sums, so that large
    series weigh more; OWA needs the model naive2 in the run. A series whose metric is undefined (see
    `rowwise.undefined`) is left out of that metric's mean.
    """
    for key in by:
        if key not in KEYS:
            raise ConfigError(f"scores: cannot group by '{key}'{did_you_mean(key, KEYS)}")
    if "unique_id" in by:
        parts = list(scores_by_series(result, by))
        whole = pd.concat(parts, ignore_index=True)
        if len(parts) > 1:
            keys = [whole["step"]] if "step" in by else []
            keys.append(whole["model"].map({m: i for i, m in enumerate(result.models)}))
            whole = whole.iloc[np.lexsort(keys)].reset_index(drop=True)
        return whole
    folds, each_step = Layout.of(result).folds, "step" in by
    totals = result.once(("totals", each_step), lambda: _by_fold(result, each_step))
    if "fold" in by:
        return _table(result, by, pd.DataFrame({"fold": folds}), totals)
    return _table(result, by, pd.DataFrame(index=[0]), [total.together(len(folds)) for total in totals])


def scores_by_series(
    result: BacktestResult, by: Sequence[str], wanted: Collection[str] | None = None
) -> Iterator[pd.DataFrame]:
    """The table of `score` for some of the series after the other, where `by` names unique_id."""
    folds = Layout.of(result).folds
    for cube in cubes(result):
        places = cube.series * len(folds) + cube.fold if "fold" in by else cube.series
        there, codes = np.unique(places, return_inverse=True)
        owners = there // len(folds) if "fold" in by else there
        groups = pd.DataFrame({"unique_id": np.array(cube.names, dtype=object)[owners]})
        if "fold" in by:
            groups["fold"] = folds[there % len(folds)]
        totals = [Totals(len(there) * (cube.y.shape[1] if "step" in by else 1)) for _ in result.models]
        for m, total in enumerate(totals):
            total.add_rows(cube, m, codes, "step" in by, wanted)
        yield _table(result, by, groups, totals)


def _by_fold(result: BacktestResult, each_step: bool) -> list[Totals]:
    """Per model, its totals in each fold, or at each step of each fold."""
    layout = Layout.of(result)
    totals = [Totals(len(layout.folds) * (layout.steps if each_step else 1)) for _ in result.models]
    for cube in cubes(result):
        for m, total in enumerate(totals):
            total.add_rows(cube, m, cube.fold, each_step)
    return totals


@dataclass(frozen=True)
class Totals:
    """What adds up, in each of n groups: per metric the sum over what is averaged, and its weight; and counts."""

    n: int
    over: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    under: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    def count(self, name: str, groups: Ints) -> None:
        """One more in each of these groups."""
        self.over[name] = self.over.get(name, 0) + np.bincount(groups, minlength=self.n)

    def add(self, name: str, groups: Ints, values: Floats, weights: Floats | None = None) -> None:
        """More values of some groups, where they have one."""
        there = np.isfinite(values) if weights is None else np.isfinite(values) & np.isfinite(weights)
        for sums, more in ((self.over, values[there]), (self.under, None if weights is None else weights[there])):
            sums[name] = sums.get(name, 0) + np.bincount(groups[there], more, minlength=self.n)

    def add_rows(
        self, cube: Cube, model: int, codes: Ints, each_step: bool, wanted: Collection[str] | None = None
    ) -> None:
        """The scores of a model in a cube; its rows, or steps of rows, belong to these groups."""
        steps = cube.y.shape[1] if each_step else 1
        for rows in cube.blocks():
            y = cube.y[rows].reshape(-1, cube.y.shape[1] // steps)
            cells = (codes[rows, None] * steps + np.arange(steps)).ravel()
            keep = np.repeat(cube.common[rows], steps)
            self.count("failed", cells[np.repeat(~np.isfinite(cube.point[model, rows]).all(axis=1), steps)])
            self.count("n", cells := cells[keep])
            observed, size = np.isfinite(y).sum(axis=1)[keep], np.nansum(np.abs(y), axis=1)[keep]
            found = row_scores(cube, model, rows, each_step=each_step, wanted=wanted)
            for name, values in ((name, scores.ravel()[keep]) for name, scores in found.items()):
                if name == "wape":
                    self.add("wape", cells, found["mae"].ravel()[keep] * observed, size)
                    continue
                if name == "crps":
                    self.add("wql", cells, values * observed, size)
                self.add(SPOKEN.get(name, name), cells, values)

    def together(self, groups: int) -> Totals:
        """The first of each so many groups as one, the second of each, and so on."""
        sums = ({name: v.reshape(groups, -1).sum(axis=0) for name, v in own.items()} for own in (self.over, self.under))
        return Totals(self.n // groups, *sums)

    def averages(self) -> dict[str, npt.NDArray[Any]]:
        """Counts, and sums by their weights."""
        found = {name: self.over[name] for name in ("n", "failed")}
        for name, under in self.under.items():
            mean = np.divide(self.over[name], under, out=np.full(self.n, np.nan), where=under > 0)
            found[name] = np.sqrt(mean) if name in SPOKEN.values() else mean
        return found


def _table(result: BacktestResult, by: Sequence[str], groups: pd.DataFrame, totals: Sequence[Totals]) -> pd.DataFrame:
    """The averages of each model over each group, and over each step of it where `by` names it."""
    tables = []
    for model, total in zip(result.models, totals, strict=True):
        columns = total.averages()
        steps = len(columns["n"]) // len(groups)
        shaped = {name: values.reshape(-1, steps).T.ravel() for name, values in columns.items()}  # step by step
        table = pd.concat([groups] * steps, ignore_index=True).assign(model=model)
        table["step"] = np.repeat(np.arange(1, steps + 1), len(groups))
        tables.append(pd.concat([table, pd.DataFrame(shaped)], axis=1))
    whole = pd.concat(tables, ignore_index=True)
    if {"smape", "mase"} <= set(whole.columns):
        whole["owa"] = _owa(whole, result)
    keys = list(by) if "model" in by else ["model", *by]
    return whole[[*keys, *[c for c in whole.columns if c not in KEYS]]]


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
