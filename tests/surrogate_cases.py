"""Every way to copy a panel, and what to copy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tsforecast.auditing.surrogates import (
    SURROGATES,
    block_shuffled,
    planted,
    random_walk,
)
from tsforecast.panel import Panel

MAKERS: dict[str, Callable[[Panel, np.random.Generator], Panel]] = {**SURROGATES, "planted pattern": planted}
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
walks = pytest.mark.parametrize("make", [random_walk, block_shuffled])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(n: int, seed: int = 0) -> np.ndarray:
    return rng(seed).normal(size=n)


def prices(n: int, volatility: float = 0.02, seed: int = 0) -> np.ndarray:
    """A walk of logarithms that runs from 50 to 500."""
    changes = volatility * normal(n, seed)
    return 50 * np.exp(np.cumsum(changes - changes.mean()) + np.linspace(0, np.log(10), n))


def changes(values: np.ndarray) -> np.ndarray:
    return np.diff(values)


def moves(copy: Panel, i: int = 0) -> np.ndarray:
    return changes(copy.series(i))
