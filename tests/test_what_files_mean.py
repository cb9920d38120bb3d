"""What real files hold that is read, or asked about: never passed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from tsforecast.errors import DataError


def written(path: Path, *lines: str) -> Path:
    file = path / "data.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def days(begin: str, n: int) -> list[str]:
    return [f"{day:%Y-%m-%d}" for day in pd.date_range(begin, periods=n)]


@pytest.mark.parametrize("name", ["id", "sensor", "Device ID", "ticker"])
def test_series_one_after_the_other_are_told_apart_by_a_column_that_is_called_so(name: str, tmp_path: Path) -> None:
    rows = [f"A,{day},{i % 7}" for i, day in enumerate(days("2024-01-01", 60))]
    rows += [f"B,{day},{1000 + i % 7}" for i, day in enumerate(days("2024-03-01", 60))]
    panel = tsf.read_panel(written(tmp_path, f"{name},ds,y", *rows))
    assert panel.ids == ("A", "B") and panel.lengths.tolist() == [60, 60]
    remark = tsf.read_panel(written(tmp_path, "weather,ds,y", *rows))  # the control: any other text is a remark
    assert remark.ids == ("y",)
    each = [f"A{i},{day},{i % 7}" for i, day in enumerate(days("2024-01-01", 60))]
    assert tsf.read_panel(written(tmp_path, f"{name},ds,y", *each)).ids == ("y",)  # a name for each row names none


def test_true_and_false_are_one_and_zero_of_a_covariate(tmp_path: Path) -> None:
    rows = [f"{day},{i % 5 == 0},{i % 7}" for i, day in enumerate(days("2024-01-01", 60))]
    panel = tsf.read_panel(written(tmp_path, "t,promo,y", *rows), target="y", hist_exog=["promo"])
    np.testing.assert_array_equal(panel.hist[:, 0], np.arange(60) % 5 == 0)
    assert tsf.read_panel(written(tmp_path, "t,promo,y", *rows)).ids == ("y",)  # it is no series by itself
    mixed = [rows[0].replace("True", "maybe"), *rows[1:]]
    with pytest.raises(DataError, match="'maybe' in column 'promo' is not a number"):
        tsf.read_panel(written(tmp_path, "t,promo,y", *mixed), target="y", hist_exog=["promo"])


def test_a_wide_series_with_text_among_numbers_is_refused_and_not_left_out(tmp_path: Path) -> None:
    rows = [f"{day},{i % 7},{'error' if i % 2 else i},ok" for i, day in enumerate(days("2024-01-01", 16))]
    with pytest.raises(DataError, match="line 3, series 'B', 2024-01-02: 'error' in column 'B' is not a number"):
        tsf.read_panel(written(tmp_path, "date,A,B,remark", *rows), layout="wide")
    panel = tsf.read_panel(written(tmp_path, "date,A,B,remark", *rows), layout="wide", na_values="error", missing="nan")
    assert panel.ids == ("A", "B")  # a remark is none


@pytest.mark.parametrize("offset", ["+00:00", "Z", "+01:00"])
def test_times_with_and_without_an_offset_to_utc_are_not_mixed(offset: str, tmp_path: Path) -> None:
    hours = pd.date_range("2024-01-01", periods=40, freq="h")
    rows = [f"{hour:%Y-%m-%d %H:%M:%S}{offset if i >= 20 else ''},{i}" for i, hour in enumerate(hours)]
    with pytest.raises(DataError, match=r"line 22: '2024-01-01 20:00:00.* has an offset to UTC, and .* has none"):
        tsf.read_panel(written(tmp_path, "ds,y", *rows))
    every = [f"{hour:%Y-%m-%d %H:%M:%S}{offset},{i}" for i, hour in enumerate(hours)]
    assert len(tsf.read_panel(written(tmp_path, "ds,y", *every)).values) == 40


def test_a_date_format_that_names_a_part_twice_cannot_be_read_and_is_no_crash(tmp_path: Path) -> None:
    weeks = pd.date_range("2024-01-01", periods=20, freq="7D")
    rows = [f"{week:%Y-%m-%d} to {week + pd.Timedelta(days=6):%Y-%m-%d},{i}" for i, week in enumerate(weeks)]
    with pytest.raises(DataError, match="cannot be read as %Y-%m-%d to %Y-%m-%d"):
        tsf.read_panel(written(tmp_path, "time,y", *rows), time="time", date_format="%Y-%m-%d to %Y-%m-%d")


def test_files_read_one_after_the_other_have_an_offset_in_all_or_in_none(tmp_path: Path) -> None:
    hours = pd.date_range("2024-01-01", periods=40, freq="h")
    texts = [f"{hour:%Y-%m-%d %H:%M:%S}" for hour in hours]

    def files(offset: str) -> list[Path]:
        for name, part, end in (("one", texts[:20], ""), ("two", texts[20:], offset)):
            (tmp_path / f"{name}.csv").write_text("\n".join(["ds,y", *(f"{text}{end},1" for text in part)]) + "\n")
        return [tmp_path / "one.csv", tmp_path / "two.csv"]

    with pytest.raises(DataError, match="of another kind or zone here than in the rows before"):
        tsf.ingest(files("+00:00"), tmp_path / "set")
    assert len(tsf.ingest(files(""), tmp_path / "set").values) == 40
