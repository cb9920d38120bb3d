"""The smoothing that maps and networks correct: against closed forms and statsmodels, with gaps, where it is used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import DAILY, SMALL, panel, sensors
from statsmodels.tsa.holtwinters import SimpleExpSmoothing
from torch import Tensor

from tsforecast.models import smoothing
from tsforecast.models.choices import with_smoothing
from tsforecast.models.encoding import Encoding
from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM
from tsforecast.models.smoothing import Smoothing, pattern
from tsforecast.panel import Panel, View
from tsforecast.transforms import Standard, parse_transform
from tsforecast.windows import NOTHING, Earlier, Windows

WEEK = np.array([3.0, -1.0, 4.0, -1.0, 2.0, -6.0, -1.0])  # sums to 0


def rows(*series: object) -> Tensor:
    return torch.tensor(np.array(series, dtype=np.float64))


def view(data: Panel, horizon: int) -> View:
    return View(data, data.future(horizon))


def test_a_level_alone_is_the_simple_exponential_smoothing_of_statsmodels() -> None:
    x = np.random.default_rng(0).normal(size=300).cumsum()
    expected = SimpleExpSmoothing(x, initialization_method="known", initial_level=x[0])
    expected = expected.fit(smoothing_level=0.2, optimized=False).forecast(3)
    found = Smoothing(1, level=0.2, slope=0.0).forecast(rows(x), 3)
    np.testing.assert_allclose(found[0], expected, rtol=1e-12)


@pytest.mark.parametrize("level", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("fading", [1.0, 0.5])
def test_a_season_on_a_line_goes_on_exactly_whatever_the_weights(level: float, fading: float) -> None:
    t = np.arange(42 + 9)
    series = 10 + 0.3 * t + WEEK[t % 7]
    found = Smoothing(7, level, slope=1.0, fading=fading).forecast(rows(series[:42]), 9)
    np.testing.assert_allclose(found[0], series[42:], atol=1e-9)
    bent = Smoothing(7, level, slope=0.5, fading=fading).forecast(rows(series[:42]), 9)
    assert abs(float(bent[0, -1]) - series[-1]) > 1  # half of the trend does not get there


@pytest.mark.parametrize("length", [15, 30, 44])  # no whole number of seasons
def test_the_first_step_ahead_has_its_own_phase(length: int) -> None:
    t = np.arange(length + 7)
    found = Smoothing(7, level=0.3, slope=0.0).forecast(rows(WEEK[t[:length] % 7]), 7)
    np.testing.assert_allclose(found[0], WEEK[t[length:] % 7], atol=0.35)  # the line sees a part of a season
    assert np.corrcoef(found[0], WEEK[t[length:] % 7])[0, 1] > 0.999


def test_gaps_are_no_observations() -> None:
    t = np.arange(70 + 7)
    series = 10 + 0.3 * t + WEEK[t % 7]
    holes = series[:70].copy()
    holes[[3, 17, 40, 69]] = np.nan
    found = Smoothing(7, level=1.0, slope=1.0).forecast(rows(holes, np.where(t[:70] < 20, np.nan, series[:70])), 7)
    np.testing.assert_allclose(found[1], series[70:], atol=1e-9)  # a later beginning loses nothing
    assert np.abs(found[0].numpy() - series[70:]).max() < 0.8  # a season's mean without one of its steps is a bit off


@pytest.mark.parametrize("missing", [0.1, 0.3, 0.5])
def test_a_pattern_is_found_through_gaps(missing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weeks at levels of their own with one pattern, of which some days are missing: the pattern is known exactly, and
    a week without its Sunday must not count as a better week."""
    rng = np.random.default_rng(0)
    week = np.array([4.0, 1, 0, -1, -2, 3, -5])
    x = np.resize(week, 140) + np.repeat(rng.normal(scale=2, size=20), 7)
    x[7:][rng.random(133) < missing] = np.nan  # the first week is whole
    given = torch.from_numpy(x)[None]

    def off() -> float:
        found = pattern(given, ~given.isnan(), 7, 1.0)[0]
        drift = np.polyfit(np.arange(7), found.numpy() - week, 1)  # of the levels, which the pattern leaves out
        return float(np.abs(found.numpy() - week - np.polyval(drift, np.arange(7))).max())

    assert off() < 0.5
    monkeypatch.setattr(smoothing, "BALANCED", 0)  # the control: without the levels put right
    assert off() > 0.5 or missing < 0.5


def test_a_shop_that_closes_at_weekends_has_a_week() -> None:
    x = np.resize(np.array([4.0, 1, 0, -1, 2, np.nan, np.nan]), 70)
    given = torch.from_numpy(x)[None]
    found = pattern(given, ~given.isnan(), 7, 1.0)[0].numpy()
    np.testing.assert_allclose(found[:5] - found[:5].mean(), [2.8, -0.2, -1.2, -2.2, 0.8], atol=1e-9)


def test_a_window_that_shows_no_season_or_nothing_at_all_has_no_forecast() -> None:
    short = np.r_[np.full(60, np.nan), np.arange(10.0)]  # one season and a part
    found = Smoothing(7, level=0.5, slope=1.0).forecast(rows(short, np.full(70, np.nan)), 3)
    assert found.isnan().all()
    assert Smoothing(1, level=0.5, slope=1.0).forecast(rows(short), 3).isfinite().all()


