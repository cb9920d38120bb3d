"""Which models cannot be distinguished from the best one: the model confidence set of Hansen, Lunde & Nason (2011)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tsforecast.judging.mean_tests import ROUNDING, diebold_mariano, effective_t
from tsforecast.judging.power import least_origins

__all__ = ["ConfidenceSet", "confidence_set", "resampled"]

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
    """The 90 % model confidence set of losses `[T]` per model: those that either arch's resamples or the test of a
    verdict against the model with the smallest mean loss leave in it.

    overlap   how many origins forecast the same step: blocks of the stationary bootstrap are at least as long, and as
              long as is best for the differences (Politis & White 2004)

    Models with the same losses count once; one that is worse by the same at every origin is
    out of it. Needs 20 origins (or three horizons' worth) and more than two models.
    """
    first: dict[str, str] = {}  # model -> the first one with the same losses
    for name, own in losses.items():
        twins = (other for other in dict.fromkeys(first.values()) if _same(own, losses[other]))
        first[name] = next(twins, name)
    distinct = list(dict.fromkeys(first.values()))
    n = len(next(iter(losses.values()), ()))
    if len(losses) < 3 or len(distinct) < 2 or n < least_origins(overlap):
        return ConfidenceSet((), {})
    alive = [one for one in distinct if not any(_always_below(losses[other], losses[one]) for other in distinct)]
    p_values = dict.fromkeys(distinct, 0.0)
    found = [1.0]  # of one that is closer than every other by as much at every origin
    if len(alive) > 1:
        table = np.stack([losses[name] for name in alive], axis=1)
        found = np.maximum(resampled(table, overlap, seed, resamples), _against_the_best(table, overlap)).tolist()
    p_values |= dict(zip(alive, found, strict=True))
    return ConfidenceSet(
        tuple(name for name in losses if p_values[first[name]] > SIZE), {name: p_values[first[name]] for name in losses}
    )


def resampled(table: Floats, overlap: int, seed: int = 0, resamples: int = RESAMPLES) -> Floats:
    """p-values `[M]` of losses `[T, M]`, by arch."""
    from arch.bootstrap import MCS, optimal_block_length

    apart = table - table.mean(axis=1, keepdims=True)
    wanted = optimal_block_length(apart)["stationary"].to_numpy()
    block = int(np.clip(math.ceil(np.nanmax(wanted, initial=1.0)), overlap, len(table) // 2))
    found = MCS(table, size=SIZE, reps=resamples, block_size=block, bootstrap="stationary", seed=seed)
    found.compute()
    p_values = found.pvalues["Pvalue"]
    return np.array([float(p_values.loc[place]) for place in range(table.shape[1])])


def _against_the_best(table: Floats, overlap: int) -> Floats:
    """p-values `[M]` of losses `[T, M]` being those of the model with the smallest mean loss; 1 where that cannot be
    tested. Of few origins, or such as overlap, resamples alone throw an equal model out of the set in 20 to 60 of 100
    draws, where 10 are meant; the tests of a verdict are guarded against that."""
    away = table - table[:, [int(table.mean(axis=0).argmin())]]
    tests = diebold_mariano(away, overlap - 1), effective_t(away, overlap)
    return np.maximum(*(np.where(np.isfinite(test.p_value), test.p_value, 1.0) for test in tests))


def _always_below(one: Floats, two: Floats) -> bool:
    """By the same at every origin: no resample can tell more."""
    away = two - one
    return bool(away.mean() > 0 and away.std() <= ROUNDING * np.abs(two).max())


def _same(one: Floats, two: Floats) -> bool:
    return bool(np.abs(one - two).max() <= ROUNDING * np.abs(two).max())
