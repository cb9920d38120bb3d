"""Cells of a user's table as numbers and names, and where a row lies in what the user gave us."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tsforecast.errors import DataError, listing

__all__ = ["MISSING", "Source", "naming_columns", "numbers", "otherwise_written", "series_codes"]

MISSING = ("", "na", "n/a", "nan", "null", "none", "<na>")
"""Texts that mean "no value" in a column of numbers, in any case. An id may well be called NA."""

_EXACT = 2**53  # whole numbers up to here are exact in float64


Test = Callable[[pd.Series], npt.ArrayLike]
"""Cells of a column -> which of them are meant."""


@dataclass(frozen=True)
class Source:
    """What data are called in messages, and where row i of the table is to be found there.

    name   the file, or "the frame"
    place  row of the table (from 0) -> "line 31", "row 29"
    count  where the table is a part of something larger: a column's name and a test of it -> how many of all its cells
           pass the test
    """

    name: str = "the frame"
    place: Callable[[int], str] = "row {}".format
    positions: bool = True  # whether rows without any time column may be numbered: a frame's index says so, a file not
    count: Callable[[str, Test], int] | None = None

    def how_many(self, column: pd.Series, test: Test) -> int:
        """How many cells of the column pass a test."""
        return int(np.asarray(test(column)).sum()) if self.count is None else self.count(str(column.name), test)

    def error(self, message: str) -> DataError:
        """A DataError that begins with the name of the data."""
        return DataError(f"{self.name}: {message}")


def numbers(
    column: pd.Series, na_values: Collection[str], decimal: str = "."
) -> tuple[npt.NDArray[np.float64], int | None]:
    """A column as float64 with NaN for missing cells, and the first row that is not a number (None where all are).

    A column of True and False alone is 1 and 0. Text is parsed exactly (the nearest float64), so that a file and the
    frame it was written from are the same.
    """
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        if pd.api.types.is_complex_dtype(column.dtype):
            return np.full(len(column), np.nan), 0
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if pd.api.types.is_integer_dtype(column.dtype) and (large := np.abs(values) >= _EXACT).any():
            return values, int(np.argmax(large))
        return np.array(values), None  # always a copy: a panel freezes its arrays, never the user's
    if not (pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype)):
        filled = np.flatnonzero(column.notna())
        return np.full(len(column), np.nan), int(filled[0]) if len(filled) else None
    return _parsed(_strings(column), na_values, decimal)


def otherwise_written(texts: Collection[str]) -> str:
    """What to do about cells that are numbers to a reader alone: with a decimal comma, in groups of three digits, with
    the sign of a currency or a unit. Empty where most are none."""
    shapes = {
        r"\D{0,4}\d{1,3}(,\d{3})+(\.\d+)?\D{0,4}": "write numbers without marks between the thousands",
        r"-?\d+,\d+": "if the comma is a decimal mark, say so with decimal=',' (--decimal ,)",
        r"\D{0,4}\d+([.,]\d+)?\D{0,4}": "write numbers alone, without signs or units",
    }
    return next((do for shape, do in shapes.items() if 2 * sum(_is(shape, cell) for cell in texts) > len(texts)), "")


def _is(shape: str, cell: str) -> bool:
    return re.fullmatch(shape, cell.strip()) is not None


def _strings(column: pd.Series) -> pa.Array:
    try:
        cells = pa.array(column, from_pandas=True, type=pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # an object column of numbers, or of numbers and text
        cells = pa.array([None if pd.isna(cell) else str(cell) for cell in column], type=pa.large_string())
    return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells


def _parsed(cells: pa.Array, na_values: Collection[str], decimal: str) -> tuple[npt.NDArray[np.float64], int | None]:
    cells = pc.utf8_trim_whitespace(cells)
    absent = pc.is_in(pc.utf8_lower(cells), value_set=pa.array(MISSING, type=pa.large_string()))
    if na_values:
        absent = pc.or_(absent, pc.is_in(cells, value_set=pa.array([str(v) for v in na_values], pa.large_string())))
    cells = pc.if_else(absent, None, cells)
    if decimal != ".":
        # a point beside a decimal comma marks thousands: not a number, rather than one that is 1000 times too small
        cells = pc.replace_substring(pc.replace_substring(cells, ".", "?"), decimal, ".")
    try:
        return np.array(pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False)), None
    except pa.ArrowInvalid:
        coded = cells.dictionary_encode()
        texts = coded.dictionary.to_pylist()
        read = _truth if {text.lower() for text in texts} <= {"true", "false"} else _float
        floats = np.array([read(text) for text in texts] + [(np.nan, True)])
        codes = coded.indices.fill_null(len(floats) - 1).to_numpy(zero_copy_only=False)
        wrong = floats[codes, 1] == 0
        return floats[codes, 0], int(np.argmax(wrong)) if wrong.any() else None


def _truth(text: str) -> tuple[float, bool]:
    return float(text.lower() == "true"), True


def _float(text: str) -> tuple[float, bool]:
    try:
        if "_" in text:
            raise ValueError  # Python would read 1_000
        return float(text), True
    except ValueError:
        return np.nan, False


def naming_columns(id: str | Sequence[str] | None, columns: Collection[str]) -> tuple[str, ...]:
    """The columns that were said to name the series: none, one, or several, which a text has with commas between."""
    if id is None or isinstance(id, list | tuple):
        return tuple(map(str, id or ()))
    name = str(id)
    return (name,) if name in columns or "," not in name else tuple(part.strip() for part in name.split(","))


def series_codes(
    table: pd.DataFrame, naming: Sequence[str], source: Source
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """The series of each row `[rows]`, numbered in the order of the sorted ids, and those ids as text.

    naming  the columns that hold them; of several the texts are joined: `north / shoes`

    Raises DataError for an empty id, and where two series would have one.
    """
    columns = [_codes_of(table[name], source) for name in naming]
    if len(columns) == 1:
        return columns[0]
    shape = tuple(len(ids) for _, ids in columns)
    rows, place = np.unique(np.ravel_multi_index(tuple(codes for codes, _ in columns), shape), return_inverse=True)
    parts = [
        np.array(ids, dtype=object)[at] for (_, ids), at in zip(columns, np.unravel_index(rows, shape), strict=True)
    ]
    joined = np.array([" / ".join(names) for names in zip(*parts, strict=True)], dtype=object)
    ids, order, counts = np.unique(joined, return_inverse=True, return_counts=True)
    if (counts > 1).any():
        raise source.error(
            f"two series would be called '{ids[counts > 1][0]}', joined of {listing(naming)}; rename one in the data"
        )
    return order[place].astype(np.int64), tuple(ids.tolist())


def _codes_of(column: pd.Series, source: Source) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    codes, found = pd.factorize(column, use_na_sentinel=True)
    texts = np.array([_name(value) for value in found], dtype=object)
    blank = _unnamed(codes, texts)
    if blank.any():
        count = source.how_many(column, lambda c: _unnamed(*pd.factorize(c, use_na_sentinel=True)))
        raise source.error(
            f"{source.place(int(np.argmax(blank)))}: the id column '{column.name}' is empty ({count} such rows); "
            "every row needs the name of its series"
        )
    ids, place = np.unique(texts, return_inverse=True)
    return place.astype(np.int64)[codes], tuple(str(name) for name in ids)


def _unnamed(codes: npt.NDArray[np.intp], names: Any) -> npt.NDArray[np.bool_]:
    return np.append(np.array([str(name).strip() == "" for name in names], dtype=bool), True)[codes]


def _name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # whole numbers that became floats beside a blank cell
    return str(value)
