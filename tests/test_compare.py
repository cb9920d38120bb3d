"""The comparison of two models: exact reference values, identities, simulated truth, and words that claim no more."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.api import OLS
from statsmodels.tsa.stattools import diebold_mariano_test

from tsforecast.compare import MIN_ORIGINS, Comparison, compare, diebold_mariano

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


def against_naive(gains: Any, *, level: float = 100.0, **options: Any) -> Comparison:
    """An LSTM whose loss is smaller than the benchmark's 100 by `gains`: percents, origin by origin."""
    benchmark = np.full(len(gains), level)
    settings = {"model": "lstm", "benchmark": "naive", "horizon": 1, "step_size": 1} | options
    return compare(benchmark - np.asarray(gains, dtype=np.float64), benchmark, **settings)


def spread_around(mean: float, n: int, deviation: float = 1.0) -> np.ndarray:
    """n numbers with this mean and sample standard deviation."""
    z = np.random.default_rng(n).normal(size=n)
    return mean + deviation * (z - z.mean()) / z.std(ddof=1)


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
    for d in (A, B, spread_around(0.3, 37)):
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


def test_a_clear_gain_is_better_with_the_t_interval_and_a_sentence_that_says_it_all() -> None:
    gains = spread_around(3.1, 24, 6.0)
    found = against_naive(gains, horizon=24, step_size=24)
    half = stats.t.ppf(0.975, 23) * 6 / np.sqrt(24)
    assert (found.word, found.n_origins, found.wins) == ("better", 24, int((gains > 0).sum()))
    assert found.effect_percent == pytest.approx(3.1)
    assert (found.low_percent, found.high_percent) == pytest.approx((3.1 - half, 3.1 + half))
    assert found.p_value == pytest.approx(stats.ttest_1samp(gains, 0).pvalue)
    assert found.sentence == (
        f"lstm is 3.1 % better than naive (95 % interval 0.6 to 5.6 %, 24 origins, better in {found.wins})."
    )


def test_the_mirror_image_is_worse() -> None:
    found = against_naive(-spread_around(3.1, 24, 6.0))
    assert found.word == "worse"
    assert found.sentence.startswith(
        "lstm is 3.1 % worse than naive (95 % interval 0.6 to 5.6 %, 24 origins, better in"
    )


def test_an_interval_around_zero_is_no_clear_difference() -> None:
    found = against_naive(spread_around(2.2, 24, 6.0))
    assert found.word == "no clear difference" and found.p_value > 0.05
    assert found.sentence.startswith(
        "No clear difference: lstm is 2.2 % better than naive (95 % interval 0.3 % worse to"
    )


def test_a_gain_below_the_margin_is_no_win_however_sure_it_is() -> None:
    found = against_naive(spread_around(0.6, 100, 0.5))
    assert found.word == "no clear difference" and found.low_percent > 0 and found.p_value < 1e-10
    assert "0.6 % better than naive: less than the 2 % that would be worth having" in found.sentence
    assert against_naive(spread_around(0.6, 100, 0.5), margin=0.5).word == "better"


@pytest.mark.parametrize("n", [1, 2, 3, 19])
def test_below_twenty_origins_there_is_no_p_value_and_the_interval_is_called_rough(n: int) -> None:
    found = against_naive(spread_around(30, n) if n > 1 else [30.0])
    assert found.word == "too few origins" and math.isnan(found.p_value)
    assert found.sentence.startswith(
        "Too few origins to tell, at least 20 are needed: lstm is 30.0 % better than naive"
    )
    if n < 3:
        assert math.isnan(found.low_percent) and "interval" not in found.sentence
    else:
        assert found.high_percent - 30 == pytest.approx(stats.t.ppf(0.975, n - 1) / np.sqrt(n))
        assert "rough 95 % interval" in found.sentence
    assert against_naive(spread_around(30, MIN_ORIGINS)).word == "better"


def test_a_tiny_difference_over_few_origins_is_not_called_clear_nor_too_small_to_matter() -> None:
    found = against_naive(spread_around(0.3, 8, 20.0))
    assert found.word == "no clear difference" and math.isnan(found.p_value)
    assert found.sentence.startswith(
        "No clear difference, and too few origins to find one, at least 20 are needed: lstm"
    )
    wide = against_naive(spread_around(0.3, 24, 20.0))
    assert wide.word == "no clear difference" and "worth having" not in wide.sentence
    narrow = against_naive(spread_around(0.3, 24, 2.0))
    assert narrow.low_percent < 0 and "less than the 2 % that would be worth having" in narrow.sentence


