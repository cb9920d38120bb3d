"""What keeping a run costs: time per task, time and memory to plan many series, memory to run them."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tsforecast.backtesting import make_job
from tsforecast.folds import Plan
from tsforecast.frequency import DAY, Frequency
from tsforecast.models.naive import Naive
from tsforecast.panel import Panel
from tsforecast.running import queue
from tsforecast.running.how import How
from tsforecast.running.manifest import made_of
from tsforecast.running.run_folder import RunFolder
from tsforecast.running.schedule import run_tasks

DAILY = Frequency("fixed", DAY)


def many(n: int, steps: int = 40) -> Panel:
    values = np.random.default_rng(0).normal(size=n * steps)
    times = DAILY.times(np.tile(np.arange(steps), n))
    ends = np.arange(1, n + 1) * steps
    ids, none = tuple(f"s{i:06d}" for i in range(n)), np.empty((n * steps, 0))
    return Panel(ids, ends - steps, ends, values, times, DAILY, 7, none, none)


@pytest.mark.slow
def test_a_task_costs_less_than_ten_milliseconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "FIRST", 1)
    monkeypatch.setattr(queue, "GROWTH", 1)
    job = make_job(many(300), {"naive": Naive()}, Plan(horizon=2, n_windows=1))
    with RunFolder(tmp_path / "r") as run:
        run.settle(job, made_of(job, {}, {}))
        begun = time.process_time()
        run_tasks(job, run, How(executor="serial"))
        spent = time.process_time() - begun
        assert len(run.receipts()) == 300
    assert spent / 300 < 0.010, "of the processor; the disk is waited for besides"


def test_many_series_are_planned_quickly_and_in_little_memory() -> None:
    panel, plan = many(100_000), Plan(horizon=5, n_windows=10, step_size=2)
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    job = make_job(panel, {"naive": Naive()}, plan)
    made_of(job, {}, {})
    assert time.process_time() - begun < 5
    assert len(job.folds) == 10 and len(job.folds[0].rows) == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10  # KiB


PEAK = """
import sys, threading, time; sys.path.insert(0, "tests")
from pathlib import Path
from test_run_costs import *
import json
from tsforecast.backtesting import facts_of
from tsforecast.reporting.report import write_report
from tsforecast.results import BacktestResult
from tsforecast.running import sinks, tables
def held():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))
peak, over = [0], threading.Event()
def watch():
    while not over.wait(0.005):
        peak[0] = max(peak[0], held())
panel = many(int(sys.argv[1]))
job = make_job(panel, {"naive": Naive()}, Plan(horizon=5, n_windows=10, step_size=2))
job.folds
before = held()
threading.Thread(target=watch, daemon=True).start()
with RunFolder(Path(sys.argv[2])) as run:
    run.settle(job, {})
    run_tasks(job, run, How(executor="serial"))
    sinks.write_tables(tables.tables(job, run), run.levels(), Path(sys.argv[2]))
(Path(sys.argv[2]) / "facts.json").write_text(json.dumps(facts_of(job)))
write_report(BacktestResult.load(sys.argv[2]), Path(sys.argv[2]) / "report.html")
over.set()
print((peak[0] - before) >> 10)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not say what is held")
def test_the_memory_of_a_run_does_not_grow_with_the_number_of_series(tmp_path: Path) -> None:
    used = []
    for n in (9_000, 24_000):
        argv = [sys.executable, "-c", PEAK, str(n), str(tmp_path / str(n))]
        done = subprocess.run(argv, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        used.append(int(done.stdout))
    assert used[1] < 1.25 * used[0], f"{used} MiB beside the data and their folds"
