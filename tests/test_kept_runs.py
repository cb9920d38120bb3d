"""A run that is killed at any instant goes on: the same bytes in the end, nothing done twice, nothing lost."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kept_runs import MODELS, PLAN, TASKS, bytes_of, finished_tasks, kept, the_job, twelve

import tsforecast as tsf
from tsforecast import store
from tsforecast.backtesting import make_job, run_backtest
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.models.naive import Naive, SeasonalNaive
from tsforecast.panel import Panel
from tsforecast.reporting import report
from tsforecast.running import durable, queue
from tsforecast.running.ledger import Ledger
from tsforecast.running.run_folder import RunFolder
from tsforecast.running.trouble import Locked, OutOfSpace
from tsforecast.store import Place, run_kept

HERE = Path(__file__).parent
STEP, KILLS = int(os.environ.get("TSF_CRASH_STEP", "31")), int(os.environ.get("TSF_KILLS", "20"))
"""Every how many-th durable operation is a crash in the slow tests (1: each of them), and how many kills at random."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "FIRST", 3)
    monkeypatch.setattr(queue, "GROWTH", 1)
    monkeypatch.setattr(report, "write_report", lambda result, path: path.write_text("a page"))


def program(folder: Path, *argv: object) -> list[list[str]]:
    """What `kept_runs.py` says, line by line."""
    done = subprocess.run(
        [sys.executable, "kept_runs.py", str(folder), *map(str, argv)],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def crashes(folder: Path, first: int, step: int) -> None:
    *lines, last = program(folder, "crash", first, step)
    assert last[0] == "points" and int(last[2]) > 10 * TASKS, "there are ten operations to a task, and more at the end"
    assert len(lines) > (int(last[2]) - first) // step
    whole = lines[0][2:]
    assert whole[2:] == ["0", "clean"]
    for number, name, *rest in lines[1:]:
        assert rest == whole, f"crash at operation {number} ({name})"


def test_a_crash_at_an_operation_on_the_disk_changes_nothing_in_the_end(tmp_path: Path) -> None:
    crashes(tmp_path, 4, 170)


@pytest.mark.slow
def test_a_crash_at_every_kind_of_operation_on_the_disk_changes_nothing_in_the_end(tmp_path: Path) -> None:
    crashes(tmp_path, 0, STEP)


@pytest.mark.slow
def test_kills_at_random_instants_change_nothing_in_the_end(tmp_path: Path) -> None:
    whole, *lines = program(tmp_path, "kill", KILLS, 1)
    assert lines and all(line[2:] == whole[2:] for line in lines)


def test_a_kept_run_is_the_run_in_memory(tmp_path: Path) -> None:
    in_memory = run_backtest(twelve(), MODELS, PLAN)
    on_disk = kept(tmp_path / "r")
    assert on_disk.facts["digest"] == in_memory.facts["digest"]
    pd.testing.assert_frame_equal(on_disk.forecasts, in_memory.forecasts, check_dtype=False)
    assert len(finished_tasks(tmp_path / "r")) == TASKS


def done_tasks(folder: Path) -> dict[tuple[str, int], float]:
    """Series done per model and fit."""
    ledger = Ledger(folder / "work" / "ledger.sqlite")
    found: dict[tuple[str, int], float] = {}
    for entry in ledger.entries():
        assert entry.receipt is not None
        found[entry.task[:2]] = found.get(entry.task[:2], 0) + entry.task.last - entry.task.first
    ledger.close()
    return found


def test_the_size_of_a_task_changes_no_number_and_a_run_may_go_on_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = kept(tmp_path / "three").facts["digest"]
    for size in (5,):
        monkeypatch.setattr(queue, "FIRST", size)
        assert kept(tmp_path / str(size)).facts["digest"] == expected
    monkeypatch.setattr(queue, "FIRST", 2)
    place = tmp_path / "mixed"
    with pytest.raises(ZeroDivisionError):
        kept(place, job=stopping(7))
    assert 0 < len(finished_tasks(place)) < 18
    monkeypatch.setattr(queue, "FIRST", 5)
    assert kept(place).facts["digest"] == expected
    assert set(done_tasks(place).values()) == {12}, "every series once"


def stopping(after: int) -> object:
    """The job, which breaks off after some tasks."""
    job, told = the_job(), []
    answer = job.answer

    def some(task: object, folds: object) -> object:
        told.append(task)
        if len(told) > after:
            raise ZeroDivisionError
        return answer(task, folds)  # type: ignore[arg-type]

    job.__dict__["answer"] = some
    return job


def test_another_config_is_refused_with_what_differs_and_the_run_is_untouched(tmp_path: Path) -> None:
    kept(tmp_path / "r")
    before = bytes_of(tmp_path / "r")
    other = make_job(
        twelve(), MODELS | {"week": SeasonalNaive(season_length=5)}, Plan(horizon=4, n_windows=3, refit=True)
    )
    with pytest.raises(ConfigError) as error:
        kept(tmp_path / "r", job=other)
    for words in ("horizon was 3, is 4", "week.season_length was absent, is 5", "--fork NEWFOLDER", "--overwrite"):
        assert words in str(error.value)
    changed = twelve()
    values = changed.values.copy()
    values[5] += 1e-9
    with pytest.raises(ConfigError, match="the hash of the data was"):
        kept(tmp_path / "r", job=make_job(Panel(**{**vars(changed), "values": values}), MODELS, PLAN))
    with pytest.raises(ConfigError, match="the model drift was in it"):
        kept(tmp_path / "r", job=make_job(twelve(), {"naive": MODELS["naive"], "week": MODELS["week"]}, PLAN))
    assert bytes_of(tmp_path / "r") == before


def test_more_models_more_windows_and_later_data_cost_only_what_is_new(tmp_path: Path) -> None:
    place = tmp_path / "r"
    whole = twelve()
    early = whole.cut(whole.ends - 3)
    few = {"naive": MODELS["naive"]}
    kept(place, job=make_job(early, few, PLAN))
    first = finished_tasks(place)
    assert len(first) == 12
    kept(place, job=make_job(early, MODELS, PLAN))
    second = finished_tasks(place)
    assert first < second and len(second) == TASKS
    more = make_job(early, MODELS, Plan(horizon=3, n_windows=4, refit=True))
    kept(place, job=more)
    third = finished_tasks(place)
    assert second < third and len(third) == TASKS + 12
    later = make_job(whole, MODELS, Plan(horizon=3, n_windows=5, refit=True))
    result = kept(place, job=later)
    assert third < finished_tasks(place) and len(finished_tasks(place)) == TASKS + 24
    alone = run_backtest(whole, MODELS, Plan(horizon=3, n_windows=5, refit=True))
    assert result.facts["digest"] == alone.facts["digest"]


def test_another_question_to_the_verdict_computes_no_forecast(tmp_path: Path) -> None:
    kept(tmp_path / "r")
    job = the_job()
    job.__dict__["answer"] = None
    where = Place(out=tmp_path / "r")
    from tsforecast.running.how import How

    result = run_kept(job, where, How(), {"margin": 5.0, "device": "cpu"}, {"margin": 5.0}, lambda once: {})
    assert result.facts["margin"] == 5.0 and "resumed" not in result.facts


def test_a_fork_takes_over_what_is_the_same(tmp_path: Path) -> None:
    kept(tmp_path / "old")
    before = bytes_of(tmp_path / "old")
    models = {"naive": MODELS["naive"], "drift": MODELS["drift"], "week": SeasonalNaive(season_length=5)}
    job, told = make_job(twelve(), models, PLAN), []
    answer = job.answer
    job.__dict__["answer"] = lambda task, folds: told.append(task.model) or answer(task, folds)
    result = kept(tmp_path / "new", job=job, fork=tmp_path / "old")
    assert told == ["week"] * 12 and bytes_of(tmp_path / "old") == before
    assert result.facts["digest"] == run_backtest(twelve(), models, PLAN).facts["digest"]
    with pytest.raises(ConfigError, match="no run to take anything over from"):
        kept(tmp_path / "third", fork=tmp_path / "nothing")
    assert not (tmp_path / "third").exists()


def test_a_damaged_or_lost_part_is_made_again(tmp_path: Path) -> None:
    expected = kept(tmp_path / "r").facts["digest"]
    parts = sorted((tmp_path / "r" / "work" / "parts").iterdir())
    sound = parts[0].read_bytes()
    parts[0].write_bytes(sound[:-1] + b"x")
    parts[1].unlink()
    (tmp_path / "r" / "facts.json").unlink()
    with RunFolder(tmp_path / "r") as run, run.ledger.together():
        run.ledger.note("finished", "no")
    assert kept(tmp_path / "r").facts["digest"] == expected
    assert parts[0].read_bytes() == sound and parts[1].exists()


def test_a_second_process_on_a_run_is_told_who_is_there(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "r"), pytest.raises(Locked, match=rf"process {os.getpid()} on ") as error:
        kept(tmp_path / "r")
    assert "wait for it, or stop it" in str(error.value)
    kept(tmp_path / "r")


def test_a_run_that_was_killed_at_once_or_between_two_renames_goes_on(tmp_path: Path) -> None:
    (tmp_path / "r" / "work" / "parts").mkdir(parents=True)
    expected = kept(tmp_path / "r").facts["digest"]
    (tmp_path / "r").rename(tmp_path / ".r.old")
    assert kept(tmp_path / "r").facts["resumed"] == "finished" and not (tmp_path / ".r.old").exists()
    kept(tmp_path / "r", overwrite=True)
    (tmp_path / "r").rename(tmp_path / ".r.old")
    assert kept(tmp_path / "r", overwrite=True).facts["digest"] == expected
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
    (tmp_path / "mine" / "work").mkdir(parents=True)
    (tmp_path / "mine" / "work" / "thesis.tex").touch()
    with pytest.raises(ConfigError, match="holds no run"):
        kept(tmp_path / "mine", overwrite=True)


def test_a_model_that_is_changed_in_its_code_is_another_model(tmp_path: Path) -> None:
    class Mine(Naive):
        pass

    def level(self: object) -> float:
        return 1.0

    def other(self: object) -> float:
        return 2.0

    Mine.level = level  # type: ignore[attr-defined]
    kept(tmp_path / "r", job=make_job(twelve(), {"mine": Mine()}, PLAN))
    Mine.level = other  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"mine\.code was"):
        kept(tmp_path / "r", job=make_job(twelve(), {"mine": Mine()}, PLAN))


