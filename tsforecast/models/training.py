"""How a network is trained: the settings, the one LightningModule, and `train`. Nothing is printed or written."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from tsforecast import progress
from tsforecast.errors import ConfigError
from tsforecast.models.encoding import Encoding
from tsforecast.models.losses import masked_mean, pinball, relative_error
from tsforecast.models.sampling import Draws, Places, validation_windows
from tsforecast.windows import Split, Windows

__all__ = ["Curve", "Training", "pick_device", "train"]

Curve = list[tuple[int, float, float]]
"""(step, training loss since the last entry, validation loss)."""

VALIDATIONS = 20  # per training
HELD_OUT = 0.1
OFTEN = 8  # passes over the windows
OUTSIZED = 5.0  # standard deviations of the context


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything about the training of a network.

    max_steps      optimiser steps; None: `passes` over the training windows, within 500 and 8,000 steps
    passes         see max_steps
    batch_size     windows in a step, drawn evenly over the series, then over time
    learning_rate  the highest rate of the schedule
    schedule       "one_cycle": up, then down to nothing (Smith & Topin 2019); "constant"
    l1, l2         penalties: l1 on the absolute weights in the loss, l2 as decoupled decay (AdamW)
    clip           largest norm of the gradient
    relative       weight of the relative error (the term of sMAPE, in the units of the target) beside the scaled
                   quantile loss, in windows whose values are all positive
    val_share      the last share of the training time that is kept for validation; 0: none, and no early stopping;
                   None: a tenth where a whole training sees each window so often that it learns it by heart (8 times),
                   else none
    patience       validations (20 in a full training) without improvement before it stops; the best weights are kept
    device         "auto" (a GPU where there is one), "cpu", "cuda", "mps"
    """

    max_steps: int | None = None
    passes: float = 20.0
    batch_size: int = 128
    learning_rate: float = 4e-3
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    l1: float = 0.0
    l2: float = 0.01
    clip: float = 1.0
    relative: float = 2.0
    val_share: float | None = None
    patience: int = 6
    device: str = "auto"

    def __post_init__(self) -> None:
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
        if self.schedule not in ("one_cycle", "constant"):
            raise ConfigError(f"training.schedule={self.schedule!r}: known are 'one_cycle' and 'constant'")

    def steps(self, windows: int) -> int:
        """Optimiser steps for this many training windows."""
        return self.max_steps or self._whole(windows)

    def _whole(self, windows: int) -> int:
        return int(min(max(self.passes * windows / self.batch_size, 500), 8_000))

    def held_out(self, windows: int) -> float:
        """The share of the training time that is kept for validation, for this many training windows.

        Measured before the last stretch of each set: windows seen 20 times need early stopping (weather, MASE 0.59
        with it and 0.74 without); seen 4 or 7 times they do not, and the latest tenth is worth more as data (M4 Hourly
        0.94 and 0.89, M4 Yearly 3.34 and 3.26).
        """
        if self.val_share is not None:
            return self.val_share
        return HELD_OUT if self._whole(windows) * self.batch_size >= OFTEN * windows else 0.0  # however short it is cut


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


class ForecastModule(pl.LightningModule):
    """Any network that answers `[B, H, Q]`, trained on windows gathered by index."""

    levels: Tensor

    def __init__(
        self, net: nn.Module, windows: Windows, encoding: Encoding, levels: Tensor, training: Training, steps: int
    ) -> None:
        super().__init__()
        self.net = net
        self.windows, self.encoding, self.training_settings, self.steps = windows, encoding, training, steps
        self.register_buffer("levels", levels, persistent=False)
        self.median = int((levels - 0.5).abs().argmin())

    def loss(self, origins: Tensor, floors: Tensor) -> Tensor:
        """Quantile loss in scaled units, and the relative error of the median where values are positive."""
        batch = self.windows.gather(origins, floors)
        seen = self.encoding.encode(batch)
        out = self.net(seen.x, seen.known) + seen.base
        target = seen.target(batch.target)
        # a context that hardly moves makes any target huge: such windows count no more than others
        size = torch.nan_to_num(target.abs(), nan=0.0).amax(1, keepdim=True).clamp_min(OUTSIZED) / OUTSIZED
        seen_target = ~target.isnan()
        loss = masked_mean(pinball(out, target, self.levels) / size, seen_target)
        weight = self.training_settings.relative
        if weight:
            positive = ~((batch.context <= 0).any(1, keepdim=True) | (batch.target <= 0).any(1, keepdim=True))
            median = seen.units(out[:, :, self.median : self.median + 1])
            relative = relative_error(median, batch.target)
            loss = loss + weight * masked_mean(relative, positive & seen_target).float()
        return loss

    def training_step(self, batch: Places, batch_idx: int) -> Tensor:
        loss = self.loss(*batch)
        if self.training_settings.l1:
            loss = loss + self.training_settings.l1 * sum(p.abs().sum() for p in self.net.parameters())
        return loss

    def validation_step(self, batch: Places, batch_idx: int) -> Tensor:
        return self.loss(*batch)

    def configure_optimizers(self) -> Any:
        settings = self.training_settings
        optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=settings.learning_rate, weight_decay=settings.l2, fused=True
        )
        if settings.schedule == "constant":
            return optimizer
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=self.steps + 1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}


