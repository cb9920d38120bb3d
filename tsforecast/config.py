"""From defaults, a config file and flags to recipes and a plan: the one place that knows how settings are spelled.

Every key is spelled as in Python and on the command line. A recipe is its own schema: the keys of a model are the
fields of its dataclass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.folds import Plan
from tsforecast.forecast import QUANTILES, Forecaster, check_quantiles
from tsforecast.models import MODELS, model_class

__all__ = ["DEFAULT_MODELS", "READING", "RunConfig", "build_models", "resolved", "run_config", "set_value"]

DEFAULT_MODELS = ("lstm", "autoarima", "ridge", "seasonal_naive", "naive")
Settings = dict[str, Any]


class RunConfig(BaseModel):
    """One backtest, as a config file spells it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str | list[str]
    layout: Literal["auto", "long", "wide", "rows"] = "auto"
    id: str | None = None
    time: str | None = None
    target: str | None = None
    freq: str | int | None = None
    season_length: int | None = None
    hist_exog: list[str] = []
    futr_exog: list[str] = []
    missing: Literal["error", "nan", "ffill", "drop"] = "error"
    date_format: str | None = None
    na_values: list[str] = []
    sep: str | None = None
    decimal: str = "."
    encoding: str | None = None
    calendar: list[str] = []

    models: dict[str, Settings]
    horizon: int | None = None
    n_windows: int | None = None
    step_size: int | None = None
    gap: int = 0
    refit: bool | int = False
    train_size: int | None = None
    align: Literal["calendar", "end"] = "calendar"
    quantiles: list[float] = list(QUANTILES)
    seed: int = 0
    device: str = "auto"

    @property
    def plan(self) -> Plan:
        """How the folds are laid out."""
        return Plan(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Plan)})

    @property
    def reading(self) -> Settings:
        """The options of `read_panel`."""
        return {name: getattr(self, name) for name in READING if getattr(self, name) != RunConfig.model_fields[name].default}

    @property
    def recipes(self) -> dict[str, Forecaster]:
        """Name -> recipe."""
        return build_models(self.models, quantiles=self.quantiles, seed=self.seed, device=self.device)


READING = (
    "layout", "id", "time", "target", "freq", "season_length", "hist_exog", "futr_exog", "missing", "date_format",
    "na_values", "sep", "decimal", "encoding",
)  # fmt: skip


def run_config(settings: Mapping[str, Any], where: str = "config") -> RunConfig:
    """A checked configuration. Raises ConfigError naming the key, its value and what is valid."""
    settings = dict(settings)
    for key in settings:
        if key not in RunConfig.model_fields:
            raise ConfigError(f"{where}: unknown key '{key}'{did_you_mean(str(key), RunConfig.model_fields)}")
    settings["models"] = model_settings(settings.get("models") or DEFAULT_MODELS)
    try:
        return RunConfig(**settings)
    except ValidationError as error:
        raise ConfigError(_words(error, where)) from None


def model_settings(models: Any) -> dict[str, Settings]:
    """`"lstm,naive"`, `["lstm", "naive"]` or `{lstm: {hidden_size: 64}, naive:}` as name -> settings."""
    if isinstance(models, str):
        models = [part.strip() for part in models.split(",") if part.strip()]
    if isinstance(models, Mapping):
        found = {str(name): dict(settings or {}) for name, settings in models.items()}
    else:
        names = [str(name) for name in models]
        doubled = [name for name in names if names.count(name) > 1]
        if doubled:
            raise ConfigError(f"models: '{doubled[0]}' is named twice; give variants names of their own: {{a: {{model: {doubled[0]}}}}}")
        found = {name: {} for name in names}
    return {canonical(name) if "model" not in settings else name: settings for name, settings in found.items()}


