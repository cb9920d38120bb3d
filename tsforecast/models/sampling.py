"""Which windows a network sees: random ones to train on, always the same ones to validate on.

A window is told by two flat positions: its origin (the first target step) and its floor (where its series begins).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tsforecast.windows import Split

__all__ = ["Draws", "Places", "Repeated", "Stretches", "every_origin", "validation_windows"]

Ints = npt.NDArray[np.int64]
Places = tuple[Tensor, Tensor]
"""Origins `[B]` and floors `[B]`."""

VALIDATION_WINDOWS = 1024  # at most, evenly spaced
PARTS = 8  # of them: what a training gains is sure where most parts gain


class Draws:
    """Random training windows: `steps` batches, each drawn evenly over the series, then over their time.

    Iterating again gives the same batches again.
    """

    def __init__(self, split: Split, batch_size: int, steps: int, seed: int, device: torch.device) -> None:
        low, high, floors = (torch.tensor(a, device=device) for a in (split.train_low, split.train_high, split.floors))
        keep = high > low
        self.low, self.room, self.floors = low[keep], (high - low)[keep], floors[keep]
        self.batch_size, self.steps, self.seed = batch_size, steps, seed

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Places]:
        device = self.low.device
        random = torch.Generator(device).manual_seed(self.seed)
        for _ in range(self.steps):
            series = torch.randint(len(self.low), (self.batch_size,), generator=random, device=device)
            share = torch.rand(self.batch_size, generator=random, device=device, dtype=torch.float64)
            yield self.low[series] + (share * self.room[series]).long(), self.floors[series]


class Stretches:
    """The first `stop` batches of draws in lists of `size`; the last may be shorter."""

    def __init__(self, draws: Draws, stop: int, size: int) -> None:
        self.draws, self.stop, self.size = draws, stop, size

    def __len__(self) -> int:
        return -(-self.stop // self.size)

    def __iter__(self) -> Iterator[list[Places]]:
        batches = islice(self.draws, self.stop)
        while stretch := list(islice(batches, self.size)):
            yield stretch


class Repeated:
    """The same batches every time. (Lightning takes a plain list for several data loaders.)"""

    def __init__(self, batches: list[Places]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Places]:
        return iter(self.batches)


def validation_windows(split: Split, device: torch.device) -> Repeated:
    """The validation windows in at most PARTS batches of windows that lie beside each other, thinned evenly to at most
    VALIDATION_WINDOWS."""
    origins, floors = every_origin(split.valid_low, split.valid_high, split.floors, VALIDATION_WINDOWS)
    if len(origins) == 0:
        return Repeated([])
    size = -(-len(origins) // PARTS)
    pairs = zip(torch.split(origins, size), torch.split(floors, size), strict=True)
    return Repeated([(o.to(device), f.to(device)) for o, f in pairs])


def every_origin(low: Ints, high: Ints, floors: Ints, most: int) -> Places:
    """Every origin of the half-open ranges `low:high` `[N]` of series that begin at `floors` `[N]`, thinned evenly to
    at most `most`."""
    room = np.maximum(high - low, 0)
    last = np.cumsum(room)
    total = int(room.sum())
    number = np.arange(total) if total <= most else np.linspace(0, total - 1, most).astype(np.int64)
    series = np.searchsorted(last, number, side="right")
    return torch.from_numpy(low[series] + number - (last - room)[series]), torch.from_numpy(floors[series])
