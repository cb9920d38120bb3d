"""The figure of a forecast of what is still to come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from tsforecast.contract import Forecast, level_quantiles
from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.forecasting import Forecasts
from tsforecast.reporting.style import COLOURS, INK, WIDTH, Picture, Style, dot, label_times, legend, limit, tidy
from tsforecast.reporting.words import moments, visible

__all__ = ["plot_ahead"]

MOST_SERIES = 6
SEASONS, HORIZONS, LEAST, MOST = 2, 4, 24, 400  # of the past, in front of what is forecast
MOST_LABELS = 6
BANDS = ((95, 0.12), (80, 0.24))


def plot_ahead(forecasts: Forecasts, unique_ids: Sequence[str] | None = None) -> Picture:
    """The end of each series and what every model forecasts after it, with the 80 and 95 % intervals where one model is
    drawn, and the 80 % intervals where there are several.

    unique_ids  a row each; None = the first six

    Raises ConfigError for a series that was not forecast.
    """
    panel, horizon = forecasts.panel, forecasts.horizon
    rows = {key: i for i, key in enumerate(panel.ids)}
    ids = list(rows)[:MOST_SERIES] if unique_ids is None else list(unique_ids)
    for key in ids:
        if key not in rows:
            raise ConfigError(f"there is no series '{key}' in the forecasts{did_you_mean(key, rows)}")
    styles = {name: Style(COLOURS[k % len(COLOURS)]) for k, name in enumerate(forecasts.models)}
    bands = BANDS if len(styles) == 1 else BANDS[1:]
    back = int(np.clip(max(SEASONS * panel.season_length, HORIZONS * horizon), LEAST, MOST))
    figure = Picture(figsize=(WIDTH, 0.6 + 1.9 * len(ids)), layout="constrained")
    axes = figure.subplots(len(ids), 1, squeeze=False)[:, 0]
    for ax, key in zip(axes, ids, strict=True):
        past = panel.take([rows[key]]).tail(back)
        values = past.series(0)
        ax.plot(np.arange(1 - len(values), 1), values, color=INK, lw=0.9)
        for name, forecast in forecasts.models.items():
            _draw(ax, forecast, rows[key], styles[name], bands)
        ax.axvline(0.5, color="#9a9a9a", lw=0.7, ls=(0, (2, 2)))
        tidy(ax)
        limit(ax, values)
        times = np.concatenate(
            [past.times[past.starts[0] : past.ends[0]], panel.freq.after(past.last_times, horizon)[0]]
        )
        marks = np.unique(np.linspace(0, len(times) - 1, MOST_LABELS).astype(int))
        labels = moments(panel.freq.to_pandas(times[marks]))
        label_times(ax, [float(mark - len(values) + 1) for mark in marks], labels)
        ax.set_xlim(0.5 - len(values), horizon + 0.7)
        ax.set_title(visible(key, 60), loc="right", fontsize=9, color="#555555", parse_math=False, y=1, pad=3)
    legend(axes[0], styles)
    return figure


def _draw(ax: Axes, forecast: Forecast, row: int, style: Style, bands: Sequence[tuple[int, float]]) -> None:
    """One model's line, and its intervals as far as it has them."""
    horizon = forecast.point.shape[1]
    x, ends = np.arange(1, horizon + 1), forecast.quantiles[row]
    for percent, alpha in bands:
        low, high = level_quantiles(percent)
        if {low, high} <= set(forecast.levels):
            low_end, high_end = (ends[:, forecast.levels.index(q)] for q in (low, high))
            ax.fill_between(x, low_end, high_end, color=style.colour, alpha=alpha, lw=0)
    ax.plot(x, forecast.point[row], color=style.colour, lw=1.6, marker=dot(horizon), ms=3)
