"""Half-open spans of flat arrays, worked through in pieces: an array may be mapped from a file, and be larger than
memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["inside", "means_of", "pieces_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCK = 1 << 17
"""Elements that are looked at at once."""


def inside(starts: Ints, ends: Ints, total: int) -> npt.NDArray[np.bool_]:
    """Which of `total` elements lie in a span; spans do not overlap."""
    order = np.argsort(starts, kind="stable")
    ends = np.maximum.accumulate(ends[order])
    before = np.append(0, ends)[:-1]
    begins = np.clip(starts[order], before, ends)
    stretches = np.stack([begins - before, ends - begins], axis=1).ravel()  # outside, inside, outside, ...
    stretches = np.append(stretches, total - ends.max(initial=0))
    return np.repeat(np.arange(len(stretches)) % 2 == 1, stretches)


def pieces_of(flat: Floats, starts: Ints, ends: Ints) -> Iterator[Floats]:
    """What lies in the spans, along the first axis, some at a time. Spans do not overlap."""
    for near in _neighbours(starts, ends):
        low, high = int(starts[near].min()), int(ends[near].max())
        yield flat[low:high][inside(starts[near] - low, ends[near] - low, high - low)]


def means_of(
    function: Callable[[Floats], Floats], flat: Floats, starts: Ints, ends: Ints, *, before: int = 0
) -> Floats:
    """Mean over each span of what a function makes of `flat`, element by element. NaN is left out, and the answer where
    there is nothing else.

    before   how many elements in front of a span the function looks at
    """
    means = np.full(len(starts), np.nan)
    for near in _neighbours(starts, ends):
        low, high = max(int(starts[near].min()) - before, 0), int(ends[near].max())
        found = np.append(function(flat[low:high]), np.nan)  # one more, so that every end is an index
        seen = np.isfinite(found)
        borders = np.stack([starts[near], ends[near]], axis=1).ravel() - low
        totals = np.add.reduceat(np.where(seen, found, 0.0), borders)[::2]
        counts = np.add.reduceat(seen.astype(np.float64), borders)[::2]
        counts = np.where(ends[near] > starts[near], counts, 0.0)  # reduceat answers an element for an empty span
        own = np.full(len(near), np.nan)
        np.divide(totals, counts, out=own, where=counts > 0)
        means[near] = own
    return means


def _neighbours(starts: Ints, ends: Ints) -> Iterator[Ints]:
    """Groups of spans that lie within BLOCK elements of each other (or one longer span)."""
    order = np.argsort(starts, kind="stable")
    firsts, lasts = starts[order], np.maximum.accumulate(ends[order])
    first = 0
    while first < len(order):
        last = max(int(np.searchsorted(lasts, firsts[first] + BLOCK, side="right")), first + 1)
        yield order[first:last]
        first = last
