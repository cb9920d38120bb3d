"""What luck with the initial weights is worth: how the mean loss of a model changes when its networks change."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tsforecast.judging import metrics
from tsforecast.judging.compare import Luck
from tsforecast.judging.cubes import Cube, Layout, cubes
from tsforecast.results import BacktestResult

__all__ = ["seed_luck"]

Floats = npt.NDArray[np.float64]
Stretches = dict[tuple[int, int], list[tuple[int, int]]]
"""Network and fold -> where its rows are in the table of members, in their order."""

DRAWS = 200


def seed_luck(result: BacktestResult, loss: str, folds: npt.ArrayLike) -> dict[str, Luck]:
    """Per model of several networks, the mean loss of each network alone and the variance of the model's own.

    loss    "mase" or "mae"
    folds   the origins that are compared

    A model answers the mean of its S networks. Its variance over seeds is that of the mean loss when S networks are
    drawn from them with replacement, times S / (S - 1), since a draw from S sees only so much of the variation.
    Networks that look back over different lengths differ by more than luck, so that for them it is an upper bound.
    """
    found, layout = {}, Layout.of(result)
    compared = np.isin(layout.folds, np.asarray(folds))
    for model, stretches in _stretches(result).items():
        networks = max(seed for seed, _ in stretches) + 1
        draws = np.random.default_rng(0).multinomial(networks, np.full(networks, 1 / networks), size=DRAWS) / networks
        sums, counts = np.zeros((DRAWS + networks, len(layout.folds))), np.zeros(len(layout.folds))
        for cube in cubes(result):
            seen = _seen(cube, loss)
            points, fold = _points(result, cube, stretches, networks)[:, seen], cube.fold[seen]
            counts += np.bincount(fold, minlength=len(counts))
            for row, draw in zip(sums, np.concatenate([draws, np.eye(networks)]), strict=True):
                errors = metrics.mae(cube.y[seen], np.tensordot(draw, points, axes=1))
                if loss == "mase":
                    errors = metrics.scaled(errors, cube.scale_abs[seen])
                row += np.bincount(fold, errors, minlength=len(counts))
        there = compared & (counts > 0)
        means = (sums[:, there] / counts[there]).mean(axis=1) if there.any() else np.full(len(sums), np.nan)
        drawn, alone = means[:DRAWS], means[DRAWS:]
        if np.isfinite(alone).all():
            found[model] = Luck(alone, float(np.var(drawn)) * networks / (networks - 1))
    return found


def _seen(cube: Cube, loss: str) -> npt.NDArray[np.bool_]:
    """The rows that are scored."""
    seen = cube.common & np.isfinite(cube.y).any(axis=1)
    return seen & (cube.scale_abs > 0) if loss == "mase" else seen


def _points(result: BacktestResult, cube: Cube, stretches: Stretches, networks: int) -> Floats:
    """What each network said `[S, R, H]`; NaN where it said nothing."""
    table, layout, steps = result.table("members"), Layout.of(result), cube.y.shape[1]
    found = np.full((networks, *cube.y.shape), np.nan)
    for (seed, number), ranges in stretches.items():
        fold = int(np.searchsorted(layout.folds, number))
        begin, end = ((row - int(layout.first[fold])) * steps for row in cube.places[fold])
        wanted, before = [], 0
        for a, b in ranges:
            low, high = max(begin, before), min(end, before + b - a)
            if low < high:
                wanted.append((a + low - before, a + high - before))
            before += b - a
        found[seed, cube.fold == fold] = table.numbers(["forecast"], wanted).reshape(-1, steps)
    return found


def _stretches(result: BacktestResult) -> dict[str, Stretches]:
    found: dict[str, Stretches] = {}
    first = 0
    for piece in result.table("members").pieces(["model", "seed", "fold"]):
        borders = [*np.flatnonzero(piece.ne(piece.shift()).any(axis=1)).tolist(), len(piece)]
        for a, b in pairwise(borders):
            model, seed, fold = piece.iloc[a]
            found.setdefault(str(model), {}).setdefault((int(seed), int(fold)), []).append((first + a, first + b))
        first += len(piece)
    return found
