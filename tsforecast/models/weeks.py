"""What a naive forecast missed at the same time of earlier weeks.

A context of one or two weeks shows one or two Saturdays: little to tell by how a Saturday differs from the day before.
Ten of them say more, in as many numbers as the horizon has steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tsforecast.windows import Earlier

__all__ = ["WEEKS", "Weeks", "faded_mean"]

WEEKS = 10  # looked back, at most
FADING = 0.8  # weight of a week beside the one after it


@dataclass(frozen=True)
class Weeks:
    """The mean of what a naive forecast missed, at each step of the horizon, when asked whole weeks earlier.

    day      steps of a day
    season   of the naive forecast: a day, or 1 (the last value)
    weeks    looked back
    """

    day: int
    season: int
    weeks: int = WEEKS
    closer: ClassVar[float] = 1.0
    """Share of the error of a map without it, below which it is taken: however little it gained, later spans agreed."""

    @property
    def week(self) -> int:
        return 7 * self.day

    @property
    def told(self) -> str:
        """In a line of a report."""
        return f"earlier weeks: {self.weeks}"

    def earlier(self, horizon: int) -> Earlier:
        """What is looked at: a day and the horizon after it (a week at most), as they were each of the weeks before."""
        return Earlier(self.week + self.day, self.day + min(horizon, self.week), self.week, self.weeks)

    def missed(self, stretches: Tensor, horizon: int) -> Tensor:
        """`[B, H]`, of `stretches` `[B, steps, weeks]`, the latest week first (NaN = not observed); NaN where no week
        was seen."""
        steps = min(horizon, self.week)
        weeks = stretches.transpose(1, 2)  # [B, weeks, steps]: as they lie in memory
        before, after = weeks[:, :, self.day - self.season : self.day], weeks[:, :, self.day :]
        naive = before[:, :, torch.arange(steps, device=weeks.device) % self.season]
        away = after - naive
        found = faded_mean(away, FADING)
        return found if steps == horizon else found[:, torch.arange(horizon, device=found.device) % self.week]


def faded_mean(away: Tensor, fading: float) -> Tensor:
    """The mean `[B, H]` over the second axis of `away` `[B, N, H]` (NaN = nothing known), the latest first, each with
    `fading` times the weight of the one after it."""
    # sums, not products of matrices: in those the last bits of a row may depend on its place in the batch
    powers = fading ** torch.arange(away.shape[1], device=away.device, dtype=away.dtype)[:, None]
    weights = torch.where(away.isnan(), 0.0, powers)
    return away.nan_to_num(nan=0.0).mul_(weights).sum(1) / weights.sum(1)
