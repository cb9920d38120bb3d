"""Contexts to forecast from: the ends of pasts, wherever they are cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import clock, sensors
from hypothesis import given
from hypothesis import strategies as st

import tsforecast.windows as windows_room
from tsforecast.panel import View
from tsforecast.windows import Batch, Earlier, Windows, contexts

NAN = np.nan


@given(st.integers(1, 40), st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_contexts_of_views_are_the_ends_of_their_pasts(input_size: int, lengths: list[int]) -> None:
    data = clock(*((10 * i, 10 * i + n) for i, n in enumerate(lengths)))
    batch = contexts([View(data, data.future(2))], input_size)
    assert batch.context.shape == (len(lengths), input_size, 1) and batch.target.shape == (len(lengths), 0, 1)
    for row in range(len(lengths)):
        known = data.series(row)[-input_size:]
        np.testing.assert_array_equal(batch.context[row, :, 0], np.append(np.full(input_size - len(known), NAN), known))


def test_a_context_to_forecast_from_is_the_context_that_was_trained_on() -> None:
    data = sensors((60, 50), covariates=True)
    cut = data.cut(data.ends - 5)
    view = View(cut, cut.future(5, np.stack([data.futr[e - 5 : e, :1] for e in data.ends])))
    asked = contexts([view], 14)
    trained = Windows.of(data, 14, 5).gather(torch.tensor(cut.ends), torch.tensor(cut.starts))
    for one, two in zip(
        (asked.context, asked.hist, asked.futr), (trained.context, trained.hist, trained.futr), strict=True
    ):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("covariates", [False, True])
def test_many_origins_of_one_panel_are_gathered_at_once_and_each_as_alone(
    covariates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, gathered, earlier = sensors((60,), covariates=covariates), list[int](), Earlier(9, 3, 7, 2)
    cut_out = windows_room._cut

    def counted(flat: torch.Tensor, begins: torch.Tensor, *others: Any) -> torch.Tensor:
        gathered.append(len(begins))
        return cut_out(flat, begins, *others)

    monkeypatch.setattr(windows_room, "_cut", counted)

    def seen(*origins: int) -> Batch:
        cuts = [data.cut(np.array([origin])) for origin in origins]
        ahead = data.futr[None, :2, :1] if covariates else None
        return contexts([View(cut, cut.future(2, ahead)) for cut in cuts], 14, earlier)

    together = seen(*range(5, 60))
    assert gathered == [55, 55, 55, 2 * 55]  # target, past-only, known ahead, two stretches each
    for row, origin in enumerate(range(5, 60)):  # the arrays that are looked at end with the latest
        for many, one in zip(together, seen(origin), strict=True):
            np.testing.assert_array_equal(many[row], one[0])


def test_panels_that_share_some_of_their_memory_are_not_one() -> None:
    data = sensors((60,), covariates=True)
    other = replace(data, hist=data.hist + 1000)
    views = [View(one, one.future(2, np.zeros((1, 2, 1)))) for one in (data.cut(np.array([50])), other)]
    batch = contexts(views, 14)
    np.testing.assert_array_equal(batch.hist, [data.hist[36:50], other.hist[46:]])
    np.testing.assert_array_equal(batch.context[:, :, 0], [data.values[36:50], data.values[46:]])
