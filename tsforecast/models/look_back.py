"""How far a model looks back, where that is left to it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tsforecast.models.choices import shown
from tsforecast.models.least_squares import held_out_error
from tsforecast.models.settle import context_size, has_daily_cycle
from tsforecast.panel import Panel
from tsforecast.windows import Windows

__all__ = ["LEAST_CONTEXT", "look_back", "share_of"]

LEAST_CONTEXT = 2  # a single value has no size to scale by
LONGER = 1.5  # than the whole, where a part of it would be too short
LEAST, HORIZONS = 24, 2  # steps, and horizons, in the shortest context that is tried
CLOSER = 0.97  # of the error with the longest: less of it may be chance


def look_back(past: Panel, horizon: int, scaling: str, season: int, *, earlier: bool) -> int:
    """Steps of context: `context_size` or, where the season is a day, the half, quarter, ... of that (whole days, down
    to a day) with which a linear map has been closest on the last fifth of the past. It must have been 3 % closer than
    with the longest that could be judged: one with a map of the time before.

    A week of five-minute readings is 2,016 steps, and what happens in the next hour follows from the last hours of a
    machine's load and from last week's of a street's: only the past tells which it is.

    scaling, season, earlier   what the map sees, as in `choices.encoded`; "auto" is standard here
    """
    usual, errors = context_size(past, horizon), dict[int, float]()
    sizes = list(_sizes(usual, horizon, past.season_length))
    if len(sizes) == 1:
        return usual
    for size in sizes:
        windows = Windows.of(past, size, horizon)
        found = shown(past, windows, scaling, season, earlier=earlier, weeks=earlier)
        error = held_out_error(past, *found, usual)
        if math.isfinite(error):
            errors[size] = error
    if not errors:
        return usual
    closest = min(errors, key=errors.__getitem__)
    return closest if errors[closest] < CLOSER * errors[max(errors)] else usual


def _sizes(usual: int, horizon: int, season: int) -> Iterator[int]:
    """The longest first."""
    size = usual
    yield size
    while has_daily_cycle(season):
        size //= 2
        size -= size % season if size > season else 0
        if size < max(LEAST, HORIZONS * horizon):
            break
        yield size


def share_of(whole: int, share: float, past: Panel, horizon: int) -> int:
    """Steps in a share of the whole context; where that would be a part shorter than the horizon, more than the whole:
    the mean of two networks gains by their looking back differently far."""
    size = int(share * whole)
    if share < 1 and size < horizon:
        size = min(int(LONGER * whole), context_size(past, horizon, times=LONGER))
    return max(size, LEAST_CONTEXT)
