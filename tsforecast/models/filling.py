"""What is put where a window has a gap: a linear map needs a number, and the mean of a window is a poor guess."""

from __future__ import annotations

import torch
from torch import Tensor

from tsforecast.models.smoothing import pattern

__all__ = ["filled"]


def filled(x: Tensor, season: int) -> Tensor:
    """Windows `[B, T]` without their gaps (NaN): a straight line between the steps on either side, after the last step
    that was observed its value. Where two seasons are seen, that is done with what is left without their pattern, which
    is added again. 0 before the first step that was observed: nothing is known of it.

    The idea of seasonally adjusted interpolation (na_seadec of imputeTS, Moritz & Bartz-Beielstein 2017).
    """
    seen, length = ~x.isnan(), x.shape[1]
    row, place = (~seen).nonzero(as_tuple=True)  # only these are looked at: they are few
    opens = torch.ones_like(row, dtype=torch.bool)
    opens[1:] = (row[1:] != row[:-1]) | (place[1:] != place[:-1] + 1)
    gap = opens.cumsum(0) - 1
    before = place[opens][gap] - 1
    after = before + 1 + gap.bincount()[gap]
    cycle = x.new_zeros(len(x), 1)
    if season > 1:
        cycle = pattern(x, seen, season, fading=1.0).nan_to_num(nan=0.0)

    def usual(at: Tensor) -> Tensor:
        return cycle[row, (at - length) % cycle.shape[1]]

    start, end = before.clamp_min(0), after.clamp_max(length - 1)
    left, right = x[row, start] - usual(start), x[row, end] - usual(end)
    rise = torch.where(after < length, (right - left) / (after - before), 0.0)
    there = left + rise * (place - before) + usual(place)
    out = x.clone()
    out[row, place] = torch.where(before < 0, 0.0, there)
    return out
