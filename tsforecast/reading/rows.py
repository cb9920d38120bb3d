"""Rows on their way to a panel: in order, each time once, on the grid, and missing values dealt with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tsforecast.errors import listing
from tsforecast.frequency import Frequency, Ints, Times
from tsforecast.reading.cells import Source

__all__ = ["Missing", "Rows"]

Floats = npt.NDArray[np.float64]
Missing = Literal["error", "nan", "ffill", "drop"]

_FIXES = "missing='nan' (masked) or 'ffill' (the last value carried forward), --missing nan | ffill on the command line"


@dataclass(frozen=True, eq=False)
class Rows:
    """Observations `[rows]` in any order, then in that of (series, time).

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
    notes: tuple[str, ...] = ()

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

    def said(self, note: str) -> Rows:
        """The same rows, with one more note."""
        return replace(self, notes=(*self.notes, note))

    def ordered(self) -> Rows:
        """Sorted by series and time."""
        falls = (self.codes[1:] == self.codes[:-1]) & (self.times[1:] < self.times[:-1])
        if not falls.any() and not (self.codes[1:] < self.codes[:-1]).any():
            return self
        rows = self.pick(np.lexsort((self.times, self.codes)))
        by_series = np.argsort(self.codes, kind="stable")
        codes, times = self.codes[by_series], self.times[by_series]
        late = int(((codes[1:] == codes[:-1]) & (times[1:] < times[:-1])).sum())
        return rows.said(f"rows were not in the order of time ({late} steps backwards); sorted") if late else rows

    def refuse_duplicates(self, freq: Frequency) -> None:
        """DataError where a series has two rows of one time."""
        again = np.flatnonzero((self.codes[1:] == self.codes[:-1]) & (self.times[1:] == self.times[:-1])) + 1
        if len(again) == 0:
            return
        first = int(again[0])
        same = np.flatnonzero((self.codes == self.codes[first]) & (self.times == self.times[first]))
        more = len(again) - (len(same) - 1)
        also = f"; {more} more such rows in {len(np.unique(self.codes[again]))} series" if more else ""
        raise self.source.error(
            f"duplicate time: {self._at(first, freq)} occurs {len(same)} times "
            f"({listing(self._place(int(r)) for r in same)}; "
            f"{self.columns[0]} = {listing(f'{v:.10g}' for v in self.values[same, 0])}){also}; "
            "keep one row for each time of a series, for example their mean"
        )

    def refuse_infinite(self, freq: Frequency) -> None:
        """DataError for an infinite cell, and for a series without any observed value."""
        for c, r in np.argwhere(np.isinf(self.values.T))[:1]:
            count = int(np.isinf(self.values).sum())
            raise self.source.error(
                f"{self._place(int(r))}: {self._at(int(r), freq)}: '{self.columns[c]}' is {self.values[r, c]} "
                f"({count} such cells); correct it, or blank it and choose what a missing value means (--missing)"
            )
        seen = np.bincount(self.codes[np.isfinite(self.values[:, 0])], minlength=len(self.ids))
        if (seen == 0).any():
            empty = [self.ids[i] for i in np.flatnonzero(seen == 0)]
            raise self.source.error(
                f"series '{empty[0]}' has no observed value of '{self.columns[0]}' ({len(empty)} such series: "
                f"{listing(empty)}); leave it out"
            )

    def without_blanks(self, freq: Frequency) -> Rows:
        """The rows that have a target: for bars, whose position is time."""
        blank = np.isnan(self.values[:, 0])
        if not blank.any():
            return self
        kept = self.pick(~blank)
        return kept.said(_per_series(self, blank, "rows without a value left out", freq))

    def refuse_off_grid(self, freq: Frequency) -> None:
        """DataError where a time is no point of the grid."""
        off = np.flatnonzero(~freq.on_grid(self.times))
        if len(off):
            raise self.source.error(
                f"the times are irregular: {self._at(int(off[0]), freq)} ({self._place(int(off[0]))}) is off "
                f"the {freq.name} grid that begins {freq.show(self.times[0])}, as are {len(off)} of {len(self.times)} "
                "rows; resample to equal steps, name another grid (--freq), or take position as time (--freq bars)"
            )

    def on_full_grid(self, freq: Frequency, missing: Missing) -> Rows:
        """With a row for every grid point between the ends of each series, missing values masked or filled forward.

        Raises DataError where the policy is "error" and something is missing.
        """
        if freq.kind == "bars":
            return self._filled(freq, missing)
        self.refuse_off_grid(freq)
        ordinals = freq.ordinals(self.times)
        starts, ends = self.starts, self.ends
        lengths = ordinals[ends - 1] - ordinals[starts] + 1
        lacking = int(lengths.sum()) - len(self.times)
        if lacking == 0:
            return self._filled(freq, missing)
        inner = self.codes[1:] == self.codes[:-1]
        jump = np.flatnonzero(inner & (np.diff(ordinals) > 1))
        if missing in ("error", "drop") or lacking > 20 * len(self.times) + 1_000:
            raise self._gap(freq, jump, ordinals, lacking, missing)
        first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        to = first[self.codes] + ordinals - ordinals[starts][self.codes]
        total = int(lengths.sum())
        values = np.full((total, self.values.shape[1]), np.nan)
        origin = np.full(total, -1)
        values[to], origin[to] = self.values, self.origin
        codes = np.repeat(np.arange(len(self.ids)), lengths)
        times = freq.times(np.arange(total) - first[codes] + ordinals[starts][codes])
        full = replace(self, codes=codes, times=times, values=values, origin=origin)
        return full._filled(freq, missing)

    def _gap(self, freq: Frequency, jump: Ints, ordinals: Ints, lacking: int, missing: Missing) -> Exception:
        r = int(jump[0])
        here = int(ordinals[r + 1] - ordinals[r]) - 1
        fix = (
            "missing='drop' leaves rows out, which only bars can bear: use freq='bars', or " + _FIXES
            if missing == "drop"
            else f"choose {_FIXES}; or take position as time with freq='bars' (--freq bars)"
        )
        if missing in ("nan", "ffill"):
            fix = (
                f"that is more than 20 times the {len(self.times)} rows there are: check the times, or take freq='bars'"
            )
        return self.source.error(
            f"gap: series '{self.ids[self.codes[r]]}': {_steps(here)} missing between {freq.show(self.times[r])} and "
            f"{freq.show(self.times[r + 1])} ({self._place(r + 1)}); {_steps(lacking)} missing from the {freq.name} "
            f"grid in {len(np.unique(self.codes[jump]))} of {len(self.ids)} series; {fix}"
        )

    def _filled(self, freq: Frequency, missing: Missing) -> Rows:
        blank = np.isnan(self.values)
        if not blank.any():
            return self
        if missing in ("error", "drop"):
            c, r = (int(v) for v in np.argwhere(blank.T)[0])
            raise self.source.error(
                f"{self._place(r)}: {self._at(r, freq)}: '{self.columns[c]}' is missing "
                f"({int(blank[:, c].sum())} such cells in {len(np.unique(self.codes[blank[:, c]]))} of {len(self.ids)} "
                f"series); choose {_FIXES}; on trading days also 'drop' (the row is left out)"
            )
        target = blank[:, 0]
        if missing == "nan":
            return self.said(_per_series(self, target, "steps not observed", freq)) if target.any() else self
        rows = np.arange(len(blank))[:, None]
        last = np.maximum.accumulate(np.where(blank, -1, rows), axis=0)  # the last row with a value, of any series
        known = last >= self.starts[self.codes][:, None]
        values = np.where(known, np.take_along_axis(self.values, np.maximum(last, 0), axis=0), np.nan)
        filled = replace(self, values=values)
        if (target & known[:, 0]).any():
            filled = filled.said(_per_series(self, target & known[:, 0], "gaps filled forward", freq))
        if not known[:, 0].all():  # nothing comes before them: they are no part of the series
            note = _per_series(self, ~known[:, 0], "leading steps without a value left out", freq)
            filled = filled.pick(known[:, 0]).said(note)
        return filled

    def _at(self, row: int, freq: Frequency) -> str:
        return f"series '{self.ids[self.codes[row]]}', {freq.show(self.times[row])}"

    def _place(self, row: int) -> str:
        return self.source.place(int(self.origin[row]))


def _steps(count: int) -> str:
    return "1 step is" if count == 1 else f"{count} steps are"


def _per_series(rows: Rows, mask: npt.NDArray[np.bool_], what: str, freq: Frequency) -> str:
    """`series 'S12': 3 gaps filled forward, first 2024-02-03`, for the first few series and the number of others."""
    touched, first, counts = np.unique(rows.codes[mask], return_index=True, return_counts=True)
    times = rows.times[mask][first]
    said = [
        f"series '{rows.ids[code]}': {count} {what}, first {freq.show(time)}"
        for code, time, count in zip(touched[:3], times[:3], counts[:3], strict=True)
    ]
    more = f"; {int(counts[3:].sum())} more in {len(touched) - 3} other series" if len(touched) > 3 else ""
    return "; ".join(said) + more
