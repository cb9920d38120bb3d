"""How figures look: one colour per model everywhere, quiet axes, names drawn literally.

Colours are Okabe and Ito's, made for colour-blind readers; baselines are grey, and dashes tell them apart.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from tsforecast.reporting.contest import model_kind
from tsforecast.reporting.words import visible
from tsforecast.results import BacktestResult

__all__ = ["Picture", "Style", "dot", "label_times", "legend", "limit", "limit_errors", "model_styles", "tidy", "title"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7A4E9E")
GREYS = ("#5f5f5f", "#8c8c8c", "#ababab", "#777777")
DASHES: tuple[Any, ...] = ((0, (4, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), "-")
INK, FAINT = "#1b1b1b", "#d8d8d8"
COLOURS_IN_PNG = 96
WIDTH = 9.2  # inches, the width of a report


class Picture(Figure):
    """A figure that a notebook shows by itself, without pyplot."""

    def png(self, dpi: int = 130) -> bytes:
        """The figure as a PNG of few colours, a third of the usual size; the same figure gives the same bytes."""
        file, small = io.BytesIO(), io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box is drawn; the text beside is right
            self.savefig(file, format="png", dpi=dpi, facecolor="white", pil_kwargs={"compress_level": 1})
        picture = Image.open(file).convert("RGB").quantize(COLOURS_IN_PNG, dither=Image.Dither.NONE)
        picture.save(small, format="png", optimize=True)
        return small.getvalue()

    def _repr_png_(self) -> bytes:
        return self.png()


class Style(NamedTuple):
    """How a model is drawn."""

    colour: str
    dash: Any = "-"
    layer: int = 3


def model_styles(result: BacktestResult) -> dict[str, Style]:
    """Name -> style: colours in the order of the models, greys for baselines."""
    baselines = [m for m in result.models if model_kind(result, m) == "baseline"]
    others = [m for m in result.models if m not in baselines]
    greys = {m: Style(GREYS[i % len(GREYS)], DASHES[i % len(DASHES)], layer=2) for i, m in enumerate(baselines)}
    styles = greys | {m: Style(COLOURS[i % len(COLOURS)]) for i, m in enumerate(others)}
    return {m: styles[m] for m in result.models}


def dot(points: int) -> str | None:
    return "o" if points == 1 else None


def tidy(ax: Axes, xlabel: str = "", ylabel: str = "") -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#9a9a9a")
    ax.yaxis.get_offset_text().set(horizontalalignment="right", fontsize=7.5, x=-0.01)  # 1e9: not under the title
    ax.tick_params(labelsize=8, color="#9a9a9a", labelcolor="#333333", length=3)
    ax.grid(axis="y", color=FAINT, lw=0.5)
    ax.set_axisbelow(True)
    ax.set_xlabel(xlabel, fontsize=8.5, color="#333333")
    ax.set_ylabel(ylabel, fontsize=8.5, color="#333333")


def title(ax: Axes, text: str, colour: str) -> None:
    ax.set_title(text, loc="left", fontsize=9.5, color=colour, fontweight="bold", parse_math=False, y=1, pad=3)


def legend(ax: Axes, styles: Mapping[str, Style]) -> None:
    """Names above the axes. They are set after the legend is made: it would leave out those that begin with `_`."""
    handles = [Line2D([], [], color=s.colour, ls=s.dash, lw=1.8) for s in styles.values()]
    legend = ax.legend(
        handles,
        ["x"] * len(handles),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=min(len(handles), 3),
        frameon=False,
        fontsize=8,
        handlelength=2.2,
        columnspacing=1.2,
        borderaxespad=0.2,
    )
    for text, name in zip(legend.get_texts(), styles, strict=True):
        text.set_parse_math(False)
        text.set_text(visible(name, 24))


def label_times(ax: Axes, places: list[float], labels: list[str]) -> None:
    """Labels at some of the places: as many as have room beside each other."""
    assert ax.figure is not None
    room = 0.85 * ax.figure.get_figwidth() / (0.075 * max(map(len, labels)) + 0.1)  # type: ignore[union-attr]
    every = -(-len(places) // max(int(room), 1))
    ax.set_xticks(places[::every], labels[::every], parse_math=False)


def limit(ax: Axes, truth: npt.NDArray[np.float64]) -> None:
    """The y limits that matplotlib chose, but never further than one range of the truth beyond it."""
    truth = truth[np.isfinite(truth)]
    if len(truth) == 0:
        return
    low, high = float(truth.min()), float(truth.max())
    room = (high - low) or abs(high) or 1.0
    bottom, top = ax.get_ylim()
    ax.set_ylim(max(bottom, low - room), min(top, high + room))


def limit_errors(ax: Axes, errors: pd.Series[float]) -> None:
    """From zero to the largest error, but no further than five times the median one: a model that explodes leaves.
    Steps without any error, such as the nights of a solar plant, say nothing of how large the others are."""
    known = errors[np.isfinite(errors.to_numpy(dtype=float)) & (errors > 0)]
    ax.set_ylim(0, 1.06 * min(float(known.max()), 5 * float(known.median())) if len(known) else 1.0)
