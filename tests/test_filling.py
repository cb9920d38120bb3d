"""Gaps in a window are filled before a linear map or a network sees it: by what lies on either side, and the season."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import panel, poisoned
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.models.filling import filled
from tsforecast.models.linear import Ridge
from tsforecast.panel import Panel, View

DAY, HORIZON = 24, 12
NAN = float("nan")


def rows(*values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_gap_is_a_straight_line_after_the_last_step_its_value_and_before_the_first_nothing() -> None:
    x = rows([NAN, NAN, 2, NAN, NAN, 8, NAN], [1, NAN, 3, NAN, 1, NAN, NAN], [NAN, NAN, NAN, NAN, NAN, NAN, NAN])
    assert filled(x, 1).tolist() == [[0, 0, 2, 4, 6, 8, 8], [1, 2, 3, 2, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0]]


@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0, 0.9))
def test_without_a_season_a_window_is_what_numpy_interpolates(seed: int, length: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, length))
    x[rng.random(x.shape) < share] = np.nan
    for row, answer in zip(x, filled(torch.from_numpy(x), 1).numpy(), strict=True):
        (seen,) = np.nonzero(~np.isnan(row))
        expected = np.interp(np.arange(length), seen, row[seen], left=0.0) if len(seen) else np.zeros(length)
        np.testing.assert_allclose(answer, expected, rtol=1e-12, atol=1e-12)


def test_half_a_day_that_is_missing_is_filled_with_the_pattern_of_the_other_days() -> None:
    """Exactly, where the days are alike; a line alone is off by nearly the height of the wave."""
    whole = 5 + 3 * torch.sin(2 * torch.pi * torch.arange(7 * DAY, dtype=torch.float64) / DAY).view(1, -1)
    x = whole.clone()
    x[0, 60:72] = torch.nan
    x[0, -8:] = torch.nan
    torch.testing.assert_close(filled(x, DAY), whole, rtol=0, atol=1e-12)
    assert float((filled(x, 1) - whole).abs().max()) > 2.5  # the control


def test_of_a_season_that_was_seen_once_nothing_is_taken() -> None:
    x = rows([0, 1, 2, 3, 4, 5, 6, 7, NAN])
    assert filled(x, 6).tolist() == filled(x, 1).tolist()


def test_a_window_is_filled_alike_alone_and_beside_others() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(40, 5 * DAY)))
    x[torch.from_numpy(rng.random(x.shape) < 0.1)] = torch.nan
    together = filled(x, DAY)
    assert all(torch.equal(filled(x[i : i + 1], DAY)[0], together[i]) for i in range(len(x)))
    assert torch.equal(together[~x.isnan()], x[~x.isnan()])


def waves(steps: int = 1_200, n: int = 3) -> np.ndarray:
    """Days that are higher and lower by turns, with noise."""
    rng, time = np.random.default_rng(1), np.arange(steps)
    height = 1 + 0.5 * np.sin(2 * np.pi * time / 300)
    return np.stack([20 + i + height * 5 * np.sin(2 * np.pi * time / DAY) + rng.normal(size=steps) for i in range(n)])


def with_holes(values: np.ndarray, share: float, length: int) -> np.ndarray:
    rng, holed = np.random.default_rng(2), values.copy()
    for row in holed:
        for start in rng.integers(0, len(row), int(share * len(row) / length)):
            row[start : start + length] = np.nan
    return holed


def split(values: np.ndarray) -> Panel:
    whole = panel(*values, season_length=DAY)
    return whole.cut(whole.ends - 10 * HORIZON)


def error(holed: np.ndarray, whole: np.ndarray) -> float:
    """Of ten origins, against what was true."""
    fitted = Ridge(structural=False).fit(split(holed), HORIZON)
    of_holed, of_whole = panel(*holed, season_length=DAY), panel(*whole, season_length=DAY)
    found = []
    for back in range(10, 0, -1):
        past = of_holed.cut(of_holed.ends - back * HORIZON)
        truth = of_whole.values[(past.ends[:, None]) + np.arange(HORIZON)]
        (answer,) = fitted.predict([View(past, past.future(HORIZON))])
        found.append(np.abs(answer.point - truth).mean())
    return float(np.mean(found))


@pytest.mark.slow
@pytest.mark.parametrize(("share", "length"), [(0.05, 1), (0.1, 12)])
def test_gaps_cost_a_ridge_an_eighth_at_most_where_the_mean_in_their_place_costs_more(
    share: float, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = waves()
    holed, best = with_holes(whole, share, length), error(whole, whole)
    ours = error(holed, whole)
    monkeypatch.setattr("tsforecast.models.encoding.filled", lambda x, season: x.nan_to_num(nan=0.0))
    means = error(holed, whole)
    assert ours < 1.13 * best < means  # 1.12 and 1.24 times as large, 1.10 and 1.16


def test_what_a_gap_is_filled_with_never_comes_from_after_the_cutoff() -> None:
    """And a value before it is looked at: the control."""
    holed = with_holes(waves(n=1), 0.1, 12)
    whole = panel(*holed, season_length=DAY)
    cutoff = whole.ends - 10 * HORIZON
    answers, ridge = [], Ridge(input_size=7 * DAY)  # the choice of it has a test of its own
    noise = np.random.default_rng(3)
    poisons = (np.copy, lambda x: x * NAN, lambda x: noise.normal(size=x.shape), lambda x: np.full_like(x, 1e9))
    for poison in poisons:
        past = poisoned(whole, cutoff, poison).cut(cutoff)
        answers.append(ridge.fit(past, HORIZON).predict(past).point.tobytes())
    assert len(set(answers)) == 1
    past = poisoned(whole, cutoff - 1, lambda x: np.full_like(x, 25.0)).cut(cutoff)
    assert ridge.fit(past, HORIZON).predict(past).point.tobytes() != answers[0]
