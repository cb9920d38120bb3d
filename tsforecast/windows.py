"""Supervised windows, by index: a window is the position of its first target step in a panel's flat arrays.

    position   o-L ........ o-1 | o ...... o+H-1
               context [L]      | target [H]

Nothing is cut in advance. A batch of windows is one gather over a strided view of the flat series, on the device that
trains, so memory stays proportional to the observations whatever L and H are. Steps before a series begins are NaN,
so a series shorter than L has windows too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tsforecast.panel import Panel, View

__all__ = ["Batch", "Split", "Windows", "contexts", "split_by_time"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Batch(NamedTuple):
    """A batch of windows, float64, NaN = not observed; covariates may have no channel (P or K = 0)."""

    context: Tensor  # [B, L, 1]
    target: Tensor  # [B, H, 1]
    hist: Tensor  # [B, L, P] past-only covariates
    futr: Tensor  # [B, L + H, K] covariates known ahead


@dataclass(frozen=True, eq=False)
class Windows:
    """The flat arrays of a panel on a device, ready to gather windows of `input_size` + `horizon` steps from.

    They hold only what lies inside the panel's spans: everything after a cutoff is left behind.
    """

    input_size: int
    horizon: int
    values: Tensor  # [L + total + H], NaN at both ends
    hist: Tensor  # [L + total + H, P]
    futr: Tensor  # [L + total + H, K]

    @classmethod
    def of(cls, panel: Panel, input_size: int, horizon: int, device: torch.device | str = "cpu") -> Windows:
        """Copy the panel's arrays to `device`, once; rows outside its spans become NaN."""
        inside = panel.inside

        def padded(array: npt.NDArray[np.float64]) -> Tensor:
            rows = np.full((input_size + len(array) + horizon, *array.shape[1:]), np.nan)
            rows[input_size : input_size + len(array)][inside] = array[inside]
            return torch.from_numpy(rows).to(device)

        return cls(input_size, horizon, padded(panel.values), padded(panel.hist), padded(panel.futr))

    def gather(self, origins: Tensor, floors: Tensor) -> Batch:
        """The windows whose targets begin at flat positions `origins` `[B]` of series that begin at `floors` `[B]`."""
        length = self.input_size + self.horizon
        rows = self.values.unfold(0, length, 1)[origins]  # [B, L + H]: position o of the panel is row o of the view
        before = torch.arange(length, device=rows.device) < (floors - origins + self.input_size)[:, None]
        rows = rows.masked_fill(before, torch.nan).unsqueeze(2)
        return Batch(
            rows[:, : self.input_size],
            rows[:, self.input_size :],
            self._covariates(self.hist, origins, before)[:, : self.input_size],
            self._covariates(self.futr, origins, before),
        )

    def _covariates(self, flat: Tensor, origins: Tensor, before: Tensor) -> Tensor:
        if flat.shape[1] == 0:
            return flat.new_empty(len(origins), before.shape[1], 0)
        rows = flat.unfold(0, before.shape[1], 1)[origins].transpose(1, 2)
        return rows.masked_fill(before.unsqueeze(2), torch.nan)


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
    def holds_out(self) -> bool:
        """Whether any window validates."""
        return bool((self.valid_high > self.valid_low).any())


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


def _arrays(view: View) -> tuple[int, ...]:
    """What tells the cuts of one panel from those of another."""
    return id(view.past.values), id(view.past.hist), id(view.past.futr)


def contexts(views: list[View], input_size: int) -> Batch:
    """The last `input_size` steps of every series of every view `[sum of N, ...]`, targets empty.

    Only the rows that are needed are touched, and pasts that are cuts of one panel are gathered at once: many origins
    of one long panel cost neither a copy of it nor a look at each.
    """
    values, hist, known = [], [], []
    for _, cuts in groupby(views, key=_arrays):
        pasts = [view.past for view in cuts]
        starts, ends = (np.concatenate([getattr(p, side) for p in pasts]) for side in ("starts", "ends"))
        rows = ends[:, None] - input_size + np.arange(input_size)
        inside = rows >= starts[:, None]
        rows = np.where(inside, rows, 0)
        values.append(_taken(pasts[0].values, rows, inside))
        hist.append(_taken(pasts[0].hist, rows, inside))
        known.append(_taken(pasts[0].futr, rows, inside))
    futr = np.concatenate([np.concatenate(known), np.concatenate([view.future.futr for view in views])], axis=1)
    whole = torch.from_numpy(np.concatenate(values)).unsqueeze(2)
    return Batch(whole, whole[:, :0], torch.from_numpy(np.concatenate(hist)), torch.from_numpy(futr))


def _taken(array: Floats, rows: Ints, inside: npt.NDArray[np.bool_]) -> Floats:
    """These rows `[N, L]` of an array, NaN where they are not inside."""
    if array.size == 0:  # no covariates: looking up every row of nothing takes as long as of something
        return np.full((*rows.shape, *array.shape[1:]), np.nan)
    found = array[rows]
    found[~inside] = np.nan
    return found
