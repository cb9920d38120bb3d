"""What makes an answer trustworthy, from the command line: claims, audit, placebo, plan, and their exit codes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import Command, Done, run_with

from tsforecast import study
from tsforecast.contract import Forecast
from tsforecast.models import MODELS
from tsforecast.models.naive import Naive
from tsforecast.panel import Panel
from tsforecast.reporting import report
from tsforecast.yaml_files import load_yaml

BASE = ("--horizon", 3, "--n-windows", 20)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `tsforecast ...` in this process, without drawing a page; a cheat is among the models."""
    monkeypatch.setattr(report, "_html", lambda *args: "a page")
    monkeypatch.setitem(MODELS, "cheat", f"{__name__}:Cheat")
    return run_with(capsys)


@dataclass(frozen=True)
class Cheat:
    """Reads the next values of the first series, which lie in reach behind its cutoff while the second goes on."""

    name = "cheat"

    def fit(self, past: Panel, horizon: int, /) -> Any:
        fitted = Naive().fit(past, horizon)

        def predict(views: Any) -> list[Forecast]:
            found = fitted.predict(list(views))
            for forecast, (past, _) in zip(found, views, strict=True):
                ahead = past.values[past.ends[0] :][: forecast.point.shape[1]]
                forecast.point[0] = ahead if np.isfinite(ahead).all() and len(ahead) else forecast.point[0]
            return found

        return SimpleNamespace(predict=predict)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two series with a rise every day: drift is better than naive, without a doubt."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=160)
    rises = [100 + np.arange(160) + rng.normal(size=160) / 2 for _ in "ab"]
    path = tmp_path_factory.mktemp("data") / "rises.csv"
    pd.concat(pd.DataFrame({"unique_id": i, "ds": days, "y": y}) for i, y in zip("ab", rises, strict=True)).to_csv(
        path, index=False
    )
    return path


# ---- a claim is checked before any work, and after it


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--require", "lstmm better than naive"], "no model 'lstmm' in the run; known: naive, drift"),
        (["--require", "drift better than naiv"], "did you mean 'naive'?"),
        (["--require", "drift beats naive"], "'drift beats naive' is no claim: write for example"),
        (["--require", "drift better than drift"], "a model is not compared with itself"),
        (["--require"], "requires an argument"),
        (["--benchmark", "nave"], "benchmark=nave: the run has no such model; did you mean 'naive'?"),
        (["--margin", "0"], "margin=0.0: input should be greater than 0"),
        (["--margin", "much"], "Invalid value for '--margin'"),
        (["--set", "margin=true"], "margin=True: expected a finite number"),
        (["--placebo", "-1"], "placebo=-1: input should be greater than or equal to 0"),
        (["--placebo", "few"], "Invalid value for '--placebo'"),
        (["--set", "audit=perhaps"], "audit='perhaps'"),
        (
            ["--set", "require=drift better than naive"],
            "require='drift better than naive': input should be a valid list",
        ),
    ],
)
def test_what_cannot_be_asked_is_code_2_before_any_work(
    command: Command, data: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], words: str
) -> None:
    monkeypatch.setattr(study, "read_panel", lambda *a, **k: 1 / 0)
    done = command("backtest", data, "--models", "naive,drift", *BASE, *argv)
    assert done.code == 2 and words in done.err and done.err.count("\n") == 1 and done.out == ""


