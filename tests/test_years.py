"""How the same days of earlier years went on: against loops, where it is asked, where it pays, its reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import DAILY, INTEGER, panel, poisoned
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.contract import FittedModel
from tsforecast.ensemble import FittedEnsemble
from tsforecast.frequency import Frequency
from tsforecast.judging import metrics
from tsforecast.models import choices
from tsforecast.models.choices import encoded
from tsforecast.models.least_squares import held_out_error
from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM
from tsforecast.models.schedule import Training
from tsforecast.models.years import FADING, Years
from tsforecast.panel import Panel, View
from tsforecast.windows import Windows, contexts

YEAR, HORIZON = 364, 14
EFFORTLESS = Training(max_steps=6, batch_size=16, val_share=0.0, device="cpu")
WEEKDAYS = Frequency("weekdays")


def view(past: Panel, horizon: int = HORIZON) -> View:
    return View(past, past.future(horizon))


def warmth(days: int, seed: int = 0, swing: float = 15.0) -> np.ndarray:
    """A temperature: a year's wave of this height, weather that lasts for days, a level that wanders a little."""
    rng = np.random.default_rng(seed)
    weather, steps = np.zeros(days), rng.normal(size=days)
    for t in range(1, days):
        weather[t] = 0.7 * weather[t - 1] + 1.5 * steps[t]
    wave = swing * np.sin(2 * np.pi * np.arange(days) / 365.2425)
    return np.asarray(20 + wave + weather + 0.02 * rng.normal(size=days).cumsum())


CITIES = panel(warmth(4 * 365, 0), warmth(4 * 365, 1), season_length=7, freq=DAILY)


@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_it_is_how_far_each_day_and_its_neighbours_were_from_the_two_weeks_before(
    horizon: int, count: int, seed: int
) -> None:
    years, origin, rng = Years(2, count), 104 * 4 + 10, np.random.default_rng(seed)  # weeks of two steps
    x = rng.normal(size=origin)
    x[rng.random(origin) < 0.3] = np.nan
    reach = years.earlier(horizon)
    assert reach.begin - reach.width == 104 - horizon - 2, "a week after the horizon, a year ago"
    stretches = np.stack([x[b : b + reach.width] for b in origin + reach.begins()], axis=1)
    found = years.missed(torch.from_numpy(stretches[None]), horizon)[0]
    for h in range(horizon):
        away, weights = [], []
        for k in range(1, count + 1):
            asked = origin - 104 * k
            before, around = x[asked - 4 : asked], x[asked + h - 2 : asked + h + 3]
            if not (np.isnan(before).all() or np.isnan(around).all()):
                away.append(np.nanmean(around) - np.nanmean(before))
                weights.append(FADING ** (k - 1))
        expected = np.average(away, weights=weights) if away else np.nan
        assert float(found[h]) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("days", "freq", "season", "horizon", "expected"),
    [
        (3 * YEAR, DAILY, 7, HORIZON, Years(7, 3)),
        (9 * YEAR, DAILY, 7, HORIZON, Years(7, 5)),
        (2 * YEAR, DAILY, 1, YEAR - 7, Years(7, 2)),
        (2 * YEAR, DAILY, 7, YEAR - 6, None),  # a day's neighbours a year ago would lie ahead
        (2 * YEAR - 1, DAILY, 7, HORIZON, None),
        (2 * YEAR, DAILY, 7, 7, Years(7, 2)),
        (2 * YEAR, DAILY, 7, 6, None),
        (3 * 260, WEEKDAYS, 5, HORIZON, Years(5, 3)),
        (3 * YEAR, INTEGER, 7, HORIZON, None),
        (3 * YEAR, Frequency("fixed", 3_600_000_000), 1, HORIZON, None),
    ],
)
def test_it_is_asked_of_days_whose_longest_series_has_two_years_and_a_week_ahead(
    days: int, freq: Frequency, season: int, horizon: int, expected: Years | None
) -> None:
    data = panel(np.zeros(days), np.zeros(50), season_length=season, freq=freq)
    assert choices._before(data, horizon, 1) == expected


def test_it_is_taken_where_the_map_has_been_one_percent_closer_with_it_and_nothing_is_combined_then() -> None:
    for data in (CITIES, *(panel(warmth(900, seed, swing=0), season_length=7, freq=DAILY) for seed in range(3))):
        plain = choices.with_smoothing(
            data, *encoded(data, Windows.of(data, 28, HORIZON), "standard", 1, earlier=False)
        )
        closer = held_out_error(data, *choices._with_before(data, *plain)) < 0.99 * held_out_error(data, *plain)
        fitted = Ridge(input_size=28, scaling="standard").fit(data, HORIZON)
        assert (fitted.encoding.before is not None) == closer
        if closer:
            assert fitted.combined is None
            assert fitted.predict(data).notes[-1][1].endswith(f"; earlier years: {fitted.encoding.before.years}")  # type: ignore[union-attr]
        assert closer or data is not CITIES


