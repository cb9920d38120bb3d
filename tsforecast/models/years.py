"""How the same days of earlier years went on from the days before them.

A context of days is weeks long, and says nothing of what comes every year: the summer of a temperature, the Christmas
of a shop. One day a year ago is mostly chance, so that each is taken with its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import avg_pool1d

from tsforecast.models.weeks import faded_mean
from tsforecast.windows import Earlier

__all__ = ["YEARS", "Years"]

YEARS = 5  # looked back, at most
FADING = 0.9  # weight of a year beside the one after it
LEVEL = 2  # weeks before the same day, whose mean is what a year is compared to


@dataclass(frozen=True)
class Years:
    """The mean, over years, of how far each step of the horizon was from the mean of the two weeks before.

    week    steps of a week
    years   looked back
    """

    week: int
    years: int = YEARS
    closer: ClassVar[float] = 0.99
    """Share of the error of a map without it, below which it is taken: years are few, and 1 % may be chance."""

    @property
    def year(self) -> int:
        """Whole weeks, so that a Monday is compared to Mondays."""
        return 52 * self.week

    @property
    def furthest(self) -> int:
        """Steps ahead of which it can tell: from there on the neighbours of a day a year ago are not known yet."""
        return self.year - self.week

    @property
    def told(self) -> str:
        """In a line of a report."""
        return f"earlier years: {self.years}"

    def earlier(self, horizon: int) -> Earlier:
        """What is looked at: two weeks, the horizon after them and a week more, as they were each of the years
        before."""
        before = LEVEL * self.week
        return Earlier(self.year + before, before + horizon + self.week, self.year, self.years)

    def missed(self, stretches: Tensor, horizon: int) -> Tensor:
        """`[B, H]`, of `stretches` `[B, steps, years]`, the latest year first (NaN = not observed); NaN where no year
        was seen."""
        years = stretches.transpose(1, 2)  # [B, years, steps]: as they lie in memory
        seen = (~years.isnan()).to(years.dtype)
        values = years.nan_to_num(nan=0.0)
        before = LEVEL * self.week
        level = values[:, :, :before].sum(2, keepdim=True) / seen[:, :, :before].sum(2, keepdim=True)
        around = 2 * self.week + 1
        mean, share = (avg_pool1d(part[:, :, before - self.week :], around, stride=1) for part in (values, seen))
        return faded_mean(mean / share - level, FADING)  # NaN where one of the two is: 0 / 0
