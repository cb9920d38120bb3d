"""What goes wrong when the package is used from Python is said in one sentence, and nothing is passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from tsforecast.errors import ConfigError
from tsforecast.panel import View

DAYS = pd.date_range("2024", periods=60)
VALUES = 10 + np.sin(np.arange(60.0))
SERIES = pd.Series(VALUES, index=DAYS)


class Points:
    """A model without quantiles."""

    name = "points"

    def fit(self, past: tsf.Panel, horizon: int) -> Points:
        return self

    def predict(self, views: list[View]) -> list[tsf.Forecast]:
        found = []
        for past, future in views:
            point = np.full(future.times.shape, 10.0)
            found.append(tsf.Forecast(past.ids, future.times, past.freq, point, (), np.empty((*point.shape, 0))))
        return found


@pytest.mark.parametrize("names", [("y", "naive"), ("ds",), ("unique_id",), ("cutoff",), ("a", "a-lo-80")])
def test_no_model_has_the_name_of_another_column_of_the_tables(names: tuple[str, ...]) -> None:
    models = dict.fromkeys(names, "naive")
    with pytest.raises(
        ConfigError, match=f"a model cannot be called '{names[-1] if len(names[-1]) > 6 else names[0]}'"
    ):
        tsf.backtest(SERIES, models, horizon=3, n_windows=4)
    with pytest.raises(ConfigError, match="cannot be called"):
        tsf.forecast(SERIES, models, horizon=3)
    assert "b-lo-80" in tsf.forecast(SERIES, {"b": "drift", "a-lo-80": "naive"}, horizon=3).to_frame()  # no such model


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda path: tsf.ingest(path, path.with_suffix(""), season_lenght=30),
            "ingest: unknown option 'season_lenght'",
        ),
        (lambda path: tsf.read_panel(path, frek="D"), "read_panel: unknown option 'frek'; did you mean 'freq'"),
        (lambda path: tsf.load_dataset(tsf.list_datasets()[0].name, frek="D"), "load_dataset: unknown option 'frek'"),
        (
            lambda path: tsf.forecast(path, "naive", horizn=3),
            "forecast: unknown option 'horizn'; did you mean 'horizon'",
        ),
        (lambda path: tsf.read_panel(path, season_length=7.0), "season_length=7.0: must be a whole number"),
        (lambda path: tsf.read_panel(path, season_length="7"), "season_length='7': must be a whole number"),
    ],
)
def test_an_option_that_there_is_not_is_named(ask: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    SERIES.rename("y").rename_axis("ds").to_csv(path)
    with pytest.raises(ConfigError, match=said):
        ask(path)
    assert sorted(tmp_path.iterdir()) == [path]


def test_calendar_features_are_named_once() -> None:
    panel = tsf.read_panel(SERIES).with_calendar(["month"])
    with pytest.raises(ConfigError, match=r"calendar features already \(month\)"):
        tsf.backtest(panel, "naive", calendar=["weekday"], horizon=3, n_windows=4)


def test_a_fitted_model_forecasts_the_steps_that_it_was_fitted_for() -> None:
    panel = tsf.read_panel(SERIES)
    for recipe in (tsf.Naive(), tsf.Ridge()):
        fitted: Any = recipe.fit(panel, 3)
        assert fitted.predict(View(panel, panel.future(3))).point.shape == (1, 3)
        with pytest.raises(ConfigError, match="fitted to forecast 3 steps and is asked for 5"):
            fitted.predict(View(panel, panel.future(5)))


def test_a_run_without_any_quantiles_is_scored_reported_and_kept(tmp_path: Path) -> None:
    result = tsf.backtest(SERIES, Points(), horizon=3, n_windows=4, out=tmp_path / "run")
    result.report(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert set(result.undefined()["reason"]) == {"the model gave no quantiles"}
    assert str(result.verdict()) == "Nothing to compare: points is the only model."


def test_levels_of_an_index_beside_the_times_name_the_series() -> None:
    """Also where they are numbers, and where no time occurs twice."""
    for times in (pd.date_range("2024", periods=120), DAYS.append(DAYS)):
        index = pd.MultiIndex.from_arrays([[1] * 60 + [2] * 60, times], names=["sensor", "when"])
        panel = tsf.read_panel(pd.DataFrame({"temp": np.r_[VALUES, VALUES + 100]}, index=index))
        assert panel.ids == ("1", "2") and panel.values.mean() == pytest.approx(VALUES.mean() + 50)


def test_columns_that_are_numbers_are_named_by_numbers() -> None:
    frame = pd.DataFrame({0: VALUES, 1: VALUES + 1, 2: VALUES + 2}, index=DAYS)
    panel = tsf.read_panel(frame, target=1, futr_exog=[2])  # type: ignore[arg-type,list-item]
    assert panel.ids == ("1",) and panel.futr_names == ("2",) and panel.values[0] == VALUES[0] + 1


def test_times_in_the_memory_of_arrow_are_times(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin"), "y": VALUES})
    frame.to_parquet(tmp_path / "hours.parquet")
    SERIES.rename("y").rename_axis("ds").to_csv(tmp_path / "days.csv")
    hours = pd.read_parquet(tmp_path / "hours.parquet", dtype_backend="pyarrow")
    days = pd.read_csv(tmp_path / "days.csv", engine="pyarrow", dtype_backend="pyarrow")
    for arrow, plain in ((hours, frame), (days, SERIES.rename("y").rename_axis("ds").reset_index())):
        found, expected = tsf.read_panel(arrow), tsf.read_panel(plain)
        assert found.freq == expected.freq
        np.testing.assert_array_equal(found.times, expected.times)
        np.testing.assert_array_equal(found.values, expected.values)
