"""Exponential smoothing of more of the past than a context holds: a season averaged over years, a level over the latest
steps, a part of the trend.

What a linear map or a network can learn of a short series is little, and of that the season before says less than the
mean of ten; so the two correct the mean of the naive forecast and of this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["SEASONS", "Smoothing", "pattern"]

SEASONS = 10  # looked back
OBSERVED, GAPPY = 0.75, 0.4  # of a season that counts: of the first one that was seen, and of one with gaps after it
BALANCED = 3  # times that a season with gaps is put at the level of the others
ENOUGH = 2  # seasons
LEVELS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0)
SLOPES = (0.0, 0.25, 0.5, 1.0)
FADINGS = (1.0, 0.8, 0.5)


@dataclass(frozen=True)
class Smoothing:
    """Additive exponential smoothing in closed form, with the same weights for all windows.

    season   steps of a cycle; 1: none is taken out
    level    weight of the latest value in the level, (1 - level) times as much for each step before it; 1: the last
    slope    share of the trend, a straight line through all that is seen, that goes on
    fading   weight of a season beside the one after it
    """

    season: int
    level: float
    slope: float
    fading: float = 1.0

    @classmethod
    def closest(cls, x: Tensor, season: int, horizon: int, errors: Callable[[Tensor], Tensor]) -> Smoothing:
        """The one, with the season or without, whose forecast of the steps after x `[B, T]` has the smallest error.

        errors   of N forecasts `[N, B, H]`, which differ in their slope
        """
        found, seen = dict[Smoothing, float](), ~x.isnan()
        slopes = x.new_tensor(SLOPES).view(-1, 1, 1)
        for cycle, fading in (*((season, fading) for fading in FADINGS), (1, 1.0)):
            parts = _taken_apart(x, seen, cycle, fading, rising=True)
            for level in LEVELS:
                each = [cls(cycle, level, slope, fading) for slope in SLOPES]
                ahead = _ahead(parts, _latest(parts, level), slopes, horizon)
                found.update(zip(each, errors(ahead).tolist(), strict=True))
        return min(found, key=found.__getitem__)

    def forecast(self, x: Tensor, horizon: int) -> Tensor:
        """The steps `[B, H]` after x `[B, T]` (NaN = not observed); NaN where nothing was seen, or no season where
        there should be one."""
        gaps, every = x.sum(1).isnan(), torch.ones_like(x[:1], dtype=torch.bool)
        if not bool(gaps.any()):
            return self._after(x, every, horizon)
        found = x.new_empty(len(x), horizon)
        found[~gaps] = self._after(x[~gaps], every, horizon)
        found[gaps] = self._after(x[gaps], ~x[gaps].isnan(), horizon)  # weights of their own take longer than the sums
        return found

    def _after(self, x: Tensor, seen: Tensor, horizon: int) -> Tensor:
        """Of windows of which these steps were seen: the same of all (`[1, T]`) or of each (`[B, T]`)."""
        parts = _taken_apart(x, seen, self.season, self.fading, rising=self.slope > 0)
        return _ahead(parts, _latest(parts, self.level), self.slope, horizon)


class _Parts(NamedTuple):
    """Windows `[B, T]` taken apart."""

    pattern: Tensor  # [B, season], the phase of the step to come first
    rest: Tensor  # [B, T] without it, 0 where not observed
    seen: Tensor  # [B, T], or [1, T] of all
    slope: Tensor  # [B, 1], of a step; 0 where it is not asked for


class _Latest(NamedTuple):
    """Of windows, each `[B, 1]`."""

    level: Tensor
    when: Tensor  # its mean place among the steps; [1, 1] where it is that of all


def _taken_apart(x: Tensor, seen: Tensor, season: int, fading: float, *, rising: bool) -> _Parts:
    cycle = pattern(x, seen, season, fading) if season > 1 else x.new_zeros(len(x), 1)
    place = torch.arange(x.shape[1], device=x.device)
    rest = x - cycle[:, (place - x.shape[1]) % season]
    if len(seen) == len(x):
        rest.masked_fill_(~seen, 0.0)
    slope = _slope(rest, place.double(), seen) if rising else rest.new_zeros(len(x), 1)
    return _Parts(cycle, rest, seen, slope)


def _latest(parts: _Parts, level: float) -> _Latest:
    """Weights fall from the last step that was seen; NaN where none was."""
    place = torch.arange(parts.rest.shape[1], device=parts.rest.device)
    powers = (1 - level) ** place.double()
    if bool(parts.seen[:, -1].all()):  # as nearly always: a row of weights, not a table of them
        weights = powers.flip(0) * parts.seen
    else:
        last = torch.where(parts.seen, place, -1).amax(1, keepdim=True)
        weights = powers[(last - place).clamp_min(0)] * parts.seen
    total = weights.sum(1, keepdim=True)
    return _Latest((weights * parts.rest).sum(1, keepdim=True) / total, (weights * place).sum(1, keepdim=True) / total)


def _ahead(parts: _Parts, latest: _Latest, slope: float | Tensor, horizon: int) -> Tensor:
    """The steps to come `[B, H]`; with slopes `[N, 1, 1]`, of each `[N, B, H]`."""
    steps = torch.arange(horizon, device=parts.rest.device)
    rise = slope * (parts.slope * (parts.rest.shape[1] + steps - latest.when))
    return latest.level + rise + parts.pattern[:, steps % parts.pattern.shape[1]]


def _slope(x: Tensor, place: Tensor, seen: Tensor) -> Tensor:
    """Of a line by least squares through x `[B, T]` at `place` `[T]`, where seen; 0 through a single point."""
    count = seen.sum(1, keepdim=True).clamp_min(1)
    away = torch.where(seen, place - (place * seen).sum(1, keepdim=True) / count, 0.0)
    return (away * x).sum(1, keepdim=True) / away.square().sum(1, keepdim=True).clamp_min(1e-9)


def _phases(table: Tensor, mean: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean `[B, season]` of each phase's distance from the `mean` `[B, seasons]` of its season."""
    return ((table - mean.unsqueeze(2)) * weights).sum(1) / weights.sum(1).clamp_min(1e-9)


