"""Where the rows of a result go: to tables in memory, or to parquet files without ever being there as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tsforecast.results import TABLES, quantile_column

__all__ = ["Digest", "collect", "write_tables"]

ROWS = 1 << 14  # in a row group, whatever pieces come
JUDGED = ("forecasts", "members", "failures", "notes", "curves")
"""The tables that are what models answered. (How long they took is in `tasks`.)"""

Piece = tuple[str, pd.DataFrame]


def collect(pieces: Iterable[Piece], levels: Sequence[float]) -> tuple[dict[str, pd.DataFrame], str]:
    """Table by name, and the digest of all answers."""
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    digest = Digest()
    for name, frame in pieces:
        shaped = _shaped(name, frame, levels)
        digest.add(name, shaped)
        found[name].append(shaped)
    joined = {}
    for name in TABLES:  # of one table after the other, so that its pieces are gone when the next is joined
        frames = found.pop(name)
        joined[name] = pd.concat(frames, ignore_index=True) if frames else _empty(name, levels)
    return joined, digest.value()


def write_tables(pieces: Iterable[Piece], levels: Sequence[float], folder: Path) -> str:
    """Write each table as FOLDER/NAME.parquet, and return the digest of all answers."""
    files, digest = {name: _File(folder / f"{name}.parquet") for name in TABLES}, Digest()
    try:
        for name, frame in pieces:
            shaped = _shaped(name, frame, levels)
            digest.add(name, shaped)
            files[name].add(shaped)
        for name, file in files.items():
            if file.writer is None:
                file.add(_empty(name, levels))
    finally:
        for file in files.values():
            file.close()
    return digest.value()


class _File:
    """A parquet file whose bytes depend on its rows alone and not on the pieces they come in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: pq.ParquetWriter | None = None
        self._waiting: list[Any] = []

    def add(self, frame: pd.DataFrame) -> None:
        """More rows."""
        table = pa.Table.from_pandas(frame, preserve_index=False, nthreads=1)
        if self.writer is None:
            self.schema = table.schema
            # a dictionary of names is larger than they are: in a row group there are few of each
            repeated = [f.name for f in self.schema if not pa.types.is_floating(f.type) and f.name != "unique_id"]
            self.writer = pq.ParquetWriter(self.path, self.schema, use_dictionary=repeated)
        self._waiting.append(table.cast(self.schema))
        while sum(map(len, self._waiting)) >= ROWS:
            whole = pa.concat_tables(self._waiting)
            self._waiting = [whole.slice(ROWS)]
            whole = whole.slice(0, ROWS).combine_chunks()  # a copy: the pieces can go before it is written
            self._write(whole)

    def close(self) -> None:
        """The rest, and the end of the file."""
        if self.writer is not None:
            rest = pa.concat_tables(self._waiting).combine_chunks()
            if len(rest) or not self._written:
                self._write(rest)
            self.writer.close()

    _written = False

    def _write(self, table: Any) -> None:
        assert self.writer is not None
        self.writer.write_table(table, row_group_size=ROWS)
        self._written = True


class Digest:
    """sha256 over answers, row by row in their order, without the time that they took."""

    def __init__(self) -> None:
        self._columns: dict[tuple[str, str], Any] = {}

    def add(self, name: str, frame: pd.DataFrame) -> None:
        """More rows of a table."""
        for column in frame.columns if name in JUDGED else ():
            self._columns.setdefault((name, str(column)), hashlib.sha256()).update(_bytes(frame[column]))

    def value(self) -> str:
        """The digest of all that was added."""
        whole = hashlib.sha256()
        for (table, column), digest in sorted(self._columns.items()):
            whole.update(f"{table}.{column} {digest.hexdigest()}\n".encode())
        return whole.hexdigest()


def _bytes(column: pd.Series) -> bytes:
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind == "M":
        return column.astype("int64").to_numpy().tobytes()
    if column.dtype.kind == "f":
        values = column.to_numpy(dtype=np.float64)
        return np.where(np.isnan(values), np.nan, values).tobytes()  # there are many bit patterns that are no number
    if column.dtype.kind in "iu":
        return column.to_numpy(dtype=np.int64).tobytes()
    return "".join(f"{text}\0" for text in column.to_numpy(dtype=object)).encode()


def _shaped(name: str, frame: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
    """The promised columns first; of the forecasts all quantile levels of the run."""
    columns = list(TABLES[name])
    if name == "forecasts":
        columns += [quantile_column(q) for q in levels]
    return frame.reindex(columns=[*columns, *[c for c in frame.columns if c not in columns]])


def _empty(name: str, levels: Sequence[float]) -> pd.DataFrame:
    words = ("model", "unique_id", "reason", "note")
    columns = {c: pd.Series(dtype="object" if c in words else "float64") for c in TABLES[name]}
    return _shaped(name, pd.DataFrame(columns), levels)
