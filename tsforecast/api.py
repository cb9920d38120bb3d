"""`backtest`: from data and model names, as people have them, to a result."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import PurePath
from typing import Any, Literal

from tsforecast.backtesting import Progress, run_backtest
from tsforecast.config import DEFAULT_MODELS, READING, RunConfig, build_models, model_settings
from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.folds import Plan
from tsforecast.forecast import QUANTILES, Forecaster
from tsforecast.reading.readers import read_panel
from tsforecast.results import BacktestResult

__all__ = ["backtest", "data_name", "run_facts"]

Models = str | Forecaster | Sequence[str | Forecaster] | Mapping[str, Forecaster | Mapping[str, Any] | None]


def backtest(
    data: Any,
    models: Models = DEFAULT_MODELS,
    *,
    horizon: int | None = None,
    n_windows: int | None = None,
    step_size: int | None = None,
    gap: int = 0,
    refit: bool | int = False,
    train_size: int | None = None,
    align: Literal["calendar", "end"] = "calendar",
    calendar: Sequence[str] = (),
    quantiles: Sequence[float] = QUANTILES,
    seed: int = 0,
    device: str = "auto",
    on_progress: Progress | None = None,
    **reading: Any,
) -> BacktestResult:
    """Compare models on identical folds of a price series or a set of sensor series.

    data       a Panel, a long frame (`unique_id, ds, y` or other names given), a wide frame with a DatetimeIndex, a
               Series, a path to CSV or parquet, or the name of a bundled dataset
    models     names ("lstm,autoarima,naive" or a list), recipes (`[LSTM(hidden_size=64), Naive()]`), or a mapping from
               your own names to recipes or settings
    horizon, n_windows, step_size, gap, refit, train_size, align
               how the folds are laid out: see `folds.Plan`
    calendar   built-in covariates known ahead: "hour", "weekday", "month"
    quantiles, seed, device
               for the models that are given by name
    reading    options of `read_panel`: id, time, target, freq, season_length, hist_exog, futr_exog, missing, ...

    Raises DataError and ConfigError with one clear sentence.
    """
    for key in reading:
        if key not in READING:
            raise ConfigError(f"backtest: unknown option '{key}'{did_you_mean(key, RunConfig.model_fields)}")
    recipes = as_recipes(models, quantiles=quantiles, seed=seed, device=device)
    panel = read_panel(data, **reading).with_calendar(calendar)
    plan = Plan(
        horizon=horizon,
        n_windows=n_windows,
        step_size=step_size,
        gap=gap,
        refit=refit,
        train_size=train_size,
        align=align,
    )
    return run_backtest(panel, recipes, plan, facts=run_facts(data_name(data), recipes), on_progress=on_progress)


def data_name(data: Any) -> str:
    """What a report calls the data: names of files without their folders, of a bundled data set, or of a type."""
    files = [data] if isinstance(data, str | os.PathLike) else data if isinstance(data, list | tuple) else []
    return ", ".join(PurePath(file).name for file in files) or type(data).__name__


def as_recipes(models: Models, *, quantiles: Sequence[float], seed: int, device: str) -> dict[str, Forecaster]:
    """Name -> recipe, whatever way the models were given."""

    def build(settings: Any) -> dict[str, Forecaster]:
        return build_models(model_settings(settings), quantiles=quantiles, seed=seed, device=device)

    if isinstance(models, str):
        return build(models)
    found: dict[str, Forecaster] = {}
    given = [models] if isinstance(models, Forecaster) else models
    pairs = given.items() if isinstance(given, Mapping) else ((None, model) for model in given)
    for name, model in pairs:
        if isinstance(model, str):
            new = build([model] if name is None else {name: {"model": model}})
        elif name is not None and (model is None or isinstance(model, Mapping)):
            new = build({name: model})
        elif isinstance(model, type):
            raise ConfigError(f"{model.__name__} is a class of models: give one model, such as {model.__name__}()")
        elif isinstance(model, Forecaster):
            new = {model.name if name is None else str(name): model}
        else:
            raise ConfigError(f"{model!r} is no model: give a name such as 'lstm', or an object with name and fit()")
        for key in new:
            if key in found:
                raise ConfigError(f"two models are called '{key}'; give them names: {{'a': ..., 'b': ...}}")
        found |= new
    return found


def run_facts(data_name: str, recipes: Mapping[str, Forecaster]) -> dict[str, Any]:
    """Where and with what a run was made."""
    packages = ["tsforecast-toolkit", "numpy", "pandas", "statsmodels", "torch", "pytorch-lightning"]
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    wanted = {recipe.training.device for recipe in recipes.values() if hasattr(recipe, "training")}
    return {
        "data": data_name,
        "kinds": {name: recipe.name for name, recipe in recipes.items()},
        "versions": versions,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "device": ", ".join(sorted(_device(name) for name in wanted)) or "cpu",
        "seeds": {name: recipe.seed for name, recipe in recipes.items() if hasattr(recipe, "seed")},
    }


def _device(name: str) -> str:
    """What "auto" became: asked only when a network is in the run, so torch is there already."""
    assert "torch" in sys.modules
    from tsforecast.models.training import pick_device

    return str(pick_device(name))
