"""Tests of a mean: exact reference values, identities, libraries as oracles, simulated truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.api import OLS
from statsmodels.stats.multitest import multipletests
from statsmodels.tsa.stattools import diebold_mariano_test

from tsforecast.judging.mean_tests import (
    autocorrelation_beyond,
    benjamini_hochberg,
    bootstrap_interval,
    diebold_mariano,
    effective_t,
    giacomini_white,
    holm,
    worth,
)

A = np.array([1, -2, 3, -1, 2, -3, 1, 2, -1, 3, -2, 1.0])
B = np.array([2, -1, 4, -2, 1, -4, 3, 2, -2, 4, -1, 2.0])
C, D = np.array([3, -3.0] * 6), np.array([1, 5.0] * 6)

REFERENCE = [  # errors, h, power, mean difference, statistic, p: exact rational arithmetic, rounded to ten decimals
    (A, B, 1, 1, -1 / 2, -1.7320508076, 0.1111729528),
    (A, B, 1, 2, -8 / 3, -2.2305302100, 0.0474822596),
    (A, B, 2, 1, -1 / 2, -2.0184335694, 0.0686005041),
    (A, B, 2, 2, -8 / 3, -2.5507782148, 0.0269577091),
    (A, B, 3, 1, -1 / 2, -2.7386127875, 0.0192791996),
    (A, B, 3, 2, -8 / 3, -3.6886717410, 0.0035714151),
    (A, B, 4, 1, -1 / 2, -2.0579830217, 0.0640878786),
    (A, B, 4, 2, -8 / 3, -2.8223089538, 0.0165989687),
    (C, D, 1, 1, 0, 0, 1),
    (C, D, 1, 2, -4, -1.1055415968, 0.2925184554),
    (C, D, 2, 2, -4, -3.4960294939, 0.0050051488),
    (C, D, 3, 2, -4, -1.5811388301, 0.1421522155),
    (C, D, 4, 2, -4, -2.8284271247, 0.0164182868),
]

differences = arrays(np.float64, st.integers(8, 40), elements=st.floats(-100, 100).map(lambda v: round(v, 2)))


@pytest.mark.parametrize(("one", "two", "h", "power", "mean", "statistic", "p"), REFERENCE)
def test_diebold_mariano_gives_the_exact_reference_values(
    one: np.ndarray, two: np.ndarray, h: int, power: int, mean: float, statistic: float, p: float
) -> None:
    test = diebold_mariano(np.abs(one) ** power - np.abs(two) ** power, h - 1)
    assert test.mean == pytest.approx(mean, abs=1e-12)
    assert test.t == pytest.approx(statistic, abs=1e-9)
    assert test.p_value == pytest.approx(p, abs=1e-9)


@given(differences, st.integers(1, 5))
def test_diebold_mariano_equals_statsmodels(d: np.ndarray, h: int) -> None:
    test = diebold_mariano(d, h - 1)
    if math.isnan(test.t) or d.std() < 1e-3:
        return
    one, two = np.maximum(d, 0), np.maximum(-d, 0)  # absolute errors with these differences
    settings: dict[str, Any] = {"lags": h - 1, "criterion": "mae", "harvey_adj": True, "horizon": h}
    theirs = diebold_mariano_test(np.zeros(len(d)), one, two, **settings)
    assert test.t == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-12)
    assert test.p_value == pytest.approx(theirs.pvalue, rel=1e-9, abs=1e-300)


def test_without_overlap_it_is_the_one_sample_t_test() -> None:
    for d in (A, B, np.random.default_rng(3).normal(0.3, 1, 37)):
        test, expected = diebold_mariano(d, 0), stats.ttest_1samp(d, 0)
        assert test.t == pytest.approx(expected.statistic, rel=1e-14)
        assert test.p_value == pytest.approx(expected.pvalue, rel=1e-12)


@pytest.mark.parametrize("h", [1, 2, 3, 4])
def test_without_its_small_sample_factor_it_is_the_t_value_of_a_hac_regression_on_a_constant(h: int) -> None:
    d = np.abs(A) ** 2 - np.abs(B) ** 2
    n = len(d)
    fit = OLS(d, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": h - 1, "use_correction": False})
    assert diebold_mariano(d, h - 1).t / np.sqrt((n - h) * (n - h + 1)) * n == pytest.approx(fit.tvalues[0], rel=1e-12)


@pytest.mark.parametrize("d", [np.full(30, 0.1), np.zeros(30), np.arange(3.0), np.ones(1)])
def test_a_variance_that_is_not_there_gives_no_statistic(d: np.ndarray) -> None:
    test = diebold_mariano(d, 2)
    assert math.isnan(test.error) and math.isnan(test.t) and math.isnan(test.p_value)


def test_many_series_at_once_have_the_numbers_of_each_alone() -> None:
    d = np.random.default_rng(0).normal(size=(40, 3)).cumsum(axis=0)
    for test in (lambda x: diebold_mariano(x, 3), lambda x: effective_t(x, 4)):
        together = test(d)
        for column in range(3):
            np.testing.assert_allclose([v[column] for v in together], test(d[:, column]), rtol=1e-12)


@pytest.mark.parametrize(("errors", "dm", "p"), [(100, 1.9078, 0.05932), (20, -0.14392, 0.8871)])
def test_published_statistics_of_r_have_their_published_p_values(errors: int, dm: float, p: float) -> None:
    """dm.test of R's forecast package on WWWusage: a difference with this t statistic has this p-value."""
    d = np.random.default_rng(1).normal(size=errors)
    d = (d - d.mean()) / d.std(ddof=1)
    assert diebold_mariano(d + dm / np.sqrt(errors), 0).p_value == pytest.approx(p, abs=1e-4)


