"""What a linear map sees of windows: as many at a time as fit, with the same numbers however many that are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import panel
from torch import Tensor

from tsforecast.models import least_squares, sight
from tsforecast.models.encoding import Encoding
from tsforecast.models.least_squares import PENALTIES, Solved, fit_map
from tsforecast.transforms import Standard
from tsforecast.windows import Batch, Windows

WALKS = np.random.default_rng(0).normal(size=(3, 200)).cumsum(axis=1)
DATA = panel(*WALKS, season_length=1)


def solved(penalties: tuple[float, ...] = PENALTIES) -> Solved:
    windows, encoding = Windows.of(DATA, 10, 4), Encoding.of(DATA, Standard(), 1)
    found = fit_map(DATA, windows, encoding, levels=(0.1, 0.5, 0.9), penalties=penalties)
    assert found is not None
    return found


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows were looked at, each time."""
    found: list[int] = []
    encode = Encoding.encode

    def counted(self: Encoding, batch: Batch) -> object:
        found.append(len(batch.context))
        return encode(self, batch)

    monkeypatch.setattr(Encoding, "encode", counted)
    return found


def test_windows_that_judge_are_looked_at_once_where_they_are_held_at_once(
    looked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each of three series 147 windows to learn from, with and without weights, 37 to judge by, 187 in all (three
    share targets with both)."""
    at_once = solved()
    assert looked == [3 * 147, 3 * 37, 3 * 147, 3 * 187]
    looked.clear()
    monkeypatch.setattr(sight, "CHUNK", 100)
    in_parts = solved()
    assert sum(looked) == 3 * (2 * 147 + 3 * 37 + 187), "once for the maps of each kind, once for the spread"
    assert max(looked) == 100

    def both(pick: str) -> tuple[Tensor, Tensor]:
        return getattr(at_once.map, pick), getattr(in_parts.map, pick)

    torch.testing.assert_close(*both("weights"), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(*both("spread"), rtol=1e-6, atol=1e-7)


def test_fewer_windows_try_the_forms_than_the_map_is_learned_from(
    looked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = solved((10.0,))
    monkeypatch.setattr(least_squares, "TRIED", 150)
    looked.clear()
    assert torch.equal(solved((10.0,)).map.weights, whole.map.weights), "the same windows, one penalty"
    assert looked == [150, 3 * 37, 150, 3 * 187]
