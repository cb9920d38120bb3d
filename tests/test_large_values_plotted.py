"""Values so large that the axis is labelled in multiples."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg

import tsforecast as tsf


def test_the_multiple_of_an_axis_does_not_lie_on_the_name_of_the_model() -> None:
    days = pd.date_range("2024-01-01", periods=80)
    values = 1e9 * np.random.default_rng(0).normal(1, 0.1, 80)
    figure = tsf.backtest(pd.DataFrame({"ds": days, "y": values}), ["naive"], horizon=5, n_windows=3).plot()
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    multiple, name = axes.yaxis.get_offset_text(), axes._left_title  # type: ignore[attr-defined]
    assert multiple.get_text() == "1e9" and name.get_text() == "naive"
    assert multiple.get_window_extent().x1 <= name.get_window_extent().x0 + 0.01
