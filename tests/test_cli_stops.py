"""What the command line says and leaves behind where something fails, is interrupted or goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from commands import BASE, Command, Done, contents

from tsforecast import study
from tsforecast.models.naive import Naive
from tsforecast.store import FILES


def test_a_model_that_fails_is_recorded_and_the_code_is_3(
    command: Command, walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Naive, past: Any, horizon: int, /) -> Any:
        raise RuntimeError("no luck\x1b today")

    monkeypatch.setattr(Naive, "fit", fail)
    done = command("backtest", walks, *BASE, "--out", tmp_path / "r", "--json")
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
    command: Command, walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Naive, "fit", interrupt)
    done = command("backtest", walks, *BASE, "--out", tmp_path / "r", "-q")
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


def test_a_name_that_the_terminal_cannot_spell_is_no_error(walks: Path, finished: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tsforecast", "report", str(finished), "--rows", "naive"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        check=True,
    )
    assert b"\\u65e5\\u672c" in done.stdout and done.stderr == b""
