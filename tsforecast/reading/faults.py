"""What is found wrong with rows, and what was done to them: facts that add up over the parts of a large table.

They are put into words once all rows are known, so a file read in parts is spoken of as one read whole.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from tsforecast.frequency import Frequency, Ints, Times

__all__ = ["BACKWARDS", "FILLED", "LEADING", "LEFT_OUT", "UNSEEN", "Fault", "Remark"]

BACKWARDS = "rows were not in the order of time ({} steps backwards); sorted"
LEFT_OUT = "rows without a value left out"
UNSEEN = "steps not observed"
FILLED = "gaps filled forward"
LEADING = "leading steps without a value left out"
_IN_ORDER = (BACKWARDS, LEFT_OUT, UNSEEN, FILLED, LEADING)
_SHOWN = 3  # series that are named


@dataclass(frozen=True, eq=False)
class Fault:
    """Why rows are refused.

    first   where the fault is first, as something that sorts: (series, time), before it the column where that counts
    counts  how much of it there is: numbers, or tuples of names
    say     counts -> the sentence about the first place
    rank    of faults with different ranks only the lowest is told
    """

    first: tuple[Any, ...]
    counts: tuple[Any, ...]
    say: Callable[..., str]
    rank: int = 0

    def __str__(self) -> str:
        return self.say(*self.counts)

    @staticmethod
    def merged(faults: Iterable[Fault | None]) -> Fault | None:
        """The faults of several parts as one: the first place, all counts together."""
        found = [fault for fault in faults if fault is not None]
        if not found:
            return None
        rank = min(fault.rank for fault in found)
        found = [fault for fault in found if fault.rank == rank]
        counts = tuple(reduce(operator.add, same) for same in zip(*(f.counts for f in found), strict=True))
        return replace(min(found, key=lambda fault: fault.first), counts=counts)


@dataclass(frozen=True, eq=False)
class Remark:
    """What was done to some rows: `series 'S12': 3 gaps filled forward, first 2024-02-03`.

    touched  the first series it was done to: id, first time, rows
    """

    what: str
    freq: Frequency
    series: int
    rows: int
    touched: tuple[tuple[str, Any, int], ...] = ()

    @classmethod
    def of(cls, what: str, freq: Frequency, ids: tuple[str, ...], codes: Ints, times: Times) -> Remark:
        """About rows in the order of (series, time), of the series `ids[codes]`."""
        touched, first, counts = np.unique(codes, return_index=True, return_counts=True)
        shown = zip(touched[:_SHOWN], first[:_SHOWN], counts[:_SHOWN], strict=True)
        return cls(what, freq, len(touched), len(codes), tuple((ids[c], times[r], int(n)) for c, r, n in shown))

    def __str__(self) -> str:
        if self.what is BACKWARDS:
            return BACKWARDS.format(self.rows)
        said = [f"series '{name}': {n} {self.what}, first {self.freq.show(time)}" for name, time, n in self.touched]
        others, rest = self.series - len(said), self.rows - sum(n for _, _, n in self.touched)
        return "; ".join(said) + (f"; {rest} more in {others} other series" if others else "")

    @staticmethod
    def merged(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
        """The remarks of several parts, one of each kind."""
        every = list(remarks)
        found = []
        for what in _IN_ORDER:
            if same := [remark for remark in every if remark.what is what]:
                touched = sorted((item for remark in same for item in remark.touched), key=lambda item: item[0])
                series, rows = sum(r.series for r in same), sum(r.rows for r in same)
                found.append(Remark(what, same[0].freq, series, rows, tuple(touched[:_SHOWN])))
        return tuple(found)
