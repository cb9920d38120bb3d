"""Where hardly a window fits into the past: the linear map must not learn it by heart."""

from __future__ import annotations

import numpy as np
import torch
from cases import panel

from tsforecast import Ridge
from tsforecast.models.least_squares import _parts
from tsforecast.models.settle import context_size


def test_one_window_is_not_learned_by_heart() -> None:
    """Nothing is left to judge by once it is taken out, so the naive forecast stands (it was 0.8 away)."""
    values = np.random.default_rng(0).normal(50, 1, 60)
    past = panel(values)
    forecast = Ridge(input_size=48, structural=False).fit(past, 12).predict(past)
    np.testing.assert_allclose(forecast.point[0], values[-1], atol=0.01)


def test_the_context_leaves_two_horizons_of_windows_to_learn_from() -> None:
    weeks = panel(np.zeros(133), season_length=52)
    assert context_size(weeks, 13) == 133 - 13 - 2 * 13 + 1
    many = panel(*[np.zeros(133)] * 52, season_length=52)
    assert context_size(many, 13) == 133 - 13


def test_the_intervals_of_a_short_series_are_wide_and_hold_its_forecast() -> None:
    """They were all one number, beside the forecast, and held nothing that came."""
    inside = []
    for seed in range(5):
        values = np.random.default_rng(seed).normal(0, 1, 133 + 13)
        past = panel(values[:133], season_length=52)
        forecast = Ridge().fit(past, 13).predict(past)
        low, high = forecast.quantiles[0][:, 0], forecast.quantiles[0][:, -1]
        assert ((high - low) > 1.5).all()
        inside.append(np.mean((low <= values[133:]) & (values[133:] <= high)))
    assert np.mean(inside) > 0.75


def test_a_fifth_is_judged_by_windows_that_share_no_target_step_with_it() -> None:
    origins = torch.tensor([*range(3, 23), *range(103, 105)])  # a series with 20 windows, and one with two
    floors = torch.tensor([0] * 20 + [100] * 2)
    judged = []
    for (learned, of), (held_out, their) in _parts((origins, floors), 3):
        for origin, floor in zip(held_out.tolist(), their.tolist(), strict=True):
            same = learned[of == floor]
            assert ((same - origin).abs() >= 3).all()
        judged += held_out.tolist()
    assert sorted(judged) == origins.tolist()
