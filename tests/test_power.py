"""What a number of origins can find: closed forms, and simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from tsforecast.judging.compare import compare
from tsforecast.judging.power import MIN_ORIGINS, detectable_error, detectable_percent, least_origins, origins_needed

APART = np.tile([8.0, -8.0], 30)  # 60 origins with standard deviation 8 that do not go together


@pytest.mark.parametrize(("df", "power", "alpha"), [(19, 0.8, 0.05), (59, 0.8, 0.05), (59, 0.9, 0.0125)])
def test_the_detectable_effect_is_that_of_the_noncentral_t(df: int, power: float, alpha: float) -> None:
    errors = detectable_error(df, power=power, alpha=alpha)
    assert 1 - stats.nct.cdf(stats.t.ppf(1 - alpha / 2, df), df, errors) == pytest.approx(power, abs=1e-7)
    theirs = TTestPower().solve_power(nobs=df + 1, power=power, alpha=alpha)
    assert errors / np.sqrt(df + 1) == pytest.approx(theirs, rel=1e-5)


def test_with_many_origins_it_is_two_point_eight_standard_errors() -> None:
    assert detectable_error(1e7) == pytest.approx(stats.norm.ppf(0.975) + stats.norm.ppf(0.8), rel=1e-6)


def test_overlap_and_autocorrelation_make_effects_harder_to_find() -> None:
    plain = detectable_percent(APART, overlap=1)
    assert plain == pytest.approx(8 / np.sqrt(59) * detectable_error(59), rel=1e-9)
    assert detectable_percent(APART, overlap=3) > 1.7 * plain
    together = np.repeat([8.0, -8.0, 8.0, -8.0], 15)
    assert detectable_percent(together, overlap=1) > 3 * plain
    assert detectable_percent(APART, overlap=1, alpha=0.05 / 4) > plain


def test_too_few_origins_find_nothing_and_what_never_varies_says_nothing() -> None:
    assert math.isnan(detectable_percent(APART[:19], overlap=1))
    assert math.isnan(detectable_percent(APART, overlap=30))
    assert math.isnan(detectable_percent(np.full(40, 3.0), overlap=1))
    assert detectable_percent(APART[:12], overlap=1, n_origins=40) > 0, "12 origins tell what 40 would find"
    assert (least_origins(1), least_origins(6), least_origins(7)) == (MIN_ORIGINS, 20, 21)


@pytest.mark.parametrize("effect", [5.0, 2.0, 0.5])
def test_the_origins_needed_are_the_smallest_number_that_finds_the_effect(effect: float) -> None:
    n = origins_needed(APART, effect, overlap=1)
    assert detectable_percent(APART, overlap=1, n_origins=n) <= effect
    assert detectable_percent(APART, overlap=1, n_origins=n - 1) > effect
    assert n == pytest.approx((2.8 * 8 / effect) ** 2, rel=0.2)


def test_what_seeds_add_is_not_made_smaller_by_more_origins() -> None:
    """The variance over 30 networks is 1: its root, 1 %, times 2.9 stays however many origins there are."""
    lucky = (1.0, 29.0)
    assert detectable_percent(APART, overlap=1, luck=lucky) > detectable_percent(APART, overlap=1)
    endless = detectable_percent(APART, overlap=1, n_origins=10**6, luck=lucky)
    assert endless == pytest.approx(detectable_error(29), rel=1e-3)
    assert origins_needed(APART, 2.0, overlap=1, luck=lucky) == 0, "no number is enough"
    n = origins_needed(APART, 4.0, overlap=1, luck=lucky)
    assert n > origins_needed(APART, 4.0, overlap=1) > 0
    assert detectable_percent(APART, overlap=1, n_origins=n, luck=lucky) <= 4.0


def test_an_effect_out_of_reach_takes_no_number_of_origins() -> None:
    assert origins_needed(APART, 1e-4, overlap=1) == 0
    assert origins_needed(np.full(40, 3.0), 2.0, overlap=1) == 0
    assert origins_needed(APART, 50.0, overlap=1) == MIN_ORIGINS


@pytest.mark.parametrize("n", [20, 40, 80])
def test_the_promised_power_is_the_power_that_comes(n: int) -> None:
    """600 draws with a true effect of the promised size: "better" in about 80 of 100; the promise itself is estimated
    from other draws, and the guard against autocorrelation, which the promise knows of, costs the rest."""
    rng = np.random.default_rng(n)
    promise = float(np.median([detectable_percent(rng.normal(0, 10, n), overlap=1) for _ in range(200)]))
    benchmark = np.full(n, 100.0)
    words = [
        compare(
            benchmark - rng.normal(promise, 10, n), benchmark, model="a", benchmark="b", horizon=1, step_size=1
        ).word
        for _ in range(600)
    ]
    assert 0.72 < np.mean([w == "better" for w in words]) < 0.9
