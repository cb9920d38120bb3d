"""The comparison of models: words that claim no more than the numbers, and numbers that simulations confirm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tsforecast.judging.compare import WORDS, Comparison, Luck, compare, compare_all
from tsforecast.judging.mean_tests import bootstrap_interval, diebold_mariano
from tsforecast.judging.power import MIN_ORIGINS

differences = arrays(np.float64, st.integers(8, 40), elements=st.floats(-100, 100).map(lambda v: round(v, 2)))


def against_naive(gains: Any, *, level: float = 100.0, **options: Any) -> Comparison:
    """An LSTM whose loss is smaller than the benchmark's 100 by `gains`: percents, origin by origin."""
    benchmark = np.full(len(gains), level)
    settings = {"model": "lstm", "benchmark": "naive", "horizon": 1, "step_size": 1} | options
    return compare(benchmark - np.asarray(gains, dtype=np.float64), benchmark, **settings)


def family(n: int = 40, **gains: Any) -> dict[str, np.ndarray]:
    """Losses of models that gain so much on a benchmark whose loss is 100."""
    return {"naive": np.full(n, 100.0)} | {name: 100.0 - np.asarray(g) for name, g in gains.items()}


def spread_around(mean: float, n: int, deviation: float = 1.0) -> np.ndarray:
    """n numbers with this mean and sample standard deviation, large and small ones in turn, so that neighbours do not
    go together and n origins are worth n."""
    z = np.sort(np.random.default_rng(n).normal(size=n))
    z = np.stack([z, z[::-1]], axis=1).ravel()[:n]
    return mean + deviation * (z - z.mean()) / z.std(ddof=1)


def test_a_clear_gain_is_better_with_the_t_interval_and_a_sentence_that_says_it_all() -> None:
    gains = spread_around(4.1, 24, 6.0)
    found = against_naive(gains, horizon=24, step_size=24)
    half = stats.t.ppf(0.975, 23) * 6 / np.sqrt(24)
    assert (found.word, found.n_origins, found.wins) == ("better", 24, int((gains > 0).sum()))
    assert found.effect_percent == pytest.approx(4.1)
    assert (found.low_percent, found.high_percent) == pytest.approx((4.1 - half, 4.1 + half))
    assert found.p_value == found.p_adjusted == pytest.approx(stats.ttest_1samp(gains, 0).pvalue)
    assert found.sentence == (
        f"lstm is 4.1 % better than naive (95 % interval 1.6 to 6.6 %; p = 0.003; 24 origins, better in {found.wins})."
    )


def test_the_mirror_image_is_worse() -> None:
    found = against_naive(-spread_around(4.1, 24, 6.0))
    assert found.word == "worse"
    assert found.sentence.startswith(
        "lstm is 4.1 % worse than naive (95 % interval 1.6 to 6.6 %; p = 0.003; 24 origins"
    )


def test_an_interval_around_zero_is_inconclusive_and_says_what_could_have_been_found() -> None:
    found = against_naive(spread_around(2.2, 24, 6.0))
    assert found.word == "inconclusive" and found.p_value > 0.05 and found.equivalence_p > 0.05
    assert found.sentence.startswith(
        "Inconclusive: lstm is 2.2 % better than naive (95 % interval 0.3 % worse to 4.7 % better; p = 0.086; 24 "
    )
    assert found.sentence.endswith(
        "With differences as variable as these, 24 origins detect 3.6 % with 80 % power; detecting 2 % takes about 71."
    )
    assert found.detectable_percent == pytest.approx(3.6, abs=0.05)


@pytest.mark.parametrize("mean", [0.6, -0.6, 0.0])
def test_two_one_sided_tests_within_the_margin_are_equivalence_even_where_a_difference_is_sure(mean: float) -> None:
    gains = spread_around(mean, 100, 2.0)
    found = against_naive(gains)
    above, below = (stats.ttest_1samp(gains, side, alternative=way) for side, way in ((-2, "greater"), (2, "less")))
    assert found.equivalence_p == pytest.approx(max(above.pvalue, below.pvalue)) and found.word == "equivalent"
    assert found.sentence.startswith("lstm and naive are equivalent within 2 %: lstm is 0.")
    assert against_naive(gains, margin=0.5).word == {0.6: "better", -0.6: "worse", 0.0: "equivalent"}[mean]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_with_very_few_origins_there_is_neither_p_value_nor_interval(n: int) -> None:
    found = against_naive(spread_around(30, n) if n > 1 else [30.0])
    assert found.word == "too few origins" and math.isnan(found.p_value) and math.isnan(found.p_adjusted)
    assert found.sentence.startswith(
        "Too few origins to tell: at least 20 are needed. lstm is 30.0 % better than naive"
    )
    assert math.isnan(found.low_percent) and "interval" not in found.sentence


