"""The mean of a forecast and that of structural models: how much each counts, where it is made, what it is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import DAILY, check_blind, panel
from torch import Tensor

from tsforecast.contract import Forecast, Forecaster
from tsforecast.models import combination
from tsforecast.models.combination import LESS, OF_MAP, Combination
from tsforecast.models.encoding import Encoded, Encoding
from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM
from tsforecast.models.sampling import every_origin
from tsforecast.models.training import Training
from tsforecast.panel import Panel, View
from tsforecast.transforms import Standard
from tsforecast.windows import Windows, split_by_time

QUARTERS = np.array([4.0, -1.0, 2.0, -5.0])
HORIZON = 8


def quarters(seed: int, n: int = 40) -> np.ndarray:
    """With a level that wanders, a trend that turns and a season."""
    rng = np.random.default_rng(seed)
    trend = 0.4 + rng.normal(scale=0.2, size=n).cumsum()
    return 100 + (trend + rng.normal(scale=0.3, size=n)).cumsum() + QUARTERS[np.arange(n) % 4] + rng.normal(size=n)


def answer(recipe: Forecaster, data: Panel) -> Forecast:
    return recipe.fit(data, HORIZON).predict([View(data, data.future(HORIZON))])[0]


def share_of(recipe: LSTM, data: Panel) -> list[float]:
    networks = recipe.fit(data, HORIZON).members.values()
    return [0.0 if network.combined is None else network.combined.share for network in networks]


class Bench:
    """Late windows of a few series, and structural models of the early ones."""

    def __init__(self) -> None:
        self.data = panel(*(quarters(i, 60) for i in range(6)), season_length=4)
        self.windows = Windows.of(self.data, 16, HORIZON)
        self.encoding = Encoding.of(self.data, Standard(), 4)
        found = Combination.of(self.data, self.windows, self.encoding)
        assert found is not None
        self.found = found
        split = split_by_time(self.data, HORIZON, 15, 16)
        self.places = every_origin(split.valid_low, split.valid_high, split.floors, 1_000)

    def stays(self, answer: Tensor, share: float) -> bool:
        """Whether an answer `[48, H]` in units is combined with so much of the models."""

        def point(seen: Encoded) -> Tensor:
            return seen.scale.map.apply_future(answer.unsqueeze(2)).squeeze(2)

        found = replace(self.found, share=share)
        return found.if_no_worse(self.windows, self.encoding, self.places, point) is None

    def truth(self) -> Tensor:
        return self.windows.gather(*self.places).target.squeeze(2)


def test_an_answer_stays_alone_where_the_mean_was_worse() -> None:
    bench = Bench()
    truth, noise = bench.truth(), torch.from_numpy(np.random.default_rng(0).normal(size=(48, HORIZON)))
    assert bench.stays(truth, 0.3)
    assert not bench.stays(truth + 10 * noise, 0.3) and not bench.stays(truth, 0.0)
    near = truth + 1.5 * noise
    assert bench.stays(near, 0.8) and not bench.stays(near, 0.05)


def test_forecasts_are_the_mean_of_the_networks_and_the_models() -> None:
    """Medians in that share, and all quantiles moved as far; networks are trained as they were."""
    data = panel(*(quarters(i, 60) for i in range(4)), season_length=4)
    recipe = LSTM(n_seeds=1, training=Training(max_steps=20, device="cpu"))
    plain, both = answer(replace(recipe, structural=False), data), answer(recipe, data)
    (network,) = recipe.fit(data, HORIZON).members.values()
    assert network.combined is not None
    share = network.combined.share
    scale = data.values.reshape(4, 60)[:, -40:]
    models = network.combined.structural.forecast(torch.from_numpy(scale)).numpy()
    np.testing.assert_allclose(both.point, (1 - share) * plain.point + share * models, rtol=1e-5)
    np.testing.assert_allclose(
        both.quantiles - both.point[:, :, None], plain.quantiles - plain.point[:, :, None], atol=1e-3
    )
    assert "structural" in str(both.notes) and "structural" not in str(plain.notes)


def test_it_is_made_where_it_can_be_measured_or_nothing_is_trained() -> None:
    short = panel(quarters(0), season_length=4)
    assert share_of(LSTM(), short) == [OF_MAP, OF_MAP]  # untrained: little is held out
    trained = LSTM(n_seeds=1, training=Training(max_steps=5, device="cpu"))
    many = panel(*(quarters(i) for i in range(30)), season_length=4)
    assert share_of(trained, many) == [LESS]
    everything = replace(trained, training=replace(trained.training, val_share=0.0))
    assert share_of(everything, many) == [0.0]  # nothing is held out
    assert share_of(replace(trained, structural=False), many) == [0.0]


def test_short_series_are_forecast_closer_with_it() -> None:
    """10 series of 40 quarters, 8 ahead; mean absolute error as a share of that without."""

    def error(recipe: Forecaster) -> float:
        series = [quarters(seed, 48) for seed in range(10)]
        misses = [np.abs(answer(recipe, panel(one[:40], season_length=4)).point[0] - one[40:]).mean() for one in series]
        return float(np.mean(misses))

    assert error(Ridge()) < 0.9 * error(Ridge(structural=False))
    assert error(LSTM()) < 0.9 * error(LSTM(structural=False))


@pytest.mark.parametrize("recipe", [Ridge(), LSTM(n_seeds=1)], ids=lambda recipe: str(recipe.name))
@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_nothing_after_the_cutoff_is_looked_at(recipe: Forecaster, poison: float) -> None:
    whole = panel(*(quarters(seed, 56) for seed in range(2)), season_length=4, freq=DAILY)

    def forecast(data: Panel, ends: np.ndarray) -> np.ndarray:
        found = answer(recipe, data.cut(ends))
        assert any("structural" in note for _, note in found.notes)
        return np.concatenate([found.point[:, :, None], found.quantiles], axis=2)

    check_blind(forecast, whole, whole.starts + 40, poison)


def test_a_series_is_forecast_alike_among_few_and_among_many() -> None:
    data = panel(*(quarters(i, 60) for i in range(5)), season_length=4)
    fitted = Ridge().fit(data, HORIZON)
    (together,) = fitted.predict([View(data, data.future(HORIZON))])
    one = data.take(np.array([3]))
    (alone,) = fitted.predict([View(one, one.future(HORIZON))])
    np.testing.assert_array_equal(alone.quantiles[0], together.quantiles[3])


@pytest.mark.parametrize(
    ("season", "horizon", "steps"),
    [(1, 8, 40), (1, 18, 54), (4, 8, 40), (7, 14, 70), (12, 18, 120), (52, 13, 300), (7, 140, 300)],
)
def test_models_look_back_over_ten_seasons_three_horizons_and_forty_steps(
    season: int, horizon: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(combination, "FOLLOWED", 5)  # windows: what they follow is not asked here
    data = panel(np.random.default_rng(0).normal(size=500), season_length=season)

    def combined(horizon: int) -> Combination | None:
        return Combination.of(data, Windows.of(data, 30, horizon), Encoding.of(data, Standard(), season))

    found = combined(horizon)
    assert found is not None and found.structural.steps == steps
    assert found.preceding == steps - 30
    assert combined(151) is None  # further ahead than half of what they look back at


@pytest.mark.parametrize(("season", "length", "steps"), [(4, 30, 40), (12, 50, 60), (52, 133, 156), (52, 500, 300)])
def test_they_look_back_no_further_than_the_seasons_that_the_longest_series_has(
    season: int, length: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(combination, "FOLLOWED", 5)
    data = panel(np.random.default_rng(0).normal(size=length), np.zeros(20), season_length=season)
    found = Combination.of(data, Windows.of(data, 10, 6), Encoding.of(data, Standard(), season))
    assert found is not None and found.structural.steps == steps
