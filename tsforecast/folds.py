"""Where the past ends: the cutoffs of a backtest, as integers.

With horizon 3, step_size 3, gap 0 and n_windows 3 the last steps of a series are used like this (`.` training,
`#` forecast and scored):

    fold 0   ......###
    fold 1   .........###          expanding window; with train_size=6 only the last six dots are kept
    fold 2   ............###       the last fold ends with the data
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tsforecast.errors import ConfigError, DataError, listing
from tsforecast.panel import Future, Panel, View

__all__ = ["Fold", "Plan", "make_folds"]

MOST_DEFAULT_WINDOWS = 24  # a comparison needs 20
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a backtest is laid out. Every model sees the same folds.

    horizon     steps to forecast and score; None = what is usual on the panel's grid
    n_windows   number of cutoffs; None = up to 24, as many as leave the larger half of the steps for training
    step_size   steps between cutoffs; None = horizon, so that no step is forecast twice
    gap         steps between the cutoff and the first scored step (a publication delay, say)
    refit       False: fit at the first cutoff, then only the history moves; True: fit at every cutoff; k: at every k-th
    train_size  keep only this many steps before each cutoff (sliding window); None = all of them (expanding window)
    align       "calendar": one instant for all series; "end": each series counted back from its own end, so that a
                global model may learn from one series' later years than it forecasts in another
    """

    horizon: int | None = None
    n_windows: int | None = None
    step_size: int | None = None
    gap: int = 0
    refit: bool | int = False
    train_size: int | None = None
    align: Literal["calendar", "end"] = "calendar"

    def __post_init__(self) -> None:
        for name, least in (("horizon", 1), ("n_windows", 1), ("step_size", 1), ("gap", 0), ("train_size", 2)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name}={value}: must be at least {least}")
        if not isinstance(self.refit, bool) and self.refit < 1:
            raise ConfigError(f"refit={self.refit}: give true, false, or every how many windows to fit (at least 1)")
        if self.align not in ("calendar", "end"):
            raise ConfigError(f"align={self.align!r}: known are 'calendar' and 'end'")

    @property
    def reach(self) -> int:
        """Steps between a cutoff and the last scored step: what a model is asked to forecast."""
        assert self.horizon is not None
        return self.gap + self.horizon

    def fits_at(self, window: int) -> bool:
        """Whether the model is fitted at this window, or the last fitted one is used on."""
        every = 1 if self.refit is True else int(self.refit)
        return window == 0 or (every > 0 and window % every == 0)

    def settle(self, panel: Panel) -> Plan:
        """The same plan with nothing left open, for this panel.

        Raises DataError where the longest series is too short for a single window.
        """
        horizon = self.horizon or panel.freq.default_horizon
        step = self.step_size or horizon
        plan = replace(self, horizon=horizon, step_size=step)
        if self.n_windows is not None:
            return plan
        longest = int(panel.lengths.max())
        need = least_training(panel, plan)
        possible = (longest - max(need, longest // 2) - plan.reach) // step + 1
        return replace(plan, n_windows=int(np.clip(possible, 1, MOST_DEFAULT_WINDOWS)))


@dataclass(frozen=True, eq=False)
class Fold:
    """One cutoff: where the past of each series of `panel` ends.

    number   0, 1, ...
    rows     which series of the whole panel take part
    ends     flat positions where their pasts end, `[n]`
    stops    flat positions where their data end, `[n]`
    """

    number: int
    panel: Panel
    rows: Ints
    ends: Ints
    stops: Ints
    plan: Plan

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the series that take part."""
        return tuple(self.panel.ids[i] for i in self.rows)

    @property
    def past(self) -> Panel:
        """What a model may know."""
        past = self.panel.take(self.rows).cut(self.ends)
        return past if self.plan.train_size is None else past.tail(self.plan.train_size)

    @property
    def history(self) -> Panel:
        """All that was known at the cutoff, for scales and plots: the past before `train_size` shortens it."""
        return self.panel.take(self.rows).cut(self.ends)

    def only(self, ids: Collection[str]) -> Fold:
        """The same fold for those of its series that are among `ids`."""
        keep = np.array([i for i, name in enumerate(self.ids) if name in ids], dtype=np.int64)
        return replace(self, rows=self.rows[keep], ends=self.ends[keep], stops=self.stops[keep])

    @property
    def view(self) -> View:
        """The past with what is known of the steps after it: their times, and covariates declared known ahead."""
        past, own = self.past, self.panel.n_own_futr
        if own == 0:
            return View(past, past.future(self.plan.reach))
        rows, seen = self._after(self.plan.reach, 0)
        known = np.where(seen[:, :, None], self.panel.futr[rows][:, :, :own], np.nan)
        return View(past, past.future(self.plan.reach, known))

    def truth(self) -> tuple[Floats, npt.NDArray[Any]]:
        """Targets and times `[n, H]` of the scored steps. Only the backtest asks for them, after the models answered."""
        assert self.plan.horizon is not None
        rows, seen = self._after(self.plan.horizon, self.plan.gap)
        times = self.past.freq.after(self.past.last_times, self.plan.reach)[:, self.plan.gap :]
        times = np.where(seen, self.panel.times[rows], times)
        return np.where(seen, self.panel.values[rows], np.nan), times

    def _after(self, steps: int, skip: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Flat positions `[n, steps]` after the cutoff, and whether the data reach that far."""
        rows = self.ends[:, None] + skip + np.arange(steps)
        seen = rows < self.stops[:, None]
        return np.where(seen, rows, 0), seen


def least_training(panel: Panel, plan: Plan) -> int:
    """Steps that a series needs before a cutoff to take part: a season and one, or a horizon and one."""
    return max(panel.season_length, plan.horizon or 1) + 1


def make_folds(panel: Panel, plan: Plan) -> list[Fold]:
    """The folds of a settled plan, oldest first.

    A series takes part in a fold when it has enough steps before the cutoff and an observed target after it.
    Raises DataError where a fold has no series, or a series no fold.
    """
    assert plan.horizon is not None and plan.n_windows is not None and plan.step_size is not None
    need = least_training(panel, plan)
    folds, used = [], np.zeros(len(panel), dtype=bool)
    for number in range(plan.n_windows):
        back = plan.reach + (plan.n_windows - 1 - number) * plan.step_size
        ends = np.maximum(panel.ends - back, panel.starts) if plan.align == "end" else _calendar_ends(panel, back, plan)
        long_enough = ends - panel.starts >= need
        first = np.minimum(ends + plan.gap, panel.ends)
        last = np.minimum(ends + plan.reach, panel.ends)
        observed = np.append(0, np.cumsum(np.isfinite(panel.values)))
        rows = np.flatnonzero(long_enough & (observed[last] > observed[first]))
        if len(rows) == 0:
            raise DataError(_too_short(panel, plan, need, int(np.argmax(panel.lengths))))
        used[rows] = True
        folds.append(Fold(number, panel, rows, ends[rows], panel.ends[rows], plan))
    if not used.all():
        lost = np.flatnonzero(~used)
        message = _too_short(panel, plan, need, int(lost[0]))
        others = f" The same holds for {listing((panel.ids[i] for i in lost[1:]), 5)}." if len(lost) > 1 else ""
        raise DataError(message + others + " Leave such series out, or count every series from its end (align=end).")
    return folds


def _calendar_ends(panel: Panel, back: int, plan: Plan) -> Ints:
    """Past ends at one instant for all series: `back` steps before the end of the data.

    The end of the data is that of the series that stops first among those alive at the end: on trading bars two
    series have different holidays, and the last fold must have all its steps in both.
    """
    last = panel.last_times.max()
    if panel.freq.kind == "bars":
        stamps = np.unique(panel.times)
        recent = stamps[max(len(stamps) - 2 * plan.reach - 1, 0)]
        alive = np.flatnonzero((panel.last_times >= recent) & (panel.lengths > back))
        if len(alive) == 0:
            return panel.starts.copy()
        cutoff = panel.times[panel.ends[alive] - back - 1].min()
    else:
        cutoff = panel.freq.times(panel.freq.ordinals(np.asarray([last])) - back)[0]
    return panel.ends_at(cutoff)


def _too_short(panel: Panel, plan: Plan, need: int, row: int) -> str:
    assert plan.n_windows is not None and plan.step_size is not None
    whole = need + plan.reach + (plan.n_windows - 1) * plan.step_size
    fits = (int(panel.lengths[row]) - need - plan.reach) // plan.step_size + 1
    gap = f" after a gap of {plan.gap}" if plan.gap else ""
    advice = f"use n_windows={fits} or fewer" if fits >= 1 else "use a shorter horizon"
    return (
        f"series '{panel.ids[row]}' is too short: it has {int(panel.lengths[row])} steps, but {plan.n_windows} windows of "
        f"horizon {plan.horizon}{gap}, {plan.step_size} steps apart, need {whole} ({need} before the first cutoff); {advice}."
    )