@pytest.mark.parametrize("n", [8, 19])
def test_below_twenty_origins_the_interval_is_bootstrapped_and_decides_nothing(n: int) -> None:
    gains = spread_around(30, n)
    found = against_naive(gains)
    assert found.word == "too few origins" and math.isnan(found.p_value)
    assert (found.low_percent, found.high_percent) == pytest.approx(bootstrap_interval(gains, 1))
    assert "bootstrapped 95 % interval" in found.sentence
    assert against_naive(spread_around(30, MIN_ORIGINS)).word == "better"


@pytest.mark.parametrize(("n", "horizon"), [(8, 2), (16, 3), (19, 4)])
def test_below_twenty_origins_that_overlap_the_interval_holds_at_least_as_often_as_it_says(
    n: int, horizon: int
) -> None:
    """300 moving averages with mean 0; the bootstrap alone holds it in 80 to 90 %."""
    rng, held, alone = np.random.default_rng(n), 0, 0
    for _ in range(300):
        gains = np.convolve(rng.normal(size=n + horizon - 1), np.ones(horizon), "valid")
        found = compare(1 - gains / 100, np.ones(n), model="a", benchmark="b", horizon=horizon, step_size=1)
        held += found.low_percent <= 0 <= found.high_percent
        low, high = bootstrap_interval(gains, horizon)
        alone += low <= 0 <= high
    assert held >= 0.94 * 300
    assert alone < 0.92 * 300, "control"


def test_too_few_origins_says_how_many_would_tell_this_effect() -> None:
    found = against_naive(spread_around(4.0, 12, 12.0))
    assert found.word == "too few origins"
    assert found.sentence.startswith("Too few origins to tell: at least 20 are needed, and about 68 to tell")


def test_origins_that_go_together_altogether_are_worth_three_so_only_what_is_far_beyond_their_variation_counts() -> (
    None
):
    trend = np.linspace(-10, 10, 30)
    near, far = against_naive(30 + 2 * trend), against_naive(30 + trend)
    assert near.worth_origins == far.worth_origins == 3
    assert (near.word, far.word) == ("inconclusive", "better") and near.dm_p_value < 1e-6
    assert "30 origins, better in 30; they overlap or are correlated, and count as 3)" in near.sentence


def test_identical_and_constant_differences_are_said_and_not_tested() -> None:
    same = against_naive(np.zeros(30))
    assert (same.word, same.effect_percent) == ("equivalent", 0) and math.isnan(same.p_value)
    assert same.sentence == "lstm and naive have the same errors at all 30 origins."
    assert against_naive(np.full(30, 1e-11)).word == "equivalent"  # rounding
    constant = against_naive(np.full(30, 0.1), level=1.0)
    assert constant.word == "inconclusive" and math.isnan(constant.p_value) and math.isnan(constant.low_percent)
    assert "10.0 % better than naive, by the same amount at all 30 origins" in constant.sentence


def test_what_has_no_score_is_invalid_and_never_dropped() -> None:
    gains = spread_around(5, 24)
    gains[3] = np.nan
    found = against_naive(gains)
    assert found.word == "invalid" and math.isnan(found.effect_percent)
    assert found.sentence == "lstm cannot be compared with naive: lstm has no score at 1 of 24 origins."
    assert "there is no origin" in against_naive([]).sentence
    assert "naive makes no error" in against_naive(-np.ones(24), level=0.0).sentence


def test_a_model_that_looks_ahead_is_invalid_and_so_is_everything_held_against_it() -> None:
    losses = family(lstm=spread_around(50, 40), ridge=spread_around(5, 40))
    audit = {"lstm": "lstm looks ahead: y moved it by 3."}
    one, two = compare_all(losses, "naive", horizon=1, step_size=1, invalid=audit)
    assert (one.word, two.word) == ("invalid", "better") and math.isnan(one.p_value)
    assert one.sentence == ("Invalid: nothing can be said of lstm against naive. lstm looks ahead: y moved it by 3.")
    assert {c.word for c in compare_all(losses, "lstm", horizon=1, step_size=1, invalid=audit)} == {"invalid"}


def test_the_number_of_models_tried_is_corrected_for() -> None:
    """p = 0.019 and 0.62: Holm makes 0.037 of the first among two models, and 0.075 among four."""
    clear, unclear = spread_around(3.1, 24, 6.0), spread_around(0.6, 24, 6.0)
    two = compare_all(family(24, lstm=clear, ridge=unclear), "naive", horizon=1, step_size=1)
    assert [c.word for c in two] == ["better", "inconclusive"] and two[0].p_adjusted == 2 * two[0].p_value
    assert "p = 0.019, p = 0.037 corrected for 2 models" in two[0].sentence
    others = {name: np.roll(unclear, k + 2) for k, name in enumerate(("a", "b", "c"))}
    four = compare_all(family(24, lstm=clear, **others), "naive", horizon=1, step_size=1)
    assert four[0].word == "inconclusive" and four[0].low_percent > 0
    assert "On its own this would be significant, but not after the correction for 4 models." in four[0].sentence
    few = compare_all(family(24, lstm=clear, same=np.zeros(24)), "naive", horizon=1, step_size=1)
    assert few[0].models == 1, "what was not tested is not counted"


