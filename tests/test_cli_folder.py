"""The folder of a run from the command line: whole or as it was, and never in place of what is no run."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import BASE, WALKS, Command, Done, contents

from tsforecast.models.naive import Naive
from tsforecast.reporting import report
from tsforecast.store import FILES


def test_a_run_holds_its_tables_facts_config_and_reports(finished: Path) -> None:
    assert set(contents(finished)) == FILES
    assert sorted(p.name for p in (finished / "work").iterdir()) == ["config.yaml", "ledger.sqlite", "lock", "parts"]
    assert sorted(p.name for p in finished.parent.iterdir()) == ["first"], "nothing is left beside it"
    table = pd.read_parquet(finished / "forecasts.parquet")
    assert set(table["unique_id"]) == set(WALKS)


def test_an_existing_run_is_refused_without_overwrite_and_replaced_whole_with_it(
    command: Command, walks: Path, tmp_path: Path
) -> None:
    argv = ("backtest", walks, *BASE, "--quiet", "--out", tmp_path / "r")
    command(*argv)
    before = contents(tmp_path / "r")
    done = command(*argv, "--horizon", 4)
    assert done.code == 2 and "horizon was 5, is 4" in done.err and "--overwrite" in done.err
    assert contents(tmp_path / "r") == before
    (tmp_path / "r" / "report.md").unlink()
    assert command(*argv, "--overwrite", "--horizon", 4) == Done(0, "", "")
    after = contents(tmp_path / "r")
    assert set(after) == set(before) and after["forecasts.parquet"] != before["forecasts.parquet"]
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_the_same_command_on_a_finished_run_says_so_and_changes_nothing(
    command: Command, walks: Path, tmp_path: Path
) -> None:
    argv = ("backtest", walks, *BASE, "--out", tmp_path / "r")
    first = command(*argv)
    before = contents(tmp_path / "r")
    again = command(*argv)
    assert again.code == 0 and "this run is finished; nothing was left to compute" in again.out
    assert again.out.splitlines()[-1] == first.out.splitlines()[-1] and contents(tmp_path / "r") == before


def test_a_run_of_an_older_kind_is_not_gone_on_with(command: Command, finished: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for name, content in contents(finished).items():
        (tmp_path / "old" / name).write_bytes(content)
    done = command("backtest", "--config", finished / "config.yaml", "--out", tmp_path / "old")
    assert done.code == 2 and "there is a run already, without the tasks" in done.err
    assert command("backtest", "--config", finished / "config.yaml", "--out", tmp_path / "old", "--overwrite").code == 0


def test_what_is_not_a_run_is_never_touched(command: Command, walks: Path, finished: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "facts.json").write_text("{}")
    (mine / "thesis.tex").write_text("years of work")
    visited = tmp_path / "visited"
    visited.mkdir()
    for name, content in contents(finished).items():
        (visited / name).write_bytes(content)
    (visited / "notes.txt").write_text("read this")
    (tmp_path / "file").write_text("x")
    cases = {
        "mine": "holds no run",
        "visited": "what no run writes (notes.txt)",
        "file": "there is a file of that name",
    }
    for name, words in {**cases, "file/below": "nothing can be written in"}.items():
        done = command("backtest", walks, *BASE, "--out", tmp_path / name, "--overwrite")
        assert done.code == 2 and words in done.err and done.out == "", "refused before any work"
    assert (mine / "thesis.tex").read_text() == "years of work" and (visited / "notes.txt").exists()


def test_an_empty_folder_and_a_link_become_the_run(command: Command, walks: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "target")
    for name in ("empty", "link"):
        assert command("backtest", walks, *BASE, "-q", "--out", tmp_path / name) == Done(0, "", "")
        assert set(contents(tmp_path / name)) == FILES
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), 4, "x: No space left on device; about "),
        (MemoryError(), 4, "out of memory"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "x: Permission denied"),
        (KeyboardInterrupt(), 130, "interrupted; 100 % of the work is done and kept in "),
        (ZeroDivisionError("oops"), 1, "this is a bug in tsforecast"),
    ],
)
def test_what_stops_a_run_while_it_is_written_leaves_the_old_run_and_goes_on_later(
    command: Command,
    finished: Path,
    walks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
    code: int,
    words: str,
) -> None:
    argv = ("backtest", walks, *BASE, "--quiet", "--out", tmp_path / "r")
    command(*argv)
    before = contents(tmp_path / "r")

    def fail(*args: Any) -> None:
        raise fault

    monkeypatch.setattr(report, "write_report", fail)
    done = command(*argv, "--overwrite")
    assert done.code == code and words in done.err and done.out == ""
    assert ("Traceback" in done.err) == (code == 1)
    assert contents(tmp_path / "r") == before and {p.name for p in tmp_path.iterdir()} == {"r", ".r.next"}
    monkeypatch.undo()
    monkeypatch.setattr(Naive, "fit", fail)  # what is done is not done again
    monkeypatch.setattr(report, "_html", lambda *args: "a page")
    assert command(*argv, "--overwrite") == Done(0, "", "") and [p.name for p in tmp_path.iterdir()] == ["r"]
    assert contents(tmp_path / "r")["forecasts.parquet"] == before["forecasts.parquet"]
