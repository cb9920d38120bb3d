"""Randomised phases keep every power; the planted pattern is one that a model can find and a naive forecast cannot."""

from __future__ import annotations

import numpy as np
import pytest
from cases import panel
from hypothesis import given
from hypothesis import strategies as st
from surrogate_cases import changes, moves, normal, rng

from tsforecast.auditing.surrogates import (
    phase_randomised,
    planted,
    planted_period,
)

# ---- phases


@pytest.mark.parametrize("n", [2, 3, 63, 64, 301])
def test_randomised_phases_keep_the_power_at_every_frequency(n: int) -> None:
    y = np.cumsum(normal(n)) - 100
    power, copied = (np.abs(np.fft.rfft(changes(v))) for v in (y, phase_randomised(panel(y), rng()).series(0)))
    np.testing.assert_allclose(copied, power, rtol=1e-9, atol=1e-9 * power.max())


def test_randomised_phases_keep_how_series_move_together_at_all_lags() -> None:
    common = normal(257)
    one, two = np.cumsum(common), np.cumsum(np.roll(common, 3) + 0.1 * normal(257, 1))
    copy = phase_randomised(panel(one, two), rng())
    before = np.conj(np.fft.rfft(changes(one))) * np.fft.rfft(changes(two))
    after = np.conj(np.fft.rfft(moves(copy))) * np.fft.rfft(moves(copy, 1))
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9 * np.abs(before).max())
    assert not np.allclose(moves(copy), changes(one))


def test_randomised_phases_keep_a_season_and_the_line_from_first_to_last_value() -> None:
    y = 10 * np.sin(2 * np.pi * np.arange(241) / 12) + normal(241) + np.linspace(0, 60, 241) - 200
    copy = phase_randomised(panel(y), rng()).series(0)
    assert copy[-1] - copy[0] == pytest.approx(y[-1] - y[0])
    level = copy - np.linspace(copy[0], copy[-1], 241)
    assert np.corrcoef(level[12:], level[:-12])[0, 1] > 0.95
    assert level.std() == pytest.approx((y - np.linspace(y[0], y[-1], 241)).std(), rel=0.05)


# ---- the pattern


@pytest.mark.parametrize(
    ("season", "apart", "period"),
    [
        (1, 1, 5),
        (5, 1, 7),
        (5, 5, 7),
        (7, 7, 5),
        (12, 3, 5),
        (12, 12, 5),
        (24, 24, 5),
        (35, 5, 13),
        (1, 35, 9),
        (365, 7, 9),
    ],
)
def test_the_planted_period_is_no_part_of_the_season_and_is_met_in_other_phases(
    season: int, apart: int, period: int
) -> None:
    assert planted_period(season, apart) == period
    assert season % period
    halves = 2 * apart / period  # a naive forecast errs alike where this is a whole number
    assert abs(halves - round(halves)) > 1 / 6 - 1e-9


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_there_is_always_such_a_period(season: int, apart: int) -> None:
    period = planted_period(season, apart)
    assert season % period
    assert 5 <= period <= max(13 * apart, 13) + 20


def test_the_planted_wave_dwarfs_all_other_frequencies_and_has_the_promised_amplitude() -> None:
    y = np.cumsum(normal(5 * 84 + 1))
    copy = planted(panel(y - y.max() - 1), rng(), horizon=4, apart=4)
    spectrum = np.abs(np.fft.rfft(moves(copy))) * 2 / 420
    assert planted_period(1, 4) == 5
    assert np.argmax(spectrum) == 84  # 420 changes, 84 waves of 5 steps
    # the difference of A sin(w t) has amplitude 2 A sin(w / 2), and A is 4 sqrt(4) times the volatility
    volatility = np.sqrt(np.mean(changes(y) ** 2))
    assert spectrum[84] == pytest.approx(8 * volatility * 2 * np.sin(np.pi / 5), rel=0.05)
