"""All that the tasks of a run share, in whatever process they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tsforecast.folds import Fold, Plan, make_folds
from tsforecast.forecast import Forecaster
from tsforecast.panel import Panel
from tsforecast.running.answering import Said, answer, is_local
from tsforecast.running.chunks import chunk, fit_groups
from tsforecast.running.keys import digest_of, model_settings, task_key
from tsforecast.running.ledger import Stretch
from tsforecast.running.numerics import numerics, pinned

__all__ = ["Job"]


@dataclass(frozen=True, eq=False)
class Job:
    """One backtest: every model at every fold.

    recipes  name -> model
    plan     settled for the panel
    threads  of every task
    """

    panel: Panel
    recipes: Mapping[str, Forecaster]
    plan: Plan
    threads: int = 1

    @cached_property
    def folds(self) -> list[Fold]:
        """All of them, oldest first."""
        return make_folds(self.panel, self.plan)

    @cached_property
    def groups(self) -> dict[int, list[Fold]]:
        """The folds that share a fit, by the number of the one it is made at."""
        return {group[0].number: group for group in fit_groups(self.folds)}

    def tasks(self) -> list[Stretch]:
        """Every model at every fit, over all series: the largest tasks there could be, in the order of the result."""
        return [Stretch(model, fold, 0, len(self.panel)) for model in self.recipes for fold in self.groups]

    def is_local(self, task: Stretch) -> bool:
        """Whether the task can be cut into tasks for fewer series."""
        return is_local(self.recipes[task.model])

    def folds_of(self, task: Stretch) -> list[Fold]:
        """The folds of a task, with its series alone."""
        return chunk(self.groups[task.fold], task.first, task.last)

    def answer(self, task: Stretch, folds: list[Fold]) -> Said:
        """What the model says."""
        with pinned(self.threads):
            return answer(self.recipes[task.model], folds)

    def key(self, model: str, folds: list[Fold]) -> str:
        """The key of the model's task for these folds."""
        return task_key(self._digests[model], folds)

    def origin(self, fold: int) -> str:
        """The cutoffs of the folds that are fitted at this one."""
        return self._origins[fold]

    @cached_property
    def _origins(self) -> dict[int, str]:
        def cutoff(fold: Fold) -> str:
            return self.panel.freq.show(self.panel.times[fold.ends[fold.rows] - 1].max())

        each = {first: (cutoff(group[0]), cutoff(group[-1])) for first, group in self.groups.items()}
        return {first: " to ".join(dict.fromkeys(both)) for first, both in each.items()}

    @cached_property
    def _digests(self) -> dict[str, str]:
        profile = numerics(self.threads)
        return {name: digest_of([model_settings(recipe), profile]) for name, recipe in self.recipes.items()}
