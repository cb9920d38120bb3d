"""Rows on their way to a panel: in order, each time once, on the grid, and missing values dealt with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tsforecast.errors import listing
from tsforecast.frequency import Frequency, Ints, Times
from tsforecast.reading.cells import Source
from tsforecast.reading.faults import BACKWARDS, FILLED, LEADING, LEFT_OUT, UNSEEN, Fault, Remark

__all__ = ["Extent", "Missing", "Rows"]

Floats = npt.NDArray[np.float64]
Missing = Literal["error", "nan", "ffill", "drop"]

LARGEST = 1e150  # squares of errors, and sums of them, are to be numbers
_FIXES = "missing='nan' (masked) or 'ffill' (the last value carried forward), --missing nan | ffill on the command line"


class Extent(NamedTuple):
    """What all rows together are, where a message speaks of one of them."""

    rows: int
    series: int
    begins: Any  # the first time of the first series
    lacking: int  # steps that are missing from the grid

    @classmethod
    def of(cls, freq: Frequency, firsts: Times, lasts: Times, rows: int) -> Extent:
        """From the first and last time of each series."""
        steps = rows if freq.kind == "bars" else int((freq.ordinals(lasts) - freq.ordinals(firsts) + 1).sum())
        return cls(rows, len(firsts), firsts[0], steps - rows)


@dataclass(frozen=True, eq=False)
class Rows:
    """Observations `[rows]` in any order, then in that of (series, time): all of a table, or of some of its series.

    codes   the series of a row, an index into `ids`
    values  `[rows, C]`: the target and the covariates named in `columns`
    origin  where the row was in the user's table, -1 for one that was added
    """

    ids: tuple[str, ...]
    columns: tuple[str, ...]
    codes: Ints
    times: Times
    values: Floats
    origin: Ints
    source: Source
    notes: tuple[str | Remark, ...] = ()

    @property
    def starts(self) -> Ints:
        """First row of each series, once sorted."""
        return np.searchsorted(self.codes, np.arange(len(self.ids)))

    @property
    def ends(self) -> Ints:
        """Row after the last of each series, once sorted."""
        return np.searchsorted(self.codes, np.arange(len(self.ids)), side="right")

    def pick(self, rows: npt.NDArray[Any]) -> Rows:
        """Some of the rows, by position or mask."""
        return replace(
            self,
            codes=self.codes[rows],
            times=self.times[rows],
            values=self.values[rows],
            origin=self.origin[rows],
        )

    def said(self, note: str | Remark) -> Rows:
        """The same rows, with one more note."""
        return replace(self, notes=(*self.notes, note))

    def refuse(self, fault: Fault | None) -> None:
        """DataError where there is a fault."""
        if fault is not None:
            raise self.source.error(str(fault))

    def ordered(self) -> Rows:
        """Sorted by series and time."""
        falls = (self.codes[1:] == self.codes[:-1]) & (self.times[1:] < self.times[:-1])
        if not falls.any() and not (self.codes[1:] < self.codes[:-1]).any():
            return self
        rows = self.pick(np.lexsort((self.times, self.codes)))
        by_series = np.argsort(self.codes, kind="stable")
        codes, times = self.codes[by_series], self.times[by_series]
        late = int(((codes[1:] == codes[:-1]) & (times[1:] < times[:-1])).sum())
        return rows.said(Remark(BACKWARDS, Frequency("integer"), 0, late)) if late else rows

    def faults(self, freq: Frequency) -> Iterator[Fault | None]:
        """What no policy allows, sorted: the first of these that any row has is told."""
        yield self.infinite(freq)
        yield self.unobserved()
        yield self.duplicates(freq)

    def on_grid(self, freq: Frequency, missing: Missing) -> Rows:
        """With a row for every grid point between the ends of each series, missing values masked or filled forward.

        Raises DataError where a time is off the grid, or where something is missing that the policy does not allow.
        """
        whole = Extent.of(freq, self.times[self.starts], self.times[self.ends - 1], len(self.times))
        self.refuse(self.off_grid(freq, whole))
        self.refuse(self.gaps(freq, missing, whole))
        full = self.widened(freq)
        full.refuse(full.blanks(freq, missing, whole))
        return full.filled(freq, missing)

    def infinite(self, freq: Frequency) -> Fault | None:
        """An infinite cell, or one whose square would be."""
        endless = np.abs(self.values) > LARGEST
        if not endless.any():
            return None
        c, r = (int(v) for v in np.argwhere(endless.T)[0])
        how = "correct it" if np.isinf(self.values[r, c]) else "no error of that size can be squared: scale the column"

        def say(count: int) -> str:
            return (
                f"{self._place(r)}: {self._at(r, freq)}: '{self.columns[c]}' is {self.values[r, c]} "
                f"({count} such cells); {how}, or blank it and choose what a missing value means (--missing)"
            )

        return Fault((c, *self._key(r)), (int(endless.sum()),), say)

    def unobserved(self) -> Fault | None:
        """A series without any observed value."""
        seen = np.bincount(self.codes[np.isfinite(self.values[:, 0])], minlength=len(self.ids))
        empty = tuple(self.ids[i] for i in np.flatnonzero(seen == 0))

        def say(names: tuple[str, ...]) -> str:
            return (
                f"series '{min(names)}' has no observed value of '{self.columns[0]}' ({len(names)} such series: "
                f"{listing(sorted(names))}); leave it out"
            )

        return Fault(empty[:1], (empty,), say) if empty else None

    def duplicates(self, freq: Frequency) -> Fault | None:
        """Two rows of one series and time."""
        again = np.flatnonzero((self.codes[1:] == self.codes[:-1]) & (self.times[1:] == self.times[:-1])) + 1
        if len(again) == 0:
            return None
        first = int(again[0])
        same = np.flatnonzero((self.codes == self.codes[first]) & (self.times == self.times[first]))
        numbered = self.times.dtype.kind != "M"
        spread = "; where two columns make the time, such as year and month, write it as one date" if numbered else ""
        if not numbered and freq.tz is None and _when_clocks_go_back(self.times[again]):
            spread = (
                "; if clocks went back then, write times in UTC or with their offset, such as 2024-10-27 02:00+01:00"
            )

        def say(count: int, series: int) -> str:
            more = count - (len(same) - 1)
            also = f"; {more} more such rows in {series} series" if more else ""
            return (
                f"duplicate time: {self._at(first, freq)} occurs {len(same)} times "
                f"({listing(self._place(int(r)) for r in same)}; "
                f"{self.columns[0]} = {listing(f'{v:.10g}' for v in self.values[same, 0])}){also}; "
                "keep one row for each time of a series, for example their mean, or name the column that tells series "
                f"apart (--id){spread}"
            )

        return Fault(self._key(first), (len(again), len(np.unique(self.codes[again]))), say)

    def without_blanks(self, freq: Frequency) -> Rows:
        """The rows that have a target: for bars, whose position is time."""
        blank = np.isnan(self.values[:, 0])
        return self.pick(~blank).said(self._remark(LEFT_OUT, blank, freq)) if blank.any() else self

    def off_grid(self, freq: Frequency, whole: Extent) -> Fault | None:
        """A time that is no point of the grid."""
        off = np.flatnonzero(~freq.on_grid(self.times))
        if len(off) == 0:
            return None
        first = int(off[0])

        def say(count: int) -> str:
            return (
                f"the times are irregular: {self._at(first, freq)} ({self._place(first)}) is off "
                f"the {freq.name} grid that begins {freq.show(whole.begins)}, as are {count} of {whole.rows} "
                "rows; resample to equal steps, name another grid (--freq), or take position as time (--freq bars)"
            )

        return Fault(self._key(first), (len(off),), say)

    def gaps(self, freq: Frequency, missing: Missing, whole: Extent) -> Fault | None:
        """A step that is missing from the grid, where the policy does not allow it or too many are."""
        sparse = whole.lacking > 20 * whole.rows + 1_000
        if freq.kind == "bars" or not whole.lacking or (missing in ("nan", "ffill") and not sparse):
            return None
        ordinals = freq.ordinals(self.times)
        jump = np.flatnonzero((self.codes[1:] == self.codes[:-1]) & (np.diff(ordinals) > 1))
        if len(jump) == 0:
            return None
        r = int(jump[0])
        here = int(ordinals[r + 1] - ordinals[r]) - 1
        fix = (
            "missing='drop' leaves rows out, which only bars can bear: use freq='bars', or " + _FIXES
            if missing == "drop"
            else f"choose {_FIXES}; or take position as time with freq='bars' (--freq bars)"
        )
        if missing in ("nan", "ffill"):
            fix = f"that is more than 20 times the {whole.rows} rows there are: check the times, or take freq='bars'"

        def say(series: int) -> str:
            return (
                f"gap: series '{self.ids[self.codes[r]]}': {_steps(here)} missing between {freq.show(self.times[r])} "
                f"and {freq.show(self.times[r + 1])} ({self._place(r + 1)}); {_steps(whole.lacking)} missing from the "
                f"{freq.name} grid in {series} of {whole.series} series; {fix}"
            )

        return Fault(self._key(r), (len(np.unique(self.codes[jump])),), say)

    def widened(self, freq: Frequency) -> Rows:
        """With a row for every grid point between the ends of each series: without values where there was none."""
        if freq.kind == "bars":
            return self
        ordinals = freq.ordinals(self.times)
        starts, ends = self.starts, self.ends
        lengths = ordinals[ends - 1] - ordinals[starts] + 1
        total = int(lengths.sum())
        if total == len(self.times):
            return self
        first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        to = first[self.codes] + ordinals - ordinals[starts][self.codes]
        values = np.full((total, self.values.shape[1]), np.nan)
        origin = np.full(total, -1)
        values[to], origin[to] = self.values, self.origin
        codes = np.repeat(np.arange(len(self.ids)), lengths)
        times = freq.times(np.arange(total) - first[codes] + ordinals[starts][codes])
        return replace(self, codes=codes, times=times, values=values, origin=origin)

    def blanks(self, freq: Frequency, missing: Missing, whole: Extent) -> Fault | None:
        """A missing value, where the policy does not allow it."""
        blank = np.isnan(self.values)
        if missing in ("nan", "ffill") or not blank.any():
            return None
        c, r = (int(v) for v in np.argwhere(blank.T)[0])

        def say(count: int, series: int) -> str:
            return (
                f"{self._place(r)}: {self._at(r, freq)}: '{self.columns[c]}' is missing "
                f"({count} such cells in {series} of {whole.series} series); choose {_FIXES}; "
                "on trading days also 'drop' (the row is left out)"
            )

        counts = (int(blank[:, c].sum()), len(np.unique(self.codes[blank[:, c]])))
        return Fault(self._key(r), counts, say, rank=c)

    def filled(self, freq: Frequency, missing: Missing) -> Rows:
        """With missing values masked, or the last value before them carried forward."""
        blank = np.isnan(self.values)
        if not blank.any():
            return self
        target = blank[:, 0]
        if missing == "nan":
            return self.said(self._remark(UNSEEN, target, freq)) if target.any() else self
        assert missing == "ffill", "the other policies allow no blanks"
        rows = np.arange(len(blank))[:, None]
        last = np.maximum.accumulate(np.where(blank, -1, rows), axis=0)  # the last row with a value, of any series
        known = last >= self.starts[self.codes][:, None]
        values = np.where(known, np.take_along_axis(self.values, np.maximum(last, 0), axis=0), np.nan)
        filled = replace(self, values=values)
        if (target & known[:, 0]).any():
            filled = filled.said(self._remark(FILLED, target & known[:, 0], freq))
        if not known[:, 0].all():  # nothing comes before them: they are no part of the series
            filled = filled.pick(known[:, 0]).said(self._remark(LEADING, ~known[:, 0], freq))
        return filled

    def _remark(self, what: str, mask: npt.NDArray[np.bool_], freq: Frequency) -> Remark:
        return Remark.of(what, freq, self.ids, self.codes[mask], self.times[mask])

    def _key(self, row: int) -> tuple[str, Any]:
        return self.ids[self.codes[row]], self.times[row]

    def _at(self, row: int, freq: Frequency) -> str:
        return f"series '{self.ids[self.codes[row]]}', {freq.show(self.times[row])}"

    def _place(self, row: int) -> str:
        return self.source.place(int(self.origin[row]))


def _steps(count: int) -> str:
    return "1 step is" if count == 1 else f"{count} steps are"


def _when_clocks_go_back(times: Times) -> bool:
    """Whether all of these are on a Sunday between one and four, when summer time ends nearly everywhere."""
    days = times.astype("datetime64[D]")
    hours = (times - days).astype("timedelta64[h]").astype(np.int64)
    sundays = days.astype(np.int64) % 7 == 3  # 1970 began on a Thursday
    return bool((sundays & (hours >= 1) & (hours < 4)).all())
