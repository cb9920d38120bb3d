"""Small panels and backtests for the tests of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tsforecast.backtesting import run_backtest
from tsforecast.contract import Forecast
from tsforecast.folds import Plan
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.panel import Panel
from tsforecast.results import BacktestResult


def panel_of(series: Mapping[str, np.ndarray], freq: str = "D") -> Panel:
    frames = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range("2024-01-01", periods=len(y), freq=freq), "y": y})
        for name, y in series.items()
    ]
    return Panel.from_frame(pd.concat(frames, ignore_index=True))


def walks(names: tuple[str, ...], steps: int = 80, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    return panel_of({name: 100 + rng.normal(size=steps).cumsum() for name in names})


def trends(names: tuple[str, ...], steps: int = 120) -> Panel:
    rng = np.random.default_rng(0)
    return panel_of({name: np.arange(steps) + rng.normal(size=steps) for name in names})


class FailsOn:
    """A naive forecast that fails on one series."""

    name = "fails_on"

    def __init__(self, unique_id: str) -> None:
        self.unique_id = unique_id

    def fit(self, past: Panel, horizon: int) -> FailsOn:
        self.fitted = Naive().fit(past, horizon)
        return self

    def predict(self, views: Any) -> list[Forecast]:
        return [self._spoiled(forecast) for forecast in self.fitted.predict(list(views))]

    def _spoiled(self, forecast: Forecast) -> Forecast:
        point = forecast.point.copy()
        point[[name == self.unique_id for name in forecast.ids]] = np.nan
        return replace(forecast, point=point)


def baselines(panel: Panel, n_windows: int = 4, horizon: int = 5, **more: Any) -> BacktestResult:
    models = {"naive": Naive(), "seasonal_naive": SeasonalNaive(), "drift": Drift()} | more
    return run_backtest(panel, models, Plan(horizon=horizon, n_windows=n_windows))
