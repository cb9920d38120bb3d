"""What the members of a model of several have answered, each in a task of its own, as the one answer of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from tsforecast.contract import Forecast
from tsforecast.ensemble import mean_forecast
from tsforecast.folds import Fold
from tsforecast.running.answering import Said
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.parts import Part
from tsforecast.running.queue import Store

__all__ = ["Together", "answers_of"]


@dataclass(frozen=True, eq=False)
class Together:
    """The answers of all members for the same series and folds, by name. Read member by member, fold by fold."""

    members: Mapping[str, Said | Part]

    def forecast(self, place: int, fold: Fold) -> Forecast:
        """That of the fold at this place of the group."""
        return mean_forecast({name: said.forecast(place, fold) for name, said in self.members.items()})

    @property
    def fit_seconds(self) -> float:
        """Of all of them."""
        return sum(said.fit_seconds for said in self.members.values())

    @property
    def predict_seconds(self) -> float:
        """Of all of them."""
        return sum(said.predict_seconds for said in self.members.values())

    @property
    def curves(self) -> pd.DataFrame | None:
        """Losses while they were trained, one member after the other."""
        found = [said.curves for said in self.members.values() if said.curves is not None]
        return pd.concat(found, ignore_index=True) if found else None


def answers_of(job: Job, store: Store, model: str, fold: int) -> list[tuple[Stretch, Said | Part | Together]]:
    """What a model answered at a fit, in the order of the series: each of them in one of these."""
    tasks, members = store.done(model, fold), job.members[model]
    series = sum(task.last - task.first for task in tasks)
    assert series == len(job.panel) * len(members), f"{model}, fold {fold}: unfinished"
    answers = [store.answer(task) for task in tasks]
    if len(members) == 1:
        return list(zip(tasks, answers, strict=True))
    return [(tasks[0], Together(dict(zip(members, answers, strict=True))))]  # each has answered for all series
