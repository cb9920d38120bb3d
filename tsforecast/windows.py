"""Supervised windows, by index: a window is the position of its first target step in a panel's flat arrays.

    position   o-L ........ o-1 | o ...... o+H-1
               context [L]      | target [H]

Nothing is cut in advance and nothing is copied: a batch of windows is one gather by position from the panel's own
arrays, which may be mapped from a file, so that memory does not grow with the observations. Steps before a series
begins and after it ends are NaN, so a series shorter than L has windows too, and no window reaches past a cutoff.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tsforecast.panel import Panel, View

__all__ = ["NOTHING", "Batch", "Earlier", "Split", "Windows", "contexts", "split_by_time"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Batch(NamedTuple):
    """A batch of windows, float64, NaN = not observed; covariates may have no channel (P or K = 0)."""

    context: Tensor  # [B, L, 1]
    target: Tensor  # [B, H, 1]
    hist: Tensor  # [B, L, P] past-only covariates
    futr: Tensor  # [B, L + H, K] covariates known ahead
    earlier: Tensor  # [B, E, S] the target in S stretches of E steps that lie before
    preceding: Tensor  # [B, R, 1] the target in the R steps just before the context


@dataclass(frozen=True)
class Earlier:
    """Stretches of the target, all of one width, that are looked at beside the context, the latest first.

    A window's first target step is the origin; no stretch reaches it.
    """

    begin: int = 0  # of the latest, in steps before the origin
    width: int = 0
    every: int = 0  # steps from one to the next
    count: int = 0

    def __post_init__(self) -> None:
        assert self.begin >= self.width and self.every >= 0, "a stretch would reach what is to be forecast"

    @property
    def steps(self) -> int:
        """Of all stretches."""
        return self.width * self.count

    def begins(self) -> Ints:
        """Where they begin, in steps from the origin `[count]`."""
        return -(self.begin + self.every * np.arange(self.count))


NOTHING = Earlier()


@dataclass(frozen=True, eq=False)
class Windows:
    """The flat arrays of a panel on a device, ready to gather windows of `input_size` + `horizon` steps from, and what
    lies `earlier` and in the `preceding` steps before them.

    On the CPU they are the panel's own memory, or the file that it is mapped from; another device gets a copy.
    """

    input_size: int
    horizon: int
    starts: Tensor  # [N], ascending
    ends: Tensor  # [N]
    values: Tensor  # [total]
    hist: Tensor  # [total, P]
    futr: Tensor  # [total, K]
    earlier: Earlier = field(default=NOTHING, kw_only=True)
    preceding: int = field(default=0, kw_only=True)

    @classmethod
    def of(cls, panel: Panel, input_size: int, horizon: int, device: torch.device | str = "cpu") -> Windows:
        """Windows of a panel, which end where its series end."""
        order = np.lexsort((panel.ends, panel.starts))  # of series that begin at one place only the last has any step
        arrays = panel.starts[order], panel.ends[order], panel.values, panel.hist, panel.futr
        return cls(input_size, horizon, *(_shared(array).to(device) for array in arrays))

    def gather(self, origins: Tensor, floors: Tensor) -> Batch:
        """The windows whose targets begin at flat positions `origins` `[B]` of series that begin at `floors` `[B]`."""
        size, width = self.input_size, self.input_size + self.horizon
        ends = self.ends[torch.searchsorted(self.starts, floors, right=True) - 1]
        begins, target = origins - size, self.values.unsqueeze(1)
        values = _cut(target, begins, width, floors, ends)
        return Batch(
            values[:, :size],
            values[:, size:],
            _cut(self.hist, begins, size, floors, ends),
            _cut(self.futr, begins, width, floors, ends),
            _stretches(self.values, self.earlier, origins, floors, ends),
            _before(target, begins, self.preceding, floors, ends),
        )


def _shared(array: npt.NDArray[Any]) -> Tensor:
    """An array as a tensor over the same memory, which is only read."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _stretches(flat: Tensor, earlier: Earlier, origins: Tensor, floors: Tensor, ends: Tensor) -> Tensor:
    """What lies earlier than `origins` `[B]` in `flat` `[total]` as `[B, E, S]`."""
    count, width = earlier.count, earlier.width
    if count == 0:
        return flat.new_empty(len(origins), 0, 0)
    begins = (origins[:, None] + torch.from_numpy(earlier.begins()).to(origins.device)).flatten()
    repeated = floors.repeat_interleave(count), ends.repeat_interleave(count)
    return _cut(flat.unsqueeze(1), begins, width, *repeated).view(len(origins), count, width).transpose(1, 2)


def _before(flat: Tensor, begins: Tensor, steps: int, floors: Tensor, ends: Tensor) -> Tensor:
    """So many rows before `begins` `[B]` in `flat` `[total, 1]` as `[B, steps, 1]`."""
    return _cut(flat, begins - steps, steps, floors, ends) if steps else flat.new_empty(len(begins), 0, 1)


