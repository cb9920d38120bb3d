"""Recipes that bring windows of any size to a common one, and back.

`recipe.fit(context)` looks at windows `[B, L, C]` (time is axis 1, NaN = not observed) and returns a map of the same
windows. The map holds only statistics of each window's own context, so there is nothing that could know a future or a
batch mate. All numbers are float64, whatever comes in; where nothing was observed they are still finite.

The context is differenced step by step, the future is taken against the context (so the map has two methods): each
step ahead then has an increasing map of its own, and a quantile stays a quantile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.fields import plain_fields
from tsforecast.maps import Affine, Changes, Composed, Logarithm, Map, Returns, SoftLogarithm, check_positive, settled
from tsforecast.scaling import extremes, last_of_phase, mean_and_std, quartiles, usable

__all__ = [
    "TRANSFORMS",
    "Chain",
    "Difference",
    "Identity",
    "LastValue",
    "Log",
    "LogReturn",
    "Map",
    "MeanScale",
    "MinMax",
    "Robust",
    "SeasonalDifference",
    "SoftLog",
    "Standard",
    "Transform",
    "on_a_logarithm",
    "parse_transform",
]

BEND = 0.01  # of the mean absolute value, where `soft_log` turns from a line to a logarithm


class Transform(Protocol):
    """A recipe: equal settings are equal recipes, and its `name` is what `parse_transform` reads."""

    @property
    def name(self) -> str: ...

    def fit(self, context: Tensor, /) -> Map:
        """The map of these windows `[B, L, C]`, from their own observed values."""
        ...


@dataclass(frozen=True)
class Identity:
    """The values as they are."""

    name = "identity"

    def fit(self, context: Tensor, /) -> Map:
        """No statistics."""
        zero = context.new_zeros((), dtype=torch.float64)
        return Affine(zero, zero + 1)


@dataclass(frozen=True)
class Standard:
    """Minus the mean, over the (population) standard deviation of the window; over 1 where the window is constant."""

    name = "standard"

    def fit(self, context: Tensor, /) -> Map:
        """Mean and standard deviation of the observed values."""
        return self.of(*mean_and_std(context.double()))

    def of(self, mean: Tensor, std: Tensor, /) -> Map:
        """The map of windows with these statistics `[B, 1, C]`, for whoever has them already."""
        return Affine(mean, usable(std, mean))


@dataclass(frozen=True)
class Robust:
    """Minus the median, over the interquartile range / 1.349 (the standard deviation, were the values normal).

    Where half of the window is one value (a sensor that mostly reads 0) that range is nothing, and the root mean
    square distance from the median takes its place; 1 where the window is constant.
    """

    name = "robust"

    def fit(self, context: Tensor, /) -> Map:
        """Quartiles of the observed values."""
        x = context.double()
        lower, median, upper = quartiles(x)
        mean, std = mean_and_std(x)
        distance = torch.hypot(std, mean - median)
        width = (upper - lower) / 1.3489795003921634
        return Affine(median, usable(width, median, otherwise=usable(distance, median)))


@dataclass(frozen=True)
class MinMax:
    """The observed range of the window becomes 0 to 1; the future may leave it."""

    name = "minmax"

    def fit(self, context: Tensor, /) -> Map:
        """Smallest and largest observed value."""
        low, high = extremes(context.double())
        low, high = torch.where(low > high, 0.0, low), torch.where(low > high, 0.0, high)
        return Affine(low, usable(high - low, low))


@dataclass(frozen=True)
class MeanScale:
    """Over the mean absolute value: zero stays zero, and counts stay non-negative (as in DeepAR)."""

    name = "mean_scale"

    def fit(self, context: Tensor, /) -> Map:
        """Mean absolute observed value."""
        mean, _ = mean_and_std(context.double().abs())
        return Affine(torch.zeros_like(mean), usable(mean, mean))


@dataclass(frozen=True)
class LastValue:
    """Minus the last observed value: the forecast of 0 is the naive forecast (as in NLinear)."""

    name = "last_value"

    def fit(self, context: Tensor, /) -> Map:
        """The last observed value."""
        last = last_of_phase(context.double(), 1)
        return Affine(last, torch.ones_like(last))


@dataclass(frozen=True)
class Log:
    """The natural logarithm. Raises DataError for a value of 0 or less, in the context or in the future."""

    name = "log"

    def fit(self, context: Tensor, /) -> Map:
        """No statistics; checks that a logarithm exists."""
        check_positive(context)
        return Logarithm()


@dataclass(frozen=True)
class SoftLog:
    """log(1 + x / b), where b is a hundredth of the mean absolute value of the window: nearly the logarithm of values
    that are not small beside their mean, and defined at zero; below zero, where it goes on as x / b, too."""

    name = "soft_log"

    def fit(self, context: Tensor, /) -> Map:
        """Mean absolute observed value."""
        mean, _ = mean_and_std(context.double().abs())
        return SoftLogarithm(BEND * usable(mean, mean))


@dataclass(frozen=True)
class LogReturn:
    """log(x_t / x_{t-1}) in the context; log(y_{T+h} / x_T), the return since the last observed value, ahead.

    Raises DataError for a value of 0 or less, in the context or in the future.
    """

    name = "log_return"

    def fit(self, context: Tensor, /) -> Map:
        """The last observed value."""
        check_positive(context)
        return Returns(last_of_phase(context.double(), 1, missing=1.0))


@dataclass(frozen=True)
class Difference:
    """x_t - x_{t-1} in the context; y_{T+h} - x_T, the change since the last observed value, ahead."""

    name = "difference"

    def fit(self, context: Tensor, /) -> Map:
        """The last observed value."""
        return Changes(last_of_phase(context.double(), 1))


@dataclass(frozen=True)
class SeasonalDifference:
    """x_t - x_{t-m} in the context; ahead, the change since the last observed value of the same phase.

    season_length  m, in steps

    A phase without any observed value is taken against the last observed value.
    """

    season_length: int
    name = "seasonal_difference"

    def __post_init__(self) -> None:
        plain_fields(self, self.name)
        if self.season_length < 1:
            raise ConfigError(f"seasonal_difference.season_length={self.season_length}: must be at least 1")

    def fit(self, context: Tensor, /) -> Map:
        """The last observed value of each phase."""
        return Changes(last_of_phase(context.double(), self.season_length))


@dataclass(frozen=True, init=False, repr=False)
class Chain:
    """One after the other: each step is fitted to what the steps before it made of the context.

    Raises ConfigError where a logarithm follows a step that gives values of both signs: it comes first, or after
    `mean_scale`.
    """

    steps: tuple[Transform, ...]

    def __init__(self, *steps: Transform) -> None:
        object.__setattr__(self, "steps", steps)
        before = Identity.name
        for step in steps:
            if isinstance(step, Log | LogReturn) and before not in (Identity.name, MeanScale.name):
                raise ConfigError(
                    f"transform '{self.name}': '{step.name}' needs values above 0, but '{before}' gives values of both "
                    f"signs; put '{step.name}' first"
                )
            before = before if isinstance(step, Identity | MeanScale) else step.name

    @property
    def name(self) -> str:
        """The names of the steps, joined by +."""
        return "+".join(step.name for step in self.steps) or Identity.name

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.steps))})"

    def fit(self, context: Tensor, /) -> Map:
        """The maps of all steps."""
        return self.fitted(context)[0]

    def fitted(self, context: Tensor, /) -> tuple[Map, Tensor]:
        """The maps of all steps, and what they make of the context, which is found on the way."""
        x = settled(context)
        maps: list[Map] = []
        for step in self.steps:
            maps.append(step.fit(x))
            x = maps[-1].apply(x)
        return Composed(tuple(maps)), x


def on_a_logarithm(recipe: Transform) -> bool:
    """Whether a deviation in scaled units is a factor in the user's."""
    steps = recipe.steps if isinstance(recipe, Chain) else (recipe,)
    return any(isinstance(step, Log | SoftLog | LogReturn) for step in steps)


TRANSFORMS: dict[str, type[Transform]] = {
    "identity": Identity,
    "standard": Standard,
    "robust": Robust,
    "minmax": MinMax,
    "mean_scale": MeanScale,
    "last_value": LastValue,
    "log": Log,
    "soft_log": SoftLog,
    "log_return": LogReturn,
    "difference": Difference,
    "seasonal_difference": SeasonalDifference,
}


def parse_transform(text: str, season_length: int) -> Transform:
    """The recipe of a name, or of several joined by +: `standard`, `log+standard`, `seasonal_difference+robust`.

    Raises ConfigError for an unknown name.
    """
    steps: list[Transform] = []
    for name in (part.strip().lower() for part in text.split("+")):
        if name not in TRANSFORMS:
            raise ConfigError(f"transform '{text}': there is no transform '{name}'{did_you_mean(name, TRANSFORMS)}")
        steps.append(SeasonalDifference(season_length) if name == SeasonalDifference.name else TRANSFORMS[name]())
    return steps[0] if len(steps) == 1 else Chain(*steps)