def canonical(name: str) -> str:
    """The spelling in MODELS, or ConfigError with the nearest valid name."""
    folded = {key.replace("_", ""): key for key in MODELS}
    key = folded.get(name.lower().replace("-", "").replace("_", ""))
    if key is None:
        raise ConfigError(f"unknown model '{name}'{did_you_mean(name, MODELS)}")
    return key


def build_models(
    models: Mapping[str, Settings], *, quantiles: Sequence[float] = QUANTILES, seed: int = 0, device: str = "auto"
) -> dict[str, Forecaster]:
    """Recipes from settings. The key `model` names the kind where the name is the user's own."""
    check_quantiles(quantiles)
    found: dict[str, Forecaster] = {}
    for name, settings in models.items():
        own = {key: value for key, value in settings.items() if key != "model"}
        recipe_class = model_class(str(settings.get("model", name)))
        fields = {field.name for field in dataclasses.fields(recipe_class)}
        defaults: Settings = {"quantiles": list(quantiles), "seed": seed}
        if "training" in fields:
            training = own.get("training") or {}
            if not isinstance(training, Mapping):
                raise ConfigError(f"{name}.training={training!r}: expected keys such as max_steps: 1000")
            own["training"] = {"device": device, **training}
        whole = {key: value for key, value in defaults.items() if key in fields} | own
        found[name] = _recipe(recipe_class, whole, name)
    return found


def _recipe(recipe_class: type[Any], settings: Settings, where: str) -> Any:
    """An instance of a recipe dataclass; nested dataclasses are checked the same way."""
    fields = {field.name: field for field in dataclasses.fields(recipe_class)}
    for key, value in settings.items():
        if key not in fields:
            raise ConfigError(f"unknown setting '{where}.{key}'{did_you_mean(str(key), fields)}")
        nested = fields[key].default_factory
        if isinstance(value, Mapping) and isinstance(nested, type) and dataclasses.is_dataclass(nested):
            settings = settings | {key: _recipe(nested, dict(value), f"{where}.{key}")}
    try:
        return TypeAdapter(recipe_class).validate_python(settings)
    except ValidationError as error:
        raise ConfigError(_words(error, where)) from None


def set_value(settings: Settings, key: str, value: Any) -> Settings:
    """The settings with `--set key=value` applied: `horizon=3`, `lstm.hidden_size=64`, `lstm.training.max_steps=100`.

    The first part of a dotted key is a model of the run.
    """
    head, _, rest = key.partition(".")
    if not rest:
        if key not in RunConfig.model_fields:
            models = list(settings.get("models") or DEFAULT_MODELS)
            hint = f"; for a model's setting write {key}.NAME=..." if key in models else did_you_mean(key, RunConfig.model_fields)
            raise ConfigError(f"--set {key}: unknown key '{key}'{hint}")
        return settings | {key: value}
    models = model_settings(settings.get("models") or DEFAULT_MODELS)
    name = head if head in models else canonical(head)
    if name not in models:
        raise ConfigError(f"--set {key}: the run has no model '{head}'{did_you_mean(head, models)}")
    parts = rest.split(".")
    branch = own = dict(models[name])
    for part in parts[:-1]:
        branch[part] = dict(branch.get(part) or {})
        branch = branch[part]
    branch[parts[-1]] = value
    return settings | {"models": models | {name: own}}


def resolved(config: RunConfig, recipes: Mapping[str, Forecaster], plan: Plan) -> Settings:
    """Everything that was settled, as a config that gives the same run again."""
    settings = config.model_dump()
    settings |= {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}
    settings["models"] = {
        name: ({"model": recipe.name} if recipe.name != name else {}) | _plain(dataclasses.asdict(recipe))  # type: ignore[call-overload]
        for name, recipe in recipes.items()
    }
    return settings


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _words(error: ValidationError, where: str) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("list[", "str", "int", "bool")))
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 and first["type"] != "missing" else ""
    return f"{where}: {place}={first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}{more}" if first["type"] != "missing" else f"{where}: '{place}' is missing"
