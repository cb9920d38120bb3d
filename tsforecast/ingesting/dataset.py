"""A dataset on disk: a folder that opens as a Panel over memory maps.

    dataset.json     what it is: the manifest
    series.parquet   `unique_id`, `steps` and `bucket` of each series, in the order of the panel
    arrays/*.npy     times, values and covariates of all series, end to end: these are mapped
    buckets/*.parquet  the same rows as tables, sorted by (unique_id, ds), for whoever reads parquet

Nothing in it is run when it is opened, and no name in it is a path: files have the names that are expected here.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from tsforecast.errors import DataError
from tsforecast.frequency import Frequency
from tsforecast.names import Names
from tsforecast.panel import Panel

__all__ = [
    "MANIFEST",
    "SERIES",
    "VERSION",
    "Manifest",
    "array_file",
    "bucket_file",
    "is_dataset",
    "open_dataset",
    "open_panel",
]

MANIFEST, SERIES, VERSION = "dataset.json", "series.parquet", 1
_LARGEST = 64 << 20  # bytes of a manifest that is read


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file that was read."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a dataset is.

    columns  role -> column of the files: id, time, target
    files    every other file of the dataset, and its bytes
    hash     `Panel.fingerprint` of the whole
    """

    format: Literal["tsforecast dataset"] = "tsforecast dataset"
    version: Literal[1] = 1
    written_by: str
    series: int
    steps: int
    columns: dict[str, str | None]
    hist_names: list[str]
    futr_names: list[str]
    dates: bool
    freq: Frequency
    season_length: int
    notes: list[str]
    sources: list[SourceFile]
    files: dict[str, int]
    hash: str


def array_file(name: str) -> str:
    """Where a flat array lies in the folder."""
    return f"arrays/{name}.npy"


def bucket_file(number: int) -> str:
    """Where the table of a bucket lies in the folder."""
    return f"buckets/{number:04d}.parquet"


def is_dataset(path: Path) -> bool:
    """Whether a path is a folder with a manifest."""
    return (path / MANIFEST).is_file()


def read_manifest(folder: Path) -> Manifest:
    """The manifest. Raises DataError where it is none, or of another version."""
    path = folder / MANIFEST
    if path.stat().st_size > _LARGEST:
        raise _damaged(folder, f"{MANIFEST} is larger than any manifest")
    try:
        found: Manifest = TypeAdapter(Manifest).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"][:1] == ("version",):
            raise DataError(
                f"{folder}: the dataset has version {first['input']!r}, and this program reads version {VERSION}; "
                "ingest the files again"
            ) from None
        where = ".".join(str(part) for part in first["loc"])
        raise _damaged(folder, f"{MANIFEST}{', ' + where if where else ''}: {first['msg'].lower()}") from None
    return found


def open_dataset(folder: str | Path) -> Panel:
    """A dataset as a panel whose flat arrays are mapped from disk, read-only: only what is touched is read.

    Raises DataError where a file is missing, has another size or form than the manifest says, or is no dataset's.
    """
    folder = Path(folder)
    if not is_dataset(folder):
        raise DataError(f"'{folder}' is not a dataset: it has no {MANIFEST}; make one with tsforecast ingest")
    return open_panel(folder, read_manifest(folder))


def open_panel(folder: Path, said: Manifest) -> Panel:
    """The panel in a folder, which must be as the manifest says."""
    names = {SERIES, array_file("times"), array_file("values")}
    names |= {array_file(name) for name in ("hist", "futr") if getattr(said, f"{name}_names")}
    if absent := sorted(names - set(said.files)):
        raise _damaged(folder, f"{MANIFEST} does not name {absent[0]}")
    for name in sorted(names):
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size != said.files[name]:
            raise _damaged(folder, f"{name} {_bytes(size)}, expected {said.files[name]:,} bytes")
    ids, steps = _series(folder, said)
    borders = np.append(0, np.cumsum(steps))  # one array: where a series ends the next one starts
    hist, futr = len(said.hist_names), len(said.futr_names)
    return Panel(
        ids=ids,
        starts=borders[:-1],
        ends=borders[1:],
        values=_mapped(folder, "values", "<f8", (said.steps,)),
        times=_mapped(folder, "times", "<M8[us]" if said.dates else "<i8", (said.steps,)),
        freq=said.freq,
        season_length=said.season_length,
        hist=_mapped(folder, "hist", "<f8", (said.steps, hist)),
        futr=_mapped(folder, "futr", "<f8", (said.steps, futr)),
        hist_names=tuple(said.hist_names),
        futr_names=tuple(said.futr_names),
        notes=tuple(said.notes),
    )


def _series(folder: Path, said: Manifest) -> tuple[Names, npt.NDArray[np.int64]]:
    """Names and lengths of all series, checked against the manifest."""
    try:
        table = pq.read_table(folder / SERIES, columns=["unique_id", "steps"])
        names = table["unique_id"].cast(pa.string()).combine_chunks()
        steps = table["steps"].cast(pa.int64()).to_numpy()
    except (OSError, ValueError, KeyError, MemoryError) as fault:  # pyarrow's errors are ValueErrors
        raise _damaged(folder, f"{SERIES} cannot be read ({str(fault).splitlines()[0]})") from None
    ids = Names(names)
    whole = not names.null_count and all(a < b for a, b in pairwise(ids))
    if not whole or len(ids) != said.series or (steps < 1).any() or int(steps.sum()) != said.steps:
        raise _damaged(folder, f"{SERIES} does not hold {said.series:,} series with {said.steps:,} steps")
    return ids, steps


def _mapped(folder: Path, name: str, kind: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if 0 in shape:
        return np.empty(shape, dtype=kind)
    file = array_file(name)
    try:
        array = np.load(folder / file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as fault:
        if isinstance(fault, OSError) and fault.errno == errno.ENOMEM:
            raise
        raise _damaged(folder, f"{file} cannot be read ({str(fault).splitlines()[0]})") from None
    if array.dtype != np.dtype(kind) or array.shape != shape:
        raise _damaged(folder, f"{file} holds {array.dtype} {array.shape}, expected {np.dtype(kind)} {shape}")
    return np.asarray(array)


def _bytes(size: int | None) -> str:
    return "is missing" if size is None else f"has {size:,} bytes"


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(f"{folder}: the dataset is damaged: {what}; ingest the files again")
