"""Ingest: files of any size become a dataset, in memory that does not grow with them.

The files are read once. Rows go to buckets by a hash of their series' name; each bucket is sorted in memory, checked,
put on the grid; then the buckets are joined, stretch by stretch, into flat arrays in the order of the panel.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from tsforecast import __version__
from tsforecast.errors import check_known
from tsforecast.ingesting.buckets import deal, record_type
from tsforecast.ingesting.dataset import (
    MANIFEST,
    SERIES,
    Manifest,
    SourceFile,
    array_file,
    bucket_file,
    open_dataset,
    open_panel,
)
from tsforecast.ingesting.files import Files, open_files, settle_roles
from tsforecast.ingesting.joining import Joined, Pieces
from tsforecast.ingesting.sorting import Sorted, fill, sort
from tsforecast.ingesting.writing import ArrayFile, check_free, new_folder, write_bucket, write_table, written
from tsforecast.panel import Panel
from tsforecast.reading.columns import Roles
from tsforecast.reading.frames import FrameOptions, check_options
from tsforecast.reading.inference import season_unsaid
from tsforecast.reading.readers import AnyLayout
from tsforecast.reading.rows import Rows

__all__ = ["Sizes", "ingest"]

MOST_BUCKETS = 256  # as many files are open at once
Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is held at once, which bounds the memory whatever the files: 0.6 GiB for as many rows as you like.

    block   bytes of a file that are read at a time
    head    rows that settle which column is what
    bucket  bytes of rows in a bucket; more where a single series has more, or the files have more than 256 buckets
    stretch rows that are joined at a time; more where a single series has more
    """

    block: int = 8 << 20
    head: int = 200_000
    bucket: int = 32 << 20
    stretch: int = 500_000


def ingest(
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    overwrite: bool = False,
    layout: AnyLayout = "auto",
    sep: str | None = None,
    encoding: str | None = None,
    sizes: Sizes | None = None,
    on_progress: Progress | None = None,
    **options: Unpack[FrameOptions],
) -> Panel:
    """Turn one or several long CSV or parquet files into a dataset in the folder `out`, and open it.

    The panel equals that of `read_panel` on the same files with the same options, but its flat arrays lie on disk.

    overwrite    replace the dataset in `out`
    layout, sep, encoding, options
                 as of `read_panel`
    on_progress  told the share that is done, and what is being done

    Raises DataError as `read_panel`, and where the first rows do not settle which column is what, or a table is not
    long; ConfigError where `out` is taken. Whatever is raised, `out` is what it was.
    """
    check_known("ingest", options, FrameOptions.__annotations__)
    out, sizes = Path(out), sizes or Sizes()
    missing, season_length = options.get("missing", "error"), options.get("season_length")
    check_options(missing, season_length)
    check_free(out, overwrite)
    stages = _Stages(on_progress)
    na_values, decimal = _texts(options.get("na_values", ())), options.get("decimal", ".")
    files = open_files(data, layout, sep, encoding, sizes.block)
    naming: dict[str, Any] = {name: options.get(name) for name in ("id", "time", "target")}
    naming |= {"hist": _texts(options.get("hist_exog", ())), "futr": _texts(options.get("futr_exog", ()))}
    cells: dict[str, Any] = {"na_values": na_values, "decimal": decimal}
    roles = settle_roles(files, sizes.head, naming | cells | {"layout": layout})
    source = files.source
    with new_folder(out, overwrite) as folder:
        work = folder / "work"
        work.mkdir()
        record = record_type(len(roles.hist) + len(roles.futr) + 1)
        n_buckets = min(max(math.ceil(files.rows * record.itemsize / sizes.bucket), 1), MOST_BUCKETS)
        date_format = options.get("date_format")
        dealt = deal(
            files, roles, work, n_buckets, date_format=date_format, **cells, tell=stages.stage("reading", 0.0, 0.6)
        )
        found = sort(dealt, roles, source, options.get("freq"), missing, stages.stage("sorting", 0.6, 0.75))
        pieces = Pieces(work, record["values"].shape[0])

        def keep(number: int, rows: Rows) -> None:
            pieces.add(number, rows)
            write_bucket(rows, found.freq.tz is not None and not found.freq.wall, folder / bucket_file(number))

        remarks = fill(found, roles, source, missing, keep, stages.stage("filling", 0.75, 0.9))
        joined = pieces.joined()
        _write_arrays(joined, roles, found.dates, folder, sizes.stretch, stages.stage("joining", 0.9, 1.0))
        shutil.rmtree(work)
        notes = [*roles.notes, *map(str, remarks), *([found.note] if found.note else [])]
        notes += season_unsaid(found.freq, season_length)
        _write_manifest(folder, files, roles, found, joined, season_length, notes)
    return open_dataset(out)


