"""The networks of one model are trained side by side: the first here, and the others meanwhile in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cases import LED, sensors
from kept_runs import finished_tasks, kept, make_small, twelve
from misbehaving import Learns, Several

from tsforecast import progress
from tsforecast.backtesting import make_job, run_backtest
from tsforecast.folds import Plan
from tsforecast.models.naive import Naive
from tsforecast.models.recurrent import LSTM
from tsforecast.models.schedule import Training
from tsforecast.panel import Panel
from tsforecast.results import BacktestResult
from tsforecast.running import schedule
from tsforecast.running.executors import Processes
from tsforecast.running.how import How
from tsforecast.running.memory import InMemory

PLAN = Plan(horizon=3, n_windows=2)
SERIAL, AUTO = How(executor="serial"), How(jobs=2)
TRAINED: list[int] = []
"""Seeds, in the order in which their training began and, negative, ended."""
DONE: list[Future[Any]] = []
"""What workers have finished."""


class Threads:
    """Two workers in this process: one sees what happens in them."""

    slots, gpus, heals = 2, 2, False

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(2)
        self.models: list[str] = []

    def up(self, patience: float | None = None) -> bool:
        return True

    def submit(self, call: Any, errand: Any, gpu: bool = False) -> Future[Any]:
        self.models.append(errand.task.model)
        future = self.pool.submit(call, errand)
        future.add_done_callback(DONE.append)
        return future

    def tend(self) -> None:
        pass

    def start_again(self) -> None:
        raise AssertionError("no worker was lost")

    def close(self) -> None:
        self.pool.shutdown()


@dataclass(frozen=True)
class Waits(Several):
    """The network of seed 5 is trained until a worker has finished another one, or for so many steps."""

    steps: int = 1000
    then: str = "ends"
    swallows: bool = False
    training: Any = field(default_factory=lambda: Training(max_steps=1))
    name = "waits"

    def fit(self, past: Panel, horizon: int) -> Any:
        TRAINED.append(self.seed)
        for step in range(self.steps if self.seed == 5 else 0):
            try:
                progress.report((step + 1) / 1000)
            except ZeroDivisionError:
                if not self.swallows:
                    raise
            time.sleep(0.01)
            if DONE:
                break
        TRAINED.append(-self.seed)
        if self.then == "is interrupted" and self.seed == 5:
            raise KeyboardInterrupt
        return super().fit(past, horizon)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch.setattr)
    TRAINED.clear()
    DONE.clear()


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[Threads]:
    """Whatever takes any time pays for workers; those that were opened."""
    opened: list[Threads] = []
    monkeypatch.setattr(schedule, "WORTH", 0.0)
    monkeypatch.setattr(schedule, "LOOK", 0.0)
    monkeypatch.setattr(schedule, "open_executor", lambda *_: opened.append(Threads()) or opened[-1])
    return opened


def run(model: Any, how: How = AUTO) -> BacktestResult:
    return run_backtest(twelve(), {model.name: model}, PLAN, how=how)


def test_the_second_network_is_trained_while_the_first_one_is(threads: list[Threads]) -> None:
    side_by_side = run(Waits(n_seeds=2))
    assert TRAINED == [5, 6, -6, -5] and len(threads) == 1
    TRAINED.clear()
    DONE.clear()
    one_after_the_other = run(Waits(n_seeds=2, steps=10), SERIAL)
    assert TRAINED == [5, -5, 6, -6] and len(threads) == 1
    assert side_by_side.facts["digest"] == one_after_the_other.facts["digest"]


def test_one_worker_is_left_idle_while_this_process_works(threads: list[Threads]) -> None:
    run(Waits(n_seeds=4))
    assert TRAINED[:3] == [5, 6, -6] and sorted(TRAINED) == [-8, -7, -6, -5, 5, 6, 7, 8]
    assert len(threads[0].models) == 3


def test_no_more_workers_are_started_than_there_are_networks_left(
    threads: list[Threads], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    opened = schedule.open_executor
    monkeypatch.setattr(schedule, "open_executor", lambda *given: asked.append(given[1]) or opened(*given))
    monkeypatch.setattr(schedule, "WORTH", 2.0)  # seconds; the whole seems to take 10
    models = {"waits": Waits(n_seeds=2), "naive": Naive(), "mean": Several(n_seeds=1)}
    run_backtest(twelve(), models, PLAN, how=How(jobs=8))
    assert asked == [1] and TRAINED == [5, 6, -6, -5]


def test_trainings_that_are_over_soon_are_done_here(threads: list[Threads], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "WORTH", 30.0)  # seconds; the whole takes 10
    assert run(Waits(n_seeds=2, steps=10)).failures.empty
    assert TRAINED == [5, -5, 6, -6] and not threads


def test_a_training_that_is_over_before_workers_have_started_waits_for_none(
    threads: list[Threads], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have taken long, but has stopped early."""
    monkeypatch.setattr(schedule, "WORTH", 2.0)  # seconds; the whole seems to take 10
    monkeypatch.setattr(Threads, "up", lambda *_: False)
    assert run(Waits(n_seeds=2, steps=20)).failures.empty
    assert TRAINED == [5, -5, 6, -6] and len(threads) == 1 and not threads[0].models


