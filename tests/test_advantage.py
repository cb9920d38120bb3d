"""When does it win: gains that add up to the effect of the comparison, and intervals that know their number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from scipy import stats
from small_runs import FailsOn, panel_of, trends, walks

from tsforecast.backtesting import run_backtest
from tsforecast.folds import Plan
from tsforecast.judging.persistence import Changes
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.reporting.advantage import advantage
from tsforecast.reporting.style import Picture, Style
from tsforecast.reporting.verdict_plots import LOST, plot_changes, plot_gain_by_origin, plot_gain_by_step
from tsforecast.results import BacktestResult

MODELS = {"drift": Drift(), "naive": Naive(), "seasonal_naive": SeasonalNaive()}


def result_of(panel: Any = None, models: dict[str, Any] | None = None, **plan: Any) -> BacktestResult:
    panel = walks(("a", "b", "c"), steps=160) if panel is None else panel
    return run_backtest(panel, models or MODELS, Plan(**{"horizon": 4, "n_windows": 22} | plan))


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return result_of()


def test_the_mean_gain_is_the_effect_of_the_comparison(result: BacktestResult) -> None:
    for model in ("drift", "seasonal_naive"):
        gains = advantage(result, model, "naive", "mase").by_origin
        [effect] = [c.effect_percent for c in result.comparisons("naive") if c.model == model]
        assert gains["gain_percent"].mean() == pytest.approx(effect, rel=1e-12)
        assert gains["running_percent"].iloc[-1] == pytest.approx(effect, rel=1e-12)
        assert gains["running_percent"].iloc[1] == pytest.approx(gains["gain_percent"].iloc[:2].mean(), rel=1e-12)
        assert gains["cutoff"].tolist() == sorted(set(result.pasts["cutoff"]))


@pytest.mark.parametrize("loss", ["mase", "mae"])
def test_gains_by_step_are_those_of_the_scores_and_their_interval_is_no_narrower_than_that_of_t(
    result: BacktestResult, loss: str
) -> None:
    scores = result.scores(by=("model", "fold", "step")).set_index(["model", "step", "fold"])[loss]
    found = advantage(result, "drift", "naive", loss).by_step.set_index("step")
    for step in range(1, 5):
        own, theirs = scores["drift", step].to_numpy(), scores["naive", step].to_numpy()
        gains = (theirs - own) / theirs.mean() * 100
        reach = stats.t.ppf(0.975, len(gains) - 1) * stats.sem(gains)
        mean, low, high = found.loc[step]
        assert mean == pytest.approx(gains.mean(), rel=1e-9) and high - mean == pytest.approx(mean - low)
        assert reach * (1 - 1e-9) < high - mean < 3 * reach


def test_with_one_step_the_interval_by_step_is_that_of_the_comparison() -> None:
    single = result_of(horizon=1, step_size=1, n_windows=40)
    for model in ("drift", "seasonal_naive"):
        [whole] = [c for c in single.comparisons("naive") if c.model == model]
        [found] = advantage(single, model, "naive", "mase").by_step.itertuples()
        seen = (found.gain_percent, found.low_percent, found.high_percent)
        assert seen == pytest.approx((whole.effect_percent, whole.low_percent, whole.high_percent), rel=1e-9)


def test_where_origins_overlap_the_interval_is_wider() -> None:
    overlapping = result_of(step_size=1, n_windows=40)
    found = advantage(overlapping, "drift", "naive", "mase").by_step.set_index("step")
    scores = overlapping.scores(by=("model", "fold", "step")).query("step == 4")
    wide = scores.pivot_table(index="fold", columns="model", values="mase")
    alone = stats.sem((wide["naive"] - wide["drift"]) / wide["naive"].mean() * 100) * 2 * stats.t.ppf(0.975, 39)
    width = found.loc[4, "high_percent"] - found.loc[4, "low_percent"]
    assert width > 1.9 * alone, "four origins share each step: they are worth a quarter"


def test_few_origins_have_no_interval() -> None:
    found = advantage(result_of(n_windows=7), "drift", "naive", "mase")
    assert found.by_step["low_percent"].isna().all() and found.by_step["gain_percent"].notna().all()
    assert len(found.by_origin) == 7


def test_series_that_a_model_failed_on_count_for_none() -> None:
    panel = walks(("a", "b"), steps=120)
    spoiled = result_of(panel, {"drift": Drift(), "naive": Naive(), "broken": FailsOn("b")}, n_windows=5)
    alone = result_of(panel.take([0]), {"drift": Drift(), "naive": Naive()}, n_windows=5)
    pd.testing.assert_frame_equal(
        advantage(spoiled, "drift", "naive", "mase").by_step, advantage(alone, "drift", "naive", "mase").by_step
    )


def test_a_benchmark_without_error_leaves_no_percentage() -> None:
    flat = result_of(panel_of({"a": np.ones(120)}), n_windows=5)
    found = advantage(flat, "drift", "naive", "mae")
    assert found.by_origin["gain_percent"].isna().all() and found.by_step["gain_percent"].isna().all()


# ---- figures


def drawn() -> tuple[Picture, Axes]:
    figure = Picture(figsize=(4.5, 3), layout="constrained")
    return figure, figure.subplots()


def test_bars_are_the_gains_and_grey_where_the_benchmark_is_better(result: BacktestResult) -> None:
    gains = advantage(result, "drift", "naive", "mase").by_origin
    figure, ax = drawn()
    plot_gain_by_origin(ax, gains, "A$B$C", Style("#009E73"))
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(gains["gain_percent"].tolist())
    colours = {to_hex(bar.get_facecolor()) for bar in ax.patches if bar.get_height() > 0}
    assert colours == {"#009e73"}
    assert {to_hex(bar.get_facecolor()) for bar in ax.patches if bar.get_height() < 0} == {LOST}
    assert ax.lines[0].get_ydata().tolist() == gains["running_percent"].tolist()
    assert ax.get_title(loc="left") == "against A$B$C, by origin" and figure.png()[:4] == b"\x89PNG"


@pytest.mark.parametrize("horizon", [1, 4, 30])
def test_steps_are_drawn_with_their_band(horizon: int) -> None:
    found = advantage(result_of(trends(("a",), 400), horizon=horizon, n_windows=8), "drift", "naive", "mase").by_step
    figure, ax = drawn()
    plot_gain_by_step(ax, found, "naive", Style("#009E73"))
    line = next(line for line in ax.lines if len(line.get_xdata()) == horizon and line.get_marker() in ("o", "None"))
    assert list(line.get_ydata()) == pytest.approx(found["gain_percent"].tolist())
    assert figure.png()[:4] == b"\x89PNG"


def test_a_scatter_has_what_happened_across_what_was_said_up_and_at_most_3000_points() -> None:
    actual = np.linspace(-2, 2, 10_001)
    figure, ax = drawn()
    plot_changes(ax, Changes(predicted=0.5 * actual, actual=actual), 0.5, "A$B$C", Style("#009E73"))
    points = np.asarray(ax.collections[0].get_offsets())
    assert len(points) == 3000 and points[:, 0].min() == -2 and points[:, 0].max() == 2
    assert points[:, 1] == pytest.approx(0.5 * points[:, 0])
    fitted = ax.lines[1]
    assert fitted.get_ydata() == pytest.approx(0.5 * np.asarray(fitted.get_xdata()))
    assert ax.get_xlim() == ax.get_ylim() and ax.get_xlim()[1] == pytest.approx(2.1)
    assert figure.png()[:4] == b"\x89PNG"


def test_a_scatter_without_points_can_be_drawn() -> None:
    figure, ax = drawn()
    plot_changes(ax, Changes(np.empty(0), np.empty(0)), np.nan, "m", Style("#009E73"))
    assert figure.png()[:4] == b"\x89PNG"
