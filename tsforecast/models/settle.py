"""What is left automatic in a recipe, settled from the past alone: context length, segments, and what to correct."""

from __future__ import annotations

import numpy as np

from tsforecast.frequency import DAY, Frequency
from tsforecast.panel import Panel

__all__ = [
    "MOST_CONTEXT",
    "context_size",
    "has_daily_cycle",
    "naive_season",
    "segment_size",
    "week_of_days",
    "with_room",
]

MOST_TOKENS, ENOUGH_TOKENS, LEAST_TOKENS = 32, 7, 4
LEAST_WINDOWS = 10
MOST_CONTEXT = 2_100  # of several days: the closed form takes the cube of it, over ten minutes for a week of minutes
WEEKS = 52  # the season of weekly data: a year
LEAST_OF_DAY, LONG = 4, 20  # steps of a day: six hours each; of a season that is one, where no clock tells


def context_size(past: Panel, horizon: int, times: float = 1.0) -> int:
    """Steps of context: two weeks where the cycle is a day (one where a day has more than 50 steps, fewer whole days
    where a week has more than 2,100 steps), else three seasons (four short ones) or two horizons, whichever is more;
    `times` as many where there is room.

    Measured before the test spans, error of the ridge with one week and with two: ETTh1 .693 and .665, M4 Hourly 1.32
    and 1.26, taxi (half hours) .77 and .64; 96 quarters of an hour a day: .389 with one, .389 with two. Where there is
    a daily cycle the horizon does not matter: ETTh1 at 720 steps 1.44 with two weeks, 1.56 with two horizons.

    Never more than there is room for. The ridge on single M3 series, with that and without: error .95 and .97
    (monthly), 3.2 and 3.5 (yearly); values inside its 80 % interval 70 and 53 %, 62 and 25 %.
    """
    m = past.season_length
    daily = has_daily_cycle(past)
    days = 14 if m <= 50 else max(min(7, MOST_CONTEXT // m), 1)
    wanted = int(times * (days * m if daily else max(2 * horizon, (3 if m >= 12 else 4) * m)))
    return with_room(past, horizon, wanted)


def with_room(past: Panel, horizon: int, wanted: int) -> int:
    """As many steps of context as are wanted, but never more than a typical series has in front of its last training
    window, and few enough that two horizons of windows (and ten) are left to learn from."""
    room = int(np.median(past.lengths)) - horizon
    sizes = np.arange(2, max(min(wanted, room), 2) + 1)
    least = max(2 * horizon, LEAST_WINDOWS)
    if len(past) < 2 * least:  # else half of the series, with a window each, are enough
        windows = np.maximum(past.lengths[:, None] - horizon - sizes + 1, 0).sum(axis=0)
        sizes = sizes[: max(int((windows >= least).sum()), 1)]
    return int(sizes[-1])


def has_daily_cycle(past: Panel) -> bool:
    """Whether the season is a day of hours or minutes: by the clock, or long and not the weeks of a year."""
    m, freq = past.season_length, past.freq
    by_clock = freq.kind == "fixed" and m * freq.step == DAY and m >= LEAST_OF_DAY
    return by_clock or (m >= LONG and m != WEEKS)


def week_of_days(freq: Frequency) -> int:
    """Steps of a week on a grid of days, or of weekdays; 0 on others."""
    if freq.kind == "weekdays":
        return 5
    return 7 if freq.kind == "fixed" and freq.step == DAY else 0


def segment_size(input_size: int, season_length: int) -> int:
    """Steps that become one token: the largest number of whole seasons that leaves at least 7 tokens, else the largest
    part of a season that leaves at least 4 and at most 32; below 8 steps it is 1.

    The time of a training step grows with the number of tokens, so short contexts are cut too. Two days a token are as
    accurate as one (M4 Hourly, ETTh1, weather) and twice as fast.
    """
    if input_size < 2 * LEAST_TOKENS:
        return 1
    if season_length > 1 and (seasons := input_size // (ENOUGH_TOKENS * season_length)):
        return seasons * season_length
    parts = [d for d in range(2, season_length + 1) if season_length % d == 0] or [2, 4, 8, 16, 32]
    few_enough = [d for d in parts if input_size / d <= MOST_TOKENS]
    enough = [d for d in few_enough if input_size / d >= LEAST_TOKENS]
    if enough:
        return enough[-1]
    return few_enough[0] if few_enough and input_size > MOST_TOKENS else max(-(-input_size // MOST_TOKENS), 1)


def naive_season(past: Panel, horizon: int) -> int:
    """Which naive forecast has been closer in the past, over this horizon: the season before (its length) or the last
    value (1). Compared on the median series, at three steps of the horizon."""
    m = past.season_length
    if m == 1:
        return 1
    ratios = []
    for step in sorted({1, (horizon + 1) // 2, horizon}):
        last, season = past.mean_change(step), past.mean_change(m * -(-step // m))
        both = (last > 0) & (season > 0)
        ratios.append(np.median(season[both] / last[both]) if both.any() else 1.0)
    return m if float(np.mean(ratios)) < 1 else 1