def test_overlapping_origins_are_worth_fewer_and_the_sentence_says_how_many() -> None:
    gains = np.random.default_rng(4).normal(5, 6, 60)
    apart, overlapping = against_naive(gains), against_naive(gains, horizon=24, step_size=6)
    assert apart.worth_origins > 50 and overlapping.worth_origins <= 15
    assert "and count as 12.4" in overlapping.sentence and "overlap" not in apart.sentence
    assert overlapping.p_value > apart.p_value and overlapping.high_percent > apart.high_percent
    hopeless = against_naive(gains, horizon=48, step_size=1)
    assert hopeless.word == "too few origins" and "at least 144 are needed" in hopeless.sentence


def test_seeds_that_differ_widen_the_interval_and_are_counted() -> None:
    """Variance over origins 36 / 40 and over seeds 1: the interval has the root of their sum."""
    losses = family(lstm=spread_around(5, 40, 6.0))
    luck = {"lstm": Luck(np.array([94.0, 96.0, 101.0]), 1.0)}
    plain = compare_all(losses, "naive", horizon=1, step_size=1)[0]
    lucky = compare_all(losses, "naive", horizon=1, step_size=1, luck=luck)[0]
    assert (lucky.seeds, lucky.seed_wins, plain.seeds) == (3, 2, 1)
    error = np.sqrt(36 / 40 + 1)
    df = error**4 / ((36 / 40) ** 2 / 39 + 1 / 2)
    assert lucky.high_percent - 5 == pytest.approx(error * stats.t.ppf(0.975, df))
    assert "smaller error with 2 of 3 networks" in lucky.sentence and "networks" not in plain.sentence
    assert lucky.p_value > plain.p_value and lucky.detectable_percent > plain.detectable_percent


@given(differences, st.sampled_from([1, 2, 5]))
def test_the_word_the_interval_and_the_p_value_never_contradict_each_other(d: np.ndarray, horizon: int) -> None:
    found = against_naive(d / 2, horizon=horizon)
    assert found.word in WORDS
    assert math.isnan(found.p_value) or found.dm_p_value <= found.p_value
    if found.word in ("better", "worse"):
        assert found.p_value < 0.05 and found.n_origins >= MIN_ORIGINS
        assert found.low_percent > 0 if found.word == "better" else found.high_percent < 0
    elif found.word == "equivalent" and not math.isnan(found.equivalence_p):
        assert abs(found.effect_percent) < 2
    elif found.word == "inconclusive" and not math.isnan(found.p_value):
        assert found.p_value >= 0.05 * (1 - 1e-9) and found.low_percent <= 0 <= found.high_percent
    if found.low_percent == found.low_percent and not math.isnan(found.p_value):
        assert found.low_percent <= found.effect_percent <= found.high_percent


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
    """1,000 null draws: differences are sums of `overlap` shocks, as with origins closer together than the horizon."""
    shocks = np.random.default_rng(8).normal(size=(1000, n + overlap - 1)).cumsum(axis=1)
    sums = np.concatenate([shocks[:, overlap - 1 : overlap], shocks[:, overlap:] - shocks[:, :-overlap]], axis=1)
    found = [against_naive(d, horizon=overlap) for d in sums]
    assert 0.01 < np.mean([c.p_value < 0.05 for c in found]) < 0.065
    if overlap > 1:  # the control: without counting origins by what they are worth, the promise would be broken
        assert np.mean([c.dm_p_value < 0.05 for c in found]) > 0.085
        assert found[0].dm_p_value == pytest.approx(float(diebold_mariano(sums[0], overlap - 1).p_value))


def test_a_gain_of_ten_percent_is_found_most_of_the_time() -> None:
    """300 draws of 24 origins whose differences vary by 15 % of the loss."""
    gains = np.random.default_rng(9).normal(10, 15, size=(300, 24))
    assert np.mean([against_naive(d).word == "better" for d in gains]) > 0.75


def test_where_the_luck_of_seeds_hides_the_margin_no_number_of_origins_is_promised() -> None:
    rng = np.random.default_rng(1)
    naive = rng.uniform(90, 110, size=40)
    losses = {"naive": naive, "lstm": naive - rng.normal(1, 12, size=40)}
    few = {"lstm": Luck(np.array([95.0, 105.0]), 25.0)}
    lucky = compare_all(losses, "naive", horizon=1, step_size=1, luck=few)[0]
    plain = compare_all(losses, "naive", horizon=1, step_size=1)[0]
    assert lucky.word == plain.word == "inconclusive"
    assert "detecting 2 % takes about" in plain.sentence
    assert "takes about" not in lucky.sentence and "2 % takes more of them (n_seeds)" in lucky.sentence
