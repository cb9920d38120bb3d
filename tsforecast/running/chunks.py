"""A part of a backtest that can run by itself: some of the series, at the folds that share one fitted model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tsforecast.folds import Fold
from tsforecast.names import named
from tsforecast.panel import Panel

__all__ = ["chunk", "fit_groups", "gathered", "within"]


def fit_groups(folds: Sequence[Fold]) -> list[list[Fold]]:
    """Folds that share one fitted model: it is fitted at the first of each group."""
    groups: list[list[Fold]] = []
    for fold in folds:
        if fold.plan.fits_at(fold.number):
            groups.append([])
        groups[-1].append(fold)
    return groups


def chunk(group: Sequence[Fold], first: int, last: int) -> list[Fold]:
    """The same folds for the series first:last of their panel, with a copy of the observations of these alone."""
    panel = group[0].panel
    if (first, last) == (0, len(panel)):
        return list(group)
    own = gathered(panel, np.arange(first, last))
    return [
        replace(
            fold,
            panel=own,
            known=fold.known[first:last],
            learners=_between(fold.learners, first, last) - first,
            rows=_between(fold.rows, first, last) - first,
        )
        for fold in group
    ]


def within(fold: Fold, first: int, last: int) -> Fold:
    """The fold for those of its scored series that are among first:last of its panel. Copies nothing."""
    return replace(fold, rows=_between(fold.rows, first, last))


def gathered(panel: Panel, series: npt.NDArray[np.int64]) -> Panel:
    """Some of the series alone, copied end to end: from a memory map only these are read."""
    lengths = panel.lengths[series]
    ends = np.cumsum(lengths)
    starts = ends - lengths
    rows = np.repeat(panel.starts[series] - starts, lengths) + np.arange(int(lengths.sum()))
    own = replace(
        panel,
        ids=named(panel.ids, series),
        starts=starts,
        ends=ends,
        values=np.asarray(panel.values[rows]),
        times=np.asarray(panel.times[rows]),
        hist=np.asarray(panel.hist[rows]),
        futr=np.asarray(panel.futr[rows]),
    )
    panel.let_go()
    return own


def _between(rows: npt.NDArray[np.int64], first: int, last: int) -> npt.NDArray[np.int64]:
    """Those of some ascending row numbers that lie in first:last."""
    a, b = np.searchsorted(rows, [first, last])
    return rows[a:b]
