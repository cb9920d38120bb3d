"""A disk that forgets: what a run folder may look like after the machine has lost its power.

Until a file is synced (fsync), its bytes may be there, torn, or not at all; until a folder is synced, its names may be
those of before. Neither waits for the other: a file may have its new name and not its content. What SQLite promises is
taken as it is: a commit that waited for the disk is there, and of later ones any stretch from the beginning.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tsforecast.running.ledger import Ledger

WAL = "ledger.sqlite-wal"
LEDGER = ("ledger.sqlite", WAL)
PASSING = ("lock", "ledger.sqlite-shm")  # nobody relies on what they hold


class Disk:
    """Watches a folder, and tells what of it would be there after a crash.

    names    folder -> what its names meant when it was synced, by number of the file (inode)
    content  file -> its bytes when it was synced
    """

    def __init__(self, root: Path) -> None:
        """Of a folder that is not there yet."""
        self.root = root
        self.names: dict[int, dict[str, int]] = {}
        self.content: dict[int, bytes] = {}
        self.held: list[int] = []  # so that no number is given to another file
        self.lasting = 0  # bytes of the ledger's log that are there in any case
        self.tasks = set[str]()  # that were finished then

    def watch(self) -> None:
        """From now on, in this process."""
        os.fsync = self.fsync  # type: ignore[assignment]
        real, disk = Ledger.together, self

        @contextmanager
        def together(ledger: Ledger, lasting: bool = True) -> Iterator[None]:
            before = ledger._lasting
            with real(ledger, lasting):
                yield
            if ledger._lasting != before:
                disk.lasting = (disk.root / "work" / WAL).stat().st_size
                disk.tasks = {entry.receipt.key for entry in ledger.entries() if entry.receipt}

        Ledger.together = together  # type: ignore[method-assign, assignment]

    def fsync(self, opened: int) -> None:
        """In the place of the system's."""
        found = os.fstat(opened)
        self.held.append(os.dup(opened))
        if stat.S_ISDIR(found.st_mode):
            self.names[found.st_ino] = _names(Path(f"/proc/self/fd/{opened}"))
        else:
            self.content[found.st_ino] = Path(f"/proc/self/fd/{opened}").read_bytes()

    def crash(self, into: Path, rng: random.Random) -> None:
        """Write what may be left to another folder: everything unsynced is there, torn or gone, by chance."""
        above = self.names.get(self.root.parent.stat().st_ino, {})
        if self.root.exists() and (self.root.name in above or rng.random() < 0.5):
            self._survive(self.root, into, rng)

    def _survive(self, folder: Path, into: Path, rng: random.Random) -> None:
        into.mkdir()
        now, before = _names(folder), self.names.get(folder.stat().st_ino, {})
        for name in sorted(now | before):
            path = folder / name
            if path.is_dir():
                if name not in now or (before.get(name) != now[name] and rng.random() < 0.5):
                    continue
                self._survive(path, into / name, rng)
            elif name in LEDGER:
                (into / name).write_bytes(self._log(path, rng) if name == WAL else path.read_bytes())
            elif name not in PASSING and (number := rng.choice([now.get(name), before.get(name)])) is not None:
                (into / name).write_bytes(self._torn(number, path if now.get(name) == number else None, rng))

    def _log(self, path: Path, rng: random.Random) -> bytes:
        whole = path.read_bytes()
        return whole[: rng.randint(self.lasting, len(whole))]

    def _torn(self, number: int, path: Path | None, rng: random.Random) -> bytes:
        safe = self.content.get(number)
        if path is None or (whole := path.read_bytes()) == safe:
            return safe or b""
        cut = rng.randint(0, len(whole))
        return rng.choice([safe or b"", whole, whole[:cut], whole[:cut] + bytes(len(whole) - cut)])


def _names(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.iterdir()}
