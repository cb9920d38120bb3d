"""The settings of a training: how long, how fast, what is held out, and where it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from tsforecast.errors import ConfigError
from tsforecast.fields import plain_fields

__all__ = ["Training", "pick_device"]

HELD_OUT = 0.1
OFTEN, MORE_OFTEN = 8, 600  # passes over the windows; times that a value is a target
LEAST_STEPS, MOST_STEPS, UNWATCHED = 500, 4_000, 2_500


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything about the training of a network.

    max_steps      optimiser steps; None: `passes` over the training windows, within 500 and 4,000 steps, or 2,500 where
                   nothing is held out that would tell when to stop
    passes         see max_steps
    batch_size     windows in a step, drawn evenly over the series, then over time
    learning_rate  the highest rate of the schedule
    schedule       "one_cycle": up, then down to nothing (Smith & Topin 2019); "constant"
    l1, l2         penalties: l1 on the absolute weights in the loss, l2 as decoupled decay (AdamW)
    clip           largest norm of the gradient
    relative       weight of the relative error (the term of sMAPE, in the units of the target) beside the scaled
                   quantile loss, in windows whose values are all positive
    val_share      the last share of the training time that is kept for validation; 0: none, and no early stopping;
                   None: a tenth where a whole training sees a window so often that it learns it by heart (8 times, or
                   each value as a target 600 times), else none
    patience       validations (20 in a full training) without improvement before it stops; the best weights are kept
    device         "auto" (a GPU where there is one), "cpu", "cuda", "mps"
    precision      of the network's matrix products in training: "full" (float32) or "bf16"; "auto": "bf16" where the
                   CPU multiplies it natively, which takes two thirds of the time and is as accurate. Weights, losses,
                   validation and forecasts stay in float32
    """

    max_steps: int | None = None
    passes: float = 20.0
    batch_size: int = 256
    learning_rate: float = 4e-3
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    l1: float = 0.0
    l2: float = 0.01
    clip: float = 1.0
    relative: float = 2.0
    val_share: float | None = None
    patience: int = 6
    device: str = "auto"
    precision: Literal["auto", "full", "bf16"] = "auto"

    def __post_init__(self) -> None:
        plain_fields(self, "training")
        for name, least in (("max_steps", 1), ("batch_size", 1), ("patience", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"training.{name}={value}: must be at least {least}")
        for name in ("passes", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"training.{name}={getattr(self, name)}: must be positive")
        for name in ("l1", "l2", "relative"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"training.{name}={getattr(self, name)}: must not be negative")
        if self.val_share is not None and not 0 <= self.val_share < 1:
            raise ConfigError(f"training.val_share={self.val_share}: must be at least 0 and below 1")

    def halves(self, device: torch.device) -> bool:
        """Whether the network's matrix products are taken in bfloat16 on this device."""
        return self.precision == "bf16" or (self.precision == "auto" and device.type == "cpu" and _multiplies_bf16())

    def steps(self, windows: int, *, watched: bool) -> int:
        """Optimiser steps for this many training windows; `watched`: something is held out, and tells when to stop.

        Where nothing is, steps beyond 2,500 give nothing on validation spans, or do harm: with 2,500 and 4,000 of them
        M4 Hourly has a sMAPE of 9.03 and 9.06, ETTm1, 96 steps ahead, an MSE of .355 and .365.
        """
        return self.max_steps or min(self._whole(windows), MOST_STEPS if watched else UNWATCHED)

    def _whole(self, windows: int) -> int:
        return int(min(max(self.passes * windows / self.batch_size, LEAST_STEPS), MOST_STEPS))

    def held_out(self, windows: int, horizon: int) -> float:
        """The share of the training time that is kept for validation, for this many training windows.

        Measured before the last stretch of each set: windows seen 20 times need early stopping (weather, MASE 0.59
        with it and 0.74 without); seen 4 or 7 times they do not, and the latest tenth is worth more as data (M4 Hourly
        0.94 and 0.89, M4 Yearly 3.34 and 3.26). But windows of a long horizon share most of their targets: ETTm1, seen
        4 times, does without at 96 steps (MSE .380 and .388), and not at 336 (.665 and .652).
        """
        if self.val_share is not None:
            return self.val_share
        passes = self._whole(windows) * self.batch_size / max(windows, 1)  # however short it is cut
        return HELD_OUT if passes >= OFTEN or passes * horizon >= MORE_OFTEN else 0.0


def _multiplies_bf16() -> bool:
    """Whether this CPU has instructions for it; without them it is slower than float32."""
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(ask() for ask in asked if ask is not None)


def pick_device(name: str) -> torch.device:
    """The device of a name; "auto" takes a GPU where there is one. Raises ConfigError where it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind = name.split(":")[0]
    if kind not in there:
        raise ConfigError(f"device={name!r}: known are auto, cpu, cuda, mps")
    if not there[kind]:
        raise ConfigError(f"device={name!r}: this machine has none that torch can use; take device=cpu or auto")
    return torch.device(name)
