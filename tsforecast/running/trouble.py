"""What can stop a run that is nobody's mistake in the data or the options: each has an exit code of its own."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tsforecast.errors import TsforecastError

__all__ = ["Locked", "OutOfSpace", "Stopped", "spelled_out"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LEDGER_FULL = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_FSYNC,
)


class Locked(TsforecastError):
    """Another process, the holder, works in the run folder."""

    def __init__(self, place: Path, holder: str) -> None:
        super().__init__(f"{place}: another process works in this run ({holder}); wait for it, or stop it")
        self.holder = holder


class OutOfSpace(TsforecastError):
    """The disk, or the user's share of it, is full. What was finished before is kept."""


@contextmanager
def spelled_out(place: Path) -> Iterator[None]:
    """A full disk, as an error that says where."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise OutOfSpace(f"{error.filename or place}: {error.strerror}") from error
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) not in LEDGER_FULL:
            raise
        raise OutOfSpace(f"{place}: {error}") from error


class Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM in a run that is kept. The words say how to go on; there are none where nothing is kept."""
