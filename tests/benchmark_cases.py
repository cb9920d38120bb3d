"""A forecast that costs nothing, to test everything around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsforecast.contract import Forecast
from tsforecast.panel import Panel, View


@dataclass(frozen=True)
class Last:
    """The last value, plus a constant: a forecast that costs nothing, to test everything around it."""

    shift: float = 0.0
    seed: int = 0
    name = "last"

    def fit(self, past: Panel, horizon: int) -> Last:
        return self

    def predict(self, views: list[View]) -> list[Forecast]:
        return [self._forecast(view) for view in views]

    def _forecast(self, view: View) -> Forecast:
        past, future = view
        point = np.repeat(past.values[past.ends - 1, None], future.horizon, axis=1) + self.shift
        return Forecast(past.ids, future.times, past.freq, point, (), np.empty((*point.shape, 0)))
