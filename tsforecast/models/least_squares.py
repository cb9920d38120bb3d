"""The closed-form linear map from what is seen of a window to its horizon.

It is all of `Ridge`, and where the networks start: least squares finds in a second what gradient steps find slowly, so
that a network spends its steps on what is not linear.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tsforecast import progress
from tsforecast.models.encoding import OUTSIZED, Encoding
from tsforecast.models.nets import LinearMap
from tsforecast.models.penalized import Form
from tsforecast.models.sampling import Places, every_origin
from tsforecast.models.sight import Judges, Pilot, Sight
from tsforecast.panel import Panel
from tsforecast.windows import Split, Windows, split_by_time

__all__ = ["PENALTIES", "Solved", "fit_map", "held_out_error", "least_context"]

PENALTIES = (1e-3, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
ENOUGH = 30  # validation windows to choose by, and to take quantiles of errors from
PARTS = 5  # of the training time, where there are fewer: each is judged by the map of the others
MOST_WINDOWS, TRIED = 50_000, 25_000  # more add time and hardly any accuracy; half of them tell which form is best
JUDGED = 4_096  # validation windows, at most, that choose the penalty, and windows to learn from to choose an encoding
VAL_SHARE = 0.2
FAR = 0.02  # of the errors at either end, which a mean would follow
AS_GOOD = 1.005  # of the smallest error: of forms this close the plainest is taken
FEW, AS_GOOD_OF_FEW = 5, 1.05  # stretches of a horizon held out: fewer tell little between forms this close
ROUNDS = 2  # of weighing windows by what the map before was wrong by there
HILL = 1.05  # of the smallest error under stronger penalties: nothing weaker than one that has more is taken


class Solved(NamedTuple):
    """A map, and with what its worth can be measured: a map of the same form that has not seen the late windows. Where
    every fifth of the time judges there is none."""

    map: LinearMap
    early: LinearMap | None = None
    late: Places | None = None


def fit_map(
    past: Panel,
    windows: Windows,
    encoding: Encoding,
    *,
    levels: tuple[float, ...],
    penalties: tuple[float, ...] = PENALTIES,
    val_share: float = VAL_SHARE,
) -> Solved | None:
    """Solve for the map on every window of `past` (thinned evenly above 50,000); None where there is no window.

    A map may have a constant for each step of the horizon, a drift of all series alike, or none. The form with the
    smallest absolute error on the last `val_share` of the time is taken, and solved once more on all windows. Of those
    within 0.5 % (5 % where that part is worth fewer than five horizons) it is the plainest: without the constant, then
    with the strongest penalty. No penalty is taken that is weaker than one with which the error has risen by 5 %.

    Least squares follow the windows that are the furthest from linear, and what is scored is absolute. So the best form
    is solved once more where each window counts for one over its error under the map before (iteratively reweighted
    least squares, Schlossmacher 1973, a window at a time), and that map is taken where it is closer by as much.

    The spread is that of the errors on that last part around their mean: what it was wrong by on the whole then need
    not go on. Where that part has fewer than 30 windows, errors are those of each fifth of the time under the map of
    the other windows, without those that share a target step with it.

    windows, encoding   of `past`, or of a panel that goes on after it: nothing after `past` is looked at
    """
    trials = _Trials.of(past, windows, encoding, penalties, val_share, TRIED)
    if trials is None:
        return None
    if trials.stretches < FEW:
        trials = replace(trials, as_good=AS_GOOD_OF_FEW)
    trials = trials.by_absolute_errors()
    spread = _spread(trials.errors(), levels, drawn_in=encoding.drawn_in)
    whole = LinearMap(windows.hist.shape[1], trials.sight.masks, trials.final(), spread)
    (maps, judges), *others = trials.solved
    return Solved(whole) if others else Solved(whole, replace(whole, weights=maps[trials.best]), judges.places)


def _spread(errors: Tensor, levels: tuple[float, ...], *, drawn_in: bool = False) -> Tensor:
    """How far from a map its quantiles lie `[H, Q]`, by its errors `[windows, H]`: none on the far side of the map.

    Around their mean, the furthest drawn in. The median of what is mostly zero is the error that a zero makes, and
    around it no interval would hold a zero: 26 % of sales that come one day in four were inside 80 % intervals (85 %
    around the mean).

    drawn_in    no error counts for more than OUTSIZED deviations of its context, in which nothing is far out: by the
                failures of a sensor, quantiles of all contexts would be told in units of the calmest
    """
    if drawn_in:
        errors = errors.clamp(-OUTSIZED, OUTSIZED)
    below, above = torch.nanquantile(errors, errors.new_tensor([FAR, 1 - FAR]), dim=0)
    mean = torch.minimum(torch.maximum(errors, below), above).nanmean(0)
    probabilities = errors.new_tensor(levels)
    away = torch.nanquantile(errors, probabilities, dim=0).T - mean.unsqueeze(1)
    away = torch.where(probabilities < 0.5, away.clamp_max(0.0), away.clamp_min(0.0))
    return torch.where(probabilities == 0.5, 0.0, away).nan_to_num(nan=0.0).contiguous()


def held_out_error(past: Panel, windows: Windows, encoding: Encoding, size: int | None = None) -> float:
    """What such a map is wrong by on the last fifth of the time, in units that are the same for every encoding: the
    absolute error in standard deviations of each context (of its last `size` steps, or of so many more) and, where all
    values are positive, twice the relative error, as networks are trained by.

    Learned from fewer windows than `fit_map` takes; infinite where fewer than 30 are held out, which tell too little.
    """
    with progress.part(0.0, 0.0):  # a moment beside the fit
        trials = _Trials.of(past, windows, encoding, PENALTIES, VAL_SHARE, JUDGED, least=ENOUGH)
    return math.inf if trials is None else trials.misses(size or windows.input_size)


def _parts(every: Places, horizon: int) -> Iterator[tuple[Places, Places]]:
    """What to learn from and what to judge by, for each fifth of the windows of each series: the windows that share no
    target step with the fifth, which may be none, and the fifth itself."""
    origins, floors = every
    _, series, counts = torch.unique_consecutive(floors, return_inverse=True, return_counts=True)
    first = counts.cumsum(0) - counts
    place = torch.arange(len(origins), device=origins.device) - first[series]
    part = place * PARTS // counts[series]
    for number in range(PARTS):
        judged = part == number
        if not judged.any():
            continue
        from_ = origins.new_full((len(counts),), 2**62).scatter_reduce(0, series[judged], origins[judged], "amin")
        to = origins.new_full((len(counts),), -(2**62)).scatter_reduce(0, series[judged], origins[judged], "amax")
        apart = (origins <= from_[series] - horizon) | (origins >= to[series] + horizon)
        yield (origins[apart], floors[apart]), (origins[judged], floors[judged])


def _held_out(past: Panel, windows: Windows, val_share: float) -> Split:
    valid_steps = max(int(val_share * float(np.median(past.lengths))), windows.horizon)
    return split_by_time(past, windows.horizon, valid_steps, least_context(past, windows))


def has_short(past: Panel, windows: Windows) -> bool:
    """Whether a series of `past` has no whole window: contexts that begin before the data are then learned from, and a
    map sees which steps there are. (Of gaps in longer series it needs no masks: they are filled.)"""
    return int(past.lengths.min()) < windows.input_size + windows.horizon


def least_context(past: Panel, windows: Windows) -> int:
    """Steps of context that a training window has at least: all of them, or two horizons where a series is short."""
    return min(windows.input_size, 2 * windows.horizon) if has_short(past, windows) else windows.input_size


def _before_a_hill(sizes: Tensor) -> Tensor:
    """Errors `[..., penalties]` from the strongest penalty to the weakest, infinite from where they rise on.

    As a penalty weakens a map explains more, then it fits chance. Where it has more weights than there are windows it
    can come down once more, as it fits all of them; that a few held-out windows like that is chance too.
    """
    beyond = sizes > HILL * sizes.cummin(-1).values
    return torch.where(beyond.cummax(-1).values, torch.inf, sizes)


@dataclass(frozen=True, eq=False)
class _Trials:
    """Maps of every form, learned from the early windows and judged by the late ones; the best form."""

    sight: Sight
    every: Places
    learned: list[Places]
    solved: list[tuple[list[Tensor], Judges]]  # from each of them the map of every form, and what judges it
    forms: list[Form]
    stretches: float  # of a horizon that the late windows are worth; infinite where every part of the time judges
    as_good: float = AS_GOOD
    weighed: bool = False  # whether windows count for one over what a map before was wrong by there

    @classmethod
    def of(
        cls,
        past: Panel,
        windows: Windows,
        encoding: Encoding,
        penalties: tuple[float, ...],
        val_share: float,
        tried: int,
        least: int = 0,
    ) -> _Trials | None:
        """Learned from `tried` windows at most; None where there is none, or fewer than `least` to judge by."""
        horizon, sight = windows.horizon, Sight(windows, encoding, has_short(past, windows))
        split = _held_out(past, windows, val_share)
        if split.n_train == 0:
            return None
        held_out = split.valid_high > split.valid_low
        last = np.where(held_out, split.valid_high, split.train_high)
        device = windows.values.device
        early, late, every = (
            (part[0].to(device), part[1].to(device))
            for part in (
                every_origin(split.train_low, split.train_high, split.floors, tried),
                every_origin(split.valid_low, split.valid_high, split.floors, JUDGED),
                every_origin(split.train_low, last, split.floors, MOST_WINDOWS),
            )
        )
        if len(late[0]) < least:
            return None
        forms = [(drift, penalty) for drift in (True, False) for penalty in sorted(penalties)]  # the plainest last
        one = len(late[0]) >= ENOUGH
        parts = [(early, late)] if one else list(_parts(every, horizon))
        learned = [part for part, _ in parts]
        maps = [(sight.solved(*part, forms), Judges(sight, judged)) for part, judged in parts]
        return cls(sight, every, learned, maps, forms, split.stretches(horizon) if one else math.inf)

    def by_absolute_errors(self) -> _Trials:
        """The best form, where windows count for one over what the map before was wrong by there, as long as that is
        closer; these, where it is hardly so."""
        found = self
        for _ in range(ROUNDS):
            again = found._reweighed() if found.error else found
            if again.error >= found.error:
                break
            found = again
        closer = AS_GOOD_OF_FEW if len(self.solved) > 1 else self.as_good
        return found if found.error * closer < self.error else self

    def _reweighed(self) -> _Trials:
        maps = [
            (self.sight.solved(*part, [self.form], Pilot(before[self.best], self.error)), judges)
            for part, (before, judges) in zip(self.learned, self.solved, strict=True)
        ]
        return replace(self, solved=maps, forms=[self.form], weighed=True)

    def final(self) -> Tensor:
        """The map of the best form, learned from all windows."""
        pilot = None
        if self.weighed:
            early = torch.stack([maps[self.best] for maps, _ in self.solved])
            pilot = Pilot(early.mean(0), self.error)
        (found,) = self.sight.solved(*self.every, [self.form], pilot)
        return found

    @cached_property
    def _sizes(self) -> list[float]:
        """The error of each form, infinite beyond a hill."""
        found = [judges.sizes(maps) for maps, judges in self.solved]
        each = torch.stack([sums for sums, _ in found]).sum(0) / sum(count for _, count in found)
        kinds = len({drift for drift, _ in self.forms})  # with a drift and without, or one of these
        return _before_a_hill(each.view(kinds, -1).flip(1)).flip(1).flatten().tolist()

    @property
    def error(self) -> float:
        """The smallest of any form."""
        return min(self._sizes)

    @property
    def best(self) -> int:
        """The number of the plainest form that is as good as any."""
        return max(i for i, size in enumerate(self._sizes) if size <= self.as_good * self.error)

    @property
    def form(self) -> Form:
        return self.forms[self.best]

    def errors(self) -> Tensor:
        """Of the best form."""
        return torch.cat([judges.errors(maps[self.best]) for maps, judges in self.solved])

    def misses(self, size: int) -> float:
        """Of the best form, their mean, measured by contexts of so many steps."""
        found = [judges.misses(size, maps[self.best]) for maps, judges in self.solved]
        return float(torch.cat(found).nanmean())
