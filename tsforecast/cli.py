"""The command line: argv to calls, exit codes, printing. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import traceback
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsforecast import __version__
from tsforecast.errors import ConfigError, TsforecastError

if TYPE_CHECKING:
    from tsforecast.config import RunConfig
    from tsforecast.results import BacktestResult

__all__ = ["main"]

DONE, BUG, USAGE, FAILURES, RESOURCES, INTERRUPTED = 0, 1, 2, 3, 4, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Does an LSTM really forecast this better than ARIMA, by how much, and may I trust that answer?",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tsforecast {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


DATA = partial(typer.Option, rich_help_panel="Data")
FOLDS = partial(typer.Option, rich_help_panel="Folds")
MODELS = partial(typer.Option, rich_help_panel="Models")
OUTPUT = partial(typer.Option, rich_help_panel="Output")


@app.command()
def backtest(
    ctx: typer.Context,
    data: Annotated[
        list[str] | None,
        typer.Argument(help="CSV or parquet file(s), or the name of a bundled dataset.", show_default=False),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with these settings; flags win over it.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as lstm.hidden_size=64.")
    ] = None,
    time: Annotated[str | None, DATA(help="Column of the times.")] = None,
    target: Annotated[str | None, DATA(help="Column to forecast.")] = None,
    id: Annotated[str | None, DATA(help="Column that names the series.")] = None,
    freq: Annotated[str | None, DATA(help="h, 30min, D, B, W, MS, ... or 'bars' (position is time).")] = None,
    season_length: Annotated[int | None, DATA(help="Steps in a season.")] = None,
    missing: Annotated[str | None, DATA(help="Gaps and blanks: error, nan (mask them), ffill, drop.")] = None,
    layout: Annotated[str | None, DATA(help="auto, long, wide, rows.")] = None,
    hist_exog: Annotated[str | None, DATA(help="Columns known up to the cutoff, by commas.")] = None,
    futr_exog: Annotated[str | None, DATA(help="Columns known ahead, by commas.")] = None,
    calendar: Annotated[str | None, DATA(help="Built-in features known ahead: hour,weekday,month.")] = None,
    date_format: Annotated[str | None, DATA(help="Such as %d/%m/%Y.")] = None,
    na_values: Annotated[str | None, DATA(help="Cells that mean missing, by commas.")] = None,
    horizon: Annotated[int | None, FOLDS(help="Steps to forecast.")] = None,
    n_windows: Annotated[int | None, FOLDS(help="Number of cutoffs.")] = None,
    step_size: Annotated[int | None, FOLDS(help="Steps between cutoffs.")] = None,
    gap: Annotated[int | None, FOLDS(help="Steps left out after a cutoff.")] = None,
    refit: Annotated[str | None, FOLDS(help="false, true, or every how many windows.")] = None,
    train_size: Annotated[int | None, FOLDS(help="Sliding window of this many steps.")] = None,
    align: Annotated[str | None, FOLDS(help="calendar, or end.")] = None,
    models: Annotated[str | None, MODELS(help="Such as lstm,autoarima,naive.")] = None,
    seed: Annotated[int | None, MODELS(help="Seed of the networks.")] = None,
    device: Annotated[str | None, MODELS(help="auto, cpu, cuda, mps.")] = None,
    out: Annotated[Path | None, OUTPUT(help="Run folder; default runs/NAME-TIME.")] = None,
    overwrite: Annotated[bool, OUTPUT("--overwrite", help="Replace the run in --out.")] = False,
    quiet: Annotated[bool, OUTPUT("--quiet", "-q", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, OUTPUT("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Compare models on the same folds and write a report."""
    from tsforecast.config import RunConfig, run_config, set_value
    from tsforecast.yaml_files import load_yaml, parse_scalar

    # a flag has the name of its key, so the flags that were given are the settings that they name
    flags = {key: ctx.params[key] for key in RunConfig.model_fields if ctx.params.get(key) not in (None, ())}
    flags |= {key: _names(flags[key]) for key in ("hist_exog", "futr_exog", "calendar", "na_values") if key in flags}
    if data and len(data) == 1:
        flags["data"] = data[0]
    if refit is not None:
        flags["refit"] = parse_scalar(refit)
    settings: dict[str, Any] = (load_yaml(config) if config is not None else {}) | flags
    for pair in set_ or []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair}: write KEY=VALUE, such as lstm.hidden_size=64")
        settings = set_value(settings, key.strip(), parse_scalar(value))
    if settings.get("data") is None:
        raise ConfigError("no data: name a CSV or parquet file, or a bundled dataset (tsforecast datasets lists them)")
    run = run_config(settings, str(config) if config is not None else "settings")
    _run(run, out, overwrite, quiet, as_json)


