"""Between windows in the user's units and what a network sees: scaling, masks, and the naive forecast it corrects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tsforecast.scaling import last_of_phase, mean_and_std, usable
from tsforecast.transforms import Map, Standard, Transform
from tsforecast.windows import Batch, Windows

__all__ = ["Encoded", "Encoding"]


class Encoded(NamedTuple):
    """A batch as a network sees it (float32), and the way back."""

    x: Tensor  # [B, L, C]: scaled target, observed mask, past-only covariates, covariates known ahead
    known: Tensor  # [B, H, K]
    base: Tensor  # [B, H, 1]: the naive forecast, scaled
    map: Map

    def target(self, target: Tensor) -> Tensor:
        """Targets `[B, H, 1]` in scaled units."""
        return self.map.apply_future(target).float()

    def units(self, out: Tensor) -> Tensor:
        """Scaled forecasts `[B, H, Q]` in the units of the target, float64."""
        return self.map.invert(out.double())


@dataclass(frozen=True, eq=False)
class Encoding:
    """How windows are shown to a network. All of it is fitted on a window's own context, except the scale of the
    covariates known ahead, which is that of the training rows.

    season      the network corrects the season-before forecast of this length; 1: the last value; 0: nothing
    """

    transform: Transform
    season: int
    futr_mean: Tensor  # [1, 1, K]
    futr_std: Tensor

    @classmethod
    def of(cls, windows: Windows, transform: Transform, season: int) -> Encoding:
        """Settle the scale of the covariates known ahead on the training rows."""
        known = windows.futr[~windows.futr.isnan().any(dim=1)]  # no sum depends on how much lies around the panel
        mean, std = mean_and_std(known.unsqueeze(0))
        return cls(transform, season, mean, usable(std, mean))

    @property
    def own_channels(self) -> int:
        """Channels of x that are no covariates: the scaled target and its mask."""
        return 2

    def encode(self, batch: Batch) -> Encoded:
        """What the network sees of these windows; their targets are not looked at."""
        context, known, past_only = batch.context, batch.futr, batch.hist.shape[2]
        rows, length, own = len(context), context.shape[1], self.own_channels
        gaps = bool(context.sum().isnan())
        scale = self.transform.fit(context)
        x = torch.empty(rows, length, own + past_only + known.shape[2], dtype=torch.float32, device=context.device)
        x[:, :, :1] = scale.apply(context)
        x[:, :, 1:own] = ~context.isnan() if gaps else 1
        if past_only:
            x[:, :, own : own + past_only] = Standard().fit(batch.hist).apply(batch.hist)
        if known.shape[2]:
            known = torch.nan_to_num((known - self.futr_mean) / self.futr_std, nan=0.0)
            x[:, :, own + past_only :] = known[:, :length]
        x.nan_to_num_(nan=0.0)
        return Encoded(x, known[:, length:].float(), self._base(batch, scale, gaps), scale)

    def _base(self, batch: Batch, scale: Map, gaps: bool) -> Tensor:
        context, horizon = batch.context, batch.futr.shape[1] - batch.context.shape[1]
        if self.season == 0:
            return context.new_zeros(len(context), horizon, 1, dtype=torch.float32)
        # without gaps the last of each phase is the last season as it stands
        whole = not gaps and context.shape[1] >= self.season
        phases = context[:, -self.season :] if whole else last_of_phase(context, self.season)
        steps = torch.arange(horizon, device=context.device) % self.season
        return torch.nan_to_num(scale.apply_future(phases[:, steps]), nan=0.0).float()
