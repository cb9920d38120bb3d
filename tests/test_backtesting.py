"""The loop: models that fail lose nothing but their own numbers, and a result survives being written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import DAILY, HORIZON, clock, panel, sensors

from tsforecast import progress
from tsforecast.backtesting import run_backtest
from tsforecast.contract import Failure, Forecast
from tsforecast.errors import ConfigError, DataError
from tsforecast.folds import Plan
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.panel import Panel, View
from tsforecast.results import TABLES, BacktestResult

PLAN = Plan(horizon=3, n_windows=4)


@dataclass(frozen=True)
class Says:
    """A model whose whole answer is given: `answer(forecasts of the naive model)`."""

    answer: Callable[[list[Forecast]], Any]
    name = "says"

    def fit(self, past: Panel, horizon: int) -> Says:
        return self

    def predict(self, views: list[View]) -> Any:
        return self.answer(Naive().fit(views[0].past, 3).predict(views))


def each(change: Callable[[Forecast], Any]) -> Says:
    return Says(lambda forecasts: [change(f) for f in forecasts])


def run(data: Panel, plan: Plan = PLAN, **models: Any) -> BacktestResult:
    return run_backtest(data, models, plan)


def test_the_table_has_a_row_for_every_model_fold_series_and_step() -> None:
    result = run(clock((0, 30), (5, 30), freq=DAILY), naive=Naive(), drift=Drift())
    table = result.forecasts
    assert list(table.columns[:8]) == list(TABLES["forecasts"]) and len(table) == 2 * 4 * 2 * 3
    assert result.models == ("naive", "drift")
    first = table.iloc[0]
    assert (first["model"], first["fold"], first["unique_id"], first["step"]) == ("naive", 0, "s0", 1)
    assert (first["cutoff"], first["ds"]) == (pd.Timestamp("1970-01-18"), pd.Timestamp("1970-01-19"))
    assert (first["y"], first["forecast"]) == (18, 17)
    assert (table["ds"] - table["cutoff"] == pd.to_timedelta(table["step"], unit="D")).all()
    drift = table[table["model"] == "drift"]
    np.testing.assert_allclose(drift["forecast"], drift["y"])


def test_every_model_is_given_the_same_rows_and_truth() -> None:
    result = run(sensors(), naive=Naive(), seasonal=SeasonalNaive(), drift=Drift())
    keys = ["fold", "unique_id", "cutoff", "step", "ds", "y"]
    one, *others = (
        result.forecasts[result.forecasts["model"] == m][keys].reset_index(drop=True) for m in result.models
    )
    assert all(one.equals(other) for other in others)


def test_with_a_gap_the_forecast_is_that_of_the_scored_steps() -> None:
    result = run(clock((0, 40)), replace(PLAN, gap=2), drift=Drift())
    assert (result.forecasts["ds"] == result.forecasts["cutoff"] + 2 + result.forecasts["step"]).all()
    np.testing.assert_allclose(result.forecasts["forecast"], result.forecasts["y"])


def test_pasts_tell_what_was_known_at_the_cutoff() -> None:
    values = np.array([1.0, 4, 2, 8, 5, np.nan, 7, 7, 9, 3])
    pasts = run(panel(values), Plan(horizon=2, n_windows=2, train_size=3), naive=Naive()).pasts
    assert pasts["n_train"].tolist() == [3, 3] and pasts["last"].tolist() == [5, 7]
    np.testing.assert_allclose(pasts["scale_abs"], [(3 + 2 + 6 + 3) / 4, (3 + 2 + 6 + 3 + 0) / 5])
    np.testing.assert_allclose(pasts["scale_sq"], [(9 + 4 + 36 + 9) / 4, (9 + 4 + 36 + 9 + 0) / 5])


def explodes(_: list[Forecast]) -> Any:
    raise ValueError("the third matrix is singular\nand more")


def spoiled(forecast: Forecast) -> Forecast:
    point = forecast.point.copy()
    point[0, 1] = np.nan
    return replace(forecast, point=point)


def endless(forecast: Forecast) -> Forecast:
    quantiles = forecast.quantiles.copy()
    quantiles[0, 2, -1] = np.inf
    return replace(forecast, quantiles=quantiles)


def without_first(forecast: Forecast) -> Forecast:
    return replace(
        forecast,
        ids=forecast.ids[1:],
        times=forecast.times[1:],
        point=forecast.point[1:],
        quantiles=forecast.quantiles[1:],
    )


def renamed(forecast: Forecast) -> Forecast:
    return replace(forecast, ids=("elsewhere", *forecast.ids[1:]))


def admitted(forecast: Forecast) -> Forecast:
    return replace(spoiled(forecast), failures=(Failure("s0", "no luck today"),))


@pytest.mark.parametrize(
    ("model", "failed", "reason"),
    [
        (Says(explodes), ["s0", "s1"], "ValueError: the third matrix is singular"),
        (Says(lambda f: f[:-1]), ["s0", "s1"], "AssertionError: 3 forecasts for 4 views"),
        (Says(lambda f: None), ["s0", "s1"], "TypeError: object of type 'NoneType' has no len()"),
        (each(lambda f: f.point), ["s0", "s1"], "the model answered with ndarray, not with a Forecast"),
        (each(lambda f: f.tail(2)), ["s0", "s1"], "the model answered 2 steps, but was asked for 3"),
        (each(spoiled), ["s0"], "the model answered with numbers that are not finite"),
        (each(endless), ["s0"], "the model answered with numbers that are not finite"),
        (each(without_first), ["s0"], "the model left it out of its answer"),
        (each(renamed), ["s0"], "the model left it out of its answer"),
        (each(admitted), ["s0"], "no luck today"),
    ],
    ids=lambda p: p if isinstance(p, str) else "",
)
def test_a_model_that_fails_is_recorded_and_nothing_else_is_lost(model: Says, failed: list[str], reason: str) -> None:
    data = clock((0, 30), (0, 30))
    result = run(data, before=Naive(), bad=model, after=Drift())
    assert set(result.failures["model"]) == {"bad"} and set(result.failures["reason"]) == {reason}
    assert result.failures["unique_id"].tolist() == failed * 4 and sorted(set(result.failures["fold"])) == [0, 1, 2, 3]
    alone = run(data, before=Naive(), after=Drift())
    kept = result.forecasts[result.forecasts["model"] != "bad"].reset_index(drop=True)
    assert kept.equals(alone.forecasts)
    bad = result.forecasts[result.forecasts["model"] == "bad"]
    numbers = bad.drop(columns=["model", "unique_id", "fold", "cutoff", "step", "ds", "y"])
    assert numbers[bad["unique_id"].isin(failed)].isna().all(axis=None)
    assert numbers[~bad["unique_id"].isin(failed)].notna().all(axis=None)
    assert bad["y"].notna().all()


def test_an_answer_in_another_order_is_put_in_order() -> None:
    def turned(f: Forecast) -> Forecast:
        return replace(f, ids=f.ids[::-1], point=f.point[::-1], quantiles=f.quantiles[::-1])

    result = run(clock((0, 30), (100, 130), (0, 30)), replace(PLAN, align="end"), a=Naive(), b=each(turned))
    one, two = (result.forecasts[result.forecasts["model"] == m].reset_index(drop=True) for m in "ab")
    assert one.drop(columns="model").equals(two.drop(columns="model")) and len(result.failures) == 0


def test_errors_about_the_users_data_are_raised() -> None:
    def refuse(_: list[Forecast]) -> Any:
        raise DataError("series 's0' is not for this model")

    with pytest.raises(DataError, match="not for this model"):
        run(clock((0, 30)), bad=Says(refuse))
    with pytest.raises(ConfigError, match="no model to backtest"):
        run(clock((0, 30)))


@dataclass(frozen=True)
class Remembers:
    """Forecasts the last step it was fitted with, as often as it is asked for something of the past."""

    name = "remembers"

    def fit(self, past: Panel, horizon: int) -> RemembersFit:
        return RemembersFit(past.values[past.ends - 1].max(), past.ids)


@dataclass(frozen=True)
class RemembersFit:
    last: float
    ids: tuple[str, ...]

    def predict(self, views: list[View]) -> list[Forecast]:
        assert all(set(view.past.ids) <= set(self.ids) for view in views), "a stranger"
        found = Naive(quantiles=(0.5,)).fit(views[0].past, 3).predict(views)
        return [replace(f, point=np.full_like(f.point, self.last)) for f in found]


@pytest.mark.parametrize(
    ("refit", "fitted_at"), [(False, [0, 0, 0, 0]), (True, [0, 1, 2, 3]), (2, [0, 0, 2, 2]), (3, [0, 0, 0, 3])]
)
def test_refitting_every_k_windows_keeps_what_was_learnt_and_moves_the_history(
    refit: bool | int, fitted_at: list[int]
) -> None:
    result = run(clock((0, 30)), replace(PLAN, refit=refit), model=Remembers())
    assert result.tasks["fitted_at"].tolist() == fitted_at
    assert (result.tasks["fit_seconds"] > 0).tolist() == [k == fitted_at[k] for k in range(4)]
    per_fold = result.forecasts.groupby("fold")
    assert per_fold["forecast"].first().tolist() == [17 + 3 * k for k in fitted_at]  # parameters
    assert per_fold["q0.5"].first().tolist() == [17, 20, 23, 26]  # history


def test_a_series_that_starts_after_the_last_fit_waits_for_the_next_one() -> None:
    data = clock((0, 30), (18, 30))
    late = run(data, model=Remembers())
    assert late.failures["unique_id"].tolist() == ["s1", "s1"] and late.failures["fold"].tolist() == [2, 3]
    assert set(late.failures["reason"]) == {"starts after the last fit; use refit to include it"}
    assert len(run(data, replace(PLAN, refit=True), model=Remembers()).failures) == 0
    assert len(late.forecasts) == (4 + 2) * 3


def test_progress_goes_from_nothing_to_done_and_says_which_model() -> None:
    heard: list[tuple[float, str]] = []

    def reports(forecasts: list[Forecast]) -> list[Forecast]:
        progress.report(0.5)
        return forecasts

    run_backtest(
        clock((0, 30)), {"a": Naive(), "b": Says(reports)}, PLAN, on_progress=lambda f, word: heard.append((f, word))
    )
    assert heard == [(0.0, "a"), (0.5, "b"), (0.75, "b"), (1.0, "done")]


def test_facts_tell_the_plan_and_the_data_and_are_json() -> None:
    data = clock((0, 30), (10, 30), freq=DAILY)
    result = run_backtest(data, {"naive": Naive()}, replace(PLAN, gap=1, train_size=12), facts={"data": "clock.csv"})
    facts = json.loads(json.dumps(dict(result.facts)))
    expected = {
        "data": "clock.csv", "models": ["naive"], "horizon": 3, "n_windows": 4, "step_size": 3, "gap": 1,
        "refit": False, "train_size": 12, "align": "calendar", "freq": "D", "n_series": 2, "n_observations": 50,
        "skipped": {}, "first_time": "1970-01-01", "last_time": "1970-01-30", "data_hash": data.fingerprint(),
    }  # fmt: skip
    assert {key: facts[key] for key in expected} == expected


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    data = sensors((60, 40, 50))
    models = {"naive": Naive(), "week": SeasonalNaive(), "bad": each(spoiled)}
    return run_backtest(data, models, Plan(horizon=3, n_windows=3), facts={"kinds": {"week": "seasonal_naive"}})


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, zone: str | None) -> None:
    data = sensors((60, 40))
    data = replace(data, freq=replace(data.freq, tz=zone))
    saved = run(data, replace(PLAN, refit=2), naive=Naive(), bad=each(spoiled))
    saved.save(tmp_path)
    loaded = BacktestResult.load(str(tmp_path))
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(saved, name))
    assert dict(loaded.facts) == json.loads(json.dumps(dict(saved.facts)))
    assert loaded.scores().equals(saved.scores())


def test_a_folder_that_is_no_run_is_refused_by_name(tmp_path: Path, result: BacktestResult) -> None:
    with pytest.raises(DataError, match=r"not a finished run: facts\.json.* missing"):
        BacktestResult.load(tmp_path)
    result.save(tmp_path)
    (tmp_path / "pasts.parquet").write_bytes(b"half a file")
    with pytest.raises(DataError, match="cannot be read"):
        BacktestResult.load(tmp_path)
    result.pasts.drop(columns="last").to_parquet(tmp_path / "pasts.parquet")
    with pytest.raises(DataError, match=r"pasts\.parquet: columns missing: last"):
        BacktestResult.load(tmp_path)


def test_the_exchange_form_has_a_column_per_model_and_interval(result: BacktestResult) -> None:
    wide = result.to_frame(level=(80,))
    assert list(wide.columns) == ["unique_id", "ds", "cutoff", "y"] + [
        column for m in ("naive", "week", "bad") for column in (m, f"{m}-lo-80", f"{m}-hi-80")
    ]
    assert len(wide) == 3 * 3 * 3 and not wide.duplicated(["unique_id", "cutoff", "ds"]).any()
    table = result.forecasts[result.forecasts["model"] == "week"]
    both = wide.merge(table, on=["unique_id", "cutoff", "ds"], suffixes=("", "_long"))
    assert len(both) == len(wide) and both["week"].equals(both["forecast"]) and both["week-lo-80"].equals(both["q0.1"])
    assert wide.loc[wide["unique_id"] == "s0", "bad"].isna().all()
    with pytest.raises(ConfigError, match=r"level 50: quantile 0\.25 was not forecast"):
        result.to_frame(level=(50,))


def test_rows_have_the_layout_of_the_m4_files(result: BacktestResult) -> None:
    rows = result.to_rows("naive")
    assert list(rows.columns) == ["id", "F1", "F2", "F3"] and rows["id"].tolist() == ["s0", "s1", "s2"]
    last = result.forecasts[(result.forecasts["model"] == "naive") & (result.forecasts["fold"] == 2)]
    assert rows.iloc[1, 1:].tolist() == last.loc[last["unique_id"] == "s1", "forecast"].tolist()
    assert result.to_rows("bad", fold=0).isna().sum().tolist() == [0, 1, 1, 1]
    with pytest.raises(ConfigError, match="did you mean 'naive'"):
        result.to_rows("naiv")
    with pytest.raises(ConfigError, match="there is no fold 3"):
        result.to_rows("naive", fold=3)


def test_the_history_for_plots_ends_with_the_first_cutoff() -> None:
    result = run_backtest(clock((0, 40)), {"naive": Naive()}, replace(PLAN, horizon=HORIZON))
    assert result.history["y"].tolist() == list(range(10, 20))
