"""Files as a stream of blocks of rows: what `reading.delimited` and `reading.readers` read whole, a part at a time."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Protocol, cast

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tsforecast.errors import DataError
from tsforecast.reading.cells import Source
from tsforecast.reading.delimited import (
    Text,
    column_names,
    csv_options,
    damaged,
    ends_with_delimiter,
    line_of,
    marked_encoding,
    no_text,
    undecodable,
    unknown_encoding,
    wrong_width,
)

__all__ = ["ParquetStream", "Stream", "TextStream"]

_CHUNK = 1 << 20
_HEAD = 1 << 16  # characters that hold the header and the first row


class Stream(Protocol):
    """One file of rows.

    path     where it is
    source   its name, and where its row i is
    columns  their names
    rows     how many there are, about
    """

    path: Path
    source: Source
    columns: list[str]
    rows: int

    def blocks(self, wanted: Collection[str] | None = None) -> Iterator[pd.DataFrame]:
        """The rows in order, some at a time; with `wanted`, at least those columns."""
        ...


class TextStream(Text):
    """A delimited file, unpacked, decoded and cut into rows while it is read.

    Raises DataError where `reading.delimited.read_text` does, once the place is reached.
    """

    def __init__(self, path: Path, sep: str | None, encoding: str | None, block_size: int) -> None:
        self.path, self.block_size = path, block_size
        with path.open("rb") as file:
            self.packed = file.read(2) == b"\x1f\x8b"
        with self._translated():
            with self._raw() as file:
                self.encoding = encoding or marked_encoding(file.read(2))
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise unknown_encoding(path, encoding) from None
            with self._decoded() as file:
                head = file.read(_HEAD)
        if not head.strip():
            raise no_text(path)
        super().__init__(path, head, sep)
        self.columns = column_names(self)
        self.source = Source(path.name, line_of(self, skip=1), positions=False)
        lines = max(head.count("\n"), 1)
        self.rows = path.stat().st_size * (6 if self.packed else 1) * lines // len(head) + 1

    def lines(self) -> Iterator[str]:
        """Each line of the file with its end."""
        with self._decoded() as file:
            yield from iter(lambda: file.readline(max(self.block_size, _CHUNK)), "")  # no line is held that is longer

    def blocks(self, wanted: Collection[str] | None = None) -> Iterator[pd.DataFrame]:
        """The rows, every cell as text."""
        names = [*self.columns, " "] if (trailing := ends_with_delimiter(self)) else self.columns
        read, parse, convert = csv_options(self, names, block_size=self.block_size, quoted=True)
        read.encoding = "utf8" if self.encoding == "utf-8-sig" else self.encoding
        if wanted is not None:
            convert.include_columns = [name for name in names if name in wanted or name == " "]
        with self._translated(), self._raw() as file:
            try:
                with closing(pyarrow.csv.open_csv(pa.PythonFile(file, "r"), read, parse, convert)) as batches:
                    for batch in batches:
                        frame = batch.to_pandas()
                        if trailing and (frame.pop(" ") != "").any():
                            raise wrong_width(self, len(self.columns), "a cell beyond the last column")
                        if len(frame):
                            yield frame
            except pa.ArrowInvalid as fault:
                self._refuse_bytes()
                raise self._wrong_width(str(fault)) from None

    def _wrong_width(self, fault: str) -> DataError:
        if "straddling" in fault:
            return self.error(
                f"a row goes on for more than {self.block_size:,} bytes; close the quotation mark that was left open, "
                "or name the delimiter with sep= (--sep)"
            )
        return wrong_width(self, len(self.columns), fault)

    def _raw(self) -> IO[bytes]:
        return cast("IO[bytes]", gzip.open(self.path, "rb")) if self.packed else self.path.open("rb")

    def _decoded(self) -> IO[str]:
        return io.TextIOWrapper(self._raw(), encoding=self.encoding, newline="")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Faults of unpacking and decoding in our words."""
        try:
            yield
        except UnicodeDecodeError:
            self._refuse_bytes()
            raise
        except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
            raise damaged(self.path, fault) from None

    def _refuse_bytes(self) -> None:
        """DataError for the first byte that is no text, found by decoding the file from its beginning."""
        decoder, before, lines = codecs.getincrementaldecoder(self.encoding)(), 0, 0
        with self._raw() as file:
            while True:
                chunk = file.read(_CHUNK)
                try:
                    decoder.decode(chunk, final=not chunk)
                except UnicodeDecodeError as fault:
                    seen = fault.object  # what was left of the chunks before it, and this one
                    number = before + len(chunk) - len(seen) + fault.start
                    line = lines + seen[: fault.start].count(b"\n") + 1
                    raise undecodable(self.path, fault.encoding, line, number, seen[fault.start]) from None
                if not chunk:
                    return
                before, lines = before + len(chunk), lines + chunk.count(b"\n")


class ParquetStream:
    """A parquet file, some rows at a time, with the index it was written from."""

    def __init__(self, path: Path, block_size: int) -> None:
        self.path, self.source = path, Source(path.name)
        with self._open() as file:
            self.rows = file.metadata.num_rows
            schema = file.schema_arrow
        width = 16 * max(len(schema), 1)
        self.block_rows = max(block_size // width, 1)
        index = (schema.pandas_metadata or {}).get("index_columns", [])
        self.indexed = any(isinstance(label, str) for label in index)
        labels = next((label for label in index if isinstance(label, dict) and label["kind"] == "range"), None)
        self.labels = (labels["start"], labels["step"]) if labels else (0, 1)
        self.columns = list(schema.empty_table().to_pandas().columns.map(str))

    def blocks(self, wanted: Collection[str] | None = None) -> Iterator[pd.DataFrame]:
        """The rows, of the types they were written with."""
        with self._open() as file:
            columns = None if wanted is None or self.indexed else [name for name in self.columns if name in wanted]
            start, step = self.labels
            done = 0
            try:
                for batch in file.iter_batches(self.block_rows, columns=columns, use_threads=False):
                    frame = pa.Table.from_batches([batch]).to_pandas()
                    if self.labels != (0, 1):
                        frame.index = pd.RangeIndex(start + done * step, start + (done + len(frame)) * step, step)
                    done += len(frame)
                    if len(frame):
                        yield frame
            except (OSError, ValueError) as fault:  # pyarrow's errors are ValueErrors
                raise self._unreadable(fault) from None

    def _open(self) -> pq.ParquetFile:
        try:
            # a row group may be as large as the file: its pages are read as they are needed
            return pq.ParquetFile(self.path, buffer_size=_CHUNK, pre_buffer=False)
        except (OSError, ValueError) as fault:
            raise self._unreadable(fault) from None

    def _unreadable(self, fault: Exception) -> DataError:
        return DataError(f"{self.path.name}: cannot be read as parquet ({str(fault).splitlines()[0]})")
