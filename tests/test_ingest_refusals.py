"""What is refused when read whole is refused in the same words when ingested in pieces; nothing is guessed."""

from __future__ import annotations

import gzip
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from ingest_cases import assert_same, both, long_table, write

from tsforecast.errors import DataError
from tsforecast.ingesting.ingest import Sizes, ingest
from tsforecast.panel import Panel

FAULTS = [
    ("a,2024-01-05,oops\n", "line 402, series 'a', 2024-01-05: 'oops' in column 'y' is not a number (3 such cells)"),
    ("a,2024-01-05,9007199254740993123456789e400\n", "'y' is inf (3 such cells)"),
    (",2024-01-05,1\n", "line 402: the id column 'unique_id' is empty (3 such rows)"),
    ("a,,1\n", "line 402: the time column 'ds' is empty (3 such rows)"),
    ("a,2024-13-05,1\n", "line 402: '2024-13-05' in the time column 'ds' cannot be read"),
    ("a,2024-01-05,1,2\n", "line 402 has 4 cells, expected 3 as in the header (a,2024-01-05,1,2)"),
    ("a,2024-01-05\n", "line 402 has 2 cells, expected 3"),
    ("Z\xfcrich,2024-01-05,1\n", "line 402: byte 0xfc (number 6706) is not utf-8"),
    (
        "a,2024-01-05,1\n",
        "duplicate time: series 'a', 2024-01-05 occurs 4 times (line 6, line 402, line 803, line 1204",
    ),
    ("b,2024-01-05,\n", "series 'b' has no observed value of 'y' (1 such series: b)"),
    ("c,2024-01-05 11:00,1\n", "duplicate time: series 'c', 2024-01-05 11:00:00 occurs 5 times"),
]


@pytest.mark.parametrize(
    ("line", "words", "packed"),
    [(*fault, i % 2 == 1) for i, fault in enumerate(FAULTS)],
    ids=[words[:40] for _, words in FAULTS],
)
def test_a_fault_far_into_a_file_is_refused_with_its_line_and_the_count_over_all_of_it(tmp_path, line, words, packed):
    days = pd.date_range("2024-01-01", periods=400).strftime("%Y-%m-%d")
    rows = "".join(f"a,{day},{i}\n" for i, day in enumerate(days))
    later = rows.replace("a,", "d,")
    if "11:00" in line:
        later = line + later
    raw = ("unique_id,ds,y\n" + rows + line + later + line + later.replace("d,", "e,") + line).encode("latin-1")
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(raw) if packed else raw)
    whole, pieces = both(path, tmp_path / "d")
    assert pieces == whole
    assert words in str(pieces)
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name], "nothing is left behind"


@pytest.mark.parametrize("content", ["", "\n\n", "ds,y\n", "ds,y,y\n1,2,3\n", "0.5,0.7\n0.6,0.8\n"])
def test_a_file_without_rows_or_names_is_refused_in_the_same_words(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    whole, pieces = both(tmp_path / "a.csv", tmp_path / "d")
    assert isinstance(whole, str) and pieces == whole


def test_what_cannot_be_opened_is_refused_in_the_same_words(tmp_path):
    (tmp_path / "broken.parquet").write_text("x")
    (tmp_path / "book.xlsx").write_text("x")
    packed = gzip.compress(b"ds,y\n" + b"".join(b"%d,%d\n" % (i, i % 7) for i in range(9_000)))
    (tmp_path / "cut.csv.gz").write_bytes(packed[:-9])
    assert "broken.parquet: cannot be read as parquet" in str(both(tmp_path / "broken.parquet", tmp_path / "d")[1])
    for path in ("gone.csv", "book.xlsx", "cut.csv.gz"):
        whole, pieces = both(tmp_path / path, tmp_path / "d")
        assert isinstance(whole, str) and pieces == whole
    whole, pieces = both(write(long_table(), tmp_path / "a.csv"), tmp_path / "d", encoding="latin-99")
    assert isinstance(whole, str) and pieces == whole


HOSTILE = [
    (b"unique_id,ds,y\na,0,1\na,1," + b"9" * (1 << 20), "a row goes on for more than 65,536 bytes"),
    (b'unique_id,ds,y\na,0,1\n"a,1,2\n' + b"a,2,1\n" * 200_000, "close the quotation mark that was left open"),
    (gzip.compress(b"unique_id,ds,y\n" + b"0" * (64 << 20)), "line 2: cannot be read as delimited text"),
]


@pytest.mark.parametrize(("content", "words"), HOSTILE, ids=["long cell", "open quote", "bomb"])
def test_a_row_without_an_end_is_refused_and_not_held(tmp_path, content, words):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=words):
            ingest(path, tmp_path / "d", sizes=Sizes(block=1 << 16))
        assert tracemalloc.get_traced_memory()[1] < 16e6
    finally:
        tracemalloc.stop()


def test_dates_that_only_later_rows_could_settle_are_asked_for_and_never_guessed(tmp_path):
    days = [f"{d:02d}/{m:02d}/2024" for m in (1, 2) for d in range(1, 13 if m == 1 else 29)]
    table = pd.DataFrame({"ds": days, "y": np.arange(len(days))})
    table["ds"] = [f"{d:02d}/01/2024" for d in range(1, 13)] * 2 + [f"{d:02d}/01/2024" for d in range(13, 29)]
    table.insert(0, "unique_id", ["a"] * 12 + ["b"] * 28)
    path = write(table, tmp_path / "a.csv")
    few = Sizes(block=200, head=5, bucket=500, stretch=50)
    whole, pieces = both(path, tmp_path / "d", few)
    assert isinstance(whole, Panel) and "are ambiguous: 02/01/2024 may be 2024-01-02 or 2024-02-01" in str(pieces)
    assert_same(path, tmp_path / "d", few, date_format="%d/%m/%Y")


def test_roles_that_only_later_rows_could_settle_are_asked_for_and_never_guessed(tmp_path):
    table = long_table(3, 60, shuffled=False).rename(columns={"unique_id": "sensor", "y": "load"})
    table = table[["ds", "sensor", "load"]].assign(remark="")
    path = write(table, tmp_path / "a.csv")
    few = Sizes(block=1_500, head=5, bucket=2_000, stretch=50)
    whole, pieces = both(path, tmp_path / "d", few)
    assert isinstance(whole, Panel)
    assert "rows do not settle the series, the target, and a large table is not read to its end" in str(pieces)
    assert str(pieces).endswith("say which column it is with --id, --target")
    assert_same(path, tmp_path / "d", few, id="sensor", target="load")


def test_wide_tables_and_series_on_a_line_are_left_to_the_reader_that_holds_them(tmp_path):
    wide = long_table().pivot(index="ds", columns="unique_id", values="y")
    for path in (write(wide, tmp_path / "w.csv", index=True), write(wide, tmp_path / "w.parquet")):
        with pytest.raises(DataError, match="7 columns are a series each; only long tables"):
            ingest(path, tmp_path / "d")
    (tmp_path / "m.csv").write_text("V1,V2,V3\nH1,1,2\nH2,1,4\n")
    with pytest.raises(DataError, match="each line is one series; only long tables"):
        ingest(tmp_path / "m.csv", tmp_path / "d")
