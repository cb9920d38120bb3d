"""The persistence check: it names a copy of the last value, and lets a forecast that knows something pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import FailsOn, panel_of, trends, walks

from tsforecast.api import backtest
from tsforecast.backtesting import run_backtest
from tsforecast.contract import Forecast
from tsforecast.folds import Plan
from tsforecast.judging.persistence import _Copy, changes, persistence
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.panel import Panel
from tsforecast.results import TABLES, BacktestResult


class Says:
    """Answers with a function of what a naive forecast is `[N, H]`."""

    name = "says"

    def __init__(self, rule: Callable[[np.ndarray], np.ndarray]) -> None:
        self.rule = rule

    def fit(self, past: Panel, horizon: int) -> Says:
        self.naive = Naive().fit(past, horizon)
        return self

    def predict(self, views: Any) -> list[Forecast]:
        return [replace(f, point=self.rule(f.point)) for f in self.naive.predict(list(views))]


def noisy(size: float) -> Says:
    rng = np.random.default_rng(7)
    return Says(lambda last: last + size * rng.normal(size=last.shape))


def judged(panel: Panel, horizon: int = 4, n_windows: int = 30, **models: Any) -> pd.DataFrame:
    return persistence(run_backtest(panel, models, Plan(horizon=horizon, n_windows=n_windows))).set_index("model")


def ar1(coefficient: float, steps: int = 400) -> Panel:
    rng = np.random.default_rng(3)
    y = np.zeros(steps)
    for t in range(1, steps):
        y[t] = coefficient * y[t - 1] + rng.normal()
    return panel_of({"a": y})


def test_the_numbers_are_those_worked_out_by_hand() -> None:
    # last values 2 and 6; truths 3, 5 and 5, 9; forecasts 2.5, 3 and 6.5, 7. Scale of both rows: 2.
    forecasts = pd.DataFrame(
        {
            "model": "m",
            "fold": [0, 0, 1, 1],
            "unique_id": "a",
            "cutoff": [0, 0, 1, 1],
            "step": [1, 2, 1, 2],
            "ds": [1, 2, 2, 3],
            "y": [3.0, 5.0, 5.0, 9.0],
            "forecast": [2.5, 3.0, 6.5, 7.0],
        }
    )
    pasts = pd.DataFrame(
        {"fold": [0, 1], "unique_id": "a", "cutoff": [0, 1], "last": [2.0, 6.0], "scale_abs": 2.0, "scale_sq": 4.0}
    )
    empty = pd.DataFrame()
    facts = {"models": ["m"], "horizon": 2, "season_length": 1}
    tables = dict.fromkeys(set(TABLES) - {"forecasts", "pasts"}, empty)
    result = BacktestResult(forecasts=forecasts, pasts=pasts, facts=facts, **tables)
    row = persistence(result).iloc[0]
    # changes: predicted .5, 1, .5, 1 and actual 1, 3, -1, 3, each / 2; errors .5, 2, 1.5, 2
    assert row["skill"] == pytest.approx(1 - 6 / 8)
    assert row["slope"] == pytest.approx((0.5 + 3 - 0.5 + 3) / 20)
    assert row["size"] == pytest.approx(3 / 8)
    assert row["corr_now"] == pytest.approx(np.corrcoef([2.5, 3, 6.5, 7], [3, 5, 5, 9])[0, 1])
    assert row["corr_before"] == pytest.approx(np.corrcoef([2.5, 3, 6.5, 7], [2, 2, 6, 6])[0, 1])
    assert changes(result, "m").predicted.tolist() == [0.25, 0.5, 0.25, 0.5]
    assert changes(result, "m").actual.tolist() == [0.5, 1.5, -0.5, 1.5]


@pytest.mark.parametrize("horizon", [1, 6])
def test_the_last_value_with_or_without_a_little_noise_is_flagged(horizon: int) -> None:
    found = judged(walks(("a", "b"), steps=400), horizon, naive=Naive(), noise=noisy(0.1), shrunk=Says(lambda x: x))
    assert found["flagged"].tolist() == [True, True, True]
    assert found.loc["naive", "skill"] == 0 and found.loc["naive", "slope"] == 0
    assert found.loc["naive", "corr_before"] == pytest.approx(1)
    assert (found["corr_before"] > found["corr_now"]).all()
    assert found.loc["naive", "sentence"] == "naive is the last value, repeated."
    assert found.loc["noise", "sentence"].startswith("noise repeats the last value: its error is ")


def test_a_forecast_that_is_nearly_the_last_value_is_not_said_to_be_another() -> None:
    """Its error is a little smaller, by more than the margin: no copy, but hardly more than one."""
    close = _Copy(skill=0.025, corr_now=0.98, corr_before=0.9999, slope=0.01, size=0.08)
    assert not close.flagged and close.sentence("lstm").startswith("lstm says little more than the last value: its")
    own = replace(close, slope=0.6, size=0.7)
    assert own.sentence("lstm").startswith("lstm does not repeat the last value: its error is 2.5 % smaller")
    assert replace(close, skill=0.01).flagged


def test_a_forecast_with_skill_is_not_flagged() -> None:
    week = np.tile([0.0, 4.0, 8.0, 6.0, 5.0, 1.0, -3.0], 60) + np.random.default_rng(0).normal(size=420)
    seasonal = judged(panel_of({"a": week}), naive=Naive(), seasonal_naive=SeasonalNaive())
    assert seasonal["flagged"].to_dict() == {"naive": True, "seasonal_naive": False}
    assert seasonal.loc["seasonal_naive", "skill"] > 0.5 and seasonal.loc["seasonal_naive", "slope"] > 0.7
    steps = np.arange(1, 5)
    ar = judged(ar1(0.5), naive=Naive(), ar=Says(lambda last: last * 0.5**steps))
    assert ar["flagged"].to_dict() == {"naive": True, "ar": False} and ar.loc["ar", "skill"] > 0.1
    trend = judged(trends(("a", "b"), steps=200), naive=Naive(), drift=Drift())
    assert trend["flagged"].to_dict() == {"naive": True, "drift": False}


def test_a_forecast_that_is_wrong_in_its_own_way_is_no_copy() -> None:
    found = judged(walks(("a",), steps=400), naive=Naive(), wild=noisy(6.0))
    assert not found.loc["wild", "flagged"] and found.loc["wild", "skill"] < -0.5
    assert "does not repeat the last value, but comes no closer" in found.loc["wild", "sentence"]


def test_what_a_copy_lost_is_not_excused() -> None:
    found = judged(walks(("a",), steps=400), naive=Naive(), noise=noisy(0.6))
    assert found.loc["noise", "flagged"] and found.loc["noise", "skill"] < -0.02
    assert found.loc["noise", "sentence"].endswith("here the last value itself came closer.")


def test_different_levels_of_series_do_not_make_forecasts_look_right() -> None:
    rng = np.random.default_rng(0)
    flat = panel_of({name: 1000.0 * i + rng.normal(size=200) for i, name in enumerate(("a", "b", "c"))})
    found = judged(flat, horizon=1, naive=Naive())
    assert abs(found.loc["naive", "corr_now"]) < 0.3
    pooled = run_backtest(flat, {"naive": Naive()}, Plan(horizon=1, n_windows=30)).forecasts
    assert np.corrcoef(pooled["forecast"], pooled["y"])[0, 1] > 0.99, "control: about one mean they correlate"


def test_with_one_origin_the_correlations_have_no_say() -> None:
    found = judged(walks(("a", "b")), n_windows=1, naive=Naive(), noise=noisy(0.1))
    assert found["corr_before"].isna().tolist() == [True, True] and found["flagged"].all()
    assert "correlation nan" not in " ".join(found["sentence"])


def test_a_model_without_forecasts_and_a_series_without_changes_say_nothing() -> None:
    found = judged(walks(("a",)), n_windows=4, naive=Naive(), broken=FailsOn("a"))
    assert found.loc["naive", "flagged"] and not found.loc["broken", "flagged"]
    assert found.loc["broken", "sentence"].startswith("broken cannot be held against the last value")
    flat = judged(panel_of({"a": np.ones(60)}), n_windows=4, naive=Naive())
    assert np.isnan(flat.loc["naive", "skill"]) and not flat.loc["naive", "flagged"]


def test_where_the_past_did_not_move_the_future_gives_the_unit() -> None:
    y = np.append(np.ones(60), 1 + np.arange(1.0, 5.0))
    result = run_backtest(panel_of({"a": y}), {"naive": Naive()}, Plan(horizon=4, n_windows=1))
    assert result.pasts["scale_abs"].tolist() == [0.0]
    assert changes(result, "naive").actual.tolist() == [0.4, 0.8, 1.2, 1.6]


@cache
def walk_result() -> BacktestResult:
    return run_backtest(walks(("a", "b")), {"naive": Naive(), "drift": Drift()}, Plan(horizon=3, n_windows=8))


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(1e-3, 1e6), shift=st.floats(-1e3, 1e3))
def test_units_do_not_matter(scale: float, shift: float) -> None:
    result = walk_result()
    forecasts, pasts = result.forecasts.copy(), result.pasts.copy()
    forecasts[["y", "forecast"]] = forecasts[["y", "forecast"]] * scale + shift
    pasts["last"], pasts["scale_abs"] = pasts["last"] * scale + shift, pasts["scale_abs"] * scale
    other = persistence(replace(result, forecasts=forecasts, pasts=pasts))
    numbers = ["skill", "corr_now", "corr_before", "slope", "size"]
    pd.testing.assert_frame_equal(other[numbers], persistence(result)[numbers], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("data", [pytest.param("weather", marks=pytest.mark.slow), "air_passengers"])
def test_on_real_seasons_only_the_last_value_is_flagged(data: str) -> None:
    found = persistence(backtest(data, "ridge,naive,seasonal_naive", season_length=None)).set_index("model")
    assert found["flagged"].to_dict() == {"ridge": False, "naive": True, "seasonal_naive": False}


def test_on_oil_prices_ridge_is_the_last_value() -> None:
    found = persistence(backtest("oil", "ridge,naive")).set_index("model")
    assert found["flagged"].all() and abs(found.loc["ridge", "skill"]) < 0.02
