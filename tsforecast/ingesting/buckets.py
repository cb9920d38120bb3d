"""Rows on disk: dealt into buckets by the name of their series, so that each bucket fits into memory and holds its
series whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsforecast.ingesting.files import Block, Files
from tsforecast.reading.cells import Source
from tsforecast.reading.columns import Roles
from tsforecast.reading.dates import Offsets, Spelling, Stamps, parse_stamps
from tsforecast.reading.frames import long_rows
from tsforecast.reading.rows import Rows

__all__ = ["Bucket", "Dealt", "bucket_of", "deal", "record_type"]

Ints = npt.NDArray[np.int64]
Records = npt.NDArray[Any]  # structured


def bucket_of(name: str, n_buckets: int) -> int:
    """The bucket of a series: a hash of its name, the same on every machine."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") % n_buckets


def record_type(channels: int) -> np.dtype[Any]:
    """A row: the number of its series, its row in the files, instant, wall clock, target and covariates."""
    numbers = [(name, "<i8") for name in ("series", "row", "time", "wall")]
    return np.dtype([*numbers, ("values", "<f8", (channels,))])


@dataclass(frozen=True, eq=False)
class Bucket:
    """Some of the series, sorted by name; their rows are records in a file."""

    path: Path
    ids: tuple[str, ...]
    record: np.dtype[Any]

    def read(self, start: int = 0, count: int = -1) -> Records:
        """The records, or `count` of them from `start` on."""
        return np.fromfile(self.path, self.record, count, offset=start * self.record.itemsize)

    def write(self, records: Records) -> None:
        """All its records anew."""
        with self.path.open("wb") as file:
            file.write(records.view(np.uint8).data)

    def rows(self, records: Records, codes: Ints, times: npt.NDArray[Any], roles: Roles, source: Source) -> Rows:
        """The records as rows; their origin is the record, and where that was in the files is known to messages."""
        at = records["row"]
        here = Source(source.name, lambda i: source.place(int(at[i])))
        values = np.ascontiguousarray(records["values"])
        columns = (*roles.targets, *roles.hist, *roles.futr)
        return Rows(self.ids, columns, codes, times, values, np.arange(len(records)), here)


@dataclass(frozen=True, eq=False)
class Dealt:
    """All rows in buckets, in the order of the files.

    members  the series of each bucket, numbered as they came, in the order of their names
    """

    buckets: tuple[Bucket, ...]
    members: tuple[Ints, ...]
    dates: bool  # or whole numbers
    tz: str | None
    offsets: Offsets | None

    def codes(self, k: int, records: Records) -> Ints:
        """The series of each record of bucket k as an index into the bucket's own ids."""
        own = np.empty(max(int(numbers.max()) for numbers in self.members) + 1, dtype=np.int64)
        own[self.members[k]] = np.arange(len(self.members[k]))
        return np.asarray(own[records["series"]])

    def stamps(self, records: Records) -> Stamps:
        """The times of records, with the zone that all rows together have."""
        unit = "datetime64[us]" if self.dates else "int64"
        times, wall = (np.ascontiguousarray(records[name]).view(unit) for name in ("time", "wall"))
        return Stamps(times, wall, self.tz, offsets=self.offsets).settled()


def deal(
    files: Files,
    roles: Roles,
    folder: Path,
    n_buckets: int,
    *,
    date_format: str | None,
    na_values: tuple[str, ...],
    decimal: str,
    tell: Callable[[float], None],
) -> Dealt:
    """Read the files once and write each row to the bucket of its series.

    Raises DataError for what `reading.frames` refuses in single cells: times, names, numbers.
    """
    wanted = {name for name in (*roles.id, roles.time, *roles.targets, *roles.hist, *roles.futr) if name is not None}
    record = record_type(len(roles.targets) + len(roles.hist) + len(roles.futr))
    numbers: dict[str, int] = {}
    places: list[int] = []  # the bucket of each series, as they came
    paths = [folder / f"{k}.rows" for k in range(n_buckets)]
    clock = _Clock(roles, date_format)
    with ExitStack() as stack:
        outs = [stack.enter_context(path.open("wb")) for path in paths]
        for block in files.blocks(wanted):
            stamps = clock.read(block)
            rows = long_rows(block.table, roles, stamps.times, na_values, decimal, block.source)
            places += [bucket_of(name, n_buckets) for name in rows.ids if name not in numbers]
            known = [numbers.setdefault(name, len(numbers)) for name in rows.ids]
            records = np.empty(len(rows.codes), record)
            records["series"] = np.array(known)[rows.codes]
            records["row"] = np.arange(block.first, block.first + len(records))
            records["time"], records["wall"] = stamps.times.view(np.int64), stamps.wall.view(np.int64)
            records["values"] = rows.values
            for k, part in _by_bucket(records, np.array(places)[records["series"]]):
                outs[k].write(part.view(np.uint8).data)
            tell((block.first + len(records)) / max(files.rows, 1))
    names = np.array(list(numbers), dtype=object)
    order = np.argsort(names, kind="stable")
    members = [order[np.array(places)[order] == k] for k in range(n_buckets)]
    used = [k for k in range(n_buckets) if len(members[k])]
    buckets = tuple(Bucket(paths[k], tuple(names[members[k]]), record) for k in used)
    return Dealt(buckets, tuple(members[k] for k in used), clock.dates or False, clock.tz, clock.offsets)


def _by_bucket(records: Records, bucket: Ints) -> Iterator[tuple[int, Records]]:
    records = records[np.argsort(bucket, kind="stable")]
    counts = np.bincount(bucket)
    ends = np.cumsum(counts)
    for k in np.flatnonzero(counts).tolist():
        yield k, records[ends[k] - counts[k] : ends[k]]


def _given(offsets: Offsets | None) -> bool | None:
    """Whether times have an offset to UTC; None of what is no text, or has a zone by name."""
    return None if offsets is None else offsets.given


class _Clock:
    """Reads the times of one block after the other as one column: all as the first, their offsets together."""

    def __init__(self, roles: Roles, date_format: str | None) -> None:
        self.time, self.date_format = roles.time, date_format
        self.spelling: Spelling | None = None
        self.offsets: Offsets | None = None
        self.tz: str | None = None
        self.dates: bool | None = None

    def read(self, block: Block) -> Stamps:
        """The instants and wall-clock times of a block."""
        if self.time is None:
            self.dates = False
            steps = np.arange(block.first, block.first + len(block.table))
            return Stamps(steps, steps, None)
        spelling = self.spelling if self.date_format is None else None
        stamps = parse_stamps(block.table[self.time], self.date_format, block.source, spelling)
        dates, first = stamps.times.dtype.kind == "M", self.dates is None
        if not first and (dates, stamps.tz, _given(stamps.offsets)) != (self.dates, self.tz, _given(self.offsets)):
            raise block.source.error(
                f"{block.source.place(0)}: the times in column '{self.time}' are of another kind or zone here than "
                "in the rows before; write them alike in all rows"
            )
        self.dates, self.tz, self.spelling = dates, stamps.tz, stamps.spelling or self.spelling
        if stamps.offsets is not None:
            self.offsets = stamps.offsets if self.offsets is None else self.offsets.joined(stamps.offsets)
        return stamps
