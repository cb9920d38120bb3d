"""Run folders from the command line: going on, forking, looking at them, computing a task again."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from commands import Command

from tsforecast import store, study
from tsforecast.models.naive import Drift, Naive
from tsforecast.running.ledger import Ledger
from tsforecast.running.run_folder import RunFolder

RUN = ("backtest", "oil", "--models", "naive,drift", "--horizon", "5", "--n-windows", "3", "--refit", "true", "--out")


def interrupted(command: Command, place: Path, after: int, *more: str) -> Any:
    """The run, with a Ctrl-C in so many-th fit of the drift."""
    fit, fits = Drift.fit, []

    def stop(self: Drift, past: Any, horizon: int, /) -> Any:
        fits.append(past)
        if len(fits) == after:
            raise KeyboardInterrupt
        return fit(self, past, horizon)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Drift, "fit", stop)
        return command(*RUN, place, *more)


def test_an_interrupted_run_keeps_what_is_done_and_goes_on_with_the_rest(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "my run"
    done = interrupted(command, place, 2)
    again = f"tsforecast backtest --config '{place}/work/config.yaml' --out '{place}'"
    assert done.code == 130 and done.err == (
        f"tsforecast: interrupted; 67 % of the work is done and kept in {place}; to go on: {again}\n"
    )
    shown = command("status", place)
    assert shown.code == 0 and f"{place} (oil): 67 % done" in shown.out and f"To go on: {again}" in shown.out
    found = json.loads(command("status", place, "--json").out)
    assert [(m["model"], m["done"], m["whole"]) for m in found["models"]] == [("naive", 6, 6), ("drift", 2, 6)]
    assert not found["finished"] and found["worker"] is None and round(found["share"], 2) == 0.67
    monkeypatch.setattr(Naive, "fit", None.__class__)  # all of it is done
    fits: list[Any] = []
    fit = Drift.fit
    monkeypatch.setattr(Drift, "fit", lambda self, past, horizon: fits.append(1) or fit(self, past, horizon))
    assert command(*shlex.split(again)[1:], "-q") == (0, "", "") and len(fits) == 2
    assert f"{place} (oil): finished" in command("status", place).out


def test_an_audit_is_done_once_in_a_run(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "r"
    audits: list[Any] = []
    real = study.audit_study
    monkeypatch.setattr(study, "audit_study", lambda *a, **more: audits.append(a) or real(*a, **more))

    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "run_tasks", stop)
        done = command(*RUN, place, "--audit")
    assert done.code == 130 and len(audits) == 1 and (place / "work" / "ledger.sqlite").exists()
    assert command(*RUN, place, "--audit", "-q").code == 0 and len(audits) == 1
    facts = json.loads((place / "facts.json").read_text())
    assert facts["audit"]["passed"] and facts["digest"]


def test_nothing_is_left_of_a_run_that_has_finished_nothing(command: Command, tmp_path: Path) -> None:
    done = interrupted(command, tmp_path / "r", 1, "--models", "drift")
    assert done == (130, done.out, "tsforecast: interrupted; nothing was written\n") and not list(tmp_path.iterdir())


def test_a_fork_from_the_command_line_leaves_the_old_run_as_it_is(command: Command, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert command(*RUN, old, "-q").code == 0
    refused = command(*RUN, old, "-q", "--seed", "3", "--n-windows", "2")
    assert refused.code == 2 and "n_windows was 3, is 2" in refused.err
    assert command(*RUN, old, "--fork", new, "-q", "--n-windows", "2") == (0, "", "")
    ledger = Ledger(new / "work" / "ledger.sqlite", readonly=True)
    entries = ledger.entries()
    ledger.close()
    inodes = {path.stat().st_ino for path in (old / "work" / "parts").iterdir()}
    assert len(entries) == 4 and {p.stat().st_ino for p in (new / "work" / "parts").iterdir()} <= inodes
    assert "name the run to take over from with --out" in command(*RUN[:-1], "--fork", tmp_path / "x").err


def test_a_task_is_computed_again_and_compared(command: Command, tmp_path: Path) -> None:
    place = tmp_path / "r"
    command(*RUN, place, "-q")
    done = command("verify", place, "--seed", "1")
    assert done.code == 0 and "computed again, the same" in done.out and "series 'Brent' to 'WTI'" in done.out
    for part in (place / "work" / "parts").iterdir():
        part.write_bytes(part.read_bytes() + b" ")
    other = command("verify", place)
    assert other.code == 6 and "computed again, other" in other.out and "is this the machine" in other.err


def test_what_is_no_run_is_said(command: Command, tmp_path: Path) -> None:
    for words in (("status", tmp_path), ("verify", tmp_path)):
        done = command(*words)
        assert done.code == 2 and str(tmp_path) in done.err and done.err.count("\n") == 1
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "ledger.sqlite").write_bytes(b"no ledger at all" * 100)
    done = command("status", tmp_path)
    assert done.code == 2 and "the ledger of the run cannot be read" in done.err


def test_a_run_that_another_process_works_on_is_code_5(command: Command, tmp_path: Path) -> None:
    with RunFolder(tmp_path / "r"):
        done = command(*RUN, tmp_path / "r", "-q")
        assert done.code == 5 and f"process {os.getpid()} on " in done.err
    assert command(*RUN, tmp_path / "r", "-q").code == 0


def test_wrong_words_about_where_tasks_run_are_code_2(command: Command, tmp_path: Path) -> None:
    done = command(*RUN, tmp_path / "r", "--executor", "darsk")
    assert done.code == 2 and "did you mean 'dask'" in done.err and not list(tmp_path.iterdir())
