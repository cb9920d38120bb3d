"""Built-in calendar features: known ahead, because a clock is.

Each is a few pairs of sine and cosine, so that 23:00 lies beside 00:00 and a linear model can use them too. The
weekday has three pairs, which span every function of seven days.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.fields import plain_value
from tsforecast.frequency import Frequency

__all__ = ["CALENDAR", "calendar_names", "calendar_values"]

CALENDAR = {"hour": (24.0, 2), "weekday": (7.0, 3), "month": (12.0, 2)}  # cycle length, pairs


def calendar_names(names: Sequence[str]) -> tuple[str, ...]:
    """Column names: `hour_sin1, hour_cos1, hour_sin2, ...`."""
    for name in plain_value("calendar", names, tuple[str, ...]):
        if name not in CALENDAR:
            raise ConfigError(f"unknown calendar feature '{name}'{did_you_mean(name, CALENDAR)}")
    return tuple(
        f"{name}_{wave}{k}" for name in names for k in range(1, CALENDAR[name][1] + 1) for wave in ("sin", "cos")
    )


def calendar_values(freq: Frequency, times: npt.NDArray[Any], names: Sequence[str]) -> npt.NDArray[np.float64]:
    """The features of `times` (any shape), in local time, as `[..., number of columns]`."""
    columns = len(calendar_names(names))
    if times.dtype.kind != "M":
        raise ConfigError(f"calendar features ({', '.join(names)}) need dates, but the time column holds integers")
    local = freq.local(times)
    days = local.astype("datetime64[D]")
    positions = {
        "hour": (local - days).astype(np.int64) / 3.6e9,
        "weekday": (days.astype(np.int64) + 3) % 7,  # Monday is 0
        "month": days.astype("datetime64[M]").astype(np.int64) % 12,
    }
    waves = []
    for name in names:
        cycle, pairs = CALENDAR[name]
        for k in range(1, pairs + 1):
            angle = 2 * np.pi * k * positions[name] / cycle
            waves += [np.sin(angle), np.cos(angle)]
    out = np.stack(waves, axis=-1) if waves else np.empty((*times.shape, 0))
    assert out.shape[-1] == columns
    return out
