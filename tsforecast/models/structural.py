"""The mean of what structural models say of a window, in closed form.

A network learns what series have in common; what is particular to one, how fast its level, trend and season move, it
sees little of. These models have a handful of numbers for it. Which of them a series follows is not chosen: each has a
say by how well it would have forecast what was seen of that window, so nothing is fitted that a later cutoff would
have to fit anew.

Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, chapter 4. Its filter's forecasts are
the best linear prediction, which the covariances of all steps give as weights for those that were seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from tsforecast.models.components import FEWEST, Structural, candidates, candidates_of_days
from tsforecast.models.filling import filled

__all__ = ["StructuralMean"]

ASKED, ROUGHLY = 400, 100  # forecasts of what was seen, about so many in all; and while models are looked for
ORIGINS = 4, 24  # from how many places these are made
LIKELIHOOD, POWER = 0.5, 10.0  # what one-step errors count, and what those over the horizon do
ROUNDS = 40  # of the prior
DOUBT = 3.0  # windows that say nothing of which models there are, beside those that do
KEPT, KEPT_OF_DAYS, LEAST = 24, 8, 0.005  # models that have a say: at most, and their share before a series is seen
EARLY = 12.0  # steps that those count as together of which not all models can say something: a season of months
EXACT = 1e-4  # of a window's deviation: errors below it are as good as none
HELD, WINDOWS = 4_000_000, 300  # values that are worked on at once, with about so many windows
COLUMNS = 8
"""Products of matrices have a multiple of these: with others the last bits of a row depend on its place in the batch
(an AMD EPYC; 267 of 665 sizes, with these none), and a series' forecast would depend on which others are asked for."""


@dataclass(frozen=True, eq=False)
class StructuralMean:
    """The mean of what several models say, each weighed by how well it would have forecast the window.

    season   steps of a cycle, by which gaps are filled
    steps    that are looked back at most
    models   that have a say; prior: the say `[K]` of each before anything was seen
    """

    season: int
    steps: int
    horizon: int
    models: tuple[Structural, ...]
    prior: Tensor

    @classmethod
    def of(cls, x: Tensor, season: int, horizon: int, *, daily: bool = False) -> StructuralMean:
        """The models that windows x `[B, T]` follow, and how often (empirical Bayes: the prior under which what was
        seen of all of them is most likely). `daily`: the season is a day of hours or minutes."""
        every = candidates_of_days(season, x.shape[1]) if daily else candidates(season)
        seen, common = _Seen.of(x, season), _Common.of(every)
        told = []
        for some in _parts(every, x.shape[1]):
            judge = _rough(some, common, x.shape[1], horizon)
            told.append(judge.say(seen, judge.new_in(seen)))
        logs, prior = torch.cat(told), torch.full((len(every),), 1 / len(every), dtype=torch.float64, device=x.device)
        for _ in range(ROUNDS):
            says = torch.softmax(logs + prior.log().unsqueeze(1), dim=0).nan_to_num(nan=0.0)
            prior = (says.sum(1) + DOUBT / len(every)) / (says.sum() + DOUBT)
        best = prior.argsort(descending=True, stable=True)[: KEPT_OF_DAYS if daily else KEPT]
        best = best[prior[best] >= min(LEAST, float(prior.max()))].sort().values
        kept = tuple(every[i] for i in best.tolist())
        return cls(season, x.shape[1], horizon, kept, (prior[best] / prior[best].sum()).cpu())

    def forecast(self, x: Tensor) -> Tensor:
        """The steps `[B, H]` after x `[B, T]` (NaN = not observed; gaps are filled); NaN where fewer than three steps
        lie between the first that was seen and the end."""
        seen, total = _Seen.of(x, self.season), self.steps
        kept = _kept(self.models, total, self.horizon)
        full = seen.steps == total  # [B, 1]
        found = (seen.y @ kept.ahead.to(x.device))[:, :, : self.horizon]
        alone, new = len(self.models) == 1, x.new_empty(0)
        if not (alone and bool(full.all())):
            new = kept.judge.new_in(seen)
        if not bool(full.all()):  # all rows either way: the bits of one do not depend on how many there are
            whole = (new * (torch.arange(total, device=x.device) < seen.steps)) @ kept.lower.to(x.device)
            ahead = seen.steps + torch.arange(self.horizon, device=x.device)
            found = torch.where(full, found, whole.gather(2, ahead.expand(len(whole), -1, -1)))
        if alone:
            says = torch.where(self.models[0].fewest > seen.steps.T, torch.nan, 1.0)
        else:
            says = torch.softmax(kept.judge.say(seen, new) + self.prior.to(x.device).log().unsqueeze(1), dim=0)
        return (says.unsqueeze(2) * found).sum(0) * seen.scale + seen.level


