"""CSV and its relatives as a table of text: no cell is guessed at, no column shifted, every fault has its line."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from tsforecast.errors import DataError
from tsforecast.reading.cells import MISSING, Source
from tsforecast.reading.spelling import looks_like_dates

__all__ = [
    "Text",
    "column_names",
    "csv_options",
    "damaged",
    "ends_with_delimiter",
    "holds_rows",
    "is_date",
    "line_of",
    "marked_encoding",
    "no_text",
    "read_rows",
    "read_table",
    "read_text",
    "undecodable",
    "unknown_encoding",
    "wrong_width",
]

_DELIMITERS = (",", ";", "\t", "|")


class Text:
    """A delimited file, decoded: its text, its delimiter and the cells of its first two lines."""

    def __init__(self, path: Path, text: str, sep: str | None) -> None:
        self.path, self.text = path, text
        first = next((line for line in io.StringIO(text) if line.strip()), "")
        self.sep = sep or max(_DELIMITERS, key=lambda mark: first.count(mark))
        records = self.records()
        self.header_line, header = next(records, (1, []))
        self.header = [cell.strip() for cell in header]
        self.second = [cell.strip() for cell in next(records, (0, []))[1]]

    def lines(self) -> Iterator[str]:
        """Each line of the file with its end."""
        yield from io.StringIO(self.text, newline="")

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Each line that is not empty: its number, counted from 1, and its cells."""
        reader = csv.reader(self.lines(), delimiter=self.sep)
        start = 1
        try:
            for record in reader:
                if record:
                    yield start, record
                start = reader.line_num + 1
        except csv.Error as fault:
            raise self.error(f"line {start}: cannot be read as delimited text ({fault})") from None

    def error(self, message: str) -> DataError:
        """A DataError that begins with the name of the file."""
        return DataError(f"{self.path.name}: {message}")


def read_text(path: Path, sep: str | None = None, encoding: str | None = None) -> Text:
    """The text of a file, unpacked if it is gzipped. UTF-8 (or UTF-16 by its mark) unless told otherwise.

    Raises DataError for an empty file, and for bytes that are not text in the encoding.
    """
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as fault:
            raise damaged(path, fault) from None
    try:
        text = raw.decode(encoding or marked_encoding(raw))
    except UnicodeDecodeError as fault:
        line = raw[: fault.start].count(b"\n") + 1
        raise undecodable(path, fault.encoding, line, fault.start, raw[fault.start]) from None
    except LookupError:
        raise unknown_encoding(path, encoding) from None
    if not text.strip():
        raise no_text(path)
    return Text(path, text, sep)


def marked_encoding(raw: bytes) -> str:
    """UTF-8, or UTF-16 where the first bytes are its mark."""
    return "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def undecodable(path: Path, encoding: str, line: int, number: int, byte: int) -> DataError:
    """The error for a byte that is no text."""
    return DataError(
        f"{path.name}: line {line}: byte 0x{byte:02x} (number {number}) is not "
        f"{encoding}; say how the file is encoded, for example encoding='latin-1' (--encoding latin-1)"
    )


def unknown_encoding(path: Path, encoding: str | None) -> DataError:
    """The error for an encoding that Python has no name for."""
    return DataError(f"{path.name}: encoding '{encoding}' is not known; use utf-8, utf-16, latin-1, ...")


def damaged(path: Path, fault: Exception) -> DataError:
    """The error for a gzip file that cannot be unpacked."""
    return DataError(f"{path.name}: the compressed file is damaged ({fault})")


def no_text(path: Path) -> DataError:
    """The error for an empty file."""
    return DataError(f"{path.name}: the file is empty; expected a line of column names and rows below it")


def holds_rows(file: Text) -> bool:
    """Whether each line is one series, as in the M competitions: `V1, V2, ...` above, or no header at all."""
    if len(file.header) > 1 and all(name[:1] in ("V", "v") and name[1:].isdigit() for name in file.header):
        return True
    names = file.header[1:]
    return len(names) > 2 and all(map(_is_number, names)) and not _is_number(file.header[0])


def read_table(file: Text) -> tuple[pd.DataFrame, Source]:
    """The table below a header, every cell as text.

    Raises DataError for a header that is none or repeats a name, no rows, and a line with too many or too few cells.
    """
    names = column_names(file)
    trailing = ends_with_delimiter(file)
    read = [*names, " "] if trailing else names  # every row ends with a delimiter: that is no column
    try:
        table = _arrow(file, read)
    except pa.ArrowInvalid as fault:
        raise wrong_width(file, len(names), str(fault)) from None
    frame = table.to_pandas()
    if trailing and (frame.pop(" ") != "").any():
        raise wrong_width(file, len(names), "a cell beyond the last column")
    unnamed = [name for name, was in zip(names, file.header, strict=True) if not was and (frame[name] == "").all()]
    frame = frame.drop(columns=unnamed)
    return frame, Source(file.path.name, line_of(file, skip=1), positions=False)


