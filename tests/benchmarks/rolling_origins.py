"""What forecasting many origins of one series costs beside the bare network: the third table of speed.py."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from entries import timed

import tsforecast as tsf
from tsforecast.panel import Panel, View
from tsforecast.windows import contexts

HORIZON = 48
BATCH = 256  # windows
RECIPE = tsf.LSTM(n_seeds=1, training=tsf.Training(max_steps=20, device="cpu"))
"""The default; how long it has been trained does not matter for the speed of its forecasts."""


class Timing(NamedTuple):
    """Median seconds, and the median of their ratios to one pass within a round."""

    label: str
    seconds: float
    ratio: float


def measured(panel: Panel, origins: int, rounds: int) -> list[Timing]:
    """Each way to the forecasts of the last origins `rounds` times in turn, after a round that warms up.

    One pass comes first: the network over all windows as one batch, which nobody could do without.
    """
    ways = _ways(panel, origins)
    spent = np.array([[way() for way in ways.values()] for _ in range(rounds + 1)])[1:]
    ratios = spent / spent[:, :1]
    return [
        Timing(label, statistics.median(seconds), statistics.median(ratio))
        for label, seconds, ratio in zip(ways, spent.T.tolist(), ratios.T.tolist(), strict=True)
    ]


def _ways(panel: Panel, origins: int) -> dict[str, Callable[[], float]]:
    """What is timed; each tells its seconds."""
    end = int(panel.ends[0]) - HORIZON + 1
    fitted = RECIPE.fit(panel.cut(np.array([end - origins])), HORIZON)
    (network,) = fitted.members.values()
    net = network.net

    def views() -> list[View]:
        pasts = [panel.cut(np.array([origin])) for origin in range(end - origins, end)]
        return [View(past, past.future(HORIZON)) for past in pasts]

    made = views()
    seen = network.encoding.encode(contexts(made, network.input_size, network.encoding.earlier))

    def passed(rows: int) -> None:
        with torch.inference_mode():
            for start in range(0, origins, rows):
                net(seen.x[start : start + rows], seen.known[start : start + rows])

    weights = sum(weight.numel() for weight in net.parameters())
    return {
        f"one pass, {weights:,} weights": lambda: timed(passed, origins)[1],
        f"the same in batches of {BATCH}": lambda: timed(passed, BATCH)[1],
        "predict()": lambda: timed(fitted.predict, made)[1],
        "making the origins, and predict()": lambda: timed(lambda: fitted.predict(views()))[1],
        "backtest() but for the fit": lambda: _backtest(panel, origins),
    }


def _backtest(panel: Panel, origins: int) -> float:
    """Seconds of a whole backtest, its tables of forecasts included, without those of the fit."""
    result = tsf.backtest(panel, [RECIPE], horizon=HORIZON, n_windows=origins, step_size=1)
    return float(result.facts["seconds"] - result.tasks.fit_seconds.sum())
