"""A part: what a model said of some series at the folds of one fit, as one parquet file. No truth is in it.

Columns: unique_id, cutoff, step, forecast, one per quantile level and per member of an ensemble. A row group per fold
that has series, in the order of `Fold.rows` and steps. Failures, notes and losses are JSON in its metadata.
Equal answers give equal bytes: there is no clock and no name of a machine in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tsforecast.contract import Failure, Forecast
from tsforecast.folds import Fold
from tsforecast.running.answering import Said
from tsforecast.running.durable import write_whole

__all__ = ["Part", "Receipt", "part_path", "write_part"]

META = b"tsforecast"


class Receipt(NamedTuple):
    """What is known of a part without opening it."""

    key: str
    sha256: str
    size: int
    levels: tuple[float, ...]
    failed: int
    fit_seconds: float
    predict_seconds: float


def part_path(folder: Path, key: str) -> Path:
    """Where the part of a key lies."""
    return folder / f"{key}.parquet"


def write_part(folder: Path, key: str, group: Sequence[Fold], said: Said) -> Receipt:
    """Write a part, to the disk."""
    content = encoded(group, said)
    write_whole(part_path(folder, key), content)
    digest = hashlib.sha256(content).hexdigest()
    return Receipt(key, digest, len(content), said.levels, said.failed, said.fit_seconds, said.predict_seconds)


def encoded(group: Sequence[Fold], said: Said) -> bytes:
    """The bytes of a part."""
    curves = said.curves
    more = {
        "series": [len(f.ids) for f in said.forecasts],
        "members": [0 if f.members is None else len(f.members) for f in said.forecasts],
        "failures": [f.failures for f in said.forecasts],
        "notes": [f.notes for f in said.forecasts],
        "curves": None if curves is None else {name: curves[name].tolist() for name in curves.columns},
    }
    levels, members = said.levels, max(more["members"])  # type: ignore[call-overload]
    tables = [_table(*two, levels, members) for two in zip(group, said.forecasts, strict=True)]
    schema = tables[0].schema.with_metadata({META: json.dumps(more).encode()})
    sink = pa.BufferOutputStream()
    # of forecasts no two are alike: a dictionary of them, or a harder compression, takes time and saves nothing
    with pq.ParquetWriter(
        sink, schema, compression="snappy", use_dictionary=["unique_id"], write_statistics=False
    ) as writer:
        for table in tables:
            if len(table):
                writer.write_table(table.cast(schema), row_group_size=len(table))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _table(fold: Fold, forecast: Forecast, levels: tuple[float, ...], members: int) -> Any:
    n, h = forecast.point.shape
    owners = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(n, dtype=np.int32), h)), pa.array(fold.ids, pa.string())
    )
    quantiles, missing = forecast.at(levels), np.full((n, h), np.nan)
    columns: dict[str, Any] = {
        "unique_id": owners,
        "cutoff": np.repeat(fold.past.last_times, h),
        "step": np.tile(np.arange(1, h + 1, dtype=np.int32), n),
        "forecast": forecast.point.ravel(),
    }
    columns |= {f"q{q:g}": quantiles[:, :, k].ravel() for k, q in enumerate(levels)}
    for k in range(members):
        points = missing if forecast.members is None else forecast.members[k]
        columns[f"member{k}"] = points.ravel()
    return pa.table(columns)


@dataclass(frozen=True, eq=False)
class Part:
    """A part on disk, read fold by fold."""

    path: Path
    levels: tuple[float, ...]
    fit_seconds: float
    predict_seconds: float

    @cached_property
    def more(self) -> dict[str, Any]:
        """What stands beside the numbers."""
        found: dict[str, Any] = json.loads(pq.read_schema(self.path).metadata[META])
        return found

    @property
    def curves(self) -> pd.DataFrame | None:
        """Losses while the model was trained."""
        found = self.more["curves"]
        return None if found is None else pd.DataFrame(found)

    def forecast(self, place: int, fold: Fold) -> Forecast:
        """That of the fold at this place of the group; `fold` has the series of the part and no others."""
        n, h = len(fold.rows), fold.plan.horizon or fold.plan.reach
        past, members = fold.past, self.more["members"][place]
        times = past.freq.after(past.last_times, fold.plan.reach)[:, -h:]
        names = ["forecast", *(f"q{q:g}" for q in self.levels), *(f"member{k}" for k in range(members))]
        numbers = np.empty((0, len(names)))
        if n:
            with pq.ParquetFile(self.path, pre_buffer=False) as file:
                table = file.read_row_group(self._row_group(place), columns=names, use_threads=False)
            numbers = np.column_stack([table.column(name).to_numpy() for name in names])
        cube, q = numbers.reshape(n, h, len(names)), 1 + len(self.levels)
        return Forecast(
            fold.ids,
            times,
            past.freq,
            cube[:, :, 0],
            self.levels,
            cube[:, :, 1:q],
            tuple(Failure(*pair) for pair in self.more["failures"][place]),
            tuple((key, note) for key, note in self.more["notes"][place]),
            np.moveaxis(cube[:, :, q:], 2, 0) if members else None,
        )

    def _row_group(self, place: int) -> int:
        """A fold without series has no row group."""
        return place - sum(not n for n in self.more["series"][:place])
