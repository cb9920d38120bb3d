"""A dataset is there as a whole or not at all, opens without being held, and says so where it is damaged."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from commands import Command, run_with
from ingest_cases import SMALL, shuffled

from tsforecast.api import backtest
from tsforecast.errors import ConfigError, DataError
from tsforecast.ingesting.buckets import bucket_of
from tsforecast.ingesting.dataset import open_dataset
from tsforecast.ingesting.ingest import ingest
from tsforecast.panel import Panel
from tsforecast.reading.readers import read_panel


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    return run_with(capsys)


@pytest.fixture
def table() -> pd.DataFrame:
    return shuffled()


@pytest.fixture
def path(tmp_path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(tmp_path / "a.csv", index=False)
    return tmp_path / "a.csv"


@pytest.fixture
def data(tmp_path: Path, path: Path) -> Path:
    ingest(path, tmp_path / "data", sizes=SMALL)
    return tmp_path / "data"


# ---- what is in it


def test_the_buckets_are_the_same_rows_as_tables_for_whoever_reads_parquet(path, data):
    whole = read_panel(path)
    files = sorted((data / "buckets").iterdir())
    assert len(files) > 2
    tables = [pd.read_parquet(file) for file in files]
    for table in tables:
        assert table.equals(table.sort_values(["unique_id", "ds"], kind="stable"))
    assert Panel.from_frame(pd.concat(tables)).fingerprint() == whole.fingerprint()
    series = pq.read_table(data / "series.parquet").to_pydict()
    assert series["unique_id"] == list(whole.ids) and series["steps"] == [60] * 12
    for name, bucket in zip(series["unique_id"], series["bucket"], strict=True):
        assert name in set(tables[bucket]["unique_id"])


def test_a_series_goes_to_the_same_bucket_on_every_machine():
    assert [bucket_of(name, 64) for name in ("", "a", "é", "sensor-17")] == [52, 47, 47, 43]


def test_the_manifest_says_what_was_read_and_how(path, data):
    found = json.loads((data / "dataset.json").read_text())
    assert (found["series"], found["steps"], found["freq"]["step"]) == (12, 720, 3_600_000_000)
    assert found["columns"] == {"id": "unique_id", "time": "ds", "target": "y"}
    assert found["sources"][0]["name"] == "a.csv" and found["sources"][0]["bytes"] == path.stat().st_size
    assert found["hash"] == read_panel(path).fingerprint()
    assert found["notes"][0].startswith("rows were not in the order of time")


def test_names_never_become_paths(tmp_path):
    names = ["../up", "/root/x", "a/b", "C:", "CON", "x" * 5_000, "Ab", "aB", "."]
    table = pd.DataFrame({"unique_id": np.repeat(names, 3), "ds": np.tile(range(3), len(names)), "y": 1.0})
    table.to_parquet(tmp_path / "a.parquet")
    assert ingest(tmp_path / "a.parquet", tmp_path / "d").ids == tuple(sorted(names))
    assert {p.name for p in tmp_path.iterdir()} == {"a.parquet", "d"}
    tree = {p.relative_to(tmp_path / "d").as_posix() for p in (tmp_path / "d").rglob("*") if p.is_file()}
    assert tree == {
        "dataset.json", "series.parquet", "arrays/times.npy", "arrays/values.npy", "buckets/0000.parquet"
    }  # fmt: skip


# ---- opening it


def test_the_flat_arrays_are_maps_of_the_files_and_cuts_copy_nothing(path, data):
    panel = read_panel(data)
    assert isinstance(panel.values.base, np.memmap) and not panel.values.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        panel.values[0] = 1.0
    for part in (panel.cut(panel.ends - 7), panel.tail(5), panel.take([2, 0])):
        assert np.shares_memory(part.values, panel.values)
    assert panel.fingerprint() == read_panel(path).fingerprint()


def test_opening_cutting_and_measuring_hold_a_piece_of_the_data_at_a_time(tmp_path):
    steps = 1_000_000  # 8 MB of values
    ids = np.repeat(np.arange(500), steps // 500)
    table = pd.DataFrame({"unique_id": ids, "ds": np.arange(steps) % 2_000, "y": np.arange(steps) % 7.0})
    table.to_parquet(tmp_path / "a.parquet")
    ingest(tmp_path / "a.parquet", tmp_path / "d")
    tracemalloc.start()
    try:
        panel = open_dataset(tmp_path / "d")
        past = panel.cut(panel.ends_at(1_500))
        past.mean_change(24, power=2)
        past.fingerprint()
        _, peak = tracemalloc.get_traced_memory()
        assert peak < 7.5e6, "less than the values"
        np.array(panel.values)
        assert tracemalloc.get_traced_memory()[1] > 8e6, "control: a copy would be noticed"
    finally:
        tracemalloc.stop()


def test_a_backtest_on_a_dataset_is_that_on_its_file(path, data):
    options: dict[str, Any] = {"models": "naive,seasonal_naive", "horizon": 4, "n_windows": 3}
    ours, theirs = backtest(data, **options), backtest(path, **options)
    pd.testing.assert_frame_equal(ours.forecasts, theirs.forecasts)
    assert ours.facts["data_hash"] == theirs.facts["data_hash"]


def test_only_the_season_is_still_open(data):
    assert read_panel(data, season_length=12).season_length == 12
    with pytest.raises(ConfigError, match="is an ingested dataset: layout, freq cannot change how it was read"):
        read_panel(data, freq="D", layout="long")
    with pytest.raises(ConfigError, match="season_length=0: must be at least 1"):
        read_panel(data, season_length=0)
    with pytest.raises(DataError, match="is a folder; give the file in it"):
        read_panel(data / "arrays")
    with pytest.raises(DataError, match=r"is not a dataset: it has no dataset\.json"):
        open_dataset(data / "arrays")


# ---- damage


def damaged(data: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_panel(data)
    return str(caught.value)


def test_a_missing_or_shortened_file_is_named_with_its_size(data):
    values = data / "arrays" / "values.npy"
    whole = values.read_bytes()
    values.write_bytes(whole[:-8])
    assert damaged(data) == (
        f"{data}: the dataset is damaged: arrays/values.npy has 5,880 bytes, expected 5,888 bytes; "
        "ingest the files again"
    )
    values.unlink()
    assert "arrays/values.npy is missing, expected 5,888 bytes" in damaged(data)
    values.write_bytes(whole)
    assert len(read_panel(data)) == 12


class Canary:
    """Writes a file if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return (os.mkdir, (str(self.path),))


