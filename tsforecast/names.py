"""The names of very many series, in little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Names", "named"]

MANY = 4096  # that are Python strings at a time


class Names(Sequence[str]):
    """What a tuple of strings says, in a sixth of its memory. Some of them are a tuple."""

    def __init__(self, array: Any) -> None:
        """From an Arrow array of strings without nulls."""
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(self._array[place].to_pylist())
        return str(self._array[place].as_py())

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._pieces())

    def take(self, rows: npt.NDArray[np.int64]) -> tuple[str, ...]:
        """Those with these numbers."""
        return tuple(self._array.take(pa.array(rows)).to_pylist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, tuple | Names):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        said = ", ".join(", ".join(map(repr, piece)) for piece in self._pieces())
        return f"({said}{',' if len(self) == 1 else ''})"

    def _pieces(self) -> Iterator[tuple[str, ...]]:
        return (self[first : first + MANY] for first in range(0, len(self), MANY))


def named(names: Sequence[str], rows: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """Those with these numbers, of a tuple or of `Names`."""
    return names.take(rows) if isinstance(names, Names) else tuple(names[i] for i in rows)
