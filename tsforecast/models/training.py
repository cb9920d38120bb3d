"""How a network is trained: the one LightningModule, and `train`. Nothing is printed or written."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from tsforecast import progress
from tsforecast.models.encoding import OUTSIZED, Encoding
from tsforecast.models.losses import all_positive, pinball, relative_error, shares
from tsforecast.models.manners import interruptible, silence
from tsforecast.models.sampling import Draws, Places, Stretches, validation_windows
from tsforecast.models.schedule import Training, pick_device
from tsforecast.windows import Split, Windows

__all__ = ["Curve", "Training", "pick_device", "train"]

Curve = list[tuple[int, float, float]]
"""(step, training loss since the last entry, validation loss)."""

VALIDATIONS = 20  # per training
SO_FAR, OF_ALL = 10, 40  # the weights of a tenth of the steps so far are averaged, at most of a fortieth of all
SETTLED = 0.5  # of the rate, for what starts from a solution and not from noise
SURE = 1.9  # standard errors that a gain over a solution must have (one-sided 5 %, eight parts)
MANY = 50  # series that are held out from: what training gains on so many came again afterwards, sure or not


class ForecastModule(pl.LightningModule):
    """Any network that answers `[B, H, Q]`, trained on windows gathered by index, a stretch of steps at a time.

    averaged   what is judged and kept: a running average of the weights over the last tenth of the steps so far, at
               most a fortieth of the training (Polyak & Juditsky 1992). Steps at a high rate scatter around it, so that
               stopping early costs nothing; at the end of a schedule, where steps are small, it is the network itself
    """

    levels: Tensor

    def __init__(
        self, net: nn.Module, windows: Windows, encoding: Encoding, levels: Tensor, training: Training, steps: int
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # training_step takes the steps
        self.taken = 0
        self.net, self.averaged = net, copy.deepcopy(net).requires_grad_(False)
        self.pairs = list(zip(self.averaged.parameters(), net.parameters(), strict=True))
        self.windows, self.encoding, self.training_settings, self.steps = windows, encoding, training, steps
        self.register_buffer("levels", levels, persistent=False)
        self.median = int((levels - 0.5).abs().argmin())
        self.halves = training.halves(windows.values.device)

    def loss(self, origins: Tensor, floors: Tensor) -> Tensor:
        """Quantile loss in scaled units, and the relative error of the median where values are positive."""
        batch = self.windows.gather(origins, floors)
        seen = self.encoding.encode(batch)
        net = self.net if self.training else self.averaged
        with torch.autocast(seen.x.device.type, torch.bfloat16, enabled=self.training and self.halves):
            out = net(seen.x, seen.known)
        out = out.float() + seen.base
        scaled = seen.target(batch.target)
        there = ~scaled.isnan()
        target = scaled.nan_to_num_(nan=0.0)
        # a context that hardly moves makes any target huge: such windows count no more than others
        size = target.abs().amax(1, keepdim=True).clamp_min_(OUTSIZED) / OUTSIZED
        loss = pinball(out, target, self.levels, shares(there) / size)
        weight = self.training_settings.relative
        if weight:
            positive = all_positive(batch.context, batch.target)
            median = seen.units(out[:, :, self.median : self.median + 1])
            relative = relative_error(median, batch.target.nan_to_num(nan=0.0), shares(positive & there))
            loss = loss + weight * relative.float()
        return loss

    def training_step(self, batch: list[Places], batch_idx: int) -> Tensor:
        """The steps of a stretch; their mean loss. Lightning's own work, up to a millisecond a call, is done once."""
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        schedule: Any = self.lr_schedulers()
        weights = [p for group in optimizer.param_groups for p in group["params"]]
        losses = []
        for places in batch:
            optimizer.zero_grad()
            loss = self.penalised(*places)
            torch.autograd.backward(loss)  # not Lightning's: the precision is our own, and there is one device
            nn.utils.clip_grad_norm_(weights, self.training_settings.clip)
            optimizer.step()
            if schedule is not None:
                schedule.step()
            losses.append(loss.detach())
            self.taken += 1
            self.average()
            if self.taken % max(self.steps // 100, 1) == 0:
                progress.report(self.taken / self.steps)
        return torch.stack(losses).mean()

    def penalised(self, origins: Tensor, floors: Tensor) -> Tensor:
        """The loss of a step, with the penalty on absolute weights."""
        loss = self.loss(origins, floors)
        if self.training_settings.l1:
            loss = loss + self.training_settings.l1 * sum(p.abs().sum() for p in self.net.parameters())
        return loss

    def average(self) -> None:
        """Take the weights of this step into their running average."""
        window = max(min(self.taken / SO_FAR, self.steps / OF_ALL), 1.0)
        with torch.no_grad():
            for mean, weight in self.pairs:
                mean.lerp_(weight, 1 / window)

    def validation_step(self, batch: Places, batch_idx: int) -> Tensor:
        return self.loss(*batch)

    def configure_optimizers(self) -> Any:
        settings = self.training_settings
        rates, groups = [], []
        for parameters, rate, decay in self._parts():
            rates.append(rate)
            groups.append({"params": parameters, "lr": rate, "weight_decay": decay})
        optimizer = torch.optim.AdamW(groups, fused=True)
        if settings.schedule == "constant":
            return optimizer
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=self.steps + 1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}

    def _parts(self) -> Iterator[tuple[list[nn.Parameter], float, float]]:
        """Parameters with their rate and decay: a linear start is already near its place, and the decay would pull it
        towards a map that was not solved for."""
        settings, start = self.training_settings, getattr(self.net, "start", None)
        settled = list(start.parameters()) if isinstance(start, nn.Module) else []
        known = {id(p) for p in settled}
        yield [p for p in self.net.parameters() if id(p) not in known], settings.learning_rate, settings.l2
        if settled:
            yield settled, SETTLED * settings.learning_rate, 0.0


