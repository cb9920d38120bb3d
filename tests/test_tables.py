"""The tables of a result: of many origins few are made, and no row depends on how many are made at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest
from cases import SMALL, panel, sensors

from tsforecast.backtesting import run_backtest
from tsforecast.contract import FittedModel
from tsforecast.folds import Plan
from tsforecast.models.arima import ARIMA
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Naive
from tsforecast.models.recurrent import LSTM
from tsforecast.panel import Panel
from tsforecast.results import TABLES, BacktestResult
from tsforecast.running import sinks
from tsforecast.running import tables as room


@dataclass(frozen=True)
class Moody:
    """Fails on every third length, and then answers without quantiles."""

    quantiles = (0.1, 0.5, 0.9)
    name = "moody"

    def fit(self, past: Panel, horizon: int) -> FittedModel:
        if past.lengths[0] % 3 == 0:
            raise ValueError("not today")
        return Naive().fit(past, horizon)


def run(data: Panel, plan: Plan) -> BacktestResult:
    models: dict[str, Any] = {"naive": Naive(), "arima": ARIMA(order=(1, 0, 0)), "moody": Moody()}
    return run_backtest(data, models | {"lstm": LSTM(**SMALL | {"n_seeds": 2, "linear": False})}, plan)


@pytest.mark.parametrize(
    ("plan", "failures"),
    [
        (Plan(horizon=5, n_windows=6, step_size=3), 0),
        (Plan(horizon=5, n_windows=3, step_size=1, refit=True), 3),
        (Plan(horizon=5, n_windows=4, step_size=2, gap=2, refit=2), 6),
    ],
)
def test_tables_of_several_folds_have_the_rows_of_tables_of_one_in_their_order(
    plan: Plan, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sensors((120, 90, 104))
    together = run(data, plan)
    assert together.members["seed"].nunique() == 2 and len(together.notes) and len(together.curves)
    assert len(together.failures) == failures
    monkeypatch.setattr(room, "BATCH", 1)
    monkeypatch.setattr(room, "BLOCK", 1)
    apart = run(data, plan)
    assert apart.facts["digest"] == together.facts["digest"]
    for name in TABLES:
        one, other = (getattr(found, name).drop(columns=["fit_seconds", "predict_seconds"], errors="ignore")
                      for found in (apart, together))  # fmt: skip
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_hundred_origins_take_as_many_tables_as_their_rows_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[str]()
    kept = sinks._shaped

    def counted(name: str, frame: pd.DataFrame, levels: Any) -> pd.DataFrame:
        made.append(name)
        return kept(name, frame, levels)

    monkeypatch.setattr(sinks, "_shaped", counted)
    plan = Plan(horizon=4, n_windows=100, step_size=1)
    result = run_backtest(panel(range(200)), {"ridge": Ridge(input_size=8)}, plan)
    assert len(result.forecasts) == 400 and len(result.tasks) == len(result.pasts) == len(result.notes) == 100
    assert [made.count(name) for name in ("pasts", "forecasts", "tasks", "notes")] == [1, 1, 1, 1]
    made.clear()
    monkeypatch.setattr(room, "BATCH", 40)  # rows: ten origins of four steps
    again = run_backtest(panel(range(200)), {"ridge": Ridge(input_size=8)}, plan)
    assert again.facts["digest"] == result.facts["digest"]
    assert made.count("forecasts") == 10
