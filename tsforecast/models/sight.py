"""What a linear map sees of windows: where it is solved, and what judges it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from tsforecast import progress
from tsforecast.models.encoding import OUTSIZED, Encoded, Encoding
from tsforecast.models.losses import all_positive
from tsforecast.models.nets import linear_features
from tsforecast.models.penalized import Form, solved
from tsforecast.models.sampling import Places
from tsforecast.models.schedule import Training
from tsforecast.scaling import mean_and_std, usable
from tsforecast.windows import Batch, Windows

__all__ = ["Judges", "Pilot", "Sight"]

CHUNK, HELD = 4_096, 40_000_000  # windows that are held at once, and values of them
LEAST = 0.1  # of the usual error is added to that of each window: one that is explained exactly does not decide alone
RELATIVE = Training.relative  # the weight of the relative error beside the scaled one


class Seen(NamedTuple):
    """Windows, and what a map sees of them."""

    batch: Batch
    encoded: Encoded
    features: Tensor  # [B, F]

    @property
    def rest(self) -> Tensor:
        """What is left to explain `[B, H]`, NaN where not observed."""
        return (self.encoded.target(self.batch.target) - self.encoded.base).squeeze(2).double()


def _weight(rest: Tensor) -> Tensor:
    """`[B, 1]`, which keeps a context that hardly moves from outweighing all others."""
    size = torch.nan_to_num(rest, nan=0.0).abs().amax(1, keepdim=True)
    return OUTSIZED / size.clamp_min(OUTSIZED)


class Pilot(NamedTuple):
    """A map that says how far from linear each window is, and so how much it counts for the next one."""

    weights: Tensor  # [F, H]
    error: float  # its usual one

    def root(self, away: Tensor) -> Tensor:
        """The root of what windows count for that it misses by `away` `[B, H]`, NaN where not observed: `[B, 1]`.

        As one over the error: a sum of squares over errors is a sum of errors (iteratively reweighted least squares).
        """
        size = away.abs().nanmean(1, keepdim=True).nan_to_num_(nan=0.0)
        return ((1 + LEAST) * self.error / (size + LEAST * self.error)).sqrt_()


@dataclass(frozen=True, eq=False)
class Sight:
    """What the map sees of windows, and what it has to explain."""

    windows: Windows
    encoding: Encoding
    masks: bool  # of what is missing

    def chunks(self, origins: Tensor, floors: Tensor) -> list[Places]:
        """Windows, as many at a time as are held at once."""
        each = self.windows.input_size + self.windows.horizon + self.windows.earlier.steps
        size = max(min(CHUNK, HELD // each), 1)
        return list(zip(torch.split(origins, size), torch.split(floors, size), strict=True))

    def look(self, origins: Tensor, floors: Tensor) -> Seen:
        """At these windows."""
        batch = self.windows.gather(origins, floors)
        seen = self.encoding.encode(batch)
        return Seen(batch, seen, linear_features(seen.x, seen.known, batch.hist.shape[2], self.masks).double())

    def solved(self, origins: Tensor, floors: Tensor, forms: list[Form], pilot: Pilot | None = None) -> list[Tensor]:
        """The map of each form `[F, H]` that is learned from these windows, by least squares or, with a pilot, in the
        direction of least absolute errors."""

        def rows() -> Iterator[tuple[Tensor, Tensor]]:
            done = 0
            for some in self.chunks(origins, floors):
                seen = self.look(*some)
                rest = seen.rest
                weight = _weight(rest)
                if pilot is not None:
                    weight = weight * pilot.root((rest - seen.features @ pilot.weights) * weight)
                yield seen.features * weight, torch.nan_to_num(rest, nan=0.0) * weight
                done += len(weight)
                progress.report(done / max(len(origins), 1))

        return solved(rows(), len(origins), forms)


@dataclass(frozen=True, eq=False)
class Judges:
    """Windows by which maps are judged."""

    sight: Sight
    places: Places

    @cached_property
    def _at_once(self) -> list[Seen]:
        return [self.sight.look(*some) for some in self.sight.chunks(*self.places)]

    def _seen(self) -> Iterable[Seen]:
        """They are asked more than once: looked at once where they can be held at once, else each time."""
        chunks = self.sight.chunks(*self.places)
        return self._at_once if len(chunks) <= 1 else (self.sight.look(*some) for some in chunks)

    def errors(self, weights: Tensor) -> Tensor:
        """Errors of a map `[windows, H]` in scaled units, NaN where the target was not observed."""
        return torch.cat([seen.rest - seen.features @ weights for seen in self._seen()])

    def sizes(self, maps: list[Tensor]) -> tuple[Tensor, int]:
        """Sums of the clipped absolute errors of each map, and of how many."""
        sums, count = torch.zeros(len(maps), dtype=torch.float64, device=self.places[0].device), 0
        for seen in self._seen():
            rest = seen.rest
            weight = _weight(rest)
            for i, weights in enumerate(maps):
                sums[i] += ((rest - seen.features @ weights) * weight).abs().nan_to_num(nan=0.0).sum()
            count += rest.numel()
        return sums, count

    def misses(self, size: int, weights: Tensor) -> Tensor:
        """Errors of a map in units that are the same for every encoding `[windows]`, NaN where nothing was observed."""
        windows = self.sight.windows
        found, measure = [], replace(windows, input_size=size)
        for some, seen in zip(self.sight.chunks(*self.places), self._seen(), strict=True):
            batch = seen.batch
            answer = seen.encoded.units((seen.features @ weights).unsqueeze(2) + seen.encoded.base)
            away = (batch.target - answer).abs()
            context = batch.context if size == windows.input_size else measure.gather(*some).context
            mean, std = mean_and_std(context)
            std = usable(std, mean)
            outsized = ((batch.target - mean) / std).nan_to_num(nan=0.0).abs().amax(1, keepdim=True) / OUTSIZED
            positive = all_positive(context, batch.target)
            relative = 2 * away / torch.where(positive, batch.target + answer.abs(), torch.inf)
            found.append((away / std / outsized.clamp_min(1) + RELATIVE * relative).nanmean((1, 2)))
        return torch.cat(found)
