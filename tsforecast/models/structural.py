"""The forecast of a structural time series model, in closed form: a level that wanders, a trend that may turn or fade,
a season whose pattern may change.

Of a series with a few dozen steps a linear map learns more chance than pattern. These four things are what such series
mostly have, and how fast each of them moves is four numbers to choose, not hundreds.

Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, chapter 4. Its filter's forecasts are
the best linear prediction, which the covariances of all steps give as weights for those that were seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from tsforecast.models.filling import filled

__all__ = ["Structural"]

UNKNOWN = 1e4  # variance of what the first season is like
LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 30.0)
TRENDS = ((0.0, 0.0), (0.0, 1.0), (0.003, 1.0), (0.03, 1.0), (0.3, 1.0), (0.03, 0.9), (0.3, 0.9), (0.3, 0.8))
FIRST = 1.0  # variance of the trend at first, beside that of a step of the level
TURNINGS = (0.0, 0.01, 0.1, 1.0)
FEWEST = 3  # steps that must have been seen; of a season two
LENGTHS = 7  # of what is seen, at most, while a model is chosen: each has weights of its own
ROUNDS = 3  # in which each number is chosen anew


@dataclass(frozen=True)
class Structural:
    """How fast the parts of a series move, as variances beside that of its noise, which is 1.

    season    steps of a cycle; 1: none
    level     of a step of the level
    slope     of a change of the trend, beside `level`
    damping   share of the trend that is left one step later; 0: no trend
    turning   of a change of the pattern of the season, from one to the next
    """

    season: int
    level: float = 0.3
    slope: float = 0.0
    damping: float = 0.0
    turning: float = 0.1
    share: ClassVar[float] = 1.0
    told: ClassVar[str] = "a structural model in place of {naive}"

    @classmethod
    def closest(cls, x: Tensor, season: int, horizon: int, error: Callable[[Tensor], float]) -> Structural:
        """The one, with the season or without, whose forecast `[B, H]` of the steps after x `[B, T]` has the smallest
        error; its numbers are chosen in turn."""
        x, found = _of_few_lengths(x, _fewest(season)), dict[Structural, float]()

        def judged(one: Structural) -> float:
            if one not in found:
                found[one] = error(one.forecast(x, horizon))
            return found[one]

        for cycle in sorted({season, 1}, reverse=True):
            best = cls(cycle)
            for _ in range(ROUNDS):
                before = best
                best = min((replace(best, level=level) for level in LEVELS), key=judged)
                best = min((replace(best, slope=slope, damping=damping) for slope, damping in TRENDS), key=judged)
                if cycle > 1:
                    best = min((replace(best, turning=turning) for turning in TURNINGS), key=judged)
                if best == before:
                    break
        return min(found, key=found.__getitem__)

    def forecast(self, x: Tensor, horizon: int) -> Tensor:
        """The steps `[B, H]` after x `[B, T]` (NaN = not observed; gaps are filled); NaN where fewer than three steps
        lie between the first that was seen and the end, or fewer than two seasons."""
        seen, total = ~x.isnan(), x.shape[1]
        begins = torch.where(seen.any(1), seen.int().argmax(1), total)
        found = x.new_full((len(x), horizon), torch.nan)
        for begin in sorted(set(begins.tolist())):  # as many as there are lengths, not windows
            if total - begin < _fewest(self.season):
                continue
            rows = (begins == begin).nonzero().squeeze(1)
            own = x[rows, begin:]
            if bool(own.sum().isnan()):
                own = filled(own, self.season)
            level = own.mean(1, keepdim=True)
            weights = self._weights(total - begin, total, horizon).to(x.device)
            found[rows] = ((own - level).unsqueeze(2) * weights).sum(1) + level
        return found

    @lru_cache(maxsize=1_024)  # noqa: B019 - of values, which are few and compare by what they are
    def _weights(self, seen: int, most: int, horizon: int) -> Tensor:
        """Of each of the steps seen for each step ahead `[seen, H]`."""
        covariance, factor = self._covariance(most + horizon)
        return torch.cholesky_solve(covariance[:seen, seen : seen + horizon], factor[:seen, :seen])

    @lru_cache(maxsize=4)  # noqa: B019
    def _covariance(self, steps: int) -> tuple[Tensor, Tensor]:
        """Of so many steps, and its lower factor; of fewer steps both are the upper left part of these."""
        t = torch.arange(steps, dtype=torch.float64)
        season, phase = (t / self.season).floor(), t % self.season
        found = UNKNOWN + self.level * torch.minimum(t[:, None], t)
        if self.damping:
            since = (t - t[:, None]).clamp_min(0)
            rise = since if self.damping == 1 else self.damping * (1 - self.damping**since) / (1 - self.damping)
            changes = torch.full_like(t, self.slope)
            changes[0] = FIRST
            found += self.level * rise.T @ (changes[:, None] * rise)
        if self.season > 1:
            same = UNKNOWN + self.turning * torch.minimum(season[:, None], season)
            found += torch.where(phase[:, None] == phase, same, 0.0)
        found += torch.eye(steps, dtype=torch.float64)
        return found, torch.linalg.cholesky(found)


def _fewest(season: int) -> int:
    return max(2 * season, FEWEST) if season > 1 else FEWEST


def _of_few_lengths(x: Tensor, least: int) -> Tensor:
    """x `[B, T]` without its first steps, where so many are seen that the lengths of all are a few."""
    total = x.shape[1]
    if total <= least:
        return x
    seen = ~x.isnan()
    lengths = torch.where(seen.any(1), total - seen.int().argmax(1), 0)
    kept = torch.logspace(0, 1, LENGTHS, base=total / least, dtype=torch.float64, device=x.device) * least
    kept = kept.round().long()
    at = torch.searchsorted(kept, lengths, right=True) - 1
    wanted = torch.where(at >= 0, kept[at.clamp_min(0)], lengths)
    place = torch.arange(total, device=x.device)
    return torch.where(place < total - wanted[:, None], torch.nan, x)