def pattern(x: Tensor, seen: Tensor, season: int, fading: float) -> Tensor:
    """The mean distance `[B, season]` of each phase from the mean of its season, without the drift within one.

    NaN with fewer than two seasons, a phase that was never seen is 0. The mean of a season with gaps is that of the
    phases that were seen, less what the pattern says of these: else a week without its Sunday would lie too high.
    """
    seasons = -(-x.shape[1] // season)
    before = seasons * season - x.shape[1], 0
    seen = pad(seen, before).view(-1, seasons, season)
    steps = seen.sum(2)  # [B, seasons]
    begun = steps.cumsum(1) > steps
    counts = steps >= torch.where(begun, GAPPY, OBSERVED) * season
    partly = counts & begun & (steps < season)
    seen = seen & counts.unsqueeze(2)
    table = torch.where(seen, pad(x, before).view(-1, seasons, season), 0.0)
    mean = table.sum(2) / seen.sum(2).clamp_min(1)  # [B, seasons]
    age = torch.arange(seasons - 1, -1, -1, device=x.device).double()
    weights = (fading**age)[:, None] * seen
    sure = counts & ~partly
    sure = torch.where(sure.sum(1, keepdim=True) >= ENOUGH, sure, counts)
    level, found = mean, _phases(table, mean, weights * sure.unsqueeze(2))
    for _ in range(BALANCED if bool(partly.any()) else 0):
        told = (found.unsqueeze(1) * seen).sum(2) / seen.sum(2).clamp_min(1)
        mean = torch.where(partly, level - told, level)
        found = _phases(table, mean, weights)
    drift = _slope(mean, -age, counts) / season
    phase = torch.arange(season, device=x.device)
    found = found - drift * (phase - (season - 1) / 2)
    return torch.where(counts.sum(1, keepdim=True) >= ENOUGH, found, torch.nan)
