"""The command line: argv to calls, and what is printed. Nothing heavy is imported before a command runs."""
# Without `from __future__ import annotations`: typer and `settings_from` need the types of the options themselves.

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsforecast import __version__
from tsforecast.cli_exit import FAILURES, LEAK, UNMET, Interrupted, complain, complain_of_failures, leave
from tsforecast.cli_forecast import forecast
from tsforecast.cli_ingest import ingest
from tsforecast.cli_options import OUTPUT, RUN, VERDICT, WORKING, Require, settings_from
from tsforecast.cli_runs import status, verify
from tsforecast.errors import ConfigError

if TYPE_CHECKING:
    from tsforecast.config import RunConfig
    from tsforecast.judging.verdict import Claim
    from tsforecast.results import BacktestResult
    from tsforecast.study import Study

__all__ = ["main"]

Quiet = Annotated[bool, OUTPUT("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, OUTPUT("--json", help="Print the answer as JSON.")]

# Arrow's usual allocator reserves a GiB of addresses when it is imported, and keeps memory that is free; jemalloc is in
# the Linux wheels
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc" if sys.platform == "linux" else "system")

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


@app.command()
@settings_from(RUN, VERDICT, WORKING)
def backtest(
    run: "RunConfig",
    out: Annotated[
        Path | None, OUTPUT(help="Run folder, default runs/NAME-TIME; a run that was stopped there goes on.")
    ] = None,
    overwrite: Annotated[bool, OUTPUT("--overwrite", help="Replace the run in --out.")] = False,
    fork: Annotated[
        Path | None, OUTPUT(help="Begin a new run here, with what can be taken over of the one in --out.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare models on the same folds and write a report."""
    from tsforecast.config import resolved
    from tsforecast.running.trouble import Stopped
    from tsforecast.store import REPORT, Place, check_free
    from tsforecast.study import check_benchmark, run_study
    from tsforecast.terminal import progress_bar

    check_benchmark(run.benchmark, run.models)
    claims = _claims(run.require, tuple(run.models))
    if fork is not None and out is None:
        raise ConfigError("--fork: name the run to take over from with --out")
    folder = fork or out or Path("runs") / f"{_stem(run)}-{datetime.now():%Y%m%d-%H%M%S}"
    check_free(folder, overwrite)
    how, silent = run.how, quiet or as_json
    study = _study(run, silent)
    settings = resolved(run, study.recipes, study.plan)
    place = Place(out=folder, overwrite=overwrite, fork=out if fork is not None else None, settings=settings)
    try:
        with progress_bar(silent) as on_progress:
            result = run_study(
                study,
                audit=run.audit,
                placebo=run.placebo,
                benchmark=run.benchmark,
                margin=run.margin,
                seed=run.seed,
                threads=run.threads,
                how=how,
                place=place,
                on_progress=on_progress,
            )
    except Stopped as stop:
        raise Interrupted(str(stop) or "nothing was written") from None
    if result.facts.get("resumed") and not silent:
        print(f"{folder}: this run is finished; nothing was left to compute")
    _tell(result, folder / REPORT, claims, quiet, as_json)


app.command()(forecast)


@app.command()
@settings_from(RUN)
def audit(
    run: "RunConfig",
    folds: Annotated[int, OUTPUT("--folds", min=1, help="Cutoffs after which the data are poisoned.")] = 3,
    full: Annotated[bool, OUTPUT("--full", help="Train networks as long as in a backtest.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Prove that no model looks ahead: poison the future, and demand the same bits of every forecast."""
    from tsforecast.study import audit_study
    from tsforecast.terminal import progress_bar, show_audit

    study = _study(run, quiet or as_json)
    with progress_bar(quiet or as_json) as on_progress:
        found = audit_study(study, n_folds=folds, full=full, on_progress=on_progress)
    if as_json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    elif not quiet:
        show_audit(found)
    if not found.passed:
        complain(found.sentence)
        raise typer.Exit(LEAK)


@app.command()
@settings_from(RUN)
def plan(run: "RunConfig", as_json: Json = False) -> None:
    """Say what a backtest could find and would cost, before it is run."""
    from tsforecast.study import plan_study
    from tsforecast.terminal import progress_bar, show_prospect

    study = _study(run, as_json)
    with progress_bar(as_json) as on_progress:
        prospect = plan_study(study, threads=run.threads, on_progress=on_progress)
    if as_json:
        print(json.dumps(prospect.to_dict(), allow_nan=False))
    else:
        show_prospect(prospect)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; default RUN/report.html.")] = None,
    rows: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Print that model's last forecasts as id,F1,F2,... instead.")
    ] = None,
    require: Require = None,
) -> None:
    """Write the report of a finished run again, or print its forecasts."""
    from tsforecast.results import BacktestResult

    result = BacktestResult.load(run)
    claims = _claims(require or [], result.models)
    if rows is not None:
        print(result.to_rows(rows).to_csv(index=False), end="")
    else:
        print(f"Report: {result.report(out or run / 'report.html')}")
    if codes := _complain_of(_check(claims, result)):
        raise typer.Exit(max(codes))


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


app.command()(status)
app.command()(verify)
app.command()(ingest)


def _stem(run: "RunConfig") -> str:
    """What the run folder is called after: the first file or the dataset, without its ending."""
    return Path(run.data if isinstance(run.data, str) else run.data[0]).stem


def _study(run: "RunConfig", silent: bool) -> "Study":
    """Read the data, settle the folds, and say what was read."""
    from tsforecast.reporting.words import counted
    from tsforecast.study import open_study

    study = open_study(run.data, run.recipes, run.plan, reading=run.reading, calendar=run.calendar)
    if not silent:
        panel, plan = study.panel, study.plan
        print(f"{study.name}: {len(panel)} series, {int(panel.lengths.sum()):,} steps")
        for note in panel.notes:
            print(f"  {note}")
        assert plan.n_windows is not None and plan.step_size is not None and plan.horizon is not None
        apart = f", {counted(plan.step_size, 'step')} apart" if plan.n_windows != 1 else ""
        print(f"{counted(plan.n_windows, 'origin')}{apart}; {counted(plan.horizon, 'step')} to forecast at each")
    return study


def _claims(texts: list[str], models: tuple[str, ...]) -> "dict[str, Claim]":
    """What --require asks for, checked before any work is done."""
    if not texts:
        return {}
    from tsforecast.judging.verdict import parse_claim

    claims = {text: parse_claim(text) for text in texts}
    for claim in claims.values():
        claim.check(models)
    return claims


def _check(claims: "dict[str, Claim]", result: "BacktestResult") -> "list[dict[str, Any]]":
    """What the verdict says to each claim, for JSON."""
    answers = {text: claim.holds(result) for text, claim in claims.items()}
    return [{"claim": text, "holds": holds, "sentence": sentence} for text, (holds, sentence) in answers.items()]


def _complain_of(checked: "list[dict[str, Any]]") -> list[int]:
    """A line for each claim that does not hold, and its exit code."""
    unmet = [c for c in checked if not c["holds"]]
    for c in unmet:
        complain(f"--require '{c['claim']}' does not hold: {c['sentence']}")
    return [UNMET] * len(unmet)


def _tell(result: "BacktestResult", report: Path, claims: "dict[str, Claim]", quiet: bool, as_json: bool) -> None:
    """Print the answer, then on stderr what is wrong with it; the gravest gives the exit code."""
    from tsforecast.reporting.report import report_data
    from tsforecast.terminal import show_summary

    checked = _check(claims, result)
    if as_json:
        print(json.dumps(report_data(result) | {"report": str(report), "require": checked}, allow_nan=False))
    elif not quiet:
        show_summary(result)
        print(f"Report: {report}")
    codes = []
    if len(result.failures):
        complain_of_failures(result.failures, len(result.table("pasts")) * len(result.models))
        codes.append(FAILURES)
    codes += _complain_of(checked)
    audit = result.facts.get("audit")
    if audit and not audit["passed"]:
        complain(audit["sentence"])
        codes.append(LEAK)
    if codes:
        raise typer.Exit(max(codes))


def main(argv: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(leave(app, argv))


if __name__ == "__main__":
    main()
