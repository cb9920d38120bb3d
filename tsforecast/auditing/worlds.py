"""The same data with another future: what the audit hands to models in place of what was observed.

A *world* is the user's data with one thing changed after a cutoff, prepared again from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tsforecast.errors import ConfigError
from tsforecast.folds import Fold
from tsforecast.panel import Future, Panel, View

__all__ = ["UNEVEN", "Poison", "Prepare", "World", "Worlds", "poisons"]

Prepare = Callable[[Panel], Panel]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
GAP = 3  # steps before a cutoff that the gap check takes away
HUGE = 1e9  # standard deviations
UNEVEN = ("missing", "removed")  # changes that leave fewer numbers


@dataclass(frozen=True)
class Poison:
    """One change of the data.

    check     "noise", "huge", "missing": what replaces a column after the cutoff; "removed": the data end there;
              "past": noise of another level replaces what lies before; "gap" and "gap, noise": the column is missing
              just before the cutoff, without and with noise after it
    column    "y", a covariate, or "all"
    ahead     steps after the cutoff that a column known ahead keeps
    """

    check: str
    column: str
    ahead: int = 0

    def phrase(self, fold: Fold) -> str:
        """What was done at a fold, for a sentence."""
        cutoff = fold.panel.freq.show(fold.history.last_times.max())
        after = f"beyond the horizon of the forecast from {cutoff}" if self.ahead else f"after {cutoff}"
        if self.check == "removed":
            return f"removing everything {after}"
        what = {"huge": "a huge constant", "missing": "missing values", "gap, noise": "noise"}
        gap = f" (with {self.column} missing at the {GAP} steps before)" if self.check == "gap, noise" else ""
        return f"replacing {self.column} {after} by {what.get(self.check, self.check)}{gap}"


def poisons(panel: Panel, reach: int) -> list[Poison]:
    """Every change after a cutoff that a forecast must not notice: the target first, then each covariate by itself."""
    own = panel.futr_names[: panel.n_own_futr]
    return [
        *(Poison(check, "y") for check in ("noise", "huge", "missing")),
        *(Poison("noise", name) for name in panel.hist_names),
        *(Poison("noise", name, ahead=reach) for name in own),
        Poison("removed", "all"),
    ]


@dataclass(frozen=True, eq=False)
class World:
    """A prepared panel, with the folds of the run laid over it by their times."""

    panel: Panel
    folds: Sequence[Fold]

    def fold(self, number: int) -> Fold:
        """The fold of the run in this world: the same cutoff, the same series."""
        clean = self.folds[number]
        if self.panel is clean.panel:
            return clean
        row = {name: i for i, name in enumerate(self.panel.ids)}

        def found(rows: Ints) -> Ints:
            gone = [clean.panel.ids[i] for i in rows if clean.panel.ids[i] not in row]
            if gone:
                raise LookupError(f"series '{gone[0]}' is not there any more")
            return np.array([row[clean.panel.ids[i]] for i in rows], dtype=np.int64)

        ends = ends_at(self.panel, clean)
        known = ends - self.panel.starts
        return replace(clean, panel=self.panel, known=known, learners=found(clean.learners), rows=found(clean.rows))

    def view(self, number: int, ids: Sequence[str]) -> View:
        """What a model is given at that cutoff. Where this world has no rows after it, what was known ahead is still
        known."""
        clean = self.folds[number].only(ids).view
        if self.panel is self.folds[number].panel:
            return clean
        fold, future = self.fold(number).only(ids), clean.future
        own = self.panel.n_own_futr
        if not own:
            return View(fold.past, future)
        rows = fold.ends[fold.rows, None] + np.arange(future.horizon)
        there = rows < self.panel.ends[fold.rows, None]
        known, futr = self.panel.futr[np.where(there, rows, 0), :own], future.futr.copy()
        futr[:, :, :own] = np.where(there[:, :, None] & np.isfinite(known), known, futr[:, :, :own])
        return View(fold.past, Future(future.ids, future.times, futr, future.futr_names))


@dataclass(frozen=True, eq=False)
class Worlds:
    """The user's data, the way they are prepared, and the worlds made of them so far.

    raw       the data as they were read
    prepare   the user's own preparation of all data at once, or None
    clean     the world as it is
    """

    raw: Panel
    prepare: Prepare | None
    clean: World
    made: dict[tuple[Poison, int], World | Exception] = field(default_factory=dict)

    def after(self, poison: Poison, number: int) -> World | Exception:
        """The world with `poison` after the cutoff of a fold, or why it could not be prepared."""
        if (poison, number) in self.made:
            return self.made[poison, number]
        fold = self.clean.folds[number]
        ends = ends_in_raw(self.raw, fold, 0)
        stop = ends_in_raw(self.raw, fold, poison.ahead) if poison.ahead else ends
        world: World | Exception
        try:
            world = World(prepared(changed(self.raw, poison, ends, stop), self.prepare), self.clean.folds)
        except Exception as error:  # the user's code, on data it has never seen
            world = error
        if self.prepare is not None:  # without one it is a copy of a column, made as fast as looked up
            self.made[poison, number] = world
        return world

    def for_models(self, poison: Poison, number: int) -> World | Exception:
        """The same for a model. Missing values and the end of the data it meets in what was prepared of the data as
        they are: they take other ways through a preparation, where the same sums may round differently."""
        if self.prepare is None or poison.check not in UNEVEN:
            return self.after(poison, number)
        fold = self.clean.folds[number]
        return World(changed(fold.panel, poison, fold.ends, fold.ends), self.clean.folds)

    def again(self) -> World:
        """The world as it is, from a copy of the data that lies elsewhere in memory."""
        return World(prepared(moved(self.raw), self.prepare), self.clean.folds)


def prepared(panel: Panel, prepare: Prepare | None) -> Panel:
    """What the user's preparation makes of a panel. Raises ConfigError where that is no panel."""
    if prepare is None:
        return panel
    found = prepare(panel)
    if not isinstance(found, Panel):
        raise ConfigError(f"prepare gave back {type(found).__name__}: it is given a Panel and must give a Panel back")
    return found


