"""Small runs that are kept on disk, for tests that kill them: three models, three fits, four chunks of series.

As a program it runs one: `python kept_runs.py FOLDER` says digest, hash of all bytes, tasks that were done again, and
what is left over. `FOLDER crash FIRST STEP` has runs killed at every STEP-th durable operation and goes on with them,
`FOLDER kill COUNT SEED` at random instants.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
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
from tsforecast.running import durable, queue
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.ledger import Ledger
from tsforecast.store import Place, run_kept

MODELS = {"naive": Naive(), "drift": Drift(), "week": SeasonalNaive()}
PLAN = Plan(horizon=3, n_windows=3, refit=True)
TASKS = 3 * 3 * 4


def chunks_of_three() -> None:
    """Every task has three series, however long it takes."""
    queue.FIRST, queue.GROWTH = 3, 1


def without_report() -> None:
    """It takes long and is a function of the tables."""
    report.write_report = lambda result, path: path.write_text("a page")  # type: ignore[assignment,func-returns-value,return-value]


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


def in_a_fork(work: Callable[[], str]) -> tuple[int, str]:
    """Exit code and words of something done in a copy of this process."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(into, work().encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(into)
    with open(out) as words:
        said = words.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def crash_at(number: int, place: Path) -> str:
    """Run until the durable operation of this number, and end there without a word to anybody."""
    seen = 0

    def point(name: str) -> None:
        nonlocal seen
        if seen == number:
            (place.parent / f"{place.name}.point").write_text(name)
            os._exit(137)
        seen += 1

    durable.point = point  # type: ignore[assignment]
    kept(place)
    return str(seen)


def go_on(place: Path) -> str:
    """The same run again: its digest, and how many tasks were done that had been finished before."""
    before, done = finished_tasks(place), []
    write = Job.key

    def key(self: Job, task: Any, folds: Any) -> str:
        done.append(write(self, task, folds))
        return done[-1]

    Job.key = key  # type: ignore[method-assign]
    digest = kept(place).facts["digest"]
    return f"{digest} {bytes_of(place)} {len(before & set(done))} {' '.join(sorted(leftovers(place))) or 'clean'}"


def kill_at_random(place: Path, rng: random.Random, longest: float) -> bool:
    """Run in a process group of its own that is killed at some time; whether the run was finished before."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        try:
            kept(place)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    time.sleep(rng.uniform(0.0, longest))
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet, or has ended
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code == 0


def crash_everywhere(folder: Path, number: int, step: int) -> None:
    """A crash at operation `number`, and at every step-th after it; what came out each time, and how many there are."""
    while True:
        place = folder / str(number)
        code, said = in_a_fork(partial(crash_at, number, place))
        if code == 0:
            print("points", number, said)
            return
        assert code == 137, code
        name = (folder / f"{number}.point").read_text()
        code, said = in_a_fork(partial(go_on, place))
        assert code == 0
        print(number, name.replace(" ", "-"), said, flush=True)
        number += step


def kill_often(folder: Path, kills: int, seed: int) -> None:
    """Runs that are killed until they get through, until there were so many kills."""
    rng, number, begun = random.Random(seed), 0, time.perf_counter()
    in_a_fork(lambda: kept(folder / "second").facts["digest"])
    longest = time.perf_counter() - begun
    while kills > 0:
        place = folder / f"run{number}"
        while kills > 0 and not kill_at_random(place, rng, longest):
            kills -= 1
        print(number, "killed", in_a_fork(partial(go_on, place))[1], flush=True)
        number += 1


def main(folder: Path, *argv: str) -> None:
    """See above."""
    chunks_of_three()
    without_report()
    if argv:
        print("whole", "-", go_on(folder / "first"), flush=True)  # what is imported for it the forks have then
    if argv[:1] == ("crash",):
        crash_everywhere(folder, int(argv[1]), int(argv[2]))
    elif argv[:1] == ("kill",):
        kill_often(folder, int(argv[1]), int(argv[2]))
    else:
        print(go_on(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
