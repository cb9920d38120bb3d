"""The audit passes models that do not look ahead, and says in words what is wrong with the others.

The planted leaks of whole preparations and trainings are in test_audit_leaks.py.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import HORIZON, RECIPES, panel_for, sensors

from tsforecast.auditing.audit import Audit, ModelAudit, run_audit
from tsforecast.errors import ConfigError, DataError
from tsforecast.folds import Plan
from tsforecast.forecast import QUANTILES, Failure, Forecast
from tsforecast.frequency import Frequency
from tsforecast.models.arima import ARIMA
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Naive, SeasonalNaive
from tsforecast.models.recurrent import LSTM
from tsforecast.models.training import Training
from tsforecast.panel import Panel, View

PLAN = Plan(horizon=HORIZON, n_windows=4)
Numbers = Callable[[Panel, Any], np.ndarray]


def last(past: Panel, future: Any = None) -> np.ndarray:
    return past.values[past.ends - 1]


def says(numbers: np.ndarray, view: View, **more: Any) -> Forecast:
    """One number per series `[N]`, for all steps and quantiles."""
    point = np.repeat(numbers[:, None], view.future.horizon, axis=1)
    quantiles = np.repeat(point[:, :, None], len(QUANTILES), axis=2)
    return Forecast(view.past.ids, view.future.times, view.past.freq, point, QUANTILES, quantiles, **more)


@dataclass
class Simple:
    """A forecaster made of a function of the past and the future."""

    numbers: Numbers = last
    name: str = "simple"

    def fit(self, past: Panel, horizon: int) -> Simple:
        return self

    def predict(self, views: list[View]) -> list[Forecast]:
        return [says(self.numbers(*view), view) for view in views]


def audited(model: Any, panel: Panel | None = None, plan: Plan = PLAN, **more: Any) -> ModelAudit:
    return run_audit(panel or sensors(), {"mine": model}, plan, **more).models["mine"]


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
@pytest.mark.parametrize("model", [SeasonalNaive(), Ridge(input_size=14)], ids=lambda model: model.name)
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


# leaks of models


def peeks(past: Panel, future: Any) -> np.ndarray:
    return past.values[np.minimum(past.ends, len(past.values) - 1)]


def test_a_model_that_reads_one_row_too_many_is_caught_and_the_sentence_says_where_and_by_how_much() -> None:
    whole = sensors()
    found = audited(Simple(peeks), whole)
    assert found.word == "leaks" and not found.passed
    bad = next(check for check in found.checks if not check.passed)
    assert (bad.check, bad.column, bad.fold) == ("noise", "y", 0) and bad.leak is not None
    cutoff = whole.freq.show(whole.times[120 - 4 * HORIZON - 1])
    start = f"mine leaks: replacing y after {cutoff} by noise changed its forecast of series 's"
    assert found.sentence == f"mine leaks: {bad.where}." and found.sentence.startswith(start)
    assert found.sentence.endswith(f" ({bad.leak:.2g} mean changes).")


def test_the_size_of_a_leak_is_counted_in_mean_changes_of_the_series() -> None:
    """Every series moves by exactly 2 a step, and the model adds the value after the cutoff: the leak is its change."""
    whole = sensors((60, 60))
    whole = replace(whole, values=np.tile([10.0, 12.0], 60))
    found = audited(Simple(peeks), whole)
    bad = next(check for check in found.checks if check.check == "huge")
    replaced = 1e9 * 1.0  # a deviation of 1, times a billion
    assert bad.leak == pytest.approx((replaced - 10) / 2) and "by 1e+09 (5e+08 mean changes)" in bad.where


def reads(column: str, step: int) -> Numbers:
    """The last value, and a covariate of the flat arrays `step` rows after the cutoff."""

    def numbers(past: Panel, future: Any) -> np.ndarray:
        flat = past.hist[:, 0] if column == "humidity" else past.futr[:, 0]
        return last(past) + 1e-9 * np.nan_to_num(flat[np.minimum(past.ends + step, len(flat) - 1)])

    return numbers


def test_a_past_only_covariate_may_not_matter_after_the_cutoff_and_is_named() -> None:
    found = audited(Simple(reads("humidity", 0)), sensors(covariates=True))
    assert found.word == "leaks" and "mine leaks: replacing humidity after 1970-" in found.sentence
    assert {check.column for check in found.checks if not check.passed} == {"humidity", "all"}  # and when it is removed
    assert audited(Simple(reads("humidity", -1)), sensors(covariates=True)).word == "passed"


def test_a_covariate_known_ahead_may_matter_within_the_horizon_and_not_beyond() -> None:
    def within(past: Panel, future: Any) -> np.ndarray:
        return last(past) + future.futr[:, -1, 0]

    whole = sensors(covariates=True)
    assert audited(Simple(within), whole).word == "passed"
    found = audited(Simple(reads("price", HORIZON)), whole)
    assert found.word == "leaks" and "replacing price beyond the horizon of the forecast from 1970-" in found.sentence
    plan = replace(PLAN, gap=2)
    beyond = next(c for c in audited(Simple(reads("price", HORIZON + 2)), whole, plan).checks if not c.passed)
    assert beyond.column == "price"


@dataclass
class Notes(Simple):
    """Its numbers are honest; what it says beside them, or its quantiles, are not."""

    where: str = "notes"

    def predict(self, views: list[View]) -> list[Forecast]:
        return [self.one(view) for view in views]

    def one(self, view: View) -> Forecast:
        honest, seen = says(last(view.past), view), peeks(*view)
        if self.where == "notes":
            return replace(honest, notes=((view.past.ids[0], f"order {seen[0] > 1000}"),))
        if self.where == "quantiles":
            quantiles = honest.quantiles.copy()
            quantiles[:, 2, -1] += np.abs(seen)
            return replace(honest, quantiles=quantiles)
        failed = seen[0] > 1000
        point, quantiles = np.where(failed, np.nan, honest.point), np.where(failed, np.nan, honest.quantiles)
        failures = tuple(Failure(key, "too wild") for key in honest.ids if failed)
        return replace(honest, point=point, quantiles=quantiles, failures=failures)


def test_quantiles_notes_and_failures_count_as_much_as_point_forecasts() -> None:
    assert "by noise changed its 0.975 quantile of series 's" in audited(Notes(where="quantiles")).sentence
    assert "at step 3 by" in audited(Notes(where="quantiles")).sentence
    found = audited(Notes())
    assert "by a huge constant changed its notes: 's0: order False' became 's0: order True'." in found.sentence
    assert "by a huge constant changed its forecast of series 's0' at step 1." in audited(Notes(where="f")).sentence


@dataclass
class Scaler:
    mean: float
    made_at: float


@dataclass
class Learned(Simple):
    """Learns a mean over the flat array, neighbours' futures included, and does not even use it."""

    scaler: Scaler | None = None
    honest: bool = False

    def fit(self, past: Panel, horizon: int) -> Learned:
        values = past.values[past.inside] if self.honest else past.values
        return replace(self, scaler=Scaler(float(np.nanmean(values)), time.perf_counter()))


