"""Between windows in the user's units and what a network sees: scaling, masks, and the naive forecast it corrects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tsforecast.models.nets import OWN
from tsforecast.models.sampling import every_origin
from tsforecast.models.settle import has_daily_cycle
from tsforecast.models.smoothing import SEASONS, Smoothing
from tsforecast.panel import Panel
from tsforecast.scaling import last_of_phase, mean_and_std, relative_level, usable
from tsforecast.transforms import Map, Standard, Transform
from tsforecast.windows import Batch, Windows, split_by_time

__all__ = ["OUTSIZED", "Encoded", "Encoding", "with_smoothing"]

Floats = npt.NDArray[np.float64]

JUDGED, VALUES = 2_000, 500_000  # windows, and values in them, at most, that choose a smoothing
OUTSIZED = 5.0  # standard deviations of the context: a window whose target goes further counts no more than others
CLOSER = 0.98  # of the error of the naive forecast: a smoothing that is no closer only adds to what is random


class Encoded(NamedTuple):
    """A batch as a network sees it (float32), and the way back."""

    x: Tensor  # [B, L, C]: scaled target, observed mask, level, past-only covariates, covariates known ahead
    known: Tensor  # [B, H, K]: covariates known ahead, and with smoothing what that forecasts beyond the naive forecast
    base: Tensor  # [B, H, 1]: the forecast to correct, scaled
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

    Scaling takes the level of a window away, and with it whether a series is near zero or grows by a hundredth or by
    half of itself; a channel of x says it.

    season      the network corrects the season-before forecast of this length; 1: the last value; 0: nothing
    smoothing   or the mean of that and of this one, and sees how far they are apart: with few windows to learn from the
                mean is the better start, with many they say how much of each is best
    earlier     steps before the context that smoothing looks at too
    """

    transform: Transform
    season: int
    futr_mean: Tensor  # [1, 1, K]
    futr_std: Tensor
    smoothing: Smoothing | None = None
    earlier: int = 0

    @classmethod
    def of(cls, past: Panel, transform: Transform, season: int, device: torch.device | str = "cpu") -> Encoding:
        """Settle the scale of the covariates known ahead on the rows of the past."""
        mean, std = (torch.from_numpy(found).view(1, 1, -1).to(device) for found in _mean_and_std(past))
        return cls(transform, season, mean, usable(std, mean))

    @property
    def known(self) -> int:
        """Channels that tell of the steps ahead."""
        return self.futr_mean.numel() + (self.smoothing is not None)

    def encode(self, batch: Batch) -> Encoded:
        """What the network sees of these windows; their targets are not looked at."""
        context, known, past_only = batch.context, batch.futr, batch.hist.shape[2]
        rows, length = len(context), context.shape[1]
        gaps = bool(context.sum().isnan())
        mean, std = mean_and_std(context)
        scale = self.transform.of(mean, std) if isinstance(self.transform, Standard) else self.transform.fit(context)
        x = torch.empty(rows, length, OWN + past_only + known.shape[2], dtype=torch.float32, device=context.device)
        x[:, :, :1] = scale.apply(context)
        x[:, :, 1:2] = ~context.isnan() if gaps else 1
        x[:, :, 2:OWN] = relative_level(mean, std)
        if past_only:
            x[:, :, OWN : OWN + past_only] = Standard().fit(batch.hist).apply(batch.hist)
        if known.shape[2]:
            known = torch.nan_to_num((known - self.futr_mean) / self.futr_std, nan=0.0)
            x[:, :, OWN + past_only :] = known[:, :length]
        x.nan_to_num_(nan=0.0)
        base, known = self._naive(batch, scale), known[:, length:]
        if self.smoothing is not None:
            smooth = self.smoothing.forecast(_history(batch, scale), base.shape[1]).unsqueeze(2)
            beyond = torch.where(smooth.isnan(), 0.0, smooth - base)
            base, known = base + beyond / 2, torch.cat([known, beyond], dim=2)
        return Encoded(x, known.float(), base.float(), scale)

    def _naive(self, batch: Batch, scale: Map) -> Tensor:
        """The naive forecast in scaled units `[B, H, 1]`, float64."""
        context, horizon = batch.context, batch.futr.shape[1] - batch.context.shape[1]
        if self.season == 0:
            return context.new_zeros(len(context), horizon, 1, dtype=torch.float64)
        phases = last_of_phase(context, self.season)
        steps = torch.arange(horizon, device=context.device) % self.season
        return torch.nan_to_num(scale.apply_future(phases[:, steps]), nan=0.0)


def with_smoothing(past: Panel, windows: Windows, encoding: Encoding) -> tuple[Windows, Encoding]:
    """Windows that reach far enough back for it, and an encoding with the smoothing that has been closest in the past;
    both as they came where that is hardly closer than the naive forecast (as with prices), where there is no season,
    where the context shows enough of them (ten, or the seven or fourteen of a daily cycle), and where no window tells.

    Measured before the test spans, MASE of two networks without and with it: M3 Monthly .882 and .856, Quarterly 1.096
    and 1.090, tourism (96 quarterly series) .954 and .869, gasoline (weeks) .736 and .709, co2 .383 and .388. Without a
    season, with six horizons looked back: M3 Yearly 3.24 and 3.29, M4 Yearly 3.203 and 3.224.
    """
    season, size = past.season_length, windows.input_size
    split = split_by_time(past, windows.horizon, 0, min(size, 2 * windows.horizon))
    if season == 1 or has_daily_cycle(season) or size >= SEASONS * season or split.n_train == 0:
        return windows, encoding
    wide = replace(windows, earlier=SEASONS * season - size)
    most = min(JUDGED, VALUES // (wide.earlier + size) + 1)
    origins, floors = every_origin(split.train_low, split.train_high, split.floors, most)
    batch = wide.gather(origins.to(windows.values.device), floors.to(windows.values.device))
    seen = encoding.encode(batch)
    target, naive, x = seen.target(batch.target), seen.base.double(), _history(batch, seen.map)
    sizes = (target - naive).nan_to_num(nan=0.0).abs().amax(1, keepdim=True)
    weights = OUTSIZED / sizes.clamp_min(OUTSIZED)

    def error(ahead: Tensor) -> float:
        away = target - torch.where(ahead.isnan().unsqueeze(2), naive, ahead.unsqueeze(2))
        return float((away * weights).nan_to_num(nan=0.0).abs().mean())

    smoothing = Smoothing.closest(x, season, windows.horizon, error)
    if error(smoothing.forecast(x, windows.horizon)) > CLOSER * error(naive.squeeze(2)):
        return windows, encoding
    return wide, replace(encoding, smoothing=smoothing, earlier=wide.earlier)


def _history(batch: Batch, scale: Map) -> Tensor:
    """All of the target that a batch holds before its windows' ends, in scaled units `[B, E + L]`."""
    return scale.apply_future(torch.cat([batch.earlier, batch.context], dim=1)).squeeze(2)


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
