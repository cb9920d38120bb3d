"""From a result to its verdict: who is compared, over which origins and seeds, and what may be claimed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import panel, sensors

from tsforecast.backtesting import run_backtest
from tsforecast.contract import Forecast
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.judging.compare import compare
from tsforecast.judging.mean_tests import benjamini_hochberg
from tsforecast.judging.scores import best_baseline, origin_losses
from tsforecast.judging.sentences import p_text
from tsforecast.judging.verdict import judge, parse_claim
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.models.recurrent import LSTM
from tsforecast.models.training import Training
from tsforecast.panel import Panel, View
from tsforecast.results import BacktestResult

DATA = sensors((260, 260, 260))
PLAN = Plan(horizon=4, n_windows=24)


@dataclass(frozen=True)
class Spoiled:
    """The seasonal naive forecast with noise on it: its error grows with `noise`. With several `seeds` it is the mean
    of as many forecasts with noise of their own."""

    noise: float
    seeds: int = 1
    name = "spoiled"

    def fit(self, past: Panel, horizon: int) -> Spoiled:
        return self

    def predict(self, views: list[View]) -> list[Forecast]:
        return [self._spoil(f) for f in SeasonalNaive().fit(views[0].past, 4).predict(views)]

    def _spoil(self, forecast: Forecast) -> Forecast:
        rng = np.random.default_rng(int(forecast.times[0, 0].astype("int64") // 10**9) + 1)
        members = forecast.point + self.noise * rng.normal(size=(self.seeds, *forecast.point.shape))
        return replace(forecast, point=members.mean(0), members=members if self.seeds > 1 else None)


def run(plan: Plan = PLAN, data: Panel = DATA, facts: Any = None, **models: Any) -> BacktestResult:
    return run_backtest(
        data, models, plan, facts={"kinds": {name: m.name for name, m in models.items()}} | (facts or {})
    )


@cache
def result() -> BacktestResult:
    return run(week=SeasonalNaive(), slight=Spoiled(0.01), bad=Spoiled(6.0), naive=Naive())


def test_a_verdict_has_every_model_against_the_benchmark_and_is_ready_for_json() -> None:
    verdict = result().verdict()
    assert verdict.benchmark == "week" and verdict.loss == "mase" and verdict.margin == 2.0
    assert {c.model: c.word for c in verdict.comparisons} == {"slight": "equivalent", "bad": "worse", "naive": "worse"}
    assert verdict.comparisons == tuple(result().comparisons()) and verdict.of("bad").models == 3
    assert str(verdict).splitlines()[:3] == [c.sentence for c in verdict.comparisons]
    data = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert data["comparisons"][1]["word"] == "worse" and data["comparisons"][1]["conditional_p"] is None
    with pytest.raises(ConfigError, match=r"no model 'slite'.*did you mean 'slight'"):
        verdict.of("slite")


def test_the_benchmark_and_the_margin_are_those_asked_for_else_those_of_the_run() -> None:
    assert result().verdict("naive").of("week").word == "better"
    own = replace(result(), facts=dict(result().facts) | {"benchmark": "bad", "margin": 50.0})
    assert (own.verdict().benchmark, own.verdict().margin) == ("bad", 50.0)
    assert own.verdict("week", margin=0.001).margin == 0.001
    with pytest.raises(ConfigError, match=r"no model 'weak'.*did you mean 'week'"):
        result().verdict("weak")
    for margin in (0.0, -1.0, math.nan):
        with pytest.raises(ConfigError, match="margin="):
            result().verdict(margin=margin)


def test_the_best_baseline_is_the_benchmark_or_the_best_of_all_where_there_is_none() -> None:
    assert best_baseline(run(bad=Spoiled(3.0), naive=Naive(), week=SeasonalNaive(), drift=Drift())) == "week"
    assert best_baseline(run(bad=Spoiled(3.0), good=Spoiled(1.0))) == "good"


def test_comparisons_are_by_origin_and_count_the_gap() -> None:
    """20 origins, 4 apart, of horizon 4 and a gap of 4: each step is forecast twice, so they are worth ten at most."""
    apart, gapped = (run(Plan(horizon=4, n_windows=20, gap=gap), naive=Naive(), week=SeasonalNaive()) for gap in (0, 4))
    (one,), (two,) = apart.comparisons("naive"), gapped.comparisons("naive")
    assert one.n_origins == two.n_origins == 20 and (one.model, one.benchmark) == ("week", "naive")
    assert two.worth_origins <= 10
    for found, result, horizon in ((one, apart, 4), (two, gapped, 8)):
        a, b = (origin_losses(result)[0][m].to_numpy() for m in ("week", "naive"))
        by_hand = compare(a, b, model="week", benchmark="naive", horizon=horizon, step_size=4)
        assert found == by_hand
    losses, name = origin_losses(apart)
    assert name == "mase" and losses.shape == (20, 2)
    assert one.effect_percent == pytest.approx(100 * (1 - losses["week"].mean() / losses["naive"].mean()))


def test_a_panel_counts_its_origins_and_not_its_series() -> None:
    """Twenty copies of one series know no more than one: the p-value is the same, not that of twenty times as many."""
    one = sensors((200,))
    many = panel(*(one.series(0) for _ in range(20)), season_length=7, freq=one.freq)
    alone, together = (
        run(Plan(horizon=4, n_windows=20), data, naive=Naive(), drift=Drift()).verdict("naive").of("drift")
        for data in (one, many)
    )
    assert together.p_value == pytest.approx(alone.p_value, rel=1e-9) and together.n_origins == 20


def failed_audit(**passed: bool) -> dict[str, Any]:
    return {"models": {n: {"passed": p, "sentence": f"{n} looks ahead."} for n, p in passed.items()}}


def test_a_failed_audit_makes_the_verdict_on_that_model_invalid_and_takes_it_out_of_the_best() -> None:
    audit = failed_audit(slight=False, bad=True)
    verdict = replace(result(), facts=dict(result().facts) | {"audit": audit}).verdict()
    assert {c.model: c.word for c in verdict.comparisons} == {"slight": "invalid", "bad": "worse", "naive": "worse"}
    assert "slight looks ahead." in verdict.of("slight").sentence
    assert "slight" not in verdict.best_p and "slight" not in set(verdict.series["model"])
    everything = failed_audit() | {"preparation": {"passed": False, "sentence": "The preparation looks ahead."}}
    verdict = replace(result(), facts=dict(result().facts) | {"audit": everything}).verdict()
    assert {c.word for c in verdict.comparisons} == {"invalid"} and verdict.best == ()


def test_each_series_by_itself_has_its_own_test_with_p_values_adjusted_over_the_series() -> None:
    table = result().verdict().series
    bad = table[table["model"] == "bad"].set_index("unique_id")
    losses = (
        result()
        .scores(("model", "unique_id", "fold"))
        .pivot_table(index="fold", columns=["model", "unique_id"], values="mase")
    )
    alone = [
        compare(losses["bad"][s], losses["week"][s], model="a", benchmark="b", horizon=4, step_size=4)
        for s in bad.index
    ]
    np.testing.assert_allclose(bad["p_value"], [c.p_value for c in alone], rtol=1e-9)
    np.testing.assert_allclose(bad["effect_percent"], [c.effect_percent for c in alone], rtol=1e-9)
    np.testing.assert_allclose(bad["p_adjusted"], benjamini_hochberg(bad["p_value"].to_numpy()))
    assert set(bad["word"]) == {"worse"} and len(table) == 9


def test_series_with_fewer_origins_are_tested_on_those_they_have() -> None:
    data = sensors((260, 260, 120))  # with align=end all have 24; by the calendar the short one starts late
    table = run(Plan(horizon=4, n_windows=30), data, naive=Naive(), week=SeasonalNaive()).verdict("naive").series
    counts = dict(zip(table["unique_id"], table["n_origins"], strict=True))
    assert counts["s0"] == counts["s1"] == 30 and counts["s2"] < 30
    assert table["p_value"].notna().tolist() == [n >= 20 for n in table["n_origins"]]
    assert (table["word"] == "too few origins").tolist() == [n < 20 for n in table["n_origins"]]


def test_the_set_of_best_models_holds_the_twin_and_not_the_bad_one() -> None:
    verdict = result().verdict()
    assert verdict.best == ("week", "slight") and set(verdict.best_p) == set(result().models)
    assert verdict.best_note == "The best model is among week and slight, with 90 % confidence (model confidence set)."


def test_seeds_are_in_the_interval_as_if_the_networks_were_drawn_again() -> None:
    """Oracle: 400 runs whose networks and whose origins are both drawn again, on the tables themselves."""
    several = run(lstm=Spoiled(6.0, seeds=4), naive=Naive())
    (found,) = several.comparisons("naive")
    members = several.members.pivot_table(index=["fold", "unique_id", "step"], columns="seed", values="forecast")
    table = several.forecasts[several.forecasts["model"] == "naive"].set_index(["fold", "unique_id", "step"])
    scale = several.pasts.set_index(["fold", "unique_id"])["scale_abs"]
    rows = pd.MultiIndex.from_arrays([members.index.get_level_values(k) for k in (0, 1)])
    rng, effects = np.random.default_rng(0), []
    y, naive, per = (x.loc[members.index].to_numpy() for x in (table["y"], table["forecast"], scale.loc[rows].to_frame()
                                                               .set_index(members.index)["scale_abs"]))  # fmt: skip
    fold = members.index.get_level_values(0).to_numpy()

    def by_origin(point: np.ndarray) -> np.ndarray:
        return np.bincount(fold, np.abs(y - point) / per) / np.bincount(fold)

    base = by_origin(naive)
    for _ in range(400):
        own = by_origin(members.to_numpy()[:, rng.integers(4, size=4)].mean(1))
        origins = rng.integers(24, size=24)
        effects.append(100 * (base[origins] - own[origins]).mean() / base.mean())
    alone = [by_origin(members[s].to_numpy()).mean() < base.mean() for s in members]
    assert (found.seeds, found.seed_wins) == (4, sum(alone))
    reach = (found.high_percent - found.low_percent) / 2
    assert 0.8 * 2.07 * np.std(effects) < reach < 1.6 * 2.07 * np.std(effects)
    without = replace(several, members=several.members.iloc[:0]).comparisons("naive")[0]
    assert without.high_percent - without.low_percent < 2 * reach and without.seeds == 1


def test_networks_of_several_seeds_leave_their_points_in_the_result_and_one_leaves_none() -> None:
    brief = Training(max_steps=5)
    whole = run(
        Plan(horizon=4, n_windows=3), DATA, lstm=LSTM(n_seeds=2, hidden_size=4, training=brief), naive=Naive(),
        one=LSTM(n_seeds=1, hidden_size=4, training=brief),
    )  # fmt: skip
    assert set(whole.members["model"]) == {"lstm"} and len(whole.members) == 2 * 3 * 3 * 4
    mean = whole.members.groupby(["fold", "unique_id", "step"])["forecast"].mean().to_numpy()
    np.testing.assert_allclose(mean, whole.forecasts.query("model == 'lstm'")["forecast"], rtol=1e-12)
    assert whole.comparisons("naive")[0].seeds == 2


def test_the_conditional_test_is_only_for_models_estimated_anew_on_a_window_of_fixed_length() -> None:
    with pytest.raises(ConfigError, match=r"window of fixed length.*train_size and refit=true"):
        result().verdict(conditional=True)
    plan = Plan(horizon=4, n_windows=24, refit=True, train_size=60)
    rolling = run(plan, DATA, week=SeasonalNaive(), naive=Naive())
    for asked in (True, None):
        found = rolling.verdict("naive", conditional=asked).of("week")
        assert 0 < found.conditional_p < 1
        assert f"predictability of the better model: {p_text(found.conditional_p)} (Giacomini-White)" in found.sentence
    assert math.isnan(rolling.verdict("naive", conditional=False).of("week").conditional_p)
    assert math.isnan(result().verdict().of("bad").conditional_p), "this run is not of that kind"


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        ("week better than naive", True),
        ("naive  better than  week", False),
        ("slight not worse than week", True),
        ("slight equivalent to week", True),
        ("slight better than week", False),
        ("bad not worse than week", False),
        ("bad equivalent to naive", False),
    ],
)
def test_a_claim_holds_when_the_verdict_says_so(claim: str, holds: bool) -> None:
    found, sentence = parse_claim(claim).holds(result())
    assert found is holds and sentence


@pytest.mark.parametrize("text", ["", "lstm", "lstm beats naive", "better than naive", "lstm better than", "a > b"])
def test_what_is_no_claim_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="is no claim: write for example 'lstm better than autoarima'"):
        parse_claim(text)


def test_a_claim_about_a_model_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no model 'wek' in the run.*did you mean 'week'"):
        parse_claim("wek better than naive").check(result().models)
    with pytest.raises(ConfigError, match="not compared with itself"):
        parse_claim("week better than week").check(result().models)
    assert str(parse_claim("a b better than c")) == "a b better than c"


def test_one_model_alone_has_an_empty_verdict() -> None:
    verdict = judge(run(naive=Naive()))
    assert verdict.comparisons == () and verdict.best == () and len(verdict.series) == 0
