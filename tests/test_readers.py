"""Files become the same panel as the frame they were written from, and a fault in one is named by its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsforecast.errors import ConfigError, DataError, TsforecastError
from tsforecast.panel import Panel
from tsforecast.reading.readers import read_panel


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    ds = pd.date_range("2024-02-01", periods=40, freq="D")
    return pd.concat(
        [
            pd.DataFrame({"unique_id": i, "ds": ds, "y": rng.lognormal(0, 9, 40), "x": rng.normal(size=40)})
            for i in "AB"
        ],
        ignore_index=True,
    )


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(data: object, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read_panel(data, **options)
    return str(caught.value)


# ---- formats


def test_csv_gzip_parquet_and_frame_are_bit_for_bit_the_same_panel(tmp_path, frame):
    same = read_panel(frame, hist_exog=["x"]).fingerprint()
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.csv.gz", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "a.txt", index=False, sep=";", decimal=",")
    frame.to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.csv.gz", "a.tsv", "a.parquet"):
        assert read_panel(tmp_path / name, hist_exog=["x"]).fingerprint() == same, name
        assert read_panel(str(tmp_path / name), hist_exog=["x"]).fingerprint() == same, name
    assert read_panel(tmp_path / "a.txt", hist_exog=["x"], decimal=",").fingerprint() == same


def test_a_wide_file_is_the_same_panel_as_its_wide_frame(tmp_path, frame):
    wide = frame.pivot(index="ds", columns="unique_id", values="y")
    wide.to_csv(tmp_path / "w.csv")
    wide.to_parquet(tmp_path / "w.parquet")
    same = read_panel(frame, target="y").fingerprint()
    assert read_panel(tmp_path / "w.csv").fingerprint() == same == read_panel(tmp_path / "w.parquet").fingerprint()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e150, 1e150), min_size=3, max_size=30))
def test_every_float_written_to_a_file_is_read_exactly(tmp_path, values):
    path = write(tmp_path, "t,v\n" + "".join(f"{i},{v!r}\n" for i, v in enumerate(values)))
    assert read_panel(path).values.tolist() == values


def test_files_in_a_list_belong_together(tmp_path, frame):
    same = read_panel(frame, target="y").fingerprint()
    frame.iloc[:50].to_csv(tmp_path / "1.csv", index=False)
    frame.iloc[50:].to_csv(tmp_path / "2.csv", index=False)
    assert read_panel([tmp_path / "2.csv", tmp_path / "1.csv"], target="y").fingerprint() == same
    frame.iloc[[50, 51, 51]].to_csv(tmp_path / "3.csv", index=False)
    message = refusal([tmp_path / "1.csv", tmp_path / "3.csv"], target="y")
    assert "occurs 2 times (line 3 of 3.csv, line 4 of 3.csv" in message
    frame.drop(columns="x").to_csv(tmp_path / "4.csv", index=False)
    assert "4.csv: columns differ from those of 1.csv (x)" in refusal([tmp_path / "1.csv", tmp_path / "4.csv"])


def test_a_panel_is_returned_as_it_is_and_takes_no_options(frame):
    panel = read_panel(frame, target="y")
    assert read_panel(panel) is panel
    with pytest.raises(ConfigError, match="the data are a panel already: freq cannot change how it reads"):
        read_panel(panel, freq="D")
    with pytest.raises(ConfigError, match="data of type dict are not read"):
        read_panel({"y": [1, 2]})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_of_the_encoding_are_understood(tmp_path, encoding):
    path = write(tmp_path, "unique_id,ds,y\nZürich,2024-01-01,1\nZürich,2024-01-02,2\n".encode(encoding))
    assert read_panel(path).ids == ("Zürich",)


# ---- faults of a file


def test_bytes_that_are_not_text_name_byte_and_line_and_the_option(tmp_path):
    path = write(tmp_path, "ds,y\n2024-01-01,1\n2024-01-02,2\n# Zürich".encode("latin-1"))
    message = refusal(path)
    assert message.startswith("data.csv: line 4: byte 0xfc (number 34) is not utf-8")
    assert "--encoding latin-1" in message
    path = write(tmp_path, "unique_id,ds,y\nZürich,0,1\nZürich,1,2\n".encode("latin-1"))
    assert read_panel(path, encoding="latin-1").ids == ("Zürich",)
    assert "encoding 'latin-99' is not known" in refusal(path, encoding="latin-99")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; expected a line of column names and rows below it"),
        ("\n\n", "the file is empty"),
        ("ds,y\n", "there is a header but no rows"),
        ("ds,y,y\n1,2,3\n", "line 1: column 'y' occurs 2 times"),
        ("0.5,0.7\n0.6,0.8\n", "line 1 holds numbers, not column names"),
        ("ds,y\n0,1\n1,2,3\n2,3\n", "line 3 has 3 cells, expected 2 as in the header (1,2,3)"),
        ("ds,y\n0,1\n\n1\n", "line 4 has 1 cells, expected 2"),
        (
            "ds,y\n# of a station\n0,1\n",
            "line 2 has 1 cells, expected 2 as in the header (# of a station); take comments out",
        ),
        ("a,b,c\n1,2,3,\n2,3,4,5\n", "line 3 has 4 cells, expected 3"),
        (
            "Month,Sales\n1-01,266\n1-02,146\n",
            "no column holds dates or counts steps; columns: Month (text such as '1-01'), Sales (number)",
        ),
        ("a,b\n3,1\n1,2\n2,9\n", "no column holds dates or counts steps"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(tmp_path, text, message):
    found = refusal(write(tmp_path, text))
    assert found.startswith("data.csv: ") and message in found


def test_lines_are_counted_with_the_header_blank_lines_and_quoted_line_breaks(tmp_path):
    rows = 'ds,y,remark\n0,1,"two\nlines"\n\n1,oops,x\n2,3,x\n'
    assert "data.csv: line 5, series 'y', 1: 'oops' in column 'y' is not a number" in refusal(write(tmp_path, rows))
    packed = write(tmp_path, gzip.compress(rows.encode()), "data.csv.gz")
    assert "data.csv.gz: line 5" in refusal(packed)
    assert "the compressed file is damaged" in refusal(write(tmp_path, gzip.compress(rows.encode())[:-9], "cut.gz"))


def test_a_comma_at_the_end_of_every_row_shifts_no_column(tmp_path):
    text = "unique_id,ds,y\na,2024-01-01,1,\na,2024-01-02,2,\n"
    panel = read_panel(write(tmp_path, text))
    assert panel.ids == ("a",) and panel.values.tolist() == [1, 2]
    assert "line 3 has 2 cells, expected 3" in refusal(write(tmp_path, text.replace("02,2,\n", "02\n")))


def test_ids_stay_the_text_they_are(tmp_path):
    names = ["NA", "null", "00123", "1E5", "TRUE", "-"]
    text = "unique_id,ds,y\n" + "".join(f"{name},{t},{t}\n" for name in names for t in (0, 1))
    assert read_panel(write(tmp_path, text)).ids == tuple(sorted(names))


def test_blank_cells_are_missing_and_other_marks_only_when_named(tmp_path):
    text = "ds,y\n2024-01-01,1\n2024-01-02,\n2024-01-03,NaN\n2024-01-04,n/a\n2024-01-05,-\n2024-01-06,6\n"
    path = write(tmp_path, text)
    assert "line 6, series 'y', 2024-01-05: '-' in column 'y' is not a number (1 such cells); if '-' means" in refusal(
        path
    )
    assert np.isnan(read_panel(path, na_values="-", missing="nan").values).tolist() == [0, 1, 1, 1, 1, 0]
    assert "line 3: series 'y', 2024-01-02: 'y' is missing (4 such cells" in refusal(path, na_values=["-"])


def test_a_missing_file_is_missing_and_the_nearest_data_set_is_named(tmp_path):
    assert refusal("oill") == "there is no file 'oill' and no bundled data set of that name; did you mean 'oil'?"
    assert refusal(tmp_path / "gone.csv") == f"there is no file '{tmp_path / 'gone.csv'}'"
    assert "is a folder; give the file in it" in refusal(tmp_path)
    assert "files of type .xlsx are not read" in refusal(write(tmp_path, "x", "book.xlsx"))
    assert "cannot be read as parquet" in refusal(write(tmp_path, "x", "broken.parquet"))


def test_no_bytes_make_anything_but_a_clear_error(tmp_path):
    rng = np.random.default_rng(0)
    text = b"unique_id,ds,y\n" + b"".join(b"a,2024-01-%02d,%d\n" % (d, d) for d in range(1, 20))
    outcomes: set[type] = set()
    longest = 0
    for _ in range(100):
        broken = bytearray(text)
        for at in rng.integers(0, len(text), rng.integers(1, 4)):
            broken[at] = rng.integers(0, 256)
        try:
            outcomes.add(type(read_panel(write(tmp_path, bytes(broken)))))
        except TsforecastError as fault:
            outcomes.add(type(fault))
            longest = max(longest, len(str(fault)))
    assert outcomes == {Panel, DataError} and longest < 1_000


# ---- one series on each line


def test_rows_are_series_and_a_later_file_continues_them(tmp_path):
    train = write(tmp_path, '"V1","V2","V3","V4"\n"H1","1","2","3"\n"H2","4","5",\n', "train.csv")
    test = write(tmp_path, '"V1","V2"\n"H2","6"\n"H1","7"\n', "test.csv")
    panel = read_panel(train)
    assert panel.ids == ("H1", "H2") and [panel.series(i).tolist() for i in (0, 1)] == [[1, 2, 3], [4, 5]]
    both = read_panel([train, test], season_length=24)
    assert [both.series(i).tolist() for i in (0, 1)] == [[1, 2, 3, 7], [4, 5, 6]]
    assert both.times.tolist() == [0, 1, 2, 3, 0, 1, 2] and both.season_length == 24
    headerless = write(tmp_path, "N1,1,2,3,4\nN2,5,6\n", "m3.csv")
    assert read_panel(headerless).lengths.tolist() == [4, 2]
    one_column = write(tmp_path, "name,value\nH1,1\nH2,2\n", "one.csv")
    assert read_panel(one_column, layout="rows", freq=1).lengths.tolist() == [1, 1]


def test_faults_in_rows_name_their_line(tmp_path):
    text = "V1,V2,V3\nH1,1,2\nH2,1,x\n"
    assert "line 3, series 'H2', 1: 'x' in column 'y' is not a number" in refusal(write(tmp_path, text))
    assert "line 3: series 'H1' occurs twice" in refusal(write(tmp_path, "V1,V2,V3\nH1,1,2\nH1,1,2\n"))
    assert "line 3: a name and its values were expected" in refusal(write(tmp_path, "V1,V2,V3\nH1,1,2\nH2,,\n"))
    blank = refusal(write(tmp_path, "V1,V2,V3,V4\nH1,1,,2\nH2,3,4,5\n"))
    assert "line 2: series 'H1', 1: 'y' is missing" in blank
    with pytest.raises(ConfigError, match="a frame is long or wide"):
        read_panel(pd.DataFrame({"y": [1]}), layout="rows")
