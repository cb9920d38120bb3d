"""The settings of a training: how long, what is held out, what is refused, where it runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import sensors

from tsforecast.errors import ConfigError
from tsforecast.models.recurrent import LSTM
from tsforecast.models.training import Training, pick_device


@pytest.mark.parametrize(
    ("windows", "watched", "steps"),
    [(10, True, 500), (12_800, True, 2_000), (10**7, True, 4_000), (12_800, False, 2_000), (10**7, False, 2_500)],
)
def test_steps_follow_the_number_of_windows_within_bounds(windows: int, watched: bool, steps: int) -> None:
    assert Training(passes=20.0, batch_size=128).steps(windows, watched=watched) == steps
    assert Training(max_steps=7).steps(windows, watched=watched) == 7


@pytest.mark.parametrize(
    ("windows", "horizon", "share"),
    [
        (500, 6, 0.1),
        (128_000, 6, 0.1),
        (128_100, 6, 0.0),
        (270_000, 48, 0.0),
        (256_000, 150, 0.1),  # four passes over targets that 150 windows share
        (256_000, 149, 0.0),
    ],
)
def test_a_tenth_is_held_out_where_windows_or_values_are_seen_too_often(
    windows: int, horizon: int, share: float
) -> None:
    """4,000 steps of 256 windows are 8 passes over 128,000 windows. A training cut short holds out the same."""
    assert Training().held_out(windows, horizon) == Training(max_steps=7).held_out(windows, horizon) == share
    assert Training(val_share=0.3).held_out(windows, 6) == 0.3 and Training(val_share=0).held_out(windows, 6) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_steps": 0}, r"training\.max_steps=0: must be at least 1"),
        ({"batch_size": 0}, r"training\.batch_size=0"),
        ({"learning_rate": 0.0}, r"training\.learning_rate=0\.0: must be positive"),
        ({"clip": float("nan")}, r"training\.clip=nan: expected a finite number"),
        ({"l1": -1.0}, r"training\.l1=-1\.0: must not be negative"),
        ({"val_share": 1.0}, r"training\.val_share=1\.0"),
        ({"schedule": "cosine"}, r"training\.schedule='cosine'"),
        ({"precision": "bf8"}, r"training\.precision='bf8': expected one of auto, full, bf16"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Training(**settings)


def test_a_device_that_is_not_there_is_refused() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda")
    with pytest.raises(ConfigError, match=r"device='tpu': known are auto, cpu, cuda, mps"):
        pick_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="this machine has none that torch can use"):
            LSTM(training=Training(device="cuda")).fit(sensors(), 5)
