"""Copies of a panel: what all of them keep of it exactly, in any units, and that no panel breaks them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import DAILY, panel, sensors
from hypothesis import given
from hypothesis import strategies as st
from surrogate_cases import MAKERS, every_maker, moves, normal, prices, rng

from tsforecast.auditing.surrogates import (
    planted,
)


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
