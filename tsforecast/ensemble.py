"""Several models as one, whose forecast is the mean of theirs: the one place where it is made, whoever fitted them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.contract import Failure, FittedModel, Forecast, Forecaster
from tsforecast.panel import View

__all__ = ["FittedEnsemble", "mean_forecast", "members_of"]

Member = TypeVar("Member", bound=FittedModel)
Floats = npt.NDArray[np.float64]


def members_of(recipe: Forecaster) -> dict[str, Forecaster]:
    """The models that a recipe is the mean of, by name; itself, without a name, where it does not say so."""
    own: Any = getattr(recipe, "members", None)
    return (dict(own()) if callable(own) else {}) or {"": recipe}


@dataclass(frozen=True, eq=False)
class FittedEnsemble(FittedModel, Generic[Member]):
    """Fitted models, at least one, by name. `curves` are the losses of all of them."""

    horizon: int
    members: Mapping[str, Member]
    curves: pd.DataFrame

    def _predict(self, views: list[View]) -> list[Forecast]:
        told = [member.predict(views) for member in self.members.values()]
        return [mean_forecast(dict(zip(self.members, each, strict=True))) for each in zip(*told, strict=True)]


def mean_forecast(members: Mapping[str, Forecast]) -> Forecast:
    """The mean of what each member says of the same series and steps; of one alone, what it says.

    Sums go in the order of the members, so equal members give equal bits. A series that any of them could not forecast
    has no forecast, with the name of the first of these before its reason where not all say the same.
    """
    first, *others = members.values()
    if not others:
        return first
    levels = tuple(sorted({q for member in members.values() for q in member.levels}))
    point = _mean([member.point for member in members.values()])
    points = np.stack([member.point for member in members.values()])
    points[:, np.isnan(point).any(axis=1)] = np.nan
    return replace(
        first,
        point=point,
        levels=levels,
        quantiles=_mean([member.at(levels) for member in members.values()]),
        failures=_failures(first.ids, {name: dict(member.failures) for name, member in members.items()}),
        notes=tuple(dict.fromkeys(note for member in members.values() for note in member.notes)),
        members=points,
    )


def _mean(numbers: Sequence[Floats]) -> Floats:
    """Nowhere outside of what was said, as rounding alone could be: the mean of three times the same is the same, and
    quantiles that do not cross do not cross in the mean."""
    mean = reduce(np.add, numbers) / len(numbers)
    return np.clip(mean, reduce(np.minimum, numbers), reduce(np.maximum, numbers))


def _failures(ids: Sequence[str], reasons: Mapping[str, Mapping[str, str]]) -> tuple[Failure, ...]:
    """Of the series that any member failed on, in the order of `ids`. reasons: member -> series -> why."""

    def why(key: str) -> str:
        found = {name: own[key] for name, own in reasons.items() if key in own}
        (name, words), *_ = found.items()
        return words if len(found) == len(reasons) and len(set(found.values())) == 1 else f"{name}: {words}"

    lost = {key for own in reasons.values() for key in own}
    return tuple(Failure(key, why(key)) for key in ids if key in lost)
