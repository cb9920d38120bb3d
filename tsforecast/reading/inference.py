"""Which grid a column of times lies on: inferred from the times, and said in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsforecast.errors import DataError
from tsforecast.frequency import DAY, Frequency, Ints, Times, parse_frequency
from tsforecast.reading.cells import Source

__all__ = ["Pattern", "infer_frequency", "season_unsaid", "settle_grid"]

EXCEL = 36_526, 73_051  # 2000-01-01 and 2100-01-01 in days since 1899-12-30


@dataclass(frozen=True, eq=False)
class Pattern:
    """What the grid of sorted stamps is told by: it is small, and that of many series adds up from that of some.

    firsts, lasts  first and last time of each series `[N]`
    rows           how many stamps
    steps, counts  the differences between neighbours in a series, ascending, and how often each occurs
    midnight       all stamps are days
    weekdays       and none is a Saturday or Sunday
    days           and these days of the month, of which all are the last one where `month_ends`
    months         months since 1970 modulo 12 that occur
    """

    firsts: Times
    lasts: Times
    rows: int
    steps: Ints
    counts: Ints
    midnight: bool = False
    weekdays: bool = False
    days: frozenset[int] = frozenset()
    month_ends: bool = False
    months: frozenset[int] = frozenset()

    @classmethod
    def of(cls, times: Times, starts: Ints) -> Pattern:
        """That of wall-clock stamps or integers, the series end to end; `starts` is the first row of each."""
        inside = np.ones(len(times), dtype=bool)
        inside[starts] = False  # the step into a series is none
        steps, counts = np.unique(np.diff(times)[inside[1:]].astype(np.int64), return_counts=True)
        whole = cls(times[starts], times[np.append(starts[1:], len(times)) - 1], len(times), steps, counts)
        if times.dtype.kind != "M" or not (times == (days := times.astype("datetime64[D]"))).all():
            return whole
        days = np.unique(days)
        months = days.astype("datetime64[M]")
        return cls(
            whole.firsts,
            whole.lasts,
            whole.rows,
            steps,
            counts,
            midnight=True,
            weekdays=bool(np.is_busday(days).all()),
            days=frozenset(((days - months.astype("datetime64[D]")).astype(np.int64) + 1).tolist()),
            month_ends=bool(((months + 1).astype("datetime64[D]") - 1 == days).all()),
            months=frozenset((months.astype(np.int64) % 12).tolist()),
        )

    @classmethod
    def merged(cls, parts: Sequence[Pattern], order: Ints) -> Pattern:
        """Those of some series each as that of all; `order` sorts the series of all parts, end to end."""
        steps, at = np.unique(np.concatenate([part.steps for part in parts]), return_inverse=True)
        counts = np.bincount(at, np.concatenate([part.counts for part in parts]), len(steps)).astype(np.int64)
        return cls(
            np.concatenate([part.firsts for part in parts])[order],
            np.concatenate([part.lasts for part in parts])[order],
            sum(part.rows for part in parts),
            steps,
            counts,
            midnight=all(part.midnight for part in parts),
            weekdays=all(part.weekdays for part in parts),
            days=frozenset[int]().union(*(part.days for part in parts)),
            month_ends=all(part.month_ends for part in parts),
            months=frozenset[int]().union(*(part.months for part in parts)),
        )

    @property
    def usual(self) -> int:
        """The most frequent step, the smallest of several."""
        return int(self.steps[np.argmax(self.counts)])

    def bars(self, tz: str | None) -> Frequency:
        """Position as time; later steps are labelled by weekdays, or by the usual distance."""
        if self.firsts.dtype.kind != "M" or (self.midnight and self.weekdays):
            return Frequency("bars", tz=tz)
        between = (self.firsts[1:] - self.lasts[:-1]).astype(np.int64)  # the stamps of all series are one list here
        steps = np.append(self.steps, between)
        counts = np.append(self.counts, np.ones(len(between), dtype=np.int64))[steps > 0]
        values, at = np.unique(steps[steps > 0], return_inverse=True)
        if len(values) == 0:
            return Frequency("bars", tz=tz)
        return Frequency("bars", int(values[np.argmax(np.bincount(at, counts))]), tz=tz)


def settle_grid(
    freq: str | int | Frequency | None, pattern: Pattern, tz: str | None, source: Source
) -> tuple[Frequency, str]:
    """The grid that the user named, or else the one that the times have, and a sentence where it was inferred."""
    if freq is None:
        return inferred(pattern, tz, source.name)
    if str(freq) == "bars":
        return pattern.bars(tz), ""
    return parse_frequency(freq, pattern.firsts[:1], tz), ""


def season_unsaid(grid: Frequency, season_length: int | None) -> tuple[str, ...]:
    """A sentence where the user named no season and steps like these have no usual one. (Years have none at all.)"""
    if season_length is not None or grid.season_length > 1 or grid.kind == "months":
        return ()
    return (
        f"no season assumed: steps of {grid.name} have no usual one; if values repeat every N steps, "
        "say so with season_length=N (--season-length N)",
    )


def infer_frequency(times: Times, starts: Ints, tz: str | None, where: str) -> tuple[Frequency, str]:
    """The grid of sorted stamps, and a sentence that says what was assumed.

    times   wall-clock stamps or integers, the series end to end, each sorted and without duplicates
    starts  first row of each series
    where   what to call the data in an error

    The most frequent difference decides. Stamps off that grid, or missing from it, are for the caller to judge.
    Raises DataError where no series has two rows.
    """
    return inferred(Pattern.of(times, starts), tz, where)


def inferred(pattern: Pattern, tz: str | None, where: str) -> tuple[Frequency, str]:
    """The grid of a pattern: see `infer_frequency`."""
    if len(pattern.steps) == 0:
        raise DataError(f"{where}: no series has two rows, so no frequency can be inferred; give one (--freq)")
    usual, first = pattern.usual, pattern.firsts[0]
    if pattern.firsts.dtype.kind != "M":
        said = f"integer time with step {usual}, inferred"
        scale = next((s for s in (1, 10**3, 10**6, 10**9) if _looks_like_unix(int(first) // s) and not usual % s), None)
        if scale is not None and usual >= 60 * scale:
            said += "; if these are Unix times, write them as dates, and the season is found"
        elif EXCEL[0] <= first < EXCEL[1]:
            said += "; if these are a spreadsheet's day numbers, write them as dates, and the season is found"
        return Frequency("integer", usual, int(first) % usual), said
    if pattern.midnight and usual >= 28 * DAY and (grid := _monthly(pattern, tz)) is not None:
        return grid, f"frequency {grid.name}, inferred"
    if usual == DAY and pattern.midnight and pattern.weekdays and 3 * DAY in pattern.steps:
        return _trading(pattern, tz)
    grid = Frequency("fixed", usual, int(first.astype(np.int64)) % usual, tz=tz)
    return grid, f"frequency {grid.name}, inferred"


def _looks_like_unix(seconds: int) -> bool:
    """Whether a number of seconds since 1970 lies between 2001 and 2100: no counter begins there."""
    return 978_307_200 <= seconds < 4_102_444_800


def _monthly(pattern: Pattern, tz: str | None) -> Frequency | None:
    """A grid of months where all stamps share a day of the month, or are all the last one."""
    if len(pattern.days) == 1 and max(pattern.days) <= 28:
        on = max(pattern.days)
    elif pattern.month_ends:
        on = -1
    else:
        return None
    step = round(pattern.usual / (30.44 * DAY))
    step = next(size for size in (12, 6, 4, 3, 2, 1) if step >= size)
    while len({month % step for month in pattern.months}) > 1:  # a coarse grid that not all stamps share
        step = {12: 6, 6: 3, 4: 2, 3: 1, 2: 1}[step]
    month: Any = pattern.firsts[0].astype("datetime64[M]").astype(np.int64)
    return Frequency("months", step, int(month) % step, on, tz)


def _trading(pattern: Pattern, tz: str | None) -> tuple[Frequency, str]:
    """Weekdays only: a full Monday-to-Friday grid, or trading bars where some weekdays are missing (holidays)."""
    weekdays = Frequency("weekdays", tz=tz)
    missing = int((weekdays.ordinals(pattern.lasts) - weekdays.ordinals(pattern.firsts) + 1).sum()) - pattern.rows
    share, longest = missing / (missing + pattern.rows), int(pattern.steps[-1])
    if missing == 0 or share > 0.1 or longest > 14 * DAY:
        return weekdays, "frequency B (Monday to Friday), inferred"
    return Frequency("bars", tz=tz), (
        f"trading bars, inferred: weekdays only, and the {missing} missing weekdays ({share:.1%}, never more than "
        f"{longest // DAY} days from one bar to the next) are taken as holidays; position is time. "
        "Give freq=B to treat them as gaps"
    )