def test_the_mean_of_many_seasons_is_chosen_where_they_are_noisy_and_nothing_on_a_random_walk() -> None:
    rng = np.random.default_rng(1)
    noisy = panel(*(np.tile(WEEK, 60) + rng.normal(scale=3, size=420) for _ in range(4)), season_length=7, freq=DAILY)
    walk = panel(*(rng.normal(size=420).cumsum() for _ in range(4)), season_length=7, freq=DAILY)

    def smoothed(data: Panel, season: int) -> tuple[Windows, Encoding]:
        return with_smoothing(data, Windows.of(data, 28, 7), Encoding.of(data, Standard(), season))

    windows, encoding = smoothed(noisy, 7)
    assert windows.earlier == encoding.earlier == Earlier(70, 42, 0, 1)  # ten seasons in all
    assert encoding.smoothing == Smoothing(7, level=0.05, slope=0.0, fading=1.0)
    windows, encoding = smoothed(walk, 1)
    assert windows.earlier == encoding.earlier == NOTHING and encoding.smoothing is None


def test_where_there_is_no_cycle_or_ten_are_in_the_context_or_no_window_fits_nothing_is_smoothed() -> None:
    rng = np.random.default_rng(2)
    without = panel(rng.normal(size=300))
    many = panel(np.resize(WEEK, 300) + rng.normal(size=300), season_length=7)
    brief = panel(np.arange(6.0), season_length=7)
    for data, size in ((without, 14), (many, 70), (brief, 14)):
        windows, encoding = Windows.of(data, size, 7), Encoding.of(data, Standard(), season=1)
        assert with_smoothing(data, windows, encoding) == (windows, encoding)
    assert with_smoothing(many, Windows.of(many, 63, 7), Encoding.of(many, Standard(), season=1))[1].smoothing


def test_where_the_cycle_is_a_day_the_context_alone_is_smoothed() -> None:
    rng = np.random.default_rng(3)
    day = 5 * np.sin(2 * np.pi * np.arange(24) / 24)
    data = panel(np.resize(day, 24 * 60) + rng.normal(scale=3, size=24 * 60), season_length=24)
    fitted = Ridge(input_size=24 * 14, penalties=(1e15,), structural=False).fit(data, 30)
    smoothing = fitted.encoding.smoothing
    assert smoothing is not None and smoothing.season == 24 and fitted.encoding.earlier == NOTHING
    x = data.values
    (forecast,) = fitted.predict([view(data, 30)])
    expected = (np.resize(x[-24:], 30) + smoothing.forecast(rows(x[-24 * 14 :]), 30)[0].numpy()) / 2
    np.testing.assert_allclose(forecast.point[0], expected, rtol=1e-5, atol=1e-5)
    truth = np.resize(day, 30)
    assert np.abs(expected - truth).mean() < 0.6 * np.abs(np.resize(x[-24:], 30) - truth).mean()


@pytest.mark.parametrize("scaling", ["standard", "log+standard", "seasonal_difference+robust", "log_return"])
def test_a_map_that_learned_nothing_answers_the_mean_of_the_naive_forecast_and_the_smoothing(scaling: str) -> None:
    data = sensors()
    fitted = Ridge(input_size=14, penalties=(1e15,), scaling=scaling, structural=False).fit(data, 5)
    smoothing = fitted.encoding.smoothing
    assert smoothing is not None
    (forecast,) = fitted.predict([view(data, 5)])
    for i in range(len(data)):
        x = data.series(i)
        bent = np.log if scaling.startswith("log") else np.asarray
        naive = bent(x[-7:-2])
        smooth = smoothing.forecast(rows(bent(x[-70:])), 5)[0].numpy()
        # a level taken away by the scaling is in both, and seasons taken away come back in both
        expected = (naive + smooth) / 2
        if scaling == "seasonal_difference+robust":
            changes = x[-70:] - np.tile(x[-7:], 10)
            expected = x[-7:-2] + smoothing.forecast(rows(changes), 5)[0].numpy() / 2
        np.testing.assert_allclose(bent(forecast.point[i]), expected, rtol=1e-5)


def test_networks_correct_it_too_unless_another_forecast_is_named() -> None:
    data = sensors()
    for residual, smoothed in (("auto", True), ("seasonal", False), ("last", False), ("none", False)):
        (network,) = LSTM(residual=residual, **SMALL).fit(data, 5).members.values()  # type: ignore[arg-type]
        assert (network.encoding.smoothing is not None) == smoothed
        assert (network.encoding.earlier != NOTHING) == smoothed
    plain = Ridge(input_size=14, earlier=False).fit(data, 5)
    assert plain.encoding.smoothing is None


def test_what_lies_before_the_context_is_looked_at_as_far_as_the_reach_and_no_further() -> None:
    data = sensors((200,))
    fitted = Ridge(input_size=14).fit(data, 5)
    reach = fitted.encoding.earlier.begin
    assert reach == 70

    def forecast(changed_at: int) -> np.ndarray:
        values = data.values.copy()
        values[200 - changed_at] += 50
        return fitted.predict([view(replace(data, values=values), 5)])[0].point

    plain = fitted.predict([view(data, 5)])[0].point
    assert not np.array_equal(forecast(reach), plain)
    assert np.array_equal(forecast(reach + 1), plain)


def test_a_name_of_a_scaling_is_all_that_the_smoothing_needs_of_it() -> None:
    data = sensors()
    for name in ("identity", "minmax", "mean_scale", "last_value", "difference"):
        transform = parse_transform(name, season_length=7)
        windows, encoding = with_smoothing(data, Windows.of(data, 14, 5), Encoding.of(data, transform, season=7))
        base = encoding.encode(windows.gather(torch.tensor([119]), torch.tensor([0]))).base
        assert base.isfinite().all()
