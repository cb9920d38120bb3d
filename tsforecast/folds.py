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

from tsforecast.errors import ConfigError, DataError
from tsforecast.fields import plain_fields
from tsforecast.fold_faults import no_fold, no_series
from tsforecast.names import named
from tsforecast.panel import Panel, View

__all__ = ["Fold", "Onward", "Plan", "least_training", "make_folds", "most_windows"]

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
        plain_fields(self)
        for name, least in (("horizon", 1), ("n_windows", 1), ("step_size", 1), ("gap", 0), ("train_size", 2)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name}={value}: must be a whole number of at least {least}")
        if not isinstance(self.refit, bool) and self.refit < 1:
            raise ConfigError(f"refit={self.refit}: give true, false, or every how many windows to fit (at least 1)")

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
        possible = most_windows(panel, plan, training=0.5)
        return replace(plan, n_windows=int(np.clip(possible, 1, MOST_DEFAULT_WINDOWS)))


@dataclass(frozen=True, kw_only=True)
class Onward(Plan):
    """No backtest but the forecast itself: one cutoff, at the end of each series.

    beyond  steps at the end of each series of the panel that lie after its cutoff: of them only covariates are known
    """

    beyond: int = 0

    def settle(self, panel: Panel) -> Onward:
        """The same with the usual horizon of the panel's grid, where none is given."""
        horizon = self.horizon or panel.freq.default_horizon
        return replace(self, horizon=horizon, step_size=horizon, n_windows=1)


@dataclass(frozen=True, eq=False)
class Fold:
    """One cutoff: where the past of each series of `panel` ends.

    number    0, 1, ...
    known     steps of each of the N series before the cutoff, in as few bytes as they need
    learners  which series are long enough before the cutoff to learn from; nothing after the cutoff decides it
    rows      those of them that are forecast and scored: their data go on after the cutoff
    """

    number: int
    panel: Panel
    known: npt.NDArray[Any]
    learners: Ints
    rows: Ints
    plan: Plan

    @property
    def ends(self) -> Ints:
        """Flat positions where the pasts end, of all N series."""
        return np.asarray(self.panel.starts + self.known, dtype=np.int64)

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the series that are scored."""
        return named(self.panel.ids, self.rows)

    @property
    def training(self) -> Panel:
        """What a model may learn from."""
        return self._windowed(self._until_cutoff(self.learners))

    @property
    def past(self) -> Panel:
        """What a model may know of the series it forecasts."""
        return self._windowed(self.history)

    @property
    def history(self) -> Panel:
        """All that was known at the cutoff, for scales and plots: the past before `train_size` shortens it."""
        return self._until_cutoff(self.rows)

    def only(self, ids: Collection[str]) -> Fold:
        """The same fold for those of its scored series that are among `ids`."""
        return replace(self, rows=self.rows[[name in ids for name in self.ids]])

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
        """Targets and times `[n, H]` of the scored steps. Only the backtest asks for them, after the models answered.

        Where the data do not reach, the target is NaN.
        """
        plan, past = self.plan, self.past
        assert plan.horizon is not None
        rows, seen = self._after(plan.horizon, plan.gap)
        times = past.freq.after(past.last_times, plan.reach)[:, plan.gap :]
        # the stamps of trading bars are not known ahead: the observed ones replace the expected
        return np.where(seen, self.panel.values[rows], np.nan), np.where(seen, self.panel.times[rows], times)

    def _until_cutoff(self, rows: Ints) -> Panel:
        return self.panel.take(rows).cut(self.ends[rows])

    def _windowed(self, past: Panel) -> Panel:
        return past if self.plan.train_size is None else past.tail(self.plan.train_size)

    def _after(self, steps: int, skip: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Flat positions `[n, steps]` after the cutoff, and whether the data reach that far."""
        rows = self.ends[self.rows, None] + skip + np.arange(steps)
        seen = rows < self.panel.ends[self.rows, None]
        return np.where(seen, rows, 0), seen


def least_training(panel: Panel, plan: Plan) -> int:
    """Steps that a series needs before a cutoff to take part: a season and one, or a horizon and one."""
    return max(panel.season_length, plan.horizon or 1) + 1