def column_names(file: Text) -> list[str]:
    """The names in the header.

    Raises DataError for a header that is none or repeats a name, and where there are no rows.
    """
    names = [name or f"column {i + 1}" for i, name in enumerate(file.header)]
    if all(map(_is_number, file.header)) and not all(name.isdigit() and len(name) < 3 for name in file.header):
        raise file.error("line 1 holds numbers, not column names; add a line of names above it")
    for name, below in zip(file.header, file.second, strict=False):
        if is_date(name) and is_date(below):
            raise file.error(
                f"line 1 holds data, not column names ('{name}', and '{below}' below it); add a line of names"
            )
    if twice := [(name, count) for name, count in Counter(names).items() if count > 1]:
        raise file.error(f"line 1: column '{twice[0][0]}' occurs {twice[0][1]} times; rename or remove one")
    if not file.second:
        raise file.error("there is a header but no rows")
    return names


def ends_with_delimiter(file: Text) -> bool:
    """Whether every row seems to end with a delimiter, and the header does not."""
    return len(file.second) == len(file.header) + 1 and file.second[-1] == ""


def _arrow(file: Text, names: list[str]) -> pa.Table:
    body = file.text.encode()
    quoted = '"' in file.text
    read, parse, convert = csv_options(file, names, block_size=min(max(len(body), 1), 1 << 30), quoted=quoted)
    options = {"read_options": read, "parse_options": parse, "convert_options": convert}
    return pyarrow.csv.read_csv(pa.BufferReader(body), **options)


def csv_options(file: Text, names: list[str], *, block_size: int, quoted: bool) -> tuple[Any, Any, Any]:
    """How pyarrow is to read the rows below the header: every cell as text."""
    return (
        pyarrow.csv.ReadOptions(
            column_names=names, skip_rows=file.header_line, block_size=block_size, use_threads=False
        ),
        pyarrow.csv.ParseOptions(delimiter=file.sep, newlines_in_values=quoted),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, quoted_strings_can_be_null=False
        ),
    )


def wrong_width(file: Text, width: int, fault: str) -> DataError:
    """The error that names the first line with too many or too few cells."""
    for line, record in file.records():
        width_here = len(record) - (record[-1] == "" and len(record) == width + 1)  # a delimiter at the end is none
        if width_here != width and line > file.header_line:
            comment = record[0].startswith("#")
            how = "take comments out" if comment else "correct that line, or name the delimiter with sep= (--sep)"
            return file.error(
                f"line {line} has {width_here} cells, expected {width} as in the header "
                f"({file.sep.join(record)[:80]}); {how}"
            )
    return file.error(f"cannot be read as delimited text ({fault})")


def line_of(file: Text, skip: int) -> Callable[[int], str]:
    """Row of the table -> its line, found by reading the text again: only a fault needs it."""

    def place(row: int) -> str:
        for i, (line, _) in enumerate(file.records()):
            if i == row + skip:
                return f"line {line}"
        return f"row {row}"

    return place


def read_rows(files: list[Text]) -> tuple[pd.DataFrame, Source]:
    """Files with one series on each line (id, then values, as many as there are) as one long frame.

    Time counts 0, 1, 2, ... in each series; the values of an id in a later file follow those in an earlier one.
    Raises DataError for a line without values and an id that occurs twice in one file.
    """
    ids: list[str] = []
    cells: list[list[str]] = []
    lines: list[str] = []
    for file in files:
        seen: set[str] = set()
        for i, (line, record) in enumerate(file.records()):
            if i == 0 and len(record) > 1 and not _is_number(record[1]):
                continue  # a header
            name, values = record[0].strip(), record[1:]
            while values and values[-1].strip() == "":
                values.pop()  # padding up to the longest series
            if name in seen or not name or not values:
                fault = f"series '{name}' occurs twice" if name in seen else "a name and its values were expected"
                raise file.error(f"line {line}: {fault}; each line is one series: its name, then its values")
            seen.add(name)
            ids.append(name)
            cells.append(values)
            lines.append(f"line {line}" + (f" of {file.path.name}" if len(files) > 1 else ""))
    if not ids:
        raise files[0].error("there is a header but no rows")
    lengths = np.array([len(values) for values in cells])
    codes, names = pd.factorize(pd.Index(ids, dtype=object))
    order = np.argsort(codes, kind="stable")  # the pieces of a series beside each other, in the order of the files
    piece = np.repeat(order, lengths[order])
    counts = np.bincount(codes, weights=lengths).astype(np.int64)
    frame = pd.DataFrame(
        {
            "unique_id": pd.Categorical.from_codes(codes[piece], names),
            "ds": np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts),
            "y": pd.Series([cell for i in order for cell in cells[i]], dtype=object),
        }
    )
    return frame, Source(", ".join(file.path.name for file in files), lambda row: lines[piece[row]], positions=False)


def is_date(text: str) -> bool:
    """Whether a cell is a date, and no number such as 1084.86, which might be a month of a year."""
    return looks_like_dates([text]) and not _is_number(text)


def _is_number(text: str) -> bool:
    if text.strip().lower() in MISSING:
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True
