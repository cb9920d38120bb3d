"""`tsforecast report`: the same bytes again, and forecasts with names as they are."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
from commands import WALKS, Command, Done, contents


def test_report_writes_the_same_bytes_again(command: Command, figures: None, finished: Path, tmp_path: Path) -> None:
    done = command("report", finished, "--out", tmp_path / "report.html")
    assert done == Done(0, f"Report: {tmp_path / 'report.html'}\n", "")
    for name in ("report.html", "report.md", "report.json"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name


def test_report_without_out_replaces_the_report_in_the_run(command: Command, figures: None, finished: Path) -> None:
    before = contents(finished)
    (finished / "report.html").unlink()
    (finished / "report.md").write_text("stale")
    assert command("report", finished).code == 0 and contents(finished) == before


def test_rows_are_the_last_forecasts_with_names_as_they_are(command: Command, finished: Path) -> None:
    done = command("report", finished, "--rows", "naive")
    assert done.code == 0 and done.err == "" and done.out.splitlines()[0] == "id,F1,F2,F3,F4,F5"
    rows = {row["id"]: float(row["F5"]) for row in csv.DictReader(io.StringIO(done.out))}
    table = pd.read_parquet(finished / "forecasts.parquet").query("model == 'naive' and fold == 2 and step == 5")
    assert list(rows) == sorted(WALKS)
    assert rows == dict(zip(table["unique_id"], table["forecast"], strict=True)), "every digit"
    assert "did you mean 'naive'?" in command("report", finished, "--rows", "naiv").err
