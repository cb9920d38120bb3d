"""A run that is asked to end says how to go on, and does."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

from tsforecast.cli_exit import leave


def ends_with(number: signal.Signals) -> typer.Typer:
    """A program that is sent a signal."""
    app = typer.Typer()
    app.command()(lambda: signal.raise_signal(number))
    return app


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_end_has_an_exit_code_and_its_handler_is_put_back(
    number: signal.Signals, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    assert leave(ends_with(number), []) == code
    assert capsys.readouterr().err == "tsforecast: interrupted; nothing was written\n"
    assert signal.getsignal(number) == before


def test_the_end_of_a_terminal_ends_nothing_where_it_is_not_to() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert leave(ends_with(signal.SIGHUP), []) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


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
