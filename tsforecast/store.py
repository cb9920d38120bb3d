"""The run folder as a whole: where a run may be made, what is in it when it is finished, and how it gets there.

While a run is made, finished tasks are kept in RUN/work (see `running.run_folder`). Tables, facts and reports appear
when all tasks are finished, and `facts.json` as the last of them: it is the mark of a finished run. With `overwrite` a
finished run stays as it is until the new one, made in a hidden folder beside it, takes its place.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsforecast.backtesting import Progress, facts_of
from tsforecast.errors import ConfigError, listing
from tsforecast.results import TABLES, BacktestResult
from tsforecast.running.durable import names_at, publish, sync_folder, write_whole
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.manifest import made_of
from tsforecast.running.parts import Receipt
from tsforecast.running.run_folder import WORK, RunFolder, command_to_go_on, has_work
from tsforecast.running.schedule import run_tasks
from tsforecast.running.sinks import write_tables
from tsforecast.running.tables import tables
from tsforecast.running.trouble import OutOfSpace, Stopped, spelled_out
from tsforecast.yaml_files import dump_yaml

Receipts = Mapping[Stretch, Receipt]
Once = Callable[[str, Callable[[], Any]], Any]

__all__ = ["Place", "check_free", "config_of", "run_kept"]

FACTS, CONFIG, REPORT = "facts.json", "config.yaml", "report.html"
FILES = {*(f"{name}.parquet" for name in TABLES), FACTS, CONFIG, REPORT, "report.md", "report.json"}
MARKS = (FACTS, "forecasts.parquet")  # a folder with these is a finished run


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run is kept.

    out        the run folder; a run that was begun there goes on
    overwrite  a finished run, or one of something else, is replaced
    fork       another run whose finished tasks are taken over where they are the same
    settings   written to the run as config.yaml
    """

    out: Path
    overwrite: bool = False
    fork: Path | None = None
    settings: Mapping[str, Any] | None = None

    @property
    def again(self) -> str:
        """The command that goes on with the run."""
        if self.settings is None:
            return "make the same call again"
        return command_to_go_on(self.config, self.out, overwrite=self.overwrite)

    @property
    def made(self) -> Path:
        """The folder that is worked in: beside a finished run that is to be replaced."""
        out = self.out.resolve()  # where `out` is a link, what it leads to is meant
        return out.with_name(f".{out.name}.next") if self.overwrite and (out / FACTS).exists() else out

    @property
    def config(self) -> Path:
        """The settings of a run that is not finished."""
        return (self.out if self.made == self.out.resolve() else self.made) / WORK / CONFIG


def check_free(out: Path, overwrite: bool = False) -> None:
    """Raise ConfigError where `out` cannot become or go on as a run folder, before any work is done."""
    names = names_at(out)
    if names and not has_work(out.resolve()) and not names.issuperset(MARKS):
        raise ConfigError(f"--out {out}: the folder is not empty and holds no run; name another folder")
    if names and not has_work(out.resolve()) and not overwrite:
        raise ConfigError(
            f"--out {out}: there is a run already, without the tasks that it was made of; name another folder, or "
            "replace it with --overwrite"
        )
    foreign = sorted(name for name in names - FILES - {WORK} if not name.startswith("."))
    if foreign and overwrite:
        raise ConfigError(
            f"--out {out}: not replaced, since it also holds what no run writes ({listing(foreign)}); "
            "move that away, or name another folder"
        )


def config_of(run: Path) -> Path:
    """The settings that a run was made with. Raises ConfigError where it was made by a call from Python."""
    for path in (run / WORK / CONFIG, run / CONFIG):
        if path.is_file():
            return path
    raise ConfigError(f"{run}: there is no {CONFIG} in it; only a run that the command line made has one")