def test_a_placebo_without_anything_to_judge_is_code_2_before_the_audit(
    command: Command, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(study, "audit_study", lambda *a, **k: 1 / 0)
    done = command(
        "backtest", data, "--models", "naive,drift", *BASE, "--audit", "--placebo", 2, "--out", tmp_path / "r"
    )
    assert done.code == 2 and "baselines" in done.err and not (tmp_path / "r").exists()


def test_claims_that_hold_are_code_0_and_one_that_does_not_is_code_6(
    command: Command, data: Path, tmp_path: Path
) -> None:
    argv = ("backtest", data, "--models", "naive,drift", *BASE, "--quiet", "--out", tmp_path / "r", "--overwrite")
    holds = ("--require", "drift better than naive", "--require", "drift not worse than naive")
    assert command(*argv, *holds) == Done(0, "", "")
    done = command(*argv, *holds, "--require", "naive better than drift", "--require", "naive equivalent to drift")
    assert done.code == 6 and done.out == "" and (tmp_path / "r" / "report.html").exists()
    first, second = done.err.splitlines()
    assert first.startswith("tsforecast: --require 'naive better than drift' does not hold: naive is ")
    assert "% worse than drift" in first and "'naive equivalent to drift' does not hold" in second


def test_json_says_of_each_claim_whether_it_holds(command: Command, data: Path, tmp_path: Path) -> None:
    claims = {"drift better than naive": True, "naive better than drift": False}
    asked = [part for claim in claims for part in ("--require", claim)]
    done = command("backtest", data, "--models", "naive,drift", *BASE, "--json", "--out", tmp_path / "r", *asked)
    found = json.loads(done.out)["require"]
    assert done.code == 6 and {c["claim"]: c["holds"] for c in found} == claims
    assert all("drift" in c["sentence"] for c in found)


def test_claims_are_checked_on_a_finished_run_too(command: Command, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    command("backtest", data, "--models", "naive,drift", *BASE, "--quiet", "--out", out)
    assert command("report", out, "--require", "drift better than naive").code == 0
    done = command("report", out, "--require", "naive better than drift")
    assert done.code == 6 and done.out == f"Report: {out / 'report.html'}\n" and "does not hold" in done.err
    rows = command("report", out, "--rows", "naive", "--require", "naive better than drift")
    assert rows.code == 6 and rows.out.startswith("id,F1")
    assert command("report", out, "--require", "naive better than drft").code == 2


def test_failures_are_code_3_and_a_broken_claim_beside_them_is_code_6(
    command: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tsforecast.models.naive.Drift.fit", lambda *a: 1 / 0)
    argv = ("backtest", data, "--models", "naive,drift", *BASE, "--quiet", "--overwrite", "--out", tmp_path / "r")
    assert command(*argv).code == 3
    done = command(*argv, "--require", "drift better than naive")
    assert done.code == 6 and "forecasts failed" in done.err and "does not hold" in done.err


def test_benchmark_and_margin_reach_the_verdict_and_the_resolved_config(
    command: Command, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r"
    argv = ("backtest", data, "--models", "naive,drift", *BASE, "--out", out, "--overwrite", "--json")
    verdicts = []
    for more in ((), ("--benchmark", "drift", "--margin", "99")):
        assert command(*argv, *more).code == 0
        facts = json.loads((out / "facts.json").read_text())
        verdicts.append((facts["benchmark"], facts["margin"]))
    assert verdicts == [(None, 2.0), ("drift", 99.0)]
    found = load_yaml(out / "config.yaml")
    assert {k: found[k] for k in ("benchmark", "margin", "require", "audit", "placebo")} == {
        "benchmark": "drift", "margin": 99.0, "require": [], "audit": False, "placebo": 0,
    }  # fmt: skip


# ---- the audit


def test_an_audit_that_passes_is_in_the_report_and_code_0(command: Command, data: Path, tmp_path: Path) -> None:
    done = command(
        "backtest", data, "--models", "naive,drift", *BASE, "--audit", "--out", tmp_path / "r", "--json",
    )  # fmt: skip
    assert done.code == 0 and done.err == ""
    facts = json.loads((tmp_path / "r" / "facts.json").read_text())
    assert facts["audit"]["passed"] and set(facts["audit"]["models"]) == {"naive", "drift"}
    command("backtest", "--config", tmp_path / "r" / "config.yaml", "--no-audit", "--out", tmp_path / "s", "--quiet")
    assert not json.loads((tmp_path / "s" / "facts.json").read_text()).get("audit"), "a flag goes before the config"


def test_a_leak_is_code_7_although_a_claim_is_broken_too_and_the_run_is_kept(
    command: Command, data: Path, tmp_path: Path
) -> None:
    argv = ("backtest", data, "--models", "naive,cheat", *BASE, "--quiet", "--overwrite", "--out", tmp_path / "r")
    blind = command(*argv, "--require", "cheat better than naive")
    assert blind == Done(0, "", ""), "without an audit the cheat wins: the control"
    done = command(*argv, "--audit", "--require", "cheat better than naive")
    assert done.code == 7 and "cheat leaks" in done.err and "does not hold" in done.err
    facts = json.loads((tmp_path / "r" / "facts.json").read_text())
    assert facts["audit"]["models"]["cheat"]["word"] == "leaks" and facts["audit"]["models"]["naive"]["passed"]
    assert (tmp_path / "r" / "report.html").exists()


def test_the_audit_alone_prints_a_line_per_model_and_writes_nothing(
    command: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("audit", data, "--models", "naive,drift", *BASE)
    assert done.code == 0 and done.err == "" and list(tmp_path.iterdir()) == []
    assert [line.split(":")[0] for line in done.out.splitlines()[-2:]] == ["naive", "drift"]
    leak = command("audit", data, "--models", "naive,cheat", *BASE, "--folds", 2)
    assert leak.code == 7 and "cheat leaks" in leak.err and leak.err.count("\n") == 1
    assert any(line.startswith("naive: passed") for line in leak.out.splitlines())
    assert command("audit", data, "--models", "naive", *BASE, "--quiet") == Done(0, "", "")


def test_the_audit_as_json_is_one_document(command: Command, data: Path) -> None:
    done = command("audit", data, "--models", "naive,cheat", *BASE, "--folds", 2, "--full", "--json")
    found = json.loads(done.out)
    assert done.code == 7 and done.out.count("\n") == 1 and not found["passed"]
    assert len(found["folds"]) == 2 and found["models"]["cheat"]["word"] == "leaks"
    assert command("audit", data, "--folds", 0).code == 2
    assert command("audit", data, "--models", "naive", "--out", "r").code == 2, "it has no run folder"


# ---- the placebo


def test_a_placebo_is_in_the_facts_and_the_answer_is_the_same_without_it(
    command: Command, data: Path, tmp_path: Path
) -> None:
    argv = ("backtest", data, "--models", "naive,cheat", *BASE, "--json", "--out")
    with_it = command(*argv, tmp_path / "r", "--placebo", 1, "--seed", 3)
    without = command(*argv, tmp_path / "s", "--seed", 3)
    assert with_it.code == without.code == 0
    facts = json.loads((tmp_path / "r" / "facts.json").read_text())
    kinds = [copy["kind"] for copy in facts["placebo"]["copies"]]
    assert "planted pattern" in kinds and len(kinds) == 2
    assert (tmp_path / "r" / "forecasts.parquet").read_bytes() == (tmp_path / "s" / "forecasts.parquet").read_bytes()


# ---- the plan


def test_a_plan_says_what_can_be_found_needed_and_what_it_costs(
    command: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("plan", data, "--models", "naive,ridge", *BASE)
    assert done.code == 0 and done.err == "" and list(tmp_path.iterdir()) == []
    assert "smallest true improvement" in done.out and "To find 2 %" in done.out and "The run takes about" in done.out
    found = json.loads(command("plan", data, "--models", "naive,ridge", *BASE, "--json").out)
    assert found["n_origins"] == 20 and [cost["model"] for cost in found["costs"]] == ["naive", "ridge"]


@pytest.mark.parametrize("name", ["audit", "plan"])
def test_audit_and_plan_take_the_options_and_the_config_of_a_backtest(
    command: Command, data: Path, tmp_path: Path, name: str
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        f"data: {data}\nhorizon: 2\nn_windows: 4\nmodels: [naive, drift]\nrequire: [lstm better than x]\n"
    )
    done = command(name, "--config", config, "--set", "n_windows=5", "--gap", 1)
    assert done.code == 0 and "5 origins, 2 steps apart; 2 steps to forecast at each" in done.out
    assert command(name).code == 2 and command(name, "oil", "--models", "lstmm").code == 2
    assert all(flag in command(name, "--help").out for flag in ("--horizon", "--models", "--set", "--json"))
