"""The audit passes models that do not look ahead, and says so in words.

What it finds in a model is in test_audit_models.py, where it proves nothing in test_audit_proof.py; the planted leaks
of whole preparations and trainings are in test_audit_leaks.py.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from audit_cases import PLAN, Simple, audited, peeks
from cases import HORIZON, RECIPES, panel_for, sensors

from tsforecast.auditing.audit import Audit, run_audit
from tsforecast.errors import ConfigError, DataError
from tsforecast.folds import Plan
from tsforecast.frequency import Frequency
from tsforecast.models.arima import ARIMA
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Naive, SeasonalNaive
from tsforecast.models.recurrent import LSTM
from tsforecast.models.training import Training


@pytest.mark.parametrize("name", RECIPES)
def test_every_model_of_the_package_passes(name: str) -> None:
    found = audited(RECIPES[name](0), panel_for(name), Plan(horizon=HORIZON, n_windows=2), n_folds=2)
    checks = 2 * (5 + 2 * ("covariates" in name)) + 1  # order, noise, huge, missing, removed, each covariate; past
    assert found.sentence.startswith(
        f"mine: passed: {checks} checks on 2 origins; nothing after the cutoff moved a bit"
    )
    assert found.passed and found.word == "passed" and all(check.passed for check in found.checks)


PLANS = [
    Plan(horizon=HORIZON, n_windows=4, refit=True),
    Plan(horizon=HORIZON, n_windows=4, refit=2, gap=3, step_size=2),
    Plan(horizon=HORIZON, n_windows=3, train_size=40, align="end"),
]


@pytest.mark.parametrize("plan", PLANS, ids=["refit", "gap and overlap", "sliding, from each end"])
@pytest.mark.parametrize(
    "model", [SeasonalNaive(), Ridge(input_size=14, structural=False)], ids=lambda model: model.name
)
def test_models_pass_under_every_kind_of_plan(model: Any, plan: Plan) -> None:
    whole = sensors()
    if plan.align == "end":
        whole = replace(whole, ends=whole.ends - [0, 7, 0])
    assert audited(model, whole, plan).word == "passed"


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_model_passes_when_it_is_fitted_at_every_origin(name: str) -> None:
    assert audited(RECIPES[name](0), panel_for(name), replace(PLAN, refit=True)).word == "passed"


def test_bars_and_one_series_pass_too() -> None:
    bars = Frequency("bars")
    whole = replace(sensors((80, 80)), freq=bars)
    assert audited(Naive(), whole).word == audited(Ridge(input_size=14), whole).word == "passed"
    assert audited(ARIMA(order=(1, 0, 0)), sensors((90,))).word == "passed"


def test_the_whole_audit_is_said_in_one_sentence_and_kept_as_json_and_as_a_table() -> None:
    found = run_audit(sensors(), {"naive": Naive(), "simple": Simple()}, PLAN)
    assert isinstance(found, Audit) and found.passed and found.folds == (0, 2, 3) and found.preparation is None
    assert found.sentence == (
        "The audit passed: 32 checks of naive, simple at 3 origins; nothing after a cutoff moved a bit of a forecast."
    )
    kept = json.loads(json.dumps(found.to_dict()))
    assert set(kept) == {"passed", "sentence", "folds", "seconds", "models", "preparation"}
    assert set(kept["models"]["naive"]) == {"passed", "word", "sentence", "checks"}
    one = {"check": "order", "column": "all", "fold": 0, "passed": True, "leak": None, "where": ""}
    assert kept["models"]["naive"]["checks"][0] == one
    table = found.to_frame()
    assert list(table.columns) == ["model", "check", "column", "fold", "passed", "leak", "where"]
    assert len(table) == 32 and table["passed"].all()


def test_one_bad_model_fails_the_audit_and_the_others_keep_their_word() -> None:
    found = run_audit(sensors(), {"naive": Naive(), "bad": Simple(peeks)}, PLAN)
    assert not found.passed and found.models["naive"].passed
    assert found.sentence == "The audit at 3 origins failed: bad leaks; passed: naive."


def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[float, str]] = []
    run_audit(sensors(), {"a": Naive(), "b": Naive()}, PLAN, on_progress=lambda share, name: told.append((share, name)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and told[0] == (0.0, "a") and told[-1] == (1.0, "done") and (0.5, "b") in told


def test_errors_about_the_users_data_are_raised() -> None:
    with pytest.raises(ConfigError, match="the data have no season"):
        audited(ARIMA(seasonal_order=(1, 0, 0)), replace(sensors(), season_length=1))
    with pytest.raises(DataError, match="is too short"):
        audited(Naive(), sensors((9,)))
    with pytest.raises(ConfigError, match="no model to audit"):
        run_audit(sensors(), {}, PLAN)
    with pytest.raises(ConfigError, match="n_folds=0"):
        audited(Naive(), n_folds=0)


def test_networks_are_trained_briefly_unless_all_of_it_is_asked_for() -> None:
    tiny = {"input_size": 14, "hidden_size": 4, "num_layers": 1}
    network = LSTM(training=Training(max_steps=70, batch_size=8, device="cpu"), **tiny)
    plan = Plan(horizon=HORIZON, n_windows=1)
    assert audited(network, sensors((60,)), plan, n_folds=1).sentence.endswith("(networks trained for 60 steps).")
    assert audited(network, sensors((60,)), plan, n_folds=1, full=True).sentence.endswith("moved a bit.")
