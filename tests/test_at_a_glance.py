"""What a person sees who types the name of a result, or prints it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from tsforecast.results import BacktestResult

FRAME = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=80), "y": np.random.default_rng(0).normal(50, 5, 80)})


def test_a_result_an_audit_and_a_plan_say_in_few_words_what_they_are() -> None:
    asked = {"models": ["naive", "drift"], "horizon": 2, "n_windows": 3}
    assert repr(tsf.backtest(FRAME, **asked)) == "BacktestResult(naive, drift: 1 series, 3 origins, 2 steps ahead)"
    assert str(tsf.audit(FRAME, **asked)).startswith("The audit passed: ")
    said = str(tsf.plan(FRAME, **asked))
    assert said.startswith("From origin to origin ") and len(said.splitlines()) > 2


def test_a_run_that_was_stopped_is_not_called_a_wrong_folder(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(tsf.DataError, match=r"or go on with it: tsforecast status .* says how"):
        BacktestResult.load(tmp_path)
    with pytest.raises(tsf.DataError, match=r"give the folder of --out$"):
        BacktestResult.load(tmp_path / "elsewhere")
