"""What happens in a worker process: one task, from names to a part on the disk."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tsforecast.contract import Forecaster
from tsforecast.folds import Plan
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.parts import Receipt, write_part
from tsforecast.running.shared import open_panel

__all__ = ["Errand", "run_errand", "settle_in"]


@dataclass(frozen=True)
class Errand:
    """A task as a message: no data, only where they are."""

    data: str
    parts: str
    plan: Plan
    threads: int
    recipe: Forecaster
    task: Stretch


def run_errand(errand: Errand) -> Receipt:
    """Do the task and write its part."""
    shared = _shared(errand.data, errand.plan, errand.threads)
    job = Job(shared.panel, {errand.task.model: errand.recipe}, shared.plan, shared.threads)
    job.__dict__["folds"] = shared.folds
    folds = job.folds_of(errand.task)
    said = job.answer(errand.task, folds)
    return write_part(Path(errand.parts), job.key(errand.task, folds), folds, said)


@lru_cache(maxsize=2)
def _shared(data: str, plan: Plan, threads: int) -> Job:
    """Panel and folds of a run, opened once in a process."""
    return Job(open_panel(Path(data)), {}, plan, threads)


def settle_in(models: Sequence[Forecaster] = ()) -> None:
    """What a worker process of ours does first; by being told the models it has imported what they need.

    Ctrl-C, and the end of a terminal, reach every process there: the main one decides what becomes of the others; where
    it is killed, they end too. And what a model prints is not the answer of the program.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
