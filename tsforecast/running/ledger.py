"""The ledger of a run folder: which tasks were begun and finished, in SQLite. Only one process writes it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tsforecast.errors import DataError
from tsforecast.running import durable
from tsforecast.running.parts import Receipt

__all__ = ["Entry", "Ledger", "Stretch"]

TABLES = """
CREATE TABLE IF NOT EXISTS tasks (
  model TEXT NOT NULL, fold INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, member INTEGER NOT NULL,
  origin TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  key TEXT, sha256 TEXT, size INTEGER, levels TEXT, failed INTEGER, fit_seconds REAL, predict_seconds REAL,
  PRIMARY KEY (model, fold, first, last, member)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS remarks (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
"""
AT_MOST = 0.5  # seconds of finished tasks that may be done again after a power cut
TASK = "model, fold, first, last, member"
DONE = "key, sha256, size, levels, failed, fit_seconds, predict_seconds"


class Stretch(NamedTuple):
    """A task: one model, the fit at one fold, the series first:last; of a model of several, one member by its place."""

    model: str
    fold: int
    first: int
    last: int
    member: int = 0


@dataclass(frozen=True)
class Entry:
    """A task in the ledger.

    origin    the cutoffs of its folds
    attempts  how often it was begun in the main process without an end
    receipt   of its part; None while it is not finished
    """

    task: Stretch
    origin: str
    attempts: int
    receipt: Receipt | None


class Ledger:
    """An open ledger."""

    def __init__(self, path: Path, readonly: bool = False) -> None:
        self.path = path
        self._lasting = 0.0  # when the disk was waited for
        try:
            if readonly:
                self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            else:
                self._db = sqlite3.connect(path, isolation_level=None)
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.executescript(TABLES)
            self._db.execute(f"SELECT {TASK} FROM tasks").fetchone()
        except sqlite3.DatabaseError as error:
            if hasattr(self, "_db"):
                self._db.close()
            of_another_form = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
            if isinstance(error, sqlite3.OperationalError) and not (readonly or of_another_form):
                raise
            words = f"{path}: the ledger of the run cannot be read ({error}); start it anew, in another folder"
            raise DataError(words) from None

    def close(self) -> None:
        """Nothing is lost without it, but the ledger is then one file."""
        self._db.close()

    @contextmanager
    def together(self, lasting: bool = True) -> Iterator[None]:
        """All that is written inside the block, or nothing of it, is in the ledger after it: for good where a process
        is killed. `lasting`: also where the machine is, but for the last half second."""
        lasting = lasting and time.monotonic() - self._lasting > AT_MOST
        if lasting:
            self._lasting = time.monotonic()
        self._db.execute(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            durable.point("commit")
            self._db.execute("COMMIT")
            durable.point("committed")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def begin(self, task: Stretch, origin: str) -> None:
        """A task is begun in this process: should it take the process with it, that is known.

        It need not outlive the machine, so nothing waits for the disk.
        """
        with self.together(lasting=False):
            self._db.execute(
                f"INSERT INTO tasks ({TASK}, origin, attempts) VALUES (?, ?, ?, ?, ?, ?, 1) "
                "ON CONFLICT DO UPDATE SET attempts = attempts + 1",
                (*task, origin),
            )

    def let_go(self, task: Stretch) -> None:
        """A task was left unfinished through no fault of its own."""
        with self.together():
            self._forget([task])

    def finish(self, task: Stretch, origin: str, receipt: Receipt) -> None:
        """The part of a task is on the disk."""
        with self.together():
            self.enter(Entry(task, origin, 0, receipt))

    def enter(self, entry: Entry) -> None:
        """Write an entry, inside `together`."""
        done = (
            (None,) * 7
            if entry.receipt is None
            else (*entry.receipt[:3], json.dumps(entry.receipt.levels), *entry.receipt[4:])
        )
        self._db.execute(
            f"INSERT OR REPLACE INTO tasks ({TASK}, origin, attempts, {DONE}) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*entry.task, entry.origin, entry.attempts, *done),
        )

    def replace(self, entries: Iterable[Entry]) -> None:
        """These entries and no others, inside `together`."""
        self._db.execute("DELETE FROM tasks")
        for entry in entries:
            self.enter(entry)

    def entries(self) -> list[Entry]:
        """Every task that was begun or finished, in order."""
        rows = self._db.execute(f"SELECT {TASK}, origin, attempts, {DONE} FROM tasks ORDER BY {TASK}")
        return [Entry(Stretch(*row[:5]), row[5], row[6], _receipt(row[7:])) for row in rows]

    def remark(self, name: str) -> Any:
        """What was kept under a name, or None."""
        row = self._db.execute("SELECT content FROM remarks WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def names(self) -> set[str]:
        """Of everything that was kept."""
        return {row[0] for row in self._db.execute("SELECT name FROM remarks")}

    def note(self, name: str, content: Any) -> None:
        """Keep something under a name, inside `together`."""
        self._db.execute("INSERT OR REPLACE INTO remarks VALUES (?, ?)", (name, json.dumps(content)))

    def _forget(self, tasks: Iterable[Stretch]) -> None:
        self._db.executemany(f"DELETE FROM tasks WHERE ({TASK}) = (?, ?, ?, ?, ?)", tasks)


def _receipt(row: tuple[Any, ...]) -> Receipt | None:
    if row[0] is None:
        return None
    key, sha256, size, levels, *rest = row
    return Receipt(key, sha256, size, tuple(json.loads(levels)), *rest)
