"""What a backtest will be able to find, before the model in question has been trained.

The variance of a loss difference depends on the difference itself: a model that gains little has nearly the errors of
the benchmark, one that gains much has others. So the variance is not taken from some pair of cheap models alone, but
worked out for the gain that is asked about, and the smallest gain that its own variance lets be found is the promise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tsforecast.judging.mean_tests import MIN_APART, worth
from tsforecast.judging.power import POWER, detectable_error, fewest, least_origins

__all__ = ["foreseeable_percent", "foreseen_origins", "gain_spread"]

Floats = npt.NDArray[np.float64]

FOLDED = math.sqrt(math.pi / 2 - 1)  # coefficient of variation of the absolute value of a normal error


def gain_spread(gain: Floats | float, benchmark_losses: Floats) -> Floats:
    """Standard deviation of the gain at one origin, in shares of the benchmark's mean loss, of a model whose mean loss
    is smaller by the share `gain` (or each of several).

    For normal errors e of the benchmark and e' of a model that uses its information well, e = e' + what the model knew,
    and the two parts are independent: their correlation is 1 - gain. The variance of |e| - |e'| then has a closed form
    (for normal X, Y with correlation r, E|XY| = 2/pi (sqrt(1 - r^2) + r asin r)). An origin's loss is a mean over
    steps and series; how many independent errors that is worth, the variation of the benchmark's losses `[T]` tells.
    """
    r, mean = 1 - np.asarray(gain, dtype=np.float64), math.sqrt(2 / math.pi)
    product = (np.sqrt(1 - r * r) + r * np.arcsin(r)) * mean**2
    variance = (1 - mean**2) * (1 + r * r) - 2 * r * (product - mean**2)
    variation = float(benchmark_losses.std(ddof=1) / benchmark_losses.mean()) if len(benchmark_losses) > 1 else 0.0
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)) / mean * variation / FOLDED)


def foreseeable_percent(
    benchmark_losses: Floats,
    gains: Floats,
    *,
    overlap: int,
    n_origins: int | None = None,
    power: float = POWER,
    alpha: float = 0.05,
) -> float:
    """The smallest true improvement, in percent, that so many origins find with this power.

    benchmark_losses  `[T]`, of the model to be beaten
    gains             `[T]`, percent gained by a cheap model that learns (ridge): the model in question is taken to
                      have their autocorrelation, and no smaller variance
    overlap, n_origins, power, alpha  as in `power.detectable_percent`

    NaN where too few origins are left or the gains do not vary; infinite where not even a gain of all would be found.
    """
    n = len(gains) if n_origins is None else n_origins
    found = _error(benchmark_losses, gains, overlap, n, power, alpha)
    if found is None:
        return math.nan
    shares = np.geomspace(1e-4, 1.0, 400)
    enough = np.flatnonzero(found(shares) <= shares)
    return float(100 * shares[enough[0]]) if len(enough) else math.inf


def foreseen_origins(
    benchmark_losses: Floats,
    gains: Floats,
    effect_percent: float,
    *,
    overlap: int,
    power: float = POWER,
    alpha: float = 0.05,
) -> int:
    """How many such origins find a true improvement of this many percent; 0 where not even a million do."""
    share = effect_percent / 100

    def enough(n: int) -> bool:
        found = _error(benchmark_losses, gains, overlap, n, power, alpha)
        return found is not None and bool(found(share) <= share)

    return fewest(enough, least_origins(overlap))


def _error(
    losses: Floats, gains: Floats, overlap: int, n: int, power: float, alpha: float
) -> Callable[[Floats | float], Floats] | None:
    """How large a gain has to be, as a share, given the spread that a gain of that share has; None where not known."""
    if len(gains) < 3 or n < least_origins(overlap) or not gains.std() > 0:
        return None
    apart = float(worth(gains, overlap)) * n / len(gains)
    if apart < MIN_APART:
        return None
    errors = detectable_error(apart - 1, power=power, alpha=alpha) / math.sqrt(apart - 1)
    least = float(gains.std()) / 100
    return lambda gain: errors * np.maximum(gain_spread(gain, losses), least)
