"""A model under audit: built, shortened where it offers to be, and fitted once for each data it is given."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tsforecast.auditing.state import Leaf, state
from tsforecast.auditing.worlds import World
from tsforecast.contract import Forecaster
from tsforecast.panel import Panel

__all__ = ["Fit", "Model", "Subject"]

Model = Forecaster | Callable[[Panel], Forecaster]


class Fit(NamedTuple):
    """A fitted model, for which series, and what it holds; or why there is none, and whether it was at least built."""

    fitted: Any = None
    ids: Sequence[str] = ()
    state: Mapping[str, Leaf] = {}
    error: Exception | None = None
    built: bool = True


@dataclass(frozen=True, eq=False)
class Subject:
    """A model under audit.

    make      a recipe that nobody has used, for a world's panel
    own       whether it is built from the panel, and so sees all of it
    remark    how it was shortened, for the sentence
    fits      what was fitted so far, by the data: a model that is given equal arrays is fitted once
    """

    make: Callable[[Panel], Any]
    own: bool
    remark: list[str] = field(default_factory=list)
    fits: dict[str, Fit] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, full: bool) -> Subject:
        """From a recipe, or from a function that builds one; `full` keeps their training as long as it is."""
        remark: list[str] = []

        def shortened(recipe: Any) -> Any:
            brief = None if full else getattr(recipe, "brief", None)
            if not callable(brief):
                return recipe
            short = brief()
            if short == recipe:
                return recipe
            steps = getattr(getattr(short, "training", None), "max_steps", None)
            if not remark:
                remark.append("trained briefly" if steps is None else f"networks trained for {steps} steps")
            return short

        if not isinstance(model, Forecaster):
            return cls(lambda panel: shortened(model(panel)), True, remark)
        recipe = shortened(model)
        return cls(lambda panel: _copied(recipe), False, remark)

    def fit(self, world: World, first: int) -> Fit:
        """Fit a fresh recipe at fold `first` in a world."""
        try:
            key = _digest(world.fold(first).training) + (_digest(world.panel) if self.own else "")
        except Exception as error:
            return Fit(error=error)
        if key not in self.fits:
            try:
                recipe = self.make(world.panel)
            except Exception as error:  # the user's code
                self.fits[key] = Fit(error=error, built=False)
            else:
                self.fits[key] = fit(recipe, world, first)
        return self.fits[key]


def fit(recipe: Any, world: World, first: int) -> Fit:
    """Fit at fold `first`, as the backtest does."""
    try:
        training = world.fold(first).training
        fitted = recipe.fit(training, world.folds[first].plan.reach)
    except Exception as error:
        return Fit(error=error)
    return Fit(fitted, training.ids, state(fitted, (training.values, training.times, training.hist, training.futr)))


def _copied(recipe: Any) -> Any:
    try:
        return copy.deepcopy(recipe)
    except Exception:  # it holds what cannot be copied, such as a lock: then it is used as it is
        return recipe


def _digest(panel: Panel) -> str:
    """Of everything that lies in reach of a panel's arrays, also outside its series."""
    found = hashlib.sha256(repr((panel.ids, panel.notes)).encode())
    for array in (panel.starts, panel.ends, panel.values, panel.times, panel.hist, panel.futr):
        found.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