class _Kept(NamedTuple):
    """Tables of K models for windows of T steps."""

    judge: _Judge
    lower: Tensor  # [K, T, T + H and more] from what is new in each step to all steps
    ahead: Tensor  # [K, T, H and more] from the steps of a window that is seen as a whole to those after it


@lru_cache(maxsize=2)
def _kept(models: tuple[Structural, ...], steps: int, horizon: int) -> _Kept:
    lower = _lower(models, steps + horizon)
    judge = _Judge.of(models, _Common.of(models), lower[:, :steps, :steps], horizon, ASKED)
    ahead = judge.new[:, :, :steps] @ lower[:, steps:, :steps].mT
    return _Kept(judge, _in_eights(lower[:, :, :steps].mT), _in_eights(ahead))


def _in_eights(table: Tensor) -> Tensor:
    """With columns of zeros to a multiple of COLUMNS."""
    return pad(table, (0, -table.shape[-1] % COLUMNS)).contiguous()


def _lower(models: Sequence[Structural], steps: int) -> Tensor:
    """The lower factors of their covariances `[K, steps, steps]`."""
    lower: Tensor = torch.linalg.cholesky(torch.stack([one.covariance(steps) for one in models]))
    return lower


def _parts(models: list[Structural], steps: int) -> Iterator[tuple[Structural, ...]]:
    """As many models at a time as are worked on at once."""
    size = max(HELD // (max(WINDOWS, steps) * max(ROUGHLY, steps)), 1)
    for start in range(0, len(models), size):
        yield tuple(models[start : start + size])


@lru_cache(maxsize=4)  # parts: all of them for what is fitted again and again on the same grid
def _rough(models: tuple[Structural, ...], common: _Common, steps: int, horizon: int) -> _Judge:
    """What judges models while they are looked for."""
    return _Judge.of(models, common, _lower(models, steps), horizon, ROUGHLY)


class _Seen(NamedTuple):
    """Windows that begin with the first step that was seen, in their own deviations."""

    y: Tensor  # [B, T], 0 after the end
    steps: Tensor  # [B, 1], how many they are
    level: Tensor  # [B, 1]
    scale: Tensor  # [B, 1]

    @classmethod
    def of(cls, x: Tensor, season: int) -> _Seen:
        total = x.shape[1]
        if not bool(x.sum().isnan()):  # as nearly always: nothing is to be moved, nor filled
            x = x.contiguous()  # the order of a sum follows the layout
            level = x.sum(1, keepdim=True) / total
            y = x - level
            scale = (y.square().sum(1, keepdim=True) / total).sqrt()
            scale = torch.where(scale > 0, scale, 1.0)
            return cls(y / scale, torch.full_like(level, total, dtype=torch.int64), level, scale)
        there = ~x.isnan()
        begins = torch.where(there.any(1), there.int().argmax(1), total).unsqueeze(1)
        place = torch.arange(total, device=x.device)
        holes = (~there & (place >= begins)).any(1)
        if bool(holes.any()):
            x = x.clone()
            x[holes] = filled(x[holes], season)
        y = x.gather(1, (place + begins).clamp_max(total - 1))
        steps = total - begins
        inside = place < steps
        level = torch.where(inside, y, 0.0).sum(1, keepdim=True) / steps.clamp_min(1)
        y = torch.where(inside, y - level, 0.0)
        scale = (y.square().sum(1, keepdim=True) / steps.clamp_min(1)).sqrt()
        scale = torch.where(scale > 0, scale, 1.0)
        return cls(y / scale, steps, level, scale)


class _Common(NamedTuple):
    """Where models that are weighed together can all say something.

    A model without a season begins a season earlier, and a likelihood over more steps is no measure beside one over
    fewer: with three years of weeks it was believed for its first year. So what comes before counts as EARLY steps.
    """

    first: int  # the first step of which all can; 0 where that is the same for each
    fewest: int  # steps that must have been seen for it

    @classmethod
    def of(cls, models: Sequence[Structural]) -> _Common:
        firsts = {one.first for one in models}
        return cls(max(firsts) if len(firsts) > 1 else 0, max(one.fewest for one in models))

    def counted(self, steps: Tensor, total: int) -> Tensor:
        """What each of so many steps counts `[B, T]`, in windows of which the first `steps` `[B, 1]` are seen."""
        place = torch.arange(total, device=steps.device)
        if self.first == 0:
            return (place < steps).double()
        less = min(1.0, EARLY / max(self.first - FEWEST + 1, 1))
        early = (place < self.first) & (steps >= self.fewest)
        return torch.where(early, less, 1.0).double() * (place < steps)


class _Judge(NamedTuple):
    """What tells how well each of K models would have forecast T steps that were seen."""

    new: Tensor  # [K, T, T and more] from the steps to what is new in each
    sizes: Tensor  # [K, T] logarithms of the deviation of that; 0 where a model cannot say anything yet
    begun: Tensor  # [K, T] where it can
    asked: Tensor  # [K, T, A and more] from the steps to forecasts of later ones
    targets: Tensor  # [A], which these are
    able: Tensor  # [K, A] whether a model could make them
    fewest: Tensor  # [K, 1] steps that must have been seen
    common: _Common  # with whatever models they are weighed

    @classmethod
    def of(cls, models: Sequence[Structural], common: _Common, lower: Tensor, horizon: int, most: int) -> _Judge:
        """Of models with these factors `[K, T, T]`, asked for about so many forecasts."""
        steps = lower.shape[1]
        new = torch.linalg.solve_triangular(lower, torch.eye(steps, dtype=torch.float64), upper=False)
        firsts = torch.tensor([[one.first] for one in models])
        count = min(max(most // horizon, ORIGINS[0]), ORIGINS[1])
        begins = torch.arange(FEWEST - 1, steps, max(-(-steps // count), 1))
        origins = begins.repeat_interleave(horizon)
        targets = (begins[:, None] + torch.arange(horizon)).flatten()
        origins, targets = origins[targets < steps], targets[targets < steps]
        place = torch.arange(steps)
        before = torch.where(place < origins[:, None], lower[:, targets], 0.0)  # [K, A, T]
        begun = (place >= firsts).double()
        return cls(
            _in_eights(new.mT),
            lower.diagonal(dim1=1, dim2=2).log() * begun,
            begun,
            _in_eights((before @ new).mT),
            targets,
            (origins >= firsts).double(),
            torch.tensor([[one.fewest] for one in models]),
            common,
        )

    def new_in(self, seen: _Seen) -> Tensor:
        """What is new in each step `[K, B, T]`; after the end it is of no use."""
        return (seen.y @ self.new.to(seen.y.device))[:, :, : seen.y.shape[1]]

    def say(self, seen: _Seen, new: Tensor) -> Tensor:
        """The logarithm of what each model has to say `[K, B]`, by its errors one step ahead (a likelihood of which the
        deviation is not known) and over the horizon."""
        device, total = new.device, new.shape[2]
        tables = self.sizes, self.begun, self.asked, self.targets, self.able, self.fewest
        sizes, begun, asked, targets, able, fewest = (table.to(device) for table in tables)
        there = self.common.counted(seen.steps, total)  # [B, T]
        count = begun @ there.T  # [K, B]
        mean = (new.abs() * begun.unsqueeze(1)).mul_(there).sum(2) / count.clamp_min(1)
        sized = (there @ _in_eights(sizes.T))[:, : len(sizes)].T
        likelihood = -count * (mean + EXACT).log() - sized
        known = (targets < seen.steps).double()  # [B, A]
        count = able @ known.T
        said = (seen.y @ asked)[:, :, : len(targets)]
        missed = (seen.y[:, targets] - said).abs_().mul_(known).mul_(able.unsqueeze(1)).sum(2)
        missed = torch.where(count > 0, missed / count.clamp_min(1), 1.0)
        say = LIKELIHOOD * likelihood - POWER * (missed + EXACT).log()
        return torch.where(fewest <= seen.steps.T, say, -math.inf)
