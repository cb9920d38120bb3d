"""What a number of origins can find: the smallest difference, and how many origins one of a given size takes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tsforecast.judging.mean_tests import MIN_APART, with_variance, worth

__all__ = [
    "MIN_ORIGINS",
    "POWER",
    "detectable_error",
    "detectable_percent",
    "fewest",
    "least_origins",
    "origins_needed",
]

Floats = npt.NDArray[np.float64]

MIN_ORIGINS = 20
"""Below this many origins the test's size is distorted (Coroneo & Iacone 2020), and no p-value is given."""
POWER = 0.8
MOST_ORIGINS = 1_000_000


def least_origins(overlap: int) -> int:
    """Origins without which there is no p-value, where `overlap` of them forecast the same steps."""
    return max(MIN_ORIGINS, MIN_APART * overlap)


def detectable_error(df: float, *, power: float = POWER, alpha: float = 0.05) -> float:
    """How many standard errors a true mean has to be away from 0 for a two-sided t test to say so with this power.

    From the noncentral t distribution; with many degrees of freedom 1.96 + 0.84 = 2.80.
    """
    from scipy.special import nctdtrinc, stdtrit

    return float(nctdtrinc(df, 1 - power, stdtrit(df, 1 - alpha / 2)))


def detectable_percent(
    gains: Floats,
    *,
    overlap: int,
    n_origins: int | None = None,
    luck: tuple[float, float] = (0.0, 1.0),
    power: float = POWER,
    alpha: float = 0.05,
) -> float:
    """The smallest true improvement, in percent, that these origins would find with this power.

    gains      `[T]`, percent of the benchmark's loss gained at each origin: they tell the variance and autocorrelation
    overlap    how many origins forecast the same step
    n_origins  for another number of origins than T, of the same kind
    luck       what no number of origins makes smaller: the variance over seeds, and its degrees of freedom
    alpha      level of the test; 0.05 / K where it is one of K (Holm's first step)

    NaN where too few origins are left, or nothing varies.
    """
    n = len(gains) if n_origins is None else n_origins
    if len(gains) < 3 or n < least_origins(overlap):
        return math.nan
    apart = float(worth(gains, overlap)) * n / len(gains)
    if apart < MIN_APART:
        return math.nan
    error, df = with_variance(float(gains.std()) / math.sqrt(apart - 1), apart - 1, *luck)
    return error * detectable_error(df, power=power, alpha=alpha) if error > 0 else math.nan


def origins_needed(
    gains: Floats,
    effect_percent: float,
    *,
    overlap: int,
    luck: tuple[float, float] = (0.0, 1.0),
    power: float = POWER,
    alpha: float = 0.05,
) -> int:
    """How many origins, as far apart as these, find a true improvement of this many percent with this power.

    At least the number without which there is no p-value; 0 where no number up to a million is enough, such as where
    the luck of training hides it, or where the variance is not known.
    """

    def enough(n: int) -> bool:
        found = detectable_percent(gains, overlap=overlap, n_origins=n, luck=luck, power=power, alpha=alpha)
        return found <= effect_percent

    return fewest(enough, least_origins(overlap))


def fewest(enough: Callable[[int], bool], least: int) -> int:
    """The smallest number of origins from `least` on that is enough, where more are never less; 0 above a million."""
    if enough(least):
        return least
    high = 2 * least
    while not enough(high):
        high *= 2
        if high > MOST_ORIGINS:
            return 0
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