def test_what_a_fit_has_learned_must_keep_every_bit_though_no_forecast_shows_it() -> None:
    found = audited(Learned())
    assert found.word == "leaks"
    assert "by noise changed what it learned: 'scaler.mean' by " in found.sentence
    assert found.sentence.endswith(", though no forecast from there.")


def test_a_clock_among_what_was_learned_is_no_leak() -> None:
    assert audited(Learned(honest=True)).word == "passed"


@dataclass
class Counts(Simple):
    """A recipe that counts its fits."""

    fits: int = 0

    def fit(self, past: Panel, horizon: int) -> Any:
        self.fits += 1
        fits = self.fits
        return Simple(lambda past, future: last(past) + fits)


@dataclass
class Remembers(Simple):
    """A fitted model that keeps the last value it has seen from call to call."""

    before: float = 0.0

    def predict(self, views: list[View]) -> list[Forecast]:
        found = []
        for view in views:
            found.append(says(last(view.past) + self.before, view))
            self.before = float(last(view.past)[0])
        return found


@dataclass
class Compares(Simple):
    """A model that looks at the other views of a call, the later ones among them."""

    def predict(self, views: list[View]) -> list[Forecast]:
        common = np.mean([last(view.past).mean() for view in views])
        return [says(last(view.past) * 0 + common, view) for view in views]


@pytest.mark.parametrize(("model", "refit"), [(Counts(), True), (Remembers(), False), (Compares(), False)])
def test_a_model_that_carries_something_from_fold_to_fold_is_caught(model: Any, refit: bool) -> None:
    found = audited(model, plan=replace(PLAN, refit=refit))
    assert found.word == "leaks"
    assert found.sentence.startswith(
        "mine leaks: forecasting other folds before, or in the same call, changed its fore"
    )


def test_a_model_that_differs_from_run_to_run_proves_nothing() -> None:
    rng = np.random.default_rng(0)
    ticks = itertools.count()
    for noise in (lambda: np.random.normal(), lambda: float(next(ticks))):  # noqa: NPY002
        found = audited(Simple(lambda past, future, noise=noise: last(past) + noise()))
        assert found.word == "not repeatable" and not found.passed
        assert found.sentence.startswith(
            "mine is not repeatable: running it twice on the same data changed its forecast "
        )
        assert found.sentence.endswith("so nothing is proven; give it a fixed seed.")
    assert audited(Simple(lambda past, future: last(past) + rng.bit_generator.random_raw() * 0)).word == "passed"


# data of its own

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


# nothing to prove


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
