"""What a kept run costs, and its plan: by the number of series, of tasks, and with a second worker process.

    python tests/benchmarks/run_costs.py --tables series      ten folds of the naive forecast, 1,000 to 100,000 series
    python tests/benchmarks/run_costs.py --tables plan        the plan of such a run
    python tests/benchmarks/run_costs.py --tables tasks       10,000 tasks that do next to nothing
    python tests/benchmarks/run_costs.py --tables workers     ARIMA, one worker process against two, in pairs

series   the whole command `tsforecast backtest DATASET --models naive`, report and all, in a process of its own; data
         are ingested beforehand. Seconds of the clock and of the processor; the most memory that it holds: of its own
         (anonymous), mapped from files (the libraries, and as much of the data as the system leaves there), together.
plan     the command `tsforecast plan DATASET --models naive` with the same folds, told in the same way. Most goes to
         the libraries: it runs ridges, and torch is imported for them.
tasks    milliseconds of the clock and of the processor for a task, from first to last, with its part and its rows in
         the ledger on the disk.
workers  pairs of runs, one after the other, which of the two first in turn. What matters on a busy machine is told too:
         seconds of the processor that both took, and the share of the workers' time in which they had no task.

Linux only: memory is what /proc says.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tsforecast.backtesting import make_job
from tsforecast.folds import Plan
from tsforecast.models.arima import ARIMA
from tsforecast.models.naive import Naive
from tsforecast.panel import Panel
from tsforecast.running import queue
from tsforecast.running.how import How
from tsforecast.running.manifest import made_of
from tsforecast.running.run_folder import RunFolder
from tsforecast.running.schedule import run_tasks

TABLES = ("series", "plan", "tasks", "workers")
FITS = 12
COMMAND = [sys.executable, "-m", "tsforecast.cli"]


def walks(series: int, steps: int) -> pd.DataFrame:
    """Daily random walks."""
    values = np.random.default_rng(0).normal(size=(series, steps)).cumsum(axis=1) + 50
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{i:06d}" for i in range(series)], steps),
            "ds": np.tile(pd.date_range("2024-01-01", periods=steps), series),
            "y": values.ravel(),
        }
    )


class Spent(NamedTuple):
    """Seconds, and the most MiB that were held at a time."""

    clock: float
    processor: float
    own: float
    mapped: float
    together: float


def watched(command: Sequence[str]) -> Spent:
    """What a command costs. Memory is looked at a hundred times a second."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks = dict.fromkeys(("RssAnon", "RssFile", "VmRSS"), 0)
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        for name, _, value in (line.partition(":") for line in status.splitlines()):
            if name in peaks:
                peaks[name] = max(peaks[name], int(value.split()[0]))
        time.sleep(0.01)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(time.perf_counter() - begun, used, *(value / 1024 for value in peaks.values()))


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print(f"\n{title}")
    for row in (head, *rows):
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)), flush=True)


def by_series(command: str, sizes: Sequence[int], folds: int) -> None:
    """The cost of a naive run, or of the plan of one."""
    rows = []
    for n in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            walks(n, 40).to_parquet(folder / "data.parquet", index=False)
            subprocess.run(
                [*COMMAND, "ingest", str(folder / "data.parquet"), "--out", str(folder / "data")],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            plan = ["--horizon", "5", "--n-windows", str(folds), "--step-size", "2", "--season-length", "7"]
            kept = ["--out", str(folder / "run")] if command == "backtest" else []
            spent = watched([*COMMAND, command, str(folder / "data"), "--models", "naive", *plan, *kept])
        rows.append([f"{n:,}", *(f"{value:,.1f}" for value in spent)])
    head = ["series", "seconds", "of the processor", "own MiB", "mapped MiB", "together MiB"]
    print_table(f"{command}, naive, {folds} folds", head, rows)


def by_tasks(n: int) -> None:
    """The cost of a task."""
    queue.FIRST = queue.GROWTH = 1
    job = make_job(Panel.from_frame(walks(n, 12)), {"naive": Naive()}, Plan(horizon=2, n_windows=1))
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run") as run:
        run.settle(job, made_of(job, {}, {}))
        clock, processor = time.perf_counter(), time.process_time()
        run_tasks(job, run, How(executor="serial"))
        spent = [time.perf_counter() - clock, time.process_time() - processor]
        tasks = len(run.receipts())
    print_table(f"{tasks:,} tasks", ["ms a task", "of the processor"], [[f"{1000 * s / tasks:.2f}" for s in spent]])


def with_workers(workers: int, series: int) -> tuple[float, float, float]:
    """Seconds of the clock and of the processor of an ARIMA run, and the share of the workers' time without a task."""
    models = {"arima": ARIMA(order=(1, 1, 1))}
    job = make_job(Panel.from_frame(walks(series, 120)), models, Plan(horizon=7, n_windows=FITS, refit=True))
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run") as run:
        run.settle(job, made_of(job, {}, {}))
        clock, processor = time.perf_counter(), processors()
        run_tasks(job, run, How(executor="processes", jobs=workers))
        clock, processor = time.perf_counter() - clock, processors() - processor
        busy = sum(receipt.fit_seconds + receipt.predict_seconds for receipt in run.receipts().values())
    return clock, processor, 1 - busy / (workers * clock)


def processors() -> float:
    """Seconds of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def by_workers(pairs: int, series: int) -> None:
    """One worker process against two."""
    rows, ratios = [], []
    for k in range(pairs):
        order = (1, 2) if k % 2 == 0 else (2, 1)
        found = {workers: with_workers(workers, series) for workers in order}
        ratios.append(found[1][0] / found[2][0])
        told = [f"{found[w][what]:.1f}" for what in (0, 1) for w in (1, 2)]
        rows.append([str(k + 1), f"{ratios[-1]:.2f}", *told, *(f"{100 * found[w][2]:.0f} %" for w in (1, 2))])
    head = ["pair", "times as fast", "s with 1", "s with 2", "processor with 1", "with 2", "idle with 1", "with 2"]
    print_table(f"ARIMA(1,1,1), {series} series x {FITS} fits", head, rows)
    print(f"median {statistics.median(ratios):.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TABLES), help="which of series, plan, tasks, workers")
    parser.add_argument("--sizes", default="1000,10000,100000", help="numbers of series")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--arimas", type=int, default=400, help="series of the workers' run")
    given = parser.parse_args()
    wanted = given.tables.split(",")
    sizes = [int(size) for size in given.sizes.split(",")]
    for table, command in (("series", "backtest"), ("plan", "plan")):
        if table in wanted:
            by_series(command, sizes, given.folds)
    if "tasks" in wanted:
        by_tasks(given.tasks)
    if "workers" in wanted:
        by_workers(given.pairs, given.arimas)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
