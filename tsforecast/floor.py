"""Quantities that come down to zero again and again, and never below it: counts, rain, the power of the sun."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tsforecast.panel import Panel, spans_together
from tsforecast.spans import means_of

__all__ = ["has_floor"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST, SHARE = 3, 0.005  # zeros that were seen: fewer may be the rounding of what will fall further
NEAR = 500  # steps that are looked at first: most of what goes below zero does so there


def has_floor(pasts: Sequence[Panel]) -> npt.NDArray[np.bool_]:
    """Of all series of all pasts `[sum of N]`: whether zero is the smallest value that it ever had and was seen three
    times or more, in at least one of 200 observed values. Nothing else is known of what a series cannot be."""
    return np.concatenate([_floors(*spans) for spans in spans_together(pasts)])


def _floors(values: Floats, starts: Ints, ends: Ints) -> npt.NDArray[np.bool_]:
    floor = ~_any_below(values, np.maximum(starts, ends - NEAR), ends)
    some = values, starts[floor], ends[floor]
    zeros = means_of(lambda values: np.where(np.isnan(values), np.nan, values == 0), *some)
    known = means_of(lambda values: 1.0 - np.isnan(values), *some) * (ends - starts)[floor]
    floor[floor] = (zeros >= SHARE) & (zeros * known >= LEAST - 0.5) & ~_any_below(*some)
    return floor


def _any_below(values: Floats, starts: Ints, ends: Ints) -> npt.NDArray[np.bool_]:
    return means_of(lambda values: (values < 0).astype(np.float64), values, starts, ends) > 0
