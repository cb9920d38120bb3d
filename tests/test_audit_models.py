"""A model that looks ahead is caught, and a sentence says where, by how much and through what."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from audit_cases import PLAN, Numbers, Simple, audited, last, peeks, says
from cases import HORIZON, sensors

from tsforecast.contract import Failure, Forecast
from tsforecast.panel import Panel, View


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
