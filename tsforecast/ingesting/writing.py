"""The folder of a dataset: there as a whole, or not at all; its arrays and tables, each safely on disk."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tsforecast.errors import ConfigError, listing
from tsforecast.ingesting.dataset import MANIFEST, SERIES
from tsforecast.reading.rows import Rows
from tsforecast.running import durable

__all__ = ["ArrayFile", "check_free", "new_folder", "write_bucket", "write_table", "written"]

RANDOM = 6  # bytes, in the names of hidden folders
_OURS = {MANIFEST, SERIES, "arrays", "buckets"}


def check_free(out: Path, overwrite: bool) -> None:
    """Raise ConfigError where `out` cannot become a dataset, before any work is done."""
    names = durable.names_at(out)
    if not names:
        return
    if MANIFEST not in names:
        raise ConfigError(f"--out {out}: the folder is not empty and holds no dataset; name another folder")
    if not overwrite:
        raise ConfigError(
            f"--out {out}: there is a dataset already; name another folder, or replace it with --overwrite"
        )
    if foreign := sorted(name for name in names - _OURS if not name.startswith(".")):
        raise ConfigError(
            f"--out {out}: not replaced, since it also holds what no dataset has ({listing(foreign)}); "
            "move that away, or name another folder"
        )


@contextmanager
def new_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """A folder to write in, beside `out`, which becomes `out` when all went well; a crash leaves what was there."""
    place = out.resolve()  # where `out` is a link, what it leads to is replaced
    for left in _left(place, "old"):
        if place.exists():
            shutil.rmtree(left, ignore_errors=True)
        else:  # a crash came between the two renames below
            os.replace(left, place)
    check_free(out, overwrite)
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in _left(place, "part"):
        with _held(left, wait=False) as of_the_dead:
            if of_the_dead:
                shutil.rmtree(left, ignore_errors=True)
    made, old = (place.with_name(f".{place.name}.{token_hex(RANDOM)}.{word}") for word in ("part", "old"))
    with ExitStack() as stack:
        while not made.exists():  # another process may have taken it for one that was left, before it was held
            made.mkdir()
            stack.enter_context(_held(made))
        try:
            yield made
            for folder in (made, *(path for path in made.rglob("*") if path.is_dir())):
                durable.sync_folder(folder)
            durable.point("rename")
            if place.exists():
                os.replace(place, old)
                durable.point("renamed the old one")
            os.replace(made, place)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            if old.exists() and not place.exists():
                os.replace(old, place)
            raise
    durable.sync_folder(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def _left(place: Path, word: str) -> list[Path]:
    """Hidden folders beside `place` that an ingest to it makes, of this kind."""
    return sorted(place.parent.glob(f".{glob.escape(place.name)}.{'[0-9a-f]' * 2 * RANDOM}.{word}"))


@contextmanager
def _held(folder: Path, wait: bool = True) -> Iterator[bool]:
    """A folder that is being written, marked as such until the block ends or the process does; whether it could be.

    wait  until another process lets go of it
    """
    try:
        import fcntl

        opened = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # Windows: it is not known there who is alive
        yield False
        return
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except OSError:  # another process holds it, or the disk knows no locks
            held = False
        yield held
    finally:
        os.close(opened)


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A new file that is on disk when the block ends."""
    path.parent.mkdir(exist_ok=True)
    with path.open("xb") as file:
        durable.point("write")
        yield file
        file.flush()
        durable.point("fsync")
        os.fsync(file.fileno())


def write_table(table: pa.Table, path: Path) -> None:
    """One parquet file."""
    with written(path) as file:
        pq.write_table(table, file, compression="zstd")


def write_bucket(rows: Rows, instants: bool, path: Path) -> None:
    """Rows as the table `unique_id, ds, y` and covariates; `instants`: the times count as UTC."""
    ids = pa.DictionaryArray.from_arrays(pa.array(rows.codes.astype(np.int32)), pa.array(rows.ids, pa.string()))
    kind = pa.int64()
    if rows.times.dtype.kind == "M":
        kind = pa.timestamp("us", tz="UTC" if instants else None)
    columns: dict[str, Any] = {"unique_id": ids, "ds": pa.array(rows.times.view(np.int64)).cast(kind)}
    columns |= {
        name: pa.array(np.ascontiguousarray(rows.values[:, c])) for c, name in enumerate(("y", *rows.columns[1:]))
    }
    write_table(pa.table(columns), path)


class ArrayFile:
    """A .npy file that is written from its beginning to its end."""

    def __init__(self, file: IO[bytes], kind: str, shape: tuple[int, ...]) -> None:
        self.file, self.kind = file, kind
        header = {"descr": kind, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)

    def append(self, rows: npt.NDArray[Any]) -> None:
        """The next rows."""
        rows = np.ascontiguousarray(rows)
        assert rows.dtype.itemsize == np.dtype(self.kind).itemsize
        self.file.write(rows.reshape(-1).view(np.uint8).data)
