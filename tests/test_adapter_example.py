"""How a model of another package is brought in: an adapter of a few lines makes it a forecaster, to be audited and
backtested like our own.

A forecaster has a `name` and `fit(past, horizon)`; what `fit` gives back has `predict(views)`, with one `Forecast` per
view. `view.past` ends at the cutoff and `view.future` holds the times to forecast (and covariates known ahead), so an
adapter could not look ahead if it tried; the audit proves that it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from tsforecast.auditing.audit import run_audit
from tsforecast.backtesting import run_backtest
from tsforecast.contract import QUANTILES, Fitted, Forecast, Forecaster, level_quantiles
from tsforecast.folds import Plan
from tsforecast.models.naive import Naive, SeasonalNaive
from tsforecast.panel import Panel, View
from tsforecast.reading.readers import read_panel

# 1. A model per series, with parameters that are kept between origins: exponential smoothing of statsmodels


@dataclass(frozen=True)
class Smoothing:
    """ETS of statsmodels (Hyndman et al. 2008), additive, one model per series."""

    season_length: int | None = None
    name = "ets"

    def fit(self, past: Panel, horizon: int, /) -> FittedSmoothing:
        m = self.season_length or past.season_length
        settings = {"trend": "add", "seasonal": "add" if m > 1 else None, "seasonal_periods": m if m > 1 else None}
        series = {name: ETSModel(observed(past, i), **settings).fit(disp=False) for i, name in enumerate(past.ids)}
        return FittedSmoothing(settings, {name: fitted.params for name, fitted in series.items()})


def observed(past: Panel, i: int) -> pd.Series:
    """A series as statsmodels wants it."""
    return pd.Series(past.series(i).copy())


@dataclass(frozen=True)
class FittedSmoothing:
    settings: Mapping[str, Any]
    params: Mapping[str, np.ndarray]

    def predict(self, views: Sequence[View], /) -> list[Forecast]:
        return [self.one(view) for view in views]

    def one(self, view: View) -> Forecast:
        past, future = view
        point, spread = np.empty(future.times.shape), np.empty(future.times.shape)
        for i, name in enumerate(past.ids):
            model = ETSModel(observed(past, i), **self.settings).smooth(self.params[name])  # its history moves, no more
            told = model.get_prediction(len(past.series(i)), len(past.series(i)) + future.horizon - 1)
            point[i], spread[i] = told.predicted_mean, np.sqrt(told.forecast_variance)
        scores = np.array([NormalDist().inv_cdf(q) for q in QUANTILES])
        quantiles = point[:, :, None] + spread[:, :, None] * scores
        return Forecast(past.ids, future.times, past.freq, point, QUANTILES, quantiles)


# 2. A package that fits when it forecasts, from a long frame: statsforecast (its models run on all series at once)


@dataclass(frozen=True)
class StatsForecastModel:
    """Any model of statsforecast, such as AutoETS, AutoTheta or AutoCES; it is fitted anew at every origin."""

    model: str = "AutoETS"
    season_length: int | None = None
    level: tuple[int, ...] = (80, 95)
    name = "statsforecast"

    def fit(self, past: Panel, horizon: int, /) -> StatsForecastModel:
        return self

    def predict(self, views: Sequence[View], /) -> list[Forecast]:
        return [self.one(view) for view in views]

    def one(self, view: View) -> Forecast:
        from statsforecast import StatsForecast, models

        past, future = view
        model = getattr(models, self.model)(season_length=self.season_length or past.season_length)
        runner = StatsForecast(models=[model], freq=past.freq.name)
        frame = past.to_frame()[["unique_id", "ds", "y"]]
        told = runner.forecast(df=frame, h=future.horizon, level=list(self.level)).reset_index()
        sides = {
            q: side for level in self.level for q, side in zip(level_quantiles(level), self.sides(level), strict=True)
        }
        levels = tuple(sorted({*sides, 0.5}))
        told = told.set_index("unique_id").loc[list(past.ids)]  # series in our order, steps as they are

        def column(suffix: str) -> np.ndarray:
            return told[self.model + suffix].to_numpy(dtype=np.float64).reshape(future.times.shape)

        quantiles = np.stack([column(sides.get(q, "")) for q in levels], axis=2)
        return Forecast(past.ids, future.times, past.freq, column(""), levels, quantiles)

    @staticmethod
    def sides(level: int) -> tuple[str, str]:
        return f"-lo-{level}", f"-hi-{level}"


PLAN = Plan(horizon=12, n_windows=3)


def judged(model: Forecaster) -> None:
    """It passes the audit, and stands beside the naive forecasts in a backtest."""
    passengers = read_panel("air_passengers")
    audit = run_audit(passengers, {model.name: model}, PLAN, n_folds=2)
    assert audit.passed, audit.sentence
    result = run_backtest(passengers, {m.name: m for m in (model, Naive(), SeasonalNaive())}, PLAN)
    assert result.failures.empty
    scores = result.scores().set_index("model")["mase"].groupby("model").mean()
    assert scores[model.name] < scores["seasonal_naive"] < scores["naive"]


def test_exponential_smoothing_of_statsmodels_is_audited_and_backtested() -> None:
    assert isinstance(Smoothing(), Forecaster)
    judged(Smoothing())


def test_its_forecasts_are_those_of_statsmodels() -> None:
    passengers = read_panel("air_passengers")
    fitted: Fitted = Smoothing().fit(passengers, 12)
    told = fitted.predict([View(passengers, passengers.future(12))])[0]
    model = ETSModel(pd.Series(passengers.series(0)), trend="add", seasonal="add", seasonal_periods=12).fit(disp=False)
    np.testing.assert_allclose(told.point[0], model.forecast(12), rtol=1e-9)
    interval = model.get_prediction(144, 155).pred_int(alpha=0.2)
    low, high = (told.quantiles[0, :, told.levels.index(q)] for q in (0.1, 0.9))
    np.testing.assert_allclose(np.stack([low, high], axis=1), np.asarray(interval), rtol=1e-6)


def test_a_model_of_statsforecast_is_audited_and_backtested() -> None:
    pytest.importorskip("statsforecast", reason="statsforecast is not installed (it needs pandas below 3)")
    judged(StatsForecastModel())