class KeepBest(pl.Callback):
    """Watches the validation loss: keeps the best weights, stops when they do not improve, writes the curve."""

    def __init__(self, patience: int, steps: int) -> None:
        self.patience, self.steps = patience, steps
        self.curve: Curve = []
        self.best = float("inf")
        self.weights: dict[str, Tensor] | None = None
        self._bad = 0
        self._train: list[Tensor] = []
        self._valid: list[tuple[Tensor, int]] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._train.append(outputs["loss"].detach())
        if trainer.global_step % max(self.steps // 100, 1) == 0:
            progress.report(trainer.global_step / self.steps)

    def on_validation_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._valid.append((outputs, len(batch[0])))

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        valid = sum(float(loss) * n for loss, n in self._valid) / sum(n for _, n in self._valid)
        self._note(trainer, valid)
        self._valid = []
        if valid < self.best:
            self.best, self._bad = valid, 0
            self.weights = {name: value.detach().clone() for name, value in module.net.state_dict().items()}
        else:
            self._bad += 1
            trainer.should_stop = trainer.should_stop or self._bad >= self.patience

    def on_train_end(self, trainer: Any, module: Any) -> None:
        if self._train:
            self._note(trainer, float("nan"))

    def _note(self, trainer: Any, valid: float) -> None:
        train = float(torch.stack(self._train).mean()) if self._train else float("nan")
        if self._train and not torch.isfinite(torch.tensor(train)):
            raise FloatingPointError(f"the training diverged: the loss is not finite at step {trainer.global_step}")
        self.curve.append((trainer.global_step, train, valid))
        self._train = []


def train(
    net: nn.Module,
    windows: Windows,
    split: Split,
    encoding: Encoding,
    levels: tuple[float, ...],
    training: Training,
    seed: int,
) -> Curve:
    """Train `net` in place on `windows.values.device`; it ends with its best validation weights, in eval mode.

    Raises FloatingPointError when the loss stops being finite.
    """
    device = windows.values.device
    steps = training.steps(split.n_train)
    draws = Draws(split, training.batch_size, steps, seed, device)
    valid = validation_windows(split, 4 * training.batch_size, device)
    module = ForecastModule(net, windows, encoding, torch.tensor(levels), training, steps)
    keep = KeepBest(training.patience, steps)
    with _silence():
        trainer = pl.Trainer(
            max_steps=steps,
            accelerator="gpu" if device.type == "cuda" else device.type,
            devices=[device.index or 0] if device.type == "cuda" else 1,
            val_check_interval=max(steps // VALIDATIONS, 1) if len(valid) else None,
            check_val_every_n_epoch=None,
            gradient_clip_val=training.clip,
            callbacks=[keep],
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with _interruptible():
            trainer.fit(module, draws, valid if len(valid) else None)
    if keep.weights is not None:
        net.load_state_dict(keep.weights)
    net.eval()
    return keep.curve


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C stays Ctrl-C: Lightning answers it by leaving the program, with the signal ignored from then on."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if not isinstance(left.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from None


@contextmanager
def _silence() -> Iterator[None]:
    """Lightning's notes about hardware and data loaders are not for the user of a library."""
    names = ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in names]
    before = [log.level for log in loggers]
    for log in loggers:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning|torch\.optim")
            yield
    finally:
        for log, level in zip(loggers, before, strict=True):
            log.setLevel(level)
