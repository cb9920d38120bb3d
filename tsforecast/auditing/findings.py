"""What an audit says: checks, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["EXCUSED", "Check", "ModelAudit", "Word", "amount", "differs", "excuse", "leaks", "passed"]

Word = Literal["passed", "leaks", "vacuous", "not repeatable", "not auditable"]
EXCUSED = {"missing": "missing values", "huge": "huge values"}
"""What a user's own code may refuse to take, as long as it takes the other changes."""


@dataclass(frozen=True)
class Check:
    """One question to a model, or to the preparation, at one origin.

    check    what was done: "noise", "huge", "missing", "removed" (the future), "gap, noise", "repeat", "order", "past"
    column   which column it was done to: "y", a covariate, or "all"
    fold     number of the origin
    passed   whether the answer is what it must be
    leak     the largest change of a forecast, in mean absolute changes of its series; None where nothing changed or it
             cannot be measured
    where    what happened, in words; empty where nothing did
    """

    check: str
    column: str
    fold: int
    passed: bool
    leak: float | None = None
    where: str = ""


@dataclass(frozen=True)
class ModelAudit:
    """What was found out about one model, or about the preparation."""

    name: str
    word: Word
    passed: bool
    sentence: str
    checks: tuple[Check, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "passed": self.passed,
            "word": self.word,
            "sentence": self.sentence,
            "checks": [asdict(check) for check in self.checks],
        }


def excuse(who: str, check: str, reason: str) -> str:
    """Why a check was not made."""
    return f"{who} could not take {EXCUSED[check]} ({reason}): judged by the other checks"


def passed(name: str, checks: Sequence[Check], what: str = "", remark: str = "") -> ModelAudit:
    """The good end."""
    origins = len({check.fold for check in checks})
    made = sum(not check.where for check in checks)
    where = f"{made} checks on {origins} {'origin' if origins == 1 else 'origins'}"
    sentence = f"{name}: passed: {where}; nothing after the cutoff moved a bit{what}{remark}."
    return ModelAudit(name, "passed", True, sentence, tuple(checks))


def leaks(name: str, checks: Sequence[Check]) -> ModelAudit:
    """The bad end: the sentence is that of the first check that failed."""
    first = next(check for check in checks if not check.passed)
    return ModelAudit(name, "leaks", False, f"{name} leaks: {first.where}.", tuple(checks))


def amount(size: float, unit: float) -> tuple[str, float | None]:
    """` by 4.1 (2.3 mean changes)`, and the size in units; nothing where it is no number."""
    if not np.isfinite(size):
        return "", None
    if not (np.isfinite(unit) and unit > 0):
        return f" by {size:.3g}", None
    return f" by {size:.3g} ({size / unit:.2g} mean changes)", float(size / unit)


def differs(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where two arrays of numbers differ in any bit; all NaN are equal."""
    same = (a == b) & (np.signbit(a) == np.signbit(b))
    return np.asarray(~(same | (np.isnan(a) & np.isnan(b))))
