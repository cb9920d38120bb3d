"""Quantities that come down to zero again and again, and never below it: counts, rain, the power of the sun."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tsforecast.panel import Panel
from tsforecast.spans import means_of

__all__ = ["has_floor"]

LEAST, SHARE = 3, 0.005  # zeros that were seen: fewer may be the rounding of what will fall further
NEAR = 500  # steps that are looked at first: most of what goes below zero does so there


def has_floor(past: Panel) -> npt.NDArray[np.bool_]:
    """Per series `[N]`: whether zero is the smallest value of all its past and was seen three times or more, in at
    least one of 200 observed values. Nothing else is known of what a series cannot be."""
    floor = ~_any_below(past.tail(NEAR))
    some = past.take(np.flatnonzero(floor))
    zeros = means_of(
        lambda values: np.where(np.isnan(values), np.nan, values == 0), some.values, some.starts, some.ends
    )
    known = means_of(lambda values: 1.0 - np.isnan(values), some.values, some.starts, some.ends) * some.lengths
    floor[floor] = (zeros >= SHARE) & (zeros * known >= LEAST - 0.5) & ~_any_below(some)
    return floor


def _any_below(past: Panel) -> npt.NDArray[np.bool_]:
    return means_of(lambda values: (values < 0).astype(np.float64), past.values, past.starts, past.ends) > 0
