"""Figures of a backtest. Each takes data and draws on an Axes, or returns a Figure; no pyplot, no global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tsforecast.contract import level_quantiles
from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.judging.cubes import forecasts_of
from tsforecast.reporting.style import (
    INK,
    WIDTH,
    Picture,
    Style,
    dot,
    label_times,
    legend,
    limit,
    limit_errors,
    model_styles,
    tidy,
    title,
)
from tsforecast.reporting.words import moments, visible
from tsforecast.results import BacktestResult, quantile_column

__all__ = [
    "Picture",
    "Style",
    "model_styles",
    "plot_calibration",
    "plot_curves",
    "plot_error_by_fold",
    "plot_error_by_step",
    "plot_forecasts",
]

Floats = npt.NDArray[np.float64]

MOST_STEPS = 400  # forecast steps along one line of time
MOST_DOTS = 80  # on a line of errors
LONE = 5  # points of width: an interval of one step


def plot_forecasts(
    result: BacktestResult,
    unique_id: str | None = None,
    fold: int | None = None,
    models: Sequence[str] | None = None,
) -> Picture:
    """What each model forecast for one series, with its 80 and 95 % intervals, against what happened.

    unique_id  the series; None = the first
    fold       the origin, counted from 0; None = all of them along one line of time, cutoffs as vertical lines. Where
               origins are closer together than the horizon, only every k-th is drawn, so that no two overlap; where
               the line would get too long, only the last of them
    models     which, one row each; None = all

    Raises ConfigError for a series, fold or model that is not in the result.
    """
    models = _known("model", result.models if models is None else models, result.models)
    table = forecasts_of(result, unique_id)
    unique_id = str(table["unique_id"].iloc[0])
    folds = sorted(int(k) for k in table["fold"].unique())
    if fold is not None:
        folds = [int(k) for k in _known(f"fold of series '{visible(unique_id, 60)}'", [fold], folds)]
    horizon, apart = int(result.facts["horizon"]), int(result.facts["step_size"])
    of, every = len(folds), max(-(-horizon // apart), 1)
    folds = folds[::every][-max(MOST_STEPS // horizon, 2) :]
    part_of = f", {'last ' if every == 1 else ''}{len(folds)} of {of} origins drawn" if len(folds) < of else ""
    gap = int(result.facts["gap"])
    blank = 0 if apart * every == horizon else gap + max(horizon // 6, 1)
    starts = {k: i * (horizon + blank) for i, k in enumerate(folds)}
    cuts = [start + 0.5 - gap for start in starts.values()]
    known = _before(result, table, unique_id, folds[0])
    figure = Picture(figsize=(WIDTH, 0.3 + 1.5 * len(models)))
    tall = figure.get_figheight()  # margins in inches: working them out takes longer than drawing
    figure.subplots_adjust(0.6 / WIDTH, 0.3 / tall, 1 - 0.08 / WIDTH, 1 - 0.25 / tall, hspace=0.24)
    rows = figure.subplots(len(models), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    styles = model_styles(result)
    for ax, model in zip(rows, models, strict=True):
        part = table[(table["model"] == model) & table["fold"].isin(folds)]
        tidy(ax)
        truth = _truth(part, starts, horizon, known, gap, blank)
        ax.plot(*truth, color=INK, lw=0.9, marker=dot(horizon), ms=3)
        _draw_forecasts(ax, part, starts, horizon, styles[model])
        for cut in cuts:
            ax.axvline(cut, color="#9a9a9a", lw=0.7, ls=(0, (2, 2)))
        if part["forecast"].isna().all():
            ax.text(0.99, 0.86, "no forecast", transform=ax.transAxes, ha="right", fontsize=9, color="#777777")
        title(ax, visible(model, 60), styles[model].colour)
    limit(rows[0], np.concatenate([known, table["y"].to_numpy(dtype=float)]))
    cutoffs = table.groupby("fold")["cutoff"].first()
    label_times(rows[-1], cuts, moments(cutoffs[k] for k in folds))
    rows[0].set_xlim(cuts[0] - min(len(known), horizon * 3), max(starts.values()) + horizon + 0.7)
    corner = visible(unique_id, 60) + part_of
    rows[0].set_title(corner, loc="right", fontsize=9, color="#555555", parse_math=False, y=1, pad=3)
    return figure


def _before(result: BacktestResult, table: pd.DataFrame, unique_id: str, fold: int) -> Floats:
    """What was observed before a fold's cutoff: the history, and the truths of earlier folds if unbroken."""
    history = result.history[result.history["unique_id"] == unique_id]
    earlier = table[(table["fold"] < fold) & (table["model"] == table["model"].iloc[0])]
    if len(earlier) and int(result.facts["step_size"]) > int(result.facts["horizon"]):
        return np.empty(0)
    seen = pd.concat([history[["ds", "y"]], earlier[["ds", "y"]]]).drop_duplicates("ds").sort_values("ds")
    cutoff = table.loc[table["fold"] == fold, "cutoff"].iloc[0]
    return np.asarray(seen.loc[seen["ds"] <= cutoff, "y"], dtype=np.float64)


def _positions(part: pd.DataFrame, starts: Mapping[int, int]) -> Floats:
    """Where the rows of a forecast table lie along the line of time."""
    return np.asarray(part["fold"].map(dict(starts)) + part["step"], dtype=np.float64)


