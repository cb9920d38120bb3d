"""The durable half of a run: finished tasks on the disk, so that a run that was killed at any instant goes on.

    RUN/work/ledger.sqlite   what the run is of, and which tasks were begun and finished
    RUN/work/parts/KEY.parquet   what a task answered
    RUN/work/lock            held by the process that works in the folder

A part is written before its row, so a row without its file does not happen, and a file without a row is written again.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tsforecast.errors import ConfigError, listing
from tsforecast.folds import Fold
from tsforecast.running.answering import Said
from tsforecast.running.durable import TEMPORARY, sync_folder
from tsforecast.running.job import Job
from tsforecast.running.keys import digest_of
from tsforecast.running.ledger import Entry, Ledger, Stretch
from tsforecast.running.manifest import Manifest, changes
from tsforecast.running.parts import Part, Receipt, part_path, write_part
from tsforecast.running.trouble import Locked, spelled_out

__all__ = ["WORK", "RunFolder", "command_to_go_on", "has_work", "holder", "ledger_of"]

WORK = "work"
PATIENCE = 0.5  # seconds in which the children of a process that was killed have let go of its lock


def command_to_go_on(config: Path, out: Path, *, overwrite: bool = False) -> str:
    """What to type, in a shell, to go on with the run in `out`."""
    words = ["tsforecast", "backtest", "--config", str(config), "--out", str(out)]
    return shlex.join([*words, "--overwrite"] if overwrite else words)


@contextmanager
def ledger_of(run: Path) -> Iterator[Ledger]:
    """The ledger of a run, to read. Raises ConfigError where there is none."""
    path = run / WORK / "ledger.sqlite"
    if not path.is_file():
        raise ConfigError(f"{run}: there is no ledger of tasks; give the folder of a run (--out)")
    ledger = Ledger(path, readonly=True)
    try:
        yield ledger
    finally:
        ledger.close()


class RunFolder:
    """A locked run folder. Use it as a context: its end lets the lock go."""

    def __init__(self, place: Path) -> None:
        """Make the folder where there is none. Raises Locked where another process works in it."""
        self.place, self.work = place, place / WORK
        self.parts = self.work / "parts"
        self._new = not self.work.exists()
        with spelled_out(place):
            self.parts.mkdir(parents=True, exist_ok=True)
            if self._new:
                for folder in (self.work, place, place.parent):
                    sync_folder(folder)
            self._lock = _locked(self.work / "lock", place)
            try:
                for left in (*self.parts.glob(f"*{TEMPORARY}"), *self.work.glob(f"*{TEMPORARY}")):
                    left.unlink()
                for left in (self.work / "data", self.work / "final"):
                    shutil.rmtree(left, ignore_errors=True)
                self.ledger = Ledger(self.work / "ledger.sqlite")
            except BaseException:
                self._lock.close()
                raise
        self._entries: dict[Stretch, Entry] = {}

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        empty = not any(entry.receipt for entry in self.ledger.entries()) and self.ledger.names() <= {"manifest"}
        self.ledger.close()
        if empty and self._new:  # nothing would be lost
            shutil.rmtree(self.work, ignore_errors=True)
            if not any(self.place.iterdir()):
                self.place.rmdir()
        self._lock.close()

    def settle(self, job: Job, manifest: Manifest, fork: Path | None = None, anew: bool = False) -> None:
        """Keep of what was finished here (and, for a new run, in the run `fork`) what belongs to this job.

        Raises ConfigError that names the differences where the folder holds a run of something else; with `anew` that
        run is given up.
        """
        old, parts = self.ledger.remark("manifest"), self.parts
        entries = self.ledger.entries()
        if old is None and fork is not None:
            entries, parts = _others(fork)
        if old is not None and not anew and (differences := changes(old, manifest, job.panel)):
            raise ConfigError(
                f"{self.place}: the run there is of something else: {listing(differences, 8)}; go on as it was begun, "
                "or start anew: elsewhere (--fork NEWFOLDER takes over what is the same) or with --overwrite"
            )
        if old != manifest:
            entries = self._taken_over(job, entries, parts)
        kept = [entry for entry in entries if entry.receipt is None or self._is_sound(entry.receipt)]
        with spelled_out(self.place):
            if old != manifest or kept != entries:
                with self.ledger.together():
                    self.ledger.replace(kept)
                    self.ledger.note("manifest", manifest)
        self._entries = {entry.task: entry for entry in kept}
        used = {entry.receipt.key for entry in kept if entry.receipt}
        for left in self.parts.glob("*.parquet"):
            if left.stem not in used:
                left.unlink()

    def _taken_over(self, job: Job, entries: Sequence[Entry], parts: Path) -> list[Entry]:
        """The finished tasks among these whose answer this job would get again, under its fold numbers."""
        origins = {fold: job.origin(fold) for fold in job.groups}
        kept: dict[Stretch, Entry] = {}
        for entry in entries:
            receipt, task = entry.receipt, entry.task
            if receipt is None or task.last > len(job.panel) or task.member >= len(job.members.get(task.model, ())):
                continue
            for fold in (fold for fold, origin in origins.items() if origin == entry.origin):
                new = task._replace(fold=fold)
                if job.key(new, job.folds_of(new)) == receipt.key:
                    _copied(part_path(parts, receipt.key), part_path(self.parts, receipt.key))
                    kept[new] = Entry(new, entry.origin, 0, receipt)
        return [kept[task] for task in sorted(kept)]

    def _is_sound(self, receipt: Receipt) -> bool:
        path = part_path(self.parts, receipt.key)
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == receipt.sha256

    @property
    def finished(self) -> bool:
        """Whether everything that this run is to answer is in its final files."""
        there = self.ledger.remark("finished")
        return there is not None and there == digest_of(self.ledger.remark("manifest"))

    def seal(self) -> None:
        """The final files are there."""
        with spelled_out(self.place), self.ledger.together():
            self.ledger.note("finished", digest_of(self.ledger.remark("manifest")))

    def once(self, name: str, work: Callable[[], Any]) -> Any:
        """What `work` answers: done once for the run as it is, and kept for when it goes on."""
        manifest = {key: value for key, value in self.ledger.remark("manifest").items() if key != "verdict"}
        key = f"{name} {digest_of(manifest)}"
        found = self.ledger.remark(key)
        if found is None:
            found = work()
            with spelled_out(self.place), self.ledger.together():
                self.ledger.note(key, found)
        return found

    # ---- what the scheduler asks of it

    def done(self, model: str, fold: int) -> list[Stretch]:
        """Finished tasks of a model at a fit, in the order of their series and members."""
        return [t for t, entry in sorted(self._entries.items()) if entry.receipt and t[:2] == (model, fold)]

    def begun(self) -> list[tuple[Stretch, int]]:
        """Tasks that were begun and have no end, with the number of times."""
        return [(task, entry.attempts) for task, entry in sorted(self._entries.items()) if not entry.receipt]

    def begin(self, job: Job, task: Stretch) -> None:
        """To be called before a task runs in this process."""
        with spelled_out(self.place):
            self.ledger.begin(task, job.origin(task.fold))

    def let_go(self, task: Stretch) -> None:
        """A task does not run on: it was interrupted, or is cut into smaller ones."""
        self._entries.pop(task, None)
        with spelled_out(self.place):
            self.ledger.let_go(task)

    def keep(self, job: Job, task: Stretch, folds: Sequence[Fold], said: Said) -> None:
        """A task that ran in this process is finished."""
        with spelled_out(self.place):
            self.record(job, task, write_part(self.parts, job.key(task, list(folds)), folds, said))

    def record(self, job: Job, task: Stretch, receipt: Receipt) -> None:
        """A task is finished and its part on the disk."""
        entry = Entry(task, job.origin(task.fold), 0, receipt)
        with spelled_out(self.place):
            self.ledger.finish(entry.task, entry.origin, receipt)
        self._entries[task] = entry

    def answer(self, task: Stretch) -> Part:
        """What a finished task answered."""
        receipt = self._entries[task].receipt
        assert receipt is not None
        path = part_path(self.parts, receipt.key)
        return Part(path, receipt.levels, receipt.fit_seconds, receipt.predict_seconds)

    def levels(self) -> list[float]:
        """Every quantile level that was answered."""
        return sorted({q for receipt in self.receipts().values() for q in receipt.levels})

    def receipts(self) -> dict[Stretch, Receipt]:
        """Every finished task."""
        return {task: entry.receipt for task, entry in self._entries.items() if entry.receipt}


def _others(fork: Path) -> tuple[list[Entry], Path]:
    """What another run has finished."""
    path = fork / WORK / "ledger.sqlite"
    if not path.is_file():
        raise ConfigError(f"{fork}: there is no run to take anything over from")
    ledger = Ledger(path, readonly=True)
    try:
        return ledger.entries(), fork / WORK / "parts"
    finally:
        ledger.close()


def _copied(old: Path, new: Path) -> None:
    """A part of another run; a link where the disk can, since parts never change."""
    if old == new or not old.is_file():
        return
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)


def has_work(place: Path) -> bool:
    """Whether a folder is one that a run works in, or has been since a run was begun there and killed at once."""
    work = place / WORK
    if (work / "ledger.sqlite").is_file():
        return True
    return work.is_dir() and {path.name for path in work.iterdir()} <= {"lock", "parts"}


def holder(place: Path) -> str | None:
    """The process that works in a run folder now, or None."""
    path = place / WORK / "lock"
    if not path.exists():
        return None
    try:
        _locked(path, place, write=False).close()
    except Locked as error:
        return error.holder
    return None


def _locked(path: Path, place: Path, write: bool = True) -> IO[str]:
    """The lock, held until the file is closed, which the end of the process does too."""
    file = open(path, "a+" if write else "r", encoding="utf-8")  # noqa: SIM115 (it stays open)
    try:
        import fcntl
    except ImportError:  # Windows: two processes on one folder are not kept apart there
        return file
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if write else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            break
        except OSError:
            if not write or time.monotonic() > until:
                file.seek(0)
                who = file.read().strip() or "unknown"
                file.close()
                raise Locked(place, who) from None
            time.sleep(0.02)
    if write:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
    return file
