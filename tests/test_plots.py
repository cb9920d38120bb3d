"""Figures: they show the numbers of the result, one colour per model, and names as they are."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from tsforecast.backtesting import run_backtest
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.judging.compare import Comparison
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.panel import Panel
from tsforecast.reporting.findings import find
from tsforecast.reporting.plots import (
    plot_calibration,
    plot_curves,
    plot_error_by_fold,
    plot_error_by_step,
    plot_forecasts,
)
from tsforecast.reporting.style import COLOURS, GREYS, Picture, limit_errors, model_styles
from tsforecast.reporting.verdict_plots import plot_effects
from tsforecast.results import BacktestResult

NAMES = {"A$B$C": Drift(), "_x_$": Drift(), "<b>日本</b>": Drift(), "naive": Naive(), "seasonal_naive": SeasonalNaive()}


def result_of(
    horizon: int = 5, n_windows: int = 4, models: dict[str, Any] | None = None, **plan: Any
) -> BacktestResult:
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"unique_id": u, "ds": pd.date_range("2024-01-01", periods=90), "y": rng.normal(size=90).cumsum()})
        for u in ("a", "b$x$")
    ]
    panel = Panel.from_frame(pd.concat(frames, ignore_index=True))
    return run_backtest(panel, models or NAMES, Plan(horizon=horizon, n_windows=n_windows, **plan))


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return result_of()


def one_axes() -> tuple[Picture, Axes]:
    figure = Picture()
    return figure, figure.subplots()


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


def cutoffs_drawn(ax: Axes) -> int:
    return sum(len(set(line.get_xdata())) == 1 and tuple(line.get_ydata()) == (0, 1) for line in ax.lines)


def finite(values: Any) -> list[float]:
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)].tolist()


def test_the_forecast_figure_has_the_numbers_of_the_result(result: BacktestResult) -> None:
    figure = plot_forecasts(result, "b$x$")
    assert len(figure.axes) == len(NAMES)
    for ax, model in zip(figure.axes, NAMES, strict=True):
        table = result.forecasts
        part = table[(table["model"] == model) & (table["unique_id"] == "b$x$")]
        truth, forecast = ax.lines[0], ax.lines[1]
        assert finite(forecast.get_ydata()) == part["forecast"].tolist()
        assert finite(truth.get_ydata())[-20:] == part["y"].tolist()
        history = result.history.query("unique_id == 'b$x$'")["y"].tolist()
        assert finite(truth.get_ydata())[:-20] == history and len(history) > 0
        assert cutoffs_drawn(ax) == 4


def test_one_fold_is_drawn_after_what_was_known_at_its_cutoff(result: BacktestResult) -> None:
    figure = plot_forecasts(result, "a", fold=2, models=["naive"])
    [ax] = figure.axes
    part = result.forecasts.query("model == 'naive' and unique_id == 'a'")
    seen = result.history.query("unique_id == 'a'")["y"].tolist() + part.query("fold < 2")["y"].tolist()
    assert finite(ax.lines[0].get_ydata()) == seen + part.query("fold == 2")["y"].tolist()
    assert finite(ax.lines[1].get_ydata()) == part.query("fold == 2")["forecast"].tolist()
    assert cutoffs_drawn(ax) == 1


def test_overlapping_origins_are_thinned_until_none_overlap() -> None:
    figure = plot_forecasts(result_of(horizon=6, n_windows=7, step_size=2, models={"naive": Naive()}))
    [ax] = figure.axes
    assert cutoffs_drawn(ax) == 3
    assert any(", 3 of 7 origins drawn" in text.get_text() for text in texts(figure))
    assert len(finite(ax.lines[1].get_ydata())) == 18


def test_a_long_line_of_time_shows_the_last_origins_and_says_so() -> None:
    figure = plot_forecasts(result_of(horizon=1, n_windows=6, models={"naive": Naive()}))
    assert cutoffs_drawn(figure.axes[0]) == 6
    rng = np.random.default_rng(0)
    y = pd.Series(rng.normal(size=2000), index=pd.date_range("2024-01-01", periods=2000, freq="h"), name="y")
    long = run_backtest(Panel.from_frame(y), {"naive": Naive()}, Plan(horizon=100, n_windows=7))
    figure = plot_forecasts(long)
    assert cutoffs_drawn(figure.axes[0]) == 4
    assert any("last 4 of 7 origins drawn" in text.get_text() for text in texts(figure))


def test_a_cutoff_lies_at_the_last_known_value_also_where_a_gap_follows_it() -> None:
    result = result_of(horizon=6, gap=2, n_windows=3, models={"naive": Naive()})
    [ax] = plot_forecasts(result).axes
    cuts = [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]
    truth, forecast = (np.asarray(line.get_xdata(), dtype=float) for line in ax.lines[:2])
    known = truth[: list(np.isnan(truth)).index(True)]
    assert cuts[0] == known[-1] + 0.5 == forecast[0] - 2.5, "two steps lie between the cutoff and the first forecast"
    assert np.diff(cuts).tolist() == [6, 6]


def test_an_interval_of_one_step_can_be_seen_and_its_axis_has_one_tick() -> None:
    result = result_of(horizon=1, n_windows=20, models={"naive": Naive(), "drift": Drift()})
    [ax, _] = plot_forecasts(result).axes
    lines = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert len(lines) == 2 and all(len(c.get_segments()) >= 20 for c in lines)
    figure = Picture()
    plot_error_by_step(figure.subplots(), result.scores(by=("model", "step")), "mase", model_styles(result))
    figure.canvas.draw()
    shown = [t.get_text() for t in figure.axes[0].get_xticklabels() if t.get_text()]
    assert all(float(t) == int(t) for t in shown), shown


@pytest.mark.parametrize(
    "plan", [{"gap": 3}, {"step_size": 9}, {"horizon": 1}, {"n_windows": 1}, {"horizon": 3, "gap": 1}]
)
def test_every_layout_of_folds_can_be_drawn(plan: dict[str, Any]) -> None:
    result = result_of(models={"naive": Naive()}, **plan)
    assert plot_forecasts(result).png()[:4] == b"\x89PNG"
    assert plot_forecasts(result, fold=0).png()[:4] == b"\x89PNG"


def test_integer_time_can_be_drawn() -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": np.arange(60), "y": np.random.default_rng(0).normal(size=60)})
    figure = plot_forecasts(run_backtest(Panel.from_frame(frame), {"naive": Naive()}, Plan(horizon=5, n_windows=3)))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["44", "49", "54"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unique_id": "b$x"}, r"there is no series 'b\$x' in this result; did you mean 'b\$x\$'\?"),
        ({"fold": 9}, "there is no fold of series 'a' 9 in this result"),
        ({"models": ["naiv"]}, "there is no model 'naiv' in this result; did you mean 'naive'"),
    ],
)
def test_what_is_not_there_is_refused(result: BacktestResult, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plot_forecasts(result, **arguments)


def test_names_are_drawn_literally(result: BacktestResult) -> None:
    found, styles = find(result), model_styles(result)
    figures = [plot_forecasts(result, "b$x$")]
    for draw, scores in ((plot_error_by_step, found.by_step), (plot_error_by_fold, found.by_fold)):
        figure, ax = one_axes()
        draw(ax, scores, "mase", styles)
        figures.append(figure)
    figure, ax = one_axes()
    plot_calibration(ax, found.calibration, styles)
    figures.append(figure)
    for figure in figures:
        assert figure.png()[:4] == b"\x89PNG"  # warnings are errors here, a missing glyph's too
        shown = {text.get_text(): text for text in texts(figure)}
        assert set(NAMES) <= set(shown)
        assert not any(shown[name].get_parse_math() for name in NAMES)


def test_a_model_has_one_colour_everywhere_and_baselines_are_grey(result: BacktestResult) -> None:
    styles = model_styles(result)
    assert [styles[m].colour for m in NAMES] == [*COLOURS[:3], *GREYS[:2]]
    _, ax = one_axes()
    plot_error_by_step(ax, result.scores(by=("model", "step")), "mase", styles)
    assert [to_hex(line.get_color()) for line in ax.lines] == [s.colour.lower() for s in styles.values()]
    rows = plot_forecasts(result).axes
    assert [to_hex(ax.lines[1].get_color()) for ax in rows] == [s.colour.lower() for s in styles.values()]


def test_lines_of_errors_are_the_scores(result: BacktestResult) -> None:
    scores = result.scores(by=("model", "step"))
    _, ax = one_axes()
    plot_error_by_step(ax, scores, "mae", model_styles(result))
    assert ax.lines[3].get_ydata().tolist() == scores.query("model == 'naive'")["mae"].tolist()
    assert ax.lines[3].get_xdata().tolist() == [1, 2, 3, 4, 5]


def comparison(word: str, effect: float, low: float, high: float) -> Comparison:
    return Comparison("A$B$C", "naive", effect, low, high, 24, 20, 0.01, 0.02, word, "")


@pytest.mark.parametrize(
    ("c", "at", "filled"),
    [
        (comparison("better", 12.0, 8.0, 16.0), -12.0, True),
        (comparison("worse", -12.0, -16.0, -8.0), 12.0, True),
        (comparison("too few origins", 12.0, 8.0, 16.0), -12.0, False),
        (comparison("inconclusive", 1.0, -2.0, 4.0), -1.0, False),
        (comparison("equivalent", 1.0, 0.5, 1.5), -1.0, True),
        (comparison("worse", -400.0, -500.0, -300.0), 100.0, True),  # at the end of the axis
    ],
)
def test_only_a_verdict_is_a_filled_dot_and_smaller_errors_lie_left(
    result: BacktestResult, c: Comparison, at: float, filled: bool
) -> None:
    _, ax = one_axes()
    plot_effects(ax, [c], model_styles(result), margin=2.0)
    dot = next(line for line in ax.lines if line.get_marker() == "o")
    assert list(dot.get_xdata()) == [at]
    assert (dot.get_markerfacecolor() == dot.get_color()) == filled
    assert any("-" not in t.get_text() and "400 %" in t.get_text() for t in ax.texts) == (c.effect_percent == -400)


@pytest.mark.parametrize(
    ("errors", "top"),
    [
        ([1.0, 2.0, 3.0], 3.0),
        ([1.0, 2.0, 3.0, np.nan, 900.0], 12.5),  # five times the median of four: what explodes leaves
        ([0.0] * 12 + [1.0, 2.0, 3.0], 3.0),  # nights without any error hide no other
        ([0.0, np.nan], 1 / 1.06),
        ([np.nan, np.inf], 1 / 1.06),
    ],
)
def test_errors_are_drawn_up_to_the_largest_but_for_one_that_explodes(errors: list[float], top: float) -> None:
    ax = Figure().add_subplot()
    limit_errors(ax, pd.Series(errors))
    assert ax.get_ylim() == pytest.approx((0, 1.06 * top))


def test_curves_have_a_panel_per_network_and_a_line_per_fit_and_seed(result: BacktestResult) -> None:
    steps = np.arange(1, 6)
    runs = [(m, fold, seed) for m in ("A$B$C", "_x_$") for fold in (0, 2) for seed in (0, 1)]
    curves = pd.concat(
        pd.DataFrame(
            {"model": m, "fold": f, "seed": s, "step": steps, "train_loss": 1 / steps, "valid_loss": 2 / steps}
        )
        for m, f, s in runs
    )
    figure = plot_curves(curves, model_styles(result))
    assert len(figure.axes) == 2
    assert all(len(ax.lines) == 8 for ax in figure.axes)


def test_drawing_needs_neither_pyplot_nor_torch() -> None:
    code = (
        "import sys, tsforecast.reporting.figures\n"
        "from tsforecast.reporting.style import Picture\n"
        "Picture().png()\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
