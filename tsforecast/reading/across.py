"""Files in which time runs across: each line is a series, its name and then its values, below a header of dates."""

from __future__ import annotations

import re
from itertools import pairwise

import pandas as pd

from tsforecast.errors import listing
from tsforecast.reading.cells import Source
from tsforecast.reading.delimited import Text, is_date, read_table

__all__ = ["HEADER", "dates_across", "read_across"]

HEADER = "(header)"  # what the times are called
FEWEST = 3  # dates that are no accident
YEAR = r"(1[7-9]|20|21)\d\d"


def dates_across(file: Text) -> bool:
    """Whether the header is of dates, three or more, after one or more names that do not stand above more dates."""
    names = _names(file)
    enough = len(file.header) - len(names) >= FEWEST
    return bool(names) and enough and not any(map(is_date, file.second[: len(names)]))


def _names(file: Text) -> list[str]:
    """The header before the dates, or years one after the other, that it ends with."""
    cells = file.header
    first = next((i for i, cell in enumerate(cells) if is_date(cell) or re.fullmatch(YEAR, cell)), len(cells))
    years = all(re.fullmatch(YEAR, cell) for cell in cells[first:])
    if years and {int(later) - int(one) for one, later in pairwise(cells[first:])} <= {1}:
        return cells[:first]
    return cells[:first] if all(map(is_date, cells[first:])) else cells


def read_across(file: Text) -> tuple[pd.DataFrame, Source]:
    """The file as a wide table of text: the dates as column HEADER, then a column for each line.

    Raises DataError for more than one column before the dates, and for a name that is missing or occurs twice.
    """
    names = _names(file)
    if len(names) > 1:
        raise file.error(
            f"dates run across the columns from '{file.header[len(names)]}' on, behind {len(names)} others "
            f"({listing(names)}); leave one of them, which names the series of each line"
        )
    table, source = read_table(file)
    ids = table.iloc[:, 0].str.strip()
    for fault, wrong in (("has no name", ids == ""), ("has the name of an earlier one", ids.duplicated())):
        if wrong.any():
            row = int(wrong.argmax())
            raise file.error(f"{source.place(row)}: the series{f' {ids[row]!r}' if ids[row] else ''} {fault}")
    wide = table.iloc[:, 1:].T.set_axis(ids, axis=1).reset_index(names=HEADER)
    dates = table.columns[1:]
    return wide, Source(file.path.name, lambda row: f"column '{dates[row]}'", positions=False)