def cutoffs(fold: Fold) -> npt.NDArray[np.generic]:
    """The last time `[N]` that is known of each series; of one that begins later, the latest of the others."""
    panel = fold.panel
    begun = fold.ends > panel.starts
    own = panel.times[np.maximum(fold.ends - 1, 0)]
    return np.where(begun, own, own[begun].max())


def ends_at(panel: Panel, fold: Fold, times: npt.NDArray[np.generic] | None = None) -> Ints:
    """Where the pasts of a fold end in another panel, `[N]` of that panel, by their times."""
    times = cutoffs(fold) if times is None else times
    known = dict(zip(fold.panel.ids, times, strict=True))
    return panel.ends_at(np.array([known.get(name, times.max()) for name in panel.ids], dtype=times.dtype))


def ends_in_raw(raw: Panel, fold: Fold, ahead: int) -> Ints:
    """Where the data end that are known at a cutoff, or `ahead` steps later, in the data as they were read.

    Where the preparation changes the grid (hours into days) a step's data last until the next step begins.
    """
    freq = fold.panel.freq
    if raw is fold.panel or freq == raw.freq:
        return np.minimum(ends_at(raw, fold) + ahead, raw.ends)
    times = freq.after(cutoffs(fold), ahead + 1)[:, ahead]
    return ends_at(raw, fold, times - np.ones(1, dtype="timedelta64[us]" if times.dtype.kind == "M" else np.int64))


def changed(raw: Panel, poison: Poison, ends: Ints, stop: Ints) -> Panel:
    """A copy of the data with the poison in the rows after `stop` `[N]`; the past of each series ends at `ends`."""
    if poison.check == "removed":
        return removed(raw, ends)
    known, now = replace(raw, ends=ends).inside, column(raw, poison.column)
    if poison.check == "past":
        for name in ("y", *raw.hist_names):
            now = column(raw, name)
            raw = with_column(raw, name, np.where(known & ~np.isnan(now), noise(raw, now, level=10.0), now))
        return raw
    if poison.check.startswith("gap"):
        now = np.where(known & ~replace(raw, ends=np.maximum(ends - GAP, raw.starts)).inside, np.nan, now)
        if poison.check == "gap":
            return with_column(raw, poison.column, now)
    after = ~replace(raw, ends=stop).inside
    return with_column(raw, poison.column, np.where(after, substitute(raw, now, poison.check), now))


def column(panel: Panel, name: str) -> Floats:
    """The target (`y`) or a covariate, flat `[total]`."""
    if name in panel.hist_names:
        return panel.hist[:, panel.hist_names.index(name)]
    if name in panel.futr_names:
        return panel.futr[:, panel.futr_names.index(name)]
    return panel.values


def with_column(panel: Panel, name: str, numbers: Floats) -> Panel:
    """The panel with other numbers in one column."""
    if name in panel.hist_names:
        hist = panel.hist.copy()
        hist[:, panel.hist_names.index(name)] = numbers
        return replace(panel, hist=hist)
    if name in panel.futr_names:
        futr = panel.futr.copy()
        futr[:, panel.futr_names.index(name)] = numbers
        return replace(panel, futr=futr)
    return replace(panel, values=numbers)


def substitute(raw: Panel, column: Floats, check: str) -> Floats:
    """What stands in place of a column `[total]`."""
    if check == "missing":
        return np.full_like(column, np.nan)
    return np.full_like(column, HUGE * spread(raw, column)[1]) if check == "huge" else noise(raw, column)


def noise(raw: Panel, column: Floats, level: float = 0.0) -> Floats:
    """Noise of twice the size of a column, `level` deviations above it; without a negative number where the column has
    none, so that a logarithm stays possible."""
    centre, scale = spread(raw, column)
    found = np.random.default_rng(len(column)).normal(centre + level * scale, 2 * scale, size=len(column))
    seen = column[raw.inside & np.isfinite(column)]
    return np.abs(found) if len(seen) and seen.min() >= 0 else found


def spread(raw: Panel, column: Floats) -> tuple[float, float]:
    """Mean and standard deviation of what was observed; (0, 1) where nothing was, deviation 1 where nothing moves."""
    seen = column[raw.inside & np.isfinite(column)]
    return (float(seen.mean()), float(seen.std()) or 1.0) if len(seen) else (0.0, 1.0)


def removed(raw: Panel, ends: Ints) -> Panel:
    """A panel that was never longer: new arrays that end at the cutoff, without the series that begin after it."""
    kept = raw.take(np.flatnonzero(ends > raw.starts))
    ends = ends[ends > raw.starts]
    rows = np.concatenate([np.arange(a, b) for a, b in zip(kept.starts, ends, strict=True)])
    lengths = ends - kept.starts
    stops = np.cumsum(lengths)
    return replace(
        kept,
        starts=stops - lengths,
        ends=stops,
        values=raw.values[rows],
        times=raw.times[rows],
        hist=raw.hist[rows],
        futr=raw.futr[rows],
    )


def moved(raw: Panel) -> Panel:
    """The same panel in other memory, one number off its usual alignment: sums must not depend on where numbers lie."""

    def elsewhere(array: Floats) -> Floats:
        found = np.empty((len(array) + 1, *array.shape[1:]), dtype=array.dtype)[1:]
        found[:] = array
        return found

    return replace(raw, values=elsewhere(raw.values), hist=elsewhere(raw.hist), futr=elsewhere(raw.futr))
