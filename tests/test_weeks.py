"""What the naive forecast missed at the same time of earlier weeks: against loops, where it pays, its reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import panel, poisoned
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.contract import FittedModel
from tsforecast.ensemble import FittedEnsemble
from tsforecast.judging import metrics
from tsforecast.models import answers
from tsforecast.models.choices import encoded, with_smoothing
from tsforecast.models.encoding import Encoding
from tsforecast.models.least_squares import held_out_error
from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM
from tsforecast.models.schedule import Training
from tsforecast.models.weeks import FADING, WEEKS, Weeks
from tsforecast.panel import Panel, View
from tsforecast.transforms import Standard, parse_transform
from tsforecast.windows import Windows, contexts

DAY, HORIZON = 20, 20
WEEK = 7 * DAY
EFFORTLESS = Training(max_steps=6, batch_size=16, val_share=0.0, device="cpu")


def view(past: Panel, horizon: int = HORIZON) -> View:
    return View(past, past.future(horizon))


def counts(weeks: int, weekend: float, seed: int = 0) -> np.ndarray:
    """A day's bump, on the last two days of a week `weekend` times as high, around a level that wanders a little."""
    rng = np.random.default_rng(seed)
    t = np.arange(weeks * WEEK)
    bump = 10 * np.exp(-(((t % DAY) - DAY / 2) ** 2) / 10) * np.where(t // DAY % 7 >= 5, weekend, 1.0)
    return np.asarray(30 + bump + 0.06 * rng.normal(size=len(t)).cumsum() + rng.normal(scale=2, size=len(t)))


SHOPS = panel(counts(15, 0.2, seed=0), counts(15, 0.2, seed=1), season_length=DAY)
"""Quieter at weekends."""


@given(st.integers(1, 3 * 7), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_it_is_the_mean_of_what_was_missed_with_less_weight_for_each_week_before(
    horizon: int, season: int, seed: int
) -> None:
    weeks, origin, rng = Weeks(3, season), 21 * 10 + 3, np.random.default_rng(seed)  # days of three steps
    x = rng.normal(size=origin)
    x[rng.random(origin) < 0.3] = np.nan
    reach = weeks.earlier(horizon)
    begins = origin + reach.begins()
    stretches = np.stack([x[b : b + reach.width] for b in begins], axis=1)
    found = weeks.missed(torch.from_numpy(stretches[None]), horizon)[0]
    for h in range(horizon):
        missed = []
        for k in range(1, WEEKS + 1):
            asked = origin - 21 * k
            missed.append(x[asked + h % 21] - x[asked - season + h % 21 % season])
        there, weights = ~np.isnan(missed), FADING ** np.arange(WEEKS)
        expected = np.average(np.array(missed)[there], weights=weights[there]) if there.any() else np.nan
        assert float(found[h]) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("season", [1, DAY])
@pytest.mark.parametrize("horizon", [3, DAY, WEEK + 30])
def test_the_naive_forecast_and_what_it_missed_continue_a_week_that_repeats(season: int, horizon: int) -> None:
    pattern = np.random.default_rng(1).normal(size=WEEK)
    series = np.resize(pattern, 12 * WEEK + 50)
    ahead = np.resize(np.roll(pattern, -50), horizon)
    data, weeks = panel(series, season_length=DAY), Weeks(DAY, season)
    batch = contexts([view(data, horizon)], 2 * DAY, weeks.earlier(horizon))
    naive = series[-season:][np.arange(horizon) % season]
    missed = weeks.missed(batch.earlier, horizon)[0].numpy()
    np.testing.assert_allclose(naive + missed, ahead, atol=1e-12)
    assert np.abs(naive - ahead).max() > 1, "the naive forecast alone does not"


@pytest.mark.parametrize("scaling", ["standard", "log+standard", "seasonal_difference+robust", "log_return"])
def test_maps_and_networks_see_it_in_the_units_of_their_window(scaling: str) -> None:
    weeks = Weeks(DAY, DAY)
    encoding = Encoding.of(SHOPS, parse_transform(scaling, season_length=DAY), DAY)
    encoding = replace(encoding, before=weeks, earlier=weeks.earlier(HORIZON))
    batch = contexts([view(SHOPS)], WEEK, encoding.earlier)
    seen = encoding.encode(batch)
    bent = np.log if scaling.startswith("log") else np.asarray
    for i in range(len(SHOPS)):
        x = bent(SHOPS.series(i))
        ends = [len(x) - WEEK * k for k in range(1, WEEKS + 1)]
        missed = [x[end : end + HORIZON] - x[end - DAY : end] for end in ends]
        expected = np.average(missed, axis=0, weights=FADING ** np.arange(WEEKS))
        size = 1.0
        if scaling.endswith("standard"):
            size = x[-WEEK:].std()
        if scaling.endswith("robust"):
            changes = x[-WEEK + DAY :] - x[-WEEK:-DAY]
            size = float(np.subtract(*np.quantile(changes, [0.75, 0.25])))
        unit = expected / seen.known[i, :, 0].numpy()
        np.testing.assert_allclose(unit, unit[0], rtol=1e-4)
        if scaling != "seasonal_difference+robust":
            np.testing.assert_allclose(unit, size, rtol=1e-4)


def test_it_is_taken_where_the_map_has_been_closer_with_it_and_not_where_chance_has_it_further_off() -> None:
    taken = []
    for data in (SHOPS, *(panel(counts(15, 1.0, seed), season_length=DAY) for seed in range(2))):
        plain = Windows.of(data, WEEK, HORIZON), Encoding.of(data, Standard(), DAY)
        plain = with_smoothing(data, *plain)
        reach = Weeks(DAY, DAY).earlier(HORIZON)
        wide = replace(plain[0], earlier=reach), replace(plain[1], before=Weeks(DAY, DAY), earlier=reach)
        closer = held_out_error(data, *wide) < held_out_error(data, *plain)
        found = encoded(data, Windows.of(data, WEEK, HORIZON), "standard", DAY, earlier=True)[1]
        assert (found.before == Weeks(DAY, DAY)) == closer
        taken.append(closer)
    assert taken[0] and not all(taken), taken


def test_ridge_and_networks_take_it_unless_it_is_turned_off() -> None:
    fitted = Ridge(input_size=WEEK).fit(SHOPS, HORIZON)
    assert fitted.encoding.before == Weeks(DAY, DAY)
    assert fitted.predict(SHOPS).notes[-1][1].endswith("; earlier weeks: 10")
    assert Ridge(input_size=WEEK, earlier=False).fit(SHOPS, HORIZON).encoding.before is None
    for residual, taken in (("auto", True), ("seasonal", False), ("last", False), ("none", False)):
        fitted = LSTM(input_size=WEEK, hidden_size=8, residual=residual, training=EFFORTLESS).fit(SHOPS, HORIZON)  # type: ignore[arg-type]
        assert all((net.encoding.before is not None) == taken for net in fitted.members.values())


def test_it_pays_on_what_comes_after_the_past_that_settled_it() -> None:
    past = SHOPS.cut(SHOPS.ends - 2 * WEEK)
    origins = [past.ends + k for k in range(0, 2 * WEEK - HORIZON, 3)]
    views = [view(SHOPS.cut(ends)) for ends in origins]
    truth = [SHOPS.values[ends[:, None] + np.arange(HORIZON)] for ends in origins]

    def error(**recipe: bool) -> float:
        map_alone = Ridge(input_size=2 * DAY, structural=False, **recipe)  # type: ignore[arg-type]
        found = map_alone.fit(past, HORIZON).predict(views)
        scale = past.mean_change(DAY)
        return float(np.mean([metrics.mase(y, f.point, scale) for y, f in zip(truth, found, strict=True)]))

    assert error() < 0.9 * error(earlier=False), (error(), error(earlier=False))


def fitted(model: str, past: Panel) -> FittedModel | FittedEnsemble[FittedModel]:
    if model == "ridge":
        return Ridge(input_size=WEEK).fit(past, HORIZON)
    return LSTM(input_size=WEEK, hidden_size=8, n_seeds=1, training=EFFORTLESS).fit(past, HORIZON)


@pytest.mark.parametrize("model", ["ridge", "lstm"])
@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_nothing_after_the_cutoff_is_seen_and_what_lies_before_it_is(model: str, poison: float) -> None:
    ends = SHOPS.ends - WEEK
    cut = SHOPS.cut(ends)
    changed = poisoned(SHOPS, ends, lambda values: np.full_like(values, poison))
    first, second = fitted(model, cut), fitted(model, changed.cut(ends))
    (before,), (after,) = first.predict([view(cut)]), second.predict([view(changed.cut(ends))])
    assert np.array_equal(before.quantiles, after.quantiles)
    seen = poisoned(SHOPS, ends - 5 * WEEK, lambda values: np.full_like(values, poison)).cut(ends)
    (control,) = first.predict([view(seen)])
    assert not np.array_equal(before.quantiles, control.quantiles)


def test_ten_weeks_a_day_and_no_step_more_are_looked_at() -> None:
    model = fitted("ridge", SHOPS)
    plain = model.predict([view(SHOPS)])[0].point
    reach = WEEKS * WEEK + DAY

    def forecast(age: int) -> np.ndarray:
        values = SHOPS.values.copy()
        values[SHOPS.ends - age] += 50
        return np.asarray(model.predict([view(replace(SHOPS, values=values))])[0].point)

    assert not np.array_equal(forecast(reach), plain)
    assert np.array_equal(forecast(reach + 1), plain)
    assert np.array_equal(forecast(WEEKS * WEEK - HORIZON), plain), "between two stretches, before the context"


@pytest.mark.parametrize("model", ["ridge", "lstm"])
def test_a_series_has_the_same_bits_alone_among_others_and_however_many_are_held_at_once(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = fitted(model, SHOPS)
    views = [view(SHOPS.cut(SHOPS.ends - k)) for k in range(40)]
    together = one.predict(views)
    alone = [one.predict([view(v.past.take(np.array([1])))])[0] for v in views[::13]]
    for among, by_itself in zip(together[::13], alone, strict=True):
        assert np.array_equal(among.quantiles[1:], by_itself.quantiles)
    monkeypatch.setattr(answers, "HELD", 1)
    for whole, part in zip(together, one.predict(views), strict=True):
        assert np.array_equal(whole.quantiles, part.quantiles)


def test_a_window_in_training_and_the_end_of_a_past_show_the_same() -> None:
    data = panel(counts(12, 0.2), counts(3, 0.2), np.r_[np.full(WEEK, np.nan), counts(3, 0.2)], season_length=DAY)
    windows, encoding = encoded(data, Windows.of(data, WEEK, HORIZON), "standard", DAY, earlier=True)
    assert encoding.before is not None
    origins = data.ends - 2 * DAY
    gathered = windows.gather(torch.from_numpy(origins), torch.from_numpy(data.starts))
    asked = contexts([view(data.cut(origins))], WEEK, encoding.earlier)
    assert gathered.earlier.isnan()[1:].any() and not gathered.earlier[0].isnan().any()
    for trained, seen in ((gathered.earlier, asked.earlier), (gathered.context, asked.context)):
        torch.testing.assert_close(trained, seen, rtol=0, atol=0, equal_nan=True)
