"""Faults cost what they must and no more: exactly the series at fault, whatever the model does to its process."""

from __future__ import annotations

from typing import Any

import pytest
from kept_runs import twelve
from misbehaving import Bad

from tsforecast.backtesting import run_backtest
from tsforecast.errors import ConfigError, DataError
from tsforecast.folds import Plan
from tsforecast.models.naive import Drift, Naive
from tsforecast.results import BacktestResult
from tsforecast.running import queue
from tsforecast.running.how import How

PLAN = Plan(horizon=3, n_windows=2)
PROCESSES = How(executor="processes", jobs=2)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "FIRST", 8)
    monkeypatch.setattr(queue, "GROWTH", 1)


def run(model: Any, how: How | None = None, **others: Any) -> BacktestResult:
    return run_backtest(twelve(), {"before": Naive(), "bad": model, "after": Drift(), **others}, PLAN, how=how)


def lost(result: BacktestResult) -> tuple[set[str], set[str], set[str]]:
    """Models, series and reasons of the failures; every number that is not among them is there."""
    table = result.forecasts.merge(result.failures, on=["model", "fold", "unique_id"], how="left")
    numbers = table[["forecast", *(c for c in table.columns if c[:1] == "q")]]
    failed = table["reason"].notna()
    assert numbers[failed].isna().all(axis=None)
    own = table["model"] != "bad"  # the naive quantiles of `bad` are all of the same levels
    assert numbers[~failed & own].notna().all(axis=None) and numbers.loc[~failed, "forecast"].notna().all()
    found = result.failures
    return set(found["model"]), set(found["unique_id"]), set(found["reason"])


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raises in fit", "LinAlgError: singular matrix"),
        ("raises", "ZeroDivisionError: no luck today"),
        ("leaves", "SystemExit: 7"),
        ("lacks memory", "MemoryError: no message"),
        ("answers nan", "the model answered with numbers that are not finite"),
        ("answers a number", "the model answered with int, not with a Forecast"),
        ("answers too few steps", "the model answered 1 steps, but was asked for 3"),
    ],
)
def test_a_local_model_that_fails_on_a_series_fails_on_that_series_alone(how: str, reason: str) -> None:
    result = run(Bad(how))
    assert lost(result) == ({"bad"}, {"s05"}, {reason})
    good = run(Bad("is good"))
    same = result.forecasts["unique_id"] != "s05"
    assert result.forecasts[same].equals(good.forecasts[same]), "the others are as if nothing had happened"


def test_a_model_of_all_series_at_once_fails_on_all_of_them() -> None:
    models, series, reasons = lost(run(Bad("raises", local=False)))
    assert models == {"bad"} and len(series) == 12 and reasons == {"ZeroDivisionError: no luck today"}


def test_a_users_mistake_is_raised_and_not_bisected() -> None:
    with pytest.raises(DataError, match="series 's05' is not for this model; leave it out"):
        run(Bad("refuses"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"executor": "proceses"}, "did you mean 'processes'"),
        ({"executor": "serial", "task_limit": 3.0}, "a task in this process cannot be stopped"),
        ({"task_limit": 0.0}, "must be a positive number"),
        ({"jobs": 0}, "jobs=0: must be at least 1"),
    ],
)
def test_where_tasks_run_is_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        How(**options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("is killed", "its worker process died (SIGKILL(-9))"),
        ("segfaults", "its worker process died (SIGSEGV(-11))"),
        ("raises", "ZeroDivisionError: no luck today"),
    ],
)
def test_a_model_that_takes_its_worker_along_costs_the_series_that_it_dies_of(how: str, reason: str) -> None:
    assert lost(run(Bad(how), PROCESSES)) == ({"bad"}, {"s05"}, {reason})


@pytest.mark.slow
def test_a_model_that_hangs_costs_the_series_that_it_hangs_on() -> None:
    limited = How(executor="processes", jobs=2, task_limit=2.0)
    assert lost(run(Bad("hangs"), limited)) == ({"bad"}, {"s05"}, {"took longer than the limit of 2 seconds"})


@pytest.mark.slow
def test_a_users_mistake_in_a_worker_is_raised_here() -> None:
    with pytest.raises(DataError, match="series 's05' is not for this model; leave it out"):
        run(Bad("refuses"), PROCESSES)
