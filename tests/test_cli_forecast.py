"""`tsforecast forecast`: a table of what comes next, on the screen or in a file, and what is wrong in one line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from commands import WALKS, Command
from PIL import Image

BASE = ("--models", "naive,drift", "--horizon", "5")


def test_the_table_alone_is_on_the_standard_output(command: Command, walks: Path) -> None:
    done = command("forecast", walks, *BASE)
    table = pd.read_csv(io.StringIO(done.out))
    assert done.code == 0 and table["unique_id"].unique().tolist() == sorted(WALKS)
    assert list(table)[:5] == ["unique_id", "ds", "naive", "naive-lo-80", "naive-hi-80"] and len(table) == 20
    assert table["ds"].iloc[0] == "2024-03-31", "the day after the last one"
    last = pd.read_csv(walks).groupby("name")["price"].last()
    assert table.groupby("unique_id")["naive"].first().to_dict() == pytest.approx(last.to_dict())
    assert "walks.csv: 4 series, 360 steps" in done.err and "frequency D, inferred" in done.err
    assert command("forecast", walks, *BASE, "--quiet").err == ""


def test_files_and_json_hold_the_same_numbers(command: Command, walks: Path, tmp_path: Path) -> None:
    screen = pd.read_csv(io.StringIO(command("forecast", walks, *BASE, "--level", "50,80").out))
    done = command(
        "forecast", walks, *BASE, "--level", "50,80", "--out", tmp_path / "a.csv", "--plot", tmp_path / "a.png"
    )
    assert done.out.splitlines()[-2:] == [
        f"{tmp_path / 'a.csv'}: 5 steps of 4 series by naive, drift",
        f"Plot: {tmp_path / 'a.png'}",
    ]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv"), screen)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 1000
    command("forecast", walks, *BASE, "--level", "50,80", "--out", tmp_path / "a.parquet", "--quiet")
    parquet = pd.read_parquet(tmp_path / "a.parquet")
    assert parquet["ds"].dtype.kind == "M" and "naive-hi-50" in parquet
    answer = json.loads(command("forecast", walks, *BASE, "--level", "50,80", "--json").out)
    pd.testing.assert_frame_equal(pd.DataFrame(answer["forecasts"]), screen, check_exact=True)
    assert answer["failures"] == [] and {path.name for path in tmp_path.iterdir()} == {"a.csv", "a.png", "a.parquet"}


def test_the_settings_of_a_run_forecast_what_comes_after_it(command: Command, finished: Path, walks: Path) -> None:
    done = command("forecast", "--config", finished / "config.yaml", "--models", "drift", "--quiet")
    table = pd.read_csv(io.StringIO(done.out))
    assert done.code == 0 and list(table)[2] == "drift" and table["ds"].min() == "2024-03-31"
    assert len(command("forecast", walks, "--horizon", "2", "--set", "lstm.hidden_size=8", "--help").out) > 0


def test_lstm_is_the_model_where_none_is_named(command: Command, walks: Path) -> None:
    quick = ("--set", "lstm.training.max_steps=2", "--set", "lstm.n_seeds=1", "--set", "lstm.hidden_size=4")
    table = pd.read_csv(io.StringIO(command("forecast", walks, "--horizon", "2", *quick).out))
    assert list(table)[2:5] == ["lstm", "lstm-lo-80", "lstm-hi-80"] and table["lstm"].notna().all()


def test_a_series_without_a_forecast_is_told_and_the_code_is_3(command: Command, walks: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(walks)
    short = tmp_path / "short.csv"
    pd.concat([frame, frame[:3].assign(name="new")]).to_csv(short, index=False)
    done = command("forecast", short, *BASE, "--out", tmp_path / "a.csv")
    assert (
        done.code == 3
        and "2 of 10 forecasts failed, first naive on series 'new': it has 3 steps, and 8 are" in done.err
    )
    table = pd.read_csv(tmp_path / "a.csv").set_index("unique_id")
    assert table.loc["new", "naive"].isna().all() and table.drop(index="new")["naive"].notna().all()
    assert json.loads(command("forecast", short, *BASE, "--json").out)["forecasts"][-1]["unique_id"] == "日本"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--out", "a.txt"], "--out a.txt: give a name that ends in .csv or .parquet"),
        (["--plot", "a.jpg"], "--plot a.jpg: give a name that ends in .png"),
        (["--out", "no/a.csv"], "--out no/a.csv: there is no folder 'no'"),
        (["--out", "there.csv"], "--out there.csv: is there already; name another file, or add --overwrite"),
        (["--level", "80,x"], "--level x: give whole percentages between 1 and 99, such as 80,95"),
        (["--level", "100"], "--level 100: give whole percentages"),
        (
            ["--set", "naive.quantiles=[0.25,0.5,0.75]"],
            "--level 80,95: naive has quantiles of its own, and 0.025 is not among them",
        ),
        (["--future", "there.csv"], "future: the data have no covariates known ahead"),
        (["--horizon", "200"], "too little data: a forecast of 200 steps"),
        (["--models", "lstmm"], "unknown model 'lstmm'; did you mean 'lstm'?"),
        (["--n-windows", "3"], "No such option: --n-windows"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    command: Command, walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.csv").write_text("kept")
    done = command("forecast", walks, *BASE, *argv)
    assert done.code == 2 and words in done.err and len(done.err.splitlines()) <= 4 and done.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"] and Path("there.csv").read_text() == "kept"


def test_overwrite_replaces_the_file(command: Command, walks: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    assert command("forecast", walks, *BASE, "--out", tmp_path / "a.csv", "--overwrite").code == 0
    assert (tmp_path / "a.csv").read_text().startswith("unique_id,ds,naive")