def test_an_array_that_would_run_code_is_refused_and_does_not(tmp_path, data):
    values, canary = data / "arrays" / "values.npy", tmp_path / "canary"
    np.save(values, np.array([Canary(canary)] * 720, dtype=object), allow_pickle=True)
    said = json.loads((data / "dataset.json").read_text())
    said["files"]["arrays/values.npy"] = values.stat().st_size
    (data / "dataset.json").write_text(json.dumps(said))
    assert "arrays/values.npy cannot be read" in damaged(data)
    assert not canary.exists()
    np.load(values, allow_pickle=True)
    assert canary.exists(), "control: it would have run"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "the dataset has version 2, and this program reads version 1"),
        ({"series": 11}, "series.parquet does not hold 11 series with 720 steps"),
        ({"steps": 700}, "series.parquet does not hold 12 series with 700 steps"),
        ({"dates": False}, "arrays/times.npy holds datetime64[us] (720,), expected int64 (720,)"),
        ({"steps": "many"}, "dataset.json, steps: input should be a valid integer"),
        ({"hist_names": ["x"]}, "dataset.json does not name arrays/hist.npy"),
        ({"freq": {"kind": "moons"}}, "dataset.json, freq.kind: input should be"),
        ({"files": {"../../x": 1}}, "dataset.json does not name arrays/times.npy"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_in_words(data, change, words):
    said = json.loads((data / "dataset.json").read_text())
    (data / "dataset.json").write_text(json.dumps(said | change))
    assert words in damaged(data)


def test_no_bytes_in_a_manifest_or_table_of_series_make_anything_but_a_clear_error(data):
    rng = np.random.default_rng(0)
    outcomes: set[type] = set()
    for name in ("dataset.json", "series.parquet"):
        whole = (data / name).read_bytes()
        for _ in range(60):
            broken = bytearray(whole)
            for at in rng.integers(0, len(whole), rng.integers(1, 4)):
                broken[at] = rng.integers(0, 256)
            (data / name).write_bytes(bytes(broken))
            try:
                outcomes.add(type(read_panel(data)))
            except DataError as fault:
                outcomes.add(type(fault))
        (data / name).write_bytes(whole)
    assert outcomes <= {Panel, DataError} and DataError in outcomes


# ---- the command


def test_what_is_in_the_way_is_refused_before_any_work(tmp_path, path, data):
    def refusal(out: Path, **options: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            ingest(tmp_path / "gone.csv", out, **options)
        return str(caught.value)

    assert (
        refusal(data)
        == f"--out {data}: there is a dataset already; name another folder, or replace it with --overwrite"
    )
    assert "there is a file of that name" in refusal(path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    assert "is not empty and holds no dataset" in refusal(tmp_path / "mine", overwrite=True)
    (data / "letter.txt").touch()
    assert "holds what no dataset has (letter.txt)" in refusal(data, overwrite=True)


def test_the_command_says_what_it_read_or_why_it_did_not(tmp_path, path, run):
    out = tmp_path / "data"
    done = run("ingest", path, "--out", out, "--season-length", 12)
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == f"{out}: 12 series, 720 steps"
    assert "frequency h, inferred" in done.out and f"tsforecast backtest {out}" in done.out
    assert run("ingest", path, "--out", out).code == 2
    assert run("ingest", path, "--out", out, "--overwrite", "--quiet") == (0, "", "")
    done = run("ingest", path)
    assert done.code == 2 and "--out is missing" in done.err
    done = run("ingest", path, "--out", tmp_path / "e", "--id", "unique")
    assert done.code == 2 and "there is no column 'unique'; did you mean 'unique_id'?" in done.err
    assert not (tmp_path / "e").exists()


@pytest.mark.slow
def test_the_command_backtest_takes_the_folder(tmp_path, data, run):
    done = run("backtest", data, "--models", "naive", "--horizon", 4, "--n-windows", 2, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "data: 12 series, 720 steps" in done.out
