"""What networks minimise: the losses by hand, and what an unobserved target does to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tsforecast.models.losses import all_positive, pinball, relative_error, shares

LEVELS = (0.1, 0.5, 0.9)
NAN = torch.nan


def test_the_pinball_loss_is_twice_the_quantile_loss_and_the_absolute_error_at_the_median() -> None:
    rng = np.random.default_rng(0)
    y, f = rng.normal(size=(7, 4, 1)), rng.normal(size=(7, 4, 3))
    weight = rng.uniform(size=(7, 4, 1))
    by_hand = 2 * weight * (y - f) * (np.array(LEVELS) - (y < f))
    loss = pinball(*map(torch.tensor, (f, y, np.array(LEVELS), weight)))
    np.testing.assert_allclose(loss, by_hand.sum((0, 1)).mean(), rtol=1e-12)
    middle = pinball(*map(torch.tensor, (f[:, :, 1:2], y, np.array([0.5]), weight)))
    np.testing.assert_allclose(middle, (weight * np.abs(y - f[:, :, 1:2])).sum(), rtol=1e-12)


def test_the_relative_error_is_the_term_of_smape_and_growing_does_not_lower_it() -> None:
    y, f = torch.tensor([4.0, 0.0, -3.0]), torch.tensor([2.0, 0.0, 3.0], requires_grad=True)
    loss = relative_error(f, y, torch.tensor([1.0, 1.0, 0.5]))
    assert loss.item() == pytest.approx(2 * 2 / 6 + 0 + 0.5 * 2)
    loss.backward()
    # of y = 4, f = 2: -2 / 6, the denominator held constant; with it the gradient would be -2 / 6 - 2 * 2 / 36
    np.testing.assert_allclose(f.grad, [-2 / 6, 0, 0.5 * 2 / 6], rtol=1e-6)


LOSSES = {"pinball": lambda f, y, weight: pinball(f, y, torch.tensor([0.5]), weight), "relative": relative_error}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_target_that_was_not_observed_moves_no_weight(loss: Callable[..., torch.Tensor]) -> None:
    weight = shares(torch.tensor([[1.0], [NAN]]).unsqueeze(2) == 1)
    found = []
    for filled in (0.0, -7.0):
        forecast = torch.tensor([[2.0], [5.0]]).unsqueeze(2).requires_grad_()
        value = loss(forecast, torch.tensor([[1.0], [filled]]).unsqueeze(2), weight)
        value.backward()
        assert torch.isfinite(forecast.grad).all() and forecast.grad[1] == 0 and forecast.grad[0] != 0
        found.append(value.item())
    assert found[0] == found[1] > 0


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_forecast_that_is_nan_is_no_missing_target(loss: Callable[..., torch.Tensor]) -> None:
    y, f = torch.zeros(2, 1, 1), torch.tensor([1.0, NAN]).view(2, 1, 1)
    for seen in ([True, True], [True, False]):
        assert torch.isnan(loss(f, y, shares(torch.tensor(seen).view(2, 1, 1))))


def test_shares_make_a_sum_the_mean_over_what_was_observed_and_zero_where_nothing_was() -> None:
    loss = torch.tensor([[1.0], [3.0], [8.0]])
    assert (loss * shares(torch.tensor([[True], [True], [False]]))).sum() == 2
    assert (loss * shares(torch.zeros(3, 1, dtype=torch.bool))).sum() == 0


def test_a_window_is_positive_where_every_value_that_was_seen_is_above_zero() -> None:
    context = torch.tensor([[1.0, NAN], [1.0, 0.0], [2.0, 3.0], [NAN, NAN]])[:, :, None]
    target = torch.tensor([[5.0], [5.0], [-1.0], [NAN]])[:, :, None]
    assert all_positive(context, target).flatten().tolist() == [True, False, False, True]
