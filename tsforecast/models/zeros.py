"""Phases of the season at which there never is anything: nights of a solar plant, days on which a shop is closed.

A network, or a linear map, is a little above zero there, for nights are like dusk to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tsforecast.panel import Panel, spans_together

__all__ = ["SEASONS", "ZERO", "always_zero"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SEASONS = 10  # in each of which a phase was zero
MOST = 0.5  # zeros among the other phases: with more, ten in a row may be chance (one in a thousand)
ZERO = "set to zero where that phase of the season was zero in each of the last ten, and other phases mostly were not"


def always_zero(pasts: Sequence[Panel], season: int, horizon: int) -> npt.NDArray[np.bool_]:
    """Of all series of all pasts, per step ahead `[sum of N, H]`: whether the step has a phase that was zero in each of
    the last ten seasons, of a series that is something most of the rest of that time."""
    return np.concatenate([_zeros(*spans, season, horizon) for spans in spans_together(pasts)])


def _zeros(values: Floats, starts: Ints, ends: Ints, season: int, horizon: int) -> npt.NDArray[np.bool_]:
    found = np.zeros((len(ends), horizon), dtype=bool)
    if season == 1:
        return found
    long = np.flatnonzero(ends - starts >= SEASONS * season)
    some = long[(_last(values, ends[long], season) == 0).any(axis=1)]
    zero = _last(values, ends[some], SEASONS * season).reshape(len(some), SEASONS, season) == 0
    always = zero.all(axis=1)
    others = np.where(always, 0, zero.sum(axis=1)).sum(axis=1)
    something = others < MOST * SEASONS * (~always).sum(axis=1)
    found[some] = (always & something[:, None])[:, np.arange(horizon) % season]
    return found


def _last(values: Floats, ends: Ints, steps: int) -> Floats:
    """The last steps of these series `[rows, steps]`."""
    return np.asarray(values[ends[:, None] - steps + np.arange(steps)])
