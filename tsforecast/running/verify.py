"""Whether the numbers of a run are reproduced, byte for byte."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from tsforecast.errors import ConfigError, listing
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.manifest import changes, made_of
from tsforecast.running.parts import encoded, part_path
from tsforecast.running.run_folder import WORK, ledger_of

__all__ = ["Verified", "verify_task"]


@dataclass(frozen=True)
class Verified:
    """One task, computed again."""

    task: Stretch
    same: bool
    sentence: str


def verify_task(run: Path, job: Job, device: str = "cpu", seed: int | None = None) -> Verified:
    """Compute a finished task of a run again and compare the bytes of its part; nothing is written.

    seed   which task; None: another one each time

    Raises ConfigError where the run has no finished task, or was made of something else than `job`.
    """
    with ledger_of(run) as ledger:
        manifest, entries = ledger.remark("manifest"), [e for e in ledger.entries() if e.receipt]
    if not entries:
        raise ConfigError(f"{run}: no task is finished, so there is nothing to compare")
    now = made_of(job, {"data": manifest["data"]["name"], "device": device}, {})
    if found := changes(manifest, now, job.panel):
        raise ConfigError(f"{run}: it would be computed from something else: {listing(found, 8)}")
    entry = random.Random(seed).choice(entries)
    assert entry.receipt is not None
    task, folds = entry.task, job.folds_of(entry.task)
    again = encoded(folds, job.answer(task, folds))
    same = again == part_path(run / WORK / "parts", entry.receipt.key).read_bytes()
    names = f"'{job.panel.ids[task.first]}'" + (
        f" to '{job.panel.ids[task.last - 1]}'" if task.last > task.first + 1 else ""
    )
    answer = "the same" if same else "other"
    where = f"{job.name(task)}, fitted at window {task.fold + 1}, series {names}"
    return Verified(task, same, f"{where}: computed again, {answer} {len(again)} bytes")
