"""The past and the future of N series, as two types.

A `Panel` is what has been observed; a `Future` is what is known ahead, and has no place for a target.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.covariates import calendar_names, calendar_values
from tsforecast.errors import ConfigError, DataError, listing
from tsforecast.frequency import Frequency
from tsforecast.names import named
from tsforecast.spans import inside, means_of, pieces_of

__all__ = ["Future", "Panel", "View"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Times = npt.NDArray[Any]  # datetime64[us] or int64

MANY = 2048
"""Series that are hashed before what was mapped is let go."""


@dataclass(frozen=True, eq=False)
class Panel:
    """N ragged series on one grid, end to end in flat read-only arrays; series i is the rows `starts[i]:ends[i]`.

    ids         names, sorted, N of them: a tuple, or `Names`, which are like one
    starts,ends half-open spans into the flat arrays, `[N]`
    values      the target `[total]`, NaN = not observed, in the user's units
    times       `[total]`, see `frequency`
    freq        the grid
    season_length  steps in a cycle, 1 = none
    hist        past-only covariates `[total, P]`
    futr        covariates known ahead `[total, K]`; the last ones are the built-in `calendar` features
    calendar    names of built-in calendar features among `futr` (hour, weekday, month)
    notes       what was assumed or repaired while reading, in sentences

    Cutting moves span ends and copies nothing, so memory is proportional to the number of observations.
    """

    ids: Sequence[str]
    starts: Ints
    ends: Ints
    values: Floats
    times: Times
    freq: Frequency
    season_length: int
    hist: Floats
    futr: Floats
    hist_names: tuple[str, ...] = ()
    futr_names: tuple[str, ...] = ()
    calendar: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.starts) == len(self.ends)
        assert len(self.values) == len(self.times) == len(self.hist) == len(self.futr)
        assert self.hist.shape[1] == len(self.hist_names) and self.futr.shape[1] == len(self.futr_names)
        for array in (self.starts, self.ends, self.values, self.times, self.hist, self.futr):
            array.setflags(write=False)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame | pd.Series, **options: Any) -> Panel:
        """A panel from a long or wide frame or one Series; options and errors as of `reading.frames.read_frame`."""
        from tsforecast.reading.frames import read_frame

        return read_frame(frame, **options)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        n = int(self.lengths.sum())
        return f"Panel({len(self)} series, {n} observations, freq={self.freq.name}, season_length={self.season_length})"

    @property
    def lengths(self) -> Ints:
        """Steps of each series `[N]`."""
        return self.ends - self.starts

    @property
    def n_own_futr(self) -> int:
        """How many of the known-ahead covariates came with the data; the rest are calendar features."""
        return len(self.futr_names) - len(calendar_names(self.calendar))

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Which flat rows lie inside a series `[total]`; the others are past a cutoff, or of a series left out."""
        return inside(self.starts, self.ends, len(self.values))

    @property
    def last_times(self) -> Times:
        """The last time of each series `[N]`: its cutoff, when this panel is a past."""
        return self.times[self.ends - 1]

    def series(self, i: int) -> Floats:
        """The observed values of series i, a view."""
        return self.values[self.starts[i] : self.ends[i]]

    def cut(self, ends: Ints) -> Panel:
        """The same series, ending at the flat positions `ends` `[N]`. Copies nothing.

        The flat arrays are narrowed to the furthest end, so that with one series nothing past the cutoff is in reach.
        """
        ends = np.minimum(np.asarray(ends, dtype=np.int64), self.ends)
        stop = int(ends.max(initial=0))
        return replace(
            self,
            ends=ends,
            values=self.values[:stop],
            times=self.times[:stop],
            hist=self.hist[:stop],
            futr=self.futr[:stop],
        )

    def mean_change(self, lag: int, power: int = 1) -> Floats:
        """Per series `[N]`: the mean of |x_t - x_{t-lag}|**power over its observed pairs; NaN where there is none."""

        def change(values: Floats) -> Floats:
            found = np.full(len(values), np.nan)
            if lag < len(values):
                found[lag:] = np.abs(values[lag:] - values[: len(values) - lag]) ** power
            return found

        return means_of(change, self.values, np.minimum(self.starts + lag, self.ends), self.ends, before=lag)

    def pieces(self, array: Floats) -> Iterator[Floats]:
        """The rows of one of the flat arrays that lie inside the series, some at a time."""
        return pieces_of(array, self.starts, self.ends)

    def tail(self, steps: int) -> Panel:
        """The last `steps` steps of each series (all of a shorter one). Copies nothing."""
        return replace(self, starts=np.maximum(self.starts, self.ends - steps))

    def take(self, rows: Sequence[int] | Ints) -> Panel:
        """Some of the series. Copies no observation."""
        rows = np.asarray(rows, dtype=np.int64)
        return replace(self, ids=named(self.ids, rows), starts=self.starts[rows], ends=self.ends[rows])

    def ends_at(self, cutoff: Any) -> Ints:
        """Flat positions `[N]` just after the last row of each series whose time is at or before `cutoff`.

        A bisection over all series at once: about log2(longest) steps of numpy, no loop over series.
        """
        low, high = self.starts.copy(), self.ends.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            early = open_ & (self.times[np.minimum(middle, len(self.times) - 1)] <= cutoff)
            low = np.where(early, middle + 1, low)
            high = np.where(open_ & ~early, middle, high)
        return low

    def with_calendar(self, names: Sequence[str]) -> Panel:
        """The panel with built-in calendar features (hour, weekday, month) as covariates known ahead.

        Raises ConfigError where it has some already.
        """
        if not names:
            return self
        if self.calendar:
            raise ConfigError(
                f"calendar: the panel has calendar features already ({listing(self.calendar)}); name all at once"
            )
        extra = calendar_values(self.freq, self.times, names)
        return replace(
            self,
            futr=np.concatenate([self.futr, extra], axis=1),
            futr_names=self.futr_names + calendar_names(names),
            calendar=tuple(names),
        )

    def future(self, horizon: int, known: Floats | None = None) -> Future:
        """What is known of the `horizon` steps after each series: times, calendar features and `known` `[N, H, K]`.

        known   the user's own covariates known ahead, in the order of `futr_names` without the calendar ones

        Raises DataError where the panel has such covariates and `known` is missing or not a number.
        """
        times = self.freq.after(self.last_times, horizon)
        own = self.n_own_futr
        names = self.futr_names[:own]
        if own and known is None:
            raise DataError(
                f"the models were given the known-ahead covariates {listing(names)}: "
                f"their next {horizon} values are needed for a forecast; give them as panel.future({horizon}, known), "
                f"known of shape [{len(self)}, {horizon}, {own}], and forecast from View(panel, that)"
            )
        values = np.empty((len(self), horizon, 0)) if known is None else np.asarray(known, dtype=np.float64)
        if values.shape != (len(self), horizon, own):
            raise DataError(f"known-ahead covariates have shape {values.shape}, expected {(len(self), horizon, own)}")
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            i, h, k = (int(v) for v in bad[0])
            raise DataError(
                f"series '{self.ids[i]}', {self.freq.show(times[i, h])}: the known-ahead covariate '{names[k]}' is "
                f"missing ({len(bad)} such cells); give its value for every step to forecast, or use it as past-only"
            )
        if self.calendar:
            values = np.concatenate([values, calendar_values(self.freq, times, self.calendar)], axis=2)
        return Future(self.ids, times, values, self.futr_names)

    def let_go(self) -> None:
        """Of arrays that are mapped from files, nothing need stay in memory: what is needed again is read again."""
        for array in (self.values, self.times, self.hist, self.futr):
            root: Any = array
            while isinstance(root.base, np.ndarray):
                root = root.base
            mapped: Any = getattr(root, "_mmap", None)
            if hasattr(mapped, "madvise"):  # not on Windows
                mapped.madvise(mmap.MADV_DONTNEED)

    def fingerprint(self) -> str:
        """sha256 over ids, grid and every observed number: equal data have equal ones, however they were read."""
        digest = hashlib.sha256(
            repr((self.ids, self.freq, self.season_length, self.hist_names, self.futr_names)).encode()
        )
        digest.update(np.ascontiguousarray(self.lengths).tobytes())
        for i, (a, b) in enumerate(zip(self.starts, self.ends, strict=True), 1):
            for array in (self.times, self.values, self.hist, self.futr):
                digest.update(np.ascontiguousarray(array[a:b]).reshape(-1).view(np.uint8).data)
            if i % MANY == 0:
                self.let_go()
        return digest.hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """Long frame `unique_id, ds, y` and the covariates."""
        rows = np.concatenate([np.arange(a, b) for a, b in zip(self.starts, self.ends, strict=True)])
        columns: dict[str, Any] = {
            "unique_id": np.repeat(np.asarray(self.ids, dtype=object), self.lengths),
            "ds": self.freq.to_pandas(self.times[rows]),
            "y": self.values[rows],
        }
        columns |= {name: self.hist[rows, p] for p, name in enumerate(self.hist_names)}
        columns |= {name: self.futr[rows, k] for k, name in enumerate(self.futr_names)}
        return pd.DataFrame(columns)


