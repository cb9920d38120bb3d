"""The forecast table as arrays, some of the series at a time: whatever is said of a result goes through these.

A cube has some series at all folds, so what is said of one series is found in one cube, and what is said of all series
adds up over cubes. How the series are dealt out depends on the size of the table alone, so a result in memory and the
same one on disk give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.pieces import Ranges
from tsforecast.results import BacktestResult, quantile_columns

__all__ = ["Cube", "Layout", "cubes", "forecasts_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CELLS = 1 << 16  # forecast values of one model in a cube
BLOCK = 1 << 13  # of these, whose quantiles are looked at together


@dataclass(frozen=True, eq=False)
class Layout:
    """Which rows of the tables are whose: the forecasts of M models lie model by model, each as R rows of H steps; a
    row is one series in one fold, and rows lie fold by fold, as they do in the table of pasts.

    names   of all N series in order, as an arrow array: a Python string takes eight times as much
    folds   numbers of the T folds
    first   row at which each fold begins, and R
    codes   per fold the numbers of its series; None = all of them
    alive   which models have a forecast of anything
    """

    names: Any
    folds: Ints
    first: Ints
    codes: tuple[npt.NDArray[np.int32] | None, ...]
    steps: int
    alive: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, result: BacktestResult) -> Layout:
        """That of a result."""
        return result.once("layout", lambda: cls._of(result))

    @classmethod
    def _of(cls, result: BacktestResult) -> Layout:
        names, numbers, sizes = pa.array([], pa.string()), list[int](), list[int]()
        for fold, part in _by_fold(result):
            if not part.equals(names):  # to look for new ones takes many times the memory of the names themselves
                names = pc.unique(pa.concat_arrays([names, part])) if len(names) else part
            numbers.append(fold)
            sizes.append(len(part))
        names = names.take(pc.sort_indices(names))
        codes = []
        for _, part in _by_fold(result):
            own = pc.index_in(part, names).to_numpy() if len(part) < len(names) else None
            codes.append(own)
        first = np.cumsum([0, *sizes])
        steps = len(result.table("forecasts")) // (len(result.models) * int(first[-1]))
        alive = np.array([_any_forecast(result, m, int(first[-1]), steps) for m in range(len(result.models))])
        return cls(names, np.array(numbers), first, tuple(codes), steps, alive)

    def rows(self, a: int, b: int) -> list[tuple[int, int]]:
        """Per fold, where the rows of the series a:b begin and end."""
        found = []
        for first, codes in zip(self.first.tolist(), self.codes, strict=False):
            low, high = (a, b) if codes is None else np.searchsorted(codes, [a, b]).tolist()
            found.append((first + low, first + high))
        return found

    def members(self, fold: int, a: int, b: int) -> Ints:
        """Which of the series a:b are in a fold, counted from a."""
        codes = self.codes[fold]
        if codes is None:
            return np.arange(b - a)
        return codes[slice(*np.searchsorted(codes, [a, b]))].astype(np.int64) - a

    def place(self, name: str) -> int | None:
        """The number of a series."""
        found: int | None = pc.index(self.names, name).as_py()
        return None if found == -1 else found


def cubes(result: BacktestResult) -> Iterator[Cube]:
    """The whole result, cube by cube, in the order of its series."""
    layout = Layout.of(result)
    many = max(CELLS // (layout.steps * len(layout.folds)), 1)
    for a in range(0, len(layout.names), many):
        yield Cube.of(result, a, min(a + many, len(layout.names)))


def forecasts_of(result: BacktestResult, name: str | None = None) -> pd.DataFrame:
    """What all models forecast of one series (default: the first), with all columns.

    Raises ConfigError for a series that is not in the result.
    """
    layout = Layout.of(result)
    codes = layout.codes[0]
    place = (0 if codes is None else int(codes[0])) if name is None else layout.place(name)
    if place is None:
        hint = did_you_mean(str(name), layout.names.to_pylist())
        raise ConfigError(f"there is no series {name!r} in this result{hint}")
    rows, models = int(layout.first[-1]), len(result.models)
    own = [(i, j) for i, j in layout.rows(place, place + 1) if i < j]
    steps = layout.steps
    return result.table("forecasts").frame(
        [((m * rows + i) * steps, (m * rows + j) * steps) for m in range(models) for i, j in own]
    )


def _by_fold(result: BacktestResult) -> Iterator[tuple[int, Any]]:
    """Number of each fold and the names of its series."""
    number, parts = -1, list[Any]()
    for piece in result.table("pasts").pieces(["fold", "unique_id"]):
        folds, names = piece["fold"].to_numpy(np.int64), pa.array(piece["unique_id"], pa.string())
        if isinstance(names, pa.ChunkedArray):  # as the text columns of pandas 3
            names = names.combine_chunks()
        borders = np.flatnonzero(np.diff(folds, prepend=-1, append=-1)).tolist()
        for a, b in pairwise(borders):
            if parts and folds[a] != number:
                yield number, pa.concat_arrays(parts)
                parts = []
            number = int(folds[a])
            parts.append(names[a:b])
    if parts:
        yield number, pa.concat_arrays(parts)


def _any_forecast(result: BacktestResult, model: int, rows: int, steps: int) -> bool:
    table, many = result.table("forecasts"), max(BLOCK // steps, 1)
    for a in range(model * rows, (model + 1) * rows, many):
        b = min(a + many, (model + 1) * rows)
        point = table.numbers(["forecast"], [(a * steps, b * steps)]).reshape(-1, steps)
        if np.isfinite(point).all(axis=1).any():
            return True
    return False


@dataclass(frozen=True, eq=False)
class Cube:
    """Some of the series at all folds: M models, R rows (one series in one fold), H steps, Q levels.

    names   of the series
    series  which of them a row is of `[R]`
    fold    the place of its fold among all `[R]`
    common  rows of which every model has a forecast that has any
    alive   models that have any in the whole result `[M]`
    """

    names: list[str]
    series: Ints
    fold: Ints
    last: Floats  # [R]
    scale_abs: Floats  # [R]
    scale_sq: Floats  # [R]
    y: Floats  # [R, H]
    point: Floats  # [M, R, H]
    levels: dict[float, str]  # and their columns
    common: npt.NDArray[np.bool_]
    alive: npt.NDArray[np.bool_]
    places: list[tuple[int, int]]  # per fold, its rows in the table of pasts
    read: Callable[[int, list[str], Ranges], Floats]

    @classmethod
    def of(cls, result: BacktestResult, a: int, b: int) -> Cube:
        """The series a:b of a result."""
        layout, table = Layout.of(result), result.table("forecasts")
        places, steps = layout.rows(a, b), layout.steps
        series = [layout.members(k, a, b) for k in range(len(places))]
        fold = np.repeat(np.arange(len(places)), [len(own) for own in series])
        last, scale_abs, scale_sq = result.table("pasts").numbers(["last", "scale_abs", "scale_sq"], places)

        def read(model: int, columns: list[str], rows: Ranges) -> Floats:
            if not columns:  # no model has quantiles
                return np.empty((0, sum(j - i for i, j in rows), steps))
            begin = model * int(layout.first[-1])
            found = table.numbers(columns, [((begin + i) * steps, (begin + j) * steps) for i, j in rows])
            return found.reshape(len(columns), -1, steps)

        y = read(0, ["y"], places)[0]
        point = np.stack([read(m, ["forecast"], places)[0] for m in range(len(result.models))])
        there = np.isfinite(point).all(axis=2)  # [M, R]
        # a model that failed everywhere has no scores; it must not take those of the others with it
        return cls(
            names=layout.names[a:b].to_pylist(),
            series=np.concatenate(series),
            fold=fold,
            last=last,
            scale_abs=scale_abs,
            scale_sq=scale_sq,
            y=y,
            point=point,
            levels=quantile_columns(table),
            common=there[layout.alive].all(axis=0),
            alive=layout.alive,
            places=places,
            read=read,
        )

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.y)

    def blocks(self) -> Iterator[slice]:
        """Rows whose quantiles are looked at together."""
        many = max(BLOCK // self.y.shape[1], 1)
        yield from (slice(a, min(a + many, self.size)) for a in range(0, self.size, many))

    def quantiles(self, model: int, rows: slice) -> Floats:
        """What a model said of some rows `[rows, H, Q]`."""
        wanted, begin = [], 0
        for first, end in self.places:
            low, high = max(rows.start, begin), min(rows.stop, begin + end - first)
            if low < high:
                wanted.append((first + low - begin, first + high - begin))
            begin += end - first
        return np.moveaxis(self.read(model, [*self.levels.values()], wanted), 0, -1)
