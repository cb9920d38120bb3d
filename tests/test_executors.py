"""Where and how tasks run changes no bit of a result."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import LED, SMALL, sensors
from kept_runs import twelve
from misbehaving import Sleeps

from tsforecast.backtesting import make_job, run_backtest
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.models.arima import ARIMA
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.models.naive2 import Naive2
from tsforecast.models.recurrent import LSTM
from tsforecast.panel import Panel
from tsforecast.running import executors, queue, schedule
from tsforecast.running.executors import Processes, lost_by
from tsforecast.running.how import How
from tsforecast.running.keys import model_settings
from tsforecast.running.numerics import pinned
from tsforecast.running.shared import open_panel, save_panel

MODELS: dict[str, Any] = {
    "naive": Naive(),
    "week": SeasonalNaive(),
    "drift": Drift(),
    "naive2": Naive2(),
    "arima": ARIMA(order=(1, 0, 0)),
    "ridge": Ridge(input_size=14),
    "lstm": LSTM(**{**LED, "n_seeds": 2}),
}
LOCAL = {name: model for name, model in MODELS.items() if name not in ("ridge", "lstm")}
PLAN = Plan(horizon=5, n_windows=4, refit=2)
needs_dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="Dask is not installed")


def digest(panel: Panel, models: dict[str, Any] = MODELS, plan: Plan = PLAN, **how: Any) -> str:
    found: str = run_backtest(panel, models, plan, how=How(**how)).facts["digest"]
    return found


@pytest.fixture(scope="module")
def data() -> Panel:
    return sensors([120 - 3 * i for i in range(20)])


@pytest.fixture(scope="module")
def serial(data: Panel) -> str:
    return digest(data)


def test_the_size_of_tasks_changes_no_bit(data: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = digest(data, LOCAL)
    for size in (1, 7):
        monkeypatch.setattr(queue, "FIRST", size)
        monkeypatch.setattr(queue, "GROWTH", 1)
        assert digest(data, LOCAL) == expected
    assert digest(data, LOCAL, replace(PLAN, horizon=4)) != expected, "control"


def test_the_order_of_the_series_in_memory_changes_no_bit(data: Panel, serial: str) -> None:
    turned = np.argsort(-data.starts)
    rows = np.concatenate([np.arange(data.starts[i], data.ends[i]) for i in turned])
    ends = np.empty(len(data), dtype=np.int64)
    ends[turned] = np.cumsum(data.lengths[turned])
    arrays = {name: getattr(data, name)[rows] for name in ("values", "times", "hist", "futr")}
    other = replace(data, starts=ends - data.lengths, ends=ends, **arrays)
    assert digest(other) == serial and other.fingerprint() == data.fingerprint()


def test_other_models_in_the_run_change_no_bit(data: Panel) -> None:
    together = run_backtest(data, MODELS, PLAN).forecasts
    alone = run_backtest(data, {"arima": MODELS["arima"]}, PLAN).forecasts
    assert together[together["model"] == "arima"].reset_index(drop=True).equals(alone)


def test_a_task_has_the_same_threads_whatever_this_process_is_set_to(data: Panel) -> None:
    before = torch.get_num_threads()
    ridge = {"ridge": MODELS["ridge"]}
    try:
        torch.set_num_threads(2)
        with pinned(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        two = digest(data, ridge)
        torch.set_num_threads(1)
        assert digest(data, ridge) == two
    finally:
        torch.set_num_threads(before)


def test_settings_tell_models_apart_and_the_same_ones_together() -> None:
    settings = [model_settings(m) for m in (Naive(), Drift(), Ridge(), Ridge(input_size=3), LSTM(), LSTM(seed=1))]
    assert len({str(s) for s in settings}) == len(settings)
    assert model_settings(LSTM(**SMALL)) == model_settings(LSTM(**SMALL))

    @dataclass
    class Mine:
        function: Any

    same = [model_settings(Mine(lambda x: x + 1)) for _ in range(2)]  # type: ignore[arg-type]
    other = model_settings(Mine(lambda x: x + 2))  # type: ignore[arg-type]
    assert same[0] == same[1] != other


def test_tasks_grow_until_they_take_long_enough(data: Panel) -> None:
    from tsforecast.running.ledger import Stretch
    from tsforecast.running.memory import InMemory

    many = Panel(**{**vars(twelve()), "ids": tuple(f"s{i:05d}" for i in range(12))})
    tasks = queue.Queue(make_job(many, {"naive": Naive()}, Plan(horizon=3, n_windows=1)), InMemory())
    assert tasks.take(["naive"], jobs=2) == Stretch("naive", 0, 0, 2), "three tasks for each of two workers"
    tasks.learned(Stretch("naive", 0, 0, 2), 80.0)
    assert tasks.take(["naive"]) == Stretch("naive", 0, 2, 3) and tasks.expected("naive") == 9 * 40
    tasks.learned(Stretch("naive", 0, 2, 3), 4.0)
    assert tasks.take(["naive"]) == Stretch("naive", 0, 3, 8)
    tasks.put_back(Stretch("naive", 0, 3, 8))
    tasks.learned(Stretch("naive", 0, 3, 8), 0.0)
    assert tasks.take(["naive"]) == Stretch("naive", 0, 3, 8) and tasks.take(["naive"]) == Stretch("naive", 0, 8, 12)
    assert tasks.take(["naive"]) is None and not tasks


@pytest.mark.slow
def test_worker_processes_change_no_bit(data: Panel, serial: str) -> None:
    assert digest(data, executor="processes", jobs=2) == serial == digest(data, executor="serial")


def test_what_a_lost_worker_leaves_is_told_from_what_a_call_raises() -> None:
    class TerminatedWorkerError(RuntimeError):
        pass

    assert lost_by(ValueError("no")) == ""
    assert lost_by(TerminatedWorkerError("The exit codes of the workers are {SIGSEGV(-11)}")).endswith("(SIGSEGV(-11))")
    assert lost_by(TerminatedWorkerError("something else")) == "its worker process died"


def cannot_start() -> None:
    raise OSError("no such thing")


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_no_fault_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "settle_in", cannot_start)
    with pytest.raises(ConfigError, match="a worker process cannot start"):
        digest(twelve(), {"naive": Naive()}, executor="processes", jobs=1)


@pytest.mark.slow
def test_what_takes_long_goes_to_workers_by_itself(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kept_runs import kept

    from tsforecast.reporting import report

    monkeypatch.setattr(report, "write_report", lambda result, path: path.write_text("a page"))
    monkeypatch.setattr(schedule, "WORTH", 0.5)
    monkeypatch.setattr(queue, "FIRST", 2)
    opened: list[int] = []
    real = Processes.__init__
    monkeypatch.setattr(Processes, "__init__", lambda self, *given: opened.append(given[0]) or real(self, *given))
    job = make_job(twelve(), {"naive": Naive(), "sleeps": Sleeps()}, Plan(horizon=3, n_windows=2))
    on_one_core = kept(tmp_path / "s", How(jobs=1), job)
    assert opened == []
    on_disk = kept(tmp_path / "r", How(jobs=2), job)
    assert opened == [2]
    in_memory = run_backtest(twelve(), job.recipes, job.plan, how=How(jobs=2))
    assert opened == [2, 2]
    assert len({run.facts["digest"] for run in (on_one_core, on_disk, in_memory)}) == 1


def test_workers_map_the_data_and_those_that_are_mapped_already_are_not_copied(tmp_path: Any, data: Panel) -> None:
    found = open_panel(save_panel(data, tmp_path / "first"))
    assert isinstance(found.values, np.memmap) and found.fingerprint() == data.fingerprint()
    assert found.freq == data.freq and found.ids == data.ids and found.season_length == data.season_length
    later = replace(found, values=found.values[3:], times=found.times[3:], hist=found.hist[3:], futr=found.futr[3:])
    later = replace(later, starts=np.maximum(found.starts - 3, 0), ends=found.ends - 3)
    again = open_panel(save_panel(later, tmp_path / "second"))
    assert again.fingerprint() == later.fingerprint() != data.fingerprint()
    assert not (tmp_path / "second" / "values.bin").exists() and (tmp_path / "second" / "starts.bin").exists()
