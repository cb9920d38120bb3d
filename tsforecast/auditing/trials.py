"""One model, audited: fitted and asked in many worlds that differ after the cutoff, where it must not differ at all.

It is audited as the backtest runs it: folds that share a fit share it here, and a view has the same arrays in reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tsforecast.auditing.answers import Answer, Difference, difference, reason
from tsforecast.auditing.findings import EXCUSED, Check, ModelAudit, excuse, leaks, passed
from tsforecast.auditing.state import carried, state_change
from tsforecast.auditing.subject import Fit, Model, Subject, fit
from tsforecast.auditing.worlds import Poison, World, Worlds
from tsforecast.contract import Forecast, Forecaster
from tsforecast.errors import TsforecastError

__all__ = ["audit_model"]


def audit_model(
    name: str,
    model: Model,
    worlds: Worlds,
    again: World,
    sampled: Sequence[int],
    changes: Sequence[Poison],
    *,
    full: bool,
    tell: Callable[[float], None],
) -> ModelAudit:
    """Every check of one model, at the sampled folds.

    again     the data once more, elsewhere in memory
    changes   what is done to the future
    full      whether models are trained as in the backtest, or as little as their recipes offer
    tell      how far it is, 0 to 1

    Raises the DataError or ConfigError that the model raises on the data as they are.
    """
    if data := carried(model):
        return _not_auditable(name, model, data)
    subject = Subject.of(model, full)
    trial = _Trial(subject, worlds, sampled)
    clean = trial.answers(worlds.clean)
    checks = trial.in_company(clean, again)
    if not all(check.passed for check in checks) and (found := trial.repeated(clean)):
        sentence = (
            f"{name} is not repeatable: running it twice on the same data {found.where}, so nothing is proven; give it "
            "a fixed seed."
        )
        return ModelAudit(name, "not repeatable", False, sentence, (found,))
    for done, poison in enumerate(changes):
        tell((done + 1) / (len(changes) + 1))
        checks += trial.poisoned(clean, poison)
    if not all(check.passed for check in checks):
        return leaks(name, checks)
    sees = trial.sees_the_past(clean)
    if not sees.passed:
        return _vacuous(name, clean, [*checks, sees])
    remark = f" ({', '.join(subject.remark)})" if subject.remark else ""
    return passed(name, [*checks, sees], remark=remark)


def _not_auditable(name: str, model: Model, data: str) -> ModelAudit:
    advice = (
        "give the audit a function that builds the model from a panel: lambda panel: ..."
        if isinstance(model, Forecaster)
        else "let it use the panel that it is given, and nothing else"
    )
    sentence = (
        f"{name} is not auditable: {data}, there before the future was replaced, so nothing would be proven; {advice}."
    )
    return ModelAudit(name, "not auditable", False, sentence)


def _vacuous(name: str, clean: Mapping[int, Answer], checks: Sequence[Check]) -> ModelAudit:
    """A model whose forecasts do not depend on the past. One that always says the same cannot leak; one whose forecasts
    differ from origin to origin has them from somewhere that the audit does not reach."""
    told = [answer for answer in clean.values() if isinstance(answer, Forecast) and np.isfinite(answer.point).any()]
    if not told:
        error = next((reason(answer) for answer in clean.values() if isinstance(answer, Exception)), "")
        why = error or next(
            (failed.reason for x in clean.values() if isinstance(x, Forecast) for failed in x.failures), ""
        )
        sentence = f"{name}: the audit is vacuous: it forecast nothing ({why or 'no number is finite'})."
        return ModelAudit(name, "vacuous", False, sentence, tuple(checks))
    said = {key: set[float]() for answer in told for key in answer.ids}
    for answer in told:
        for key, row in zip(answer.ids, answer.point, strict=True):
            said[key] |= set(row.tolist())
    constant = all(len(numbers) == 1 for numbers in said.values())
    sentence = (
        f"{name}: the audit is vacuous: it answers the same number whatever the data are, so there is nothing that "
        "could leak, and nothing is proven."
        if constant
        else f"{name}: the audit is vacuous: no forecast depends on the past, and yet they differ from step to step; "
        "they come from where the audit cannot replace the data (a file, a global variable, the calendar), so nothing "
        "is proven."
    )
    return ModelAudit(name, "vacuous", constant, sentence, tuple(checks))


@dataclass(frozen=True, eq=False)
class _Trial:
    """The runs of one subject at the sampled folds.

    volatile   per first fold, what the fitted model holds that changes from run to run, such as a clock
    """

    subject: Subject
    worlds: Worlds
    sampled: Sequence[int]
    volatile: dict[int, frozenset[str]] = field(default_factory=dict)

    def groups(self) -> dict[int, list[int]]:
        """First fold of a fit -> the sampled folds that use it, the latest first, so that whatever a model keeps from
        one call comes from later data and shows."""
        found: dict[int, list[int]] = {}
        for number in reversed(self.sampled):
            found.setdefault(self._first(number), []).append(number)
        return found

    def answers(self, world: World) -> dict[int, Answer]:
        """Each sampled fold by itself. Raises what the model raises about the user's data and options."""
        found: dict[int, Answer] = {}
        for first, numbers in self.groups().items():
            fitted = self.subject.fit(world, first)
            found |= {number: _ask(fitted, world, [number])[0] for number in numbers}
        for answer in found.values():
            if isinstance(answer, TsforecastError):
                raise answer
        return found

    def in_company(self, clean: Mapping[int, Answer], again: World) -> list[Check]:
        """As the backtest does it: one recipe for all fits, in order, and all folds of a fit in one call."""
        try:
            shared = self.subject.make(again.panel)
        except Exception as error:
            shared = None
            unbuilt = Fit(error=error, built=False)
        checks = []
        for first, numbers in sorted(self.groups().items()):
            together = unbuilt if shared is None else fit(shared, again, first)
            alone = self.subject.fit(self.worlds.clean, first)
            self.volatile[first] = frozenset(shift.path for shift in state_change(alone.state, together.state))
            members = [fold.number for fold in again.folds if self._first(fold.number) == first]
            told = dict(zip(members, _ask(together, again, members), strict=True))
            for number in sorted(numbers):
                found = self._difference(clean[number], told[number], number)
                where = "forecasting other folds before, or in the same call,"
                checks.append(_check("order", "all", number, where, found))
        return checks

    def repeated(self, clean: Mapping[int, Answer]) -> Check | None:
        """The first difference that running it once more makes, or None."""
        fresh = _Trial(Subject(self.subject.make, self.subject.own), self.worlds, self.sampled)
        for number, answer in fresh.answers(self.worlds.clean).items():
            if found := self._difference(clean[number], answer, number):
                return Check("repeat", "all", number, False, found.leak, found.words)
        return None

    def poisoned(self, clean: Mapping[int, Answer], poison: Poison) -> list[Check]:
        """One change of the future, at every sampled fold. A recipe is fitted in the world that is poisoned from the
        cutoff of its fit on; what is built from the panel, in the world of each fold."""
        checks = []
        for first, numbers in self.groups().items():
            compared: list[Fit] = []
            for number in numbers:
                world = self.worlds.for_models(poison, number)
                home = world if self.subject.own else self.worlds.for_models(poison, first)
                if isinstance(world, Exception) or isinstance(home, Exception):
                    continue  # the preparation failed: its own audit says what that means
                fitted = self.subject.fit(home, first)
                if fitted.error and not fitted.built and poison.check in EXCUSED:
                    why = excuse("the function that builds it", poison.check, reason(fitted.error))
                    checks.append(Check(poison.check, poison.column, number, True, None, why))
                    continue
                found = self._difference(clean[number], _ask(fitted, world, [number])[0], number)
                if found is None and not any(fitted is other for other in compared):
                    found = self._learned(first, fitted)
                    compared.append(fitted)
                fold = self.worlds.clean.folds[number]
                checks.append(_check(poison.check, poison.column, number, poison.phrase(fold), found))
        return sorted(checks, key=lambda check: check.fold)

    def sees_the_past(self, clean: Mapping[int, Answer]) -> Check:
        """Whether other numbers before the cutoff change any forecast: else nothing above could fail."""
        poison = Poison("past", "all")
        for refit in (False, True):  # for most models a forecast from another past is enough
            for number in self.sampled:
                world = self.worlds.after(poison, number)
                if isinstance(world, Exception):
                    continue
                fitted = self.subject.fit(world if refit else self.worlds.clean, self._first(number))
                if self._difference(clean[number], _ask(fitted, world, [number])[0], number):
                    return Check("past", "all", number, True)
        return Check("past", "all", self.sampled[-1], False, None, "other numbers before the cutoff change no forecast")

    def _first(self, number: int) -> int:
        plan = self.worlds.clean.folds[number].plan
        return max(k for k in range(number + 1) if plan.fits_at(k))

    def _difference(self, clean: Answer, other: Answer, number: int) -> Difference | None:
        return difference(clean, other, self.worlds.clean.folds[number])

    def _learned(self, first: int, fitted: Fit) -> Difference | None:
        """What a fit has learned differently, where no forecast shows it."""
        clean = self.subject.fit(self.worlds.clean, first)
        shifts = state_change(clean.state, fitted.state, self.volatile[first])
        if not shifts:
            return None
        size = "" if shifts[0].size is None else f" by {shifts[0].size:.3g}"
        return Difference(f"changed what it learned: '{shifts[0].path}'{size}, though no forecast from there")


def _check(check: str, column: str, fold: int, phrase: str, found: Difference | None) -> Check:
    if found is None:
        return Check(check, column, fold, True)
    return Check(check, column, fold, False, found.leak, f"{phrase} {found.words}")


def _ask(fitted: Fit, world: World, numbers: Sequence[int]) -> list[Answer]:
    """What a fitted model says of some folds, in one call."""
    if fitted.error is not None:
        return [fitted.error] * len(numbers)
    try:
        told = fitted.fitted.predict([world.view(number, fitted.ids) for number in numbers])
        assert len(told) == len(numbers), f"{len(told)} forecasts for {len(numbers)} views"
    except Exception as error:
        return [error] * len(numbers)
    return [_valid(answer, world.folds[0].plan.reach) for answer in told]


def _valid(answer: object, reach: int) -> Answer:
    if not isinstance(answer, Forecast):
        return TypeError(f"it answered with {type(answer).__name__}, not with a Forecast")
    if (steps := answer.point.shape[1]) != reach:
        return ValueError(f"it answered {steps} steps, but was asked for {reach}")
    return answer
