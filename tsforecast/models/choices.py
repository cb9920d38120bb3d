"""What is chosen of an encoding by measuring on the past: whether on a logarithm, and which smoothing."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from tsforecast.models.encoding import OUTSIZED, Encoding, history
from tsforecast.models.least_squares import held_out_error
from tsforecast.models.sampling import every_origin
from tsforecast.models.settle import has_daily_cycle
from tsforecast.models.smoothing import SEASONS, Smoothing
from tsforecast.panel import Panel
from tsforecast.transforms import parse_transform
from tsforecast.windows import Windows, split_by_time

__all__ = ["AUTO", "encoded", "with_smoothing"]

AUTO, PLAIN, BENT = "auto", "standard", "soft_log+standard"
JUDGED, VALUES = 2_000, 500_000  # windows, and values in them, at most, that choose a smoothing
CLOSER = 0.98  # of the error of the naive forecast: a smoothing that is no closer only adds to what is random
MUCH_CLOSER = 0.95  # of the error of the map on the values as they are: less of it may be chance


def encoded(past: Panel, windows: Windows, scaling: str, season: int, *, smoothing: bool) -> tuple[Windows, Encoding]:
    """Windows, and how they are shown, by a scaling's name and the season of the naive forecast to correct.

    scaling     "auto": standard; on a logarithm where no value is below zero and a linear map has been closer there, by
                5 %, in what is held out of the past
    smoothing   whether the mean of the naive forecast and of the closest smoothing may take its place
    """

    def shown(name: str) -> tuple[Windows, Encoding]:
        transform = parse_transform(name, season_length=past.season_length)
        encoding = Encoding.of(past, transform, season, windows.values.device)
        return with_smoothing(past, windows, encoding) if smoothing else (windows, encoding)

    if scaling != AUTO:
        return shown(scaling)
    plain = shown(PLAIN)
    if any(bool((piece < 0).any()) for piece in past.pieces(past.values)):
        return plain
    usual = held_out_error(past, *plain)
    if math.isinf(usual):
        return plain
    bent = shown(BENT)
    return bent if held_out_error(past, *bent) < MUCH_CLOSER * usual else plain


def with_smoothing(past: Panel, windows: Windows, encoding: Encoding) -> tuple[Windows, Encoding]:
    """Windows that reach far enough back for it, and an encoding with the smoothing that has been closest in the past;
    both as they came where that is hardly closer than the naive forecast (as with prices), where there is no season,
    where the context shows enough of them (ten, or the seven or fourteen of a daily cycle), and where no window tells.

    Measured before the test spans, MASE of two networks without and with it: M3 Monthly .882 and .856, Quarterly 1.096
    and 1.090, tourism (96 quarterly series) .954 and .869, gasoline (weeks) .736 and .709, co2 .383 and .388. Without a
    season, with six horizons looked back: M3 Yearly 3.24 and 3.29, M4 Yearly 3.203 and 3.224.
    """
    season, size = past.season_length, windows.input_size
    split = split_by_time(past, windows.horizon, 0, min(size, 2 * windows.horizon))
    if season == 1 or has_daily_cycle(season) or size >= SEASONS * season or split.n_train == 0:
        return windows, encoding
    wide = replace(windows, earlier=SEASONS * season - size)
    most = min(JUDGED, VALUES // (wide.earlier + size) + 1)
    origins, floors = every_origin(split.train_low, split.train_high, split.floors, most)
    batch = wide.gather(origins.to(windows.values.device), floors.to(windows.values.device))
    seen = encoding.encode(batch)
    target, naive, x = seen.target(batch.target), seen.base.double(), history(batch, seen.map)
    sizes = (target - naive).nan_to_num(nan=0.0).abs().amax(1, keepdim=True)
    weights = OUTSIZED / sizes.clamp_min(OUTSIZED)

    def error(ahead: Tensor) -> float:
        away = target - torch.where(ahead.isnan().unsqueeze(2), naive, ahead.unsqueeze(2))
        return float((away * weights).nan_to_num(nan=0.0).abs().mean())

    smoothing = Smoothing.closest(x, season, windows.horizon, error)
    if error(smoothing.forecast(x, windows.horizon)) > CLOSER * error(naive.squeeze(2)):
        return windows, encoding
    return wide, replace(encoding, smoothing=smoothing, earlier=wide.earlier)
