"""The blank and the spiked sample: no "better" on copies without anything to find, and the planted pattern is found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from cases import panel
from scipy.stats import binom

from tsforecast.auditing import placebo
from tsforecast.auditing.placebo import PLANTED, Copy, Placebo, check_placebo, run_placebo
from tsforecast.auditing.surrogates import SURROGATES, planted_period, random_walk
from tsforecast.contract import Forecast, Forecaster
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Drift, FromPast, Naive
from tsforecast.panel import Future, Panel
from tsforecast.running.executors import Processes
from tsforecast.running.how import How

PLAN = Plan(horizon=3, n_windows=20)
WALK = panel(np.cumsum(np.random.default_rng(0).normal(size=300)), season_length=5)
MODELS: dict[str, Forecaster] = {"ridge": Ridge(), "naive": Naive(), "drift": Drift()}
FIRST_TWO = ("random walk", "block-shuffled changes")


@dataclass(frozen=True)
class Periodic:
    """Knows the planted period: what happened one wave ago happens again."""

    period: int
    name = "periodic"

    def fit(self, past: Panel, horizon: int) -> FromPast:
        return FromPast(self, horizon)

    def forecast(self, past: Panel, future: Future) -> Forecast:
        told = Naive().forecast(past, future)
        before = past.ends[:, None] - 1 - self.period
        moved = past.values[before + np.arange(1, future.horizon + 1)] - past.values[before]
        return replace(told, point=told.point + moved)


class Noisy:
    """The last value and noise of its own."""

    name = "noisy"

    def fit(self, past: Panel, horizon: int) -> FromPast:
        return FromPast(self, horizon)

    def forecast(self, past: Panel, future: Future) -> Forecast:
        told = Naive().forecast(past, future)
        noise = np.random.default_rng(len(past.values)).normal(size=told.point.shape)
        return replace(told, point=told.point + noise * past.mean_change(1)[:, None])


@dataclass
class Peeking:
    """Has got hold of the whole copy, and forecasts half of what happens after the cutoff."""

    name = "peeking"
    seen: list[Panel] = field(default_factory=list)

    def fit(self, past: Panel, horizon: int) -> FromPast:
        return FromPast(self, horizon)

    def forecast(self, past: Panel, future: Future) -> Forecast:
        told = Naive().forecast(past, future)
        truth = self.seen[-1].values[past.ends[:, None] + np.arange(future.horizon)]
        return replace(told, point=(told.point + truth) / 2)


@pytest.fixture
def peeking(monkeypatch: pytest.MonkeyPatch) -> Peeking:
    model, run = Peeking(), placebo.run_backtest

    def leaky(copy: Panel, *rest: Any, **more: Any) -> Any:
        model.seen.append(copy)
        return run(copy, *rest, **more)

    monkeypatch.setattr(placebo, "run_backtest", leaky)
    return model


def said(kind: str = "random walk", *, effects: Mapping[str, float] | None = None, **words: str) -> Copy:
    return Copy(kind, 7, "naive", words, effects or dict.fromkeys(words, 1.0))


# what is run


def test_kinds_come_in_turn_and_the_planted_pattern_last() -> None:
    found = run_placebo(WALK, MODELS, PLAN, 4)
    assert [copy.kind for copy in found.copies] == [*SURROGATES, "random walk", PLANTED]
    assert len({copy.seed for copy in found.copies}) == 5
    assert all(set(copy.words) == {"ridge"} == set(copy.effects) for copy in found.copies), "no baseline is judged"
    assert {copy.benchmark for copy in found.copies} <= {"naive", "drift"}
    assert found.seconds > 0


def test_a_copy_can_be_made_again_from_its_seed_and_is_what_the_models_saw(peeking: Peeking) -> None:
    found = run_placebo(WALK, {"peeking": peeking, "naive": Naive()}, PLAN, 1)
    again = random_walk(WALK, np.random.default_rng(found.copies[0].seed))
    np.testing.assert_array_equal(peeking.seen[0].values, again.values)


def test_the_same_seed_says_the_same_and_another_seed_makes_other_copies() -> None:
    models = {"noisy": Noisy(), "naive": Naive()}
    one, same, other = (run_placebo(WALK, models, PLAN, 2, seed=seed) for seed in (1, 1, 2))
    assert one.copies == same.copies
    assert not {c.seed for c in one.copies} & {c.seed for c in other.copies}


@pytest.mark.slow
def test_copies_that_are_run_side_by_side_say_what_they_say_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[int] = []
    real = Processes.__init__
    monkeypatch.setattr(Processes, "__init__", lambda self, *given: opened.append(given[0]) or real(self, *given))
    serial = run_placebo(WALK, MODELS, PLAN, 3, how=How(executor="serial"))
    monkeypatch.setattr(placebo, "WORTH", 0.0)
    told: list[tuple[float, str]] = []
    found = run_placebo(WALK, MODELS, PLAN, 3, how=How(jobs=2), on_progress=lambda *now: told.append(now))
    assert opened == [2] and found.copies == serial.copies
    assert told[-3:] == [((k + 1) / 4, f"placebo {k + 1} of 4: done") for k in (1, 2, 3)]
    run_placebo(WALK, MODELS, PLAN, 3, how=How(executor="serial"))
    run_placebo(WALK, MODELS, PLAN, 1, how=How(jobs=2))
    assert opened == [2], "not where that is not wanted, nor for a single one"


def test_copies_that_cannot_be_run_elsewhere_are_run_here(peeking: Peeking, monkeypatch: pytest.MonkeyPatch) -> None:
    models = {"peeking": peeking, "naive": Naive()}
    expected = run_placebo(WALK, models, PLAN, 2, how=How(executor="serial")).copies
    monkeypatch.setattr(placebo, "WORTH", 0.0)
    monkeypatch.setattr(placebo, "Processes", lambda *_: 1 / 0)
    assert run_placebo(WALK, models, PLAN, 2, how=How(jobs=2)).copies == expected


def test_progress_runs_from_0_to_1_through_all_copies() -> None:
    told: list[tuple[float, str]] = []
    run_placebo(
        WALK, {"noisy": Noisy(), "naive": Naive()}, PLAN, 2, on_progress=lambda share, what: told.append((share, what))
    )
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert told[0][1] == "placebo 1 of 3: naive"
    assert told[-1][1] == "placebo 3 of 3: done"


# what it finds


def test_honest_models_are_not_called_better_and_the_pattern_is_found_by_those_who_can() -> None:
    models = {"ridge": Ridge(), "naive": Naive(), "periodic": Periodic(planted_period(5, 3)), "noisy": Noisy()}
    found = run_placebo(WALK, models, PLAN, 5)
    cried, of = found.false_alarms
    assert of == 4 * 3, "5 copies: 2 random walks, 2 with shuffled blocks"
    assert binom.sf(cried - 1, of, 0.025) > 0.001
    assert found.too_often == ()
    assert found.copies[-1].better == ("ridge", "periodic")
    assert found.copies[-1].effects["periodic"] > 50
    assert found.sentence.startswith(
        "On 4 copies of these data without anything to find (2 random walks, 2 with block-shuffled changes) the "
        f'protocol said "better" {cried} of 12 times; on 1 phase-randomised copy, which keeps the autocorrelation'
    )
    assert found.sentence.endswith("The planted pattern was found by ridge and periodic, not by noisy.")


def test_a_model_that_peeks_is_better_on_random_walks_and_there_is_a_warning(peeking: Peeking) -> None:
    found = run_placebo(WALK, {"peeking": peeking, "noisy": Noisy(), "naive": Naive()}, PLAN, 2)
    for copy in found.copies:
        assert copy.words["peeking"] == "better"
        assert copy.effects["peeking"] == pytest.approx(50), "half of every error is gone"
    assert found.too_often == ("peeking",)
    assert 'Too often: do not trust a "better" of peeking here.' in found.sentence


def test_with_few_origins_nothing_is_claimed() -> None:
    found = run_placebo(WALK, {"noisy": Noisy(), "naive": Naive()}, Plan(horizon=3, n_windows=4), 2)
    assert found.false_alarms == (0, 0)
    assert "there were too few origins, or forecasts, to say anything." in found.sentence
    assert "Whether the planted pattern was found could not be tested" in found.sentence
    assert '"better"' not in found.sentence


def test_a_season_may_rightly_be_found_in_phase_randomised_copies_and_is_no_false_alarm() -> None:
    rng = np.random.default_rng(1)
    year = panel(20 * np.sin(2 * np.pi * np.arange(480) / 12) + rng.normal(size=480), season_length=1)
    found = run_placebo(year, {"ridge": Ridge(input_size=24), "naive": Naive()}, PLAN, 3)
    assert found.copies[2].words == {"ridge": "better"}
    assert "on 1 phase-randomised copy, which keeps the autocorrelation and may rightly be forecast, 1 of 1." in (
        found.sentence
    )
    assert found.false_alarms == (0, 2)
    assert found.too_often == ()


# the words


def test_one_copy_is_spoken_of_in_the_singular() -> None:
    found = Placebo((said(lstm="inconclusive"), said(PLANTED, lstm="better")), 1.0)
    assert found.sentence == (
        'On 1 copy of these data without anything to find (1 random walk) the protocol said "better" 0 of 1 time. '
        "The planted pattern was found by lstm."
    )


def test_where_no_model_finds_the_pattern_no_better_means_little() -> None:
    found = Placebo((said(lstm="worse", gru="equivalent"), said(PLANTED, lstm="worse", gru="inconclusive")), 1.0)
    assert found.sentence.endswith(
        "Even a strong planted pattern was not found by lstm or gru: these folds are too few, or the models too weak, "
        'for "no better" to mean anything.'
    )


@pytest.mark.parametrize(
    ("cried", "of", "models", "warned"),
    [
        (1, 1, 1, False),  # 0.025: chance
        (1, 40, 1, False),
        (2, 2, 1, True),  # 0.0006
        (2, 4, 1, True),  # 0.0036
        (2, 4, 3, False),  # three models had the chance: 0.011
        (3, 4, 3, True),
        (3, 20, 1, False),  # 0.013
        (4, 20, 1, True),  # 0.0014
    ],
)
def test_it_warns_where_chance_brings_so_many_less_than_once_in_a_hundred(
    cried: int, of: int, models: int, warned: bool
) -> None:
    others = {f"m{i}": "worse" for i in range(1, models)}
    words = ["better"] * cried + ["inconclusive"] * (of - cried)
    copies = [said(FIRST_TWO[i % 2], m0=word, **others) for i, word in enumerate(words)]
    found = Placebo((*copies, said(PLANTED, m0="better", **others)), 1.0)
    assert (models * binom.sf(cried - 1, of, 0.025) < 0.01) == warned, "scipy agrees"
    assert found.too_often == (("m0",) if warned else ())
    assert ("Too often" in found.sentence) == warned
    assert found.false_alarms == (cried, of * models)


def test_a_comparison_that_was_not_possible_is_not_counted() -> None:
    copies = (said(a="better", b="invalid"), said(a="too few origins", b="equivalent"), said(PLANTED, a="better"))
    assert Placebo(copies, 1.0).false_alarms == (1, 2)


def test_it_becomes_json_with_null_where_there_is_no_effect() -> None:
    found = Placebo((said(a="invalid", effects={"a": math.nan}), said(PLANTED, a="better")), 2.5)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["seconds"] == 2.5
    assert told["sentence"] == found.sentence
    assert told["too_often"] == []
    assert told["copies"][0] == {
        "kind": "random walk",
        "seed": 7,
        "benchmark": "naive",
        "words": {"a": "invalid"},
        "effects": {"a": None},
    }
    assert told["copies"][1]["effects"] == {"a": 1.0}


# what cannot be done


@pytest.mark.parametrize(
    ("models", "copies", "message"),
    [
        ({"ridge": Ridge()}, 1, "no baseline to compare with; add naive"),
        ({"naive": Naive()}, 1, "naive is a baseline, and nothing is compared with them; add a model that learns"),
        ({"naive": Naive(), "mine": Drift()}, 1, "naive and mine are baselines"),
        (MODELS, 0, "placebo=0: give the number of copies, at least 1"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_runs(models: Any, copies: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_placebo(models, copies)
    with pytest.raises(ConfigError, match=message):
        run_placebo(WALK, models, PLAN, copies)
    check_placebo({"mine": Ridge(), "base": Naive()}, 1)