def test_networks_take_it_unless_the_naive_forecast_is_named() -> None:
    for residual, taken in (("auto", True), ("seasonal", False), ("last", False), ("none", False)):
        fitted = LSTM(hidden_size=8, residual=residual, training=EFFORTLESS).fit(CITIES, HORIZON)  # type: ignore[arg-type]
        assert all((net.encoding.before == Years(7, 4)) == taken for net in fitted.members.values())


def test_it_pays_on_what_comes_after_the_past_that_settled_it(monkeypatch: pytest.MonkeyPatch) -> None:
    past = CITIES.cut(CITIES.ends - 360)
    origins = [past.ends + k for k in range(0, 330, 11)]
    views = [view(CITIES.cut(ends), 28) for ends in origins]
    truth = [CITIES.values[ends[:, None] + np.arange(28)] for ends in origins]

    def error() -> float:
        found = Ridge().fit(past, 28).predict(views)
        scale = past.mean_change(1)
        return float(np.mean([metrics.mase(y, f.point, scale) for y, f in zip(truth, found, strict=True)]))

    with_it = error()
    monkeypatch.setattr(choices, "_before", lambda *_: None)
    assert with_it < 0.9 * error(), (with_it, error())


def fitted(model: str, past: Panel) -> FittedModel | FittedEnsemble[FittedModel]:
    if model == "ridge":
        return Ridge(input_size=28).fit(past, HORIZON)
    return LSTM(input_size=28, hidden_size=8, n_seeds=1, training=EFFORTLESS).fit(past, HORIZON)


@pytest.mark.parametrize("model", ["ridge", "lstm"])
@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_nothing_after_the_cutoff_is_seen_and_what_lies_a_year_before_it_is(model: str, poison: float) -> None:
    ends = CITIES.ends - 200
    cut = CITIES.cut(ends)
    changed = poisoned(CITIES, ends, lambda values: np.full_like(values, poison))
    first, second = fitted(model, cut), fitted(model, changed.cut(ends))
    (before,), (after,) = first.predict([view(cut)]), second.predict([view(changed.cut(ends))])
    assert np.array_equal(before.quantiles, after.quantiles)
    values = CITIES.values.copy()
    values[ends[0] - YEAR + 3] += 50  # the fourth day of the horizon, as it was a year ago
    (control,) = first.predict([view(replace(CITIES, values=values).cut(ends))])
    assert not np.array_equal(before.quantiles[0], control.quantiles[0])
    assert np.array_equal(before.quantiles[1], control.quantiles[1])


def test_each_year_two_weeks_the_horizon_and_a_week_more_are_looked_at() -> None:
    model = fitted("ridge", CITIES)
    plain = model.predict([view(CITIES)])[0].point

    def forecast(age: int) -> np.ndarray:
        values = CITIES.values.copy()
        values[CITIES.ends - age] += 50
        return np.asarray(model.predict([view(replace(CITIES, values=values))])[0].point)

    for k in (1, 3):
        assert not np.array_equal(forecast(k * YEAR + 14), plain)
        assert np.array_equal(forecast(k * YEAR + 15), plain)
        assert not np.array_equal(forecast(k * YEAR - HORIZON - 6), plain)
        assert np.array_equal(forecast(k * YEAR - HORIZON - 7), plain)


@pytest.mark.parametrize("model", ["ridge", "lstm"])
def test_a_series_has_the_same_bits_alone_and_among_others(model: str) -> None:
    one = fitted(model, CITIES)
    views = [view(CITIES.cut(CITIES.ends - k)) for k in range(40)]
    together = one.predict(views)
    for i in range(0, 40, 13):
        (alone,) = one.predict([view(views[i].past.take(np.array([1])))])
        assert np.array_equal(together[i].quantiles[1:], alone.quantiles)


def test_a_window_in_training_and_the_end_of_a_past_show_the_same() -> None:
    data = panel(warmth(900), warmth(400), np.r_[np.full(30, np.nan), warmth(500)], season_length=7, freq=DAILY)
    windows, encoding = choices._with_before(
        data, *encoded(data, Windows.of(data, 28, HORIZON), "standard", 7, earlier=False)
    )
    origins = data.ends - 20
    gathered = windows.gather(torch.from_numpy(origins), torch.from_numpy(data.starts))
    asked = contexts([view(data.cut(origins))], 28, encoding.earlier)
    assert gathered.earlier.isnan()[1:].any() and not gathered.earlier[0].isnan().any()
    for trained, seen in ((gathered.earlier, asked.earlier), (gathered.context, asked.context)):
        torch.testing.assert_close(trained, seen, rtol=0, atol=0, equal_nan=True)
