"""The look-ahead audit: proof, for any model, that no number after a cutoff moves a bit of a forecast.

At sampled origins the future is replaced by noise, by missing values, by a huge constant, and taken away; every
covariate is replaced by itself. The data are prepared, models fitted and asked again, and every bit must stay: point
forecasts, quantiles, notes (chosen orders), failures, and whatever a fit has learned. Models that carry something from
fold to fold, that differ from run to run, or that do not look at the past at all are found out too.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from tsforecast.auditing.findings import Check, ModelAudit
from tsforecast.auditing.preparation import audit_preparation
from tsforecast.auditing.subject import Model
from tsforecast.auditing.trials import audit_model
from tsforecast.auditing.worlds import Prepare, World, Worlds, poisons, prepared
from tsforecast.errors import ConfigError, listing
from tsforecast.fields import plain_value
from tsforecast.folds import Plan, make_folds
from tsforecast.panel import Panel

__all__ = ["Audit", "Check", "ModelAudit", "run_audit"]


@dataclass(frozen=True)
class Audit:
    """What the audit found.

    passed        every model, and the preparation where there is one
    sentence      in plain words
    folds         numbers of the origins that were looked at
    seconds       it took
    models        by name
    preparation   what was found out about the user's own preparation of the data; None without one
    """

    passed: bool
    sentence: str
    folds: tuple[int, ...]
    seconds: float
    models: Mapping[str, ModelAudit]
    preparation: ModelAudit | None = None

    def __str__(self) -> str:
        return self.sentence

    def to_dict(self) -> dict[str, Any]:
        """For JSON, and for the facts of a result."""
        return {
            "passed": self.passed,
            "sentence": self.sentence,
            "folds": list(self.folds),
            "seconds": self.seconds,
            "models": {name: found.to_dict() for name, found in self.models.items()},
            "preparation": None if self.preparation is None else self.preparation.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per check: model, check, column, fold, passed, leak, where."""
        found = [*([] if self.preparation is None else [self.preparation]), *self.models.values()]
        rows = [{"model": audit.name} | asdict(check) for audit in found for check in audit.checks]
        return pd.DataFrame(rows, columns=["model", "check", "column", "fold", "passed", "leak", "where"])


def run_audit(
    panel: Panel,
    models: Mapping[str, Model],
    plan: Plan,
    *,
    prepare: Prepare | None = None,
    n_folds: int = 3,
    full: bool = False,
    on_progress: Callable[[float, str], None] | None = None,
) -> Audit:
    """Audit models at `n_folds` origins of a plan: the first, the last, and between them at equal distances.

    panel        the data as they were read
    models       name -> recipe, or a function that builds a recipe from a panel: needed where the recipe holds numbers
                 that were made from the data, since those have to be made again when the future is another
    prepare      your own preparation of all data at once (features, scaling, filling), if there is one: given a panel,
                 it gives back the panel that models see. It is audited too
    full         train models as the backtest does; otherwise a recipe that has a method `brief()` is replaced by what
                 that gives, the same model with little training
    on_progress  told the share that is done, and of which model

    Raises ConfigError for no model, fewer than one origin or a `prepare` that gives back no panel; and what the plan,
    the preparation or a model raises on the data as they are.
    """
    if not models:
        raise ConfigError("no model to audit: name at least one, such as naive")
    if plain_value("n_folds", n_folds, int) < 1:
        raise ConfigError(f"n_folds={n_folds}: the audit needs at least one origin")
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about numbers that were made up
        first = prepared(panel, prepare)
        plan = plan.settle(first)
        folds = make_folds(first, plan)
        worlds = Worlds(panel, prepare, World(first, folds))
        again, changes = worlds.again(), poisons(panel, plan.reach)
        sampled = tuple(int(k) for k in np.unique(np.linspace(0, len(folds) - 1, n_folds).round()))
        preparation = None if prepare is None else audit_preparation(worlds, again, sampled, changes)
        found = {}
        for number, (name, model) in enumerate(models.items()):

            def tell(share: float, number: int = number, name: str = name) -> None:
                if on_progress is not None:
                    on_progress((number + share) / len(models), name)

            tell(0.0)
            found[name] = audit_model(name, model, worlds, again, sampled, changes, full=full, tell=tell)
    if on_progress is not None:
        on_progress(1.0, "done")
    audits = [*([] if preparation is None else [preparation]), *found.values()]
    failed = [audit.name for audit in audits if not audit.passed]
    return Audit(
        not failed, _sentence(audits, len(sampled)), sampled, time.perf_counter() - started, found, preparation
    )


def _sentence(audits: list[ModelAudit], origins: int) -> str:
    """All of it in one breath."""
    where = f"{origins} {'origin' if origins == 1 else 'origins'}"
    failed = [audit for audit in audits if not audit.passed]
    if failed:
        said = "; ".join(
            f"{audit.name} {audit.word if audit.word == 'leaks' else f'is {audit.word}'}" for audit in failed
        )
        rest = [audit.name for audit in audits if audit.passed]
        return f"The audit at {where} failed: {said}{f'; passed: {listing(rest)}' if rest else ''}."
    made = sum(not check.where for audit in audits for check in audit.checks)
    names = listing((audit.name for audit in audits), 8)
    return f"The audit passed: {made} checks of {names} at {where}; nothing after a cutoff moved a bit of a forecast."
