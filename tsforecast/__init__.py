"""tsforecast: does an LSTM really forecast this better than ARIMA, by how much, and may I trust that answer?

Names are imported when they are first used, so that `import tsforecast` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsforecast.api import audit as audit
    from tsforecast.api import backtest as backtest
    from tsforecast.api import forecast as forecast
    from tsforecast.api import plan as plan
    from tsforecast.contract import Fitted as Fitted
    from tsforecast.contract import Forecast as Forecast
    from tsforecast.contract import Forecaster as Forecaster
    from tsforecast.datasets import list_datasets as list_datasets
    from tsforecast.datasets import load_dataset as load_dataset
    from tsforecast.errors import ConfigError as ConfigError
    from tsforecast.errors import DataError as DataError
    from tsforecast.errors import TsforecastError as TsforecastError
    from tsforecast.folds import Plan as Plan
    from tsforecast.forecasting import Forecasts as Forecasts
    from tsforecast.ingesting.ingest import ingest as ingest
    from tsforecast.models.arima import ARIMA as ARIMA
    from tsforecast.models.arima import AutoARIMA as AutoARIMA
    from tsforecast.models.linear import Ridge as Ridge
    from tsforecast.models.naive import Drift as Drift
    from tsforecast.models.naive import Naive as Naive
    from tsforecast.models.naive import SeasonalNaive as SeasonalNaive
    from tsforecast.models.naive2 import Naive2 as Naive2
    from tsforecast.models.recurrent import GRU as GRU
    from tsforecast.models.recurrent import LSTM as LSTM
    from tsforecast.models.recurrent import RNN as RNN
    from tsforecast.models.schedule import Training as Training
    from tsforecast.panel import Future as Future
    from tsforecast.panel import Panel as Panel
    from tsforecast.panel import View as View
    from tsforecast.reading.readers import read_panel as read_panel
    from tsforecast.results import BacktestResult as BacktestResult
    from tsforecast.synthetic import synthetic_prices as synthetic_prices
    from tsforecast.synthetic import synthetic_sensors as synthetic_sensors

__version__ = "0.1.0"

_HOMES = {
    "api": ("audit", "backtest", "forecast", "plan"),
    "contract": ("Fitted", "Forecast", "Forecaster"),
    "datasets": ("list_datasets", "load_dataset"),
    "errors": ("ConfigError", "DataError", "TsforecastError"),
    "folds": ("Plan",),
    "forecasting": ("Forecasts",),
    "ingesting.ingest": ("ingest",),
    "models.arima": ("ARIMA", "AutoARIMA"),
    "models.linear": ("Ridge",),
    "models.naive": ("Drift", "Naive", "SeasonalNaive"),
    "models.naive2": ("Naive2",),
    "models.recurrent": ("GRU", "LSTM", "RNN"),
    "models.schedule": ("Training",),
    "panel": ("Future", "Panel", "View"),
    "reading.readers": ("read_panel",),
    "results": ("BacktestResult",),
    "synthetic": ("synthetic_prices", "synthetic_sensors"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tsforecast' has no attribute '{name}'")
    found = getattr(import_module(f"tsforecast.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