@pytest.mark.parametrize(
    "kind", ["part", pytest.param("ledger", marks=pytest.mark.slow), pytest.param("tables", marks=pytest.mark.slow)]
)
def test_a_disk_that_is_full_is_said_with_what_is_needed_and_the_run_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    expected = kept(tmp_path / "other").facts["digest"]
    with monkeypatch.context() as full:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        if kind == "ledger":
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, hard))  # its log grows with every task
        elif kind == "part":
            full.setattr(durable, "_write", Bounded(30).write)
        else:
            full.setattr(store, "write_tables", Bounded(0).write)
        try:
            with pytest.raises(OutOfSpace) as error:
                kept(tmp_path / "r")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "MiB more are needed" in str(error.value) and "make room, then tsforecast backtest" in str(error.value)
    assert "kept in" in str(error.value) and not str(error.value).split("needed. ")[1].startswith("0 %")
    assert not list(tmp_path.rglob("*.tmp")) and not (tmp_path / "r" / "facts.json").exists()
    before = finished_tasks(tmp_path / "r")
    assert len(before) == TASKS if kind == "tables" else 0 < len(before) < TASKS
    assert kept(tmp_path / "r").facts["digest"] == expected and before <= finished_tasks(tmp_path / "r")


class Bounded:
    """A disk with room for so many writes."""

    def __init__(self, left: int) -> None:
        self.left, self.real = left, durable._write

    def write(self, file: Any, content: Any, *more: Any) -> None:
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1
        self.real(file, content)


