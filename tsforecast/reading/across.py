"""Files in which time runs across: each line is a series, its name and then its values, below a header of dates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from tsforecast.errors import did_you_mean, listing
from tsforecast.reading.cells import Source, naming_columns
from tsforecast.reading.columns import HEADER
from tsforecast.reading.delimited import Text, is_date, read_table

__all__ = ["dates_across", "read_across"]

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


def read_across(file: Text, id: str | Sequence[str] | None) -> tuple[pd.DataFrame, Source, tuple[str, ...]]:
    """The file as a wide table of text: the dates as column HEADER, then a column for each line; and what is left out.

    id  names the series of each line: of the columns before the dates one, or several, whose texts are joined as far
        as they are there; not needed where there is one

    Raises DataError where there are several and none is named, and for a name that is missing or occurs twice.
    """
    names = _names(file)
    naming = naming_columns(id, names) or tuple(names)
    if not id and len(names) > 1:
        raise file.error(
            f"dates run across the columns from '{file.header[len(names)]}' on, behind {len(names)} others "
            f"({listing(names)}); say which of them name the series of each line with --id, several with commas between"
        )
    if (absent := next((name for name in naming if name not in names), None)) is not None:
        raise file.error(f"there is no column '{absent}' before the dates{did_you_mean(absent, names)}")
    table, source = read_table(file)
    parts = [table[name].str.strip() for name in naming]
    ids = pd.Series([" / ".join(filter(None, texts)) for texts in zip(*parts, strict=True)])
    for fault, wrong in (("has no name", ids == ""), ("has the name of an earlier one", ids.duplicated())):
        if wrong.any():
            row = int(wrong.argmax())
            raise file.error(f"{source.place(row)}: the series{f' {ids[row]!r}' if ids[row] else ''} {fault}")
    wide = table.iloc[:, len(names) :].T.set_axis(ids, axis=1).reset_index(names=HEADER)
    dates, unused = table.columns[len(names) :], [name for name in names if name not in naming]
    notes = (f"columns not used: {listing(unused, 10)}",) if unused else ()
    return wide, Source(file.path.name, lambda row: f"column '{dates[row]}'", positions=False), notes
