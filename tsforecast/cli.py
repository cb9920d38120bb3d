"""The command line: argv to calls, exit codes, printing. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsforecast import __version__
from tsforecast.errors import ConfigError, TsforecastError

if TYPE_CHECKING:
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
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


DATA = "Data"
FOLDS = "Folds"
MODELS = "Models"
OUTPUT = "Output"


@app.command()
def backtest(
    data: Annotated[
        list[str] | None,
        typer.Argument(help="CSV or parquet file(s), or the name of a bundled dataset.", show_default=False),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with these settings; flags win over it.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as lstm.hidden_size=64.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of the times.", rich_help_panel=DATA)] = None,
    target: Annotated[str | None, typer.Option(help="Column to forecast.", rich_help_panel=DATA)] = None,
    id: Annotated[str | None, typer.Option(help="Column that names the series.", rich_help_panel=DATA)] = None,
    freq: Annotated[
        str | None, typer.Option(help="h, 30min, D, B, W, MS, ... or 'bars' (position is time).", rich_help_panel=DATA)
    ] = None,
    season_length: Annotated[int | None, typer.Option(help="Steps in a season.", rich_help_panel=DATA)] = None,
    missing: Annotated[
        str | None, typer.Option(help="Gaps and blanks: error, nan (mask them), ffill, drop.", rich_help_panel=DATA)
    ] = None,
    layout: Annotated[str | None, typer.Option(help="auto, long, wide, rows.", rich_help_panel=DATA)] = None,
    hist_exog: Annotated[
        str | None, typer.Option(help="Columns known up to the cutoff, by commas.", rich_help_panel=DATA)
    ] = None,
    futr_exog: Annotated[str | None, typer.Option(help="Columns known ahead, by commas.", rich_help_panel=DATA)] = None,
    calendar: Annotated[
        str | None, typer.Option(help="Built-in features known ahead: hour,weekday,month.", rich_help_panel=DATA)
    ] = None,
    date_format: Annotated[str | None, typer.Option(help="Such as %d/%m/%Y.", rich_help_panel=DATA)] = None,
    na_values: Annotated[str | None, typer.Option(help="Cells that mean missing, by commas.", rich_help_panel=DATA)] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast.", rich_help_panel=FOLDS)] = None,
    n_windows: Annotated[int | None, typer.Option(help="Number of cutoffs.", rich_help_panel=FOLDS)] = None,
    step_size: Annotated[int | None, typer.Option(help="Steps between cutoffs.", rich_help_panel=FOLDS)] = None,
    gap: Annotated[int | None, typer.Option(help="Steps left out after a cutoff.", rich_help_panel=FOLDS)] = None,
    refit: Annotated[
        str | None, typer.Option(help="false, true, or every how many windows.", rich_help_panel=FOLDS)
    ] = None,
    train_size: Annotated[
        int | None, typer.Option(help="Sliding window of this many steps.", rich_help_panel=FOLDS)
    ] = None,
    align: Annotated[str | None, typer.Option(help="calendar, or end.", rich_help_panel=FOLDS)] = None,
    models: Annotated[str | None, typer.Option(help="Such as lstm,autoarima,naive.", rich_help_panel=MODELS)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the networks.", rich_help_panel=MODELS)] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps.", rich_help_panel=MODELS)] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/NAME-TIME.", rich_help_panel=OUTPUT)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.", rich_help_panel=OUTPUT)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=OUTPUT)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Compare models on the same folds and write a report."""
    from tsforecast.config import run_config, set_value
    from tsforecast.yaml_files import load_yaml, parse_scalar

    settings: dict[str, Any] = load_yaml(config) if config is not None else {}
    flags: dict[str, Any] = {
        "data": data if data is None or len(data) > 1 else data[0] if data else None,
        "time": time,
        "target": target,
        "id": id,
        "freq": freq,
        "season_length": season_length,
        "missing": missing,
        "layout": layout,
        "hist_exog": _names(hist_exog),
        "futr_exog": _names(futr_exog),
        "calendar": _names(calendar),
        "date_format": date_format,
        "na_values": _names(na_values),
        "horizon": horizon,
        "n_windows": n_windows,
        "step_size": step_size,
        "gap": gap,
        "refit": parse_scalar(refit) if refit is not None else None,
        "train_size": train_size,
        "align": align,
        "models": models,
        "seed": seed,
        "device": device,
    }
    settings |= {key: value for key, value in flags.items() if value not in (None, [])}
    for pair in set_ or []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair}: write KEY=VALUE, such as lstm.hidden_size=64")
        settings = set_value(settings, key.strip(), parse_scalar(value))
    if "data" not in settings:
        raise ConfigError("no data: name a CSV or parquet file, or a bundled dataset (tsforecast datasets lists them)")
    run = run_config(settings, str(config) if config is not None else "settings")
    _run(run, out, overwrite, quiet, as_json)


