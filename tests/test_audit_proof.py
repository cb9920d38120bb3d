"""Where the audit proves nothing, it says so: data brought along, constants, failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from audit_cases import PLAN, Simple, audited, last
from cases import sensors

from tsforecast.contract import Forecast
from tsforecast.panel import Panel, View

# ---- data of its own


TABLE = pd.DataFrame({"y": np.arange(200.0)})


def helper() -> float:
    return float(TABLE["y"].mean())


class ReadsAGlobal(Simple):
    def fit(self, past: Panel, horizon: int) -> Simple:
        return Simple(lambda past, future: last(past) + helper())


class OnItsClass(Simple):
    weights = np.ones(500)


BRINGS = [
    (Simple(lambda past, future, data=TABLE: last(past)), "numbers.default is a DataFrame of 200 rows"),
    (Simple(name=list(range(200))), "name is a collection of 200 numbers"),  # type: ignore[arg-type]
    (ReadsAGlobal(), "helper reads the global variable TABLE, a DataFrame of 200 rows"),
    (OnItsClass(), "OnItsClass.weights is an array of 500 numbers"),
]


@pytest.mark.parametrize(("model", "what"), BRINGS, ids=["attribute", "list", "global", "class"])
def test_a_recipe_that_brings_data_along_is_not_auditable(model: Any, what: str) -> None:
    found = audited(model)
    assert found.word == "not auditable" and not found.passed and found.checks == ()
    assert found.sentence == (
        f"mine is not auditable: {what}, there before the future was replaced, so nothing would be proven; give the "
        "audit a function that builds the model from a panel: lambda panel: ..."
        "."
    )


def test_a_function_is_to_build_from_its_panel_and_from_nothing_outside() -> None:
    whole = sensors()
    outside = audited(lambda panel: Simple(lambda past, future: last(past) + np.nanmean(whole.values)), whole)
    assert outside.word == "not auditable" and "is a Panel of 3 series" in outside.sentence
    assert outside.sentence.endswith("let it use the panel that it is given, and nothing else.")
    cheats = audited(lambda panel: Simple(lambda past, future: last(past) + np.nanmean(panel.values)), whole)
    assert cheats.word == "leaks" and "replacing y after" in cheats.sentence
    assert audited(lambda panel: Simple(), whole).word == "passed"


# ---- nothing to prove


def test_a_constant_cannot_leak_and_the_audit_says_that_it_proves_nothing() -> None:
    found = audited(Simple(lambda past, future: np.full(len(past), 7.0)))
    assert found.passed and found.word == "vacuous"
    assert found.sentence == (
        "mine: the audit is vacuous: it answers the same number whatever the data are, so there is nothing that could "
        "leak, and nothing is proven."
    )


def test_forecasts_that_differ_and_do_not_come_from_the_past_do_not_pass() -> None:
    """They were read from a file, say: written by whom, and when?"""

    def from_a_file(past: Panel, future: Any) -> np.ndarray:
        return future.times[:, 0].astype(np.int64) / 1e12

    found = audited(Simple(from_a_file))
    assert found.word == "vacuous" and not found.passed
    assert "no forecast depends on the past, and yet they differ from step to step" in found.sentence


@dataclass
class Fails(Simple):
    """Raises at the folds where a function of the past says so."""

    when: Callable[[Panel], bool] = lambda past: True

    def predict(self, views: list[View]) -> list[Forecast]:
        if any(self.when(view.past) for view in views):
            raise ValueError("no luck today")
        return super().predict(views)


def test_a_failure_that_happens_on_the_data_as_they_are_is_no_leak() -> None:
    early = sensors().ends_at(sensors().times[99])
    found = audited(Fails(when=lambda past: bool(past.ends[0] <= early[0])), plan=replace(PLAN, refit=True))
    assert found.word == "passed"
    nothing = audited(Fails())
    assert nothing.word == "vacuous" and not nothing.passed
    assert nothing.sentence == "mine: the audit is vacuous: it forecast nothing (ValueError: no luck today)."


def test_a_failure_that_only_another_future_makes_is_a_leak() -> None:
    found = audited(Fails(when=lambda past: bool(np.nanmax(past.values) > 1000)))
    assert found.word == "leaks" and found.sentence.endswith(
        "by a huge constant made it fail (ValueError: no luck today)."
    )
