"""Writing that survives a crash at any instant: a file is there as a whole, or not at all.

The bytes go to a temporary file in the same folder and to the disk (fsync), the file takes its name in one step
(rename), and the folder that now names it goes to the disk too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from secrets import token_hex

from tsforecast.errors import ConfigError

__all__ = ["TEMPORARY", "names_at", "publish", "sync_file", "sync_folder", "write_whole"]

TEMPORARY = ".tmp"
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def point(name: str) -> None:
    """Called before and after every durable operation, and in the middle of a write: where tests crash."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file as a whole; one of that name is replaced."""
    made = path.with_name(f"{path.name}.{token_hex(6)}{TEMPORARY}")
    try:
        with open(os.open(made, NEW, 0o644), "wb", buffering=0) as file:
            half = len(content) // 2
            point("write")
            _write(file.fileno(), content[:half])
            point("written half")
            _write(file.fileno(), content[half:])
            point("fsync")
            os.fsync(file.fileno())
        point("rename")
        os.replace(made, path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def names_at(out: Path) -> set[str]:
    """What is in a folder that is to be written, or made: nothing, where it is not there yet.

    Raises ConfigError where it cannot be made or written.
    """
    found = out.resolve()
    above = next(folder for folder in found.parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError(f"--out {out}: nothing can be written in '{above}'; name another folder")
    if not found.exists():
        return set()
    if not found.is_dir():
        raise ConfigError(f"--out {out}: there is a file of that name; name another folder")
    return {path.name for path in found.iterdir()}


def publish(made: Path, place: Path, names: Iterable[str], mark: str) -> None:
    """Move finished files of one folder into another; whoever sees the mark there, the last of them, sees all."""
    stages = list(names), [mark]
    for name in (*stages[0], mark):
        sync_file(made / name)
    for moved in stages:
        for name in moved:
            point("rename")
            os.replace(made / name, place / name)
        sync_folder(place)


def sync_file(path: Path) -> None:
    """See that the content of a file is on the disk."""
    with open(path, "rb") as file:
        point("fsync")
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """See that the names in a folder are on the disk (where folders can be opened: Windows sees to it itself)."""
    if os.name == "nt":
        return
    opened = os.open(path, os.O_RDONLY)
    try:
        point("fsync folder")
        os.fsync(opened)
        point("done")
    finally:
        os.close(opened)


def _write(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]
