"""The models, by the name that the command line and configs use. A model's file is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tsforecast.errors import ConfigError, did_you_mean

__all__ = ["MODELS", "model_class"]

MODELS = {
    "naive": "tsforecast.models.naive:Naive",
    "seasonal_naive": "tsforecast.models.naive:SeasonalNaive",
    "drift": "tsforecast.models.naive:Drift",
    "naive2": "tsforecast.models.naive2:Naive2",
    "ridge": "tsforecast.models.linear:Ridge",
    "arima": "tsforecast.models.arima:ARIMA",
    "autoarima": "tsforecast.models.arima:AutoARIMA",
    "rnn": "tsforecast.models.recurrent:RNN",
    "lstm": "tsforecast.models.recurrent:LSTM",
    "gru": "tsforecast.models.recurrent:GRU",
}
"""Name -> where the recipe lives. Torch is imported with the networks and the ridge, statsmodels with ARIMA."""


def model_class(name: str) -> type[Any]:
    """The recipe class of a name; upper case, `-` and a missing `_` are forgiven, anything else is a ConfigError."""
    folded = {key.replace("_", ""): key for key in MODELS}
    key = folded.get(name.lower().replace("-", "").replace("_", ""))
    if key is None:
        raise ConfigError(f"unknown model '{name}'{did_you_mean(name, MODELS)}")
    module, _, attribute = MODELS[key].partition(":")
    found: type[Any] = getattr(import_module(module), attribute)
    return found
