"""Files in which time runs across: a series on each line, below a header of dates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsforecast import read_panel
from tsforecast.errors import DataError
from tsforecast.ingesting.ingest import ingest

DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-01-30", periods=6)]
LINES = "b,1,2,3,4,5,6\na,10,20,30,40,50,60\n"


def write(folder: Path, lines: str = LINES, names: str = "page", dates: list[str] = DAYS) -> Path:
    path = folder / "web.csv"
    path.write_text(",".join([names, *dates]) + "\n" + lines)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as found:
        read_panel(path)
    return str(found.value)


def test_each_line_is_a_series_at_the_dates_of_the_header(tmp_path: Path) -> None:
    """The same as the table turned by hand."""
    panel = read_panel(write(tmp_path))
    turned = pd.DataFrame({"ds": pd.to_datetime(DAYS), "a": np.arange(1, 7) * 10.0, "b": np.arange(1, 7) * 1.0})
    by_hand = read_panel(turned)
    assert panel.ids == by_hand.ids == ("a", "b")
    assert panel.values.tolist() == by_hand.values.tolist() and panel.freq == by_hand.freq
    assert panel.times.tolist() == by_hand.times.tolist()
    named = read_panel(write(tmp_path), id="page", layout="rows")
    assert named.ids == panel.ids and named.values.tolist() == panel.values.tolist()


def test_months_and_blank_cells_are_read_as_in_any_wide_table(tmp_path: Path) -> None:
    months = [f"{month:%Y-%m}" for month in pd.date_range("2024-01-01", periods=6, freq="MS")]
    panel = read_panel(write(tmp_path, "late,,,3,4,5,6\nwhole,1,2,3,4,5,6\n", dates=months))
    assert panel.freq.name == "MS" and panel.lengths.tolist() == [4, 6]
    assert "blank rows that are not part of a series: 2 before the first value of 'late'" in panel.notes


def test_years_are_times_and_other_numbers_only_count(tmp_path: Path) -> None:
    for first, time in ((1990, 1990), (1, 0)):
        numbers = [str(number) for number in range(first, first + 6)]
        assert read_panel(write(tmp_path, dates=numbers)).times.tolist()[:2] == [time, time + 1]


@pytest.mark.parametrize(
    "values", [["1084.86", "1244.98", "1445.02"], ["1850", "1901", "1999"], ["1990.1", "1991.2", "5"]]
)
def test_values_that_might_be_dates_or_years_are_values(tmp_path: Path, values: list[str]) -> None:
    """A file without a header, as the M competitions have them: its first line is a series."""
    panel = read_panel(write(tmp_path, "N2,1,2,3\n", names="N1", dates=values))
    assert panel.ids == ("N1", "N2") and panel.values.tolist() == [*map(float, values), 1, 2, 3]


@pytest.mark.parametrize(
    ("lines", "names", "message"),
    [
        (
            LINES,
            "page,lang",
            "dates run across the columns from '2024-01-30' on, behind 2 others (page, lang); say which",
        ),
        (LINES + "b,1,2,3,4,5,6\n", "page", "line 4: the series 'b' has the name of an earlier one"),
        (LINES + ",1,2,3,4,5,6\n", "page", "line 4: the series has no name"),
        (LINES + "c,1,2,x,4,5,6\n", "page", "column '2024-02-01', series 'c', 2024-02-01: 'x' in column 'c' is not a"),
        (LINES + "c,1,2,,4,5,6\n", "page", "column '2024-02-01': series 'c', 2024-02-01: 'y' is missing (1 such cells"),
        (LINES + "c,1,2\n", "page", "line 4 has 3 cells, expected 7 as in the header"),
        ("", "page", "there is a header but no rows"),
    ],
)
def test_faults_name_the_line_or_the_date(tmp_path: Path, lines: str, names: str, message: str) -> None:
    if "," in names:
        lines = lines.replace("b,", "b,en,").replace("a,", "a,en,")
    assert refusal(write(tmp_path, lines, names)).startswith(f"web.csv: {message}")


def test_what_names_a_line_is_said_where_columns_stand_before_the_dates(tmp_path: Path) -> None:
    """As the counts of an epidemic come: some lines are of a province, some of a whole country."""
    days = [f"{day.month}/{day.day}/{day:%y}" for day in pd.date_range("2020-01-22", periods=6)]
    lines = (
        ",Iceland,65,-19,1,2,3,4,5,6\nHubei,China,30.9,112.2,10,20,30,40,50,60\nAnhui,China,31.8,117.2,1,1,1,1,1,1\n"
    )
    path = write(tmp_path, lines, names="Province/State,Country/Region,Lat,Long", dates=days)
    panel = read_panel(path, id="Province/State,Country/Region")
    assert panel.ids == ("Anhui / China", "Hubei / China", "Iceland")
    assert panel.series(1).tolist() == [10, 20, 30, 40, 50, 60] and str(panel.times[0])[:10] == "2020-01-22"
    assert panel.notes[0] == "columns taken: time '(header)', 3 series, one per line"
    assert panel.notes[-1] == "columns not used: Lat, Long"
    assert "say which of them name the series of each line with --id" in refusal(path)
    with pytest.raises(DataError, match="line 4: the series 'China' has the name of an earlier one"):
        read_panel(path, id="Country/Region")
    with pytest.raises(
        DataError, match=r"there is no column 'Country' before the dates; did you mean 'Country/Region'"
    ):
        read_panel(path, id="Country")


def test_two_dates_or_a_column_of_dates_below_them_are_no_such_file(tmp_path: Path) -> None:
    few = write(tmp_path, "b,1,2\na,10,20\n", dates=DAYS[:2])
    assert "no column holds dates or counts steps" in refusal(few)
    sensors = "".join(f"{day},1,2,3\n" for day in DAYS)  # each called by the day it was built
    assert read_panel(write(tmp_path, sensors, names="time", dates=DAYS[:3])).ids == tuple(DAYS[:3])


def test_ingest_says_that_such_a_file_is_read_whole(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="each line is one series"):
        ingest(write(tmp_path), out=tmp_path / "dataset")
