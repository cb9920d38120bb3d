"""Between windows in the user's units and what a network sees: scaling, masks, and the naive forecast it corrects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tsforecast.models.filling import filled
from tsforecast.models.nets import OWN
from tsforecast.models.smoothing import Smoothing
from tsforecast.models.weeks import Weeks
from tsforecast.models.years import Years
from tsforecast.panel import Panel
from tsforecast.scaling import fences, largest, last_of_phase, mean_and_std, relative_level, usable
from tsforecast.transforms import Chain, Map, Standard, Transform, on_a_logarithm
from tsforecast.windows import NOTHING, Batch, Earlier

__all__ = ["OUTSIZED", "Encoded", "Encoding"]

Floats = npt.NDArray[np.float64]

SMOOTHED = 0.5  # share of a smoothing in what is corrected
BEYOND = 3.0  # times the largest value of a context: no quantile on a logarithm lies further up
OUTSIZED = 5.0  # standard deviations of the context: a window whose target goes further counts no more than others


class Scale(NamedTuple):
    """From the user's units to scaled ones, window by window.

    fences   low and high `[B, 1, 1]` in the user's units, beyond which what was seen is drawn in; None: nothing is
    """

    map: Map
    fences: tuple[Tensor, Tensor] | None

    def past(self, values: Tensor) -> Tensor:
        """Values `[B, T, 1]` of the context, or from just before it, as `[B, T]`."""
        return self.map.apply_future(_within(values, self.fences)).squeeze(2)


class Encoded(NamedTuple):
    """A batch as a network sees it (float32), and the way back."""

    x: Tensor  # [B, L, C]: scaled target, gaps filled; observed mask; level; covariates, past-only and known ahead
    known: Tensor  # [B, H, K]: covariates known ahead, and what lies earlier says beyond the naive forecast
    base: Tensor  # [B, H, 1]: the forecast to correct, scaled
    scale: Scale

    def target(self, target: Tensor) -> Tensor:
        """Targets `[B, H, 1]` in scaled units."""
        return self.scale.map.apply_future(target).float()

    def units(self, out: Tensor) -> Tensor:
        """Scaled forecasts `[B, H, Q]` in the units of the target, float64."""
        return self.scale.map.invert(out.double())


@dataclass(frozen=True, eq=False)
class Encoding:
    """How windows are shown to a network. All of it is fitted on a window's own context, except the scale of the
    covariates known ahead, which is that of the training rows.

    Scaling takes the level of a window away, and with it whether a series is near zero or grows by a hundredth or by
    half of itself; a channel of x says it.

    cycle       steps of a season of the series: gaps in a context are filled by it
    season      the network corrects the season-before forecast of this length; 1: the last value; 0: nothing
    smoothing   or the mean of that and of this one, and sees how far they are apart: with few windows to learn from the
                mean is the better start, with many they say how much of each is best
    before      and it sees what the naive forecast missed at the same time of earlier weeks, or how days went on in
                earlier years
    earlier     what of the past before the context is looked at: by weeks or years, where there are, else by the
                smoothing
    drawn_in    a value of a context that is far out, as where a sensor failed, counts as if it lay at the fence of the
                others (winsorizing); so does what lies just before it. Other weeks and years have their own levels
    preceding   steps before the context that the naive forecast looks at too: what a context shorter than a season
                lacks of it
    """

    transform: Transform
    cycle: int
    season: int
    futr_mean: Tensor  # [1, 1, K]
    futr_std: Tensor
    smoothing: Smoothing | None = None
    before: Weeks | Years | None = None
    earlier: Earlier = NOTHING
    drawn_in: bool = False
    preceding: int = 0

    @classmethod
    def of(cls, past: Panel, transform: Transform, season: int, device: torch.device | str = "cpu") -> Encoding:
        """Settle the scale of the covariates known ahead on the rows of the past."""
        mean, std = (torch.from_numpy(found).view(1, 1, -1).to(device) for found in _mean_and_std(past))
        return cls(transform, past.season_length, season, mean, usable(std, mean))

    @property
    def known(self) -> int:
        """Channels that tell of the steps ahead."""
        return self.futr_mean.numel() + (self.smoothing is not None) + (self.before is not None)

    def told(self, size: int) -> str:
        """What was settled, in a line of a report, with `size` steps of context."""
        corrected = {0: "nothing", 1: "the last value"}.get(self.season, "the season before")
        if self.smoothing is not None:
            corrected = f"{corrected} and a smoothing"
        before = f"; {self.before.told}" if self.before is not None else ""
        scaling = f"{self.transform.name}, values far out drawn in" if self.drawn_in else self.transform.name
        return f"context: {size} steps; scaling: {scaling}; corrects: {corrected}{before}"

    def encode(self, batch: Batch) -> Encoded:
        """What the network sees of these windows; their targets are not looked at."""
        fence = fences(batch.context) if self.drawn_in else None
        context, known, past_only = _within(batch.context, fence), batch.futr, batch.hist.shape[2]
        rows, length = len(context), context.shape[1]
        gaps = context.sum((1, 2)).isnan().nonzero().squeeze(1)  # windows that have any: the others need no look
        mean, std = mean_and_std(context)
        found, scaled = self._scaled(context, mean, std)
        scale = Scale(found, fence)
        x = torch.empty(rows, length, OWN + past_only + known.shape[2], dtype=torch.float32, device=context.device)
        x[:, :, :1] = scaled
        x[:, :, 1] = 1
        if len(gaps):
            seen = ~context[gaps].isnan().squeeze(2)
            x[gaps, :, 1] = seen.float()
            # before the first step that was seen there is nothing to fill: contexts may begin before the data
            holes = gaps[(seen[:, 1:] < seen[:, :-1]).any(1)]
            if len(holes):
                x[holes, :, 0] = filled(scaled[holes].squeeze(2), self.cycle).float()
        x[:, :, 2:OWN] = relative_level(mean, std)
        if past_only:
            x[:, :, OWN : OWN + past_only] = Standard().fit(batch.hist).apply(batch.hist)
        if known.shape[2]:
            known = torch.nan_to_num((known - self.futr_mean) / self.futr_std, nan=0.0)
            x[:, :, OWN + past_only :] = known[:, :length]
        x.nan_to_num_(nan=0.0)
        base, known = self._naive(batch, scale), known[:, length:]
        horizon = base.shape[1]
        if self.smoothing is not None:
            beyond = _there(self.smoothing.forecast(self.history(batch, scale), horizon).unsqueeze(2) - base)
            base, known = base + SMOOTHED * beyond, torch.cat([known, beyond], dim=2)
        if self.before is not None:
            missed = self.before.missed(found.apply_future(batch.earlier), horizon).unsqueeze(2)
            known = torch.cat([known, _there(missed)], dim=2)
        return Encoded(x, known.float(), base.float(), scale)

    def answer(self, batch: Batch, seen: Encoded, out: Tensor, point: int) -> Tensor:
        """Scaled quantiles `[B, H, Q]` of these windows in the units of the target, the one numbered `point` being the
        point forecast; on a logarithm none is above three times the largest value of the context, or of the point
        forecast where that is larger.

        A deviation of what comes in bursts is a factor there, and a few of them a thousand times what was ever seen.
        """
        found = seen.units(out)
        if not on_a_logarithm(self.transform):
            return found
        return torch.minimum(found, BEYOND * torch.maximum(largest(batch.context), found[:, :, point : point + 1]))

    def history(self, batch: Batch, scale: Scale) -> Tensor:
        """What smoothing looks at `[B, T]`, in scaled units: the context, and what it may see before it."""
        if self.before is not None or self.earlier == NOTHING:
            return scale.past(batch.context)
        return scale.past(torch.cat([batch.earlier, batch.context], dim=1))

    def _scaled(self, context: Tensor, mean: Tensor, std: Tensor) -> tuple[Map, Tensor]:
        """The map of the context, and the context under it; nothing is worked out twice."""
        if isinstance(self.transform, Chain):
            return self.transform.fitted(context)
        scale = self.transform.of(mean, std) if isinstance(self.transform, Standard) else self.transform.fit(context)
        return scale, scale.apply(context)

    def _naive(self, batch: Batch, scale: Scale) -> Tensor:
        """The naive forecast in scaled units `[B, H, 1]`, float64."""
        context, horizon = batch.context, batch.futr.shape[1] - batch.context.shape[1]
        if self.preceding:
            context = torch.cat([batch.preceding[:, -self.preceding :], context], dim=1)
        if self.season == 0:
            return context.new_zeros(len(context), horizon, 1, dtype=torch.float64)
        phases = last_of_phase(context, self.season)
        steps = torch.arange(horizon, device=context.device) % self.season
        return torch.nan_to_num(scale.past(phases[:, steps]), nan=0.0).unsqueeze(2)


def _within(values: Tensor, fence: tuple[Tensor, Tensor] | None) -> Tensor:
    return values if fence is None else values.clamp(*fence)


def _there(found: Tensor) -> Tensor:
    """Nothing where nothing could be found."""
    return torch.where(found.isnan(), 0.0, found)


def _mean_and_std(past: Panel) -> tuple[Floats, Floats]:
    """Of the covariates known ahead, over all rows that have them `[K]`; 0 where there is none."""

    def mean(function: Callable[[Floats], Floats]) -> Floats:
        total, count = np.zeros(past.futr.shape[1]), 0
        for piece in past.pieces(past.futr):
            known = piece[np.isfinite(piece).all(axis=1)]
            total, count = total + function(known).sum(axis=0), count + len(known)
        return np.asarray(total / max(count, 1))

    if not past.futr.shape[1]:
        return np.zeros(0), np.zeros(0)
    level = mean(lambda known: known)
    return level, np.sqrt(mean(lambda known: (known - level) ** 2))
