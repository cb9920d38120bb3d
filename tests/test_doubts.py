"""What speaks for and against a verdict, in the report: audit, placebo, seeds, copies of the last value."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_runs import trends, walks
from test_report import HOSTILE, Page

from tsforecast import terminal
from tsforecast.auditing.audit import Audit
from tsforecast.auditing.findings import Check, ModelAudit
from tsforecast.auditing.placebo import Copy, Placebo
from tsforecast.backtesting import run_backtest
from tsforecast.folds import Plan
from tsforecast.models.naive import Drift, Naive
from tsforecast.planning.costing import Cost
from tsforecast.planning.prospect import Prospect
from tsforecast.reporting.findings import find
from tsforecast.reporting.report import render_html, render_markdown, report_data
from tsforecast.reporting.style import Picture
from tsforecast.results import BacktestResult

OK = Check("noise", "y", 0, True)
LEAK = Check("noise", "humidity", 3, False, 0.341, "a forecast of series 'a' moved by 0.341")


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Picture, "png", lambda *_: b"")


@cache
def run() -> BacktestResult:
    """A drift under the name of a network, which is better than the naive forecast on a trend."""
    return run_backtest(trends(("a", "b", "c")), {"lstm": Drift(), "naive": Naive()}, Plan(horizon=3, n_windows=24))


@cache
def page() -> str:
    """Its report as markdown."""
    return render_markdown(run())


def with_facts(result: BacktestResult | None = None, **facts: Any) -> BacktestResult:
    result = run() if result is None else result
    return replace(result, facts={**result.facts, **facts})


def audit_of(preparation: ModelAudit | None = None, **words: str) -> dict[str, Any]:
    models = {
        name: ModelAudit(name, word, word == "passed", f"{name}: {word}.", (OK, OK) if word == "passed" else (OK, LEAK))  # type: ignore[arg-type]
        for name, word in words.items()
    }
    good = all(m.passed for m in models.values()) and (preparation is None or preparation.passed)
    sentence = "The audit passed: 4 checks of all." if good else "The audit at 2 origins failed: lstm leaks."
    return Audit(good, sentence, (0, 23), 1.0, models, preparation).to_dict()


def placebo_of(*models: str) -> dict[str, Any]:
    kinds = ("random walk", "block-shuffled changes", "planted pattern")
    copies = [
        Copy(
            kind, i, "naive", dict.fromkeys(models, "better" if i == 2 else "inconclusive"), dict.fromkeys(models, 3.0)
        )
        for i, kind in enumerate(kinds)
    ]
    return Placebo(tuple(copies), 2.0).to_dict()


# ---- the audit


def test_without_an_audit_the_report_says_so_and_what_to_do() -> None:
    found = find(run())
    assert found.answers == ["Yes: lstm forecasts better than naive (the best baseline)."]
    assert any(line.startswith("Look-ahead audit: not audited. With --audit") for line in found.remarks)
    assert "This run was not audited. Run it with --audit" in page()


def test_an_audit_that_passed_is_said_in_the_first_lines_with_a_row_per_model() -> None:
    result = with_facts(audit=audit_of(lstm="passed", naive="passed"))
    found = find(result)
    assert found.answers == ["Yes: lstm forecasts better than naive (the best baseline)."]
    assert "Look-ahead audit: passed. 4 checks of all." in found.remarks
    assert "| lstm | passed | 2 of 2 passed |\n" in render_markdown(result)


def test_a_model_that_looks_ahead_gets_no_answer_whatever_its_errors() -> None:
    result = with_facts(audit=audit_of(lstm="leaks", naive="passed"))
    found = find(result)
    assert found.answers == ["No answer: the audit found that lstm looks ahead. lstm: leaks."]
    assert [e.word for e in found.evidence] == ["invalid"] and found.advantages == []
    assert "Look-ahead audit: failed. lstm leaks." in found.remarks
    text = render_markdown(result)
    assert text.splitlines()[2].startswith("**No answer: the audit found that lstm looks ahead.")
    row = "| lstm | leaks | 1 of 2 passed | a forecast of series 'a' moved by 0.341 | humidity | 0.3410 mean changes"
    assert row in text
    [line] = [line for line in text.splitlines() if line.startswith("| lstm |") and "invalid" in line]
    assert "%" not in line.split("invalid")[0], "no effect is shown beside the word"
    assert '<span class="chip bad">invalid</span>' in render_html(result)


def test_a_benchmark_that_looks_ahead_makes_the_answer_void_too() -> None:
    found = find(with_facts(audit=audit_of(lstm="passed", naive="not repeatable")))
    assert found.answers == ["No answer: the audit did not pass naive. naive: not repeatable."]


def test_a_preparation_that_looks_ahead_makes_every_answer_void() -> None:
    ready = ModelAudit("the preparation", "leaks", False, "the preparation leaks: it scales by later rows.", (LEAK,))
    result = with_facts(audit=audit_of(ready, lstm="passed", naive="passed"))
    found = find(result)
    assert found.answers == [
        "No answer: the audit found that the preparation of the data looks ahead. "
        "the preparation leaks: it scales by later rows."
    ]
    assert "| preparation of the data | leaks |" in render_markdown(result)


def test_excused_checks_are_not_counted() -> None:
    excused = Check("huge", "all", 0, True, None, "m could not take huge values: judged by the other checks")
    models = {"lstm": ModelAudit("lstm", "passed", True, "lstm: passed.", (OK, excused))}
    audit = Audit(True, "The audit passed: 1 check.", (0,), 1.0, models).to_dict()
    assert "| lstm | passed | 1 of 1 passed |" in render_markdown(with_facts(audit=audit))


# ---- placebo, seeds, copies


def test_the_placebo_is_a_remark_and_a_table_of_copies() -> None:
    result = with_facts(placebo=placebo_of("lstm"))
    found = find(result)
    assert any(line.startswith("Placebo: On 2 copies of these data without anything to find") for line in found.remarks)
    text = render_markdown(result)
    assert "| random walk | 0 | naive | inconclusive (−3.0 %) |" in text
    assert "| planted pattern | 2 | naive | better (−3.0 %) |" in text
    assert "## Placebo" not in page(), "without one there is no section"


def test_one_seed_is_remarked_and_several_are_not() -> None:
    assert any(line.startswith("lstm: one seed.") and "n_seeds: 5" in line for line in find(run()).remarks)
    part = run().forecasts.query("model == 'lstm'")[["model", "fold", "unique_id", "step", "forecast"]]
    members = pd.concat([part.assign(seed=seed, forecast=part["forecast"] + 0.01 * seed) for seed in (0, 1)])
    several = find(replace(run(), members=members))
    assert not any("one seed" in line for line in several.remarks)
    assert several.comparisons[0].seeds == 2
    assert not any("one seed" in line for line in find(with_facts(kinds={"lstm": "drift"})).remarks), "no network"


def test_a_network_that_repeats_the_last_value_is_named_in_the_first_lines_and_only_a_network() -> None:
    models = {"lstm": Naive(), "drift": Drift(), "naive": Naive()}
    result = run_backtest(walks(("a", "b"), steps=120), models, Plan(horizon=3, n_windows=22))
    assert [
        m for m in result.models if any(line.startswith(m) and "last value" in line for line in find(result).remarks)
    ] == ["lstm"]
    text = render_markdown(result)
    assert "## Is it more than the last value?" in text and "\nlstm is the last value, repeated.\n" in text
    assert "| naive | yes | 0.0 % |" in text
    assert find(run()).persistence.set_index("model")["flagged"].to_dict() == {"lstm": False, "naive": True}
    only = run_backtest(walks(("a",)), {"naive": Naive(), "drift": Drift()}, Plan(horizon=3, n_windows=4))
    assert "last value?" not in render_markdown(only)


# ---- series, JSON, names


def test_single_series_are_tested_as_exploration() -> None:
    text = page()
    assert "| series | lstm | naive | lstm against naive | p, corrected |" in text
    assert "The last two columns are exploratory" in text
    one = run_backtest(trends(("a",)), {"lstm": Drift(), "naive": Naive()}, Plan(horizon=3, n_windows=24))
    assert "p, corrected" not in render_markdown(one), "one series by itself is the verdict"


def test_json_has_the_verdict_and_what_was_done_to_doubt_it() -> None:
    audit, placebo = audit_of(lstm="passed", naive="passed"), placebo_of("lstm")
    result = with_facts(audit=audit, placebo=placebo)
    data = report_data(result)
    assert data["verdict"] == result.verdict().to_dict()
    [c] = data["verdict"]["comparisons"]
    assert c["word"] == "better" and 0 <= c["p_value"] <= c["p_adjusted"] < 0.05
    assert data["audit"] == audit and data["placebo"] == placebo
    assert {row["model"]: row["flagged"] for row in data["persistence"]} == {"lstm": False, "naive": True}
    [advantage] = data["advantages"]
    assert np.mean([row["gain_percent"] for row in advantage["by_origin"]]) == pytest.approx(c["effect_percent"])
    assert data["evidence"][0]["word"] == "better" and "audit" not in data["facts"]
    assert report_data(run())["audit"] is None


def test_hostile_names_in_checks_add_no_element() -> None:
    def parsed(*names: str) -> Page:
        models = {names[0]: Drift(), names[1]: Drift(), "naive": Naive()}
        result = run_backtest(
            trends(("a", "b")), models, Plan(horizon=3, n_windows=22), facts={"kinds": {names[0]: "lstm"}}
        )
        leak = replace(LEAK, column=names[1], where=f"series '{names[1]}' moved")
        own = {
            names[0]: ModelAudit(names[0], "passed", True, f"{names[0]}: passed.", (OK,)),
            names[1]: ModelAudit(names[1], "leaks", False, f"{names[1]} leaks: {names[1]}.", (leak,)),
        }
        audit = Audit(False, f"The audit failed: {names[1]}.", (0,), 1.0, own).to_dict()
        return Page(render_html(with_facts(result, audit=audit, placebo=placebo_of(*names))))

    assert parsed(HOSTILE[0], HOSTILE[1]).tags == parsed("one", "two").tags


# ---- the terminal


def test_the_terminal_shows_the_answer_its_evidence_and_the_audit(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_summary(with_facts(audit=audit_of(lstm="passed", naive="passed")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Yes: lstm forecasts better than naive (the best baseline)."
    assert lines[3].startswith("better: lstm is ") and "corrected" not in lines[3]
    assert lines[4] == "Look-ahead audit: passed. 4 checks of all."


def test_an_audit_is_shown_with_a_line_per_model(capsys: pytest.CaptureFixture[str]) -> None:
    models = {
        name: ModelAudit(name, "passed", True, f"{name}: passed [b]x.", (OK,)) for name in ("lstm", "naive\x1b[31m")
    }
    terminal.show_audit(Audit(True, "The audit passed.", (0,), 1.0, models))
    assert capsys.readouterr().out.splitlines() == [
        "The audit passed.", "lstm: passed [b]x.", "naive[U+001B][31m: passed [b]x."
    ]  # fmt: skip


def test_a_plan_is_shown_in_sentences_and_a_line_per_model(capsys: pytest.CaptureFixture[str]) -> None:
    costs = (
        Cost("lstm", 1, 61.5, 0, "from a few training steps"),
        Cost("odd", 1, float("nan"), 0, "could not be tried"),
    )
    prospect = Prospect("naive", "mase", 24, 60, 5, 1, 2, (), costs, 10**9, float("nan"))
    terminal.show_prospect(prospect)
    out = capsys.readouterr().out
    assert all(sentence in out for sentence in prospect.sentences)
    assert [line.split()[:3] for line in out.splitlines()[-2:]] == [["lstm", "1", "61.5"], ["odd", "1", "–"]]