def test_identical_and_constant_differences_are_said_and_not_tested() -> None:
    same = against_naive(np.zeros(30))
    assert (same.word, same.effect_percent) == ("identical", 0) and math.isnan(same.p_value)
    assert same.sentence == "lstm and naive have the same errors at all 30 origins."
    assert against_naive(np.full(30, 1e-11)).word == "identical"  # rounding
    constant = against_naive(np.full(30, 0.1), level=1.0)
    assert constant.word == "no clear difference" and math.isnan(constant.p_value) and math.isnan(constant.low_percent)
    assert "10.0 % better than naive, by the same amount at all 30 origins" in constant.sentence


def test_what_has_no_score_is_not_compared_and_never_dropped() -> None:
    gains = spread_around(5, 24)
    gains[3] = np.nan
    found = against_naive(gains)
    assert found.word == "not comparable" and math.isnan(found.effect_percent)
    assert found.sentence == "lstm cannot be compared with naive: lstm has no score at 1 of 24 origins."
    assert "there is no origin" in against_naive([]).sentence
    assert "naive makes no error" in against_naive(-np.ones(24), level=0.0).sentence


def test_overlapping_origins_are_worth_fewer_and_the_sentence_says_how_many() -> None:
    gains = spread_around(5, 60, 6.0)
    apart, overlapping = against_naive(gains), against_naive(gains, horizon=24, step_size=6)
    assert "they overlap and are worth 15" in overlapping.sentence and "overlap" not in apart.sentence
    assert overlapping.high_percent - 5 == pytest.approx(stats.t.ppf(0.975, 14) * gains.std() / np.sqrt(14))
    assert overlapping.p_value > apart.p_value
    hopeless = against_naive(gains, horizon=48, step_size=1)
    assert hopeless.word == "too few origins" and "at least 144 are needed" in hopeless.sentence


@given(differences, st.sampled_from([1, 2, 5]))
def test_the_word_the_interval_and_the_p_value_never_contradict_each_other(d: np.ndarray, horizon: int) -> None:
    found = against_naive(d / 2, horizon=horizon)
    if found.word in ("better", "worse"):
        assert found.p_value < 0.05 and abs(found.effect_percent) >= 2 and found.n_origins >= MIN_ORIGINS
        assert found.low_percent > 0 if found.word == "better" else found.high_percent < 0
    elif not math.isnan(found.p_value) and abs(found.effect_percent) >= 2:
        assert found.p_value >= 0.05 * (1 - 1e-9) and found.low_percent <= 0 <= found.high_percent


@given(differences, st.sampled_from([1e-6, 1e6]))
def test_the_unit_of_the_loss_does_not_matter(d: np.ndarray, unit: float) -> None:
    one, two = against_naive(d / 2), against_naive(d / 2 * unit, level=100 * unit)
    assert one.word == two.word
    assert (one.effect_percent, one.low_percent) == pytest.approx(
        (two.effect_percent, two.low_percent), rel=1e-6, abs=1e-6, nan_ok=True
    )


@pytest.mark.parametrize(("n", "overlap"), [(40, 1), (60, 4), (120, 12)])
def test_a_true_null_is_rejected_at_no_more_than_five_percent_even_if_forecasts_share_everything(
    n: int, overlap: int
) -> None:
    """1,500 null draws: differences are sums of `overlap` shocks, as with origins closer together than the horizon."""
    shocks = np.random.default_rng(8).normal(size=(1500, n + overlap - 1)).cumsum(axis=1)
    sums = np.concatenate([shocks[:, overlap - 1 : overlap], shocks[:, overlap:] - shocks[:, :-overlap]], axis=1)
    p_values = np.array([against_naive(d, horizon=overlap).p_value for d in sums])
    assert 0.02 < (p_values < 0.05).mean() < 0.065
    if overlap > 1:  # the control: without counting origins by what they are worth, the promise would be broken
        alone = np.array([diebold_mariano(d, overlap - 1).p_value for d in sums])
        assert (alone < 0.05).mean() > 0.09


def test_a_gain_of_ten_percent_is_found_most_of_the_time() -> None:
    """300 draws of 24 origins whose differences vary by 15 % of the loss."""
    gains = np.random.default_rng(9).normal(10, 15, size=(300, 24))
    assert np.mean([against_naive(d).word == "better" for d in gains]) > 0.8
