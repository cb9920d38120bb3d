"""The command line, as a person or a script meets it: exit codes, streams, the run folder."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import Command, Done, run_with

from tsforecast import __version__, results, study, terminal
from tsforecast.cli import main
from tsforecast.models.naive import Naive
from tsforecast.reporting import report
from tsforecast.store import FILES
from tsforecast.yaml_files import load_yaml

IDS = ["=1+1", "[red]x[/red]", "ünïcode <b>&", "日本"]
BASE = ("--models", "naive,drift", "--horizon", "5", "--n-windows", "3")


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, finished: Path, request: pytest.FixtureRequest
) -> Command:
    """Run `tsforecast ...` in this process. Figures take long: they are drawn only where a test asks for them."""
    if "figures" not in request.fixturenames:
        monkeypatch.setattr(report, "_html", lambda *args: "a page")
    return run_with(capsys)


@pytest.fixture
def figures() -> None:
    """Asked for by a test that needs real pages."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four random walks with names that mean something to a shell, a spreadsheet, rich or HTML."""
    walks = np.random.default_rng(0).normal(size=(len(IDS), 90)).cumsum(axis=1) + 50
    days = pd.date_range("2024-01-01", periods=90)
    parts = [pd.DataFrame({"name": i, "day": days, "price": w}) for i, w in zip(IDS, walks, strict=True)]
    path = tmp_path_factory.mktemp("data") / "walks.csv"
    pd.concat(parts).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run. Tests read it and leave it as it is."""
    out = tmp_path_factory.mktemp("runs") / "first"
    with pytest.raises(SystemExit) as stop:
        main(["backtest", str(data), *BASE, "--out", str(out), "--quiet"])
    assert stop.value.code == 0
    return out


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a run, without the tasks that it was made of."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "work"}


# ---- exit code 2: one line that says what to do


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["bactest"], "Did you mean 'backtest'?"),
        (["backtest", "oil", "--horzon", "3"], "--horizon"),
        (["backtest", "oil", "--horizon", "soon"], "Invalid value for '--horizon'"),
        (["backtest", "oil", "--horizon"], "requires an argument"),
        (["backtest"], "no data: name a CSV or parquet file, or a bundled dataset"),
        (["backtest", "oli", "--models", "naive"], "did you mean 'oil'?"),
        (["backtest", "no/such.csv", "--models", "naive"], "there is no file 'no/such.csv'"),
        (["backtest", "oil", "--models", "lstmm"], "unknown model 'lstmm'; did you mean 'lstm'?"),
        (["backtest", "oil", "--models", ""], "no model to backtest"),
        (["backtest", "oil", "--models", "naive", "--set", "horizon"], "--set horizon: write KEY=VALUE"),
        (["backtest", "oil", "--set", "horzon=3"], "unknown key 'horzon'; did you mean 'horizon'?"),
        (["backtest", "oil", "--models", "naive", "--set", "naive.quantils=[0.5]"], "unknown setting 'naive.quantils'"),
        (["backtest", "oil", "--models", "naive", "--set", "gru.dropout=0"], "the run has no model 'gru'"),
        (["backtest", "oil", "--config", "none.yaml"], "there is no such config file"),
        (["backtest", "oil", "--align", "left"], "align='left'"),
        (["backtest", "oil", "--models", "naive", "--horizon", "0"], "horizon=0: must be"),
        (["backtest", "oil", "--models", "naive", "--n-windows", "9999"], "is too short"),
        (["backtest", "oil", "--models", "naive", "--calendar", "moon"], "moon"),
        (["backtest", "oil", "--models", "naive", "--freq", "fortnight"], "fortnight"),
        (["backtest", "oil", "--models", "naive", "--target", "pirce"], "did you mean 'price'?"),
        (["backtest", "oil", "--models", "naive", "--set", "decimal=x"], "decimal='x'"),
        (["report", "no/such/run"], "is not a finished run"),
        (["report"], "Missing argument"),
    ],
)
def test_a_users_mistake_is_one_line_on_stderr_and_code_2(command: Command, argv: list[str], words: str) -> None:
    done = command(*argv)
    assert done.code == 2 and words in done.err
    assert done.err.startswith("tsforecast: ") and done.err.count("\n") == 1 and "Traceback" not in done.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("ds,y\n2024-01-01,1\n2024-01-01,2\n", "2024-01-01"),
        ("ds,y\n2024-01-01,one\n2024-01-02,2\n", "'one'"),
        ("ds,\x1b[31my\n2024-01-01,1\n2024-01-01,2\n", "[U+001B]"),
        ("\0\0\0", "walks"),
    ],
)
def test_data_that_cannot_be_used_are_code_2(command: Command, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "walks.csv").write_text(content)
    done = command("backtest", tmp_path / "walks.csv", *BASE, "--out", tmp_path / "run")
    assert done.code == 2 and done.err.startswith("tsforecast: ") and done.err.count("\n") == 1
    assert words in done.err and "\x1b" not in done.err
    assert not (tmp_path / "run").exists()


def test_without_a_command_the_help_is_shown(command: Command) -> None:
    done = command()
    assert done.code == 2 and done.err == ""
    assert all(word in done.out for word in ("backtest", "datasets", "report", "Usage"))


def test_help_and_version_are_code_0(command: Command) -> None:
    assert command("--version") == Done(0, f"tsforecast {__version__}\n", "")
    done = command("backtest", "--help")
    assert done.code == 0 and done.err == ""
    assert all(flag in done.out for flag in ("--horizon", "--n-windows", "--models", "--set", "--out", "--json"))


# ---- what is said


def test_the_answer_stands_above_an_aligned_table_and_the_path_of_the_report(
    command: Command, data: Path, tmp_path: Path
) -> None:
    done = command("backtest", data, *BASE, "--out", tmp_path / "r")
    assert done.code == 0 and done.err == ""
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines[0] == "walks.csv: 4 series, 360 steps"
    assert "3 origins, 5 steps apart; 5 steps to forecast at each" in lines
    assert lines[-1] == f"Report: {tmp_path / 'r' / 'report.html'}"
    head = next(i for i, line in enumerate(lines) if line.startswith("model"))
    assert any(line.startswith(("No", "Yes", "In part")) for line in lines[:head])
    # what is compared is in the title; every number ends where its title ends
    best = lines[head + 1].split()[0]
    assert lines[head - 1].strip() == "error against" and best in lines[head]
    for title in ("MASE", best, "MAE", "in 80 %", "seconds"):
        end = lines[head].index(title) + len(title)
        for row in lines[head + 1 : head + 3]:
            assert row[end - 1] != " " and row[end : end + 1] in ("", " "), (title, row)


def test_quiet_prints_nothing(command: Command, data: Path, tmp_path: Path) -> None:
    assert command("backtest", data, *BASE, "--out", tmp_path / "r", "--quiet") == Done(0, "", "")
    assert (tmp_path / "r" / "report.html").exists()


def test_json_is_one_document_on_stdout_and_nothing_else(command: Command, data: Path, tmp_path: Path) -> None:
    done = command("backtest", data, *BASE, "--out", tmp_path / "r", "--json")
    found = json.loads(done.out)
    assert done.code == 0 and done.err == "" and done.out.count("\n") == 1
    assert found["report"] == str(tmp_path / "r" / "report.html") and found["answers"]
    assert {row["model"] for row in found["summary"]} == {"naive", "drift"}
    assert {row["unique_id"] for row in found["by_series"]} == set(IDS), "names verbatim"


def test_a_progress_bar_with_the_time_left_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with terminal.progress_bar(silent=False) as tell:
        assert tell is not None
        tell(0.5, "ls[b]tm")
    assert "50%" in screen.getvalue() and "left" in screen.getvalue() and "ls[b]tm" in screen.getvalue()
    with terminal.progress_bar(silent=True) as tell:
        assert tell is None
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with terminal.progress_bar(silent=False) as tell:
        assert tell is None


def test_the_table_fits_a_narrow_terminal(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = results.BacktestResult.load(finished)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    terminal.show_summary(result)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80 and not any("sMAPE" in line for line in lines)
    assert any("inconclusive" in line or "too few origins" in line for line in lines), "cells are not broken"


def test_datasets_are_listed_for_people_and_for_programs(command: Command) -> None:
    done = command("datasets")
    assert done.code == 0 and all(name in done.out for name in ("oil", "weather", "air_passengers", "co2", "sunspots"))
    found = json.loads(command("datasets", "--json").out)
    assert {"name", "title", "licence", "series", "rows", "source"} <= set(found[0])


# ---- defaults < config < flags < --set


def test_a_flag_goes_before_the_config_and_set_before_both(command: Command, data: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {data}\nhorizon: 2\nn_windows: 2\ngap: 1\nmodels: [naive, drift]\ncalendar: [month]\n")
    done = command(
        "backtest", "--config", config, "--out", tmp_path / "r", "--quiet",
        "--horizon", 3, "--n-windows", 4, "--set", "n_windows=5", "--calendar", "", "--refit", "true",
    )  # fmt: skip
    assert done == Done(0, "", "")
    found = load_yaml(tmp_path / "r" / "config.yaml")
    assert {k: found[k] for k in ("horizon", "n_windows", "gap", "step_size", "calendar", "refit", "align")} == {
        "horizon": 3,
        "n_windows": 5,
        "gap": 1,
        "step_size": 3,
        "calendar": [],
        "refit": True,
        "align": "calendar",
    }


def test_the_resolved_config_fed_back_gives_identical_forecasts_from_any_folder(
    command: Command, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("backtest", "--config", finished / "config.yaml", "--out", "again", "-q") == Done(0, "", "")
    for name in ("forecasts.parquet", "pasts.parquet", "config.yaml"):
        assert (tmp_path / "again" / name).read_bytes() == (finished / name).read_bytes(), name
    other = command("backtest", "--config", finished / "config.yaml", "--horizon", 4, "--out", "other", "-q")
    assert other.code == 0, "control: another horizon gives other forecasts"
    assert (tmp_path / "other" / "forecasts.parquet").read_bytes() != (finished / "forecasts.parquet").read_bytes()


# ---- the run folder


def test_a_run_holds_its_tables_facts_config_and_reports(finished: Path) -> None:
    assert set(contents(finished)) == FILES
    assert sorted(p.name for p in (finished / "work").iterdir()) == ["config.yaml", "ledger.sqlite", "lock", "parts"]
    assert sorted(p.name for p in finished.parent.iterdir()) == ["first"], "nothing is left beside it"
    table = pd.read_parquet(finished / "forecasts.parquet")
    assert set(table["unique_id"]) == set(IDS)


def test_an_existing_run_is_refused_without_overwrite_and_replaced_whole_with_it(
    command: Command, data: Path, tmp_path: Path
) -> None:
    argv = ("backtest", data, *BASE, "--quiet", "--out", tmp_path / "r")
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
    command: Command, data: Path, tmp_path: Path
) -> None:
    argv = ("backtest", data, *BASE, "--out", tmp_path / "r")
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


def test_what_is_not_a_run_is_never_touched(command: Command, data: Path, finished: Path, tmp_path: Path) -> None:
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
        done = command("backtest", data, *BASE, "--out", tmp_path / name, "--overwrite")
        assert done.code == 2 and words in done.err and done.out == "", "refused before any work"
    assert (mine / "thesis.tex").read_text() == "years of work" and (visited / "notes.txt").exists()


def test_an_empty_folder_and_a_link_become_the_run(command: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "target")
    for name in ("empty", "link"):
        assert command("backtest", data, *BASE, "-q", "--out", tmp_path / name) == Done(0, "", "")
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
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
    code: int,
    words: str,
) -> None:
    argv = ("backtest", data, *BASE, "--quiet", "--out", tmp_path / "r")
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


# ---- failures, bugs, interrupts


def test_a_model_that_fails_is_recorded_and_the_code_is_3(
    command: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Naive, past: Any, horizon: int, /) -> Any:
        raise RuntimeError("no luck\x1b today")

    monkeypatch.setattr(Naive, "fit", fail)
    done = command("backtest", data, *BASE, "--out", tmp_path / "r", "--json")
    assert done.code == 3 and json.loads(done.out)["failed"]
    assert done.err == (
        "tsforecast: 12 of 24 forecasts failed, first naive on series '=1+1': RuntimeError: no luck[U+001B] today\n"
    )
    assert set(contents(tmp_path / "r")) == FILES, "the run is kept"


def test_a_bug_of_ours_is_code_1_with_the_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "run_facts", lambda *a: 1 / 0)
    done = command("backtest", "oil", *BASE, "--quiet")
    assert done.code == 1 and "ZeroDivisionError" in done.err and "please report it" in done.err


def test_ctrl_c_in_the_loop_is_code_130_and_leaves_nothing(
    command: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Naive, "fit", interrupt)
    done = command("backtest", data, *BASE, "--out", tmp_path / "r", "-q")
    assert done == Done(130, "", "tsforecast: interrupted; nothing was written\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_while_a_network_trains_is_code_130_and_leaves_nothing(tmp_path: Path) -> None:
    argv = ["backtest", "oil", "--models", "lstm", "--set", "lstm.training.max_steps=100000", "--out", "r"]
    running = subprocess.Popen(
        [sys.executable, "-m", "tsforecast", *argv], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None and running.stdout.readline().startswith(b"oil: ")
    time.sleep(8)  # the training is under way
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130 and err == b"tsforecast: interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_early_is_no_error() -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "tsforecast", "datasets"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None and running.stderr is not None
    running.stdout.close()
    err = running.stderr.read()
    running.stderr.close()
    assert running.wait() == 0 and err == b""


def test_a_name_that_the_terminal_cannot_spell_is_no_error(data: Path, finished: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tsforecast", "report", str(finished), "--rows", "naive"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        check=True,
    )
    assert b"\\u65e5\\u672c" in done.stdout and done.stderr == b""


# ---- report


def test_report_writes_the_same_bytes_again(command: Command, figures: None, finished: Path, tmp_path: Path) -> None:
    done = command("report", finished, "--out", tmp_path / "report.html")
    assert done == Done(0, f"Report: {tmp_path / 'report.html'}\n", "")
    for name in ("report.html", "report.md", "report.json"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name


def test_report_without_out_replaces_the_report_in_the_run(command: Command, figures: None, finished: Path) -> None:
    before = contents(finished)
    (finished / "report.html").unlink()
    (finished / "report.md").write_text("stale")
    assert command("report", finished).code == 0 and contents(finished) == before


def test_rows_are_the_last_forecasts_with_names_as_they_are(command: Command, finished: Path) -> None:
    done = command("report", finished, "--rows", "naive")
    assert done.code == 0 and done.err == "" and done.out.splitlines()[0] == "id,F1,F2,F3,F4,F5"
    rows = {row["id"]: float(row["F5"]) for row in csv.DictReader(io.StringIO(done.out))}
    table = pd.read_parquet(finished / "forecasts.parquet").query("model == 'naive' and fold == 2 and step == 5")
    assert list(rows) == sorted(IDS)
    assert rows == dict(zip(table["unique_id"], table["forecast"], strict=True)), "every digit"
    assert "did you mean 'naive'?" in command("report", finished, "--rows", "naiv").err


# ---- torch


def imports_of(tmp_path: Path, data: Path, models: str) -> set[str]:
    script = (
        "import sys\nfrom tsforecast.cli import main\n"
        f"sys.argv = ['tsforecast', 'backtest', {str(data)!r}, '--models', {models!r}, '--horizon', '3', "
        f"'--n-windows', '2', '--out', {str(tmp_path / models)!r}, '--quiet']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print(*sorted({'torch', 'pytorch_lightning', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_run_with_naive_and_arima_models_never_imports_torch(tmp_path: Path, data: Path) -> None:
    assert imports_of(tmp_path, data, "naive,seasonal_naive,drift,autoarima") == {"pandas"}


@pytest.mark.slow
def test_a_run_with_a_ridge_imports_torch_but_not_lightning(tmp_path: Path, data: Path) -> None:
    assert imports_of(tmp_path, data, "naive,ridge") == {"pandas", "torch"}
