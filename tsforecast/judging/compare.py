"""Is one model better than another, by how much, and may that be trusted? Paired comparisons over the origins.

What is compared is one loss per origin, so N series are never counted as N independent trials: what moves prices or
sensors together moves all their errors together (Akgun, Pirotte, Urga & Yang 2024, IJF 40(1)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tsforecast.judging.mean_tests import (
    ROUNDING,
    MeanTest,
    bootstrap_interval,
    diebold_mariano,
    effective_t,
    giacomini_white,
    holm,
    with_variance,
    worth,
)
from tsforecast.judging.power import MIN_ORIGINS, detectable_error, least_origins, origins_needed
from tsforecast.judging.sentences import sentence

__all__ = ["LEVEL", "MARGIN", "MIN_ORIGINS", "WORDS", "Comparison", "Luck", "compare", "compare_all"]

Floats = npt.NDArray[np.float64]

WORDS = ("better", "worse", "equivalent", "inconclusive", "too few origins", "invalid")
MARGIN = 2.0
"""Percent of the benchmark's loss: a difference below it is not worth having, unless a run says otherwise."""
LEVEL = 0.05
_LEAST_RESAMPLED = 8  # fewer origins, or fewer than half as many apart, and a bootstrap covers too little


@dataclass(frozen=True)
class Comparison:
    """One model against a benchmark.

    effect_percent   how much smaller the model's mean loss is, in percent of the benchmark's; positive = better
    low_, high_percent   95 % interval of the effect; bootstrapped where `p_value` is NaN; NaN where there is none
    n_origins, wins  origins, and at how many of them the model's loss is the smaller one
    p_value          two-sided, of equal expected losses; NaN where it would not be valid
    p_adjusted       Holm's, over all models that were compared with this benchmark
    word             one of WORDS
    sentence         all of it in plain English
    detectable_percent  the smallest mean of differences that vary like these which so many origins find with 80 % power
    seeds, seed_wins    networks behind the model; how many of them alone have a smaller mean loss
    dm_p_value       p of the Diebold-Mariano test alone; `p_value` is this or a larger one: see `compare_all`
    equivalence_p    larger p of the two one-sided tests that the effect is beyond the margin (Schuirmann 1987)
    conditional_p    p of Giacomini & White's conditional test, where it was asked for
    margin_percent   what counts as equivalent
    worth_origins    how many independent origins these are worth
    models           how many models the correction is for
    """

    model: str
    benchmark: str
    effect_percent: float
    low_percent: float
    high_percent: float
    n_origins: int
    wins: int
    p_value: float
    p_adjusted: float
    word: str
    sentence: str
    detectable_percent: float = math.nan
    seeds: int = 1
    seed_wins: int = 0
    dm_p_value: float = math.nan
    equivalence_p: float = math.nan
    conditional_p: float = math.nan
    margin_percent: float = MARGIN
    worth_origins: float = math.nan
    models: int = 1


class Luck(NamedTuple):
    """What other seeds would have changed in a model of several networks.

    means     mean loss of each network alone `[S]`
    variance  of the model's mean loss, from resampling its networks
    """

    means: Floats
    variance: float


def compare(
    losses: Floats, benchmark_losses: Floats, *, model: str, benchmark: str, horizon: int, step_size: int,
    margin: float = MARGIN,
) -> Comparison:  # fmt: skip
    """Two models on the same origins: `compare_all` for one pair."""
    pair = {model: losses, benchmark: benchmark_losses}
    return compare_all(pair, benchmark, horizon=horizon, step_size=step_size, margin=margin)[0]


