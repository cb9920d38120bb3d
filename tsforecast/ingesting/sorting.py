"""Buckets of rows in the order of (series, time), checked, on their grid: what `reading` does to a table, in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tsforecast.frequency import Frequency
from tsforecast.ingesting.buckets import Bucket, Dealt
from tsforecast.reading.cells import Source
from tsforecast.reading.columns import Roles
from tsforecast.reading.faults import Fault, Remark
from tsforecast.reading.inference import Pattern, settle_grid
from tsforecast.reading.rows import Extent, Missing, Rows

__all__ = ["Sorted", "fill", "sort"]

Tell = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Sorted:
    """All buckets in order, and the grid that their rows are to be on.

    instants  whether times count as instants, or as what the clock on the wall shows
    """

    buckets: tuple[Bucket, ...]
    freq: Frequency
    note: str
    extent: Extent
    dates: bool
    remarks: tuple[Remark, ...]

    def times(self, records: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The times of records on the grid."""
        field = np.ascontiguousarray(records["wall" if self.freq.wall else "time"])
        return field.view("datetime64[us]") if self.dates else field


def sort(
    dealt: Dealt, roles: Roles, source: Source, freq: str | int | Frequency | None, missing: Missing, tell: Tell
) -> Sorted:
    """Sort each bucket in memory and write it back; find the grid of all.

    Raises DataError as `read_frame` for infinite cells, empty series and duplicate times, and where no grid is found.
    """
    instants, walls, remarks = list[Pattern](), list[Pattern](), list[Remark]()
    faults: list[Fault | None] = [None, None, None]
    tz = None
    for number, bucket in enumerate(dealt.buckets):
        records = bucket.read()
        stamps = dealt.stamps(records)
        tz = stamps.tz
        clock = Frequency("fixed", tz=tz)
        rows = bucket.rows(records, dealt.codes(number, records), stamps.times, roles, source).ordered()
        faults = [Fault.merged(pair) for pair in zip(faults, rows.faults(clock), strict=True)]
        if not any(faults):
            rows = rows.without_blanks(clock) if missing == "drop" else rows
            remarks += [note for note in rows.notes if isinstance(note, Remark)]
            wall = stamps.wall[rows.origin]
            instants.append(Pattern.of(rows.times, rows.starts))
            walls.append(instants[-1] if tz is None else Pattern.of(wall, rows.starts))
            records = records[rows.origin]
            records["series"], records["time"], records["wall"] = rows.codes, rows.times.view("i8"), wall.view("i8")
            bucket.write(records)
        tell((number + 1) / len(dealt.buckets))
    _refuse(source, faults)
    names = [name for bucket in dealt.buckets for name in bucket.ids]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    pattern = Pattern.merged(walls, order)
    grid, note = settle_grid(freq, pattern, tz, source)
    if not grid.wall:  # an hour is an hour of UTC, whatever the clocks on the wall do
        pattern = Pattern.merged(instants, order)
        grid, note = settle_grid(freq, pattern, tz, source)
    extent = Extent.of(grid, pattern.firsts, pattern.lasts, pattern.rows)
    return Sorted(dealt.buckets, grid, note, extent, dealt.dates, tuple(remarks))


def fill(
    found: Sorted, roles: Roles, source: Source, missing: Missing, keep: Callable[[int, Rows], None], tell: Tell
) -> tuple[Remark, ...]:
    """Give `keep` the rows of each bucket with all steps of the grid, missing values dealt with; what was done to them.

    Raises DataError as `read_frame` for times off the grid, gaps and missing values that the policy does not allow.
    """
    freq, whole = found.freq, found.extent
    remarks = list(found.remarks)
    faults: list[Fault | None] = [None, None, None]
    for number, bucket in enumerate(found.buckets):
        records = bucket.read()
        rows = bucket.rows(records, np.ascontiguousarray(records["series"]), found.times(records), roles, source)
        del records
        faults[0] = Fault.merged((faults[0], rows.off_grid(freq, whole)))
        if not faults[0]:
            faults[1] = Fault.merged((faults[1], rows.gaps(freq, missing, whole)))
        if not any(faults[:2]):
            rows = rows.widened(freq)
            faults[2] = Fault.merged((faults[2], rows.blanks(freq, missing, whole)))
        if not any(faults):
            rows = rows.filled(freq, missing)
            remarks += [note for note in rows.notes if isinstance(note, Remark)]
            keep(number, rows)
        tell((number + 1) / len(found.buckets))
    _refuse(source, faults)
    return Remark.merged(remarks)


def _refuse(source: Source, faults: list[Fault | None]) -> None:
    """DataError for the first kind of fault that any row has."""
    for fault in faults:
        if fault is not None:
            raise source.error(str(fault))
