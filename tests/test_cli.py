"""The command line, as a person or a script meets it: exit codes, streams, what goes before what."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest
from commands import BASE, WALKS, Command, Done

from tsforecast import __version__, results, terminal
from tsforecast.yaml_files import load_yaml

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
    command: Command, walks: Path, tmp_path: Path
) -> None:
    done = command("backtest", walks, *BASE, "--out", tmp_path / "r")
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


def test_quiet_prints_nothing(command: Command, walks: Path, tmp_path: Path) -> None:
    assert command("backtest", walks, *BASE, "--out", tmp_path / "r", "--quiet") == Done(0, "", "")
    assert (tmp_path / "r" / "report.html").exists()


def test_json_is_one_document_on_stdout_and_nothing_else(command: Command, walks: Path, tmp_path: Path) -> None:
    done = command("backtest", walks, *BASE, "--out", tmp_path / "r", "--json")
    found = json.loads(done.out)
    assert done.code == 0 and done.err == "" and done.out.count("\n") == 1
    assert found["report"] == str(tmp_path / "r" / "report.html") and found["answers"]
    assert {row["model"] for row in found["summary"]} == {"naive", "drift"}
    assert {row["unique_id"] for row in found["by_series"]} == set(WALKS), "names verbatim"


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


def test_a_flag_goes_before_the_config_and_set_before_both(command: Command, walks: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {walks}\nhorizon: 2\nn_windows: 2\ngap: 1\nmodels: [naive, drift]\ncalendar: [month]\n")
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