class KeepBest(pl.Callback):
    """Watches the validation loss: keeps the best weights, stops when they do not improve, writes the curve.

    The weights before the first step are judged too: a network that starts as a good linear map may not get better.
    What is judged is a mean over parts; the losses of each part are kept for the start and for the best weights.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.curve: Curve = []
        self.best, self.best_step = float("inf"), 0
        self.first_parts = self.best_parts = torch.empty(0)
        self.weights: dict[str, Tensor] | None = None
        self._bad = 0
        self._train: list[Tensor] = []
        self._valid: list[tuple[Tensor, int]] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._train.append(outputs["loss"])

    def on_validation_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._valid.append((outputs, len(batch[0])))

    def begin(self, module: ForecastModule, batches: Iterable[Places]) -> None:
        """Judge the weights before the first step."""
        module.eval()
        with torch.no_grad():
            self._valid = [(module.loss(*batch), len(batch[0])) for batch in batches]
        module.train()
        if self._valid:
            valid = self._judged(module, 0)
            self.curve.append((0, float("nan"), valid))

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        before, valid = self.best, self._judged(module, module.taken)
        self._note(module, valid)
        self._bad = 0 if self.best < before else self._bad + 1
        trainer.should_stop = trainer.should_stop or self._bad >= self.patience

    def _judged(self, module: ForecastModule, step: int) -> float:
        """The validation loss of the weights as they are; they are kept where it is the smallest so far."""
        parts = torch.stack([loss for loss, _ in self._valid]).double().cpu()
        sizes = torch.tensor([n for _, n in self._valid])
        valid, self._valid = float((parts * sizes).sum() / sizes.sum()), []
        if step == 0:
            self.first_parts = parts
        if valid < self.best:
            self.best, self.best_step, self.best_parts = valid, step, parts
            self.weights = {name: value.detach().clone() for name, value in module.averaged.state_dict().items()}
        return valid

    def by_chance(self) -> bool:
        """Whether the best weights gain so little on the start that another held-out stretch might tell otherwise: a
        paired t statistic over the parts below SURE. One part alone says nothing about that."""
        if len(self.best_parts) < 2:
            return False
        gains = self.first_parts - self.best_parts
        return float(gains.mean()) < SURE * float(gains.std()) / math.sqrt(len(gains))

    def on_train_end(self, trainer: Any, module: Any) -> None:
        if self._train:
            self._note(module, float("nan"))

    def _note(self, module: Any, valid: float) -> None:
        train = float(torch.stack(self._train).mean()) if self._train else float("nan")
        if self._train and not torch.isfinite(torch.tensor(train)):
            raise FloatingPointError(f"the training diverged: the loss is not finite at step {module.taken}")
        self.curve.append((module.taken, train, valid))
        self._train = []


def train(
    net: nn.Module,
    windows: Windows,
    split: Split,
    encoding: Encoding,
    levels: tuple[float, ...],
    training: Training,
    seed: int,
    *,
    steps: int | None = None,
    stop: int | None = None,
) -> tuple[Curve, int]:
    """Train `net` in place on `windows.values.device`; it ends with its best validation weights, in eval mode. A net
    that starts as a solution ends as it came where what training gains there could be chance and few series say so.

    steps   of the whole schedule; None: as `training` says
    stop    leave the schedule after so many steps

    Returns the curve and the step whose weights were kept. Raises FloatingPointError when the loss stops being finite:
    `net` then has the best weights that were validated, or those that it came with.
    """
    device = windows.values.device
    steps = steps or training.steps(split.n_train, watched=split.holds_out)
    if stop == 0:
        net.eval()
        return [], 0
    begun = {name: value.detach().clone() for name, value in net.state_dict().items()}
    draws = Draws(split, training.batch_size, steps, seed, device)
    stretches = Stretches(draws, steps if stop is None else stop, max(steps // VALIDATIONS, 1))
    valid = validation_windows(split, device)
    module = ForecastModule(net, windows, encoding, torch.tensor(levels), training, steps)
    module.to(device)
    keep = KeepBest(training.patience)
    keep.begin(module, valid)
    with silence():
        trainer = pl.Trainer(
            max_epochs=1,
            accelerator="gpu" if device.type == "cuda" else device.type,
            devices=[device.index or 0] if device.type == "cuda" else 1,
            val_check_interval=1 if len(valid) else None,
            check_val_every_n_epoch=None,
            callbacks=[keep],
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        try:
            with interruptible():
                trainer.fit(module, stretches, valid if len(valid) else None)
        except FloatingPointError:
            net.load_state_dict(keep.weights or begun)
            raise
    net.eval()
    doubted = getattr(net, "start", None) is not None and split.n_validated < MANY
    if doubted and keep.by_chance():
        net.load_state_dict(begun)
        return keep.curve, 0
    net.load_state_dict(keep.weights or module.averaged.state_dict())
    return keep.curve, steps if keep.weights is None else keep.best_step
