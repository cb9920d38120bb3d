"""A closed-form linear map from the context to the horizon: it costs a second, and few networks beat it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tsforecast import progress
from tsforecast.errors import ConfigError, DataError
from tsforecast.forecast import QUANTILES, FittedModel, Forecast, check_quantiles
from tsforecast.models.answers import Answer, Covariates, forecast_views
from tsforecast.models.encoding import Encoded, Encoding
from tsforecast.models.sampling import every_origin
from tsforecast.models.settle import context_size, naive_season
from tsforecast.panel import Panel, View
from tsforecast.transforms import parse_transform
from tsforecast.windows import Batch, Windows, split_by_time

__all__ = ["Ridge"]

CHUNK = 4_096  # windows whose features are held at once
PRODUCTS = 4_000_000  # held at once while forecasting
ENOUGH = 30  # validation windows to take quantiles of errors from
MOST_WINDOWS = 50_000  # more add time and hardly any accuracy to so few coefficients


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """One linear map for all series, from the scaled context (and covariates) to the whole horizon.

    It corrects the naive forecast that has been closer in the past, so that a strong penalty means that forecast. The
    penalty with the smallest error on the last part of the training time is taken, and the map is solved once more on
    all windows. Point: the linear map (a mean). Quantiles: those of its errors on that last part, per step; where it
    has fewer than 30 windows, those of leaving each window out in turn.

    input_size   steps of context; None: as the networks choose it
    penalties    candidates, in units of squared scaled values summed over windows
    scaling      a transform by name, fitted on each window's own context
    val_share    the last share of the training time that chooses the penalty
    """

    input_size: int | None = None
    penalties: tuple[float, ...] = (1e-3, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
    scaling: str = "standard"
    val_share: float = 0.2
    quantiles: tuple[float, ...] = QUANTILES
    name = "ridge"

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))
        object.__setattr__(self, "penalties", tuple(float(p) for p in self.penalties))
        if not self.penalties or min(self.penalties) <= 0:
            raise ConfigError(f"ridge.penalties={list(self.penalties)}: give one or more positive numbers")
        if self.input_size is not None and not 1 <= self.input_size <= 10_000:
            raise ConfigError(f"ridge.input_size={self.input_size}: must be between 1 and 10000")
        if not 0 < self.val_share < 1:
            raise ConfigError(f"ridge.val_share={self.val_share}: must be between 0 and 1")
        parse_transform(self.scaling, season_length=1)

    def fit(self, past: Panel, horizon: int, /) -> _FittedRidge:
        """Solve for the map on every window of `past` (thinned evenly above 50,000).

        Raises DataError where no series is long enough for a single window.
        """
        size = self.input_size or context_size(past, horizon)
        windows = Windows.of(past, size, horizon)
        transform = parse_transform(self.scaling, season_length=past.season_length)
        encoding = Encoding.of(windows, transform, naive_season(past, horizon))
        gaps = bool(np.isnan(past.values[past.inside]).any()) or int(past.lengths.min()) < size + horizon
        least = min(size, 2 * horizon) if gaps else size
        valid_steps = max(int(self.val_share * float(np.median(past.lengths))), horizon)
        split = split_by_time(past, horizon, valid_steps, least)
        if split.n_train == 0:
            raise DataError(
                f"ridge: no series is long enough to train on: a context of {least} steps and a horizon of {horizon} "
                f"need {least + horizon} steps, the longest ('{past.ids[int(past.lengths.argmax())]}') has "
                f"{past.lengths.max()}"
            )
        held_out = split.valid_high > split.valid_low
        last = np.where(held_out, split.valid_high, split.train_high)
        early = every_origin(split.train_low, split.train_high, split.floors, MOST_WINDOWS)
        late = every_origin(split.valid_low, split.valid_high, split.floors, MOST_WINDOWS)
        every = every_origin(split.train_low, last, split.floors, MOST_WINDOWS)
        sight = _Sight(encoding, gaps)
        first = _Sums.over(windows, sight, *early)
        rest = _Sums.over(windows, sight, *late) if len(late[0]) else first
        maps = first.solve(self.penalties)
        best = int(np.argmin([rest.error(w) for w in maps]))
        whole = _Sums.over(windows, sight, *every)
        final = whole.solve((self.penalties[best],))[0]
        if len(late[0]) >= ENOUGH:
            errors = _errors(windows, sight, maps[best], *late)
        else:
            errors = _errors(windows, sight, final, *every, inverse=whole.inverse(self.penalties[best]))
        levels = torch.tensor(self.quantiles, dtype=torch.float64)
        spread = torch.nanquantile(errors, levels, dim=0).T.contiguous()
        return _FittedRidge(self, horizon, size, Covariates.of(past), sight, final, spread)


@dataclass(frozen=True, eq=False)
class _FittedRidge(FittedModel):
    recipe: Ridge
    horizon: int
    input_size: int
    covariates: Covariates
    sight: _Sight
    weights: Tensor  # [features, H]
    spread: Tensor  # [H, Q], scaled units

    def _predict(self, views: list[View]) -> list[Forecast]:
        for past, _ in views:
            self.covariates.check(past, self.recipe.name)
        return forecast_views(views, self._answer, input_size=self.input_size, levels=self.recipe.quantiles)

    def _answer(self, batch: Batch) -> Answer:
        seen, features = self.sight.look(batch)
        out = _products(features, self.weights).unsqueeze(2) + seen.base
        values = seen.units(torch.cat([out, out + self.spread], dim=2))
        return Answer(values[:, :, 0], values[:, :, 1:])


@dataclass(frozen=True, eq=False)
class _Sight:
    """What the map sees of a window.

    gaps   whether it is told what is missing; without gaps in the training windows there is nothing to learn from it
    """

    encoding: Encoding
    gaps: bool

    def look(self, batch: Batch) -> tuple[Encoded, Tensor]:
        """Features `[B, F]`, float64: the scaled context, its gaps, past-only covariates, covariates known ahead at the
        steps to forecast, and 1."""
        seen = self.encoding.encode(batch)
        own = self.encoding.own_channels
        hist = seen.x[:, :, own : own + batch.hist.shape[2]]
        parts = [seen.x[:, :, 0], hist.flatten(1), seen.known.flatten(1), torch.ones_like(seen.x[:, :1, 0])]
        if self.gaps:
            parts.append(1 - seen.x[:, :, 1])
        return seen, torch.cat(parts, dim=1).double()


def _products(features: Tensor, weights: Tensor) -> Tensor:
    """features `[B, F]` times weights `[F, H]`, row by row: in a matrix product the last bits of a row may depend on
    its place in the batch."""
    few = max(PRODUCTS // weights.numel(), 1)
    return torch.cat([(rows.unsqueeze(2) * weights).sum(1) for rows in torch.split(features, few)])


def _residual(batch: Batch, seen: Encoded) -> tuple[Tensor, Tensor]:
    """What the map has to explain `[B, H]` (0 where not observed), and a weight `[B, 1]` that keeps a context which
    hardly moves from outweighing all others."""
    rest = (seen.target(batch.target) - seen.base).squeeze(2).double()
    rest = torch.nan_to_num(rest, nan=0.0)
    return rest, 1 / rest.abs().amax(1, keepdim=True).clamp_min(5.0).div(5.0)


@dataclass(frozen=True, eq=False)
class _Sums:
    """The sums that least squares needs: X'X, X'Y and Y'Y of weighted windows."""

    xx: Tensor
    xy: Tensor
    yy: Tensor

    @classmethod
    def over(cls, windows: Windows, sight: _Sight, origins: Tensor, floors: Tensor) -> _Sums:
        xx = xy = yy = torch.zeros((), dtype=torch.float64)
        for number, (o, f) in enumerate(zip(torch.split(origins, CHUNK), torch.split(floors, CHUNK), strict=True)):
            batch = windows.gather(o, f)
            seen, features = sight.look(batch)
            rest, weight = _residual(batch, seen)
            x, y = features * weight, rest * weight
            xx, xy, yy = xx + x.T @ x, xy + x.T @ y, yy + (y * y).sum(0)
            progress.report(number * CHUNK / len(origins))
        return cls(xx, xy, yy)

    def inverse(self, penalty: float) -> Tensor:
        """(X'X + penalty I)^-1."""
        inverse: Tensor = torch.linalg.inv(self.xx + penalty * torch.eye(len(self.xx), dtype=self.xx.dtype))
        return inverse

    def solve(self, penalties: tuple[float, ...]) -> list[Tensor]:
        """(X'X + penalty I)^-1 X'Y for each penalty, from one eigendecomposition."""
        values, vectors = torch.linalg.eigh(self.xx)
        turned = vectors.T @ self.xy
        return [vectors @ (turned / (values.clamp_min(0.0) + p)[:, None]) for p in penalties]

    def error(self, weights: Tensor) -> float:
        """Sum of squared errors of a map on these windows."""
        return float((self.yy - 2 * (weights * self.xy).sum(0) + (weights * (self.xx @ weights)).sum(0)).sum())


def _errors(
    windows: Windows, sight: _Sight, weights: Tensor, origins: Tensor, floors: Tensor, inverse: Tensor | None = None
) -> Tensor:
    """Errors of a map `[windows, H]` in scaled units, NaN where the target was not observed.

    inverse   given where the map was solved on these windows: the errors are then those of the maps solved without
              each of them, which one division tells (Allen 1974)
    """
    found = []
    for o, f in zip(torch.split(origins, CHUNK), torch.split(floors, CHUNK), strict=True):
        batch = windows.gather(o, f)
        seen, features = sight.look(batch)
        errors = (seen.target(batch.target) - seen.base).squeeze(2).double() - features @ weights
        if inverse is not None:
            x = features * _residual(batch, seen)[1]
            errors = errors / (1 - ((x @ inverse) * x).sum(1, keepdim=True)).clamp_min(1e-6)
        found.append(errors)
    return torch.cat(found)
