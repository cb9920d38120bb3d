"""What is bundled is what is said of it, and what is made up is the same for the same seed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tsforecast.datasets import dataset_names, list_datasets, load_dataset
from tsforecast.errors import ConfigError, DataError
from tsforecast.panel import Panel
from tsforecast.reading.readers import read_panel
from tsforecast.synthetic import synthetic_prices, synthetic_sensors, trading_days

FOLDER = Path(__file__).parents[1] / "datasets"


@pytest.mark.parametrize("info", list_datasets(), ids=lambda info: info.name)
def test_a_data_set_is_what_the_list_says(info):
    panel = load_dataset(info.name)
    assert (len(panel), int(panel.lengths.sum()), panel.freq.name) == (info.series, info.rows, info.frequency)
    assert np.isfinite(panel.values).all() and (panel.lengths > 4 * info.horizon).all()
    assert read_panel(info.name).fingerprint() == panel.fingerprint()
    assert (
        f"`{info.name}`" in (FOLDER / "README.md").read_text()
        and f"{info.rows:,}" in (FOLDER / "README.md").read_text()
    )


def test_the_bundle_is_small_and_holds_no_other_files():
    names = {f"{name}.csv" for name in dataset_names()} | {"README.md", "index.json"}
    assert {path.name for path in FOLDER.iterdir()} == names
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_000_000


def test_known_values_of_the_data_sets():
    air = load_dataset("air_passengers")
    assert air.values[[0, -1]].tolist() == [112, 432] and air.season_length == 12
    oil = load_dataset("oil")
    assert oil.ids == ("Brent", "WTI") and oil.series(1).min() == 26.19  # on 2016-02-11
    assert load_dataset("sunspots").season_length == 11
    weather = load_dataset("weather")
    assert weather.ids == ("EWR", "JFK", "LGA") and weather.freq.tz == "UTC"


def test_the_weather_has_a_daily_cycle_and_oil_prices_are_close_to_a_random_walk():
    weather = load_dataset("weather")
    hours = weather.values[weather.starts[1] : weather.ends[1]]
    by_hour = [hours[h::24].mean() for h in range(24)]
    assert max(by_hour) - min(by_hour) > 4
    returns = np.diff(np.log(load_dataset("oil").series(0)))
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.1


def test_options_go_before_the_usual_ones():
    assert load_dataset("sunspots", season_length=1).season_length == 1
    assert read_panel("weather", hist_exog=["humidity"]).hist_names == ("humidity",)
    with pytest.raises(DataError, match="gap: series 'EWR'"):
        read_panel("weather", missing="error")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(DataError, match="no bundled data set 'sunspot'; did you mean 'sunspots'"):
        load_dataset("sunspot")


def test_listing_imports_neither_pandas_nor_torch():
    code = (
        "import sys; from tsforecast.datasets import list_datasets; list_datasets(); "
        "print([m for m in ('pandas', 'torch', 'pyarrow') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


# ---- made-up data


@pytest.mark.parametrize("make", [synthetic_prices, synthetic_sensors])
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(make):
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    assert make(3, 200, 1).equals(make(3, 200, 1)) and not make(3, 200, 1).equals(make(3, 200, 2))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    with pytest.raises(ConfigError, match="give at least one series of at least two steps"):
        make(0, 10)


def test_made_up_prices_move_like_prices():
    frame = synthetic_prices(30, 2500, 0, correlation=0.4, volatility=0.25)
    panel = Panel.from_frame(frame)
    assert panel.freq.name == "bars" and (panel.values > 0).all()
    returns = np.diff(np.log(panel.values.reshape(30, -1)), axis=1)
    assert abs(np.mean(returns.std(axis=1)) * np.sqrt(252) - 0.25) < 0.03
    between = np.corrcoef(returns)[np.triu_indices(30, 1)]
    assert abs(between.mean() - 0.4) < 0.1
    lag = lambda x: np.mean([np.corrcoef(row[1:], row[:-1])[0, 1] for row in x])  # noqa: E731
    assert abs(lag(returns)) < 0.02 and lag(np.abs(returns)) > 0.1  # not to be forecast, but for how wild they are
    excess = ((returns - returns.mean(1)[:, None]) ** 4).mean(1) / returns.var(1) ** 2
    assert excess.mean() > 5  # a normal distribution has 3


def test_made_up_prices_keep_the_holidays():
    days = trading_days("2024-01-01", 256).astype(str).tolist()
    assert days[0] == "2024-01-02" and days[-1] == "2024-12-31"
    assert not {"2024-05-27", "2024-07-04", "2024-09-02", "2024-11-28", "2024-12-25"} & set(days)
    assert "2021-07-05" not in trading_days("2021-01-01", 250).astype(str)  # a Sunday's holiday is kept on Monday


def test_made_up_sensors_have_daily_and_weekly_cycles():
    panel = Panel.from_frame(synthetic_sensors(5, 24 * 7 * 20, 3, trend=0.0))
    assert panel.freq.name == "h" and panel.season_length == 24
    for i in range(5):
        weeks = panel.series(i).reshape(-1, 7, 24)
        by_hour = weeks[:, :5].mean(axis=(0, 1))
        assert 11 <= int(by_hour.argmax()) <= 18
        weekday, weekend = weeks[:, :5].mean(axis=(0, 1)), weeks[:, 5:].mean(axis=(0, 1))
        assert np.ptp(weekend) < 0.9 * np.ptp(weekday)


def test_made_up_sensors_can_have_gaps_and_level_shifts():
    frame = synthetic_sensors(4, 24 * 100, 0, gaps=0.05)
    assert 0.02 < 1 - len(frame) / (4 * 2400) < 0.08
    with pytest.raises(DataError, match="gap: series 'S1'"):
        Panel.from_frame(frame)
    assert Panel.from_frame(frame, missing="nan").lengths.tolist() == [2400] * 4
    calm = synthetic_sensors(1, 2400, 0, noise=0.0)["y"].to_numpy()
    shifted = synthetic_sensors(1, 2400, 0, noise=0.0, level_shifts=1)["y"].to_numpy()
    assert np.sum(np.abs(np.diff(shifted - calm)) > 0.01) == 1
