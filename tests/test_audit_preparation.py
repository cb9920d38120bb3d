"""The audit of a user's own preparation: honest ones pass, whatever way they go; the planted leaks are in
test_audit_leaks.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import DAILY, HORIZON, sensors

from tsforecast.auditing.audit import Audit, run_audit
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Naive
from tsforecast.panel import Panel

PLAN = Plan(horizon=HORIZON, n_windows=4)


def by_frame(change: Callable[[pd.DataFrame], pd.DataFrame], **reading: Any) -> Callable[[Panel], Panel]:
    options = {"missing": "nan"} | reading
    return lambda panel: Panel.from_frame(change(panel.to_frame()), freq=panel.freq, season_length=7, **options)


def prepared(change: Callable[[pd.DataFrame], pd.DataFrame], model: Any = None, **reading: Any) -> Audit:
    models = {"mine": model or Naive()}
    return run_audit(sensors((80, 80)), models, PLAN, prepare=by_frame(change, **reading), n_folds=2)


def test_a_preparation_that_refuses_missing_values_passes_on_the_other_checks() -> None:
    found = prepared(lambda frame: frame, missing="error").preparation
    assert found is not None and found.passed
    refused = [check for check in found.checks if check.where]
    assert {check.check for check in refused} == {"missing"} and len(refused) == 2
    assert refused[0].where.startswith("prepare could not take missing values (DataError: the frame: row 60: ")
    assert found.sentence.startswith("prepare: passed: 6 checks on 2 origins;")  # noise, huge, removed


def test_a_preparation_that_reads_what_it_was_not_given_is_not_auditable() -> None:
    outside = sensors((80, 80)).to_frame()
    found = prepared(lambda frame: frame.assign(y=frame["y"] - outside["y"].mean()))
    assert found.preparation is not None and found.preparation.word == "not auditable"
    assert "outside is a DataFrame of 160 rows" in found.preparation.sentence
    assert found.sentence.startswith("The audit at 2 origins failed: prepare is not auditable; ")


def test_a_preparation_that_differs_from_run_to_run_proves_nothing() -> None:
    found = prepared(lambda frame: frame.assign(y=frame["y"] + np.random.normal()))  # noqa: NPY002
    assert found.preparation is not None and found.preparation.word == "not repeatable"
    assert found.preparation.sentence.startswith(
        "prepare is not repeatable: running it twice on the same data changed 'y'"
    )


def test_a_preparation_that_only_another_future_stops_is_a_leak() -> None:
    def picky(frame: pd.DataFrame) -> pd.DataFrame:
        if frame["y"].iloc[:80].notna().all() and abs(frame["y"].iloc[60:80].mean() - 20) > 2:
            raise ValueError("too wild")
        return frame

    found = prepared(picky).preparation
    assert found is not None and found.word == "leaks" and "made it fail (ValueError: too wild)" in found.sentence


def test_a_feature_that_is_declared_known_ahead_has_to_be() -> None:
    """The target of a week before is known over a horizon of five days; that of two days before is not."""

    def lagged(days: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
        return lambda frame: frame.assign(lag=frame.groupby("unique_id")["y"].shift(days).fillna(0.0))

    assert prepared(lagged(7), futr_exog=["lag"]).preparation.word == "passed"  # type: ignore[union-attr]
    found = prepared(lagged(2), Ridge(input_size=14), futr_exog=["lag"])
    assert found.preparation is not None and found.preparation.word == "leaks"
    assert "changed 'lag' of series 's0' 3 steps ahead, where it is declared known by" in found.preparation.sentence
    assert found.models["mine"].word == "leaks"


def test_hours_made_into_days_pass_and_a_day_that_takes_from_the_next_does_not() -> None:
    rng = np.random.default_rng(0)
    hours = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=60 * 24, freq="h")})
    hours = Panel.from_frame(hours.assign(y=20 + rng.normal(size=len(hours))), freq="h")

    def daily(shift: int) -> Callable[[Panel], Panel]:
        def prepare(panel: Panel) -> Panel:
            y = panel.to_frame().set_index("ds")["y"]
            y.index = y.index - pd.Timedelta(hours=shift)
            days = y.resample("D").mean()
            return Panel.from_frame(days.reset_index(), freq=DAILY, missing="nan")

        return prepare

    words = []
    for shift in (0, 3):
        found = run_audit(hours, {"naive": Naive()}, PLAN, prepare=daily(shift), n_folds=2).preparation
        assert found is not None
        words.append(found.word)
    assert words == ["passed", "leaks"]


def test_prepare_is_to_give_a_panel_back() -> None:
    with pytest.raises(ConfigError, match="prepare gave back DataFrame"):
        run_audit(sensors(), {"naive": Naive()}, PLAN, prepare=lambda panel: panel.to_frame())