def killer_run(place: Path, marks: Path, times: int) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; from pathlib import Path; from kept_runs import *; from misbehaving import KillsTheRun\n"
        "chunks_of_three(); without_report()\n"
        f"model = KillsTheRun({str(marks)!r}, {times})\n"
        f"job = make_job(twelve(), {{'naive': Naive(), 'killer': model}}, PLAN)\n"
        f"print(kept(Path({str(place)!r}), job=job).failures.to_csv(index=False))"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_task_that_takes_the_run_along_twice_is_done_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    codes = [killer_run(tmp_path / "r", tmp_path / "marks", 1000) for _ in range(3)]
    assert [done.returncode for done in codes] == [-9, -9, 0], codes[-1].stderr
    failed = codes[-1].stdout.strip().splitlines()
    assert len(failed) == 4 and all(line.startswith(f"killer,{k},s05,its") for k, line in enumerate(failed[1:]))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_interrupted_says_how_to_go_on_and_does(tmp_path: Path, number: int, code: int) -> None:
    days = pd.date_range("2024-01-01", periods=300)
    walks = np.random.default_rng(0).normal(size=(30, 300)).cumsum(axis=1)
    frame = pd.concat([pd.DataFrame({"id": f"s{i:02d}", "ds": days, "y": w}) for i, w in enumerate(walks)])
    frame.to_csv(tmp_path / "walks.csv", index=False)
    command = [sys.executable, "-m", "tsforecast", "backtest"]
    first = [str(tmp_path / "walks.csv"), "--models", "naive,autoarima", "--horizon", "3", "--n-windows", "4"]
    argv = [*first, "--executor", "serial", "--out", "r"]
    running = subprocess.Popen(
        [*command, *argv], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while len(list((tmp_path / "r" / "work" / "parts").glob("*.parquet"))) < 3:
        time.sleep(0.02)
        assert running.poll() is None
    running.send_signal(number)
    _, err = running.communicate(timeout=30)
    assert running.returncode == code
    assert "% of the work is done and kept in" in err and err.count("\n") == 1
    again = err.split("to go on: tsforecast ")[1].split()
    assert again[0] == "backtest" and again[-2:] == ["--out", "r"]
    done = subprocess.run(
        [sys.executable, "-m", "tsforecast", *again, "-q"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_python_keeps_a_run_too_and_needs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = tsf.backtest(twelve(), "naive,drift", horizon=3, n_windows=2)
    assert list(tmp_path.iterdir()) == [], "no file without `out`"
    second = tsf.backtest(twelve(), "naive,drift", horizon=3, n_windows=2, out="r")
    again = tsf.backtest(twelve(), "naive,drift", horizon=3, n_windows=2, out=tmp_path / "r")
    assert first.facts["digest"] == second.facts["digest"] and again.facts["resumed"] == "finished"
