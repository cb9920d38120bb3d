"""Steps that have no usual season are taken to have none, and that is said: the season is the user's to name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsforecast.ingesting.ingest import ingest
from tsforecast.reading.readers import read_panel

SAID = "no season assumed: steps of {} have no usual one; if values repeat every N steps, "
NAME_IT = "say so with season_length=N (--season-length N)"


def table(times: object) -> pd.DataFrame:
    return pd.DataFrame({"t": times, "y": np.arange(40.0)})


def said(table: pd.DataFrame, **options: int) -> list[str]:
    return [note for note in read_panel(table, **options).notes if "season" in note]


@pytest.mark.parametrize(
    ("times", "steps"),
    [
        (range(40), "1"),
        (range(0, 400, 10), "10"),
        (pd.date_range("2024-01-01", periods=40, freq="7min"), "7min"),
        (pd.date_range("2024-01-01", periods=40, freq="10D"), "10D"),
    ],
)
def test_numbered_steps_and_odd_ones_have_no_season_until_somebody_names_it(times: object, steps: str) -> None:
    (note,) = said(table(times))
    assert note == SAID.format(steps) + NAME_IT
    assert read_panel(table(times)).season_length == 1
    assert not said(table(times), season_length=24) and read_panel(table(times), season_length=24).season_length == 24
    assert not said(table(times), season_length=1), "who says that there is none need not be asked"


@pytest.mark.parametrize("freq", ["h", "D", "B", "W", "MS", "QS", "YS"])
def test_control_where_the_calendar_has_one_and_of_years_nothing_is_said(freq: str) -> None:
    assert not said(table(pd.date_range("1970-01-01", periods=40, freq=freq)))


def test_an_ingested_dataset_says_it_until_the_season_is_named(tmp_path: Path) -> None:
    table(range(40)).to_csv(tmp_path / "readings.csv", index=False)
    panel = ingest(tmp_path / "readings.csv", tmp_path / "set")
    assert panel.notes == read_panel(tmp_path / "readings.csv").notes == read_panel(tmp_path / "set").notes
    assert any(note.startswith(SAID.format(1)) for note in panel.notes)
    named = read_panel(tmp_path / "set", season_length=8)
    assert named.season_length == 8 and set(panel.notes) - set(named.notes) == {SAID.format(1) + NAME_IT}
    again = ingest(tmp_path / "readings.csv", tmp_path / "named", season_length=8)
    assert again.notes == named.notes and again.season_length == 8
