"""The structural model that is corrected where little is held out: a filter's forecasts, and what they are worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import DAILY, panel
from statsmodels.tsa.statespace.structural import UnobservedComponents
from torch import Tensor

from tsforecast.models import choices
from tsforecast.models.choices import with_smoothing
from tsforecast.models.encoding import Encoding
from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM
from tsforecast.models.smoothing import Smoothing
from tsforecast.models.structural import FIRST, UNKNOWN, Structural, _of_few_lengths
from tsforecast.panel import Panel, View
from tsforecast.transforms import Standard
from tsforecast.windows import Windows

QUARTERS = np.array([4.0, -1.0, 2.0, -5.0])


def rows(*series: object) -> Tensor:
    return torch.tensor(np.array(series, dtype=np.float64))


def view(data: Panel, horizon: int) -> View:
    return View(data, data.future(horizon))


def filtered(x: np.ndarray, model: Structural, horizon: int) -> np.ndarray:
    """The forecasts of a Kalman filter, step by step: states are the level, the trend and what each phase adds."""
    m = model.season
    states = 2 + (m if m > 1 else 0)
    move = np.eye(states)
    move[0, 1], move[1, 1] = model.damping, model.damping
    mean = np.zeros(states)
    cov = np.diag([UNKNOWN, FIRST * model.level, *[UNKNOWN] * (states - 2)])
    found = []
    for t in range(len(x) + horizon):
        if t:
            mean, cov = move @ mean, move @ cov @ move.T
            cov[0, 0] += model.level
            cov[1, 1] += model.level * model.slope
        seen = np.zeros(states)
        seen[0] = 1
        if m > 1:
            seen[2 + t % m] = 1
            if t >= m:
                cov[2 + t % m, 2 + t % m] += model.turning
        if t >= len(x):
            found.append(seen @ mean)
            continue
        gain = cov @ seen / (seen @ cov @ seen + 1)
        mean, cov = mean + gain * (x[t] - seen @ mean), cov - np.outer(gain, seen @ cov)
    return np.array(found)


@pytest.mark.parametrize(
    "model",
    [
        Structural(1, level=0.3),
        Structural(1, level=3.0, slope=0.03, damping=1.0),
        Structural(4, level=0.1, slope=0.3, damping=0.8, turning=0.1),
        Structural(7, level=0.01, slope=0.0, damping=1.0, turning=0.0),
    ],
    ids=str,
)
def test_it_forecasts_as_the_filter_of_its_model_does(model: Structural) -> None:
    x = np.random.default_rng(0).normal(size=(3, 41)).cumsum(axis=1)
    x -= x.mean(axis=1, keepdims=True)  # a filter that begins at zero knows as little of the level
    expected = [filtered(series, model, 9) for series in x]
    np.testing.assert_allclose(model.forecast(rows(*x), 9), expected, atol=1e-8)
    wrong = replace(model, level=model.level * 2)
    assert np.abs(wrong.forecast(rows(*x), 9).numpy() - expected).max() > 1e-3


def test_a_level_with_a_trend_is_that_of_statsmodels() -> None:
    x = np.random.default_rng(1).normal(size=60).cumsum()
    x -= x.mean()
    theirs = UnobservedComponents(x, "local linear trend")
    theirs.ssm.initialize_known(np.zeros(2), np.diag([UNKNOWN, FIRST * 0.3]))
    expected = theirs.smooth([1.0, 0.3, 0.3 * 0.03]).forecast(6)
    found = Structural(1, level=0.3, slope=0.03, damping=1.0).forecast(rows(x), 6)
    np.testing.assert_allclose(found[0], expected, atol=1e-8)


@pytest.mark.parametrize("length", [8, 13, 40])
def test_a_season_on_a_line_goes_on_whatever_of_it_was_seen(length: int) -> None:
    t = np.arange(length + 6)
    series = 50 + 0.5 * t + QUARTERS[t % 4]
    known = np.concatenate([np.full(40 - length, np.nan), series[:length]])  # it may begin before the data
    found = Structural(4, level=3.0, slope=0.3, damping=1.0, turning=0.0).forecast(rows(known), 6)
    np.testing.assert_allclose(found[0], series[length:], atol=0.5)
    flat = Structural(4, level=3.0).forecast(rows(known), 6)
    assert abs(float(flat[0, -1]) - series[-1]) > 1  # the control: no trend


def test_where_too_little_was_seen_there_is_none_and_gaps_are_filled() -> None:
    series = 50 + QUARTERS[np.arange(40) % 4]
    hidden = np.where(np.arange(40) < 33, np.nan, series)  # seven steps: not two seasons
    holes = np.where(np.isin(np.arange(40), [20, 21, 38]), np.nan, series)
    found = Structural(4, level=0.1).forecast(rows(series, hidden, holes, np.full(40, np.nan)), 4)
    np.testing.assert_allclose(found[0], 50 + QUARTERS, atol=0.01)
    np.testing.assert_allclose(found[2], 50 + QUARTERS, atol=0.5)
    assert found[[1, 3]].isnan().all()
    assert Structural(1, level=0.1).forecast(rows(hidden), 4).isfinite().all()


def test_the_bits_of_a_window_do_not_depend_on_the_others() -> None:
    x = rows(*np.random.default_rng(2).normal(size=(50, 40)))
    x[::3, :7], x[5, 20] = torch.nan, torch.nan
    model = Structural(4, level=0.3, slope=0.03, damping=0.9)
    together = model.forecast(x, 8)
    for i in (0, 1, 5, 49):
        assert torch.equal(model.forecast(x[i : i + 1], 8)[0], together[i])


def test_a_model_is_chosen_by_windows_of_a_few_lengths() -> None:
    x = rows(*[np.where(np.arange(40) < 40 - seen, np.nan, 1.0) for seen in range(41)])
    kept = (~_of_few_lengths(x, 8).isnan()).sum(1)
    assert kept[:9].tolist() == list(range(9))  # what tells nothing is left as it is
    assert kept[8:].unique().tolist() == [8, 10, 14, 18, 23, 31, 40]
    assert (kept <= torch.arange(41)).all()


def short(seed: int, n: int = 40) -> np.ndarray:
    """Quarters with a level that wanders, a trend that turns and a season."""
    rng = np.random.default_rng(seed)
    trend = 0.4 + rng.normal(scale=0.2, size=n).cumsum()
    return 100 + (trend + rng.normal(scale=0.3, size=n)).cumsum() + QUARTERS[np.arange(n) % 4] + rng.normal(size=n)


def test_it_is_corrected_where_little_is_held_out_and_only_there() -> None:
    def chosen(data: Panel, size: int) -> object:
        windows, encoding = Windows.of(data, size, 8), Encoding.of(data, Standard(), data.season_length)
        return with_smoothing(data, windows, encoding)[1].smoothing

    assert isinstance(chosen(panel(short(0), season_length=4), 16), Structural)  # 8 steps, one horizon, are held out
    assert isinstance(chosen(panel(short(0)), 16), Structural)  # with no season known
    many = panel(*(short(i) for i in range(40)), season_length=4)  # as much from each, and sqrt(40) times as telling
    assert isinstance(chosen(many, 16), Smoothing)
    walk = panel(np.random.default_rng(3).normal(size=60).cumsum())
    assert chosen(walk, 16) is None  # hardly closer than the last value


def test_of_two_networks_the_one_that_looks_back_over_the_whole_context_has_it() -> None:
    """Alone or together: those that looked alike would be wrong alike."""
    data = panel(short(6), season_length=4)
    (whole, half), (alone,) = (
        recipe.fit(data, 8).members.values() for recipe in (LSTM(), LSTM(look_back=(0.5,), n_seeds=1))
    )
    assert isinstance(whole.encoding.smoothing, Structural)
    assert isinstance(half.encoding.smoothing, Smoothing) and half.encoding.smoothing == alone.encoding.smoothing
    given = LSTM(input_size=16).fit(data, 8).members.values()  # both look back so far
    assert all(isinstance(network.encoding.smoothing, Structural) for network in given)


def test_short_series_are_forecast_closer_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 series of 40 quarters, 8 ahead; mean absolute error as a share of that with a smoothing."""

    def error() -> float:
        misses = []
        for seed in range(10):
            series = short(seed, 48)
            (answer,) = (
                Ridge()
                .fit(panel(series[:40], season_length=4), 8)
                .predict([view(panel(series[:40], season_length=4), 8)])
            )
            misses.append(np.abs(answer.point[0] - series[40:]).mean())
        return float(np.mean(misses))

    found = error()
    monkeypatch.setattr(choices, "few_held_out", lambda past, windows: False)
    assert found < 0.85 * error()  # 2.5 and 3.7


@pytest.mark.parametrize("recipe", [Ridge(), LSTM(n_seeds=1)], ids=lambda recipe: str(recipe.name))
def test_nothing_after_the_cutoff_is_looked_at(recipe: Ridge | LSTM) -> None:
    whole = panel(short(5, 56), season_length=4, freq=DAILY)

    def forecast(data: Panel) -> np.ndarray:
        past = data.cut(data.starts + 40)
        (answer,) = recipe.fit(past, 8).predict([view(past, 8)])
        assert any("structural" in note for _, note in answer.notes)
        return np.concatenate([answer.point, *np.moveaxis(answer.quantiles, 2, 0)])

    plain = forecast(whole)
    for poison in (np.nan, 1e9):
        values = whole.values.copy()
        values[40:] = poison
        assert np.array_equal(forecast(replace(whole, values=values)), plain)
    values = whole.values.copy()
    values[39] += 1  # the control: the last value before the cutoff
    assert not np.array_equal(forecast(replace(whole, values=values)), plain)
