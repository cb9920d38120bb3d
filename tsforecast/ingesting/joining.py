"""Finished buckets become flat arrays in the order of the panel, a stretch of series at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsforecast.reading.rows import Rows

__all__ = ["Joined", "Pieces"]

Ints = npt.NDArray[np.int64]


@dataclass(eq=False)
class Pieces:
    """The finished rows of each bucket, as they come: on disk, sorted by (series, time)."""

    folder: Path
    channels: int
    ids: list[str] = field(default_factory=list)
    steps: list[Ints] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def record(self) -> np.dtype[Any]:
        """A row of the grid: time, target and covariates."""
        return np.dtype([("time", "<i8"), ("values", "<f8", (self.channels,))])

    def path(self, number: int) -> Path:
        """Where the rows of a bucket are."""
        return self.folder / f"{number}.filled"

    def add(self, number: int, rows: Rows) -> None:
        """One more bucket."""
        records = np.empty(len(rows.codes), self.record)
        records["time"], records["values"] = rows.times.view(np.int64), rows.values
        with self.path(number).open("wb") as file:
            file.write(records.view(np.uint8).data)
        self.ids += rows.ids
        self.steps.append(np.bincount(rows.codes, minlength=len(rows.ids)))
        self.numbers.append(number)

    def joined(self) -> Joined:
        """All series in the order of their names."""
        order = np.argsort(np.array(self.ids, dtype=object), kind="stable")
        bucket = np.repeat(np.arange(len(self.numbers)), [len(steps) for steps in self.steps])[order]
        return Joined(tuple(self.ids[i] for i in order), np.concatenate(self.steps)[order], bucket, self)


@dataclass(frozen=True, eq=False)
class Joined:
    """All series in the order of the panel.

    steps   how many each has `[N]`
    bucket  which of the pieces it is in `[N]`
    """

    ids: tuple[str, ...]
    steps: Ints
    bucket: Ints
    pieces: Pieces

    @property
    def total(self) -> int:
        """Steps of all series."""
        return int(self.steps.sum())

    def stretches(self, rows: int) -> Iterator[npt.NDArray[Any]]:
        """The rows of all series in order, about so many at a time: whole series, at least one."""
        ends = np.cumsum(self.steps)
        read = np.zeros(len(self.pieces.numbers), dtype=np.int64)  # rows of each bucket that have been taken
        first = 0
        while first < len(self.ids):
            last = max(int(np.searchsorted(ends, ends[first] - self.steps[first] + rows, side="right")), first + 1)
            steps, bucket = self.steps[first:last], self.bucket[first:last]
            parts, place = [], []
            for k in np.unique(bucket).tolist():  # a bucket's rows are in the same order: its next ones are wanted
                count = int(steps[bucket == k].sum())
                parts.append(self._read(k, int(read[k]), count))
                place.append(np.repeat(np.flatnonzero(bucket == k), steps[bucket == k]))
                read[k] += count
            yield np.concatenate(parts)[np.argsort(np.concatenate(place), kind="stable")]
            first = last

    def _read(self, k: int, start: int, count: int) -> npt.NDArray[Any]:
        record = self.pieces.record
        path = self.pieces.path(self.pieces.numbers[k])
        return np.fromfile(path, record, count, offset=start * record.itemsize)
