"""Training leaves no trace elsewhere: nothing printed, no file, no generator moved, Ctrl-C as it was."""

from __future__ import annotations

import logging
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import LED, sensors

from tsforecast.models.recurrent import LSTM
from tsforecast.models.training import ForecastModule

HERE = Path(__file__).parent


def test_training_prints_nothing_writes_nothing_and_leaves_every_random_generator_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    loggers = [logging.getLogger(name) for name in (None, "pytorch_lightning", "lightning", "torch")]
    before = [(log.level, list(log.handlers)) for log in loggers]
    torch.manual_seed(11), np.random.seed(12), random.seed(13)  # noqa: NPY002
    states = torch.random.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    threads, kind = torch.get_num_threads(), torch.get_default_dtype()
    past = sensors()
    LSTM(**LED).fit(past, 5).predict(past)
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1] and random.getstate() == states[2]  # noqa: NPY002
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, kind)
    assert [(log.level, list(log.handlers)) for log in loggers] == before
    assert list(tmp_path.iterdir()) == []
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err == ""


def test_ctrl_c_in_a_training_is_a_keyboard_interrupt_and_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)

    def press(self: ForecastModule, *batch: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ForecastModule, "penalised", press)
    with pytest.raises(KeyboardInterrupt):
        LSTM(**LED).fit(sensors(), 4)
    assert signal.getsignal(signal.SIGINT) is before


TERMINATED = """
import signal
from cases import LED, sensors
from tsforecast.backtesting import run_backtest
from tsforecast.folds import Plan
from tsforecast.models.recurrent import LSTM
from tsforecast.models.training import ForecastModule

def terminated(self, *batch):
    signal.raise_signal(signal.SIGTERM)
    return given(self, *batch)

given, ForecastModule.penalised = ForecastModule.penalised, terminated
result = run_backtest(sensors(), {"lstm": LSTM(**LED)}, Plan(horizon=4))
print(len(result.failures), "failures")
"""


def test_sigterm_in_a_training_ends_the_process_and_is_no_failure_of_the_model() -> None:
    ended = subprocess.run([sys.executable, "-c", TERMINATED], cwd=HERE, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, ""), ended.stderr


def test_where_the_program_has_a_handler_for_sigterm_that_is_called_and_training_ends_as_by_ctrl_c(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = list[int]()
    before = signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    given = ForecastModule.penalised

    def terminated(self: ForecastModule, *batch: Any) -> Any:
        if not called:
            signal.raise_signal(signal.SIGTERM)
        return given(self, *batch)

    monkeypatch.setattr(ForecastModule, "penalised", terminated)
    try:
        handler = signal.getsignal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            LSTM(**LED).fit(sensors(), 4)
        assert called == [signal.SIGTERM] and signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)
