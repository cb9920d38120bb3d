"""What a report says: true to the words of the comparisons, whatever the numbers look like."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_runs import baselines, panel_of, trends, walks

from tsforecast.backtesting import run_backtest
from tsforecast.folds import Plan
from tsforecast.judging.compare import WORDS, Comparison
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.reporting.answer import answers, evidence_on
from tsforecast.reporting.findings import find
from tsforecast.reporting.words import column, moment, span


def comparison(word: str, effect: float = 12.0, benchmark: str = "naive") -> Comparison:
    return Comparison("lstm", benchmark, effect, effect - 3, effect + 3, 24, 20, 0.001, 0.002, word, "")


@pytest.mark.parametrize("word", [*(w for w in WORDS if w != "better"), "?"])
def test_only_the_word_better_reads_like_a_win(word: str) -> None:
    scores = pd.DataFrame({"model": ["lstm", "naive"], "mase": [0.8, 0.9]})
    evidence = evidence_on(["lstm"], [comparison(word, effect=-12.0 if word == "worse" else 12.0)], "the best baseline")
    [line] = answers(["lstm"], evidence, scores, "mase")
    assert "better" not in line and not line.startswith(("Yes", "In part"))
    evidence = evidence_on(["lstm"], [comparison("better")], "the best baseline")
    [line] = answers(["lstm"], evidence, scores, "mase")
    assert line == "Yes: lstm forecasts better than naive (the best baseline)."
    evidence += evidence_on(["lstm"], [comparison(word, benchmark="autoarima")], "")
    [line] = answers(["lstm"], evidence, scores, "mase")
    assert line.startswith("In part: lstm forecasts better than naive (the best baseline) and ")


def test_a_comparison_without_numbers_is_no_verdict_whatever_its_word() -> None:
    [found] = evidence_on(["lstm"], [comparison("better", effect=math.nan)], "")
    assert found.word == "invalid" and found.verb == "could not be compared with"


@pytest.mark.parametrize("seed", range(3))
def test_on_random_walks_nothing_looks_like_a_win_and_on_a_planted_trend_it_does(seed: int) -> None:
    # a drift under the name of a network: no use on a random walk, all the use on a trend
    models = {"lstm": Drift(), "naive": Naive(), "seasonal_naive": SeasonalNaive()}
    plan = Plan(horizon=3, n_windows=24)
    found = find(run_backtest(walks(("a", "b", "c"), steps=150, seed=seed), models, plan))
    assert found.question == f"Does lstm forecast this better than {found.baseline}?"
    assert [e.word == "better" for e in found.evidence] == [False]
    assert "better" not in found.answers[0] and not found.answers[0].startswith("Yes")
    planted = find(run_backtest(trends(("a", "b", "c")), models, plan))
    assert planted.answers == ["Yes: lstm forecasts better than naive (the best baseline)."]
    assert "24 origins, better in 23" in planted.evidence[0].sentence


def test_a_network_is_held_against_the_best_baseline_arima_and_the_best_other_model() -> None:
    models = {
        "lstm": Drift(),
        "autoarima": Naive(),
        "ridge": Drift(),
        "naive": Naive(),
        "seasonal_naive": SeasonalNaive(),
    }
    found = find(run_backtest(trends(("a", "b")), models, Plan(horizon=3, n_windows=24)))
    assert [(e.opponent, e.word) for e in found.evidence] == [
        ("naive", "better"),
        ("autoarima", "better"),
        ("ridge", "equivalent"),
    ]
    assert found.answers == [
        "In part: lstm forecasts better than naive (the best baseline) and autoarima and has the same errors as ridge."
    ]
    assert found.rows == ["lstm", "autoarima", "ridge", "naive"]


def test_where_nothing_was_decided_it_says_what_these_origins_find() -> None:
    models = {"lstm": SeasonalNaive(season_length=2), "naive": Naive()}
    found = find(run_backtest(walks(("a",), steps=90), models, Plan(horizon=2, n_windows=20)))
    assert found.answers == ["Not decided: lstm cannot be distinguished from naive (the best baseline) at 20 origins."]
    finds = f"20 origins detect {found.comparisons[0].detectable_percent:.1f} % with 80 % power"
    assert finds in found.evidence[0].sentence


def test_a_named_benchmark_takes_the_place_of_the_best_baseline() -> None:
    models = {"lstm": Drift(), "autoarima": Naive(), "naive": Naive(), "seasonal_naive": SeasonalNaive()}
    plan = Plan(horizon=3, n_windows=24)
    found = find(run_backtest(trends(("a", "b")), models, plan, facts={"benchmark": "autoarima"}))
    assert found.baseline == "autoarima" and len(found.evidence) == 1
    assert found.answers == ["Yes: lstm forecasts better than autoarima (the benchmark)."]
    few = {"lstm": Drift(), "autoarima": Naive()}
    itself = find(run_backtest(trends(("a",)), few, plan, facts={"benchmark": "lstm"}))
    assert itself.question == "Does autoarima forecast this better than lstm?"
    assert itself.answers == ["No: autoarima forecasts worse than lstm (the benchmark)."]


def test_with_few_origins_it_says_so() -> None:
    models = {"lstm": Drift(), "naive": Naive()}
    found = find(run_backtest(trends(("a",)), models, Plan(horizon=3, n_windows=5)))
    assert found.answers == [
        "Not decided: lstm cannot be distinguished from naive (the best baseline) with only 5 origins."
    ]


def test_what_was_asked_is_said_in_words() -> None:
    panel = panel_of({"a": np.arange(400.0), "b": np.arange(400.0)}, freq="30min")
    plan = Plan(horizon=48, n_windows=3, gap=2, refit=2, align="end")
    result = run_backtest(panel, {"naive": Naive()}, plan, facts={"data": "room.csv"})
    found = find(result)
    assert found.asked == (
        "2 series of room.csv with 800 observed values from 2024-01-01 to 2024-01-09 07:30. To forecast: the next "
        "1 day (48 steps of 30 minutes), 1 hour (2 steps of 30 minutes) after the last known value, made at 3 origins, "
        "1 day (48 steps of 30 minutes) apart, from 2024-01-06 06:30 to 2024-01-08 06:30. Models were fitted anew at "
        "every 2nd origin on everything before it, and all are scored on the same values."
    )
    assert found.remarks[0].startswith("Look-ahead audit: not audited.")
    assert found.remarks[1].startswith("Origins are counted back from each series' own end")


def test_calibration_is_the_share_of_values_inside_by_hand() -> None:
    result = baselines(walks(("a", "b")))
    found = find(result).calibration.set_index(["model", "nominal"])["observed"]
    part = result.forecasts[result.forecasts["model"] == "drift"]
    inside = [low <= y <= high for y, low, high in zip(part["y"], part["q0.1"], part["q0.9"], strict=True)]
    assert found["drift", 0.8] == sum(inside) / len(inside)
    assert sorted({nominal for _, nominal in found.index}) == [0.2, 0.4, 0.6, 0.8, 0.9, 0.95]


def test_where_values_are_missing_the_summary_and_the_calibration_say_the_same_coverage() -> None:
    panel = walks(("a", "b"))
    values = panel.values.copy()
    values[np.random.default_rng(0).random(len(values)) < 0.2] = np.nan
    result = run_backtest(replace(panel, values=values), {"naive": Naive(), "drift": Drift()}, Plan(horizon=5))
    found = find(result)
    observed = found.calibration.set_index(["model", "nominal"])["observed"]
    for row in found.summary.itertuples():
        assert observed[row.model, 0.8] == pytest.approx(row.coverage_80, rel=1e-12)
        assert observed[row.model, 0.95] == pytest.approx(row.coverage_95, rel=1e-12)


def test_of_baselines_alone_the_others_are_held_against_the_best_or_the_one_that_was_named() -> None:
    models = {"naive": Naive(), "drift": Drift()}
    found = find(run_backtest(trends(("a", "b")), models, Plan(horizon=3, n_windows=24)))
    assert found.question == "Does naive forecast this better than drift?"
    assert found.answers == ["No: naive forecasts worse than drift (the best baseline)."]
    named = find(run_backtest(trends(("a", "b")), models, Plan(horizon=3, n_windows=24), facts={"benchmark": "naive"}))
    assert named.answers == ["Yes: drift forecasts better than naive (the benchmark)."]
    alone = find(run_backtest(trends(("a",)), {"naive": Naive()}, Plan(horizon=3, n_windows=24)))
    assert alone.answers[0].startswith("No verdict: only baselines were run.")


def test_equal_errors_are_the_smallest_of_each_model_that_has_them() -> None:
    models = {"one": Ridge(), "other": Ridge(), "naive": Naive()}
    found = find(run_backtest(trends(("a", "b", "c"), steps=120), models, Plan(horizon=3, n_windows=4)))
    assert found.by_series.wins() == [("one", 3), ("other", 3)]


def test_the_worst_median_best_and_first_series_are_plotted_each_once() -> None:
    rng = np.random.default_rng(0)
    # growing noise about a level that the past does not show: the larger the name, the larger the error
    quiet = rng.normal(size=60)
    names = ("c", "a", "e", "b", "d")
    panel = panel_of({n: np.append(quiet, quiet[-1] + 10 * (ord(n) - 96) + rng.normal(size=5)) for n in names})
    found = find(run_backtest(panel, {"naive": Naive(), "lstm": Naive()}, Plan(horizon=5, n_windows=1)))
    assert found.shown == [
        ("e", "largest error of lstm"),
        ("c", "median error of lstm"),
        ("a", "smallest error of lstm and the first series"),
    ]


@pytest.mark.parametrize(
    ("steps", "freq", "words"),
    [
        (24, "h", "24 hours"),
        (1, "D", "1 day"),
        (48, "30min", "1 day (48 steps of 30 minutes)"),
        (6, "4h", "1 day (6 steps of 4 hours)"),
        (5, "bars", "5 bars"),
        (5, "B", "5 business days"),
        (13, "W-SUN", "13 weeks"),
        (12, "MS", "12 months"),
        (4, "QE", "4 quarters"),
        (2, "YS-JAN", "2 years"),
        (6, "1", "6 steps"),
    ],
)
def test_a_horizon_in_words(steps: int, freq: str, words: str) -> None:
    assert span(steps, freq) == words


def test_numbers_of_a_column_share_their_decimals_unless_magnitudes_forbid() -> None:
    assert column([0.8123, 0.9, 3.884]) == ["0.812", "0.900", "3.884"]
    assert column([1234.5, 999.9, None]) == ["1,234", "1,000", "–"]
    assert column([1e-9, 5.0]) == ["1.000e-09", "5.000"]
    assert moment(pd.Timestamp("2024-01-01 23:00", tz="Europe/Berlin")) == "2024-01-01 23:00"
