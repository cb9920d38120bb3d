"""Which models cannot be told from the best one: the model confidence set of Hansen, Lunde & Nason (2011)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tsforecast.judging.mean_tests import ROUNDING
from tsforecast.judging.power import least_origins

__all__ = ["ConfidenceSet", "confidence_set"]

Floats = npt.NDArray[np.float64]

SIZE = 0.10
RESAMPLES = 5_000


class ConfidenceSet(NamedTuple):
    """The models that hold the best one with 90 % confidence, and every model's p-value of being as good as the best;
    empty where there are too few origins or models."""

    models: tuple[str, ...]
    p_values: Mapping[str, float]


def confidence_set(
    losses: Mapping[str, Floats], overlap: int, *, seed: int = 0, resamples: int = RESAMPLES
) -> ConfidenceSet:
    """The 90 % model confidence set of losses `[T]` per model, by arch.

    overlap   how many origins forecast the same step: blocks of the stationary bootstrap are at least as long, and as
              long as is best for the differences (Politis & White 2004)

    Models with the same losses count once. Needs 20 origins (or three horizons' worth) and more than two models.
    """
    first: dict[str, str] = {}  # model -> the first one with the same losses
    for name, own in losses.items():
        twins = (other for other in dict.fromkeys(first.values()) if _same(own, losses[other]))
        first[name] = next(twins, name)
    distinct = list(dict.fromkeys(first.values()))
    n = len(next(iter(losses.values()), ()))
    if len(losses) < 3 or len(distinct) < 2 or n < least_origins(overlap):
        return ConfidenceSet((), {})
    from arch.bootstrap import MCS, optimal_block_length

    table = np.stack([losses[name] for name in distinct], axis=1)
    apart = table - table.mean(axis=1, keepdims=True)
    wanted = optimal_block_length(apart)["stationary"].to_numpy()
    block = int(np.clip(math.ceil(np.nanmax(wanted, initial=1.0)), overlap, n // 2))
    found = MCS(table, size=SIZE, reps=resamples, block_size=block, bootstrap="stationary", seed=seed)
    found.compute()
    p_values = found.pvalues["Pvalue"]
    of_distinct = {name: float(p_values.loc[place]) for place, name in enumerate(distinct)}
    best = {distinct[int(str(place))] for place in found.included}
    return ConfidenceSet(
        tuple(name for name in losses if first[name] in best), {name: of_distinct[first[name]] for name in losses}
    )


def _same(one: Floats, two: Floats) -> bool:
    return bool(np.abs(one - two).max() <= ROUNDING * np.abs(two).max())
