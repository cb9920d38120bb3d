"""A closed-form linear map from the context to the horizon: it costs a second, and few networks beat it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tsforecast import progress
from tsforecast.errors import ConfigError, DataError
from tsforecast.forecast import QUANTILES, FittedModel, Forecast, check_quantiles
from tsforecast.models.encoding import Encoded, Encoding
from tsforecast.models.settle import context_size, naive_season
from tsforecast.panel import Panel, View
from tsforecast.transforms import parse_transform
from tsforecast.windows import Batch, Windows, contexts, split_by_time

__all__ = ["Ridge"]

CHUNK = 4_096  # windows whose features are held at once
MOST_WINDOWS = 50_000  # more add time and hardly any accuracy to so few coefficients


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """One linear map for all series, from the scaled context (and covariates) to the whole horizon.

    It corrects the naive forecast that has been closer in the past, so that a strong penalty means that forecast. The
    penalty with the smallest error on the last part of the training time is taken, and the map is solved once more on
    all windows. Point: the linear map (a mean). Quantiles: those of its errors on that last part, per step.

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

        Raises DataError where no series has more than `horizon` steps.
        """
        size = self.input_size or context_size(past, horizon)
        windows = Windows.of(past, size, horizon)
        season = naive_season(past, horizon)
        encoding = Encoding.of(windows, parse_transform(self.scaling, season_length=past.season_length), season)
        valid_steps = max(int(self.val_share * float(np.median(past.lengths))), horizon)
        split = split_by_time(past, horizon, valid_steps, least_context=min(size, 2 * horizon))
        early = _origins(split.train_low, split.train_high, split.floors)
        late = _origins(split.valid_low, split.valid_high, split.floors)
        if len(early[0]) == 0:
            raise DataError(
                f"ridge: no series is long enough to train on: a horizon of {horizon} needs more than {horizon + 1} "
                f"steps, the longest ('{past.ids[int(np.argmax(past.lengths))]}') has {int(past.lengths.max())}"
            )
        first = _Sums.over(windows, encoding, *early)
        rest = _Sums.over(windows, encoding, *late) if len(late[0]) else first
        maps = first.solve(self.penalties)
        best = int(np.argmin([rest.error(w) for w in maps]))
        errors = _errors(windows, encoding, maps[best], *(late if len(late[0]) else early))
        final = (first + rest).solve((self.penalties[best],))[0] if rest is not first else maps[best]
        levels = torch.tensor(self.quantiles, dtype=torch.float64)
        spread = torch.nanquantile(errors, levels, dim=0).T.contiguous()  # [H, Q]
        return _FittedRidge(self, horizon, size, past.hist_names, past.futr_names, encoding, final, spread)


@dataclass(frozen=True, eq=False)
class _FittedRidge(FittedModel):
    recipe: Ridge
    horizon: int
    input_size: int
    hist_names: tuple[str, ...]
    futr_names: tuple[str, ...]
    encoding: Encoding
    weights: Tensor  # [features, H]
    spread: Tensor  # [H, Q], scaled units

    def _predict(self, views: list[View]) -> list[Forecast]:
        found = []
        for past, future in views:
            if past.hist_names != self.hist_names or past.futr_names != self.futr_names:
                raise DataError(
                    f"ridge: trained with covariates {list(self.hist_names + self.futr_names)}, but asked to forecast "
                    f"with {list(past.hist_names + past.futr_names)}"
                )
            batch = contexts([View(past, future)], self.input_size)
            seen = self.encoding.encode(batch)
            # one row at a time in float64: a series' numbers do not depend on how many others are asked for
            features = _features(batch, seen)
            out = (features.unsqueeze(2) * self.weights).sum(1).unsqueeze(2) + seen.base.double()
            values = seen.units(torch.cat([out, out + self.spread], dim=2)).numpy()
            found.append(
                Forecast(past.ids, future.times, past.freq, values[:, :, 0], self.recipe.quantiles, values[:, :, 1:])
            )
        return found


def _features(batch: Batch, seen: Encoded) -> Tensor:
    """`[B, features]`, float64: the scaled context with its mask where something is missing, past-only covariates,
    covariates known ahead at the steps to forecast, and 1."""
    context, mask = seen.x[:, :, 0], 1 - seen.x[:, :, 1]
    hist = seen.x[:, :, 2 : 2 + batch.hist.shape[2]]
    parts = [context, mask, hist.flatten(1), seen.known.flatten(1), torch.ones_like(context[:, :1])]
    return torch.cat(parts, dim=1).double()


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
    def over(cls, windows: Windows, encoding: Encoding, origins: Tensor, floors: Tensor) -> _Sums:
        xx = xy = yy = torch.zeros((), dtype=torch.float64)
        for number, (o, f) in enumerate(zip(origins.split(CHUNK), floors.split(CHUNK), strict=True)):
            batch = windows.gather(o, f)
            seen = encoding.encode(batch)
            rest, weight = _residual(batch, seen)
            x, y = _features(batch, seen) * weight, rest * weight
            xx, xy, yy = xx + x.T @ x, xy + x.T @ y, yy + (y * y).sum(0)
            progress.report(number * CHUNK / len(origins))
        return cls(xx, xy, yy)

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(self.xx + other.xx, self.xy + other.xy, self.yy + other.yy)

    def solve(self, penalties: tuple[float, ...]) -> list[Tensor]:
        """(X'X + penalty I)^-1 X'Y for each penalty, from one eigendecomposition."""
        values, vectors = torch.linalg.eigh(self.xx)
        turned = vectors.T @ self.xy
        return [vectors @ (turned / (values.clamp_min(0.0) + p)[:, None]) for p in penalties]

    def error(self, weights: Tensor) -> float:
        """Sum of squared errors of a map on these windows."""
        return float((self.yy - 2 * (weights * self.xy).sum(0) + (weights * (self.xx @ weights)).sum(0)).sum())


def _errors(windows: Windows, encoding: Encoding, weights: Tensor, origins: Tensor, floors: Tensor) -> Tensor:
    """Errors of a map `[windows, H]` in scaled units, NaN where the target was not observed."""
    found = []
    for o, f in zip(origins.split(CHUNK), floors.split(CHUNK), strict=True):
        batch = windows.gather(o, f)
        seen = encoding.encode(batch)
        target = (seen.target(batch.target) - seen.base).squeeze(2).double()
        found.append(target - _features(batch, seen) @ weights)
    return torch.cat(found)


def _origins(low: np.ndarray, high: np.ndarray, floors: np.ndarray) -> tuple[Tensor, Tensor]:  # type: ignore[type-arg]
    """Every origin of the half-open ranges, and where its series begins; thinned evenly to MOST_WINDOWS."""
    room = np.maximum(high - low, 0)
    total = int(room.sum())
    number = np.arange(total) if total <= MOST_WINDOWS else np.linspace(0, total - 1, MOST_WINDOWS).astype(np.int64)
    last = np.cumsum(room)
    series = np.searchsorted(last, number, side="right")
    origins = low[series] + number - (last - room)[series] if total else np.empty(0, dtype=np.int64)
    return torch.from_numpy(origins), torch.from_numpy(np.asarray(floors[series] if total else origins, dtype=np.int64))
