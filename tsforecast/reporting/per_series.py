"""The error of each model on each series: one number each, whatever the number of series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.judging.cubes import Layout
from tsforecast.judging.scores import scores_by_series
from tsforecast.reporting.words import joined, visible
from tsforecast.results import BacktestResult

__all__ = ["PerSeries"]

Floats = npt.NDArray[np.float64]
BY = ("model", "unique_id")


@dataclass(frozen=True, eq=False)
class PerSeries:
    """N series and M models.

    errors   over all origins, `[M, N]`; NaN where there is none
    """

    result: BacktestResult
    errors: Floats

    @classmethod
    def of(cls, result: BacktestResult, metric: str) -> PerSeries:
        """The errors by a metric that needs no quantiles."""
        errors = np.empty((len(result.models), len(Layout.of(result).names)))
        at = 0
        for table in scores_by_series(result, BY, (metric,)):
            own = table[metric].to_numpy(np.float64).reshape(len(errors), -1)
            errors[:, at : at + own.shape[1]] = own
            at += own.shape[1]
        return cls(result, errors)

    def __len__(self) -> int:
        return int(self.errors.shape[1])

    def names(self, places: npt.ArrayLike) -> list[str]:
        """What some of the series are called."""
        found: list[str] = Layout.of(self.result).names.take(np.asarray(places, dtype=np.int64)).to_pylist()
        return found

    def largest(self, model: str, most: int) -> pd.DataFrame:
        """The series with the largest errors of a model, that first: a row each, a column per model."""
        own = self.errors[self.result.models.index(model)]
        places = np.argsort(-own, kind="stable")[:most]  # NaN comes last
        return pd.DataFrame(self.errors[:, places].T, index=self.names(places), columns=list(self.result.models))

    def shown(self, model: str) -> list[tuple[str, str]]:
        """The worst, the median, the best and the first series of a model: `(name, why)`, each once."""
        if len(self) == 1:
            return [(self.names([0])[0], "the only series")]
        own = self.errors[self.result.models.index(model)]
        order = np.argsort(own, kind="stable")[: np.count_nonzero(~np.isnan(own))]
        picks: dict[int, list[str]] = {}
        if len(order):
            middle = [("median", (len(order) - 1) // 2)] if len(order) > 2 else []
            for why, place in (("largest", -1), *middle, ("smallest", 0)):
                picks.setdefault(int(order[place]), []).append(f"{why} error of {visible(model)}")
        picks.setdefault(0, []).append("the first series")
        return [(self.names([place])[0], joined(whys)) for place, whys in picks.items()]

    def wins(self) -> list[tuple[str, int]]:
        """On how many series each model has the smallest error (of equal ones each has it), the most first."""
        known = self.errors[:, ~np.isnan(self.errors).all(axis=0)]
        counts = (known == np.nanmin(known, axis=0, initial=np.inf)).sum(axis=1).tolist()
        wins = [(model, count) for model, count in zip(self.result.models, counts, strict=True) if count]
        return sorted(wins, key=lambda pair: -pair[1])

    def tables(self) -> Iterator[pd.DataFrame]:
        """Every metric per model and series, for some of the series after the other."""
        yield from scores_by_series(self.result, BY)

    def to_dict(self) -> pd.DataFrame:
        """The same as one table."""
        return self.result.scores(BY)
