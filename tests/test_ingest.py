"""A file that is ingested in pieces opens as the panel that it is when read whole, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_cases import TINY, assert_same, both, long_table, write
from real_data import DATA, needs_data

from tsforecast.ingesting.ingest import Sizes
from tsforecast.reading.readers import read_panel


@pytest.mark.parametrize(
    ("name", "missing"),
    [("a.csv", "error"), ("a.csv", "nan"), ("a.csv.gz", "ffill"), ("a.tsv", "nan"), ("a.parquet", "ffill")],
)
def test_shuffled_rows_of_several_series_with_covariates_are_the_same_panel(tmp_path, name, missing):
    table = long_table()
    if missing != "error":
        table = table.iloc[20:]
        table.loc[table.index[:5], "y"] = np.nan
    path = write(table, tmp_path / name, **({"sep": "\t"} if name == "a.tsv" else {}))
    panel = assert_same(path, tmp_path / "d", target="y", hist_exog=["x"], futr_exog=["promo"], missing=missing)
    assert len(list((tmp_path / "d" / "buckets").iterdir())) > 2, "it was cut into buckets"
    assert read_panel(tmp_path / "d").fingerprint() == panel.fingerprint()


@pytest.mark.parametrize("freq", ["30min", "D", "B", "W-SUN", "MS", "ME", "QE", "YS-APR"])
def test_every_grid_is_inferred_alike(tmp_path, freq):
    panel = assert_same(write(long_table(freq=freq), tmp_path / "a.csv"), tmp_path / "d", target="y")
    assert panel.freq.name == freq


def test_trading_days_become_bars_with_the_same_sentence_about_holidays(tmp_path):
    table = long_table(4, 200, "B")
    table = table[~((table["ds"].dt.day == 25) & (table["ds"].dt.month.isin([1, 3])))]
    path = write(table, tmp_path / "a.csv")
    panel = assert_same(path, tmp_path / "d", target="y")
    assert panel.freq.name == "bars" and "are taken as holidays" in panel.notes[-1]
    assert "gap: series 's0'" in str(both(path, tmp_path / "d", target="y", freq="B")[1])
    blank = table.assign(y=table["y"].where(table["ds"].dt.day != 7))
    for freq in ("bars", None):
        found = assert_same(write(blank, tmp_path / "b.csv"), tmp_path / "d", target="y", missing="drop", freq=freq)
        assert "rows without a value left out" in "".join(found.notes)


@pytest.mark.parametrize("freq", [None, "bars", 5])
def test_whole_numbers_and_bars_of_any_distance_are_positions(tmp_path, freq):
    table = long_table(shuffled=False)
    table["ds"] = table.groupby("unique_id").cumcount() * 5 + 10
    assert_same(write(table, tmp_path / "a.csv"), tmp_path / "d", target="y", freq=freq)
    odd = long_table(freq="7min").sample(frac=0.5, random_state=1)
    assert assert_same(write(odd, tmp_path / "b.csv"), tmp_path / "d", target="y", freq="bars").freq.name == "bars"


@pytest.mark.parametrize("freq", ["h", "D"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "+05:30", "Africa/Cairo"])
def test_zones_by_name_and_offsets_in_text_keep_instants_below_a_day_and_clocks_above(tmp_path, freq, zone):
    table = long_table(3, 150, freq)
    table["ds"] = (table["ds"] + pd.Timedelta("92D")).dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    if freq == "h":
        table = table.drop_duplicates(["unique_id", "ds"])
    assert_same(write(table, tmp_path / "a.parquet"), tmp_path / "d", target="y")
    path = write(table, tmp_path / "a.csv")
    if (zone, freq) == ("Africa/Cairo", "D"):  # one day begins at one, which text does not tell
        whole, pieces = both(path, tmp_path / "d", target="y")
        assert whole == pieces and "the times are irregular" in str(whole)
    else:
        assert_same(path, tmp_path / "d", target="y")


def test_ids_are_the_text_they_are_and_sorted_as_text(tmp_path):
    names = [
        "NA",
        "null",
        "00123",
        "1E5",
        "TRUE",
        "-",
        "é",
        "e\u0301",
        "../x",
        "=1+1",
        "10",
        "9",
        "a/b",
        "A",
        "x" * 300,
    ]
    table = pd.DataFrame({"unique_id": np.tile(names, 4), "ds": np.repeat(range(4), len(names)), "y": range(60)})
    panel = assert_same(write(table, tmp_path / "a.csv"), tmp_path / "d")
    assert panel.ids == tuple(sorted(names))
    numbered = table.assign(unique_id=np.tile(np.arange(len(names)) * 7, 4))
    assert_same(write(numbered, tmp_path / "a.parquet"), tmp_path / "d")
    assert_same(write(numbered.astype({"unique_id": "category"}), tmp_path / "b.parquet"), tmp_path / "d")


def test_columns_are_found_as_they_are_in_a_whole_table(tmp_path):
    table = long_table().rename(columns={"unique_id": "ticker", "ds": "day", "y": "close"})[["day", "ticker", "close"]]
    table = table.sort_values(["day", "ticker"])
    panel = assert_same(write(table, tmp_path / "a.csv"), tmp_path / "d")
    assert panel.notes[0] == "columns taken: time 'day', target 'close', series named by 'ticker'"
    alone = write(table[table["ticker"] == "s3"][["day", "close"]], tmp_path / "b.csv")
    assert assert_same(alone, tmp_path / "d").ids == ("close",)
    indexed = write(long_table().set_index(["unique_id", "ds"]), tmp_path / "c.parquet")
    assert_same(indexed, tmp_path / "d", target="y")
    by_time = write(table.set_index("day"), tmp_path / "e.parquet")
    assert_same(by_time, tmp_path / "d")
    positions = write(pd.DataFrame({"load": np.arange(500.0)}), tmp_path / "f.parquet")
    assert assert_same(positions, tmp_path / "d").times.tolist() == list(range(500))
    labelled = pd.DataFrame({"load": np.arange(500.0)}, index=pd.RangeIndex(30, 1530, 3))
    assert assert_same(write(labelled, tmp_path / "g.parquet"), tmp_path / "d").times[1] == 33


def test_several_files_belong_together(tmp_path):
    table = long_table()
    paths = [write(table.iloc[a:b], tmp_path / f"{a}.csv") for a, b in ((0, 100), (100, 130), (130, 400))]
    panel = assert_same(paths[::-1], tmp_path / "d", target="y")
    assert panel.fingerprint() == read_panel(table, target="y").fingerprint()
    again = [*paths, write(table.iloc[[140, 7]], tmp_path / "again.csv")]
    whole, pieces = both(again, tmp_path / "d", target="y")
    assert whole == pieces and "of again.csv" in str(pieces) and "1 more such rows" in str(pieces)
    other = write(table.drop(columns="x"), tmp_path / "other.csv")
    whole, pieces = both([paths[0], other], tmp_path / "d", target="y")
    assert whole == pieces and "other.csv: columns differ from those of 0.csv (x)" in str(pieces)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_delimiters_and_decimal_commas_are_read_alike(tmp_path, encoding):
    table = long_table(3)
    table["unique_id"] = table["unique_id"].str.replace("s", "Zürich ")
    path = write(table, tmp_path / "a.txt", sep=";", decimal=",", encoding=encoding)
    given = {"encoding": encoding} if encoding == "latin-1" else {}
    assert assert_same(path, tmp_path / "d", target="y", decimal=",", **given).ids[0] == "Zürich 0"


def test_quoted_line_breaks_blank_lines_and_a_comma_at_each_end_shift_nothing(tmp_path):
    lines = [f'"a",2024-01-{d:02d},{d},"two\nlines",' for d in range(1, 29)]
    path = tmp_path / "a.csv"
    path.write_text("unique_id,ds,y,remark\n" + "\n\n".join(lines) + "\n")
    assert assert_same(path, tmp_path / "d").lengths.tolist() == [28]


# ---- any table


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table of a few series with a few faults, and how it is to be read."""
    unit = draw(st.sampled_from(["h", "D", "B", "MS", "int"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    parts = []
    for i in range(draw(st.integers(1, 5))):
        n = int(rng.integers(2, 40))
        ds: Any = pd.date_range("2024-01-01", periods=n, freq=unit) if unit != "int" else np.arange(n) * 3
        parts.append(pd.DataFrame({"unique_id": f"s{i}", "ds": ds, "y": rng.normal(size=n), "x": rng.normal(size=n)}))
    table = pd.concat(parts, ignore_index=True)
    for fault in draw(
        st.lists(st.sampled_from(["gap", "blank", "blank x", "twice", "inf", "word", "empty"]), max_size=3)
    ):
        row = draw(st.integers(0, len(table) - 1))
        if fault == "gap":
            table = table.drop(table.index[row] if len(table) > 3 else []).reset_index(drop=True)
        elif fault == "twice":
            table = pd.concat([table, table.iloc[[row]]], ignore_index=True)
        elif fault == "empty":
            table.loc[table["unique_id"] == table.loc[row, "unique_id"], "y"] = np.nan
        else:
            cell = {"blank": np.nan, "blank x": np.nan, "inf": np.inf, "word": "oops"}[fault]
            column = "x" if fault == "blank x" else "y"
            table[column] = table[column].astype(object)
            table.loc[row, column] = cell
    if draw(st.booleans()):
        table = table.sample(frac=1, random_state=1, ignore_index=True)
    options: dict[str, Any] = {"target": "y", "missing": draw(st.sampled_from(["error", "nan", "ffill", "drop"]))}
    if draw(st.booleans()):
        options["hist_exog"] = ["x"]
    if draw(st.booleans()):
        options["freq"] = draw(st.sampled_from(["bars", *([3] if unit == "int" else ["D", unit])]))
    return table, options


DRAWN = (tables(), st.sampled_from([600, 2_000]), st.sampled_from([500, 5_000]))
FEW = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(*DRAWN)
def test_any_table_gives_the_same_panel_or_is_refused_in_the_same_words(tmp_path, drawn, block, bucket):
    assert_alike(tmp_path, drawn, block, bucket)


@pytest.mark.slow
@MANY
@given(*DRAWN)
def test_any_of_many_tables_gives_the_same_panel_or_is_refused_in_the_same_words(tmp_path, drawn, block, bucket):
    assert_alike(tmp_path, drawn, block, bucket)


def assert_alike(tmp_path: Path, drawn: tuple[pd.DataFrame, dict[str, Any]], block: int, bucket: int) -> None:
    table, options = drawn
    path = write(table, tmp_path / "a.csv")
    sizes = Sizes(block=block, head=1_000, bucket=bucket, stretch=20)
    whole, pieces = both(path, tmp_path / "d", sizes, **options)
    if isinstance(whole, str):
        assert pieces == whole
    else:
        assert_same(path, tmp_path / "d", sizes, **options)


# ---- real files


REAL = [
    ("prices/bokeh_stocks.csv", {"target": "Close"}),
    ("prices/arch_wti.csv", {"na_values": ".", "missing": "drop"}),
    ("classics/co2.csv", {"date_format": "%Y%m%d", "missing": "ffill"}),
    ("ett/ETTh1.csv", {"target": "OT", "hist_exog": ["HUFL", "HULL"]}),
    ("nab/data/realKnownCause/nyc_taxi.csv", {}),
    ("nab/data/realKnownCause/machine_temperature_system_failure.csv", {}),
    ("nab/data/realTraffic/TravelTime_387.csv", {}),
    ("sea_surface_temperature/sea_surface_temperature.csv", {}),
]


@needs_data
@pytest.mark.parametrize(("name", "options"), REAL)
def test_real_files_are_ingested_or_refused_as_they_are_read(tmp_path, name, options):
    sizes = Sizes(block=1 << 16, head=30_000, bucket=1 << 17, stretch=2_000)
    whole, pieces = both(DATA / name, tmp_path / "d", sizes, **options)
    if isinstance(whole, str):
        assert pieces == whole
    else:
        assert_same(DATA / name, tmp_path / "d", sizes, **options)


@pytest.mark.parametrize("days", [5, 14])
def test_a_first_block_whose_days_and_months_are_the_same_settles_nothing(days: int, tmp_path: Path) -> None:
    """The first of January fills the first blocks, and 02/01 after it is the second of January or the first of
    February: the thirteenth, which tells, comes too late for a table that is read in blocks."""
    hours = pd.date_range("2024-01-01", periods=24 * days, freq="h")
    table = pd.DataFrame({"ds": hours.strftime("%d/%m/%Y %H:%M"), "y": range(len(hours))})
    file, tiny = tmp_path / "a.csv", replace(TINY, block=200)
    table.to_csv(file, index=False)
    whole, pieces = both(file, tmp_path / "set", sizes=tiny)
    assert "ambiguous: 02/01/2024 00:00 may be 2024-01-02 or 2024-02-01" in str(pieces)
    assert ("ambiguous" in str(whole)) == (days < 13)
    assert_same(file, tmp_path / "set", sizes=tiny, date_format="%d/%m/%Y %H:%M")


def test_a_first_block_of_may_is_read_as_the_months_after_it_are_written(tmp_path: Path) -> None:
    days = pd.date_range("2024-05-20", periods=40)
    for form in ("%d %B %Y", "%d %b %Y"):
        table = pd.DataFrame({"ds": days.strftime(form), "y": range(40)})
        table.to_csv(tmp_path / "a.csv", index=False)
        panel = assert_same(tmp_path / "a.csv", tmp_path / "set", sizes=replace(TINY, block=60))
        assert panel.freq.name == "D"
