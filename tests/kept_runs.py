"""Small runs that are kept on disk: three models, three fits, four chunks of series."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from small_runs import panel_of

from tsforecast import study
from tsforecast.backtesting import make_job
from tsforecast.folds import Plan
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.reporting import report
from tsforecast.results import BacktestResult
from tsforecast.running import queue
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.ledger import Ledger
from tsforecast.store import Place, run_kept

MODELS = {"naive": Naive(), "drift": Drift(), "week": SeasonalNaive()}
PLAN = Plan(horizon=3, n_windows=3, refit=True)
TASKS = 3 * 3 * 4


def make_small(patch: Any) -> None:
    """Every task has three series, however long it takes; no report, which takes long and is a function of the tables.

    patch  sets an attribute, as `setattr` does
    """
    patch(queue, "FIRST", 3)
    patch(queue, "GROWTH", 1)
    patch(report, "write_report", lambda result, path: path.write_text("a page"))


def twelve() -> Any:
    """Twelve daily series."""
    rng = np.random.default_rng(5)
    return panel_of({f"s{i:02d}": 50 + rng.normal(size=60).cumsum() for i in range(12)})


def the_job() -> Job:
    """The run."""
    return make_job(twelve(), MODELS, PLAN)


def kept(folder: Path, how: How | None = None, job: Job | None = None, **place: Any) -> BacktestResult:
    """The run, kept in a folder."""
    facts = study.run_facts("twelve", (job or the_job()).recipes)
    where = Place(out=folder, settings={"data": "twelve"}, **place)
    return run_kept(job or the_job(), where, how or How(executor="serial"), facts, {}, lambda once: {})


def finished_tasks(folder: Path) -> set[str]:
    """Keys of the tasks that are finished in a run."""
    path = folder / "work" / "ledger.sqlite"
    if not path.exists():
        return set()
    ledger = Ledger(path)
    try:
        return {entry.receipt.key for entry in ledger.entries() if entry.receipt}
    finally:
        ledger.close()


def bytes_of(place: Path) -> str:
    """sha256 of the parts, and of the tables but for how long it took."""
    names = sorted(p for p in place.rglob("*.parquet") if p.name != "tasks.parquet")
    return hashlib.sha256(b"".join(str(p.relative_to(place)).encode() + p.read_bytes() for p in names)).hexdigest()


def leftovers(place: Path) -> set[str]:
    """What should not be in a finished run."""
    work = {p.name for p in (place / "work").iterdir()} - {"config.yaml", "ledger.sqlite", "lock", "parts"}
    return work | {p.name for p in place.rglob("*.tmp")} | {p.name for p in place.parent.glob(f".{place.name}.*")}


def stopped(folder: Path, work: str, *argv: object, before: tuple[str, ...] = ()) -> list[list[str]]:
    """What the program that stops runs says, line by line. before: a command that runs it, such as `unshare`."""
    command = [*before, sys.executable, "stopped_runs.py", str(folder), work, *map(str, argv)]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]
