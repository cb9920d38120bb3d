"""What networks minimise: weighted sums of losses on tensors.

A weight says how much a target counts; where it was not observed that is 0, and the target may be any finite number. A
forecast that is NaN makes a sum NaN all the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["all_positive", "pinball", "relative_error", "shares"]


def shares(seen: Tensor) -> Tensor:
    """Weights that make a sum the mean over what was observed; where nothing was, all are 0."""
    return seen / seen.sum().clamp_min(1)


def all_positive(context: Tensor, target: Tensor) -> Tensor:
    """Whether every observed value of a window is above 0 `[B, 1, 1]`: only there a relative error says something."""
    least = [part.nan_to_num(nan=1.0).amin(1, keepdim=True) for part in (context, target)]
    return torch.minimum(*least) > 0


def pinball(forecast: Tensor, target: Tensor, levels: Tensor, weight: Tensor) -> Tensor:
    """Twice the quantile loss of forecasts `[B, H, Q]` for a target `[B, H, 1]` at levels `[Q]`, with weights
    `[B, H, 1]`, summed over windows and steps, and its mean over levels.

    At level 0.5 it is the absolute error (Koenker & Bassett 1978). 2 max(l e, (l - 1) e) = |e| + (2 l - 1) e, of which
    the second part needs no more than the sum of errors: a quarter of the time.
    """
    error = (target - forecast) * weight
    return (error.abs().sum() + ((2 * levels - 1) * error.sum((0, 1))).sum()) / len(levels)


def relative_error(forecast: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """2 |y - f| / (|y| + |f|), the term of sMAPE, times a weight, summed; the gradient holds the denominator constant.

    Otherwise a forecast could lower its loss by growing. 0 / 0 is 0.
    """
    size = (target.abs() + forecast.detach().abs()).clamp_min(torch.finfo(target.dtype).tiny)
    return ((target - forecast).abs() * (2 * weight / size)).sum()
