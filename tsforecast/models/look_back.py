"""How far a model looks back, where that is left to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import count

from tsforecast.models.choices import shown
from tsforecast.models.least_squares import held_out_error
from tsforecast.models.settle import MOST_CONTEXT, context_size, has_daily_cycle
from tsforecast.panel import Panel
from tsforecast.windows import Windows

__all__ = ["LEAST_CONTEXT", "look_back", "share_of"]

LEAST_CONTEXT = 2  # a single value has no size to scale by
LONGER = 1.5  # than the whole, where a part of it would be too short
LEAST, HORIZONS = 24, 2  # steps, and horizons, in the shortest context that is tried
CLOSER = 0.97  # of another error: less of it may be chance
IN_VAIN = 3  # doublings in a row that were no closer: twice as far lies nothing either

Judge = Callable[[int], float]
"""The error with so many steps of context; not finite where it cannot be judged."""


def look_back(past: Panel, horizon: int, scaling: str, season: int, *, earlier: bool) -> int:
    """Steps of context: `context_size`, or the length with which a linear map has been 3 % closer on the last fifth of
    the past, where the season is a day (`_shorter`, also where the usual length cannot be judged) and where none is
    known (`_longer`).

    scaling, season, earlier   what the map sees, as in `choices.encoded`; "auto" is standard here
    """
    usual, daily = context_size(past, horizon), has_daily_cycle(past)

    def error(size: int) -> float:
        windows = Windows.of(past, size, horizon)
        found = shown(past, windows, scaling, season, earlier=earlier, before=earlier and daily)
        return held_out_error(past, *found, usual)

    if daily:
        return _shorter(list(_halves(usual, horizon, past.season_length)), error)
    return _longer(list(_doubles(past, horizon)), error) if past.season_length == 1 else usual


def _shorter(sizes: list[int], error: Judge) -> int:
    """The longest that can be judged (with a map of the time before), or the closest, where it is closer than that.

    A week of five-minute readings is 2,016 steps, and what happens in the next hour follows from the last hours of a
    machine's load and from last week's of a street's: only the past tells which it is. What leaves too few windows to
    judge it leaves few to learn from.
    """
    if len(sizes) == 1:
        return sizes[0]
    found = {size: error(size) for size in sizes}
    judged = {size: its for size, its in found.items() if math.isfinite(its)}
    if not judged:
        return sizes[0]
    closest, longest = min(judged, key=judged.__getitem__), max(judged)
    return closest if judged[closest] < CLOSER * judged[longest] else longest


def _longer(sizes: list[int], error: Judge) -> int:
    """The shortest of those that are about as close as the closest, where it is closer than the first of them.

    Values without dates may well have a cycle that nobody spoke of. Two horizons seldom show it; a context that is
    longer than the cycle does.
    """
    if len(sizes) == 1:
        return sizes[0]
    found = dict[int, float]()
    for size in sizes:
        its = error(size)
        if not math.isfinite(its):
            break
        found[size] = its
        if min(list(found.values())[-IN_VAIN:]) > min(found.values()):
            break
    least = min(found.values(), default=math.inf)
    enough = next((size for size, its in found.items() if its <= least / CLOSER), sizes[0])
    return enough if found and found[enough] < CLOSER * found[sizes[0]] else sizes[0]


def _halves(usual: int, horizon: int, season: int) -> Iterator[int]:
    """The usual context, its half, quarter, ... in whole days, down to a day and its parts."""
    size = usual
    yield size
    while True:
        size //= 2
        size -= size % season if size > season else 0
        if size < max(LEAST, HORIZONS * horizon):
            break
        yield size


def _doubles(past: Panel, horizon: int) -> Iterator[int]:
    """The usual context, twice, four times, ... of it while there is room for all of that."""
    size = context_size(past, horizon)
    yield size
    for times in (2.0**k for k in count(1)):
        wider = context_size(past, horizon, times)
        if wider < 2 * size or wider > MOST_CONTEXT:
            break
        yield wider
        size = wider


def share_of(whole: int, share: float, past: Panel, horizon: int) -> int:
    """Steps in a share of the whole context; where that would be a part shorter than the horizon, more than the whole:
    the mean of two networks gains by their looking back differently far."""
    size = int(share * whole)
    if share < 1 and size < horizon:
        size = min(int(LONGER * whole), context_size(past, horizon, times=LONGER))
    return max(size, LEAST_CONTEXT)
