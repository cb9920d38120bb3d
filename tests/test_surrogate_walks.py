"""Walks made of a panel's changes: every size of change once, and nothing in them that could be forecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import panel
from hypothesis import given
from hypothesis import strategies as st
from surrogate_cases import changes, moves, normal, prices, rng, walks

from tsforecast.auditing.surrogates import (
    block_shuffled,
    random_walk,
)
from tsforecast.frequency import Frequency


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
