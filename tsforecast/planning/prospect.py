"""What to expect of a backtest, in numbers and in plain words."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from tsforecast.judging.power import POWER, least_origins
from tsforecast.planning.costing import EARLY, Cost

__all__ = ["EFFECTS", "FREE_RIDGE", "NETWORK", "Pair", "Prospect"]

FREE_RIDGE = "free_ridge"
"""The model that stands for networks, a ridge with a weak penalty."""

NETWORK = "a network"
"""The model of the pair that says what is expected of networks."""

EFFECTS = (2.0, 5.0)
"""Improvements, in percent, for which the needed origins are worked out."""


@dataclass(frozen=True)
class Pair:
    """How the losses of a model and the best baseline differ over the origins, in percent of the baseline's.

    model            a cheap model that was run, or NETWORK: what is expected of a network
    spread           standard deviation of the differences
    autocorrelation  from one origin to the next one that forecasts other steps, between 0 and 0.9
    worth            independent origins that these are worth
    detectable       the smallest true improvement that these origins find; NaN where unknown
    at_most          the same for as many origins as the data have room for
    needed           origins that find each improvement of EFFECTS; 0 where unknown
    """

    model: str
    spread: float
    autocorrelation: float
    worth: float
    detectable: float
    at_most: float
    needed: tuple[int, ...]


@dataclass(frozen=True)
class Prospect:
    """What to expect of a backtest.

    benchmark, loss  the best baseline on these folds, and the loss that is compared: "mase" or "mae"
    n_origins, room  cutoffs of the plan, and how many the data have room for with half of the steps for training
    step_size        steps between cutoffs
    overlap          how many origins forecast the same step
    compared         models that are compared with the baseline, for which the test is corrected (Holm)
    pairs            what is expected of a network, if the run has one, then the cheap models: those of the run first
    costs            one per model of the run
    memory           bytes that the run holds at its largest, kept in a folder
    seconds          of the whole run, its report among them; NaN where a model could not be tried
    """

    benchmark: str
    loss: str
    n_origins: int
    room: int
    step_size: int
    overlap: int
    compared: int
    pairs: tuple[Pair, ...]
    costs: tuple[Cost, ...]
    memory: int
    seconds: float

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    @property
    def table(self) -> pd.DataFrame:
        """One row per model of the run: seconds, fits, and how that was found out."""
        return pd.DataFrame([asdict(cost) for cost in self.costs])

    @property
    def sentences(self) -> list[str]:
        """All of it in plain words."""
        needs = [_needs(self, k) for k in range(len(EFFECTS))] if self.pairs else []
        return [*_finds(self), *needs, _costs(self)]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and names, for JSON; None where a number is unknown."""
        whole = asdict(self) | {"effects": EFFECTS, "power": POWER, "sentences": self.sentences}
        found: dict[str, Any] = _plain(whole)
        return found


def _finds(p: Prospect) -> list[str]:
    """What the planned origins can find, by the first pair, and the range over all that were run."""
    if not p.pairs:
        return [
            f"What {_origins(p.n_origins)} can find is not known: no cheap model could be compared with a baseline."
        ]
    first = p.pairs[0]
    named = "a ridge with a weak penalty" if first.model == FREE_RIDGE else first.model
    expected = "is expected to differ" if first.model == NETWORK else "differs"
    differs = (
        f"From origin to origin {named} {expected} from {p.benchmark}, the best baseline, "
        f"by {first.spread:.1f} % of its {p.loss.upper()} (standard deviation)"
    )
    least = least_origins(p.overlap)
    if p.n_origins < least:
        more = (
            f"the data have room for {p.room}"
            if p.room > p.n_origins
            else f"the data have no room for more, {p.step_size} steps apart"
        )
        return [f"{differs}.", f"{_origins(p.n_origins)} are too few to tell: at least {least} are needed; {more}."]
    if math.isnan(first.detectable):
        return [f"{differs}.", f"What {_origins(p.n_origins)} can find is not known: the differences hardly vary."]
    worth = f"; {_origins(p.n_origins)} are worth {first.worth:.3g}" if first.worth < 0.95 * p.n_origins else ""
    run = [pair.detectable for pair in p.pairs if pair.model != NETWORK and not math.isnan(pair.detectable)]
    others = ""
    if len(run) > 1 and min(run) <= 100:
        others = f"; for the cheap models it is {min(run):.1f} to {_least(max(run))}"
    tested = f", tested beside {p.compared - 1} more" if p.compared > 1 else ""
    none = ": there is none" if first.detectable > 100 else ""
    return [
        f"{differs}{worth}.",
        f"The smallest true improvement that these origins find with {100 * POWER:.0f} % power is "
        f"{_least(first.detectable)} for {named}{tested}{others}{none}.",
    ]


def _least(percent: float) -> str:
    """A smallest improvement to be found."""
    return f"{percent:.1f} %" if percent <= 100 else "more than 100 %"


def _needs(p: Prospect, k: int) -> str:
    """How many origins find the k-th effect, and whether the data have room for them."""
    first, goal = p.pairs[0], f"{EFFECTS[k]:g} %"
    needed = first.needed[k]
    if not needed:
        return f"How many origins find {goal} is not known."
    takes = f"To find {goal}: about {_origins(needed)}"
    if needed <= p.n_origins:
        return f"{takes}; the plan has {p.n_origins}."
    if needed <= p.room:
        return (
            f"{takes}; the data have room for {p.room} with half of their steps for training: use n_windows={needed} "
            f"(--n-windows {needed})."
        )
    more = (needed - p.room) * p.step_size
    best = "" if math.isnan(first.at_most) else f", which find {_least(first.at_most)}"
    return f"{takes}; the data have room for {p.room}{best}: {more:,} more steps of data are needed."


def _costs(p: Prospect) -> str:
    """Time and memory, the longest model first."""
    known = sorted((c for c in p.costs if not math.isnan(c.seconds)), key=lambda c: -c.seconds)
    parts = [f"{c.model} {lasting(c.seconds)} ({c.fits} fit{'s' if c.fits > 1 else ''})" for c in known]
    unknown = [f"{c.model} unknown ({c.how})" for c in p.costs if math.isnan(c.seconds)]
    whole = sum(c.seconds for c in known) if math.isnan(p.seconds) else p.seconds
    about = "at least" if unknown else "about"
    early = ", less where training stops early," if any(c.how.endswith(EARLY) for c in known) else ""
    memory = f"{p.memory / 1e9:.1f} GB of memory"
    return f"The run takes {about} {lasting(whole)}{early} and {memory}: {'; '.join(parts + unknown)}."


def lasting(seconds: float) -> str:
    """`0.3 s`, `45 s`, `3.5 min`, `2.1 h`."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _origins(n: int) -> str:
    return f"{n:,} origin{'' if n == 1 else 's'}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
