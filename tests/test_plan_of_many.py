"""Planning for many series: what a run would find and cost is told from some of them, at a bounded price."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import panel

from tsforecast.folds import Plan
from tsforecast.models.naive import Drift, Naive
from tsforecast.panel import Panel
from tsforecast.planning import ahead


def test_of_many_series_cheap_models_see_some_and_their_time_is_scaled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    class Watching(Naive):
        def fit(self, past: Panel, horizon: int, /) -> Any:
            seen.append((len(past), len(past.values)))
            return super().fit(past, horizon)

    rng = np.random.default_rng(0)
    many, plan = panel(*rng.normal(size=(7, 200)).cumsum(axis=1)), Plan(horizon=3, n_windows=40)

    def found() -> ahead.Prospect:
        return ahead.plan_ahead(many, {"drift": Drift()}, plan, cheap={"naive": Watching(), "drift": Drift()})

    whole = found()
    monkeypatch.setattr(ahead, "SERIES", 3)
    some = found()
    first = 200 - 40 * 3
    assert seen == [(7, 6 * 200 + first), (3, 2 * 200 + first)], "series, and observations that are in reach"
    assert (whole.costs[0].how, some.costs[0].how) == ("measured", "scaled up from 3 of 7 series")
    assert (some.n_origins, some.room) == (whole.n_origins, whole.room)
    assert 0.3 < some.pairs[0].detectable / whole.pairs[0].detectable < 3
