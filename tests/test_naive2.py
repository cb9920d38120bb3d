"""Naive2 and the metrics against the official forecasts and scores of the M4 competition, and Naive2 by hand."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.seasonal import seasonal_decompose
from statsmodels.tsa.stattools import acf

from tsforecast.errors import ConfigError
from tsforecast.frequency import Frequency
from tsforecast.judging import metrics
from tsforecast.models.naive import Naive
from tsforecast.models.naive2 import Naive2, seasonal_indices
from tsforecast.panel import Panel, View

M4 = Path(__file__).parents[2] / "shared" / "data" / "m4"
needs_m4 = pytest.mark.skipif(not M4.is_dir(), reason="the M4 data are not beside this checkout")
PERIODS = {"Yearly": 1, "Quarterly": 4, "Daily": 1, "Hourly": 24}


@cache
def m4(name: str) -> dict[str, np.ndarray]:
    """An M4 file: id -> values, of different lengths."""
    with open(M4 / name, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return {row[0]: np.array([float(cell) for cell in row[1:] if cell not in ("", "NA")]) for row in rows}


def table(name: str, ids: tuple[str, ...]) -> np.ndarray:
    """Rows `[N, H]` of a file in the order of the ids."""
    return np.stack([m4(name)[i] for i in ids])


def panel(series: dict[str, np.ndarray], season_length: int) -> Panel:
    ids = tuple(sorted(series))
    lengths = np.array([len(series[i]) for i in ids])
    ends = np.cumsum(lengths)
    values, times = np.concatenate([series[i] for i in ids]), np.concatenate([np.arange(n) for n in lengths])
    none = np.empty((len(values), 0))
    return Panel(ids, ends - lengths, ends, values, times, Frequency("integer"), season_length, none, none.copy())


@cache
def train(frequency: str) -> Panel:
    return panel(m4(f"{frequency}-train.csv"), PERIODS[frequency])


def official(method: str, score: str, frequency: str) -> float:
    scores = pd.read_csv(M4 / "official_point_scores.csv", index_col="method")
    return float(scores.at[method, f"{score}_{frequency}"])


def methods(frequency: str) -> list[str]:
    return sorted(path.name.split("-")[0] for path in (M4 / "forecasts").glob(f"*-{frequency}.csv"))


@needs_m4
@pytest.mark.parametrize("frequency", ["Hourly", "Daily", "Quarterly", "Yearly"])
def test_smape_gives_the_official_score_of_every_method_to_three_decimals(frequency: str) -> None:
    ids = tuple(sorted(m4(f"{frequency}-test.csv")))
    y = table(f"{frequency}-test.csv", ids)
    assert len(methods(frequency)) == 7
    for method in methods(frequency):
        forecast = table(f"forecasts/{method}-{frequency}.csv", ids)
        expected = official(method, "sMAPE", frequency)
        assert metrics.smape(y, forecast).mean() == pytest.approx(expected, abs=5.001e-4), method
        assert metrics.smape(y, forecast).mean() / 2 != pytest.approx(expected, rel=0.1)  # the 0-100 convention
        if frequency == "Hourly":  # every series scored with its neighbour's forecast
            assert metrics.smape(y, np.roll(forecast, 1, axis=0)).mean() > 1.5 * expected


@needs_m4
@pytest.mark.parametrize("frequency", ["Hourly", "Yearly"])
def test_mase_and_owa_give_the_official_scores_of_every_method_to_three_decimals(frequency: str) -> None:
    past = train(frequency)
    y = table(f"{frequency}-test.csv", past.ids)
    scale = past.mean_change(PERIODS[frequency])
    benchmark = table(f"forecasts/Naive2-{frequency}.csv", past.ids)
    reference = metrics.smape(y, benchmark), metrics.mase(y, benchmark, scale)
    for method in methods(frequency):
        forecast = table(f"forecasts/{method}-{frequency}.csv", past.ids)
        smapes, mases = metrics.smape(y, forecast), metrics.mase(y, forecast, scale)
        assert mases.mean() == pytest.approx(official(method, "MASE", frequency), abs=5.001e-4), method
        # the official OWA was computed from rounded scores, which moves the fourth decimal
        owa = official(method, "OWA", frequency)
        assert metrics.owa(smapes, mases, *reference) == pytest.approx(owa, rel=3e-4), method
    if frequency == "Hourly":  # the scale at lag 1 instead of a day is another score
        wrong = metrics.mase(y, forecast, past.mean_change(1)).mean()
        assert wrong != pytest.approx(official(method, "MASE", frequency), rel=0.1)


@needs_m4
@pytest.mark.parametrize("frequency", ["Hourly", "Yearly"])
def test_naive2_makes_the_official_forecasts_to_their_last_printed_digit(frequency: str) -> None:
    past = train(frequency)
    expected = table(f"forecasts/Naive2-{frequency}.csv", past.ids)
    answer = Naive2().fit(past, expected.shape[1]).predict(past)
    np.testing.assert_allclose(answer.point, expected, rtol=5e-10)
    assert answer.failures == ()
    assert [series for series, _ in answer.notes] == (["H272"] if frequency == "Hourly" else [])


def waves(n: int = 400, p: int = 12, series: int = 3) -> np.ndarray:
    """Growing multiplicative waves, a little noisy."""
    rng, t = np.random.default_rng(5), np.arange(n)
    return (50 + t * 0.1) * (1 + 0.3 * np.sin(2 * np.pi * t / p)) * rng.lognormal(0, 0.02, size=(series, n))


@pytest.mark.parametrize("p", [7, 12])
def test_indices_are_those_of_statsmodels_classical_decomposition(p: int) -> None:
    values = waves(p=p)
    indices, notes = seasonal_indices(panel(dict(zip("abc", values, strict=True)), p), p)
    assert notes == ()
    for i in range(3):
        expected = seasonal_decompose(values[i], model="multiplicative", period=p).seasonal[:p]
        np.testing.assert_allclose(indices[i], expected / expected.mean(), rtol=1e-12)


def test_the_season_test_is_the_one_written_out_with_statsmodels_autocorrelations() -> None:
    """120 series from white noise to plain seasons, some of which pass the test."""
    rng, n, p = np.random.default_rng(6), 300, 12
    strength = np.repeat(np.linspace(0, 0.5, 12), 10)[:, None]
    values = 20 + strength * np.sin(2 * np.pi * np.arange(n) / p) + rng.normal(size=(120, n))
    past = panel({f"{i:03}": v for i, v in enumerate(values)}, p)
    expected = []
    for v in values:
        r = acf(v, nlags=p, fft=False)
        expected.append(abs(r[p]) > 1.645 / np.sqrt(n) * np.sqrt(1 + 2 * (r[1:p] ** 2).sum()))
    indices, notes = seasonal_indices(past, p)
    assert 20 < sum(expected) < 100
    np.testing.assert_array_equal((indices != 1).any(axis=1), expected)
    assert len(notes) == 120 - sum(expected)


def test_naive2_is_the_last_level_times_the_index_of_each_step() -> None:
    values = waves()[0][:389]  # ends within a season
    past = panel({"a": values}, 12)
    index = seasonal_indices(past, 12)[0][0]
    answer = Naive2().fit(past, 20).predict(past)
    expected = values[-1] / index[388 % 12] * index[np.arange(389, 409) % 12]
    np.testing.assert_allclose(answer.point[0], expected, rtol=1e-12)
    np.testing.assert_allclose(answer.quantiles[0, :, answer.levels.index(0.5)], expected, rtol=1e-12)
    level = values / index[np.arange(389) % 12]
    spread = np.sqrt(np.mean(np.diff(level) ** 2) * np.arange(1, 21)) * index[np.arange(389, 409) % 12]
    upper = answer.quantiles[0, :, answer.levels.index(0.975)] - expected
    np.testing.assert_allclose(upper, 1.959963984540054 * spread, rtol=1e-9)


def test_without_a_season_naive2_is_naive_and_a_note_says_why() -> None:
    rng = np.random.default_rng(7)
    past = panel(
        {
            "frost": waves()[0] - 60,
            "noise": 20 + rng.normal(size=400),
            "short": waves()[0][:30],
            "still": np.full(400, 3.0),
            "wave": waves()[0],
        },
        12,
    )
    answer, naive = (model.fit(past, 5).predict(past) for model in (Naive2(), Naive()))
    np.testing.assert_allclose(answer.quantiles[:4], naive.quantiles[:4], rtol=1e-15)
    assert np.abs(answer.point[4] / naive.point[4] - 1).max() > 0.05
    assert dict(answer.notes) == {
        "frost": "naive2 without a season: values at or below zero have no multiplicative season",
        "noise": "naive2 without a season: no season of 12 steps by the autocorrelation test",
        "short": "naive2 without a season: shorter than three seasons of 12 steps",
        "still": "naive2 without a season: no season of 12 steps by the autocorrelation test",
    }
    long_season = dict(Naive2(season_length=48).fit(past, 5).predict(past).notes)["wave"]
    assert long_season == "naive2 without a season: too short to test for a season of 48 steps"


def test_gaps_are_left_out_of_the_season_and_may_end_the_series() -> None:
    values = waves()[0]
    gappy = values.copy()
    gappy[[50, 130, 131, 399]] = np.nan
    whole, holes = panel({"a": values}, 12), panel({"a": gappy}, 12)
    np.testing.assert_allclose(seasonal_indices(holes, 12)[0], seasonal_indices(whole, 12)[0], rtol=0.01)
    answer = Naive2().fit(holes, 24).predict(holes)
    index = seasonal_indices(holes, 12)[0][0]
    np.testing.assert_allclose(answer.point[0], values[398] / index[398 % 12] * index[np.arange(400, 424) % 12])


def test_nothing_after_the_cutoff_or_of_a_neighbour_is_seen() -> None:
    values = waves()
    poisoned = values.copy()
    poisoned[:, 300:] = 1e30
    clean, dirty = (panel(dict(zip("abc", v, strict=True)), 12) for v in (values, poisoned))
    cuts = [p.cut(p.starts + 300) for p in (clean, dirty)]
    one, two = (Naive2().fit(past, 15).predict([View(past, past.future(15))])[0] for past in cuts)
    assert one.point.tobytes() == two.point.tobytes() and one.quantiles.tobytes() == two.quantiles.tobytes()
    for i in range(3):
        alone = cuts[0].take([i])
        assert Naive2().fit(alone, 15).predict(alone).quantiles.tobytes() == one.quantiles[i : i + 1].tobytes()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"naive2\.season_length=0"):
        Naive2(season_length=0)
