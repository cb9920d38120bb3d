"""From defaults, a config file and flags to recipes and a plan: the one place that knows how settings are spelled.

Every key is spelled as in Python and on the command line. A recipe is its own schema: the keys of a model are the
fields of its dataclass.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tsforecast.contract import QUANTILES, Forecaster, check_quantiles
from tsforecast.errors import ConfigError, did_you_mean, listing
from tsforecast.folds import Plan
from tsforecast.judging.compare import MARGIN
from tsforecast.models import MODELS, model_class
from tsforecast.running.how import How

__all__ = ["DEFAULT_MODELS", "READING", "RunConfig", "build_models", "resolved", "run_config", "selected", "set_value"]

DEFAULT_MODELS = ("lstm", "autoarima", "ridge", "seasonal_naive", "naive")
Settings = dict[str, Any]


class RunConfig(BaseModel):
    """One backtest, as a config file spells it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True)

    data: str | list[str]
    layout: Literal["auto", "long", "wide", "rows"] = "auto"
    id: str | list[str] | None = None
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
    decimal: Literal[".", ","] = "."
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
    threads: int = Field(1, ge=1)

    executor: str = "auto"
    jobs: int | None = Field(None, ge=1)
    task_limit: float | None = Field(None, gt=0)

    benchmark: str | None = None
    margin: float = Field(MARGIN, gt=0, lt=100)
    require: list[str] = []
    audit: bool = False
    placebo: int = Field(0, ge=0)

    @property
    def plan(self) -> Plan:
        """How the folds are laid out."""
        return Plan(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Plan)})

    @property
    def reading(self) -> Settings:
        """The options of `read_panel`."""
        given = {name: getattr(self, name) for name in READING}
        return {name: value for name, value in given.items() if value != RunConfig.model_fields[name].default}

    @property
    def how(self) -> How:
        """Where tasks run."""
        return How(executor=self.executor, jobs=self.jobs, task_limit=self.task_limit)

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
    settings["models"] = model_settings(settings.get("models"))
    checked: RunConfig = _checked(RunConfig, settings, where)
    return checked


def model_settings(models: Any) -> dict[str, Settings]:
    """Name -> settings, from `"lstm,naive"`, `["lstm", "naive"]` or `{lstm: {hidden_size: 64}, big: {model: lstm}}`.

    None means the default models.
    """
    if models is None:
        models = DEFAULT_MODELS
    if isinstance(models, str):
        models = [part.strip() for part in models.split(",") if part.strip()]
    if not isinstance(models, Mapping | list | tuple):
        raise ConfigError(f"models: {models!r} is no list of models; write for example [lstm, naive]")
    if isinstance(models, Mapping):
        pairs = list(models.items())
    elif wrong := [name for name in models if not isinstance(name, str)]:
        raise ConfigError(
            f"models: {wrong[0]!r} in a list is no name; give models with settings as 'lstm: {{...}}', without a dash"
        )
    else:
        pairs = [(name, None) for name in models]
    found: dict[str, Settings] = {}
    for name, own in pairs:
        own = {"model": own} if isinstance(own, str) else {} if own is None else own
        if not isinstance(own, Mapping):
            raise ConfigError(f"models.{name}={own!r}: expected settings such as {{hidden_size: 64}}")
        name = str(name) if "model" in own else canonical(str(name))
        if name in found:
            raise ConfigError(
                f"models: '{name}' is named twice; give variants names of their own: {{a: {{model: {name}}}}}"
            )
        found[name] = dict(own)
    return found


def selected(names: str, written: Any) -> dict[str, Settings]:
    """The models `"lstm,mine"`, each with the settings that a file has under that name; `written` is its `models`."""
    known, found = model_settings(written), dict[str, Settings]()
    for name in (part.strip() for part in names.split(",") if part.strip()):
        key = name if name in known else canonical(name)
        if key in found:
            raise ConfigError(f"models: '{key}' is named twice")
        found[key] = known.get(key, {})
    return found


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
        nested: Any = fields[key].default_factory
        if isinstance(value, Mapping) and isinstance(nested, type) and dataclasses.is_dataclass(nested):
            settings = settings | {key: _recipe(nested, dict(value), f"{where}.{key}")}
    return _checked(recipe_class, settings, where)


def _checked(schema: type[Any], settings: Settings, where: str) -> Any:
    """An instance of a dataclass or pydantic model whose fields have the types they are declared with."""
    try:
        made = TypeAdapter(schema).validate_python(settings)
    except ValidationError as error:
        raise ConfigError(_words(error, where)) from None
    for key, value in settings.items():
        number = getattr(made, key)
        # pydantic reads true as 1 and "inf" as a number
        if type(number) in (int, float) and (isinstance(value, bool) or not math.isfinite(number)):
            raise ConfigError(f"{where}: {key}={value!r}: expected a finite number")
    return made


def set_value(settings: Settings, key: str, value: Any) -> Settings:
    """The settings with `--set key=value` applied: `horizon=3`, `lstm.hidden_size=64`, `lstm.training.max_steps=100`.

    The first part of a dotted key is a model of the run.
    """
    head, _, rest = key.partition(".")
    if not rest:
        if key not in RunConfig.model_fields:
            hint = did_you_mean(key, RunConfig.model_fields)
            if key in model_settings(settings.get("models")):
                hint = f"; for a setting of that model write {key}.NAME=VALUE"
            raise ConfigError(f"--set {key}: unknown key '{key}'{hint}")
        return settings | {key: value}
    models = model_settings(settings.get("models"))
    name = head if head in models else canonical(head)
    if name not in models:
        raise ConfigError(f"--set {key}: the run has no model '{head}'{did_you_mean(head, models)}")
    return settings | {"models": models | {name: _with(models[name], rest.split("."), value, key)}}


def _with(settings: Settings, path: Sequence[str], value: Any, key: str) -> Settings:
    first, *deeper = path
    if not deeper:
        return settings | {first: value}
    inner = settings.get(first) or {}
    if not isinstance(inner, Mapping):
        raise ConfigError(f"--set {key}: '{first}' has no settings of its own; its value is {inner!r}")
    return settings | {first: _with(dict(inner), deeper, value, key)}


def resolved(config: RunConfig, recipes: Mapping[str, Forecaster], plan: Plan) -> Settings:
    """Everything that was settled, as a config that gives the same run again.

    What a model has from the run (seed, quantiles, device) stands there once, so that a flag can still change it.
    """
    settings = config.model_dump()
    settings |= {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}
    files = [config.data] if isinstance(config.data, str) else config.data
    places = [str(Path(file).resolve()) if Path(file).exists() else file for file in files]
    settings["data"] = places[0] if isinstance(config.data, str) else places
    settings["models"] = {}
    for name, recipe in recipes.items():
        own = _plain(dataclasses.asdict(recipe))  # type: ignore[call-overload]
        for branch, key in ((own, "seed"), (own, "quantiles"), (own.get("training", {}), "device")):
            if key in branch and branch[key] == settings[key]:
                del branch[key]
        settings["models"][name] = ({"model": recipe.name} if recipe.name != name else {}) | own
    return settings


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _words(error: ValidationError, where: str) -> str:
    first, *more = error.errors()
    inside = [str(part) for part in first["loc"] if part not in ("str", "int", "bool") and "[" not in str(part)]
    place = ".".join(inside)
    if first["type"] == "missing":
        return f"{where}: '{place}' is missing"
    others = {e["loc"][0] for e in more} - {first["loc"][0]}
    also = f" (and {listing(sorted(map(str, others)))})" if others else ""
    return f"{where}: {place}={first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}{also}"
