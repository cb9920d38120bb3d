"""A run that is kept nowhere but in memory: the same questions as to a run folder."""

from __future__ import annotations

from collections.abc import Sequence

from tsforecast.folds import Fold
from tsforecast.running.answering import Said
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch

__all__ = ["InMemory"]


class InMemory:
    """Finished tasks with what was said in them."""

    def __init__(self) -> None:
        self._said: dict[Stretch, Said] = {}

    def done(self, model: str, fold: int) -> list[Stretch]:
        """Finished tasks of a model at a fit, in the order of their series and members."""
        return sorted(task for task in self._said if task[:2] == (model, fold))

    def begun(self) -> list[tuple[Stretch, int]]:
        """Nothing is left over from before."""
        return []

    def begin(self, job: Job, task: Stretch) -> None:
        """A task runs."""

    def let_go(self, task: Stretch) -> None:
        """It does not."""

    def keep(self, job: Job, task: Stretch, folds: Sequence[Fold], said: Said) -> None:
        """It is finished."""
        self._said[task] = said

    def answer(self, task: Stretch) -> Said:
        """What a finished task answered."""
        return self._said[task]

    def levels(self) -> list[float]:
        """Every quantile level that was answered."""
        return sorted({q for said in self._said.values() for q in said.levels})
