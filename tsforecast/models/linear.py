"""A closed-form linear map from the context to the horizon: it costs a second, and few networks beat it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tsforecast.contract import QUANTILES, FittedModel, Forecast, check_quantiles
from tsforecast.errors import ConfigError, DataError
from tsforecast.fields import plain_fields
from tsforecast.models.answers import Answer, Covariates
from tsforecast.models.choices import AUTO, encoded
from tsforecast.models.combination import Combination, forecast_combined
from tsforecast.models.encoding import Encoding
from tsforecast.models.least_squares import PENALTIES, fit_map, least_context
from tsforecast.models.look_back import look_back
from tsforecast.models.nets import LinearMap, linear_features
from tsforecast.models.settle import naive_season
from tsforecast.panel import Panel, View
from tsforecast.transforms import parse_transform
from tsforecast.windows import Batch, Windows

__all__ = ["Ridge"]

PRODUCTS = 4_000_000  # held at once while forecasting


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """One linear map for all series, from the scaled context (and covariates) to the whole horizon.

    It corrects the naive forecast that has been closer in the past, so that a strong penalty means that forecast. The
    penalty with the smallest error on the last part of the training time is taken, with a constant (a drift of all
    series alike) only where that is better there. Where a map is .5 % closer in which windows count for one over their
    error, it is that of least absolute errors, not of least squares. It is solved once more on all windows. Point: the
    linear map, which stands for the median too. Quantiles: those of its errors on that last part around their mean, per
    step, none on the far side of the map; where that part has fewer than 30 windows, of the errors in each fifth of the
    time under the map of the rest.

    input_size   steps of context; None: as the networks choose it
    penalties    candidates, in units of squared scaled values summed over windows
    scaling      a transform by name, fitted on each window's own context; "auto": standard, with values far out drawn
                 in where they are few and, where none is below zero, of a logarithm (soft_log+standard), each where it
                 has been closer in the past by 5 %
    earlier      let many seasons have a say: correct the mean of the naive forecast and of an exponential smoothing of
                 ten seasons (of a daily cycle: of the context), and see what the naive forecast missed at the same time
                 of ten weeks where a daily cycle has been closer with it, or how the same days of five years went on
                 where days have been
    structural   answer the mean of the map (.4) and of structural models (level, trend, season); not where earlier
                 years have a say, or where that has been worse by 5 %; where the season is a day, of the map (.7)
                 and of day, week and what passes, where that has not been worse
    val_share    the last share of the training time that chooses the penalty
    """

    input_size: int | None = None
    penalties: tuple[float, ...] = PENALTIES
    scaling: str = AUTO
    earlier: bool = True
    structural: bool = True
    val_share: float = 0.2
    quantiles: tuple[float, ...] = QUANTILES
    name = "ridge"

    def __post_init__(self) -> None:
        plain_fields(self, self.name)
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))
        if not self.penalties or min(self.penalties) <= 0:
            raise ConfigError(f"ridge.penalties={list(self.penalties)}: give one or more positive numbers")
        if self.input_size is not None and not 1 <= self.input_size <= 10_000:
            raise ConfigError(f"ridge.input_size={self.input_size}: must be between 1 and 10000")
        if not 0 < self.val_share < 1:
            raise ConfigError(f"ridge.val_share={self.val_share}: must be between 0 and 1")
        if self.scaling != AUTO:
            parse_transform(self.scaling, season_length=1)

    def fit(self, past: Panel, horizon: int, /) -> _FittedRidge:
        """Solve for the map on every window of `past` (thinned evenly above 50,000).

        Raises DataError where no series is long enough for a single window.
        """
        season = naive_season(past, horizon)
        size = self.input_size or look_back(past, horizon, self.scaling, season, earlier=self.earlier)
        windows = Windows.of(past, size, horizon)
        windows, encoding = encoded(past, windows, self.scaling, season, earlier=self.earlier)
        solved = fit_map(
            past, windows, encoding, levels=self.quantiles, penalties=self.penalties, val_share=self.val_share
        )
        if solved is None:
            least = least_context(past, windows)
            raise DataError(
                f"ridge: no series is long enough to train on: a context of {least} steps and a horizon of {horizon} "
                f"need {least + horizon} steps, the longest ('{past.ids[int(past.lengths.argmax())]}') has "
                f"{past.lengths.max()}"
            )
        combined = Combination.of(past, windows, encoding) if self.structural else None
        if combined is not None:
            combined = combined.beside_map(windows, encoding, solved)
        return _FittedRidge(self, horizon, size, Covariates.of(past), encoding, solved.map, combined)


@dataclass(frozen=True, eq=False)
class _FittedRidge(FittedModel):
    recipe: Ridge
    horizon: int
    input_size: int
    covariates: Covariates
    encoding: Encoding
    map: LinearMap
    combined: Combination | None

    def _predict(self, views: list[View]) -> list[Forecast]:
        for past, _ in views:
            self.covariates.check(past, self.recipe.name)
        return forecast_combined(
            views,
            self._answer,
            self.encoding,
            self.combined,
            input_size=self.input_size,
            levels=self.recipe.quantiles,
        )

    def _answer(self, batch: Batch) -> Answer:
        seen = self.encoding.encode(batch)
        features = linear_features(seen.x, seen.known, self.map.hist, self.map.masks).double()
        out = _products(features, self.map.weights).unsqueeze(2) + seen.base
        out = torch.cat([out, out + self.map.spread], dim=2)
        out = out if self.combined is None else self.combined.answer(batch, seen, out, 0)
        values = self.encoding.answer(batch, seen, out, 0)
        return Answer(values[:, :, 0], values[:, :, 1:])


def _products(features: Tensor, weights: Tensor) -> Tensor:
    """features `[B, F]` times weights `[F, H]`, row by row: in a matrix product the last bits of a row may depend on
    its place in the batch."""
    few = max(PRODUCTS // weights.numel(), 1)
    return torch.cat([(rows.unsqueeze(2) * weights).sum(1) for rows in torch.split(features, few)])
