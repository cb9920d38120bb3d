"""What luck with the initial weights is worth: how the mean loss of a model changes when its networks change."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.judging import metrics
from tsforecast.judging.compare import Luck
from tsforecast.judging.scores import Cube
from tsforecast.results import BacktestResult

__all__ = ["seed_luck"]

Floats = npt.NDArray[np.float64]

DRAWS = 200


def seed_luck(result: BacktestResult, loss: str, folds: npt.ArrayLike) -> dict[str, Luck]:
    """Per model of several networks, the mean loss of each network alone and the variance of the model's own.

    loss    "mase" or "mae"
    folds   the origins that are compared

    A model answers the mean of its S networks. Its variance over seeds is that of the mean loss when S networks are
    drawn from them with replacement, times S / (S - 1), since a draw from S sees only so much of the variation.
    """
    if result.members.empty:
        return {}
    cube = Cube.of(result)
    weights = _weights(cube, loss, folds)
    found = {}
    for model, part in result.members.groupby("model", sort=False):
        members = np.full((int(part["seed"].max()) + 1, *cube.y.shape), np.nan)
        steps = cube.y.shape[1]
        rows = cube.rows.set_index(["fold", "unique_id"]).index
        first = part.iloc[::steps]
        place = rows.get_indexer(pd.MultiIndex.from_frame(first[["fold", "unique_id"]]))
        members[first["seed"].to_numpy(np.int64), place] = part["forecast"].to_numpy(np.float64).reshape(-1, steps)

        def mean_loss(point: Floats) -> float:
            errors = metrics.mae(cube.y, point)
            if loss == "mase":
                errors = metrics.scaled(errors, cube.rows["scale_abs"].to_numpy(np.float64))
            return float(np.where(weights > 0, errors, 0.0) @ weights)

        networks = len(members)
        draws = np.random.default_rng(0).multinomial(networks, np.full(networks, 1 / networks), size=DRAWS) / networks
        drawn = [mean_loss(np.tensordot(draw, members, axes=1)) for draw in draws]
        alone = np.array([mean_loss(member) for member in members])
        if np.isfinite(alone).all():
            found[str(model)] = Luck(alone, float(np.var(drawn)) * networks / (networks - 1))
    return found


def _weights(cube: Cube, loss: str, folds: npt.ArrayLike) -> Floats:
    """What each row counts in the mean over origins of the mean over series; 0 = not scored."""
    seen = cube.common & np.isfinite(cube.y).any(axis=1) & cube.rows["fold"].isin(np.asarray(folds)).to_numpy()
    if loss == "mase":
        scale = cube.rows["scale_abs"].to_numpy(np.float64)
        seen &= np.isfinite(scale) & (scale > 0)
    fold = cube.rows["fold"].to_numpy(np.int64)
    counts = np.bincount(fold[seen], minlength=int(fold.max()) + 1)
    return np.where(seen, 1 / np.maximum(counts[fold], 1), 0.0) / max(int((counts > 0).sum()), 1)
