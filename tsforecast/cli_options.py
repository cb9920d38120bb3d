"""The options that several commands share, each spelled once. An option has the name of its key in a config file."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsforecast.errors import ConfigError

if TYPE_CHECKING:
    from tsforecast.config import RunConfig

__all__ = ["OUTPUT", "RUN", "VERDICT", "WORKING", "Require", "settings_from"]

DATA = partial(typer.Option, rich_help_panel="Data")
FOLDS = partial(typer.Option, rich_help_panel="Folds")
MODELS = partial(typer.Option, rich_help_panel="Models")
TRUST = partial(typer.Option, rich_help_panel="Verdict")
WORK = partial(typer.Option, rich_help_panel="Work")
OUTPUT = partial(typer.Option, rich_help_panel="Output")

Require = Annotated[
    list[str] | None,
    TRUST("--require", metavar="CLAIM", help="Exit with 6 unless the verdict says so: 'lstm better than autoarima'."),
]

RUN: dict[str, Any] = {
    "data": Annotated[
        list[str] | None,
        typer.Argument(help="CSV or parquet file(s), or the name of a bundled dataset.", show_default=False),
    ],
    "config": Annotated[Path | None, typer.Option(help="YAML file with these settings; flags win over it.")],
    "set_": Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as lstm.hidden_size=64.")
    ],
    "time": Annotated[str | None, DATA(help="Column of the times.")],
    "target": Annotated[str | None, DATA(help="Column to forecast.")],
    "id": Annotated[str | None, DATA(help="Column that names the series; several by commas.")],
    "freq": Annotated[str | None, DATA(help="h, 30min, D, B, W, MS, ... or 'bars' (position is time).")],
    "season_length": Annotated[int | None, DATA(help="Steps in a season.")],
    "missing": Annotated[str | None, DATA(help="Gaps and blanks: error, nan (mask them), ffill, drop.")],
    "layout": Annotated[str | None, DATA(help="auto, long, wide, rows.")],
    "hist_exog": Annotated[str | None, DATA(help="Columns known up to the cutoff, by commas.")],
    "futr_exog": Annotated[str | None, DATA(help="Columns known ahead, by commas.")],
    "calendar": Annotated[str | None, DATA(help="Built-in features known ahead: hour,weekday,month.")],
    "date_format": Annotated[
        str | None, DATA(help="Such as %d/%m/%Y; s, ms, us or ns since 1970; years (1949.0833 is 1949-02).")
    ],
    "na_values": Annotated[str | None, DATA(help="Cells that mean missing, by commas.")],
    "decimal": Annotated[str | None, DATA(help="Decimal mark: . or ,")],
    "sep": Annotated[str | None, DATA(help="Delimiter of cells; default the most frequent of , ; | and tab.")],
    "encoding": Annotated[str | None, DATA(help="Of text; default utf-8.")],
    "horizon": Annotated[int | None, FOLDS(help="Steps to forecast.")],
    "n_windows": Annotated[int | None, FOLDS(help="Number of cutoffs.")],
    "step_size": Annotated[int | None, FOLDS(help="Steps between cutoffs.")],
    "gap": Annotated[int | None, FOLDS(help="Steps left out after a cutoff.")],
    "refit": Annotated[str | None, FOLDS(help="false, true, or every how many windows.")],
    "train_size": Annotated[int | None, FOLDS(help="Sliding window of this many steps.")],
    "align": Annotated[str | None, FOLDS(help="calendar, or end.")],
    "models": Annotated[str | None, MODELS(help="Such as lstm,autoarima,naive.")],
    "seed": Annotated[int | None, MODELS(help="Seed of the networks.")],
    "device": Annotated[str | None, MODELS(help="auto, cpu, cuda, mps.")],
}
"""Data, folds and models: name -> type and words."""

VERDICT: dict[str, Any] = {
    "benchmark": Annotated[
        str | None, TRUST(help="Model that the others are compared with; default the best baseline.")
    ],
    "margin": Annotated[float | None, TRUST(metavar="PERCENT", help="A difference below it is not worth having.")],
    "require": Require,
    "audit": Annotated[bool | None, TRUST("--audit/--no-audit", help="First prove that no model looks ahead.")],
    "placebo": Annotated[
        int | None, TRUST(metavar="K", help="Repeat on K surrogates of the data, where nobody can be better.")
    ],
}
"""What makes a backtest's answer trustworthy."""

WORKING: dict[str, Any] = {
    "executor": Annotated[str | None, WORK(help="auto, serial, processes, dask, or dask://host:port.")],
    "jobs": Annotated[int | None, WORK(min=1, help="Worker processes; default one per core.")],
    "threads": Annotated[int | None, WORK(min=1, help="Threads of each task; another number gives other last digits.")],
    "task_limit": Annotated[
        float | None, WORK(metavar="SECONDS", help="Give up what takes longer: a series, or a network.")
    ],
}
"""Where and how tasks are run."""

BY_COMMAS = ("hist_exog", "futr_exog", "calendar", "na_values")


def settings_from(*groups: dict[str, Any], **usual: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these groups; it gets what they and the config file say as its first argument.

    Its other parameters are options of its own.

    usual  settings of the command where neither options nor file say otherwise
    """
    shared = {name: kind for group in groups for name, kind in group.items()}

    def with_settings(command: Callable[..., None]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            options = {name: given.pop(name) for name in shared}
            command(_settings(usual, **options), **given)

        own = list(inspect.signature(command).parameters.values())[1:]
        kind = inspect.Parameter.KEYWORD_ONLY
        options = [inspect.Parameter(name, kind, default=None, annotation=hint) for name, hint in shared.items()]
        run.__signature__ = inspect.Signature([*options, *(p.replace(kind=kind) for p in own)])  # type: ignore[attr-defined]
        run.__annotations__ = shared | {p.name: p.annotation for p in own}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return with_settings


def _settings(
    usual: dict[str, Any], data: list[str] | None, config: Path | None, set_: list[str] | None, **flags: Any
) -> RunConfig:
    """Defaults < config file < flags < --set."""
    from tsforecast.config import run_config, selected, set_value
    from tsforecast.yaml_files import load_yaml, parse_scalar

    given = {key: value for key, value in flags.items() if value not in (None, [], ())}
    given |= {key: split_names(given[key]) for key in BY_COMMAS if key in given}
    if data:
        given["data"] = data[0] if len(data) == 1 else list(data)
    if "refit" in given:
        given["refit"] = parse_scalar(given["refit"])
    written = load_yaml(config) if config is not None else {}
    if "models" in given and written.get("models") is not None:
        given["models"] = selected(given["models"], written["models"])
    settings: dict[str, Any] = usual | written | given
    for pair in set_ or []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair}: write KEY=VALUE, such as lstm.hidden_size=64")
        settings = set_value(settings, key.strip(), parse_scalar(value))
    if settings.get("data") is None:
        raise ConfigError("no data: name a CSV or parquet file, or a bundled dataset (tsforecast datasets lists them)")
    return run_config(settings, str(config) if config is not None else "settings")


def split_names(text: str) -> list[str]:
    """`a, b` -> `["a", "b"]`."""
    return [part.strip() for part in text.split(",") if part.strip()]
