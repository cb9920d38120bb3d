"""What people have in their files on the first day, and what they are told of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import Command

from tsforecast import read_panel
from tsforecast.errors import DataError

DAYS = pd.date_range("2024-01-01", periods=60)
VALUES = np.round(np.random.default_rng(0).normal(50, 5, 60), 2)


def days(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"date": DAYS, **columns})


@pytest.mark.parametrize("name", ["", "index"])
def test_the_row_numbers_that_to_csv_leaves_are_no_series(tmp_path: Path, name: str) -> None:
    days(value=VALUES).to_csv(tmp_path / "a.csv", index_label=name)
    panel = read_panel(tmp_path / "a.csv")
    assert panel.ids == ("value",)
    assert f"columns not used: {name or 'column 1'}" in panel.notes


def test_a_sensor_that_reports_from_its_second_month_on_is_a_series_and_one_that_never_does_is_named(
    tmp_path: Path,
) -> None:
    """From a file, blanks are cells of text: the first 500 of them are no sign of an empty column."""
    rows = [f"{t},{t % 7},{t % 5 if t >= 700 else ''}," for t in range(1_000)]
    (tmp_path / "late.csv").write_text("step,early,late,never\n" + "\n".join(rows) + "\n")
    panel = read_panel(tmp_path / "late.csv")
    assert panel.ids == ("early", "late") and panel.lengths.tolist() == [1_000, 300]
    assert "columns without a single value, left out: never" in panel.notes


def test_a_column_called_index_that_numbers_no_rows_is_a_series(tmp_path: Path) -> None:
    days(index=VALUES, value=VALUES).to_csv(tmp_path / "a.csv", index=False)
    assert read_panel(tmp_path / "a.csv").ids == ("index", "value")


def test_a_decimal_comma_is_shown_and_can_be_given_on_the_command_line(tmp_path: Path, command: Command) -> None:
    file = tmp_path / "a.csv"
    days(value=VALUES).to_csv(file, index=False, sep=";", decimal=",")
    said = f"value (text such as '{VALUES[0]}')".replace(".", ",")
    with pytest.raises(DataError, match=said.replace("(", r"\(").replace(")", r"\)")):
        read_panel(file)
    code, out, _ = command("plan", file, "--decimal", ",", "--sep", ";", "--encoding", "latin-1", "--models", "naive")
    assert code == 0 and "1 series, 60 steps" in out


def test_times_of_the_day_name_no_series() -> None:
    frame = days(value=VALUES).assign(date=np.repeat(DAYS[:20], 3), time=["00:00", "08:00", "16:00"] * 20)
    with pytest.raises(DataError, match=r"'time' holds times of the day \(00:00\).*join it with 'date'"):
        read_panel(frame)


def test_whole_numbers_that_name_series_are_asked_for_where_times_repeat() -> None:
    frame = pd.concat([days(store=store, value=VALUES) for store in (1, 2)])
    with pytest.raises(DataError, match=r"duplicate time: .*name the column that tells series apart \(--id\)"):
        read_panel(frame)
    assert read_panel(frame, id="store").ids == ("1", "2")


@pytest.mark.parametrize(("first", "said"), [(45_292, True), (0, False), (100_000, False)])
def test_day_numbers_of_a_spreadsheet_are_pointed_out(first: int, said: bool) -> None:
    panel = read_panel(pd.DataFrame({"date": np.arange(first, first + 60), "value": VALUES}))
    assert any("spreadsheet's day numbers" in note for note in panel.notes) == said
    assert np.datetime64("1899-12-30") + 45_292 == np.datetime64("2024-01-01")


def test_a_year_beside_a_quarter_is_no_time_yet() -> None:
    frame = pd.DataFrame({"year": np.repeat(range(1960, 1980), 4), "quarter": [1, 2, 3, 4] * 20, "gdp": np.ones(80)})
    with pytest.raises(DataError, match=r"1960 occurs 4 times .*; where two columns make the time, such as year and"):
        read_panel(frame)
    frame["ds"] = frame["year"].astype(str) + "Q" + frame["quarter"].astype(str)
    assert read_panel(frame, target="gdp", time="ds").freq.name == "QS", "what it asks for is read"


@pytest.mark.parametrize(("unit", "said"), [("s", True), ("ms", True), (None, False)])
def test_unix_times_are_pointed_out(unit: str | None, said: bool) -> None:
    times = np.arange(60) if unit is None else DAYS.to_numpy().astype(f"M8[{unit}]").astype(np.int64)
    panel = read_panel(pd.DataFrame({"timestamp": times, "value": VALUES}))
    assert any("Unix" in note for note in panel.notes) == said


def test_values_whose_squares_are_no_numbers_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"'value' is .*e\+30\d \(60 such cells\); no error of that size can be squared"
    ):
        read_panel(days(value=VALUES * 1e306))


def test_a_file_without_a_header_is_refused_since_its_first_row_would_be_lost(tmp_path: Path) -> None:
    days(value=VALUES).to_csv(tmp_path / "a.csv", index=False, header=False)
    expected = (
        "a.csv: line 1 holds data, not column names ('2024-01-01', and '2024-01-02' below it); add a line of names"
    )
    with pytest.raises(DataError) as found:
        read_panel(tmp_path / "a.csv")
    assert str(found.value) == expected


def test_dates_as_the_names_of_other_columns_are_no_missing_header(tmp_path: Path) -> None:
    """A sensor may be called by the day it was built."""
    days(**{"2020-05-01": VALUES, "2021-06-01": VALUES}).to_csv(tmp_path / "a.csv", index=False)
    assert read_panel(tmp_path / "a.csv").ids == ("2020-05-01", "2021-06-01")


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("{:,.2f}", "write numbers without marks between the thousands"),
        ("${:,.2f}", "write numbers without marks between the thousands"),
        ("{:.1f} kWh", "write numbers alone, without signs or units"),
        ("{:.0f},5", "if the comma is a decimal mark, say so with decimal=',' (--decimal ,)"),
    ],
)
def test_numbers_that_are_written_for_readers_are_refused_with_what_to_do(
    tmp_path: Path, cell: str, advice: str
) -> None:
    days(price=[cell.format(1000 * value) for value in VALUES]).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match="no column of numbers is left to forecast") as found:
        read_panel(tmp_path / "a.csv")
    assert str(found.value).endswith(f"; the cells of 'price' look like numbers: {advice}")


def test_a_date_in_parts_beside_a_count_of_rows_is_no_time_without_a_season() -> None:
    """A count would be taken for the time, and 24 hours for no cycle; the user says which is meant."""
    hours = pd.date_range("2010-01-30", periods=100, freq="h")
    parts = {"year": hours.year, "Month": hours.month, "day": hours.day, "hour": hours.hour}
    frame = pd.DataFrame({"No": np.arange(1, 101), **parts, "value": np.arange(100.0)})
    with pytest.raises(DataError, match=r"columns year, Month, day, hour make a date together.*--time No"):
        read_panel(frame, target="value")
    assert read_panel(frame, time="No", target="value").season_length == 1
    joined = frame.assign(ds=pd.to_datetime(frame[[*parts]])).drop(columns=[*parts, "No"])
    assert read_panel(joined, target="value").season_length == 24
    alone = frame.drop(columns=["Month", "day", "hour"])  # the year is no date: the count is the time
    assert read_panel(alone, target="value").freq.name == "1"


def exported(rows: int, per_year: int, column: str = "") -> pd.DataFrame:
    """As R writes a series: numbered rows, and the time in years."""
    years = 1949 + np.arange(rows) / per_year
    return pd.DataFrame({column: range(1, rows + 1), "time": years.round(12), "value": VALUES[:rows]})


@pytest.mark.parametrize("column", ["", "rownames"])
@pytest.mark.parametrize(("per_year", "name"), [(12, "MS"), (4, "QS"), (2, "6MS")])
def test_years_with_fractions_are_asked_for_and_then_are_months(
    tmp_path: Path, column: str, per_year: int, name: str
) -> None:
    """Never the rows of the file as time, with the time as a series beside the one that is meant."""
    file = tmp_path / "a.csv"
    exported(60, per_year, column).to_csv(file, index=False)
    asked = r"'1949\.\d+' of column 'time' is a year and its month.*--time 'time' --date-format years"
    for named in ({}, {"time": "time"}, {"layout": "wide"}):
        with pytest.raises(DataError, match=asked):
            read_panel(file, **named)
    panel = read_panel(file, time="time", date_format="years")
    assert panel.ids == ("value",) and panel.freq.name == name
    step = np.timedelta64(12 // per_year, "M")
    assert (panel.times.astype("datetime64[M]") == np.datetime64("1949-01") + step * np.arange(60)).all()
    assert (panel.values == VALUES).all()


def test_three_digits_of_a_fraction_tell_the_month_and_what_is_none_is_named(tmp_path: Path) -> None:
    frame = exported(60, 12).assign(time=lambda f: f["time"].round(3))
    assert read_panel(frame, time="time", target="value", date_format="years").freq.name == "MS"
    frame.loc[7, "time"] = 1949.65
    with pytest.raises(DataError, match=r"row 7: the time column 'time' holds '1949.65', no year with a whole number"):
        read_panel(frame, time="time", target="value", date_format="years")
    with pytest.raises(DataError, match=r"holds 1949.083, neither a date nor a whole number; give dates, or numbered"):
        read_panel(frame, time="time", target="value")  # not all are months: it is not for us to say what they are


def test_a_column_called_year_is_the_time_where_the_first_one_numbers_the_rows(tmp_path: Path) -> None:
    pd.DataFrame({"year": range(1960, 2020), "value": VALUES}).to_csv(tmp_path / "a.csv", index_label="")
    panel = read_panel(tmp_path / "a.csv")
    assert panel.ids == ("value",) and panel.times[0] == 1960
    assert "columns not used: column 1" in panel.notes


def test_numbered_rows_beside_a_time_that_counts_no_steps_are_asked_about(tmp_path: Path) -> None:
    """Seconds of a sensor: which of the two is meant is not for us to say."""
    frame = pd.DataFrame({"": range(60), "t": np.cumsum(VALUES), "value": VALUES})
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"'column 1' numbers the rows, and 't' counts no steps; .* with --time"):
        read_panel(tmp_path / "a.csv")
    assert read_panel(tmp_path / "a.csv", time="column 1", target="value").ids == ("value",)


def test_a_first_column_that_numbers_no_rows_stays_the_time(tmp_path: Path) -> None:
    """Only an unnamed column, or one named as exports name it, that counts every row from 0 or 1 is set aside."""
    frame = pd.DataFrame({"k": range(1, 61), "year": np.repeat(range(1960, 1980), 3), "value": VALUES})
    assert read_panel(frame).ids == ("value", "year") and read_panel(frame).times[0] == 1


@pytest.mark.parametrize(
    ("begins", "said"), [("2024-10-26", True), ("2024-10-25", False)], ids=["a Sunday", "a Saturday"]
)
def test_the_hour_that_occurs_twice_when_clocks_go_back_is_pointed_out(begins: str, said: bool) -> None:
    times = pd.date_range(begins, periods=60, freq="h")
    frame = pd.DataFrame({"ds": times.insert(27, times[26]), "y": np.append(VALUES, 1.0)})
    with pytest.raises(DataError, match="duplicate time") as caught:
        read_panel(frame)
    assert ("clocks went back" in str(caught.value)) == said
