"""Structural time series models, each a sum of parts that move: a level that wanders, a trend that may turn or fade, a
season whose pattern may change; of days also a week, and what passes within hours.

Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, chapter 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["Structural", "candidates", "candidates_of_days"]

UNKNOWN = 1e4  # variance of what the first season is like
LEVELS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 30.0)
TRENDS = ((0.0, 0.0), (0.0, 1.0), (0.003, 1.0), (0.03, 1.0), (0.3, 1.0), (0.03, 0.9), (0.3, 0.9), (0.3, 0.8))
FIRST = 1.0  # variance of the trend at first, beside that of a step of the level
TURNINGS = (0.0, 0.01, 0.1, 1.0)
FEWEST = 3  # steps that must have been seen; of a cycle two
HOURS, DAYS, WEEKS = 24, 7, 3  # of a day, of a week, and so many that must be looked back at to tell one
MOVES = (
    *((0.0, 0.0, 0.0), (0.1, 0.0, 0.0)),
    *((0.0, 1.0, 0.7), (0.0, 10.0, 0.9), (1.0, 10.0, 0.9), (1.0, 30.0, 0.97)),
)
"""Of days: variances of a step of the level and of what passes, and the share of that that is left an hour later."""
TURNINGS_OF_DAYS = (0.0, 0.1)


@dataclass(frozen=True)
class Structural:
    """How fast the parts of a series move, as variances beside that of its noise, which is 1.

    season    steps of a cycle; 1: none
    level     of a step of the level
    slope     of a change of the trend, beside `level`
    damping   share of the trend that is left one step later; 0: no trend
    turning   of a change of the pattern of the season, from one to the next
    week      steps of a longer cycle; 1: none. A model that has no pattern of it is asked where one that has is
    weekly    of a change of the pattern of the week; None: it has none
    passing   of a part that comes and goes
    fading    share of that part that is left one step later
    """

    season: int
    level: float = 0.3
    slope: float = 0.0
    damping: float = 0.0
    turning: float = 0.1
    week: int = 1
    weekly: float | None = None
    passing: float = 0.0
    fading: float = 0.0

    @property
    def fewest(self) -> int:
        """Steps that must have been seen."""
        return max(2 * self._cycle, FEWEST) if self._cycle > 1 else FEWEST

    @property
    def first(self) -> int:
        """The first step of which the model can say anything."""
        return self._cycle + 1 if self._cycle > 1 else FEWEST - 1

    @property
    def _cycle(self) -> int:
        return max(self.season, self.week)

    def covariance(self, steps: int) -> Tensor:
        """Of so many steps `[steps, steps]`."""
        t = torch.arange(steps, dtype=torch.float64)
        found = UNKNOWN + self.level * (torch.minimum(t[:, None], t) + _drift(self.slope, self.damping, steps))
        if self.season > 1:
            found += _pattern(t, self.season, self.turning)
        if self.weekly is not None:
            found += _pattern(t, self.week, self.weekly)
        if self.passing:
            found += self.passing * self.fading ** (t[:, None] - t).abs()
        return found + torch.eye(steps, dtype=torch.float64)


def _pattern(t: Tensor, cycle: int, turning: float) -> Tensor:
    """Covariance of a pattern over steps t, each of whose phases moves from one cycle to the next."""
    number, phase = (t / cycle).floor(), t % cycle
    same = UNKNOWN + turning * torch.minimum(number[:, None], number)
    return torch.where(phase[:, None] == phase, same, 0.0)


@lru_cache(maxsize=16)
def _drift(slope: float, damping: float, steps: int) -> Tensor:
    """Covariance `[steps, steps]` of where a trend has led to, beside a step of the level; kept, since many models
    have the same trend."""
    if not damping:
        return torch.zeros(steps, steps, dtype=torch.float64)
    t = torch.arange(steps, dtype=torch.float64)
    since = (t - t[:, None]).clamp_min(0)
    rise = since if damping == 1 else damping * (1 - damping**since) / (1 - damping)
    changes = torch.full_like(t, slope)
    changes[0] = FIRST
    return rise.T @ (changes[:, None] * rise)


def candidates(season: int) -> list[Structural]:
    """Every model with this season and without one."""
    return [
        Structural(cycle, level, slope, damping, turning)
        for cycle in sorted({season, 1})
        for level in LEVELS
        for slope, damping in TRENDS
        for turning in (TURNINGS if cycle > 1 else TURNINGS[:1])
    ]


def candidates_of_days(day: int, steps: int) -> list[Structural]:
    """Every model of hours or minutes with `day` steps a day, for windows of so many; with a week, and without one,
    where these show three. Without a trend, which days do not keep."""
    week = DAYS * day if steps >= WEEKS * DAYS * day else 1
    return [
        Structural(
            day, level, turning=turning, week=week, weekly=weekly, passing=passing, fading=fading ** (HOURS / day)
        )
        for level, passing, fading in MOVES
        for turning in TURNINGS_OF_DAYS
        for weekly in ((None, 0.0) if week > 1 else (None,))
    ]
