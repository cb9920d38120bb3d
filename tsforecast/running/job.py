"""All that the tasks of a run share, in whatever process they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tsforecast.contract import Forecaster
from tsforecast.ensemble import members_of
from tsforecast.folds import Fold, Plan, make_folds
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

    @cached_property
    def members(self) -> dict[str, dict[str, Forecaster]]:
        """Of each model the recipes that are fitted, by name, each in tasks of its own: one where it is not several.

        A local model is one: it is cut by series.
        """
        return {name: {"": own} if is_local(own) else members_of(own) for name, own in self.recipes.items()}

    def tasks(self) -> list[Stretch]:
        """Every member at every fit, over all series: the largest tasks there could be, in the order of the result."""
        n = len(self.panel)
        return [
            Stretch(model, fold, 0, n, member)
            for model, members in self.members.items()
            for fold in self.groups
            for member in range(len(members))
        ]

    def share(self, task: Stretch) -> float:
        """Of the whole work, every model counting alike."""
        series = (task.last - task.first) / len(self.panel)
        return series / len(self.members[task.model]) / len(self.groups) / len(self.recipes)

    def is_local(self, model: str) -> bool:
        """Whether the model's tasks can be cut into tasks for fewer series."""
        return is_local(self.recipes[model])

    def folds_of(self, task: Stretch) -> list[Fold]:
        """The folds of a task, with its series alone."""
        return chunk(self.groups[task.fold], task.first, task.last)

    def answer(self, task: Stretch, folds: list[Fold]) -> Said:
        """What the model, or the member of it, says."""
        _, recipe = self._member(task)
        with pinned(self.threads):
            return answer(recipe, folds)

    def name(self, task: Stretch) -> str:
        """Of what is fitted, for messages."""
        return f"{task.model} {self._member(task)[0]}".rstrip()

    def key(self, task: Stretch, folds: list[Fold]) -> str:
        """The key of a task, whose folds these are."""
        return task_key(self._digests[task.model][task.member], folds)

    def _member(self, task: Stretch) -> tuple[str, Forecaster]:
        return list(self.members[task.model].items())[task.member]

    def origin(self, fold: int) -> str:
        """The cutoffs of the folds that are fitted at this one."""
        return self._origins[fold]

    @cached_property
    def _origins(self) -> dict[int, str]:
        def cutoff(fold: Fold) -> str:
            return self.panel.freq.show(self.panel.times[fold.ends[fold.rows] - 1].max())

        each = {first: (cutoff(group[0]), cutoff(group[-1])) for first, group in self.groups.items()}
        self.panel.let_go()
        return {first: " to ".join(dict.fromkeys(both)) for first, both in each.items()}

    @cached_property
    def _digests(self) -> dict[str, list[str]]:
        profile = numerics(self.threads)
        return {
            model: [digest_of([model_settings(recipe), profile]) for recipe in members.values()]
            for model, members in self.members.items()
        }