def test_one_network_alone_is_trained_here(threads: list[Threads]) -> None:
    run(Waits(n_seeds=1, steps=10))
    assert TRAINED == [5, -5] and not threads


def test_what_trains_on_a_gpu_here_stays_here(threads: list[Threads]) -> None:
    assert run(Waits(n_seeds=2, steps=10, training=Training(max_steps=1, device="cuda"))).failures.empty
    assert TRAINED == [5, -5, 6, -6] and not threads


def test_a_process_that_may_start_none_does_it_all(threads: list[Threads], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)  # type: ignore[attr-defined]
    assert run(Waits(n_seeds=2, steps=10)).failures.empty
    assert TRAINED == [5, -5, 6, -6] and not threads


@pytest.mark.parametrize("swallows", [False, True])
def test_workers_that_do_not_start_are_no_fault_of_the_model_that_is_trained(
    threads: list[Threads], monkeypatch: pytest.MonkeyPatch, swallows: bool
) -> None:
    monkeypatch.setattr(schedule, "open_executor", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(Waits(n_seeds=2, steps=10, swallows=swallows))


def test_what_others_have_finished_is_kept_when_this_process_is_interrupted(
    threads: list[Threads], tmp_path: Path
) -> None:
    job = make_job(twelve(), {"waits": Waits(n_seeds=2, then="is interrupted")}, PLAN)
    with pytest.raises(KeyboardInterrupt, match="50 % of the work is done and kept"):
        kept(tmp_path / "r", AUTO, job)
    assert TRAINED == [5, 6, -6, -5] and len(finished_tasks(tmp_path / "r")) == 1
    TRAINED.clear()
    with pytest.raises(KeyboardInterrupt, match="50 % of the work is done and kept"):
        kept(tmp_path / "r", AUTO, job)
    assert TRAINED == [5, -5], "the one that was interrupted, and not the one that was finished"


def test_a_run_in_memory_has_a_folder_for_its_workers_only_while_it_lasts() -> None:
    with InMemory() as store:
        assert store.work.is_dir() and store.parts.parent == store.work
    assert not store.work.exists()


# ---- in processes


def whens(result: BacktestResult) -> list[tuple[int, float, float]]:
    """Of each network the process that trained it, and when that began and ended."""
    found = result.curves.query("model == 'learns'")
    return list(zip(found["step"], found["train_loss"], found["valid_loss"], strict=True))


@pytest.mark.slow
def test_networks_are_trained_in_different_processes_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "WORTH", 10.0)  # seconds; they say that they take 30
    found = []
    for name, how, steps in (("serial", SERIAL, 10), ("kept", AUTO, 3000), ("in memory", AUTO, 3000)):
        (tmp_path / f"marks {name}").mkdir()
        models = {"naive": Naive(), "learns": Learns(n_seeds=2, marks=str(tmp_path / f"marks {name}"), steps=steps)}
        job = make_job(twelve(), models, PLAN)
        result = kept(tmp_path / name, how, job) if name == "kept" else run_backtest(twelve(), models, PLAN, how=how)
        (first, begun, ended), (second, later, end) = whens(result)
        together = later < ended and begun < end
        assert together == (name != "serial") and (first == second) == (name == "serial"), name
        assert first == os.getpid(), "the first one is trained here"
        found.append(result.forecasts.to_csv() + result.members.to_csv())
    assert len(found) == 3 and len(set(found)) == 1


@pytest.mark.slow
def test_networks_have_the_same_bits_wherever_they_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {"lstm": LSTM(**{**LED, "n_seeds": 3})}
    digest = run_backtest(sensors(), models, PLAN, how=SERIAL).facts["digest"]
    opened: list[int] = []
    real = Processes.__init__
    monkeypatch.setattr(Processes, "__init__", lambda self, *given: opened.append(1) or real(self, *given))
    monkeypatch.setattr(schedule, "WORTH", 0.0)
    monkeypatch.setattr(schedule, "LOOK", 0.0)
    assert run_backtest(sensors(), models, PLAN, how=AUTO).facts["digest"] == digest and opened


@pytest.mark.slow
def test_a_worker_that_dies_while_this_process_works_costs_the_network_it_dies_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "WORTH", 10.0)
    result = run(Learns("is killed", victim=6, n_seeds=2, marks=str(tmp_path)))
    assert set(result.failures["reason"]) == {"seed 6: its worker process died (SIGKILL(-9))"}
    assert set(result.failures["model"]) == {"learns"}