def test_giacomini_white_with_a_constant_alone_is_a_function_of_diebold_mariano() -> None:
    for d in (np.abs(A) ** 2 - np.abs(B) ** 2, np.random.default_rng(2).normal(0.4, 1, 50)):
        n = len(d)
        squared = (d.mean() / np.sqrt(d.var() / n)) ** 2
        statistic, p = giacomini_white(d, 0, conditional=False)
        assert statistic == pytest.approx(squared / (1 + squared / n), rel=1e-12)
        assert p == pytest.approx(stats.chi2.sf(statistic, 1), rel=1e-12)


def test_giacomini_white_finds_a_difference_that_can_be_told_in_advance_and_keeps_its_size() -> None:
    """Swings of mean 0: the unconditional test sees nothing, the conditional one sees the pattern."""
    rng = np.random.default_rng(3)
    swings = np.tile([1.0, 1.0, -1.0, -1.0], 25) + rng.normal(0, 0.2, 100)
    alternating = np.tile([1.0, -1.0], 50) + rng.normal(0, 0.2, 100)
    assert giacomini_white(alternating, 0)[1] < 0.001 < giacomini_white(alternating, 0, conditional=False)[1]
    assert giacomini_white(swings, 0)[1] > 0.05  # what follows 1 is 1 or -1
    null = [giacomini_white(rng.normal(size=100), 0)[1] < 0.05 for _ in range(1000)]
    assert 0.03 < np.mean(null) < 0.07


@pytest.mark.parametrize("d", [np.zeros(30), np.full(30, 2.0), np.ones(2)])
def test_giacomini_white_is_withheld_where_its_variance_is_singular(d: np.ndarray) -> None:
    assert math.isnan(giacomini_white(d, 0)[1])


def test_origins_are_worth_what_the_variance_of_their_mean_says() -> None:
    """Closed forms: sums of k shocks make T / k of T origins; an autocorrelation r makes T (1 - r) / (1 + r)."""
    rng = np.random.default_rng(4)
    shocks = rng.normal(size=(400, 400 + 3))
    sums = np.stack([shocks[:, i : i + 400] for i in range(4)]).sum(0).T
    assert np.median(worth(sums, 4)) == pytest.approx(100, rel=0.1)
    persistent = np.zeros((400, 400))
    for step in range(1, 400):
        persistent[step] = 0.5 * persistent[step - 1] + shocks[:, step]
    assert np.median(worth(persistent, 1)) == pytest.approx(400 / 3, rel=0.1)
    assert np.median(worth(shocks.T, 1)) > 340
    assert autocorrelation_beyond(np.tile([1.0, -1.0], 20), 1) == 0, "a negative one is not counted on"


@pytest.mark.parametrize("phi", [0.0, 0.2, 0.4, 0.6])
@pytest.mark.parametrize("n", [20, 40, 80])
def test_a_null_whose_differences_persist_is_rejected_at_about_five_percent(n: int, phi: float) -> None:
    """2,000 draws; with 20 origins and strong persistence it is up to 8 %. Diebold-Mariano alone: 20 % and more."""
    shocks = np.random.default_rng(5).normal(size=(n + 50, 2000))
    d = np.zeros_like(shocks)
    for step in range(1, n + 50):
        d[step] = phi * d[step - 1] + shocks[step]
    rejected = (effective_t(d[50:], 1).p_value < 0.05).mean()
    assert 0.02 < rejected < (0.09 if n == 20 else 0.075)
    if phi >= 0.4:
        assert (diebold_mariano(d[50:], 0).p_value < 0.05).mean() > 0.16, "control"


def test_the_bootstrap_interval_is_that_of_arch() -> None:
    """Another stream of random numbers, so: close, for 12 origins apart and for 18 that overlap threefold."""
    for n, block in ((12, 1), (18, 3)):
        d = np.random.default_rng(n).normal(1, 2, size=n)
        theirs = CircularBlockBootstrap(block, d, seed=0).conf_int(
            lambda x: np.array([x.mean()]), reps=4000, method="studentized",
            std_err_func=lambda _, x: np.array([x.std() / np.sqrt(len(x) - 1)]),
        )  # fmt: skip
        assert bootstrap_interval(d, block) == pytest.approx(theirs.ravel(), abs=0.25)


@pytest.mark.parametrize("n", [8, 12, 19])
def test_the_bootstrap_interval_holds_the_mean_as_often_as_it_says(n: int) -> None:
    """300 draws each; the interval without studentising (percentiles) holds it in 85 to 92 %."""
    rng = np.random.default_rng(n)
    ends = np.array([bootstrap_interval(rng.normal(size=n), 1) for _ in range(300)])
    assert 0.92 <= ((ends[:, 0] < 0) & (ends[:, 1] > 0)).mean() <= 0.985


def test_adjusted_p_values_are_those_of_statsmodels() -> None:
    rng = np.random.default_rng(6)
    for size in (1, 2, 5, 12):
        p = np.append(rng.beta(0.3, 2, size), rng.choice([0.01, 0.04], 2))  # ties too
        for ours, method in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
            np.testing.assert_allclose(ours(p), multipletests(p, method=method)[1], rtol=1e-12)


def test_a_p_value_that_does_not_exist_is_not_counted() -> None:
    p = np.array([0.02, np.nan, 0.03])
    np.testing.assert_allclose(holm(p), [0.04, np.nan, 0.04])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.03, np.nan, 0.03])
    assert np.isnan(holm(np.array([np.nan]))).all() and len(holm(np.empty(0))) == 0