def _run(run: RunConfig, out: Path | None, overwrite: bool, quiet: bool, as_json: bool) -> None:
    from tsforecast.api import data_name, run_facts
    from tsforecast.backtesting import run_backtest
    from tsforecast.config import resolved
    from tsforecast.reading.readers import read_panel
    from tsforecast.store import check_free, write_run
    from tsforecast.terminal import progress_bar

    name = data_name(run.data)
    folder = out or Path("runs") / f"{Path(name.split(', ')[0]).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    check_free(folder, overwrite)
    recipes = run.recipes
    panel = read_panel(run.data, **run.reading).with_calendar(run.calendar)
    plan = run.plan.settle(panel)
    silent = quiet or as_json
    if not silent:
        print(f"{name}: {len(panel)} series, {int(panel.lengths.sum()):,} steps")
        for note in panel.notes:
            print(f"  {note}")
        print(f"{plan.n_windows} origins, {plan.step_size} steps apart; {plan.horizon} steps to forecast at each")
    with progress_bar(silent) as on_progress:
        result = run_backtest(panel, recipes, plan, facts=run_facts(name, recipes), on_progress=on_progress)
    report = write_run(result, resolved(run, recipes, plan), folder, overwrite)
    _tell(result, report, quiet, as_json)


def _tell(result: BacktestResult, report: Path, quiet: bool, as_json: bool) -> None:
    from tsforecast.reporting.report import report_data
    from tsforecast.terminal import show_summary

    if as_json:
        print(json.dumps(report_data(result) | {"report": str(report)}, allow_nan=False))
    elif not quiet:
        show_summary(result)
        print(f"Report: {report}")
    if len(result.failures):
        first = result.failures.iloc[0]
        tasks = len(result.pasts) * len(result.models)
        _complain(
            f"{len(result.failures)} of {tasks} forecasts failed, "
            f"first {first['model']} on series '{first['unique_id']}': {first['reason']}"
        )
        raise typer.Exit(FAILURES)


@app.command()
def datasets(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the datasets that come with the package."""
    import dataclasses

    from tsforecast.datasets import list_datasets

    if as_json:
        print(json.dumps([dataclasses.asdict(info) for info in list_datasets()]))
        return
    from tsforecast.terminal import show_datasets

    show_datasets(list_datasets())


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; default RUN/report.html.")] = None,
    rows: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Print that model's last forecasts as id,F1,F2,... instead.")
    ] = None,
) -> None:
    """Write the report of a finished run again, or print its forecasts."""
    from tsforecast.results import BacktestResult

    result = BacktestResult.load(run)
    if rows is not None:
        print(result.to_rows(rows).to_csv(index=False), end="")
        return
    print(f"Report: {result.report(out or run / 'report.html')}")


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _complain(message: str) -> None:
    """One line on stderr. Names in it may come from data: none can move the cursor or hide."""
    shown = "".join(c if c.isprintable() else f"[U+{ord(c):04X}]" for c in message)
    print(f"tsforecast: {shown}", file=sys.stderr)


def main(argv: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot spell is no error
    try:
        code = app(argv, standalone_mode=False) or DONE
        sys.stdout.flush()
    except TsforecastError as error:
        _complain(str(error))
        code = USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; so may we
        code = DONE
    except OSError as error:
        _complain(f"{error.filename or 'writing'}: {error.strerror or error}; nothing was written")
        code = RESOURCES if error.errno in (errno.ENOSPC, errno.ENOMEM, errno.EDQUOT) else USAGE
    except MemoryError:
        _complain("out of memory; nothing was written")
        code = RESOURCES
    except SystemExit as left:  # so Lightning answers Ctrl-C in a training, and typer a reader that has gone
        codes = {"KeyboardInterrupt": INTERRUPTED, "BrokenPipeError": DONE}
        code = codes.get(type(left.__context__).__name__, BUG)
    except Exception as error:
        code = _usage_or_bug(error)
    if code == INTERRUPTED:
        _complain("interrupted; nothing was written")
    sys.exit(code)


def _usage_or_bug(error: Exception) -> int:
    """Typer's usage errors carry their own words and code 2; anything else is a bug of ours."""
    words = getattr(error, "format_message", None)
    if words is None:
        traceback.print_exc()
        _complain("this is a bug in tsforecast; please report it with the lines above")
        return BUG
    if words():  # there are none where help was printed instead
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "tsforecast"
        _complain(f"{' '.join(words().split())} (see {command} --help)")
    return USAGE


if __name__ == "__main__":
    main()
