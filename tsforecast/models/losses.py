"""What networks minimise: losses on tensors, masked where the target was not observed."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["masked_mean", "pinball", "relative_error"]


def pinball(forecast: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Twice the quantile loss `[B, H, Q]` of forecasts `[B, H, Q]` for a target `[B, H, 1]`.

    At level 0.5 it is the absolute error (Koenker & Bassett 1978). NaN where the target is.
    """
    error = target - forecast
    return 2 * torch.maximum(levels * error, (levels - 1) * error)


def relative_error(forecast: Tensor, target: Tensor) -> Tensor:
    """2 |y - f| / (|y| + |f|) `[...]`, the term of sMAPE, with the denominator held constant by the gradient.

    Without the constant denominator a forecast could lower its loss by growing. NaN where the target is; 0 / 0 is 0.
    """
    seen = ~target.isnan()
    there = torch.where(seen, target, forecast.detach())  # NaN times a gradient of 0 would be NaN
    size = (there.abs() + forecast.abs()).detach().clamp_min(torch.finfo(target.dtype).tiny)
    return torch.where(seen, 2 * (there - forecast).abs() / size, torch.nan)


def masked_mean(loss: Tensor, seen: Tensor) -> Tensor:
    """Mean over the elements that were observed; 0 where none was. A forecast that is NaN makes it NaN.

    seen   which, of a shape that `loss` has or broadcasts to
    """
    seen = seen.expand_as(loss)
    return torch.where(seen, loss, 0.0).sum() / seen.sum().clamp_min(1)
