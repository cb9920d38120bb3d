"""Which column of a table is the series, which the time and which the target: as named, as usual, or as is evident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from tsforecast.errors import DataError, did_you_mean, listing
from tsforecast.reading.cells import Source, naming_columns, numbers, otherwise_written, series_codes
from tsforecast.reading.decimal_years import as_decimal_years
from tsforecast.reading.kinds import COUNTED, ID_NAMES, first_filled, kind_of, part_numbers
from tsforecast.reading.spelling import otherwise_dated

__all__ = ["HEADER", "ROW_LABEL", "TIME_NAMES", "Layout", "Roles", "choose_columns", "ids_of_index", "named_columns"]

Layout = Literal["auto", "long", "wide"]

TIME_NAMES = ("ds", "date", "datetime", "timestamp", "time", "step", "year", "t")
HEADER = "(header)"  # the times of a file in which they run across
DATE_PARTS = {"year", "month", "day", "hour", "minute", "second"}
ROW_LABEL = "(row label)"  # an unnamed integer index: the time only where there is no other
UNNAMED = {"column 1", "Unnamed: 0", "index", "level_0", "rownames"}
CLOCK = r"\s*\d{1,2}:\d{2}(:\d{2})?\s*$"


@dataclass(frozen=True)
class Roles:
    """The columns to read.

    id       name the series, together where they are several; none where there is one series
    time     None where the position of a row is its time
    targets  one column; or several of a wide table, each a series
    """

    id: tuple[str, ...]
    time: str | None
    targets: tuple[str, ...]
    wide: bool
    hist: tuple[str, ...]
    futr: tuple[str, ...]
    notes: tuple[str, ...]


def named_columns(frame: pd.DataFrame | pd.Series, source: Source) -> tuple[pd.DataFrame, str | None]:
    """The data as a table with text column names and no index, and the name of the column that was a time index.

    Nothing of the user's is modified. Raises DataError for an empty table and for a column name that occurs twice.
    """
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("y" if frame.name is None else frame.name)
    if len(frame) == 0:
        raise source.error("there are no rows")
    time = None
    labels: list[str] = []
    if isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex):
        labels = ["ds" if frame.index.name is None and "ds" not in frame.columns else str(frame.index.name)]
        time = labels[0]
    elif frame.index.names == [None] and pd.api.types.is_integer_dtype(frame.index.dtype):
        index = frame.index
        if not (isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1):
            labels = [ROW_LABEL]
    else:
        labels = [f"index{i}" if name is None else str(name) for i, name in enumerate(frame.index.names)]
    columns = labels + [_column_name(name) for name in frame.columns]
    if twice := [(name, count) for name, count in Counter(columns).items() if count > 1]:
        raise source.error(f"column '{twice[0][0]}' occurs {twice[0][1]} times; rename or remove one")
    return frame.reset_index(drop=not labels).set_axis(columns, axis=1), time


def ids_of_index(frame: pd.DataFrame | pd.Series) -> tuple[str, ...] | None:
    """The levels that name the series of each row: those beside the one that holds times, where there are several."""
    index = frame.index
    if not isinstance(index, pd.MultiIndex) or None in index.names:
        return None
    times = [pd.api.types.is_datetime64_any_dtype(level.dtype) for level in index.levels]
    if sum(times) != 1 or len(times) < 2:
        return None
    return tuple(str(name) for name, is_time in zip(index.names, times, strict=True) if not is_time)


def _column_name(name: object) -> str:
    return " / ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def choose_columns(
    frame: pd.DataFrame,
    time_index: str | None,
    *,
    id: str | Sequence[str] | None,
    time: str | None,
    target: str | None,
    hist: Sequence[str],
    futr: Sequence[str],
    layout: Layout,
    source: Source,
    na_values: Collection[str],
    decimal: str,
) -> Roles:
    """Settle the roles: columns that were named, then `unique_id, ds, y`, then what is evident from the cells.

    Raises DataError for a name that is not there (with the nearest one) and where nothing is evident.
    """
    naming = naming_columns(id, frame.columns)
    named = [*naming, *(name for name in (time, target, *hist, *futr) if name is not None)]
    absent = next((name for name in named if name not in frame.columns), None)
    if absent is not None:
        raise source.error(f"there is no column '{absent}'{did_you_mean(absent, frame.columns)}")
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise source.error(f"column '{twice}' is given two roles; each column can have one")
    found = _Evidence(frame, source, {*named, ROW_LABEL}, na_values, decimal)
    usual = {"unique_id", "ds"} & set(frame.columns)
    if not naming and found.take("unique_id" in frame.columns, "unique_id"):
        naming = ("unique_id",)
    time = time or found.take("ds" in frame.columns, "ds") or found.take(time_index is not None, time_index)
    if layout != "wide":
        target = target or found.take("y" in frame.columns and bool(usual or hist or futr), "y")

    time = time or found.time(naming) or (ROW_LABEL if ROW_LABEL in frame.columns else None)
    hint = found.otherwise_dated() if time is None and layout != "wide" else ""
    if time is None and (hint or not (source.positions or layout == "wide" or len(frame.columns) == 1)):
        which = "--time (its form with --date-format), --target and --id, or with --layout wide if each row is a step"
        raise found.unclear("no column holds dates or counts steps", which, hint)
    found.set_aside_row_numbers(time)
    texts = [] if layout == "wide" else found.of("text")
    if texts and not naming:
        naming = found.id(texts, time)
    values = [target] if target is not None else found.of("number")
    if layout == "wide" and target is None:  # a series in which many cells are no numbers is told of, not left out
        values += [name for name in found.of("text") if part_numbers(frame[name], na_values, decimal)]
    wide = target is None and (layout == "wide" or (layout == "auto" and len(values) > 1 and not (naming or texts)))
    if not values:
        raise found.unclear("no column of numbers is left to forecast", "--target", found.otherwise_written())
    if len(values) > 1 and not wide:
        raise found.unclear(f"{len(values)} columns of numbers could be the target ({listing(values)})", "--target")
    if wide and (hist or futr):
        raise found.unclear("covariates belong to one target", "--target")
    notes = _notes(found, named, naming, time, values, wide)
    return Roles(naming, time, tuple(values), wide, tuple(hist), tuple(futr), notes)


def _notes(
    found: _Evidence, named: list[str], naming: tuple[str, ...], time: str | None, values: list[str], wide: bool
) -> tuple[str, ...]:
    """What was taken for what, in words: nothing to say of named columns or a plain `unique_id, ds, y`."""
    notes = []
    if time is None or {*naming, time, *values} - {*named, "unique_id", "ds", "y"}:
        each = "line" if time == HEADER else "column"
        what = f"{len(values)} series, one per {each}" if wide else f"target '{values[0]}'"
        by = f"time '{time}'" if time is not None else "time: the position of the row"
        together = " and ".join(f"'{name}'" for name in naming)
        notes.append(f"columns taken: {by}, {what}" + (f", series named by {together}" if naming else ""))
    empty = found.of("empty")
    unused = [name for name in found.frame.columns if name not in {*found.used, *values, *empty}]
    if wide and empty:
        notes.append(f"columns without a single value, left out: {listing(empty, 10)}")
    if unused:
        notes.append(f"columns not used: {listing(unused, 10)}")
    return tuple(notes)


class _Evidence:
    """The columns without a role yet, and what a sample of their cells shows."""

    def __init__(
        self, frame: pd.DataFrame, source: Source, used: set[str], na_values: Collection[str], decimal: str
    ) -> None:
        self.frame, self.source, self.used = frame, source, used
        self.na_values, self.decimal = na_values, decimal
        self._kinds: dict[str, str] = {}
        self._aside: set[str] = set()

    def take(self, there: bool, name: str | None) -> str | None:
        """Give the column a role if it is there and has none."""
        if not there or name is None or name in self.used:
            return None
        self.used.add(name)
        return name

    def of(self, kind: str) -> list[str]:
        """Columns without a role that hold dates, numbers or text."""
        open_ = [name for name in self.frame.columns if name not in self.used and name not in self._aside]
        return [name for name in open_ if self._kind(name) == kind]

    def _names_series(self, name: str) -> bool:
        """Though no time occurs twice, as where one sensor took the place of another."""
        count = self.frame[name].nunique(dropna=False)
        return count == 1 or (name.strip().lower() in ID_NAMES and 2 * count <= len(self.frame))

    def set_aside_row_numbers(self, time: str | None) -> None:
        """No series: the row numbers that a frame's `to_csv` and `reset_index` leave beside the times."""
        if time is None:
            return
        for name in UNNAMED & {*self.frame.columns}:
            if name not in self.used and self._numbers_rows(name):
                self._aside.add(name)

    def _numbers_rows(self, name: str) -> bool:
        if name not in UNNAMED or self._kind(name) != "number":
            return False
        values = numbers(self.frame[name], ())[0]
        return bool((values - np.arange(len(values)) == values[0]).all()) and values[0] in (0, 1)

    def _kind(self, name: str) -> str:
        if name not in self._kinds:
            self._kinds[name] = kind_of(self.frame[name], self.na_values, self.decimal)
        return self._kinds[name]

    def id(self, texts: list[str], time: str | None) -> tuple[str, ...]:
        """The text column that names series: the only one where times repeat, or a constant one, or one that is called
        so and names a few.

        Where every time occurs once other text is a remark.
        """
        repeats = time is not None and bool(self.frame[time].duplicated().any())
        naming = texts if repeats else [name for name in texts if self._names_series(name)]
        if repeats and len(naming) > 1:
            flag = f"--id, several together with --id {','.join(naming)}"
            raise self.unclear(f"{len(naming)} columns of text could name the series ({listing(naming)})", flag)
        if naming and (clock := self.frame[naming[0]].dropna().head(COUNTED).astype(str)).str.match(CLOCK).all():
            raise self.source.error(
                f"column '{naming[0]}' holds times of the day ({clock.iloc[0]}), not names of series; join it with "
                f"'{time}' to one column of times, such as 2024-02-29 13:00, or name the series with --id"
            )
        return tuple(name for name in naming[:1] if self.take(len(naming) == 1, name))

    def time(self, naming: tuple[str, ...]) -> str | None:
        """The one column of dates; else a leading column that counts steps or years, or one that is called time where
        the leading one numbers the rows of the file."""
        dates = self.of("date")
        if len(dates) > 1:
            raise self.unclear(f"{len(dates)} columns hold dates ({listing(dates)})", "--time")
        if dates:
            return self.take(True, dates[0])
        leading = self.of("number")[:1]
        called_time = [name for name in self.of("number")[1:] if name.strip().lower() in TIME_NAMES]
        if called_time and self._numbers_rows(leading[0]):
            rows, leading = leading[0], called_time[:1]
            if not _counts_steps(self.frame, leading[0], [], self.source):
                which = f"'{rows}' numbers the rows, and '{leading[0]}' counts no steps"
                raise self.unclear(which, "--time", as_decimal_years(self.frame[leading[0]], leading[0]))
        others = [name for name in self.frame.columns if name not in (*leading, ROW_LABEL)]
        if not leading or not others:
            return None
        texts = list(naming) or self.of("text")[:1]
        counter = self.take(_counts_steps(self.frame, leading[0], texts, self.source), leading[0])
        parts = [name for name in self.of("number") if name.strip().lower() in DATE_PARTS]
        if counter is not None and {"year", "month"} <= {name.strip().lower() for name in parts}:
            raise self.source.error(
                f"columns {listing(parts)} make a date together, beside '{counter}', which counts rows; write them as "
                f"one column of times, such as 2024-02-29 13:00, or take the count with --time {counter}"
            )
        return counter

    def otherwise_dated(self) -> str:
        """What to do about the first column of text or numbers that may hold times."""
        called_time = (name for name in self.of("number") if name.strip().lower() in TIME_NAMES)
        years = (as_decimal_years(self.frame[name], name) for name in called_time)
        return otherwise_dated(self.frame[self.of("text")]) or next(filter(None, years), "")

    def otherwise_written(self) -> str:
        """What to do about the first column of text that holds numbers to a reader alone."""
        for name in self.of("text"):
            cells = first_filled(self.frame[name].dropna(), self.na_values).astype(str)
            if how := otherwise_written(cells.tolist()):
                return f"the cells of '{name}' look like numbers: {how}"
        return ""

    def unclear(self, reason: str, flag: str, instead: str = "") -> DataError:
        """An error that lists the columns and what they hold; asks for them to be named, or says what to do instead."""
        held = listing((f"{name} ({self._held(name)})" for name in self.frame.columns if name != ROW_LABEL), 12)
        return self.source.error(f"{reason}; columns: {held}; {instead or f'say which to take with {flag}'}")

    def _held(self, name: str) -> str:
        """`number`, `date`, `text such as '12,5'`."""
        if self._kind(name) != "text":
            return self._kind(name)
        return f"text such as '{str(self.frame[name].dropna().iloc[0])[:20]}'"


def _counts_steps(frame: pd.DataFrame, name: str, texts: list[str], source: Source) -> bool:
    """Whether a column of whole numbers rises (or falls) all through each series, mostly by the same step."""
    values, bad = numbers(frame[name], ())
    if bad is not None or not (values % 1 == 0).all():
        return False
    if name.lower() in TIME_NAMES:
        return True
    codes = series_codes(frame, texts, source)[0] if texts else np.zeros(len(values), dtype=np.int64)
    order = np.argsort(codes, kind="stable")
    steps = np.diff(values[order])[np.diff(codes[order]) == 0]
    if len(steps) == 0 or not ((steps > 0).all() or (steps < 0).all()):
        return False
    return 2 * int(np.unique(steps, return_counts=True)[1].max()) >= len(steps)