def run_kept(
    job: Job,
    place: Place,
    how: How,
    facts: Mapping[str, Any],
    verdict: Mapping[str, Any],
    before: Callable[[Once], Mapping[str, Any]],
    on_progress: Progress | None = None,
) -> BacktestResult:
    """Do what is not done yet of a run that is kept on disk, finish its files, and read the result from them.

    facts    remarks to keep with the result
    verdict  what is asked of it beside forecasts
    before   what is to be found out first (audit, placebo): more remarks; it is given a function that finds what was
             found out already under a name

    Where nothing was left to do, the fact `resumed` says "finished" in the result (and not in the files).
    Raises ConfigError where the folder holds another run, Locked where another process works in it, OutOfSpace, and
    Stopped (a KeyboardInterrupt) with the words that say how to go on.
    """
    check_free(place.out, place.overwrite)
    out = place.out.resolve()
    old = out.with_name(f".{out.name}.old")
    if old.exists() and not out.exists():  # a crash between two renames
        os.replace(old, out)
    shutil.rmtree(old, ignore_errors=True)  # a crash after them
    made = place.made
    try:
        opened = RunFolder(made)
    except OutOfSpace as full:
        raise _needs(full, place, job, {}) from None
    with opened as run, _words_for(run, place, job):
        run.settle(job, made_of(job, facts, verdict), place.fork, anew=place.overwrite)
        done = None if run.finished else _finish(run, job, place, how, facts, before, on_progress)
    if made != out:
        if out.exists():
            os.replace(out, old)
        os.replace(made, out)
        sync_folder(out.parent)
        shutil.rmtree(old, ignore_errors=True)
    if done is None:
        return BacktestResult.load(out, resumed="finished")
    done.moved(out)
    return done


def _finish(
    run: RunFolder,
    job: Job,
    place: Place,
    how: How,
    facts: Mapping[str, Any],
    before: Callable[[Once], Mapping[str, Any]],
    on_progress: Progress | None,
) -> BacktestResult:
    """All tasks, then the final files: made aside and moved to their places, the mark of a finished run at the end."""
    from tsforecast.reporting.report import write_report

    if place.settings is not None:
        write_whole(run.work / CONFIG, dump_yaml(dict(place.settings)).encode())
    started, earlier = time.perf_counter(), sum(r.fit_seconds + r.predict_seconds for r in run.receipts().values())
    remarks = {**facts, **before(run.once)}
    run_tasks(job, run, how, on_progress)
    if on_progress is not None:
        on_progress(1.0, "done")
    shutil.rmtree(run.work / "data", ignore_errors=True)
    final = run.work / "final"
    shutil.rmtree(final, ignore_errors=True)
    final.mkdir()
    digest = write_tables(tables(job, run), run.levels(), final)
    seconds = earlier + time.perf_counter() - started
    whole = facts_of(job, remarks) | {"digest": digest, "seconds": seconds}
    (final / FACTS).write_text(
        json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    if place.settings is not None:
        (final / CONFIG).write_text(dump_yaml(dict(place.settings)), encoding="utf-8")
    result = BacktestResult.load(final)
    write_report(result, final / REPORT)
    result.moved(run.place)
    (run.place / FACTS).unlink(missing_ok=True)
    sync_folder(run.place)
    publish(final, run.place, sorted({path.name for path in final.iterdir()} - {FACTS}), mark=FACTS)
    final.rmdir()
    run.seal()
    return result


@contextmanager
def _words_for(run: RunFolder, place: Place, job: Job) -> Iterator[None]:
    """What stops a run says how much is kept and how to go on."""
    try:
        with spelled_out(run.place):
            yield
    except OutOfSpace as full:
        shutil.rmtree(run.work / "final", ignore_errors=True)
        shutil.rmtree(run.work / "data", ignore_errors=True)
        raise _needs(full, place, job, run.receipts()) from None
    except KeyboardInterrupt:
        done = run.receipts()
        raise Stopped(f"{_kept(place, job, done)}; to go on: {place.again}" if done else "") from None


def _needs(full: OutOfSpace, place: Place, job: Job, done: Receipts) -> OutOfSpace:
    """The error, with what is needed and how to go on. Where nothing is finished, nothing is left in the folder."""
    need, again = _bytes_needed(done, job) >> 20, place.again if done else "the same again"
    return OutOfSpace(
        f"{full}; about {need + 1:,} MiB more are needed. {_kept(place, job, done)}: make room, then {again}"
    )


def _kept(place: Place, job: Job, done: Iterable[Stretch]) -> str:
    return f"{100 * sum(map(job.share, done)):.0f} % of the work is done and kept in {place.made}"


def _bytes_needed(done: Receipts, job: Job) -> int:
    """For the parts that are missing and the final tables: as much for each row as so far, or else uncompressed."""
    steps = job.plan.horizon or 1

    def rows(tasks: Iterable[Stretch]) -> int:
        return sum((task.last - task.first) * len(job.groups[task.fold]) * steps for task in tasks)

    whole, there = rows(job.tasks()), rows(done)
    columns = 4 + max(len(getattr(recipe, "quantiles", ())) for recipe in job.recipes.values())
    size = sum(receipt.size for receipt in done.values())
    each = size / there if there else 8.0 * columns
    return int(each * (2 * whole - there))
