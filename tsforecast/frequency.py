"""How positions in a series map onto times: the grid and its arithmetic (inferring one is `inference`).

Times are int64 inside numpy arrays: `datetime64[us]` (UTC below a day, local wall time from a day on, so that a day
with 23 hours is still one step) or plain integers. An *ordinal* is the number of a grid point: neighbours differ by 1.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.errors import ConfigError

__all__ = ["DAY", "Frequency", "parse_frequency", "usual_step"]

Times = npt.NDArray[Any]  # datetime64[us] or int64
Ints = npt.NDArray[np.int64]

DAY = 86_400_000_000  # microseconds
_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "D": DAY}
_SUNDAY_WEEK = ("THU", "FRI", "SAT", "SUN", "MON", "TUE", "WED")  # weekday of 1970-01-01 + k days
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTH_PREFIX = {1: "M", 3: "Q", 12: "Y"}


@dataclass(frozen=True)
class Frequency:
    """The time grid of a panel.

    kind      fixed (every `step` microseconds), months (every `step` months), weekdays (Monday to Friday),
              bars (position is time: whatever stamps there are), integer (every `step`)
    step      see kind; for bars the usual distance in microseconds, by which future steps are labelled (1: the next
              weekdays)
    phase     offset of the grid: microseconds, or integer steps; for months the month of the year modulo `step`
    day       for months: day of the month, -1 for the last
    tz        the user's time zone, None for naive times
    """

    kind: Literal["fixed", "months", "weekdays", "bars", "integer"]
    step: int = 1
    phase: int = 0
    day: int = 1
    tz: str | None = None

    @property
    def wall(self) -> bool:
        """Whether times are kept as local wall time (a day or longer) and not as UTC instants."""
        if self.kind == "bars":
            return self.step == 1 or self.step >= DAY
        return not (self.kind == "fixed" and self.step < DAY)

    @property
    def name(self) -> str:
        """The pandas alias where there is one: `h`, `30min`, `D`, `W-SUN`, `MS`, `QE`, `B`; else `bars` or the step."""
        if self.kind == "integer":
            return str(self.step)
        if self.kind == "bars":
            return "bars"
        if self.kind == "weekdays":
            return "B"
        if self.kind == "months":
            if self.step not in _MONTH_PREFIX:
                return f"{self.step}M{'E' if self.day == -1 else 'S'}"
            alias = _MONTH_PREFIX[self.step] + ("E" if self.day == -1 else "S")
            if self.step == 12 or (self.step == 3 and self.phase != (2 if self.day == -1 else 0)):
                alias += f"-{_MONTHS[self.phase]}"
            return alias if self.day in (1, -1) else f"{alias} (day {self.day})"
        if self.step == 7 * DAY:
            return f"W-{_SUNDAY_WEEK[(self.phase // DAY) % 7]}"
        unit, size = next((u, s) for u, s in reversed(_UNITS.items()) if self.step % s == 0)
        return unit if self.step == size else f"{self.step // size}{unit}"

    @property
    def season_length(self) -> int:
        """Steps in the usual cycle: a day below a day, a week of days, a year above; 1 where none is usual."""
        if self.kind == "weekdays":
            return 5
        if self.kind == "bars":
            return {1: 5, DAY: 7}.get(self.step, 1)
        if self.kind == "months":
            return max(12 // self.step, 1)
        if self.kind == "integer":
            return 1
        if self.step < 1_000_000:
            return 1
        if self.step < 60_000_000:
            return max(60_000_000 // self.step, 1)
        if self.step < DAY:
            return DAY // self.step if DAY % self.step == 0 else 1
        if self.step == DAY:
            return 7
        return 52 if self.step == 7 * DAY else 1

    @property
    def default_horizon(self) -> int:
        """A horizon people ask for on this grid: a day of hours, two weeks of days, a quarter of weeks, a year."""
        if self.kind in ("bars", "weekdays"):
            return 5
        if self.kind == "months":
            return {1: 12, 3: 4}.get(self.step, 4)
        if self.kind == "fixed" and self.step >= DAY:
            return {DAY: 14, 7 * DAY: 13}.get(self.step, 6)
        return self.season_length if self.season_length > 1 else 12

    def ordinals(self, times: Times) -> Ints:
        """Grid numbers of `times` (any shape). Undefined for bars, whose position is their ordinal."""
        assert self.kind != "bars", "bars have no grid"
        if self.kind == "integer":
            return np.asarray((times - self.phase) // self.step, dtype=np.int64)
        if self.kind == "months":
            months = times.astype("datetime64[M]").astype(np.int64)
            return np.asarray((months - self.phase) // self.step, dtype=np.int64)
        if self.kind == "weekdays":
            days = times.astype("datetime64[D]").astype(np.int64) + 3  # Monday 1969-12-29 is day 0
            return np.asarray(5 * (days // 7) + np.minimum(days % 7, 4), dtype=np.int64)
        return np.asarray((times.astype(np.int64) - self.phase) // self.step, dtype=np.int64)

    def times(self, ordinals: Ints) -> Times:
        """The inverse of `ordinals`."""
        assert self.kind != "bars", "bars have no grid"
        if self.kind == "integer":
            return np.asarray(ordinals * self.step + self.phase)
        if self.kind == "months":
            months = (ordinals * self.step + self.phase).astype("datetime64[M]")
            if self.day == -1:
                return ((months + 1).astype("datetime64[D]") - 1).astype("datetime64[us]")
            return (months.astype("datetime64[D]") + (self.day - 1)).astype("datetime64[us]")
        if self.kind == "weekdays":
            days = 7 * (ordinals // 5) + ordinals % 5 - 3
            return days.astype("datetime64[D]").astype("datetime64[us]")
        return (ordinals * self.step + self.phase).astype("datetime64[us]")

    def after(self, last: Times, horizon: int) -> Times:
        """The `horizon` grid times that follow each of `last` `[N]`, as `[N, horizon]`.

        For bars the next weekdays (holidays are not known ahead) or the usual distance are named, which labels the
        steps and is used for calendar features; it never decides which observation a step is scored against.
        """
        steps = np.arange(1, horizon + 1)
        if self.kind == "bars":
            if last.dtype.kind != "M":
                return np.asarray(last[:, None] + steps)
            if self.step != 1:
                return np.asarray(last[:, None] + (steps * self.step).astype("timedelta64[us]"))
            days = last.astype("datetime64[D]")
            clock = last - days
            return np.asarray(np.busday_offset(days[:, None], steps, roll="backward") + clock[:, None])
        return self.times(self.ordinals(last)[:, None] + steps)

    def on_grid(self, times: Times) -> npt.NDArray[np.bool_]:
        """Whether each time is a grid point."""
        if self.kind == "bars":
            return np.ones(times.shape, dtype=bool)
        return np.asarray(self.times(self.ordinals(times)) == times)

    def to_pandas(self, times: Times) -> pd.Index:
        """Times as the user knows them: in the original time zone, or plain integers."""
        if times.dtype.kind != "M":
            return pd.Index(times)
        index = pd.DatetimeIndex(times)
        if self.tz is None:
            return index
        if self.wall:
            return index.tz_localize(self.tz, ambiguous=np.ones(len(index), dtype=bool), nonexistent="shift_forward")
        return index.tz_localize("UTC").tz_convert(self.tz)

    def local(self, times: Times) -> Times:
        """Naive wall-clock times, for calendar features."""
        if self.tz is None or self.wall or times.dtype.kind != "M":
            return times
        flat = pd.DatetimeIndex(times.ravel()).tz_localize("UTC").tz_convert(self.tz).tz_localize(None)
        return np.asarray(flat.to_numpy().astype("datetime64[us]")).reshape(times.shape)

    def show(self, time: Any) -> str:
        """One time in words, without midnight."""
        if not isinstance(time, np.datetime64):
            return str(time)
        return str(self.to_pandas(np.asarray([time]))[0]).removesuffix(" 00:00:00")


def parse_frequency(text: str | int | Frequency, sample: Times, tz: str | None = None) -> Frequency:
    """The grid that a user named: `bars`, a number (integer time) or a pandas alias; its phase comes from `sample`."""
    if isinstance(text, Frequency):
        return text
    integer = sample.dtype.kind != "M"
    if str(text) == "bars":
        return Frequency("bars", _bar_step(sample), tz=tz)
    if str(text).isdigit():
        if not integer:
            raise ConfigError(f"freq={text}: a number is a step of integer time, but the time column holds dates")
        step = int(text)
        if step < 1:
            raise ConfigError(f"freq={text}: the step of integer time must be at least 1")
        return Frequency("integer", step, phase=int(sample[0] % step) if len(sample) else 0)
    if integer:
        raise ConfigError(
            f"freq={text!r}: the time column holds integers; give their step as a number (freq=1) or 'bars'"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old spellings of aliases are still understood
            offset = pd.tseries.frequencies.to_offset(str(text).split(" (day")[0])
    except ValueError:
        raise ConfigError(
            f"freq={text!r} is not a frequency; use a pandas alias such as h, 30min, D, B, W-SUN, MS, QE, YS, or 'bars'"
        ) from None
    assert offset is not None
    return _from_offset(offset, sample, tz)


def _from_offset(offset: Any, sample: Times, tz: str | None) -> Frequency:
    first = sample[0] if len(sample) else np.datetime64("1970-01-01", "us")
    kind = type(offset).__name__
    if kind == "BusinessDay" and offset.n == 1:
        return Frequency("weekdays", tz=tz)
    if kind == "Week":
        return Frequency("fixed", 7 * DAY * offset.n, int(first.astype(np.int64)) % (7 * DAY * offset.n), tz=tz)
    months = {"Month": 1, "Quarter": 3, "Year": 12}
    for word, size in months.items():
        if kind in (f"{word}Begin", f"{word}End"):
            step = size * offset.n
            month = int(first.astype("datetime64[M]").astype(np.int64))
            day = int((first.astype("datetime64[D]") - first.astype("datetime64[M]")).astype(np.int64)) + 1
            # a month counted on the 15th of each is a month too
            return Frequency("months", step, month % step, -1 if kind.endswith("End") else min(day, 28), tz)
    micros = None
    if kind == "Day":
        micros = offset.n * DAY
    elif isinstance(offset, pd.offsets.Tick) and offset.nanos % 1_000 == 0:
        micros = offset.nanos // 1_000
    if micros:
        return Frequency("fixed", micros, int(first.astype(np.int64)) % micros, tz=tz)
    raise ConfigError(
        f"freq={offset.freqstr!r} is not supported; use h, min, s, D, B, W, MS, ME, QS, QE, YS, YE or 'bars'"
    )


def usual_step(steps: npt.NDArray[Any]) -> int:
    """The most frequent of some differences between times, the smallest of several."""
    values, counts = np.unique(steps.astype(np.int64), return_counts=True)
    return int(values[np.argmax(counts)])


def _bar_step(sample: Times) -> int:
    """How steps after the last bar are labelled: 1 for weekdays, else the usual distance."""
    if sample.dtype.kind != "M":
        return 1
    days = sample.astype("datetime64[D]")
    forward = np.diff(sample).astype(np.int64)
    forward = forward[forward > 0]  # the sample may run over several series
    weekdays = bool((days == sample).all()) and bool(np.is_busday(days).all())
    return 1 if weekdays or len(forward) == 0 else usual_step(forward)
