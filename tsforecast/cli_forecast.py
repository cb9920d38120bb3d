"""The command that forecasts what is still to come."""
# Without `from __future__ import annotations`: typer and `settings_from` need the types of the options themselves.

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsforecast.cli_exit import FAILURES, complain_of_failures
from tsforecast.cli_options import OUTPUT, RUN, WORKING, settings_from, split_names
from tsforecast.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from tsforecast.config import RunConfig
    from tsforecast.forecasting import Forecasts

__all__ = ["forecast"]

_LEFT_OUT = ("n_windows", "step_size", "gap", "refit", "align")
SETTINGS: dict[str, Any] = {name: kind for name, kind in RUN.items() if name not in _LEFT_OUT}
TABLES, PICTURES = (".csv", ".parquet"), (".png",)


@settings_from(SETTINGS, WORKING, models="lstm")
def forecast(
    run: "RunConfig",
    future: Annotated[
        str | None, OUTPUT(metavar="FILE", help="Rows with the --futr-exog columns of the steps to forecast.")
    ] = None,
    level: Annotated[str, OUTPUT(help="Intervals, in percent, by commas.")] = "80,95",
    out: Annotated[Path | None, OUTPUT(help="File to write, .csv or .parquet; default CSV on the screen.")] = None,
    plot: Annotated[Path | None, OUTPUT(metavar="FILE", help="Draw the first six series as PNG.")] = None,
    overwrite: Annotated[bool, OUTPUT("--overwrite", help="Replace the files.")] = False,
    quiet: Annotated[bool, OUTPUT("--quiet", "-q", help="Print nothing but errors, and the CSV.")] = False,
    as_json: Annotated[bool, OUTPUT("--json", help="Print forecasts, failures and notes as JSON.")] = False,
) -> None:
    """Learn from all of the data and forecast the steps after it."""
    from tsforecast.contract import level_quantiles
    from tsforecast.folds import Onward
    from tsforecast.forecasting import run_forecast
    from tsforecast.reading.known_ahead import read_known
    from tsforecast.study import open_study
    from tsforecast.terminal import progress_bar

    percents = [_percent(text) for text in split_names(level)]
    for name, path, endings in (("--out", out, TABLES), ("--plot", plot, PICTURES)):
        _check_file(name, path, endings, overwrite)
    ends = {q for percent in percents for q in level_quantiles(percent)}
    run = run.model_copy(update={"quantiles": sorted({*run.quantiles, *ends})})
    plan = Onward(horizon=run.horizon, train_size=run.train_size)
    study = open_study(run.data, run.recipes, plan, reading=run.reading, calendar=run.calendar)
    for name, recipe in study.recipes.items():
        if lacking := ends - set(getattr(recipe, "quantiles", ends)):
            raise ConfigError(f"--level {level}: {name} has quantiles of its own, and {min(lacking)} is not among them")
    steps, panel = study.plan.horizon or 1, study.panel
    known = None if future is None else read_known(future, panel, steps, **run.reading)
    aside = sys.stderr if out is None else sys.stdout  # the table may be piped on
    silent = quiet or as_json
    if not silent:
        print(f"{study.name}: {len(panel)} series, {int(panel.lengths.sum()):,} steps", file=aside)
        for note in panel.notes:
            print(f"  {note}", file=aside)
    with progress_bar(silent) as on_progress:
        found = run_forecast(
            panel, study.recipes, plan, known, threads=run.threads, how=run.how, on_progress=on_progress
        )
    if not silent:
        for remark in found.remarks:
            print(f"  {remark}", file=aside)
    _write(found, percents, out, plot, as_json)
    if out is not None and not silent:
        print(f"{out}: {steps} steps of {len(panel)} series by {', '.join(found.models)}")
    if plot is not None and not silent:
        print(f"Plot: {plot}", file=aside)
    if len(found.failures):
        complain_of_failures(found.failures, len(panel) * len(found.models))
        raise typer.Exit(FAILURES)


def _percent(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 100:
        raise ConfigError(f"--level {text}: give whole percentages between 1 and 99, such as 80,95")
    return int(text)


def _check_file(name: str, path: Path | None, endings: tuple[str, ...], overwrite: bool) -> None:
    """ConfigError, before any work, where a file cannot be written."""
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise ConfigError(f"{name} {path}: give a name that ends in {' or '.join(endings)}")
    if not path.parent.is_dir():
        raise ConfigError(f"{name} {path}: there is no folder '{path.parent}'")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{name} {path}: nothing can be written in '{path.parent}'; name another folder")
    if path.is_dir() or (path.exists() and not overwrite):
        raise ConfigError(f"{name} {path}: is there already; name another file, or add --overwrite")


def _write(found: "Forecasts", percents: list[int], out: Path | None, plot: Path | None, as_json: bool) -> None:
    """The table to the file, or to the screen; the picture; each file as a whole or not at all."""
    from tsforecast.running.durable import write_whole

    table = found.to_frame(percents)
    if as_json:
        tables = {"forecasts": table, "failures": found.failures, "notes": found.notes}
        print(json.dumps({name: _records(frame) for name, frame in tables.items()}, allow_nan=False))
    elif out is None:
        print(table.to_csv(index=False), end="")
    if out is not None:
        text = out.suffix.lower() == ".csv"
        write_whole(out, table.to_csv(index=False).encode() if text else table.to_parquet(index=False))
    if plot is not None:
        from tsforecast.reporting.ahead_plots import plot_ahead

        write_whole(plot, plot_ahead(found).png())


def _records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Rows as JSON has them: times in words, no number where there is none."""
    rows = frame.assign(ds=frame["ds"].astype(str)) if "ds" in frame else frame
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return [{str(key): value for key, value in record.items()} for record in records]
