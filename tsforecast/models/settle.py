"""What is left automatic in a recipe, settled from the past alone: context length, segments, and what to correct."""

from __future__ import annotations

import numpy as np

from tsforecast.panel import Panel

__all__ = ["context_size", "naive_season", "segment_size"]

MOST_TOKENS, LEAST_TOKENS = 32, 4


def context_size(past: Panel, horizon: int) -> int:
    """Steps of context: a week where the cycle is a day, else three seasons (four short ones); at least two horizons.

    Never more than a typical series has in front of its last training window.
    """
    m = past.season_length
    seasons = 7 if m >= 20 and m != 52 else 3 if m >= 12 else 4
    room = int(np.median(past.lengths)) - horizon
    return max(min(max(2 * horizon, seasons * m), room), 2)


def segment_size(input_size: int, season_length: int) -> int:
    """Steps that become one token: the largest part of a season that leaves at least 4 tokens and at most 32.

    The time of a training step grows with the number of tokens, so short contexts are cut too; below 8 steps it is 1.
    """
    if input_size < 2 * LEAST_TOKENS:
        return 1
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
