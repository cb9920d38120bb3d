"""Does the protocol cry "better" where there is nothing to find, and does it find what must be found?

The same models are run through the same folds on copies of the user's own data: on most of them nothing can be
forecast, in one a pattern is planted. It is the blank and the spiked sample of a laboratory.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tsforecast.auditing.surrogates import SURROGATES, planted
from tsforecast.backtesting import Progress, run_backtest
from tsforecast.contract import Forecaster
from tsforecast.errors import ConfigError
from tsforecast.fields import plain_value
from tsforecast.folds import Plan
from tsforecast.judging.scores import BASELINES
from tsforecast.panel import Panel
from tsforecast.running.executors import Processes
from tsforecast.running.how import How
from tsforecast.running.schedule import WORTH, on_gpu

__all__ = ["Copy", "Placebo", "check_placebo", "run_placebo"]

PLANTED = "planted pattern"
NULLS = {"random walk": "{} random walk{s}", "block-shuffled changes": "{} with block-shuffled changes"}
"""Kinds of copy on which no model can be better, and how so many of them are called."""

BY_CHANCE = 0.025
"""How often a sound protocol says "better" where there is no difference: one end of a 95 % interval."""
_TOO_RARE = 0.01  # a count of false alarms that chance brings less often than this is not put down to chance


@dataclass(frozen=True)
class Copy:
    """What the protocol said of one copy.

    kind       a name of `surrogates.SURROGATES`, or "planted pattern"
    seed       `numpy.random.default_rng(seed)` makes the same copy again
    benchmark  the best baseline on this copy
    words      model -> word of the verdict, of the models that are no baselines
    effects    model -> percent by which its loss is smaller than the benchmark's; NaN = no score
    """

    kind: str
    seed: int
    benchmark: str
    words: Mapping[str, str]
    effects: Mapping[str, float]

    @property
    def tested(self) -> tuple[str, ...]:
        """The models of which the verdict could have said anything."""
        return tuple(model for model, word in self.words.items() if word not in ("too few origins", "invalid"))

    @property
    def better(self) -> tuple[str, ...]:
        """The models of which it said that they are better."""
        return tuple(model for model, word in self.words.items() if word == "better")

    def to_dict(self) -> dict[str, Any]:
        """For JSON: a missing effect is null."""
        effects = {model: effect if math.isfinite(effect) else None for model, effect in self.effects.items()}
        return {
            "kind": self.kind,
            "seed": self.seed,
            "benchmark": self.benchmark,
            "words": dict(self.words),
            "effects": effects,
        }


@dataclass(frozen=True)
class Placebo:
    """What the protocol said of all copies; `seconds` is what it took."""

    copies: tuple[Copy, ...]
    seconds: float

    @property
    def false_alarms(self) -> tuple[int, int]:
        """On copies without anything to find: how often it said "better", of how many comparisons."""
        return _count([copy for copy in self.copies if copy.kind in NULLS])

    @property
    def too_often(self) -> tuple[str, ...]:
        """The models that were called better where nothing can be, more often than chance explains.

        A binomial test of each model over the copies, which are independent (what several models do on one copy is
        not), at 1 % for all models together.
        """
        nulls = [copy for copy in self.copies if copy.kind in NULLS]
        models = self.copies[0].words
        return tuple(m for m in models if _chance(nulls, m) * len(models) < _TOO_RARE)

    @property
    def sentence(self) -> str:
        """All of it in plain words."""
        return " ".join(part for part in (self._nulls(), self._warning(), self._spiked()) if part)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "sentence": self.sentence,
            "seconds": self.seconds,
            "too_often": list(self.too_often),
            "copies": [copy.to_dict() for copy in self.copies],
        }

    def _nulls(self) -> str:
        kinds = Counter(copy.kind for copy in self.copies)
        n = sum(kinds[kind] for kind in NULLS)
        listed = [text.format(kinds[kind], s=_s(kinds[kind])) for kind, text in NULLS.items() if kinds[kind]]
        where = f"On {n} cop{'y' if n == 1 else 'ies'} of these data without anything to find ({', '.join(listed)})"
        cried, of = self.false_alarms
        if not of:
            return f"{where} there were too few origins, or forecasts, to say anything."
        text = f'{where} the protocol said "better" {cried} of {of} time{_s(of)}'
        alike = [copy for copy in self.copies if copy.kind == "phase-randomised"]
        cried, of = _count(alike)
        if of:
            copies = f"{len(alike)} phase-randomised cop{'y' if len(alike) == 1 else 'ies'}"
            keeps = "which keeps" if len(alike) == 1 else "which keep"
            text += f"; on {copies}, {keeps} the autocorrelation and may rightly be forecast, {cried} of {of}"
        return text + "."

    def _warning(self) -> str:
        if not self.too_often:
            return ""
        return (
            f'Too often: do not trust a "better" of {_listed(self.too_often, "or")} here. By chance '
            f"alone it is said {100 * BY_CHANCE:g} % of the time; look for a leak with the audit."
        )

    def _spiked(self) -> str:
        spiked = self.copies[-1]
        found, tested = spiked.better, spiked.tested
        if not tested:
            return "Whether the planted pattern was found could not be tested: too few origins, or no forecasts."
        missed = [model for model in tested if model not in found]
        if not found:
            return (
                f"Even a strong planted pattern was not found by {_listed(missed, 'or')}: these folds are too few, or "
                'the models too weak, for "no better" to mean anything.'
            )
        return f"The planted pattern was found by {_listed(found)}{', not by ' * bool(missed)}{_listed(missed, 'or')}."


def run_placebo(
    panel: Panel,
    models: Mapping[str, Forecaster],
    plan: Plan,
    copies: int,
    *,
    seed: int = 0,
    how: How | None = None,
    on_progress: Progress | None = None,
) -> Placebo:
    """Run `plan` with `models` on `copies` surrogates of `panel`, kinds in turn, and on one with a planted pattern.

    models       at least one baseline, and one that is none: baselines are what others are compared with
    how          whether worker processes may be started where they pay (they may not with `serial`), and how many
    on_progress  told how far the work is: it takes as long as `copies` + 1 backtests

    Raises ConfigError for fewer than one copy and for models of which nothing can be said.
    """
    check_placebo(models, copies)
    started, plan = time.perf_counter(), plan.settle(panel)
    kinds = [*(list(SURROGATES)[number % len(SURROGATES)] for number in range(copies)), PLANTED]
    # a copy's seed is its own, so that the copies of one run are not those of another run's next seed
    seeds = [int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) for number in range(len(kinds))]
    asked = [(panel, models, plan, *own) for own in zip(kinds, seeds, strict=True)]
    how = how or How()
    here = how if how.executor == "serial" else How(jobs=how.jobs)

    def tell(number: int, share: float, what: str) -> None:
        if on_progress is not None:
            on_progress((number + share) / len(kinds), f"placebo {number + 1} of {len(kinds)}: {what}")

    done = [_run_copy(*asked[0], here, partial(tell, 0))]
    long = copies > 1 and copies * (time.perf_counter() - started) > WORTH
    if long and here.may_start_workers and not any(map(on_gpu, models.values())):
        # where anything goes wrong there, the rest is done here, which says what it is
        with suppress(Exception), closing(Processes(min(here.workers, copies), 1, [*models.values()])) as executor:
            for future in [executor.submit(_run_copy, *own, How(executor="serial")) for own in asked[1:]]:
                done.append(future.result())
                tell(len(done) - 1, 1.0, "done")
    done += [_run_copy(*asked[k], here, partial(tell, k)) for k in range(len(done), len(asked))]
    return Placebo(tuple(done), time.perf_counter() - started)


def check_placebo(models: Mapping[str, Forecaster], copies: int) -> None:
    """Raise ConfigError where `run_placebo` would, before anything is run."""
    if plain_value("placebo", copies, int) < 1:
        raise ConfigError(f"placebo={copies}: give the number of copies, at least 1")
    judged = _judged(models)
    if len(judged) == len(models):
        raise ConfigError("placebo: there is no baseline to compare with; add naive to the models")
    if not judged:
        raise ConfigError(
            f"placebo: {_listed(list(models))} {'is a baseline' if len(models) == 1 else 'are baselines'}, and nothing "
            "is compared with them; add a model that learns, such as ridge"
        )


def _run_copy(
    panel: Panel,
    models: Mapping[str, Forecaster],
    plan: Plan,
    kind: str,
    seed: int,
    how: How,
    on_progress: Progress | None = None,
) -> Copy:
    """One copy through the protocol."""
    rng = np.random.default_rng(seed)
    assert plan.step_size is not None, "the plan is settled"
    apart = -(-plan.reach // plan.step_size) * plan.step_size
    copy = planted(panel, rng, plan.reach, apart) if kind == PLANTED else SURROGATES[kind](panel, rng)
    names = {name: recipe.name for name, recipe in models.items()}
    result = run_backtest(copy, models, plan, facts={"kinds": names}, how=how, on_progress=on_progress)
    found = [c for c in result.comparisons() if c.model in _judged(models)]
    return Copy(
        kind,
        seed,
        found[0].benchmark,
        {c.model: c.word for c in found},
        {c.model: float(c.effect_percent) for c in found},
    )


def _judged(models: Mapping[str, Forecaster]) -> tuple[str, ...]:
    """The models that are no baselines."""
    return tuple(name for name, recipe in models.items() if recipe.name not in BASELINES)


def _count(copies: Sequence[Copy]) -> tuple[int, int]:
    """How often the word was "better", and how often it could have been."""
    return sum(len(copy.better) for copy in copies), sum(len(copy.tested) for copy in copies)


def _chance(copies: Sequence[Copy], model: str) -> float:
    """How probable it is that a model without skill is called better on so many of these copies, or on more."""
    n = sum(model in copy.tested for copy in copies)
    k = sum(model in copy.better for copy in copies)
    return sum(math.comb(n, j) * BY_CHANCE**j * (1 - BY_CHANCE) ** (n - j) for j in range(k, n + 1)) if k else 1.0


def _listed(names: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _s(n: int) -> str:
    return "" if n == 1 else "s"
