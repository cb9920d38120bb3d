"""Times written as years with fractions: 1949.0833 is February 1949, as R writes its monthly and quarterly series."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.reading.cells import Source, numbers

__all__ = ["YEARS", "as_decimal_years", "read_decimal_years"]

YEARS = "years"  # the date format that says so
OFF = 0.05  # twelfths: a fraction of three digits is right to .006 of one
LEAST, MOST = 1_500, 2_500  # years that numbers are taken for unasked


def read_decimal_years(column: pd.Series, source: Source) -> npt.NDArray[np.datetime64]:
    """The first days of the months, `datetime64[us]`.

    Raises DataError for a cell that is no year with a whole number of twelfths.
    """
    values, _ = numbers(column, ())
    whole = _twelfths(values) & (np.abs(values) < 10_000)
    if not whole.all():
        row = int(np.argmin(whole))
        raise source.error(
            f"{source.place(row)}: the time column '{column.name}' holds '{column.iloc[row]}', no year with a whole "
            "number of twelfths (a month); give dates"
        )
    months = np.rint(12 * values).astype(np.int64) - 12 * 1970
    return months.astype("datetime64[M]").astype("datetime64[us]")


def as_decimal_years(column: pd.Series, name: object) -> str:
    """What to do about a column, called `name`, that holds years with fractions; empty where it holds anything else."""
    values, bad = numbers(column, ())
    if bad is not None or not len(values) or not (_twelfths(values) & (values >= LEAST) & (values <= MOST)).all():
        return ""
    split = values % 1 != 0
    if not split.any():
        return ""
    cell = column.iloc[int(np.argmax(split))]
    return (
        f"if '{cell}' of column '{name}' is a year and its month, say so with date_format='{YEARS}' "
        f"(--time '{name}' --date-format {YEARS})"
    )


def _twelfths(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    twelfths = 12 * values
    return np.isfinite(values) & (np.abs(twelfths - np.rint(twelfths)) < OFF)
