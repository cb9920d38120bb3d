"""A result is read piece by piece: in memory or on the disk, in pieces of any size, it says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import panel
from small_runs import FailsOn
from test_verdict import Spoiled

from tsforecast.backtesting import run_backtest
from tsforecast.errors import ConfigError, DataError
from tsforecast.folds import Plan
from tsforecast.judging import cubes
from tsforecast.judging.persistence import persistence
from tsforecast.judging.seeds import seed_luck
from tsforecast.models.naive import Naive
from tsforecast.models.naive2 import Naive2
from tsforecast.panel import Panel
from tsforecast.reporting.advantage import advantage
from tsforecast.reporting.findings import find
from tsforecast.reporting.report import render_html
from tsforecast.reporting.style import Picture
from tsforecast.results import LONG, BacktestResult

BYS = [["model"], ["model", "fold"], ["model", "step"], ["model", "unique_id"], ["unique_id", "fold", "step"]]


def ragged() -> Panel:
    """Series that begin late, so that folds have different ones; one is constant, one has a hole to forecast."""
    rng = np.random.default_rng(0)
    series = [rng.normal(size=n).cumsum() for n in (140, 140, 48, 140, 60, 140, 140)]
    series[3][:], series[5][-3] = 7.0, np.nan
    return panel(*series, season_length=4, begins=[140 - len(s) for s in series])


@pytest.fixture(scope="module")
def held() -> BacktestResult:
    models: dict[str, Any] = {
        "naive": Naive(), "naive2": Naive2(), "lstm": Spoiled(0.4, seeds=3), "holed": FailsOn("s1"),
    }  # fmt: skip
    facts = {"kinds": {name: name if name == "lstm" else model.name for name, model in models.items()}}
    return run_backtest(ragged(), models, Plan(horizon=4, n_windows=10), facts=facts)


@pytest.fixture(scope="module")
def folder(held: BacktestResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result on the disk, in row groups that end anywhere."""
    folder = tmp_path_factory.mktemp("run")
    held.save(folder)
    for name, rows in (("forecasts", 101), ("pasts", 7), ("members", 53)):
        getattr(held, name).to_parquet(folder / f"{name}.parquet", index=False, row_group_size=rows)
    return folder


@pytest.fixture(params=[1 << 17, 1], ids=["one cube", "a cube for each series"])
def cells(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(cubes, "CELLS", request.param)
    monkeypatch.setattr(cubes, "BLOCK", max(request.param // 4, 100))
    return int(request.param)


def test_the_disk_and_the_memory_say_the_same_to_the_last_bit(held: BacktestResult, folder: Path, cells: int) -> None:
    filed = BacktestResult.load(folder)
    for by in BYS:
        pd.testing.assert_frame_equal(filed.scores(by), held.scores(by), check_exact=True)
    pd.testing.assert_frame_equal(filed.undefined(), held.undefined())
    assert len(held.undefined()), "something is undefined"
    assert "".join(find(filed).to_json()) == "".join(find(held).to_json())
    assert not vars(filed).keys() & set(LONG), "and no long table was read as a whole"


def test_a_report_is_written_without_reading_a_long_table_as_a_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Picture, "png", lambda *_: b"")
    filed = BacktestResult.load(folder)
    assert "naive" in render_html(filed) and not vars(filed).keys() & set(LONG)


def test_pieces_of_any_size_say_the_same(held: BacktestResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def everything() -> dict[str, Any]:
        gains = advantage(held, "lstm", "naive", "mase")
        found: dict[str, Any] = {" ".join(by): held.scores(by) for by in BYS}
        found |= {"series": held.verdict("naive").series, "persistence": persistence(held)}
        found |= {"calibration": find(held).calibration, "origin": gains.by_origin, "step": gains.by_step}
        (luck,) = seed_luck(held, "mase", range(10)).values()
        return found | {"luck": pd.DataFrame({"means": luck.means, "variance": luck.variance})}

    whole = everything()
    monkeypatch.setattr(cubes, "CELLS", 300)
    monkeypatch.setattr(cubes, "BLOCK", 50)
    for name, table in everything().items():
        pd.testing.assert_frame_equal(table, whole[name], rtol=1e-11, obj=name)


def test_tables_of_a_loaded_result_are_read_when_they_are_asked_for(held: BacktestResult, folder: Path) -> None:
    filed = BacktestResult.load(folder)
    assert len(filed.table("forecasts")) == len(held.forecasts) and filed.levels == held.levels
    assert "forecasts" not in vars(filed)
    pd.testing.assert_frame_equal(filed.forecasts, held.forecasts, check_dtype=False)
    assert "forecasts" in vars(filed)
    with pytest.raises(AttributeError, match="no 'forecast'"):
        _ = filed.forecast  # type: ignore[attr-defined]


def test_what_is_changed_in_memory_changes_the_scores(held: BacktestResult, folder: Path) -> None:
    filed = BacktestResult.load(folder)
    before = filed.scores()["mae"]
    filed.forecasts["forecast"] += 1.0
    assert not filed.scores()["mae"].equals(before), "nothing is remembered of tables that can be changed"


def test_a_series_is_found_by_its_name(held: BacktestResult, folder: Path) -> None:
    expected = held.forecasts[held.forecasts["unique_id"] == "s2"].reset_index(drop=True)
    for result in (held, BacktestResult.load(folder)):
        pd.testing.assert_frame_equal(cubes.forecasts_of(result, "s2"), expected, check_dtype=False)
        with pytest.raises(ConfigError, match=r"no series 's22' in this result; did you mean 's2'"):
            cubes.forecasts_of(result, "s22")


def test_the_series_are_in_the_json_file_line_by_line(held: BacktestResult) -> None:
    text = "".join(find(held).to_json())
    assert json.loads(text) == find(held).to_dict()
    assert sum('"unique_id": "s0"' in line and '"winkler_95"' in line for line in text.splitlines()) == 4


def test_a_file_that_went_bad_is_named(folder: Path, held: BacktestResult, tmp_path: Path) -> None:
    held.save(tmp_path)
    filed = BacktestResult.load(tmp_path)
    path = tmp_path / "forecasts.parquet"
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    path.write_bytes(content)
    with pytest.raises(DataError, match="the run cannot be read"):
        filed.scores()
