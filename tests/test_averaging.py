"""What is kept of a training is a running average of its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import sensors
from torch import nn

from tsforecast.models.encoding import Encoding
from tsforecast.models.training import OF_ALL, SO_FAR, ForecastModule, Training, train
from tsforecast.transforms import Standard
from tsforecast.windows import Windows, split_by_time

LEVELS = (0.1, 0.5, 0.9)
STEPS = 400


class Affine(nn.Module):
    """The smallest network: an affine map of the last value."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(1, 15)

    def forward(self, x: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.map(x[:, -1, :1])
        return out.view(-1, 5, 3)


def weights_on_the_way(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """The weights after each step `[steps, P]`, and those that are kept `[P]`."""
    seen: list[np.ndarray] = []
    average = ForecastModule.average

    def noted(self: ForecastModule) -> None:
        seen.append(nn.utils.parameters_to_vector(self.net.parameters()).detach().double().numpy())
        average(self)

    monkeypatch.setattr(ForecastModule, "average", noted)
    data = sensors((120, 100))
    windows = Windows.of(data, 14, 5)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Affine()
        training = Training(max_steps=STEPS, batch_size=16, device="cpu", **settings)
        train(net, windows, split_by_time(data, 5, 0, 2), Encoding.of(data, Standard(), 7), LEVELS, training, seed=3)
    return np.array(seen), nn.utils.parameters_to_vector(net.parameters()).detach().double().numpy()


def test_the_average_is_over_a_tenth_of_the_steps_so_far_and_at_most_a_fortieth_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, kept = weights_on_the_way(monkeypatch, schedule="constant", learning_rate=0.05)
    by_hand = seen[0]
    for step, weights in enumerate(seen, start=1):
        by_hand = by_hand + (weights - by_hand) / max(min(step / SO_FAR, STEPS / OF_ALL), 1.0)
    np.testing.assert_allclose(kept, by_hand, rtol=1e-4, atol=1e-5)
    assert np.abs(kept - seen[-1]).max() > 1e-2  # the control: at a high rate it is not the last of them


def test_at_the_end_of_a_schedule_the_average_is_the_network_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, kept = weights_on_the_way(monkeypatch, learning_rate=0.05)
    moved = np.abs(seen[-1] - seen[0]).max()
    assert np.abs(kept - seen[-1]).max() < 0.002 * moved
