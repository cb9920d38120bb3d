"""A table of a result, some rows at a time: from memory, or from a parquet file that is never there as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tsforecast.errors import DataError

__all__ = ["Filed", "Held", "Ranges"]

Ranges = Sequence[tuple[int, int]]
"""Half-open stretches of rows, in ascending order."""
Floats = npt.NDArray[np.float64]


class Held:
    """A table in memory."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return len(self._frame)

    @property
    def columns(self) -> list[str]:
        """Their names."""
        return [str(name) for name in self._frame.columns]

    def numbers(self, columns: Sequence[str], ranges: Ranges) -> Floats:
        """Some columns `[C, rows]` of these rows."""
        found = np.empty((len(columns), sum(b - a for a, b in ranges)))
        for row, name in zip(found, columns, strict=True):
            values, at = self._frame[name].to_numpy(dtype=np.float64), 0
            for a, b in ranges:
                row[at : at + b - a] = values[a:b]
                at += b - a
        return found

    def frame(self, ranges: Ranges) -> pd.DataFrame:
        """These rows, all columns."""
        return pd.concat([self._frame.iloc[a:b] for a, b in ranges], ignore_index=True)

    def pieces(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """All rows in their order, of some columns."""
        yield self._frame[list(columns)]


class Filed:
    """A table in a parquet file: a row group at a time is in memory.

    Raises DataError where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: tuple[Any, Any] = None, None  # what was read last is often asked for again

    def __reduce__(self) -> tuple[Any, ...]:
        return Filed, (self.path,)

    def moved(self, path: Path) -> None:
        """The file has another name from now on. It is closed until it is needed."""
        self.path, self._last = path, (None, None)
        if "_file" in self.__dict__:
            self.__dict__.pop("_file").close()

    def __len__(self) -> int:
        return int(self._borders[-1])

    @property
    def columns(self) -> list[str]:
        """Their names."""
        return [str(name) for name in self._file.schema_arrow.names]

    def numbers(self, columns: Sequence[str], ranges: Ranges) -> Floats:
        """Some columns `[C, rows]` of these rows."""
        found = np.empty((len(columns), sum(b - a for a, b in ranges)))
        at = 0
        for table in self._slices(ranges, tuple(columns)):
            for row, name in zip(found, columns, strict=True):
                row[at : at + len(table)] = table.column(name).to_numpy()
            at += len(table)
            del table  # before the next row group is read
        return found

    def frame(self, ranges: Ranges | None = None) -> pd.DataFrame:
        """These rows, or all, of all columns."""
        if ranges is None:
            try:
                return pd.read_parquet(self.path)
            except (OSError, ValueError) as error:
                raise self._unreadable(error) from None
        arrays = []
        for name in self.columns:
            slices = [_copied(table.column(0)) for table in self._slices(ranges, (name,))]
            arrays.append(pa.chunked_array([chunk for slice_ in slices for chunk in slice_.chunks]))
        self._last = None, None
        whole = pa.table(arrays, schema=self._file.schema_arrow)
        found: pd.DataFrame = whole.to_pandas(use_threads=False).reset_index(drop=True)
        return found

    def pieces(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """All rows in their order, of some columns."""
        for group in range(len(self._borders) - 1):
            yield self._group(group, tuple(columns)).to_pandas(use_threads=False)

    @cached_property
    def _file(self) -> Any:
        try:
            return pq.ParquetFile(self.path, pre_buffer=False)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
            raise self._unreadable(error) from None

    @cached_property
    def _borders(self) -> npt.NDArray[np.int64]:
        """The first row of each row group, and the end."""
        about = self._file.metadata
        return np.cumsum([0, *(about.row_group(k).num_rows for k in range(about.num_row_groups))])

    def _slices(self, ranges: Ranges, columns: tuple[str, ...]) -> Iterator[Any]:
        for first, end in ranges:
            while first < end:
                group = int(np.searchsorted(self._borders, first, side="right")) - 1
                begin, stop = self._borders[group], min(end, int(self._borders[group + 1]))
                yield self._group(group, columns).slice(first - begin, stop - first)
                first = stop

    def _group(self, group: int, columns: tuple[str, ...]) -> Any:
        if self._last[0] != (group, columns):
            self._last = None, None  # not two at a time
            try:  # one column after the other: as many as are read together are held three times over
                arrays = [self._file.read_row_group(group, [name], use_threads=False).column(0) for name in columns]
            except (OSError, ValueError) as error:
                raise self._unreadable(error) from None
            self._last = (group, columns), pa.table(arrays, names=list(columns))
        return self._last[1]

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(f"{self.path.parent}: the run cannot be read ({error}); run the backtest again")


def _copied(rows: Any) -> Any:
    """Without the row group that they are a slice of."""
    return rows.take(np.arange(len(rows)))
