"""One or several files as one long table that is never held whole, and which of its columns plays which role."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.errors import DataError, listing
from tsforecast.ingesting.streams import ParquetStream, Stream, TextStream
from tsforecast.reading.across import dates_across
from tsforecast.reading.cells import Source
from tsforecast.reading.columns import ROW_LABEL, TIME_NAMES, Roles, choose_columns, named_columns
from tsforecast.reading.delimited import holds_rows
from tsforecast.reading.kinds import COUNTED, kind_of
from tsforecast.reading.readers import check_columns, check_file, is_parquet

__all__ = ["Block", "Files", "open_files", "settle_roles"]

_READ_WHOLE = "only long tables (a row for each time of each series) are read in parts: give such a file to backtest"


class Block(NamedTuple):
    """Some rows of the table, the first of them its row `first`."""

    table: pd.DataFrame
    time_index: str | None
    first: int
    source: Source


@dataclass(frozen=True, eq=False)
class Files:
    """The rows of several files, one below the other.

    ends   rows up to the end of each file that has been read to its end
    """

    streams: Sequence[Stream]
    ends: dict[int, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many there are, about."""
        return sum(stream.rows for stream in self.streams)

    @property
    def source(self) -> Source:
        """What the files are called, and where a row of them is."""
        first = self.streams[0].source
        if len(self.streams) == 1:
            return Source(first.name, first.place, first.positions, self._count)
        name = listing((stream.source.name for stream in self.streams), 3)
        return Source(name, self._place, first.positions, self._count)

    def blocks(self, wanted: Collection[str] | None = None) -> Iterator[Block]:
        """The rows in order, some at a time; with `wanted`, at least those columns."""
        whole, first = self.source, 0
        for number, stream in enumerate(self.streams):
            for frame in stream.blocks(wanted):
                table, time_index = named_columns(frame, whole)
                yield Block(table, time_index, first, _part(whole, first))
                first += len(table)
            self.ends[number] = first

    def head(self, rows: int) -> tuple[Block, bool]:
        """The first blocks together, of at least so many rows, and whether that is all there is."""
        blocks = self.blocks()
        found: list[Block] = []
        whole = True
        for block in blocks:
            if sum(len(b.table) for b in found) >= rows:
                whole = False
                break
            found.append(block)
        if not found:
            raise self.source.error("there are no rows")
        table = found[0].table if len(found) == 1 else pd.concat([b.table for b in found], ignore_index=True)
        return found[0]._replace(table=table), whole

    def _place(self, row: int) -> str:
        ends = [self.ends[i] for i in range(len(self.streams)) if i in self.ends]
        number = int(np.searchsorted(ends, row, side="right"))
        own = self.streams[number].source
        return f"{own.place(row - ([0, *ends][number]))} of {own.name}"

    def _count(self, column: str, test: Callable[[pd.Series], npt.ArrayLike]) -> int:
        return sum(int(np.asarray(test(block.table[column])).sum()) for block in self.blocks({column}))


def _part(whole: Source, first: int) -> Source:
    return Source(whole.name, lambda row: whole.place(first + row), whole.positions, whole.count)


def open_files(
    data: str | Path | Sequence[str | Path], layout: str, sep: str | None, encoding: str | None, block_size: int
) -> Files:
    """The files as a stream, `block_size` bytes at a time.

    Raises DataError for what is no file, for files whose columns differ, and for series that lie on a line each.
    """
    paths = [Path(data)] if isinstance(data, str | Path) else [Path(path) for path in data]
    if not paths:
        raise DataError("the list of files is empty")
    for path in paths:
        check_file(path)
    streams: list[Stream] = [
        ParquetStream(path, block_size) if is_parquet(path) else TextStream(path, sep, encoding, block_size)
        for path in paths
    ]
    texts = [stream for stream in streams if isinstance(stream, TextStream)]
    lines = len(texts) == len(streams) and all(holds_rows(text) or dates_across(text) for text in texts)
    if layout == "rows" or (layout == "auto" and lines):
        raise DataError(f"{paths[0].name}: each line is one series; {_READ_WHOLE}")
    for stream in streams[1:]:
        check_columns(streams[0].source.name, streams[0].columns, stream.source.name, stream.columns)
    return Files(streams)


def settle_roles(files: Files, head_rows: int, options: dict[str, Any]) -> Roles:
    """Which column plays which role, from the first rows.

    Raises DataError as `reading.columns.choose_columns`; for a wide table; and where the first rows leave open what
    the others might change, and the column is not named.
    """
    (table, time_index, _, source), whole = files.head(head_rows)
    roles = choose_columns(table, time_index, source=source, **options)
    if roles.wide:
        raise source.error(f"{len(roles.targets)} columns are a series each; {_READ_WHOLE}")
    naming = roles.id if options["id"] is not None else ()
    named = {*naming, options["time"], options["target"], *options["hist"], *options["futr"]}
    if not whole and (doubts := list(_doubts(table, roles, {*named, time_index}, options))):
        raise source.error(
            f"the first {len(table):,} rows do not settle {listing(word for word, _ in doubts)}, and a large table is "
            f"not read to its end to find out; say which column it is with {listing(flag for _, flag in doubts)}"
        )
    return roles


def _doubts(
    table: pd.DataFrame, roles: Roles, named: set[str | None], options: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """What later rows could still show to be otherwise, and the flag that settles it."""
    absent, decimal, time = options["na_values"], options["decimal"], roles.time
    sure = time in {*named, ROW_LABEL, None} or str(time).lower() in TIME_NAMES
    if not sure and kind_of(table[time], absent, decimal) == "number":
        yield "the time", "--time"
    if not {*roles.id} <= {*named, "unique_id"} and time is not None and not table[time].duplicated().any():
        yield "the series", "--id"
    usual = {"y"} if {"unique_id", "ds"} & set(table.columns) else set[str]()
    if roles.targets[0] not in {*named, *usual}:
        others = (table[name] for name in table.columns if name not in {*named, *roles.id, time, roles.targets[0]})
        if any(_filled(column, absent) < COUNTED for column in others):
            yield "the target", "--target"


def _filled(column: pd.Series, absent: Collection[str]) -> int:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return len(column)  # whatever is in it, it holds numbers
    return int((column.notna() & ~column.astype(str).str.strip().isin(["", *absent])).sum())
