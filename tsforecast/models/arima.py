"""ARIMA and automatic ARIMA: one model per series, with exact Gaussian likelihood, intervals and rolling origins.

Box & Jenkins (1970); the order is chosen as in Hyndman & Khandakar (2008). Columns of `futr` (known ahead) are
regressors with ARIMA errors. Past-only covariates (`hist`) are ignored: ARIMA has no forecast of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from tsforecast.contract import QUANTILES, Failure, FittedModel, Forecast, check_quantiles
from tsforecast.errors import ConfigError, DataError, listing
from tsforecast.fields import plain_fields
from tsforecast.models.arima_likelihood import Order
from tsforecast.models.arima_order import Bounds
from tsforecast.models.arima_series import SeriesModel, Unusable, fit_series
from tsforecast.panel import Panel, View
from tsforecast.progress import report

__all__ = ["ARIMA", "AutoARIMA"]

Floats = npt.NDArray[np.float64]
# measured on hourly, half-hourly and daily series of 3,600 to 19,000 steps: twice as many steps take two to three times
# as long and forecast no better
MAX_LENGTH = 2000
WIDE = 60  # steps in a season


@dataclass(frozen=True, kw_only=True)
class ARIMA:
    """ARIMA(p,d,q)(P,D,Q)[m] of a given order, estimated by exact maximum likelihood.

    order           (p, d, q)
    seasonal_order  (P, D, Q)
    season_length   m, steps in a season; None takes the panel's
    constant        a mean (d + D = 0) or a drift (d + D = 1); None: a mean where nothing is differenced, else nothing
    max_length      steps at the end of a series that are used, to estimate and to forecast

    Point forecasts are the mean of the predictive distribution; quantiles are normal with exact forecast variances,
    the coefficients taken as known. Missing values are left out of the likelihood exactly. The chosen order and every
    departure from plain maximum likelihood are in the forecast's `notes`; a series without a model is a Failure.
    """

    order: tuple[int, int, int] = (1, 1, 1)
    seasonal_order: tuple[int, int, int] = (0, 0, 0)
    season_length: int | None = None
    constant: bool | None = None
    max_length: int = MAX_LENGTH
    quantiles: tuple[float, ...] = QUANTILES
    name = "arima"
    local = True

    def __post_init__(self) -> None:
        plain_fields(self, self.name)
        for field in ("order", "seasonal_order"):
            if min(getattr(self, field)) < 0:
                raise ConfigError(f"arima.{field}={list(getattr(self, field))}: give three whole numbers of at least 0")
        differenced = self.order[1] + self.seasonal_order[1]
        if self.constant and differenced > 1:
            raise ConfigError(f"arima.constant=true: {differenced} differences leave no room for a constant")
        _check(self.name, self.season_length, self.max_length)
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))

    def fit(self, past: Panel, horizon: int, /) -> _FittedARIMA:
        """Estimate every series of the panel. Raises ConfigError for a seasonal order without a season."""
        m = self.season_length or past.season_length
        seasonal = any(self.seasonal_order)
        if seasonal and m == 1:
            raise ConfigError(
                f"arima.seasonal_order={list(self.seasonal_order)}: the data have no season; set arima.season_length"
            )
        (p, d, q), (P, D, Q) = self.order, self.seasonal_order
        constant = d + D == 0 if self.constant is None else self.constant
        return _fit(self, past, horizon, m, Order(p, d, q, P, D, Q, m if seasonal else 1, constant))


@dataclass(frozen=True, kw_only=True)
class AutoARIMA:
    """ARIMA whose order is chosen for each series by the corrected Akaike criterion.

    season_length   m, steps in a season; None takes the panel's, 1 looks for no season
    max_p ... max_Q largest orders tried
    max_d, max_D    most differences; D is chosen by seasonal strength (0.64), d by KPSS tests
    max_length      steps at the end of a series that are used, to search, to estimate and to forecast

    For seasons longer than 60 steps (5-minute data with a daily cycle) no seasonal moving average is tried: the time of
    its likelihood grows with the square of the season. Otherwise as `ARIMA`.

    Candidates are estimated by conditional least squares and compared at their exact likelihood; the winner is
    estimated by exact maximum likelihood.
    """

    season_length: int | None = None
    max_p: int = 5
    max_q: int = 5
    max_P: int = 2
    max_Q: int = 2
    max_d: int = 2
    max_D: int = 1
    max_length: int = MAX_LENGTH
    quantiles: tuple[float, ...] = QUANTILES
    name = "autoarima"
    local = True

    def __post_init__(self) -> None:
        plain_fields(self, self.name)
        for field in ("max_p", "max_q", "max_P", "max_Q", "max_d", "max_D"):
            if getattr(self, field) < 0:
                raise ConfigError(f"autoarima.{field}={getattr(self, field)}: must be at least 0")
        if self.max_D > 1:
            raise ConfigError(f"autoarima.max_D={self.max_D}: at most one seasonal difference is tried")
        _check(self.name, self.season_length, self.max_length)
        object.__setattr__(self, "quantiles", check_quantiles(self.quantiles))

    def fit(self, past: Panel, horizon: int, /) -> _FittedARIMA:
        """Choose and estimate a model for every series of the panel."""
        m = self.season_length or past.season_length
        bounds = Bounds(self.max_p, self.max_q, self.max_P, self.max_Q if m <= WIDE else 0, self.max_d, self.max_D)
        return _fit(self, past, horizon, m, bounds)


@dataclass(frozen=True, eq=False)
class _FittedARIMA(FittedModel):
    """Models by series id. Forecasts move the history and keep the coefficients."""

    recipe: ARIMA | AutoARIMA
    horizon: int
    covariates: tuple[str, ...]
    models: Mapping[str, SeriesModel | Failure]

    def _predict(self, views: list[View]) -> list[Forecast]:
        return [self._one(view) for view in views]

    def _one(self, view: View) -> Forecast:
        past, future = view
        self._check(past)
        point = np.full((len(past), self.horizon), np.nan)
        spread = np.full_like(point, np.nan)
        failures, notes = [], []
        for i, (key, a, b) in enumerate(zip(past.ids, past.starts, past.ends, strict=True)):
            model = self.models[key]
            if isinstance(model, Failure):
                failures.append(model)
                continue
            notes += [(key, note) for note in model.notes]
            try:
                mean, deviation = model.forecast(past.values[a:b], past.futr[a:b], future.futr[i])
            except (Unusable, np.linalg.LinAlgError) as reason:
                failures.append(Failure(key, str(reason)))
                continue
            if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
                failures.append(Failure(key, f"{model.order} forecasts numbers that are not finite"))
                continue
            point[i], spread[i] = mean, deviation
        scores = np.array([NormalDist().inv_cdf(q) for q in self.recipe.quantiles])
        quantiles = point[:, :, None] + spread[:, :, None] * scores
        return Forecast(
            past.ids, future.times, past.freq, point, self.recipe.quantiles, quantiles, tuple(failures), tuple(notes)
        )

    def _check(self, past: Panel) -> None:
        strangers = [key for key in past.ids if key not in self.models]
        if strangers:
            raise DataError(
                f"{self.recipe.name} has no model of series {listing(map(repr, strangers))}: it was fitted on "
                f"{listing(map(repr, self.models))}; fit it on a past that has them"
            )
        if past.futr_names != self.covariates:
            raise DataError(
                f"{self.recipe.name} was fitted with the known-ahead covariates ({listing(self.covariates)}) and is "
                f"given ({listing(past.futr_names)}); give the same ones in the same order"
            )


def _fit(recipe: ARIMA | AutoARIMA, past: Panel, horizon: int, m: int, choice: Order | Bounds) -> _FittedARIMA:
    models: dict[str, SeriesModel | Failure] = {}
    for i, (key, a, b) in enumerate(zip(past.ids, past.starts, past.ends, strict=True)):
        try:
            models[key] = fit_series(past.values[a:b], past.futr[a:b], m, recipe.max_length, choice)
        except (Unusable, np.linalg.LinAlgError) as reason:
            models[key] = Failure(key, str(reason))
        report((i + 1) / len(past))
    return _FittedARIMA(recipe, horizon, past.futr_names, models)


def _check(name: str, season_length: int | None, max_length: int) -> None:
    if season_length is not None and season_length < 1:
        raise ConfigError(f"{name}.season_length={season_length}: must be at least 1")
    if max_length < 20:
        raise ConfigError(f"{name}.max_length={max_length}: must be at least 20")