def most_windows(panel: Panel, plan: Plan, training: float = 0.0) -> int:
    """How many windows of the plan's horizon and step_size fit, 0 or less where none does.

    training  share of the longest series that comes before the first cutoff; at least what every series needs
    """
    assert plan.step_size is not None
    longest = int(panel.lengths[_alive(panel, plan)].max())
    panel.let_go()
    return (longest - max(least_training(panel, plan), int(training * longest)) - plan.reach) // plan.step_size + 1


def make_folds(panel: Panel, plan: Plan) -> list[Fold]:
    """The folds of a settled plan, oldest first.

    A series is forecast in a fold when it has enough steps before the cutoff and an observed target after it (and its
    known-ahead covariates at every step, where there are such).
    Raises DataError where a fold has no series, or a series no fold.
    """
    assert plan.horizon is not None and plan.n_windows is not None and plan.step_size is not None
    if isinstance(plan, Onward):
        return [_onward(panel, plan)]
    need, alive = least_training(panel, plan), _alive(panel, plan)
    folds, used = list[Fold](), np.zeros(len(panel), dtype=bool)
    for number in range(plan.n_windows):
        back = plan.reach + (plan.n_windows - 1 - number) * plan.step_size
        ends = np.maximum(panel.ends - back, panel.starts) if plan.align == "end" else _cut(panel, back, alive)
        panel.let_go()  # times and values are not both held
        learns = ends - panel.starts >= need
        scored = learns & _observed(panel, ends + plan.gap, plan.horizon)
        if panel.n_own_futr:
            scored &= ends + plan.reach <= panel.ends
        panel.let_go()
        if not scored.any():
            raise DataError(no_series(panel, plan, number, need, alive))
        used |= scored
        learners = _shared(np.flatnonzero(learns), folds[-1].learners if folds else None)
        known = (ends - panel.starts).astype(np.min_scalar_type(int(panel.lengths.max())))
        folds.append(Fold(number, panel, known, learners, _shared(np.flatnonzero(scored), learners), plan))
    if not used.all():
        raise DataError(no_fold(panel, plan, need, alive, np.flatnonzero(~used)))
    return folds


def _onward(panel: Panel, plan: Onward) -> Fold:
    """The end of the data. Series too short to learn from are not forecast."""
    known = (panel.lengths - plan.beyond).astype(np.min_scalar_type(int(panel.lengths.max())))
    enough = np.flatnonzero(known >= least_training(panel, plan))
    return Fold(0, panel, known, enough, enough, plan)


def _shared(rows: Ints, other: Ints | None) -> Ints:
    """The same numbers without a second array where there is one already: folds are many, and mostly alike."""
    return rows if other is None or not np.array_equal(rows, other) else other


def _alive(panel: Panel, plan: Plan) -> npt.NDArray[np.bool_]:
    """Which series `[N]` have data in the last scored steps of the panel."""
    if plan.align == "end":
        return np.ones(len(panel), dtype=bool)
    if panel.freq.kind == "bars":
        stamps = np.unique(panel.times[panel.inside])
        # twice the reach: two markets have different holidays
        return np.asarray(panel.last_times >= stamps[max(len(stamps) - 2 * plan.reach - 1, 0)])
    ordinals = panel.freq.ordinals(panel.last_times)
    return np.asarray(ordinals > ordinals.max() - (plan.horizon or 1))


def _observed(panel: Panel, first: Ints, steps: int) -> npt.NDArray[np.bool_]:
    """Which series `[N]` have an observed target among the steps that begin at the flat positions `first` `[N]`."""
    found = np.zeros(len(panel), dtype=bool)
    for step in range(steps):  # one at a time, so that no more is held than one number for each series
        rows = first + step
        inside = rows < panel.ends
        found |= inside & np.isfinite(panel.values[np.where(inside, rows, 0)])
    return found


def _cut(panel: Panel, back: int, alive: npt.NDArray[np.bool_]) -> Ints:
    """Past ends `[N]` at one instant for all series: `back` steps before the end of the data.

    On trading bars the end of the data is that of the series that, of those alive at the end, has the fewest bars
    since: so the last fold has all its steps in every one of them.
    """
    if panel.freq.kind != "bars":
        last = panel.freq.ordinals(panel.last_times).max()
        return panel.ends_at(panel.freq.times(np.asarray([last - back]))[0])
    reaching = alive & (panel.lengths > back)
    if not reaching.any():
        return panel.starts.copy()
    return panel.ends_at(panel.times[panel.ends[reaching] - back - 1].min())