def compare_all(
    losses: Mapping[str, Floats],
    benchmark: str,
    *,
    horizon: int,
    step_size: int,
    margin: float = MARGIN,
    luck: Mapping[str, Luck] | None = None,
    invalid: Mapping[str, str] | None = None,
    conditional: bool = False,
) -> tuple[Comparison, ...]:
    """Every model against the benchmark, on the same origins.

    losses     per model `[T]`, one per origin in time order: mean scaled losses over its series and steps
    horizon    steps from the cutoff to the last one scored, so a gap counts; step_size: steps between origins
    margin     percent of the benchmark's loss below which a difference is not worth having
    luck       models of several networks: the variance over seeds is added to that over origins
    invalid    models whose losses prove nothing, and a sentence that says why
    conditional  also Giacomini & White's test: only for models estimated anew on a window of fixed length

    Interval and p-value are the wider and the larger of two: the Diebold-Mariano test with the lags that overlap, and a
    t test with as many origins as these are worth, given the overlap and the autocorrelation beyond it. (The first
    alone rejects a true null at 10 to 30 % instead of 5 where forecasts share their shocks or errors persist.) Words:

    better, worse    p adjusted for the number of models is below 5 %, and the effect is not equivalent to none
    equivalent       two one-sided tests at 5 % place the effect within the margin; or all losses are the same
    inconclusive     neither
    too few origins  below 20 origins (or three horizons' worth): there is no p-value
    invalid          the audit failed, or a loss is missing
    """
    others = [name for name in losses if name != benchmark]
    luck, invalid = luck or {}, invalid or {}
    overlap = -(-horizon // step_size)
    found = [_weigh(name, benchmark, losses, overlap, margin, luck, invalid, conditional) for name in others]
    p_values = np.array([c.p_value for c, *_ in found], dtype=np.float64)
    family = max(int((~np.isnan(p_values)).sum()), 1)
    judged = []
    for (c, gains, test, spread), adjusted in zip(found, holm(p_values), strict=True):
        c = replace(c, p_adjusted=float(adjusted), models=family)
        alpha = LEVEL / family
        if test is not None and test.error > 0:
            c = replace(c, detectable_percent=float(test.error) * detectable_error(float(test.df), alpha=alpha))
        c = replace(c, word=c.word or _word(c))
        needed = 0
        if c.word in ("inconclusive", "too few origins"):
            goal = margin if c.word == "inconclusive" else max(abs(c.effect_percent), margin)
            needed = origins_needed(gains, goal, overlap=overlap, luck=spread, alpha=alpha)
        judged.append(replace(c, sentence=c.sentence or sentence(c, needed, least_origins(overlap))))
    return tuple(judged)


class _Weighed(NamedTuple):
    """A comparison with its numbers (word and sentence only where there is no choice), the gains `[T]` in percent, the
    test that allows for all there is to allow for, and the variance over seeds with its degrees of freedom."""

    comparison: Comparison
    gains: Floats
    test: MeanTest | None = None
    luck: tuple[float, float] = (0.0, 1.0)


def _weigh(
    model: str,
    benchmark: str,
    losses: Mapping[str, Floats],
    overlap: int,
    margin: float,
    luck: Mapping[str, Luck],
    invalid: Mapping[str, str],
    conditional: bool,
) -> _Weighed:
    own, theirs = (np.asarray(losses[name], dtype=np.float64) for name in (model, benchmark))
    assert own.shape == theirs.shape and own.ndim == 1 and overlap >= 1
    n, nan = len(own), math.nan
    blank = Comparison(
        model, benchmark, nan, nan, nan, n, int((own < theirs).sum()), nan, nan, "", "",
        margin_percent=margin, seeds=len(luck[model].means) if model in luck else 1,
    )  # fmt: skip
    reason = _why_not(model, benchmark, own, theirs)
    if reason:
        text = f"{model} cannot be compared with {benchmark}: {reason}."
        return _Weighed(replace(blank, word="invalid", sentence=text), np.empty(0))
    level = float(theirs.mean())
    gains = (theirs - own) / level * 100
    seed_wins = int((luck[model].means < level).sum()) if model in luck else 0
    blank = replace(blank, effect_percent=float(gains.mean()), seed_wins=seed_wins)
    broken = [invalid[name] for name in (model, benchmark) if name in invalid]
    if broken:
        text = f"Invalid: nothing can be said of {model} against {benchmark}. {' '.join(broken)}"
        return _Weighed(replace(blank, word="invalid", sentence=text), gains)
    if np.abs(own - theirs).max() <= ROUNDING * np.abs(theirs).max():
        return _Weighed(replace(blank, effect_percent=0.0, word="equivalent"), gains)

    seeds = [luck[name] for name in (model, benchmark) if name in luck]
    extra = sum(s.variance for s in seeds) * (100 / level) ** 2
    spread = extra, float(min((len(s.means) - 1 for s in seeds), default=1))
    dm, effective = diebold_mariano(gains, overlap - 1), effective_t(gains, overlap)
    tests = [_with_luck(test, *spread) for test in (dm, effective)]
    blank = replace(blank, worth_origins=float(worth(gains, overlap)))
    effect = blank.effect_percent
    if n < least_origins(overlap):
        few = n < _LEAST_RESAMPLED or n / overlap < _LEAST_RESAMPLED / 2
        low, high = (nan, nan) if few or gains.std() <= ROUNDING else bootstrap_interval(gains, overlap)
        if overlap > 1:  # a resample's own error takes its values for independent: 83 of 100 intervals would hold
            reach = float(effective.reach)
            low, high = min(low, effect - reach), max(high, effect + reach)
        low, high = (
            effect - math.hypot(effect - low, 2 * extra**0.5),
            min(effect + math.hypot(high - effect, 2 * extra**0.5), 100.0),
        )
        return _Weighed(replace(blank, low_percent=low, high_percent=high, word="too few origins"), gains, None, spread)
    reach = float(np.max([test.reach for test in tests]))  # NaN if either is
    weighed = replace(
        blank,
        low_percent=effect - reach,
        high_percent=min(effect + reach, 100.0),  # no error is smaller than none
        p_value=float(np.max([test.p_value for test in tests])),
        dm_p_value=float(dm.p_value),
        equivalence_p=float(np.max([_beyond(test, margin) for test in tests])),
        conditional_p=giacomini_white(gains, overlap - 1)[1] if conditional else nan,
    )
    return _Weighed(weighed, gains, tests[1], spread)


def _word(c: Comparison) -> str:
    if c.equivalence_p < LEVEL:
        return "equivalent"
    if c.p_adjusted < LEVEL:
        return "better" if c.effect_percent > 0 else "worse"
    return "inconclusive"


def _with_luck(test: MeanTest, variance: float, df: float) -> MeanTest:
    """The test with the variance over seeds added."""
    from scipy.special import stdtr

    if variance <= 0 or not test.error > 0:
        return test
    error, freedom = with_variance(float(test.error), float(test.df), variance, df)
    t = test.mean / error
    p_value = np.asarray(2 * stdtr(freedom, -abs(t)))
    return MeanTest(test.mean, np.asarray(error), t, np.asarray(freedom), p_value)


def _beyond(test: MeanTest, margin: float) -> float:
    """The larger p-value of the two one-sided tests that the mean is below -margin or above margin."""
    from scipy.special import stdtr

    if not test.error > 0:
        return math.nan
    return float(stdtr(test.df, -(margin - abs(test.mean)) / test.error))


def _why_not(model: str, benchmark: str, losses: Floats, benchmark_losses: Floats) -> str:
    """Why two models have nothing to compare; empty where they have."""
    if len(losses) == 0:
        return "there is no origin"
    for name, missing in ((model, ~np.isfinite(losses)), (benchmark, ~np.isfinite(benchmark_losses))):
        if missing.any():
            origins = "1 origin" if len(losses) == 1 else f"{len(losses)} origins"
            return f"{name} has no score at {int(missing.sum())} of {origins}"
    return "" if benchmark_losses.mean() > 0 else f"{benchmark} makes no error, and there is no percentage of nothing"
