"""What a transform knows of a batch of windows: the statistics of their contexts, and how to go there and back.

A map is made by a recipe of `transforms` and never changes. Statistics are `[B, 1, C]` and speak for every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from tsforecast.errors import DataError
from tsforecast.scaling import largest, steady

__all__ = ["Affine", "Changes", "Composed", "Logarithm", "Map", "Returns", "SoftLogarithm", "check_positive", "settled"]

FURTHEST = 100.0  # logarithms above the bend: what a network says before it has learned anything must stay a number


class Map(Protocol):
    """What a recipe knows of B windows. Increasing in every value; NaN stays NaN."""

    def apply(self, context: Tensor, /) -> Tensor:
        """The context it was fitted to, `[B, L, C]`, in scaled units; differences have NaN in the first positions."""
        ...

    def apply_future(self, target: Tensor, /) -> Tensor:
        """The steps after the context, `[B, H, C]`, in scaled units."""
        ...

    def invert(self, scaled: Tensor, /) -> Tensor:
        """`[B, H, Q]` in scaled units (Q quantiles of one channel, or Q = C) in the units of the target."""
        ...


@dataclass(frozen=True, eq=False)
class Affine:
    """Minus a location, over a scale above 0, both `[B, 1, C]`."""

    location: Tensor
    scale: Tensor

    def apply(self, context: Tensor, /) -> Tensor:
        return (context.double() - self.location).div_(self.scale)

    def apply_future(self, target: Tensor, /) -> Tensor:
        return self.apply(target)

    def invert(self, scaled: Tensor, /) -> Tensor:
        return scaled.double() * self.scale + self.location


@dataclass(frozen=True, eq=False)
class Logarithm:
    """The natural logarithm; apply_future raises DataError where there is none."""

    def apply(self, context: Tensor, /) -> Tensor:
        return context.double().log()

    def apply_future(self, target: Tensor, /) -> Tensor:
        check_positive(target)
        return self.apply(target)

    def invert(self, scaled: Tensor, /) -> Tensor:
        return scaled.double().exp()


@dataclass(frozen=True, eq=False)
class SoftLogarithm:
    """log(1 + x / bend), and x / bend below zero; `bend` `[B, 1, C]` is above 0. Back from it no further than
    exp(100) bends."""

    bend: Tensor

    def apply(self, context: Tensor, /) -> Tensor:
        bends = context.double() / self.bend
        below = bends < 0
        return torch.where(below, bends, bends.clamp_min(0.0).log1p()) if bool(below.any()) else bends.log1p_()

    def apply_future(self, target: Tensor, /) -> Tensor:
        return self.apply(target)

    def invert(self, scaled: Tensor, /) -> Tensor:
        z = scaled.double()
        return torch.where(z < 0, z, z.clamp(0.0, FURTHEST).expm1()) * self.bend


@dataclass(frozen=True, eq=False)
class Returns:
    """Log-returns of the context; ahead, those since `last`, the last observed value `[B, 1, C]`."""

    last: Tensor

    def apply(self, context: Tensor, /) -> Tensor:
        x = context.double()
        returns = _log_ratio(x[:, 1:], x[:, :-1])
        return steady(_after_gap(returns, x, 1), torch.ones_like(self.last))

    def apply_future(self, target: Tensor, /) -> Tensor:
        check_positive(target)
        return _log_ratio(target.double(), self.last)

    def invert(self, scaled: Tensor, /) -> Tensor:
        return scaled.double().exp() * self.last


@dataclass(frozen=True, eq=False)
class Changes:
    """Changes over m steps; ahead, those since `last` `[B, m, C]`, the phase of the first step ahead first."""

    last: Tensor

    def apply(self, context: Tensor, /) -> Tensor:
        x, m = context.double(), self.last.shape[1]
        return steady(_after_gap(x[:, m:] - x[:, :-m], x, m), largest(x))

    def apply_future(self, target: Tensor, /) -> Tensor:
        return target.double() - self._ahead(target)

    def invert(self, scaled: Tensor, /) -> Tensor:
        return scaled.double() + self._ahead(scaled)

    def _ahead(self, steps: Tensor) -> Tensor:
        m = self.last.shape[1]
        return self.last if m == 1 else self.last[:, torch.arange(steps.shape[1], device=steps.device) % m]


@dataclass(frozen=True, eq=False)
class Composed:
    """Maps one after the other, undone in reverse."""

    maps: tuple[Map, ...]

    def apply(self, context: Tensor, /) -> Tensor:
        x = settled(context)
        for one in self.maps:
            x = one.apply(x)
        return x

    def apply_future(self, target: Tensor, /) -> Tensor:
        y = target.double()
        for one in self.maps:
            y = one.apply_future(y)
        return y

    def invert(self, scaled: Tensor, /) -> Tensor:
        z = scaled.double()
        for one in reversed(self.maps):
            z = one.invert(z)
        return z


def settled(context: Tensor) -> Tensor:
    """The context a chain starts from: float64, and windows constant up to rounding made exactly constant."""
    x = context.double()
    return steady(x, largest(x))


def check_positive(x: Tensor) -> None:
    """Raise DataError unless every observed value has a logarithm; the caller knows series and time, and adds them."""
    bad = x <= 0
    if bool(bad.any()):
        seen = int((~x.isnan()).sum())
        raise DataError(
            f"a logarithm needs values above 0: {int(bad.sum())} of {seen} values are not, the smallest is "
            f"{float(x[bad].min()):g}; choose a transform without one (standard, difference), or shift the series"
        )


def _after_gap(changes: Tensor, x: Tensor, lag: int) -> Tensor:
    """`changes` `[B, L - lag, C]` with NaN before them: as long as x, for nets that read windows of one length."""
    gap = x.new_full((x.shape[0], min(lag, x.shape[1]), x.shape[2]), torch.nan)
    return torch.cat([gap, changes], dim=1)


def _log_ratio(y: Tensor, x: Tensor) -> Tensor:
    """log(y / x) in full precision: near each other by the exact difference, far from each other by the ratio."""
    ratio = y / x
    near = (ratio > 0.5) & (ratio < 2.0)
    return torch.where(near, torch.log1p((y - x) / x), ratio.log())
