"""Scores against plain pandas on the tidy table and utilsforecast on the wide one, and the common rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import utilsforecast.losses as ufl
from cases import panel, sensors
from utilsforecast.evaluation import evaluate

from tsforecast.backtesting import run_backtest
from tsforecast.contract import Forecast
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.judging import metrics
from tsforecast.judging.rowwise import DECILES
from tsforecast.judging.scores import origin_losses
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.models.naive2 import Naive2
from tsforecast.panel import Panel, View
from tsforecast.results import BacktestResult, quantile_columns
from tsforecast.synthetic import synthetic_sensors

PLAN = Plan(horizon=4, n_windows=5)
EVEN = [f"q{q}" for q in DECILES]


@dataclass(frozen=True)
class Changed:
    """The naive model with its forecasts changed, told their place in the order of the folds."""

    change: Callable[[int, Forecast], Forecast]
    name = "changed"

    def fit(self, past: Panel, horizon: int) -> Changed:
        return self

    def predict(self, views: list[View]) -> list[Forecast]:
        forecasts = Naive().fit(views[0].past, 4).predict(views)
        return [self.change(k, forecast) for k, forecast in enumerate(forecasts)]


def without(*rows: tuple[int, int]) -> Changed:
    """Has no forecast of these (fold, series)."""

    def change(fold: int, forecast: Forecast) -> Forecast:
        point = forecast.point.copy()
        point[[i for k, i in rows if k == fold]] = np.nan
        return replace(forecast, point=point)

    return Changed(change)


def exact(share: float) -> Changed:
    """Errors of a known size: the naive forecast times a share."""
    return Changed(lambda _, f: replace(f, point=f.point * share, quantiles=f.quantiles * share))


def run(data: Panel, plan: Plan = PLAN, **models: Any) -> BacktestResult:
    return run_backtest(data, models, plan, facts={"kinds": {name: model.name for name, model in models.items()}})


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    data = sensors((90, 60, 70))
    values = data.values.copy()
    values[data.ends[0] - 6] = np.nan  # a step to forecast that was not observed
    data = replace(data, values=values)
    return run(data, naive=Naive(), week=SeasonalNaive(), drift=Drift(), naive2=Naive2())


def by_hand(result: BacktestResult) -> pd.DataFrame:
    """Every metric per model, series and fold, by plain pandas on the tidy table."""
    table = result.forecasts.merge(result.pasts.drop(columns="cutoff"), on=["fold", "unique_id"])
    table = table[table["y"].notna()]
    error, q = table["y"] - table["forecast"], quantile_columns(table)
    deciles = {level: table[name] for level, name in q.items() if name in EVEN}
    pinball = sum((table["y"] - f) * (k - (table["y"] < f)) for k, f in deciles.items()) / len(deciles)
    rising = np.sign(table["y"] - table["last"])
    frame = table[["model", "unique_id", "fold"]].assign(
        mase=error.abs() / table["scale_abs"],
        mae=error.abs(),
        mse=error**2,
        bias=-error,
        smape=200 * error.abs() / (table["y"].abs() + table["forecast"].abs()),
        msse=error**2 / table["scale_sq"],
        crps=2 * pinball,
        directional=(1 + rising * np.sign(table["forecast"] - table["last"])) / 2,
        coverage_80=((table["q0.1"] <= table["y"]) & (table["y"] <= table["q0.9"])).astype(float),
        width_95=table["q0.975"] - table["q0.025"],
        winkler_80=table["q0.9"]
        - table["q0.1"]
        + 10 * ((table["q0.1"] - table["y"]).clip(lower=0) + (table["y"] - table["q0.9"]).clip(lower=0)),
        size=table["y"].abs(),
        loss=2 * pinball,
    )
    return frame.groupby(["model", "unique_id", "fold"], sort=False).agg(
        {**dict.fromkeys(frame.columns[3:-2], "mean"), "mae": ["mean", "sum"], "size": "sum", "loss": "sum"}
    )


def test_averages_are_those_of_plain_pandas_on_the_tidy_table(result: BacktestResult) -> None:
    rows = by_hand(result)
    for by in (["model"], ["model", "unique_id"], ["model", "fold"], ["model", "unique_id", "fold"]):
        scores = result.scores(by).set_index(by)
        groups = rows.groupby(by)
        for name in ("mase", "mae", "bias", "smape", "crps", "directional", "coverage_80", "width_95", "winkler_80"):
            expected = groups[[(name, "mean")]].mean().iloc[:, 0]
            np.testing.assert_allclose(scores[name], expected[scores.index], rtol=1e-10, err_msg=name)
        for name, square in (("rmse", "mse"), ("rmsse", "msse")):
            expected = np.sqrt(groups[[(square, "mean")]].mean().iloc[:, 0])
            np.testing.assert_allclose(scores[name], expected[scores.index], rtol=1e-10)
        sums = groups[[("mae", "sum"), ("loss", "sum"), ("size", "sum")]].sum()
        np.testing.assert_allclose(scores["wape"], (sums.iloc[:, 0] / sums.iloc[:, 2])[scores.index], rtol=1e-10)
        np.testing.assert_allclose(scores["wql"], (sums.iloc[:, 1] / sums.iloc[:, 2])[scores.index], rtol=1e-10)
        assert (scores["n"] == (15 if by == ["model"] else groups.size()[scores.index])).all()


def test_scores_by_step_average_to_the_scores() -> None:
    whole = run(sensors(), naive=Naive(), week=SeasonalNaive())
    steps = whole.scores(("model", "step"))
    assert steps["step"].tolist() == [1, 2, 3, 4] * 2
    for name in ("mae", "mase", "bias", "smape", "crps", "winkler_95"):
        together = whole.scores().set_index("model")[name]
        np.testing.assert_allclose(steps.groupby("model")[name].mean(), together.sort_index())


def test_utilsforecast_gives_the_same_scores_from_the_exchange_form(result: BacktestResult) -> None:
    wide = result.to_frame(level=(80,))
    models = list(result.models)
    theirs = evaluate(wide.dropna(subset="y"), [ufl.mae, ufl.rmse, ufl.smape, ufl.bias], models=models)
    ours = result.scores(("model", "unique_id", "fold")).merge(result.pasts, on=["fold", "unique_id"])
    table = theirs.melt(["unique_id", "cutoff", "metric"], var_name="model")
    for name, factor in (("mae", 1), ("rmse", 1), ("smape", 200), ("bias", 1)):
        both = ours.merge(table[table["metric"] == name], on=["unique_id", "cutoff", "model"])
        assert len(both) == len(ours)
        np.testing.assert_allclose(both[name], both["value"] * factor, rtol=1e-9)


def test_wql_and_crps_use_the_deciles_whatever_else_was_forecast() -> None:
    """The outer levels of intervals would count the tails twice."""
    data = sensors()
    full = run(data, m=Naive()).scores()
    bare = run(data, m=Naive(quantiles=DECILES)).scores()
    np.testing.assert_allclose(full[["wql", "crps"]], bare[["wql", "crps"]], rtol=1e-12)
    other = run(data, m=Naive(quantiles=(0.25, 0.5, 0.75)))
    y = other.forecasts["y"].to_numpy().reshape(-1, 4)
    q = other.forecasts[["q0.25", "q0.5", "q0.75"]].to_numpy().reshape(-1, 4, 3)
    assert other.scores()["crps"].item() == pytest.approx(metrics.crps(y, q, (0.25, 0.5, 0.75)).mean())
    assert "coverage_80" not in other.scores()


def test_a_model_without_quantiles_has_no_quantile_scores_and_not_perfect_ones() -> None:
    def bare(_: int, f: Forecast) -> Forecast:
        return replace(f, levels=(), quantiles=f.quantiles[:, :, :0])

    alone, beside = run(sensors(), m=Changed(bare)), run(sensors(), m=Changed(bare), naive=Naive())
    assert alone.scores()[["wql", "crps"]].isna().all(axis=None)
    assert beside.scores().set_index("model")[["wql", "crps", "coverage_80"]].isna().all(axis=1).tolist() == [
        True,
        False,
    ]
    assert beside.scores()["mae"].nunique() == 1 and (beside.scores()["n"] == 15).all()


def test_only_what_every_model_has_forecast_is_scored() -> None:
    whole = run(sensors(), naive=Naive(), shy=without((0, 1), (3, 0), (3, 1), (3, 2)))
    table = whole.scores().set_index("model")
    assert table["n"].tolist() == [11, 11] and table["failed"].tolist() == [0, 4]
    assert table.loc["naive", "mae"] == table.loc["shy", "mae"]
    folds = whole.scores(("model", "fold")).set_index(["model", "fold"])
    assert folds.loc["shy", "n"].tolist() == [2, 3, 3, 0, 3] and folds.loc["shy", "failed"].tolist() == [1, 0, 0, 3, 0]
    assert folds.loc["naive", "mae"].isna().tolist() == [False, False, False, True, False]
    assert origin_losses(whole)[0].index.tolist() == [0, 1, 2, 4]
    alone = run(sensors(), naive=Naive()).scores()["mae"].item()
    assert table.loc["naive", "mae"] != alone


def test_what_is_undefined_is_nan_is_left_out_of_means_and_has_a_reason() -> None:
    rng = np.random.default_rng(0)
    flat, zeros = np.full(40, 7.0), rng.normal(size=40)
    flat[-4:], zeros[-20:] = [8, 9, 8, 9], 0.0
    plain = rng.normal(size=40)
    plain[-4:] = np.nan  # nothing of the last fold was observed
    whole = run(panel(flat, zeros, plain), naive=Naive(), drift=Drift())
    table = whole.undefined()
    found = {(r.unique_id, r.metric): r.reason for r in table[table["model"] == "naive"].itertuples()}
    assert found == {
        ("s0", "mase"): "the past never changes at lag 1",
        ("s0", "rmsse"): "the past never changes at lag 1",
        ("s0", "directional"): "no value differs from the last one before the cutoff",
        ("s1", "wape"): "all values to forecast are zero",
        ("s1", "directional"): "no value differs from the last one before the cutoff",
    }
    assert set(table.columns) == {"model", "unique_id", "fold", "metric", "reason"}
    assert len(table[(table["unique_id"] == "s0") & (table["metric"] == "mase")]) == 2 * 5
    scores = whole.scores(("model", "unique_id")).set_index(["model", "unique_id"])
    assert np.isnan(scores.loc[("naive", "s0"), "mase"]) and scores.loc[("naive", "s0"), "n"] == 5
    np.testing.assert_allclose(
        whole.scores().set_index("model").loc["naive", "mase"],
        whole.scores(("model", "unique_id", "fold")).query("model == 'naive'")["mase"].mean(),
    )


def test_owa_holds_every_model_against_naive2_of_the_same_group(result: BacktestResult) -> None:
    for by in (("model",), ("model", "fold"), ("model", "step")):
        table = result.scores(by)
        keys = [k for k in by if k != "model"]
        mine = table[table["model"] == "naive2"]
        np.testing.assert_allclose(mine["owa"], 1)
        other = table[table["model"] == "week"].merge(mine, on=keys or None, how="inner" if keys else "cross")
        ratio = (other["smape_x"] / other["smape_y"] + other["mase_x"] / other["mase_y"]) / 2
        np.testing.assert_allclose(other["owa_x"], ratio)
    assert run(sensors(), naive=Naive()).scores()["owa"].isna().all()


def test_grouping_by_something_else_is_refused(result: BacktestResult) -> None:
    with pytest.raises(ConfigError, match="cannot group by 'series'"):
        result.scores(("series",))
    assert list(result.scores(("fold",)).columns[:2]) == ["model", "fold"]


def test_without_any_scale_origins_are_compared_by_their_absolute_errors() -> None:
    data = panel(np.append(np.full(30, 5.0), [6, 7, 8, 9]))
    losses, name = origin_losses(run(data, Plan(horizon=4, n_windows=2), naive=Naive(), week=SeasonalNaive()))
    assert name == "mae" and losses.loc[1, "naive"] == pytest.approx(2.5)


def test_a_model_that_fails_everywhere_has_no_scores_and_takes_none_from_the_others() -> None:
    class Broken:
        name = "broken"

        def fit(self, past: Panel, horizon: int) -> object:
            raise ValueError("no licence")

    panel = Panel.from_frame(synthetic_sensors(n_series=2, n_steps=400, seed=1))
    alone = run_backtest(panel, {"naive": Naive(), "seasonal": SeasonalNaive()}, Plan(horizon=6, n_windows=3))
    models = {"naive": Naive(), "seasonal": SeasonalNaive(), "broken": Broken()}
    both = run_backtest(panel, models, Plan(horizon=6, n_windows=3))
    scores = both.scores()
    pd.testing.assert_frame_equal(scores[scores["model"] != "broken"], alone.scores(), check_dtype=False)
    broken = scores[scores["model"] == "broken"].iloc[0]
    assert broken["failed"] == 6
    assert broken[["mase", "mae", "wape", "wql", "coverage_80"]].isna().all()
    words = {c.model: c.word for c in both.comparisons()}
    assert words["broken"] == "invalid" and words["seasonal"] == "too few origins"
