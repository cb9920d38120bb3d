"""Statistics of windows `[B, L, C]` along time (axis 1), where NaN = not observed.

Every function takes and returns float64, keeps the time axis, and answers a finite number for a window without any
observation. Each window has its own statistics: on a CPU a window alone and the same window in a batch have the same
bits (up to 32,767 steps; of longer ones torch may split a lone sum among threads).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "EPS",
    "ROUNDING",
    "extremes",
    "fences",
    "largest",
    "last_of_phase",
    "mean_and_std",
    "quartiles",
    "relative_level",
    "steady",
    "usable",
]

FAR_OUT = 3.0  # ranges between the quartiles
NEAR = 4.0  # standard deviations between a window's mean and zero
EPS = torch.finfo(torch.float64).eps
ROUNDING = 64 * EPS
"""A spread of this share of the level is rounding, not movement: `np.std([0.1] * 60)` is 4e-17, not 0."""


def usable(spread: Tensor, level: Tensor, otherwise: Tensor | float = 1.0) -> Tensor:
    """A spread to divide by: itself, or `otherwise` where it is but the rounding of numbers of size `level`.

    Any value of the window will do for `level`: where the spread is rounding, they are all of one size.
    """
    return torch.where(spread > ROUNDING * level.abs(), spread, otherwise)


def mean_and_std(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population standard deviation `[B, 1, C]`; 0 and 0 for a window without observations.

    The corrected two-pass algorithm (Chan, Golub & LeVeque 1983, eq. 1.7): no digits are lost at a level of 1e12.
    """
    x = x.contiguous()  # the order of a sum follows the layout
    mean, std = _mean_and_std(x, None, x.shape[1])
    gaps = mean.isnan().flatten(1).any(1).nonzero().squeeze(1)
    if len(gaps):  # to look for them in every window takes longer than the sums
        some = x[gaps]
        seen = ~some.isnan()
        mean[gaps], std[gaps] = _mean_and_std(some, seen, seen.sum(1, keepdim=True).clamp_(min=1))
    return mean, std


def _mean_and_std(x: Tensor, seen: Tensor | None, count: Tensor | int) -> tuple[Tensor, Tensor]:
    """Of the steps that were seen; None: of all."""
    rough = (x if seen is None else torch.where(seen, x, 0.0)).sum(1, keepdim=True) / count
    away = x - rough if seen is None else torch.where(seen, x - rough, 0.0)
    rest = away.sum(1, keepdim=True) / count
    variance = away.square_().sum(1, keepdim=True) / count - rest * rest
    return rough + rest, variance.clamp_(min=0.0).sqrt_()


def relative_level(mean: Tensor, std: Tensor) -> Tensor:
    """How far from zero a window of that mean and standard deviation `[B, 1, C]` lies, in the latter: tanh(mean / std /
    4), within -1 and 1. It has no units, and from eight standard deviations on zero is far.

    A window that does not move is at 1 or -1, one of zeros (or without observations) at 0.
    """
    return (mean / std.clamp_min(torch.finfo(std.dtype).tiny)).div_(NEAR).tanh_()


class Quartiles(NamedTuple):
    """The three quartiles, each `[B, 1, C]`."""

    lower: Tensor
    median: Tensor
    upper: Tensor


def quartiles(x: Tensor) -> Quartiles:
    """Quartiles by linear interpolation between order statistics (numpy's default); 0 without observations."""
    ranked = x.sort(dim=1).values  # NaN come last
    count = (~x.isnan()).sum(1, keepdim=True)
    ranked = torch.where(count > 0, ranked, 0.0)
    found = []
    for share in (0.25, 0.5, 0.75):
        place = share * (count - 1).clamp(min=0).double()
        low = ranked.gather(1, place.floor().long())
        high = ranked.gather(1, place.ceil().long())
        found.append(low + (high - low) * place.frac())
    return Quartiles(*found)


def fences(x: Tensor) -> tuple[Tensor, Tensor]:
    """Low and high `[B, 1, C]`, beyond which a value is far out: three ranges between the quartiles outside of these
    (Tukey 1977). Where the middle half of a window is but one value, nothing is far out."""
    lower, _, upper = quartiles(x)
    room = usable(FAR_OUT * (upper - lower), upper, torch.inf)
    return lower - room, upper + room


def extremes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest observed value `[B, 1, C]`; inf and -inf for a window without observations."""
    if x.shape[1] and not bool(x.sum().isnan()):
        return x.amin(1, keepdim=True), x.amax(1, keepdim=True)
    seen = ~x.isnan()
    low = torch.where(seen, x, torch.inf).amin(1, keepdim=True)
    high = torch.where(seen, x, -torch.inf).amax(1, keepdim=True)
    return low, high


def largest(x: Tensor) -> Tensor:
    """Largest absolute value `[B, 1, C]`, 0 without observations."""
    return x.abs().nan_to_num_(nan=0.0).amax(1, keepdim=True)


def last_of_phase(x: Tensor, season_length: int, missing: float = 0.0) -> Tensor:
    """The last observed value of each phase `[B, season_length, C]`; the first one is the phase of the step to come.

    A phase that was never observed takes the last observed value of any phase; a window without observations takes
    `missing`. With `season_length=1` it is the last observed value.
    """
    if x.shape[1] < season_length:
        return _searched(x, season_length, missing)
    last = x[:, -season_length:].clone()
    holes = last.isnan().flatten(1).any(1)
    if bool(holes.any()):
        last[holes] = _searched(x[holes], season_length, missing)
    return last


def _searched(x: Tensor, season_length: int, missing: float) -> Tensor:
    """The last of each phase of windows whose last season has holes, or is cut off."""
    batch, length, channels = x.shape
    seasons = -(-length // season_length)
    short = seasons * season_length - length
    if short:
        x = torch.cat([x.new_full((batch, short, channels), torch.nan), x], dim=1)
    table = x.view(batch, seasons, season_length, channels)
    number = torch.arange(seasons, device=x.device).view(1, seasons, 1, 1)
    latest = torch.where(table.isnan(), -1, number).amax(1, keepdim=True)
    found = table.gather(1, latest.clamp(min=0)).squeeze(1)
    other = x.new_tensor(missing) if season_length == 1 else last_of_phase(x, 1, missing)
    return torch.where(latest.squeeze(1) >= 0, found, other)


def steady(x: Tensor, level: Tensor) -> Tensor:
    """`x` with every window that moves by no more than the rounding of numbers of size `level` made exactly constant.

    A subtraction takes away the level that tells rounding from movement: the differences of 0.1, 0.2, 0.3, ... are
    0.1 give or take 1e-17, and scaling those by their spread would blow rounding up to the size of a signal.
    """
    low, high = extremes(x)
    flat = high - low <= ROUNDING * level
    return torch.where(flat & ~x.isnan(), (low + high) / 2, x) if bool(flat.any()) else x