@dataclass(frozen=True, eq=False)
class Future:
    """What a model may know of the steps to forecast: their times `[N, H]` and covariates known ahead `[N, H, K]`.

    There is no field for a target or for a past-only covariate, so no model can be handed one by mistake.
    """

    ids: Sequence[str]
    times: Times
    futr: Floats
    futr_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.times.shape == (len(self.ids), self.horizon) and self.futr.shape[:2] == self.times.shape
        self.times.setflags(write=False)
        self.futr.setflags(write=False)

    @property
    def horizon(self) -> int:
        """Steps to forecast."""
        return int(self.times.shape[1])


def spans_together(pasts: Sequence[Panel]) -> Iterator[tuple[Floats, Ints, Ints]]:
    """Values, starts and ends of all series of all pasts, in their order; cuts of one panel that follow each other have
    one array between them, in which spans overlap."""
    for _, cuts in groupby(pasts, key=lambda past: (past.values.__array_interface__["data"][0], past.values.strides)):
        same = list(cuts)
        starts, ends = (np.concatenate([getattr(past, side) for past in same]) for side in ("starts", "ends"))
        yield max((past.values for past in same), key=len), starts, ends


class View(NamedTuple):
    """One origin: the past up to a cutoff and what is known of the steps after it, for the same series."""

    past: Panel
    future: Future
