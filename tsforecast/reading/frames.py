"""The border to dataframes: a long frame, a wide frame or a Series becomes a Panel, or one clear DataError."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Literal, TypedDict, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.errors import ConfigError, did_you_mean, listing
from tsforecast.frequency import Frequency
from tsforecast.panel import Panel
from tsforecast.reading.cells import Source, numbers, otherwise_written, series_codes
from tsforecast.reading.columns import Layout, Roles, choose_columns, ids_of_index, named_columns
from tsforecast.reading.dates import Stamps, read_stamps
from tsforecast.reading.inference import Pattern, season_unsaid, settle_grid
from tsforecast.reading.kinds import with_plain_times
from tsforecast.reading.rows import Missing, Rows

__all__ = ["FrameOptions", "check_options", "long_rows", "read_frame"]


class FrameOptions(TypedDict, total=False):
    """The options of `read_frame`, for the doors in front of it."""

    id: str | Sequence[str] | None
    time: str | None
    target: str | None
    freq: str | int | Frequency | None
    season_length: int | None
    hist_exog: Sequence[str]
    futr_exog: Sequence[str]
    missing: Missing
    date_format: str | None
    na_values: str | Collection[str]
    decimal: Literal[".", ","]


def read_frame(
    frame: pd.DataFrame | pd.Series,
    *,
    id: str | Sequence[str] | None = None,
    time: str | None = None,
    target: str | None = None,
    freq: str | int | Frequency | None = None,
    season_length: int | None = None,
    hist_exog: Sequence[str] = (),
    futr_exog: Sequence[str] = (),
    missing: Missing = "error",
    date_format: str | None = None,
    na_values: str | Collection[str] = (),
    decimal: Literal[".", ","] = ".",
    layout: Layout = "auto",
    source: str | Source = "the frame",
) -> Panel:
    """A panel from a long frame, a wide frame (a time index, each column of numbers a series) or one Series.

    id, time, target  columns of a long frame; by default `unique_id, ds, y`, else what is evident (and noted). Without
                      an id there is one series, named after the target; several columns may name the series together
                      (`["store", "item"]` or "store,item"). The time may be the index
    freq              the grid (`h`, `30min`, `D`, `B`, `W`, `ME`, ..., a number for integer time), `bars` where
                      position is time; by default inferred, and noted
    season_length     steps in a cycle; by default the usual one of the grid
    hist_exog         columns known up to the cutoff only
    futr_exog         columns known ahead
    missing           what an absent step or value means: "error", "nan" (not observed), "ffill" (the last value before
                      it; what comes before the first is left out), "drop" (bars only: the row is left out)
    date_format       how date texts or numbers are to be read: strptime; s, ms, us, ns since 1970; or years, whose
                      fraction is the month (1949.0833)
    na_values         texts that also mean "no value", such as "."
    decimal           decimal mark of numbers in text
    layout            "long" or "wide" where the default reading is another

    The frame is not modified, its order does not matter. Times with a zone are kept as UTC below a day and as local
    days above, and given back in the zone. The leading and trailing blanks of a wide column are not part of its series.

    Raises DataError for a missing or unclear column, an unreadable, empty, ambiguous or duplicate time, a cell that is
    not a finite number, a gap or missing value under "error", an empty frame, a series without values, and for one row
    without a freq: each names the first place, how many there are, and what to do.
    """
    origin = source if isinstance(source, Source) else Source(source)
    check_options(missing, season_length)
    absent = (na_values,) if isinstance(na_values, str) else tuple(na_values)
    table, time_index = named_columns(frame, origin)
    table = with_plain_times(table)
    roles = choose_columns(
        table,
        time_index,
        id=id if id is not None or layout == "wide" else ids_of_index(frame),
        time=_text(time),
        target=_text(target),
        hist=_texts(hist_exog),
        futr=_texts(futr_exog),
        layout=layout,
        source=origin,
        na_values=absent,
        decimal=decimal,
    )
    stamps = _stamps(table, roles, date_format, origin)
    rows = (_melted if roles.wide else long_rows)(table, roles, stamps.times, absent, decimal, origin)
    return _panel(rows, roles, stamps, freq, season_length, missing)


def _text(name: str | None) -> str | None:
    """The name of a column as text, as columns have it: those of a frame may be numbers."""
    return None if name is None else str(name)


def _texts(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(map(str, names))


def check_options(missing: str, season_length: int | None) -> None:
    """ConfigError for a policy that there is not, and for a season that is no number of steps."""
    if missing not in get_args(Missing):
        raise ConfigError(f"missing={missing!r} is not a policy{did_you_mean(str(missing), get_args(Missing))}")
    if season_length is None:
        return
    if isinstance(season_length, bool) or not isinstance(season_length, int | np.integer):
        raise ConfigError(f"season_length={season_length!r}: must be a whole number of steps")
    if season_length < 1:
        raise ConfigError(f"season_length={season_length}: must be at least 1 (1 = no season)")


def _stamps(table: pd.DataFrame, roles: Roles, date_format: str | None, source: Source) -> Stamps:
    if roles.time is None:
        steps = np.arange(len(table))
        return Stamps(steps, steps, None)
    return read_stamps(table[roles.time], date_format, source)


def long_rows(
    table: pd.DataFrame, roles: Roles, times: npt.NDArray[Any], absent: Collection[str], decimal: str, source: Source
) -> Rows:
    """Each row an observation, as it stands in the table."""
    columns = (*roles.targets, *roles.hist, *roles.futr)
    ids: tuple[str, ...] = roles.targets
    codes = np.zeros(len(table), dtype=np.int64)
    if roles.id:
        codes, ids = series_codes(table, roles.id, source)
    values = np.stack(
        [_numbers(table, roles, name, absent, decimal, source, lambda row: ids[codes[row]]) for name in columns], axis=1
    )
    return Rows(ids, columns, codes, times, values, np.arange(len(table)), source, roles.notes)


def _melted(
    table: pd.DataFrame, roles: Roles, times: npt.NDArray[Any], absent: Collection[str], decimal: str, source: Source
) -> Rows:
    """Each column a series, from its first observed value to its last; what is cut off is said."""
    ids = tuple(sorted(roles.targets))
    order = np.argsort(times, kind="stable")
    values = np.stack([_numbers(table, roles, name, absent, decimal, source, name) for name in ids])
    seen = ~np.isnan(values[:, order])
    inside = np.logical_or.accumulate(seen, axis=1) & np.logical_or.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    codes, at = np.nonzero(inside)
    at = order[at]
    notes = *roles.notes, *_cut_off(ids, inside)
    return Rows(ids, ("y",), codes, times[at], values[codes, at][:, None], at, source, notes)


def _cut_off(ids: tuple[str, ...], inside: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """A note of the blank rows around series `[N, rows]`; none where there are none."""
    ends = ("before the first", inside.argmax(axis=1)), ("after the last", inside[:, ::-1].argmax(axis=1))
    said = [f"{n} {where} value of '{id}'" for where, counts in ends for id, n in zip(ids, counts, strict=True) if n]
    return (f"blank rows that are not part of a series: {listing(said, 3)}",) if said else ()


def _numbers(
    table: pd.DataFrame,
    roles: Roles,
    name: str,
    absent: Collection[str],
    decimal: str,
    source: Source,
    series: Callable[[int], str] | str,
) -> npt.NDArray[np.float64]:
    values, bad = numbers(table[name], absent, decimal)
    if bad is None:
        return values
    cell = table[name].iloc[bad]
    when = f", {table[roles.time].iloc[bad]}" if roles.time is not None else ""
    if isinstance(cell, str):
        alike = source.how_many(table[name], lambda column: column.astype(str).str.strip() == cell.strip())
        hint = (
            f"if '{cell}' means no value, say so with na_values='{cell}' (--na-values '{cell}')"
            if not any(letter.isdigit() for letter in cell)
            else otherwise_written([cell]) or "correct it"
        )
        what = f"'{cell}' in column '{name}' is not a number ({alike} such cells)"
    elif isinstance(cell, int | np.integer):
        what, hint = f"{cell} in column '{name}' is too large to be kept exactly", "scale the column, or give floats"
    else:
        what, hint = f"{cell!r} in column '{name}' is not a number", "convert the column to numbers"
    raise source.error(
        f"{source.place(bad)}, series '{series if isinstance(series, str) else series(bad)}'{when}: {what}; {hint}"
    )


def _panel(
    rows: Rows,
    roles: Roles,
    stamps: Stamps,
    freq: str | int | Frequency | None,
    season_length: int | None,
    missing: Missing,
) -> Panel:
    clock = Frequency("fixed", tz=stamps.tz)  # to show times by, until the grid is known
    rows = rows.ordered()
    for fault in rows.faults(clock):
        rows.refuse(fault)
    if missing == "drop":
        rows = rows.without_blanks(clock)
    wall = stamps.wall[rows.origin]
    grid, note = settle_grid(freq, Pattern.of(wall, rows.starts), stamps.tz, rows.source)
    if grid.wall:
        rows = replace(rows, times=wall)
    else:  # an hour is an hour of UTC, whatever the clocks on the wall do
        grid, note = settle_grid(freq, Pattern.of(rows.times, rows.starts), stamps.tz, rows.source)
    rows = rows.on_grid(grid, missing)
    hist = 1 + len(roles.hist)
    return Panel(
        ids=rows.ids,
        starts=rows.starts,
        ends=rows.ends,
        values=np.ascontiguousarray(rows.values[:, 0]),
        times=rows.times,
        freq=grid,
        season_length=season_length or grid.season_length,
        hist=np.ascontiguousarray(rows.values[:, 1:hist]),
        futr=np.ascontiguousarray(rows.values[:, hist:]),
        hist_names=roles.hist,
        futr_names=roles.futr,
        notes=(*map(str, rows.notes), *((note,) if note else ()), *season_unsaid(grid, season_length)),
    )