def _run(run: Any, out: Path | None, overwrite: bool, quiet: bool, as_json: bool) -> None:
    from tsforecast.api import run_facts
    from tsforecast.backtesting import run_backtest
    from tsforecast.config import resolved
    from tsforecast.readers import read_panel
    from tsforecast.store import check_free, write_run

    source = run.data if isinstance(run.data, str) else run.data[0]
    folder = out or Path("runs") / f"{Path(source).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    check_free(folder, overwrite)
    recipes, plan = run.recipes, run.plan
    panel = read_panel(run.data, **run.reading).with_calendar(run.calendar)
    plan = plan.settle(panel)
    say = _printer(quiet or as_json)
    say(f"{source}: {len(panel)} series, {int(panel.lengths.sum())} steps; " + "; ".join(panel.notes[:4]))
    say(f"{plan.n_windows} windows of {plan.horizon} steps, {plan.step_size} apart; models: {', '.join(recipes)}")
    with _bar(quiet or as_json) as on_progress:
        facts = run_facts(source if isinstance(run.data, str) else ", ".join(run.data), recipes)
        result = run_backtest(panel, recipes, plan, facts=facts, on_progress=on_progress)
    report = write_run(result, resolved(run, recipes, plan), folder, overwrite)
    _tell(result, report, quiet, as_json)


def _tell(result: BacktestResult, report: Path, quiet: bool, as_json: bool) -> None:
    from tsforecast.report import report_data

    if as_json:
        print(json.dumps(report_data(result) | {"report": str(report)}, ensure_ascii=False, allow_nan=False))
    elif not quiet:
        _summary(result)
        print(f"Report: {report}")
    if len(result.failures):
        first = result.failures.iloc[0]
        print(
            f"tsforecast: {len(result.failures)} of {len(result.forecasts.groupby(['model', 'fold', 'unique_id']))} "
            f"forecasts failed, first {first['model']} on series '{first['unique_id']}': {first['reason']}",
            file=sys.stderr,
        )
        raise typer.Exit(FAILURES)


def _summary(result: BacktestResult) -> None:
    """The answer in one sentence and the table of models."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tsforecast.scores import best_baseline

    scores = result.scores().sort_values("mase", na_position="last")
    compared = {c.model: c for c in result.comparisons()}
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("model", "MASE", "MAE", "sMAPE", "WQL", "cover 80%", f"against {best_baseline(result)}", "", "seconds"):
        table.add_column(Text(title), justify="left" if title in ("model", "") else "right")
    seconds = result.tasks.groupby("model")[["fit_seconds", "predict_seconds"]].sum().sum(axis=1)
    for _, row in scores.iterrows():
        c = compared.get(row["model"])
        effect = f"{c.effect_percent:+.1f} %" if c is not None and c.effect_percent == c.effect_percent else ""
        cells = [
            row["model"],
            f"{row['mase']:.3f}",
            f"{row['mae']:.4g}",
            f"{row['smape']:.2f}",
            f"{row['wql']:.4f}",
            f"{100 * row['coverage_80']:.0f} %" if "coverage_80" in row else "",
            effect,
            c.word if c is not None else "",
            f"{seconds[row['model']]:.1f}",
        ]
        table.add_row(*(Text(cell) for cell in cells))
    console.print()
    console.print(table)
    console.print()


@app.command()
def datasets(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the datasets that come with the package."""
    import dataclasses

    from tsforecast.datasets import list_datasets

    found = list_datasets()
    if as_json:
        print(json.dumps([dataclasses.asdict(info) for info in found], ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "content", "series", "rows", "frequency", "licence"):
        table.add_column(title, justify="right" if title in ("series", "rows") else "left")
    for info in found:
        table.add_row(info.name, info.title, str(info.series), str(info.rows), info.frequency, info.licence)
    Console().print(table)


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


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _printer(silent: bool) -> Callable[[str], None]:
    return (lambda text: None) if silent else print


@contextmanager
def _bar(silent: bool) -> Iterator[Callable[[float, str], None] | None]:
    """A progress bar with the time left, on a terminal's stderr."""
    if silent or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda share, name: bar.update(task, completed=share, description=name)


def main(argv: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    try:
        code = app(argv, standalone_mode=False) or DONE
    except TsforecastError as error:
        print(f"tsforecast: {error}", file=sys.stderr)
        code = USAGE
    except typer.Exit as stop:
        code = stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("tsforecast: interrupted; nothing was written", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; so may we
        code = DONE
    except OSError as error:
        print(f"tsforecast: {error.filename or 'writing'}: {error.strerror or error}; nothing was written", file=sys.stderr)
        code = RESOURCES if error.errno in (errno.ENOSPC, errno.ENOMEM, errno.EDQUOT) else USAGE
    except Exception as error:
        code = _usage_or_bug(error)
    sys.exit(code)


def _usage_or_bug(error: Exception) -> int:
    """Typer's usage errors carry their own words and code 2; anything else is a bug of ours."""
    show = getattr(error, "show", None)
    if show is not None:
        show()
        return USAGE
    traceback.print_exc()
    print("tsforecast: this is a bug in tsforecast; please report it with the lines above", file=sys.stderr)
    return BUG


if __name__ == "__main__":
    main()
