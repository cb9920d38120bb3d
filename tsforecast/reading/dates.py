"""Text, integers and pandas times as stamps: one reading for a whole column, or a clear refusal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.reading.cells import Source, numbers
from tsforecast.reading.decimal_years import YEARS, as_decimal_years, read_decimal_years
from tsforecast.reading.spelling import OFFSET, as_iso, formats_of

__all__ = ["Offsets", "Spelling", "Stamps", "parse_stamps", "read_stamps"]

_COMPACT = ("%Y%m%d", "%Y%m", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S")
_DIGITS = ((1700, 2200, 10_000), (1, 12, 100), (1, 31, 100), (0, 23, 100), (0, 59, 100), (0, 59, 100))
"""Least, most and size of the parts of such a number, from the year on."""
_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


class Spelling(NamedTuple):
    """How a whole column is read, settled by its first parts: texts after the shape of the first, by one format or one
    of several that have said the same so far; without a format, whole numbers that count steps."""

    first: str
    forms: tuple[str, ...]


class Offsets(NamedTuple):
    """The offsets to UTC that texts have, in minutes; `days`: every one of them is a midnight on its clock."""

    given: bool
    least: int
    most: int
    days: bool

    def joined(self, other: Offsets) -> Offsets:
        """Those of two parts of a column."""
        least, most = min(self.least, other.least), max(self.most, other.most)
        return Offsets(self.given or other.given, least, most, self.days and other.days)


class Stamps(NamedTuple):
    """A time column: UTC or naive `datetime64[us]`, or int64.

    wall  local wall-clock times of stamps that have a zone, else `times` itself
    """

    times: npt.NDArray[Any]
    wall: npt.NDArray[Any]
    tz: str | None
    spelling: Spelling | None = None
    offsets: Offsets | None = None  # of texts whose zone is not settled yet

    def settled(self) -> Stamps:
        """With the zone that the offsets amount to."""
        times, wall, _, _, offsets = self
        if offsets is None:
            return self
        if not offsets.given:
            return Stamps(times, times, None)
        if offsets.least == offsets.most:
            hours, minutes = divmod(abs(offsets.least), 60)
            sign = "-" if offsets.least < 0 else "+"
            return Stamps(times, wall, f"UTC{sign}{hours:02d}:{minutes:02d}" if offsets.least else "UTC")
        return Stamps(wall, wall, None) if offsets.days else Stamps(times, times, "UTC")  # days: of a summer time


def read_stamps(column: pd.Series, date_format: str | None, source: Source) -> Stamps:
    """A column of dates, date texts or whole numbers as times, with its time zone.

    date_format  how texts or numbers are to be read: a strptime format; s, ms, us, ns since 1970; or years, whose
                 fraction is the month

    Raises DataError for a missing or unreadable cell, an ambiguous day and month, and integers that look like dates.
    """
    return parse_stamps(column, date_format, source).settled()


def parse_stamps(
    column: pd.Series, date_format: str | None, source: Source, spelling: Spelling | None = None
) -> Stamps:
    """A part of a time column, with offsets that are to be joined with those of other parts and settled: see
    `read_stamps`. The first part finds the spelling, each other one is given that of the part before."""
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if pd.api.types.is_object_dtype(column.dtype) and pd.api.types.infer_dtype(column, skipna=True) in (
        "date",
        "datetime",
    ):
        try:
            column = pd.to_datetime(column)
        except ValueError as fault:
            raise source.error(f"the time column '{column.name}' holds times that do not agree ({fault})") from None
    empty = np.flatnonzero(_empty(column))
    if len(empty):
        raise source.error(
            f"{source.place(int(empty[0]))}: the time column '{column.name}' is empty "
            f"({source.how_many(column, _empty)} such rows); every row needs a time"
        )
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _zoned(column)
    if date_format == YEARS:
        months = read_decimal_years(column, source)
        return Stamps(months, months, None)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _from_integers(column, date_format, source, spelling)
    codes, found = pd.factorize(column)
    texts = pd.Series(found).astype(str).str.strip()  # each different text is read once
    dates = spelling is not None and spelling.forms
    if not dates and texts.str.fullmatch(r"[+-]?\d+(?:\.0*)?").all():
        return _from_integers(column, date_format, source, spelling)
    stamps = _from_texts(texts, date_format, column.name, source, codes, spelling)
    return stamps._replace(times=stamps.times[codes], wall=stamps.wall[codes])


def _empty(column: pd.Series) -> npt.NDArray[np.bool_]:
    if pd.api.types.is_string_dtype(column.dtype):
        return np.asarray(column.isna() | (column.str.strip() == ""), dtype=bool)
    return np.asarray(column.isna())


def _zoned(column: pd.Series) -> Stamps:
    """Times of a datetime column; a zone is kept by name."""
    if column.dt.tz is None:
        times = column.to_numpy().astype("datetime64[us]")
        return Stamps(times, times, None)
    times = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    wall = column.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    # where the clock skips midnight, the day begins at one: it is still that day
    midnight = column.dt.tz_localize(None).dt.normalize()
    start = midnight.dt.tz_localize(column.dt.tz, ambiguous=True, nonexistent="shift_forward")
    wall = np.where((start == column).to_numpy(), midnight.to_numpy().astype("datetime64[us]"), wall)
    return Stamps(times, wall, str(column.dt.tz))


def _from_integers(column: pd.Series, date_format: str | None, source: Source, spelling: Spelling | None) -> Stamps:
    values, bad = numbers(column, ())
    fraction = np.flatnonzero(values % 1 != 0)
    if bad is not None or len(fraction):
        row = int(fraction[0]) if bad is None else bad
        raise source.error(
            f"{source.place(row)}: the time column '{column.name}' holds {column.iloc[row]}, neither a date nor a "
            f"whole number; {as_decimal_years(column, column.name) or 'give dates, or numbered steps'}"
        )
    steps = values.astype(np.int64)
    if date_format in _UNITS:
        stamps = (steps * _UNITS[date_format] // 1_000).astype("datetime64[us]")
        return Stamps(stamps, stamps, None)
    if date_format is not None:
        return _from_texts(pd.Series(steps).astype(str), date_format, column.name, source, None)
    guess = next((form for form in _COMPACT if _like(steps, form)), None)
    if guess is not None and spelling is None:
        raise source.error(
            f"the time column '{column.name}' holds integers that look like dates ({steps[0]} to {steps[-1]}); "
            f"say so with date_format='{guess}' (--date-format), or count the steps 0, 1, 2, ..."
        )
    return Stamps(steps, steps, None, Spelling("", ()))


def _like(steps: npt.NDArray[np.int64], form: str) -> bool:
    """Whether all of these whole numbers are dates, written without anything between. Months within one year are not:
    counting from 190001 is as good a reading."""
    rest, inside = steps, True
    for least, most, size in reversed(_DIGITS[: form.count("%")]):
        part, rest = rest % size, rest // size
        inside &= bool(((least <= part) & (part <= most)).all())
    return inside and not rest.any() and (form != "%Y%m" or len(np.unique(steps // 100)) > 1)


def _from_texts(
    texts: pd.Series,
    date_format: str | None,
    name: object,
    source: Source,
    codes: npt.NDArray[np.intp] | None,
    spelling: Spelling | None = None,
) -> Stamps:
    """Different texts as times; `codes` maps rows of the table onto them."""

    def place(i: int) -> str:
        return source.place(i if codes is None else int(np.argmax(codes == i)))

    first, formats = spelling if spelling is not None and spelling.forms else (texts.iloc[0], ())
    formats = formats or (formats_of(first) if date_format is None else (date_format,))
    written = texts if date_format is not None else as_iso(texts, first)
    readings = [(_parse(written, form), form) for form in formats]
    whole = [(times, form) for times, form in readings if times.notna().all()]
    if len(whole) > 1 and not all(times.equals(whole[0][0]) for times, _ in whole):
        whole = [whole[0], next(other for other in whole if not other[0].equals(whole[0][0]))]
        differs = int(np.argmax(whole[0][0].to_numpy() != whole[1][0].to_numpy()))
        days = [times.iloc[differs].date() for times, _ in whole]
        raise source.error(
            f"the dates of column '{name}' are ambiguous: {texts.iloc[differs]} may be {days[0]} or {days[1]}, "
            f"and every row can be read both ways; say which with date_format='{whole[0][1]}' or '{whole[1][1]}' "
            "(--date-format)"
        )
    if not whole:
        best = max((times for times, _ in readings), key=lambda times: int(times.notna().sum()), default=None)
        at = 0 if best is None else int(np.argmax(best.isna()))
        how = f" as {date_format}" if date_format else ""
        instead = "write dates like 2024-02-29 or 2024-02-29 13:00, or give their date_format (--date-format)"
        raise source.error(
            f"{place(at)}: '{texts.iloc[at]}' in the time column '{name}' cannot be read{how}; "
            f"{as_decimal_years(texts, name) or instead}"
        )
    times, form = whole[0]
    _one_way(texts, name, place, source)
    return _with_offsets(written, times, form)._replace(spelling=Spelling(first, tuple(form for _, form in whole)))


def _one_way(texts: pd.Series, name: object, place: Callable[[int], str], source: Source) -> None:
    """DataError where some times have an offset to UTC and others none: an hour of which clock would those be?"""
    offset = (texts.str.replace(rf"(:\d{{2}}(?:\.\d+)?){OFFSET}$", r"\1", regex=True) != texts).to_numpy()
    if offset.any() and not offset.all():
        one, other = (int(np.argmax(which)) for which in (offset, ~offset))
        raise source.error(
            f"{place(one)}: '{texts.iloc[one]}' in the time column '{name}' has an offset to UTC, and "
            f"'{texts.iloc[other]}' ({place(other)}) has none; write all times with one, or all without"
        )


def _parse(texts: pd.Series, form: str) -> pd.Series:
    utc = form == "ISO8601" or "%z" in form
    try:
        times = pd.to_datetime(texts, format=form, errors="coerce", utc=utc)
    except (ValueError, re.error):  # not a format at all, or one that names a part twice
        return pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us]")
    return times.dt.tz_localize(None) if utc else times


def _with_offsets(texts: pd.Series, times: pd.Series, form: str) -> Stamps:
    """Texts with an offset to UTC: their wall clock is what is written, their instant is what was parsed."""
    instants = wall = times.to_numpy().astype("datetime64[us]")
    given = False
    if form == "ISO8601" or "%z" in form:
        bare = texts.str.replace(rf"(:\d{{2}}(?:\.\d+)?){OFFSET}$", r"\1", regex=True)
        given = bool((bare != texts).any())
        if given:
            wall = _parse(bare, form.replace("%z", "")).to_numpy().astype("datetime64[us]")
    minutes = (wall - instants).astype(np.int64) // 60_000_000
    days = bool((wall == wall.astype("datetime64[D]")).all())
    return Stamps(instants, wall, None, offsets=Offsets(given, int(minutes.min()), int(minutes.max()), days))
