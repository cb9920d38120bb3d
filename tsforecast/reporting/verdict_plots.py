"""Figures of the verdict: who is better and by how much, when, and whether a forecast is only the last value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tsforecast.judging.persistence import Changes
from tsforecast.reporting.style import INK, Style, dot, label_times, tidy, title
from tsforecast.reporting.words import moments, visible

if TYPE_CHECKING:
    from tsforecast.judging.compare import Comparison

__all__ = ["plot_changes", "plot_effects", "plot_gain_by_origin", "plot_gain_by_step"]

MOST_PERCENT = 100.0  # the axis of effects ends here; what lies beyond is written at its end
MOST_POINTS = 3000  # of a scatter
LOST = "#b9b9b9"  # where the model is not the better one


def plot_effects(ax: Axes, comparisons: Sequence[Comparison], styles: Mapping[str, Style], margin: float) -> None:
    """Each model's error against the benchmark's: dot and 95 % interval, the first comparison on top.

    A filled dot is a verdict (better, worse or equivalent), a hollow one is none. Within the shaded band, `margin`
    percent to each side, a difference is not worth having.
    """
    known = [c for c in comparisons if np.isfinite(c.effect_percent)]
    near = [c for c in known if abs(c.effect_percent) <= MOST_PERCENT]
    ends = [abs(v) for c in near for v in (c.low_percent, c.high_percent, c.effect_percent) if np.isfinite(v)]
    reach = float(np.clip(1.15 * max(ends, default=MOST_PERCENT), 5.0, MOST_PERCENT))
    ax.axvspan(-margin, margin, color="#eeeeee", lw=0)
    ax.axvline(0, color="#777777", lw=0.9)
    for row, c in enumerate(known):
        colour, decided = styles[c.model].colour, c.word in ("better", "worse", "equivalent")
        at = float(np.clip(-c.effect_percent, -reach, reach))
        if np.isfinite(c.low_percent) and np.isfinite(c.high_percent):
            ax.plot([-c.high_percent, -c.low_percent], [row, row], color=colour, lw=2 if decided else 1.2)
        if at != -c.effect_percent:
            text = f"{-c.effect_percent:+,.0f} %"
            ax.annotate(text, (at, row), (-9 if at > 0 else 9, 0), textcoords="offset points", fontsize=8,
                        ha="right" if at > 0 else "left", va="center", color="#555555")  # fmt: skip
        ax.plot(at, row, marker="o", ms=7, color=colour, mfc=colour if decided else "white", mew=1.6, clip_on=False)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(len(known) - 0.4, -0.6)
    tidy(ax, "error against the benchmark, percent (left of 0: smaller)")
    ax.set_yticks(range(len(known)), [visible(c.model, 40) for c in known], parse_math=False)
    ax.grid(False)
    ax.tick_params(axis="y", length=0, labelsize=9.5)


def plot_changes(ax: Axes, changes: Changes, slope: float, model: str, style: Style) -> None:
    """What a model said would change since the last observed value, against what did change.

    On the thin diagonal every change is foreseen; the thick line is the slope. A copy of the last value lies flat.
    """
    actual, predicted = changes.actual, changes.predicted
    places = np.unique(np.linspace(0, len(actual) - 1, min(len(actual), MOST_POINTS)).astype(int))
    size = 9 if len(places) < 300 else 4
    reach = 1.05 * float(np.abs(actual).max(initial=0.0)) or 1.0
    ax.plot([-reach, reach], [-reach, reach], color=INK, lw=0.8)
    ax.scatter(actual[places], predicted[places], s=size, color=style.colour, alpha=0.45, lw=0)
    ax.plot([-reach, reach], [-slope * reach, slope * reach], color=style.colour, lw=2)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)
    ax.set_aspect("equal")
    tidy(ax, "actual change since the last value", "predicted change")
    title(ax, visible(model, 40), style.colour)


def plot_gain_by_origin(ax: Axes, gains: pd.DataFrame, benchmark: str, style: Style) -> None:
    """Gain over the benchmark at each origin (bars; grey where the benchmark is better) and the mean so far (line)."""
    values = gains["gain_percent"].to_numpy(dtype=np.float64)
    places = np.arange(len(values))
    ax.bar(places, values, width=0.8, color=np.where(values > 0, style.colour, LOST).tolist(), lw=0)
    ax.plot(places, gains["running_percent"], color=INK, lw=1.4, marker=dot(len(values)))
    ax.axhline(0, color="#777777", lw=0.9)
    tidy(ax, "cutoff", "gain, percent")
    label_times(ax, places.astype(float).tolist(), moments(gains["cutoff"]))
    title(ax, f"against {visible(benchmark, 40)}, by origin", INK)


def plot_gain_by_step(ax: Axes, gains: pd.DataFrame, benchmark: str, style: Style) -> None:
    """Gain over the benchmark at each step of the horizon, with its pointwise 95 % interval."""
    step, low, high = (gains[c].to_numpy(dtype=np.float64) for c in ("step", "low_percent", "high_percent"))
    ax.fill_between(step, low, high, color=style.colour, alpha=0.18, lw=0)
    if len(step) == 1:
        ax.plot([step[0], step[0]], [low[0], high[0]], color=style.colour, lw=1.2)
    ax.plot(step, gains["gain_percent"], color=style.colour, lw=1.6, marker="o" if len(step) <= 24 else None, ms=3.5)
    ax.axhline(0, color="#777777", lw=0.9)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    tidy(ax, "step of the horizon", "gain, percent")
    title(ax, f"against {visible(benchmark, 40)}, by step", INK)
