"""RNN, LSTM and GRU: the only place where panels meet tensors of a network."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd

from tsforecast.contract import QUANTILES, check_quantiles
from tsforecast.ensemble import FittedEnsemble
from tsforecast.errors import ConfigError, DataError
from tsforecast.fields import plain_fields
from tsforecast.models.answers import Covariates
from tsforecast.models.choices import AUTO
from tsforecast.models.fitted_network import UNTRAINED, FittedNetwork
from tsforecast.models.look_back import LEAST_CONTEXT, look_back, share_of
from tsforecast.models.nets import Cell
from tsforecast.models.settle import naive_season, segment_size, with_room
from tsforecast.models.side_by_side import side_by_side
from tsforecast.models.task import Task
from tsforecast.models.training import Training, pick_device
from tsforecast.panel import Panel
from tsforecast.transforms import parse_transform
from tsforecast.windows import Split, split_by_time

__all__ = ["GRU", "LSTM", "RNN", "Recurrent"]

ENOUGH = 5  # stretches of a horizon held out: what training gains on fewer says nothing of the next one
BRIEF_STEPS, TIMED_STEPS, MOST_LOOK_BACK = 60, (20, 80), 100
LIMITS = {"input_size": (1, 100_000), "patch_size": (1, 10_000), "hidden_size": (1, 8_192), "num_layers": (1, 32)}
LIMITS |= {"gated_maps": (0, 1_000), "n_seeds": (1, 1_000)}


@dataclass(frozen=True, kw_only=True)
class Recurrent:
    """A recurrent network over segments of a window, one for all series, answering the whole horizon at once.

    input_size   steps of context; None: two weeks of a daily cycle, or the part of them with which a linear map was
                 closer, else three or four seasons or two horizons, without a season 2, 4, 8, ... times as many where
                 a map was closer; times `look_back`
    look_back    shares of that context, for the networks in turn: a short look back is often as good as a long one, and
                 their mean better than that of two alike. A part of it that is shorter than the horizon becomes one and
                 a half; where `input_size` is given, all networks have that
    patch_size   steps that become one token; 1 is the classic step-by-step form; None: whole seasons where they leave
                 7 tokens or more, else a part of a season that leaves 4 to 32; 1 for very short contexts
    hidden_size  width of the state; num_layers: stacked layers; dropout: between them and before the answer
    attention    let the last state look back over all states
    scaling      a transform by name (standard, robust, log+standard, ...), fitted on each window's own context; "auto":
                 standard, with values far out drawn in where they are few, or of a logarithm (soft_log+standard), where
                 these let a linear map be closer in the past
    residual     what the network corrects: the "seasonal" naive, the "last" value, "none"; "auto": whichever was closer
                 in the past, with a season its mean with a smoothing, and of a daily cycle it may see earlier weeks, of
                 days earlier years
    structural   let the forecast be the mean of the network's (.7; .4 where nothing is trained) and of structural
                 models' (level, trend, season; where the season is a day .7 and day, week and what passes); not where
                 earlier years have a say, where nothing is held out, or where that is worse on what is
    linear       let the network hold a linear map from the context to the horizon, and start as `Ridge`; it stays that
                 where less than five stretches of a horizon could be held out to tell whether training helps
    gated_maps   so many maps more (fewer where they would have above a million weights), each with a gate that the
                 recurrence opens, so that it can change how the horizon follows from the context; without `linear` none
    n_seeds      networks trained from different seeds, their quantiles averaged: two are more accurate than one, and
                 their spread tells how much is luck
    """

    input_size: int | None = None
    look_back: tuple[float, ...] = (1.0, 0.5)
    patch_size: int | None = None
    hidden_size: int = 128
    num_layers: int = 2
    dropout: float = 0.1
    attention: bool = False
    scaling: str = AUTO
    residual: Literal["auto", "seasonal", "last", "none"] = "auto"
    structural: bool = True
    linear: bool = True
    gated_maps: int = 8
    n_seeds: int = 2
    seed: int = 0
    quantiles: tuple[float, ...] = QUANTILES
    training: Training = field(default_factory=Training)

    cell: ClassVar[Cell]
    name: ClassVar[str]

    def __post_init__(self) -> None:
        plain_fields(self, self.name)
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))
        for field_name, (least, most) in LIMITS.items():
            value = getattr(self, field_name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"{self.name}.{field_name}={value}: must be between {least} and {most}")
        if not self.look_back or min(self.look_back) <= 0 or max(self.look_back) > MOST_LOOK_BACK:
            raise ConfigError(
                f"{self.name}.look_back={list(self.look_back)}: give one or more numbers above 0, "
                f"at most {MOST_LOOK_BACK}"
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.name}.dropout={self.dropout}: must be at least 0 and below 1")
        if self.scaling != AUTO:
            parse_transform(self.scaling, season_length=1)

    def members(self) -> dict[str, Self]:
        """The recipes of the networks one by one, by the name of their seed."""
        seeds = zip(range(self.seed, self.seed + self.n_seeds), cycle(self.look_back))
        return {f"seed {seed}": replace(self, seed=seed, n_seeds=1, look_back=(share,)) for seed, share in seeds}

    def fit(self, past: Panel, horizon: int, /) -> FittedEnsemble[FittedNetwork]:
        """Train on every window of `past`, validating on the last part of its time.

        Raises DataError where no series is long enough for a single window, ConfigError where the device is not there.
        """
        device = pick_device(self.training.device)
        split = self._split(past, horizon)
        if split.n_train == 0:
            longest = int(past.lengths.argmax())
            raise DataError(
                f"{self.name}: no series is long enough to train on: a horizon of {horizon} needs at least "
                f"{LEAST_CONTEXT + horizon} steps, the longest ('{past.ids[longest]}') has {past.lengths[longest]}"
            )
        members, season = self.members(), self._season(past, horizon)
        whole = self.input_size or look_back(past, horizon, self.scaling, season, earlier=self.residual == "auto")
        shown = {name: member._sizes(past, horizon, whole) for name, member in members.items()}
        given = past, split, season, self._untrained(past, split, horizon), device, horizon
        every = list(dict.fromkeys(shown.values()))
        made = side_by_side([partial(Task.of, self, *given, one) for one in every], device)
        tasks = dict(zip(every, made, strict=True))
        trained = side_by_side([partial(tasks[shown[n]].trained, member.seed) for n, member in members.items()], device)
        networks, curves = dict[str, FittedNetwork](), []
        for (name, member), (net, combined, curve) in zip(members.items(), trained, strict=True):
            task = tasks[shown[name]]
            known = self.name, horizon, task.windows.input_size, self.quantiles, Covariates.of(past), task.encoding
            networks[name] = FittedNetwork(*known, net, combined, task.remark)
            curves += [(member.seed, *point) for point in curve]
        table = pd.DataFrame(curves, columns=["seed", "step", "train_loss", "valid_loss"])
        return FittedEnsemble(horizon, networks, table)

    def brief(self) -> Self:
        """One network with little training, on the CPU, where the same numbers give the same bits: its forecasts are
        poor, but it looks at what the whole model looks at. Nothing is held out: else the recurrence might be."""
        steps = min(self.training.max_steps or BRIEF_STEPS, BRIEF_STEPS)
        training = replace(self.training, max_steps=steps, val_share=0.0, device="cpu")
        return replace(self, n_seeds=1, training=training)

    def cost(self, past: Panel, horizon: int) -> tuple[float, int]:
        """Seconds that a fit on `past` takes at most (it may stop early), and bytes beside the data.

        Found by timing two short trainings without validation, so that their difference is steps; or the fit itself,
        where nothing is trained.
        """
        split, (few, more), clock = self._split(past, horizon), TIMED_STEPS, list[float]()
        trained = not self._untrained(past, split, horizon)
        for steps in (few, more) if trained else (few,):
            training = replace(self.training, max_steps=steps, val_share=0.0) if trained else self.training
            begun = time.perf_counter()
            fitted = replace(self, n_seeds=1, training=training).fit(past, horizon)
            clock.append(time.perf_counter() - begun)
        step = max(clock[-1] - clock[0], 0.0) / (more - few)
        watched = split.holds_out  # then it is trained twice
        steps = self.training.steps(split.n_train, watched=watched) * (1 + watched)
        (network,) = fitted.members.values()
        weights = sum(p.numel() * p.element_size() for p in network.net.parameters())
        return self.n_seeds * (clock[0] + (steps - few) * step), weights * (3 + self.n_seeds)  # AdamW keeps two moments

    def _split(self, past: Panel, horizon: int) -> Split:
        whole = split_by_time(past, horizon, 0, LEAST_CONTEXT)
        share = self.training.held_out(whole.n_train, horizon)
        if not share:
            return whole
        valid = max(int(share * float(np.median(past.lengths))), horizon)
        return split_by_time(past, horizon, valid, LEAST_CONTEXT)

    def _untrained(self, past: Panel, split: Split, horizon: int) -> str:
        """Why nothing is trained; empty where it is."""
        every = split_by_time(past, horizon, 0, LEAST_CONTEXT)
        told = split.stretches(horizon) >= ENOUGH or not self.training.held_out(every.n_train, horizon)
        return "" if told or not self.linear else UNTRAINED.format(split.stretches(horizon), ENOUGH)

    def _season(self, past: Panel, horizon: int) -> int:
        """Of the naive forecast that is corrected; 0: none is."""
        seasons = {"none": 0, "last": 1, "seasonal": past.season_length}
        return naive_season(past, horizon) if self.residual == "auto" else seasons[self.residual]

    def _sizes(self, past: Panel, horizon: int, whole: int) -> tuple[int, int]:
        """Context and segment length; the context is a whole number of segments: more of them where there is room."""
        size = self.input_size or share_of(whole, self.look_back[0], past, horizon)
        patch = self.patch_size or segment_size(size, past.season_length)
        if self.input_size is not None and self.patch_size is not None and size % patch:
            raise ConfigError(
                f"{self.name}: input_size={size} is not a whole number of segments of patch_size={patch}; "
                f"take input_size={-(-size // patch) * patch}"
            )
        more = -(-size // patch) * patch
        if self.input_size is None and size < more > with_room(past, horizon, more):
            return max(size // patch, 1) * patch, patch
        return more, patch


@dataclass(frozen=True, kw_only=True)
class RNN(Recurrent):
    __doc__ = "The plain (Elman) network. " + (Recurrent.__doc__ or "")
    cell = "rnn"
    name = "rnn"


@dataclass(frozen=True, kw_only=True)
class LSTM(Recurrent):
    __doc__ = "Long short-term memory (Hochreiter & Schmidhuber 1997). " + (Recurrent.__doc__ or "")
    cell = "lstm"
    name = "lstm"


@dataclass(frozen=True, kw_only=True)
class GRU(Recurrent):
    __doc__ = "Gated recurrent units (Cho et al. 2014). " + (Recurrent.__doc__ or "")
    cell = "gru"
    name = "gru"
