"""Every transform, and windows of any magnitude with gaps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from tsforecast.transforms import (
    TRANSFORMS,
    parse_transform,
)

CHAINS = (
    "log+standard",
    "soft_log+standard",
    "log_return+robust",
    "seasonal_difference+difference+standard",
    "mean_scale+log+last_value",
)
EVERY = [parse_transform(name, season_length=7) for name in (*TRANSFORMS, *CHAINS)]
for_every = pytest.mark.parametrize("recipe", EVERY, ids=lambda recipe: recipe.name)


def windows(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)[:, :, None]


def lognormal(batch: int, length: int, channels: int = 1, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, channels, generator=generator, dtype=torch.float64).exp()


def holes(x: Tensor, share: float, seed: int = 1) -> Tensor:
    return x.masked_fill(torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)) < share, torch.nan)


def same_bits(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.nan_to_num(-1.5), b.nan_to_num(-1.5))


@st.composite
def context_and_future(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Positive windows of any magnitude, level and pattern of gaps, and the steps after them."""
    length, horizon = draw(st.integers(1, 40)), draw(st.integers(1, 20))
    x = lognormal(draw(st.integers(1, 3)), length + horizon, seed=draw(st.integers(0, 10**6)))
    x = (x + draw(st.sampled_from([0.0, 1.0, 1e4, 1e9]))) * 10.0 ** draw(st.integers(-12, 12))
    context, future = x[:, :length], x[:, length:]
    pattern = draw(st.sampled_from(["full", "scattered", "leading", "trailing", "nothing", "constant"]))
    if pattern == "scattered":
        context = holes(context, 0.3)
    elif pattern == "leading":
        context[:, : length // 2] = torch.nan
    elif pattern == "trailing":
        context[:, length // 2 :] = torch.nan
    elif pattern == "nothing":
        context[0] = torch.nan
    elif pattern == "constant":
        context[0] = context[0, 0, 0].item()
    return context, future