def _cut(flat: Tensor, begins: Tensor, width: int, floors: Tensor, ends: Tensor) -> Tensor:
    """Rows `begins` `[B]` to `begins + width` of `[total, C]` as `[B, width, C]`, NaN where they are before `floors` or
    not before `ends`.

    A window that lies within its series is one block of memory, which is copied whole; one that lies outside is NaN;
    only others are looked up row by row.
    """
    total, channels = flat.shape
    if flat.numel() == 0:  # looking up every row of nothing takes as long as of something
        return flat.new_full((len(begins), width, channels), torch.nan)
    stops = begins + width
    within, outside = (begins >= floors) & (stops <= ends), (stops <= floors) | (begins >= ends)
    if total < width or not within.any():
        return _looked_up_rows(flat, begins, width, floors, ends)
    blocks = flat.unfold(0, width, 1).transpose(1, 2)  # a view of every window
    found = blocks.index_select(0, begins.clamp(0, total - width))
    found[outside] = torch.nan
    across = (~(within | outside)).nonzero().squeeze(1)
    if len(across):
        found[across] = _looked_up_rows(flat, begins[across], width, floors[across], ends[across])
    return found


def _looked_up_rows(flat: Tensor, begins: Tensor, width: int, floors: Tensor, ends: Tensor) -> Tensor:
    rows = begins[:, None] + torch.arange(width, device=begins.device)  # [B, width]
    outside = (rows < floors[:, None]) | (rows >= ends[:, None])
    rows.clamp_(0, len(flat) - 1)
    found = flat.index_select(0, rows.view(-1)).view(*rows.shape, flat.shape[1])
    return found.masked_fill_(outside.unsqueeze(2), torch.nan)


class Split(NamedTuple):
    """Which windows train and which validate, per series: half-open ranges of origins, and where series begin.

    No target step of a training window is a target step of a validation window, and all of the latter are later.
    """

    floors: Ints  # [N]
    train_low: Ints  # [N] first training origin
    train_high: Ints  # [N] one past the last
    valid_low: Ints
    valid_high: Ints

    @property
    def n_train(self) -> int:
        """Training windows of all series."""
        return int(np.maximum(self.train_high - self.train_low, 0).sum())

    @property
    def n_validated(self) -> int:
        """Series of which any window validates."""
        return int((self.valid_high > self.valid_low).sum())

    @property
    def holds_out(self) -> bool:
        """Whether any window validates."""
        return self.n_validated > 0

    def stretches(self, horizon: int) -> float:
        """How many horizons lie apart in what is held out, as evidence: those of a series one after the other, times
        the root of the number of series, which mostly go up and down together."""
        held_out = self.valid_high > self.valid_low
        steps = (self.valid_high - self.valid_low)[held_out] + horizon - 1
        return float(steps.mean() / horizon * np.sqrt(held_out.sum())) if held_out.any() else 0.0


def split_by_time(panel: Panel, horizon: int, valid_steps: int, least_context: int = 1) -> Split:
    """Keep the last `valid_steps` steps of each series for validation targets (0: none).

    A series without room for a training window in front keeps everything for training.
    """
    low = panel.starts + least_context
    border = panel.ends - valid_steps
    keep = (border - horizon >= low) & (valid_steps >= horizon)
    border = np.where(keep, border, panel.ends)
    train_high = np.maximum(border - horizon + 1, low)
    valid_low = np.where(keep, border, panel.ends)
    valid_high = np.where(keep, panel.ends - horizon + 1, panel.ends)
    return Split(panel.starts, low, train_high, valid_low, valid_high)


def _memory(view: View) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Where the arrays of a past begin and how they lie there: what tells the cuts of one panel from those of another,
    whose arrays end where each is cut."""
    arrays = (view.past.values, *(each for each in (view.past.hist, view.past.futr) if each.shape[1]))
    return tuple((array.__array_interface__["data"][0], array.strides) for array in arrays)


def contexts(views: list[View], input_size: int, earlier: Earlier = NOTHING, preceding: int = 0) -> Batch:
    """The last `input_size` steps of every series of every view `[sum of N, ...]`, and what lies `earlier` and in the
    `preceding` steps before them; targets empty.

    Only the rows that are needed are touched, and pasts that are cuts of one panel are gathered at once: many origins
    of one long panel cost neither a copy of it nor a look at each.
    """
    parts = list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]()
    for _, cuts in groupby(views, key=_memory):
        pasts = [view.past for view in cuts]
        furthest = max(pasts, key=lambda past: len(past.values))
        starts, ends = (
            torch.from_numpy(np.concatenate([getattr(p, side) for p in pasts])) for side in ("starts", "ends")
        )
        values, hist, futr = (_shared(array) for array in (furthest.values, furthest.hist, furthest.futr))
        context, past_only, known = (
            _cut(flat, ends - input_size, input_size, starts, ends) for flat in (values.unsqueeze(1), hist, futr)
        )
        before = _before(values.unsqueeze(1), ends - input_size, preceding, starts, ends)
        parts.append((context, past_only, known, _stretches(values, earlier, ends, starts, ends), before))
    context, past_only, known, stretches, before = (torch.cat(found) for found in zip(*parts, strict=True))
    ahead = torch.from_numpy(np.concatenate([view.future.futr for view in views]))
    return Batch(context, context[:, :0], past_only, torch.cat([known, ahead], dim=1), stretches, before)