def _texts(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _write_arrays(
    joined: Joined, roles: Roles, dates: bool, folder: Path, stretch: int, tell: Callable[[float], None]
) -> None:
    """The flat arrays, and the table of series."""
    hist, futr = len(roles.hist), len(roles.futr)
    with ExitStack() as stack:

        def array(name: str, kind: str, *width: int) -> ArrayFile:
            file = stack.enter_context(written(folder / array_file(name)))
            return ArrayFile(file, kind, (joined.total, *width))

        times = array("times", "<M8[us]" if dates else "<i8")
        values = array("values", "<f8")
        covariates = [
            (array(name, "<f8", width), slice(first, first + width))
            for name, width, first in (("hist", hist, 1), ("futr", futr, 1 + hist))
            if width
        ]
        done = 0
        for rows in joined.stretches(stretch):
            times.append(rows["time"])
            values.append(rows["values"][:, 0])
            for file, channels in covariates:
                file.append(rows["values"][:, channels])
            done += len(rows)
            tell(done / joined.total)
    columns = {
        "unique_id": pa.array(joined.ids, pa.string()),
        "steps": pa.array(joined.steps),
        "bucket": pa.array(joined.bucket.astype(np.int32)),
    }
    write_table(pa.table(columns), folder / SERIES)


def _write_manifest(
    folder: Path,
    files: Files,
    roles: Roles,
    found: Sorted,
    joined: Joined,
    season_length: int | None,
    notes: list[str],
) -> None:
    """What the dataset is, with the fingerprint of the panel that it opens as."""
    written_files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = Manifest(
        written_by=f"tsforecast {__version__}",
        series=len(joined.ids),
        steps=joined.total,
        columns={"id": ", ".join(roles.id) or None, "time": roles.time, "target": roles.targets[0]},
        hist_names=list(roles.hist),
        futr_names=list(roles.futr),
        dates=found.dates,
        freq=found.freq,
        season_length=season_length or found.freq.season_length,
        notes=notes,
        sources=[_source_file(stream.path) for stream in files.streams],
        files={path.relative_to(folder).as_posix(): path.stat().st_size for path in written_files},
        hash="",
    )
    panel = open_panel(folder, manifest)
    text = TypeAdapter(Manifest).dump_json(replace(manifest, hash=panel.fingerprint()), indent=2)
    with written(folder / MANIFEST) as file:
        file.write(text + b"\n")


def _source_file(path: Path) -> SourceFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return SourceFile(name=path.name, bytes=path.stat().st_size, sha256=digest)


class _Stages:
    """Each stage of the work as a stretch of the whole, from 0 to 1."""

    def __init__(self, on_progress: Progress | None) -> None:
        self.on_progress = on_progress

    def stage(self, name: str, begin: float, end: float) -> Callable[[float], None]:
        """What a stage tells its own share to."""

        def tell(share: float) -> None:
            if self.on_progress is not None:
                self.on_progress(begin + min(share, 1.0) * (end - begin), name)

        return tell
