"""What is left automatic in a recipe: context, segments, and which naive forecast is corrected."""

from __future__ import annotations

import numpy as np
import pytest
from cases import DAILY, INTEGER, panel
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.models.recurrent import LSTM
from tsforecast.models.settle import context_size, naive_season, segment_size, with_room


def test_what_is_corrected_is_what_has_been_closer() -> None:
    time = np.arange(300)
    wave, walk = np.sin(2 * np.pi * time / 7), np.cumsum(np.random.default_rng(0).normal(size=300))
    assert naive_season(panel(wave, season_length=7), 5) == 7
    assert naive_season(panel(walk, season_length=7), 5) == 1
    assert naive_season(panel(np.full(30, 4.0), season_length=7), 5) in (1, 7)
    assert naive_season(panel(wave), 5) == 1


@given(st.sampled_from([1, 4, 5, 7, 12, 13, 24, 48, 52, 96, 168]), st.integers(1, 400), st.integers(1, 2_000))
def test_automatic_sizes_fit_the_data(season_length: int, horizon: int, n_steps: int) -> None:
    past = panel(np.zeros(n_steps), season_length=season_length)
    size = context_size(past, horizon)
    assert 2 <= size <= max(n_steps - horizon, 2)
    patch = segment_size(size, season_length)
    assert 1 <= patch <= size and -(-size // patch) <= 33
    whole, _ = LSTM()._sizes(past, horizon, size)
    assert whole % patch == 0 and abs(whole - size) < patch
    room = with_room(past, horizon, n_steps)
    assert whole >= size or whole + patch > room, "down only where there is no room"
    assert whole <= max(size, room), "and never beyond what leaves windows to learn from"


def test_a_context_is_cut_to_whole_segments_where_more_of_it_would_leave_too_few_windows() -> None:
    """A week of five-minute readings, a day ahead: 2,016 - 288 - 1,153 + 1 windows are two horizons."""
    past = panel(np.sin(np.arange(2_016.0)), season_length=288)
    assert context_size(past, 288) == 1_153 and segment_size(1_153, 288) == 288
    assert LSTM()._sizes(past, 288, 1_153) == (4 * 288, 288)
    assert LSTM(look_back=(0.5,))._sizes(past, 288, 1_153) == (4 * 144, 144), "576 are whole segments"
    plenty = panel(np.sin(np.arange(2_600.0)), season_length=288)
    assert LSTM()._sizes(plenty, 288, 1_153) == (5 * 288, 288)


def test_automatic_sizes_do_not_depend_on_how_time_is_written() -> None:
    dates = panel(np.zeros(900), season_length=24, freq=DAILY)
    numbers = panel(np.zeros(900), season_length=24, freq=INTEGER)
    assert context_size(dates, 48) == context_size(numbers, 48) == 336


@pytest.mark.parametrize(
    ("season", "horizon", "steps", "size", "patch"),
    [
        (24, 48, 9_000, 336, 48),  # two weeks of hours, two days a token
        (24, 720, 9_000, 336, 48),  # whatever the horizon
        (48, 48, 9_000, 672, 96),
        (96, 96, 9_000, 672, 96),  # a week of quarters of an hour
        (288, 12, 20_000, 2_016, 288),
        (720, 60, 20_000, 1_440, 360),  # two days of two minutes: a week would have 5,040 steps
        (1440, 60, 40_000, 1_440, 360),
        (12, 18, 100, 36, 6),
        (52, 24, 900, 156, 26),
        (7, 14, 900, 28, 7),
        (1, 6, 30, 12, 2),
        (1, 6, 20, 3, 1),  # two horizons of windows are left to learn from
        (1, 6, 12, 2, 1),
    ],
)  # fmt: skip
def test_the_automatic_sizes(season: int, horizon: int, steps: int, size: int, patch: int) -> None:
    past = panel(np.zeros(steps), season_length=season)
    assert context_size(past, horizon) == size and segment_size(size, season) == patch


@pytest.mark.parametrize(("horizon", "sizes"), [(48, (336, 168)), (168, (336, 168)), (169, (336, 504))])
def test_a_look_back_shorter_than_the_horizon_is_longer_instead(horizon: int, sizes: tuple[int, int]) -> None:
    past = panel(np.sin(np.arange(3_000.0)), season_length=24)
    members = LSTM().members().values()
    assert tuple(member._sizes(past, horizon, 336)[0] for member in members) == sizes
