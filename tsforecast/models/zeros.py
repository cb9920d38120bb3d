"""Phases of the season at which there never is anything: nights of a solar plant, days on which a shop is closed.

A network, or a linear map, is a little above zero there, for nights are like dusk to it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tsforecast.panel import Panel

__all__ = ["ZERO", "always_zero"]

SEASONS = 10  # in each of which a phase was zero
MOST = 0.5  # zeros among the other phases: with more, ten in a row may be chance (one in a thousand)
ZERO = "zero at phases of the season that were zero in each of the last ten, as most values of other phases were not"


def always_zero(past: Panel, horizon: int) -> npt.NDArray[np.bool_]:
    """Per series and step ahead `[N, H]`: whether the step has a phase that was zero in each of the last ten seasons,
    of a series that is something most of the rest of that time."""
    m = past.season_length
    found = np.zeros((len(past), horizon), dtype=bool)
    long = np.flatnonzero(past.lengths >= SEASONS * m) if m > 1 else np.arange(0)
    some = long[(_last(past, long, m) == 0).any(axis=1)]
    zero = _last(past, some, SEASONS * m).reshape(len(some), SEASONS, m) == 0
    always = zero.all(axis=1)
    others = np.where(always, 0, zero.sum(axis=1)).sum(axis=1)
    something = others < MOST * SEASONS * (~always).sum(axis=1)
    found[some] = (always & something[:, None])[:, np.arange(horizon) % m]
    return found


def _last(past: Panel, rows: npt.NDArray[np.int64], steps: int) -> npt.NDArray[np.float64]:
    """The last steps of these series `[rows, steps]`."""
    return np.asarray(past.values[past.ends[rows][:, None] - steps + np.arange(steps)])
