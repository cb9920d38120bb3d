"""What the cells of a column hold: dates, numbers, text or nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tsforecast.reading.cells import numbers
from tsforecast.reading.spelling import looks_like_dates

__all__ = ["COUNTED", "ID_NAMES", "first_filled", "kind_of", "part_numbers", "with_plain_times"]

COUNTED = 500  # filled cells that decide what a column of text holds
PART = 0.1  # of them that are numbers: it may be a series in which many cells are none
ID_NAMES = frozenset(
    f"{kind}{end}"
    for kind in ("", "series", "sensor", "device", "meter", "station", "machine", "item", "store", "product", "asset")
    for end in ("", "id", "_id", " id")
    if kind or end == "id"
) | {"symbol", "ticker", "entity_id", "location", "site"}
"""What columns that name series are called, in small letters."""


def with_plain_times(table: pd.DataFrame) -> pd.DataFrame:
    """Times that lie in Arrow's memory as pandas' own, which all else is written for."""
    arrow = [name for name, dtype in table.dtypes.items() if isinstance(dtype, pd.ArrowDtype) and dtype.kind == "M"]
    table = table.copy(deep=False)
    for name in arrow:
        table[name] = pa.array(table[name]).to_pandas(date_as_object=False).set_axis(table.index)
    return table


def kind_of(column: pd.Series, na_values: Collection[str], decimal: str) -> str:
    """What most of the first filled cells are: date, number, text; or empty. The few others are faults to name."""
    dtype: Any = column.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return "date"
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    if not (pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype)):
        return "text"
    sample = first_filled(column.dropna(), na_values)
    if len(sample) == 0:
        return "empty"
    if pd.api.types.infer_dtype(sample) in ("date", "datetime"):
        return "date"
    truths = sample.astype(str).str.lower().isin(("true", "false")).all()  # no series, unless it is named
    if not truths and _numbers_in(sample, na_values, decimal) > 0.5:
        return "number"
    return "date" if looks_like_dates(sample.head(20)) else "text"


def part_numbers(column: pd.Series, na_values: Collection[str], decimal: str) -> bool:
    """Whether a part of the first filled cells of a column of text are numbers; a remark may be one now and then."""
    sample = first_filled(column.dropna(), na_values)
    return len(sample) > 0 and _numbers_in(sample, na_values, decimal) >= PART


def _numbers_in(sample: pd.Series, na_values: Collection[str], decimal: str) -> float:
    """The share of cells that are numbers."""
    return float(np.isfinite(numbers(sample, na_values, decimal)[0]).mean())


def first_filled(column: pd.Series, na_values: Collection[str]) -> pd.Series:
    """The first 500 cells that hold something, looked for no further than it takes: a sensor may report from its second
    year on."""
    size = COUNTED
    while True:
        sample = column.head(size)
        sample = sample[~sample.astype(str).str.strip().isin(["", *na_values])]
        if len(sample) >= COUNTED or size >= len(column):
            return sample.head(COUNTED)
        size *= 8
