"""Commands on a run folder: how far it is, and whether its numbers are reproduced."""
# Without `from __future__ import annotations`: typer needs the types of the options themselves.

import json
from pathlib import Path
from typing import Annotated

import typer

from tsforecast.cli_exit import UNMET, complain

__all__ = ["status", "verify"]

Run = Annotated[Path, typer.Argument(help="Run folder.")]


def status(run: Run, as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """Say how far a run is, which models failed, and how to go on."""
    from tsforecast.running.status import status_of
    from tsforecast.terminal import show_status

    found = status_of(run)
    if as_json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        show_status(found)


def verify(
    run: Run,
    seed: Annotated[int | None, typer.Option(help="Which task; default a random one.")] = None,
) -> None:
    """Compute one finished task of a run again and compare the bytes."""
    from tsforecast.backtesting import make_job
    from tsforecast.config import run_config
    from tsforecast.running.verify import verify_task
    from tsforecast.store import config_of
    from tsforecast.study import open_study, run_facts
    from tsforecast.yaml_files import load_yaml

    path = config_of(run)
    config = run_config(load_yaml(path), str(path))
    study = open_study(config.data, config.recipes, config.plan, reading=config.reading, calendar=config.calendar)
    job = make_job(study.panel, study.recipes, study.plan, config.threads)
    found = verify_task(run, job, run_facts(study.name, study.recipes)["device"], seed)
    print(found.sentence)
    if not found.same:
        complain("a task gave other bytes than before: is this the machine that made the run?")
        raise typer.Exit(UNMET)