def _broken(values: Any, every: int) -> Floats:
    """The values with a NaN after each `every` of them, so that a line through them breaks there."""
    flat = np.asarray(values, dtype=np.float64)
    return np.insert(flat, np.arange(every, len(flat), every), np.nan)


def _truth(
    part: pd.DataFrame, starts: Mapping[int, int], horizon: int, known: Floats, gap: int, blank: int
) -> tuple[Floats, Floats]:
    """What was observed before and after the cutoffs: one line, broken where steps were not looked at."""
    x, y = _positions(part, starts), part["y"].to_numpy(dtype=np.float64)
    if blank:
        x, y = _broken(x, horizon), _broken(y, horizon)
    link = [np.nan] if gap else []
    return np.concatenate([np.arange(1 - len(known), 1) - gap, link, x]), np.concatenate([known, link, y])


def _draw_forecasts(ax: Axes, part: pd.DataFrame, starts: Mapping[int, int], horizon: int, style: Style) -> None:
    """Points and intervals of all folds in one stroke, broken between folds: rows of `part` lie fold by fold."""
    x = _broken(_positions(part, starts), horizon)
    for percent, alpha in ((95, 0.14), (80, 0.26)):
        ends = [quantile_column(q) for q in level_quantiles(percent)]
        if set(ends) <= set(part.columns):
            low, high = (_broken(part[name], horizon) for name in ends)
            if horizon == 1:  # a band over one step has no width
                ax.vlines(x, low, high, color=style.colour, alpha=2 * alpha, lw=LONE)
            else:
                ax.fill_between(x, low, high, color=style.colour, alpha=alpha, lw=0)
    ax.plot(x, _broken(part["forecast"], horizon), color=style.colour, lw=1.6, marker=dot(horizon), ms=3)


def plot_error_by_step(ax: Axes, scores: pd.DataFrame, metric: str, styles: Mapping[str, Style]) -> None:
    """Error against the step of the horizon, a line per model: `scores` by model and step."""
    _error_lines(ax, scores, "step", metric, styles)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    tidy(ax, "step of the horizon", metric.upper())
    limit_errors(ax, scores[metric])
    legend(ax, styles)


def _error_lines(ax: Axes, scores: pd.DataFrame, along: str, metric: str, styles: Mapping[str, Style]) -> None:
    """A line per model; points are marked where there are few."""
    for model, style in styles.items():
        part = scores[scores["model"] == model]
        look = {"color": style.colour, "ls": style.dash, "lw": 1.5, "zorder": style.layer}
        ax.plot(part[along], part[metric], marker="o" if len(part) <= MOST_DOTS else None, ms=3.5, **look)


def plot_error_by_fold(ax: Axes, scores: pd.DataFrame, metric: str, styles: Mapping[str, Style]) -> None:
    """Error at each origin, a line per model: `scores` by model and fold, with the `cutoff`."""
    _error_lines(ax, scores, "fold", metric, styles)
    cutoffs = scores.groupby("fold")["cutoff"].max()
    tidy(ax, "cutoff", metric.upper())
    label_times(ax, [float(k) for k in cutoffs.index], moments(cutoffs))
    limit_errors(ax, scores[metric])
    legend(ax, styles)


def plot_curves(curves: pd.DataFrame, styles: Mapping[str, Style]) -> Picture:
    """Training (faint) and validation (full) losses while training, a panel per network, a line per fit and seed."""
    models = [m for m in styles if (curves["model"] == m).any()]
    figure = Picture(figsize=(min(WIDTH, 4.6 * max(len(models), 1)), 2.9), layout="constrained")
    for ax, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        colour = styles[model].colour
        for _, run in curves[curves["model"] == model].groupby(["fold", "seed"]):
            for name, alpha, width in (("train_loss", 0.35, 1.0), ("valid_loss", 1.0, 1.4)):
                known = run[run[name].notna()]
                ax.plot(known["step"], known[name], color=colour, alpha=alpha, lw=width, marker=dot(len(known)))
        losses = curves.loc[curves["model"] == model, ["train_loss", "valid_loss"]].to_numpy(dtype=float)
        losses = losses[np.isfinite(losses)]
        if len(losses) and losses.min() > 0 and losses.max() > 8 * losses.min():
            ax.set_yscale("log")
        tidy(ax, "training step", "loss")
        title(ax, visible(model, 60), colour)
    return figure


def plot_calibration(ax: Axes, calibration: pd.DataFrame, styles: Mapping[str, Style]) -> None:
    """Share of values inside central intervals, as promised and as observed: on the diagonal, intervals are honest."""
    ax.plot([0, 100], [0, 100], color=INK, lw=0.8)
    for model, style in styles.items():
        part = calibration[calibration["model"] == model]
        ax.plot(
            100 * part["nominal"], 100 * part["observed"], color=style.colour, ls=style.dash, lw=1.4, marker="o", ms=3.5
        )
    ax.set_xlim(0, 100)
    ax.set_ylim(0, 100)
    ax.set_aspect("equal")
    tidy(ax, "promised: percent inside the interval", "observed: percent inside")
    legend(ax, styles)


def _known(what: str, names: Sequence[Any], known: Sequence[Any]) -> Sequence[Any]:
    lost = [name for name in names if name not in known]
    if lost:
        hint = did_you_mean(str(lost[0]), [str(k) for k in known])
        raise ConfigError(f"there is no {what} {visible(repr(lost[0]))} in this result{hint}")
    return names
