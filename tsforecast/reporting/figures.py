"""Which figures a report shows, and in what size: each drawn once and carried inside the page."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import NamedTuple

from markupsafe import Markup
from matplotlib.axes import Axes

from tsforecast.judging.persistence import changes
from tsforecast.reporting import plots, verdict_plots
from tsforecast.reporting.findings import Findings
from tsforecast.reporting.style import Picture, Style
from tsforecast.reporting.words import joined, visible
from tsforecast.results import BacktestResult

__all__ = [
    "Drawing",
    "Figure",
    "calibration_figure",
    "change_figures",
    "curves_figure",
    "effects_figure",
    "error_figures",
    "forecast_figure",
    "gain_figures",
]

MOST_SCATTERS = 3  # networks whose changes are drawn


class Figure(NamedTuple):
    """A picture in the page: `src` holds all of it, `alt` says what it shows, `width` is in CSS pixels."""

    src: Markup
    width: int
    alt: str
    caption: str


class Drawing(NamedTuple):
    """What figures need besides the findings."""

    result: BacktestResult
    styles: Mapping[str, Style]


def forecast_figure(result: BacktestResult, f: Findings, name: str, why: str) -> Figure:
    """The forecasts of one series."""
    alt = f"Forecasts of {joined(map(visible, f.rows))} for {visible(name)} with intervals, and what was observed"
    return _figure(plots.plot_forecasts(result, name, models=f.rows), alt, f"{visible(name)}: {why}")


def effects_figure(f: Findings, styles: Mapping[str, Style]) -> Figure | None:
    """Each model against the benchmark, if there is anything to compare."""
    order = {model: i for i, model in enumerate(f.summary["model"])}
    known = sorted(
        (c for c in f.comparisons if c.benchmark == f.baseline and c.word != "invalid"),
        key=lambda c: order[c.model],
    )
    if not known:
        return None
    alt = f"Error of each model against {visible(f.baseline or '')} with 95 % intervals: see the table"
    height = 0.75 + 0.32 * len(known)
    return _drawn(6.4, height, lambda ax: verdict_plots.plot_effects(ax, known, styles, f.verdict.margin), alt)


def error_figures(f: Findings, drawing: Drawing) -> list[Figure]:
    """Errors by step and by origin."""
    figures = []
    for scores, draw, word in (
        (f.by_step, plots.plot_error_by_step, "step"),
        (f.by_fold, plots.plot_error_by_fold, "origin"),
    ):
        picture = Picture(figsize=(4.5, 3.0), layout="constrained")
        draw(picture.subplots(), scores, f.metric, drawing.styles)
        figures.append(_figure(picture, f"{f.metric.upper()} of each model by {word}: see the numbers"))
    return figures


def calibration_figure(f: Findings, drawing: Drawing) -> Figure:
    """Observed against promised shares."""
    alt = "Observed against promised share of values inside the intervals: see the numbers"
    return _drawn(4.3, 4.3, lambda ax: plots.plot_calibration(ax, f.calibration, drawing.styles), alt)


def curves_figure(f: Findings, drawing: Drawing) -> Figure:
    """Losses while training."""
    return _figure(plots.plot_curves(f.curves, drawing.styles), "Losses of each network by training step")


def gain_figures(f: Findings, drawing: Drawing) -> list[Figure]:
    """The main model's gain over each opponent, by origin and by step."""
    figures, style = [], drawing.styles[f.main]
    for a in f.advantages:
        said = f"Gain of {visible(a.model)} over {visible(a.benchmark)}"
        for table, draw, word in (
            (a.by_origin, verdict_plots.plot_gain_by_origin, "origin"),
            (a.by_step, verdict_plots.plot_gain_by_step, "step"),
        ):
            picture = Picture(figsize=(4.5, 2.8), layout="constrained")
            draw(picture.subplots(), table, a.benchmark, style)
            figures.append(_figure(picture, f"{said} by {word}, in percent"))
    return figures


def change_figures(f: Findings, drawing: Drawing) -> list[Figure]:
    """Predicted against actual changes of the networks: those that repeat the last value first."""
    table = f.persistence[f.persistence["model"].isin(f.networks) & f.persistence["slope"].notna()]
    rows = table.to_dict("records")
    rows.sort(key=lambda row: (not row["flagged"], row["model"] != f.main))
    figures = []
    for row in rows[:MOST_SCATTERS]:
        picture, model = Picture(figsize=(3.5, 3.6), layout="constrained"), str(row["model"])
        values = changes(drawing.result, model)
        verdict_plots.plot_changes(picture.subplots(), values, row["slope"], model, drawing.styles[model])
        figures.append(_figure(picture, f"Predicted against actual changes of {visible(model)}: see the table"))
    return figures


def _drawn(width: float, height: float, draw: Callable[[Axes], None], alt: str) -> Figure:
    picture = Picture(figsize=(width, height), layout="constrained")
    draw(picture.subplots())
    return _figure(picture, alt)


def _figure(picture: Picture, alt: str, caption: str = "") -> Figure:
    data = base64.b64encode(picture.png()).decode("ascii")
    return Figure(Markup(f"data:image/png;base64,{data}"), round(96 * picture.get_figwidth()), alt, caption)
