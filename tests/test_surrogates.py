"""Copies of a panel: what they keep of it exactly, what nobody can forecast in them, and that no panel breaks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from cases import DAILY, panel, sensors
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.auditing.surrogates import (
    SURROGATES,
    block_shuffled,
    phase_randomised,
    planted,
    planted_period,
    random_walk,
)
from tsforecast.frequency import Frequency
from tsforecast.panel import Panel

MAKERS: dict[str, Callable[[Panel, np.random.Generator], Panel]] = {**SURROGATES, "planted pattern": planted}
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
walks = pytest.mark.parametrize("make", [random_walk, block_shuffled])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(n: int, seed: int = 0) -> np.ndarray:
    return rng(seed).normal(size=n)


def prices(n: int, volatility: float = 0.02, seed: int = 0) -> np.ndarray:
    """A walk of logarithms that runs from 50 to 500."""
    changes = volatility * normal(n, seed)
    return 50 * np.exp(np.cumsum(changes - changes.mean()) + np.linspace(0, np.log(10), n))


def changes(values: np.ndarray) -> np.ndarray:
    return np.diff(values)


def moves(copy: Panel, i: int = 0) -> np.ndarray:
    return changes(copy.series(i))


# what is kept


@every_maker
def test_a_copy_has_the_same_names_spans_times_gaps_and_covariates(make) -> None:
    original = sensors(covariates=True)
    values = original.values.copy()
    values[[0, 3, 4, 50, 119, 130, 313]] = np.nan
    original = replace(original, values=values)
    copy = make(original, rng())
    for name in ("ids", "freq", "season_length", "futr_names", "hist_names", "calendar"):
        assert getattr(copy, name) == getattr(original, name)
    for name in ("starts", "ends", "times", "hist", "futr"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(original, name))
    np.testing.assert_array_equal(np.isnan(copy.values), np.isnan(original.values))
    assert not np.allclose(copy.values, original.values, equal_nan=True)


@every_maker
def test_the_same_seed_makes_the_same_copy_and_another_seed_another(make) -> None:
    original = sensors()
    first, again, other = (make(original, rng(seed)).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@every_maker
def test_nothing_outside_the_spans_is_looked_at_or_made(make) -> None:
    whole = panel(np.cumsum(normal(60)), np.cumsum(normal(60, 1)))
    part = whole.cut(whole.starts + 40)
    dirty = replace(part, values=np.where(part.inside, part.values, 1e6))
    clean = replace(part, values=np.where(part.inside, part.values, np.nan))
    np.testing.assert_array_equal(make(dirty, rng()).values, make(clean, rng()).values)
    assert np.isnan(make(dirty, rng()).values[~part.inside]).all()


@every_maker
def test_every_series_starts_where_it_started_or_is_lifted_as_a_whole_to_its_smallest_value(make) -> None:
    original = panel(np.cumsum(normal(80)) - 9, prices(80), 3 + normal(80) ** 2)
    copy = make(original, rng(3))
    for i, lifted in ((0, False), (1, make is planted), (2, True)):
        if lifted:
            assert copy.series(i).min() == pytest.approx(original.series(i).min(), rel=1e-12)
        else:
            assert copy.series(i)[0] == pytest.approx(original.series(i)[0], rel=1e-12)


# walks


@walks
def test_a_walk_has_every_size_of_change_once_so_its_volatility_is_exactly_that_of_the_series(make) -> None:
    y = np.cumsum(normal(200))
    walk = moves(make(panel(y), rng()))
    np.testing.assert_allclose(np.sort(np.abs(walk)), np.sort(np.abs(changes(y))), atol=1e-12)
    assert np.sum(walk**2) == pytest.approx(np.sum(changes(y) ** 2), rel=1e-12)


@walks
def test_prices_keep_every_size_of_log_change_and_stay_positive(make) -> None:
    y = prices(400)
    walk = make(panel(y), rng()).series(0)
    np.testing.assert_allclose(np.sort(np.abs(changes(np.log(walk)))), np.sort(np.abs(changes(np.log(y)))), atol=1e-12)
    assert (walk > 0).all()


@walks
def test_the_signs_of_a_walk_are_fair_and_nothing_in_it_repeats_or_reverts(make) -> None:
    season = np.sin(2 * np.pi * np.arange(5_000) / 12) * 3 + normal(5_000)
    assert abs(np.corrcoef(changes(season)[12:], changes(season)[:-12])[0, 1]) > 0.3, "control: the season is there"
    walk = moves(make(panel(season), rng()))
    n = len(walk)
    assert abs(np.sum(walk > 0) - n / 2) < 4 * np.sqrt(n) / 2
    for lag in (1, 2, 6, 12):
        assert abs(np.corrcoef(walk[lag:], walk[:-lag])[0, 1]) < 4 / np.sqrt(n), lag


@walks
def test_whatever_trend_the_series_has_its_walks_go_up_as_often_as_down(make) -> None:
    trend = panel(np.arange(50.0) - 100)
    ends = [make(trend, rng(seed)).series(0)[-1] > -100 for seed in range(400)]
    assert abs(np.mean(ends) - 0.5) < 4 * 0.5 / np.sqrt(400)


def test_blocks_keep_calm_and_wild_stretches_and_single_changes_do_not() -> None:
    wild = np.repeat(np.tile([1.0, 10.0], 20), 50)
    y = np.cumsum(wild * normal(2_000))

    def clustering(values: np.ndarray) -> float:
        sizes = np.abs(changes(values))
        return float(np.corrcoef(sizes[1:], sizes[:-1])[0, 1])

    series = panel(y - y.min() - 1)  # below zero somewhere, so that it is walked in its own units
    kept = clustering(block_shuffled(series, rng(), block=50).series(0))
    by_default = clustering(block_shuffled(series, rng()).series(0))
    lost = clustering(random_walk(series, rng()).series(0))
    assert clustering(y) > 0.35
    assert kept > 0.3
    assert by_default > 0.25  # blocks of 13 steps
    assert abs(lost) < 0.1


def test_blocks_are_moved_whole_and_in_every_order() -> None:
    y = -np.concatenate([[0.0], np.cumsum(np.arange(1.0, 13.0))])
    dealt = [np.abs(moves(block_shuffled(panel(y), rng(seed), block=4))).reshape(3, 4) for seed in range(50)]
    assert all(sorted(blocks.tolist()) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]] for blocks in dealt)
    assert len({tuple(blocks[:, 0]) for blocks in dealt}) == 6


@walks
def test_series_that_move_together_do_so_in_a_walk(make) -> None:
    common = normal(400)
    one, two = common + 0.5 * normal(400, 1), -common + 0.5 * normal(400, 2)
    original = panel(np.cumsum(one), np.cumsum(two))
    copy = make(original, rng())
    # the same pairs of changes with a common sign: the sum of their products is the same number
    assert moves(copy) @ moves(copy, 1) == pytest.approx(changes(np.cumsum(one)) @ changes(np.cumsum(two)), rel=1e-9)


@walks
def test_a_series_that_began_later_is_dealt_the_same_moments_where_it_has_them(make) -> None:
    common = np.cumsum(normal(800))
    copy = make(panel(common, common[400:], begins=[0, 400]), rng())
    late, young = moves(copy)[400:], moves(copy, 1)
    np.testing.assert_allclose(np.sort(np.abs(young)), np.sort(np.abs(changes(common[400:]))), atol=1e-12)
    same = np.isclose(late, young, atol=1e-12).mean()
    assert 0.35 < same < 0.65  # half of all moments are moments of the younger series
    assert (np.sign(late) == np.sign(young))[np.isclose(late, young)].all()


@walks
def test_bars_are_matched_by_their_stamps(make) -> None:
    stamps = Frequency("bars", 1)
    common = normal(300)
    days = np.flatnonzero(np.arange(300) % 10 != 9)  # the second exchange is closed on every tenth day
    original = panel(np.cumsum(common), np.cumsum(common[days]))
    times = np.concatenate([np.arange(300), days])
    original = replace(original, freq=stamps, times=times)
    copy = make(original, rng())
    at = np.isin(np.arange(1, 300), days[1:])
    same = np.isclose(moves(copy)[at], moves(copy, 1), atol=1e-12).mean()
    assert same > 0.85


@walks
def test_a_move_over_a_gap_counts_as_the_steps_of_a_walk_that_got_as_far(make) -> None:
    y = np.array([0, -1, np.nan, np.nan, np.nan, 3, 4, 5])  # a move of 4 in 4 steps: four of 2 each
    whole = make(replace(panel(y), values=y), rng(4))
    filled = [make(panel(y), rng(seed)).series(0) for seed in range(60)]
    assert np.isnan(whole.series(0)).tolist() == np.isnan(y).tolist()
    sizes = {round(float(abs(v)), 9) for path in filled for v in changes(path) if np.isfinite(v)}
    assert sizes == {1.0, 2.0}


# phases


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


# the pattern


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


# units, and panels that could break it


@every_maker
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e9])
@pytest.mark.parametrize("positive", [False, True])
def test_in_other_units_it_is_the_same_copy(make, scale: float, positive: bool) -> None:
    y = prices(300) if positive else np.cumsum(normal(300))
    one, other = make(panel(y), rng()).values, make(panel(y * scale), rng()).values
    np.testing.assert_allclose(other, one * scale, rtol=1e-9, atol=1e-12 * scale)


@every_maker
def test_traffic_by_day_and_night_stays_finite_and_above_zero(make) -> None:
    hours = np.arange(24 * 200)
    cars = np.exp(4 + 3 * np.sin(2 * np.pi * hours / 24) + 0.3 * normal(len(hours)))
    copy = make(panel(cars, season_length=24), rng()).values
    assert np.isfinite(copy).all()
    assert copy.min() >= cars.min() - 1e-9
    assert copy.max() < 100 * cars.max(), "a walk of its logarithms would leave every scale"


@every_maker
def test_a_constant_series_stays_constant(make) -> None:
    copy = make(panel(np.full(30, 7.0), np.cumsum(normal(30))), rng())
    np.testing.assert_allclose(copy.series(0), 7.0, rtol=1e-12)
    assert moves(copy, 1).std() > 0.1


values = st.one_of(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9), st.just(float("nan")), st.sampled_from([0.0, 1.0]))
ragged = st.lists(st.tuples(st.lists(values, min_size=1, max_size=40), st.integers(0, 30)), min_size=1, max_size=4)


@given(ragged, st.sampled_from(list(MAKERS)), st.integers(0, 5))
def test_no_panel_breaks_it(series, kind: str, seed: int) -> None:
    original = panel(*(y for y, _ in series), begins=[begin for _, begin in series], freq=DAILY, season_length=7)
    copy = MAKERS[kind](original, rng(seed))
    np.testing.assert_array_equal(np.isfinite(copy.values), np.isfinite(original.values))
    for i in range(len(original)):
        seen = original.series(i)[np.isfinite(original.series(i))]
        made = copy.series(i)[np.isfinite(copy.series(i))]
        if len(seen) and seen.min() >= 0:
            assert made.min() >= 0
        if len(set(seen)) == 1:
            np.testing.assert_allclose(made, seen[0], rtol=1e-12)


@given(
    st.lists(st.tuples(st.integers(2, 30), st.integers(0, 20)), min_size=1, max_size=4),
    st.sampled_from([1, 2, 3, 50, None]),
    st.integers(0, 100),
)
def test_in_any_ragged_panel_a_walk_has_every_size_of_change_once(spans, block, seed: int) -> None:
    draws = rng(seed)
    original = panel(*(np.cumsum(draws.normal(size=n)) - 99 for n, _ in spans), begins=[b for _, b in spans])
    copy = block_shuffled(original, rng(seed), block=block)
    for i in range(len(original)):
        sizes = np.sort(np.abs(changes(original.series(i))))
        np.testing.assert_allclose(np.sort(np.abs(moves(copy, i))), sizes, atol=1e-9)
