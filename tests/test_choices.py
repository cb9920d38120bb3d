"""Whether a model takes logarithms is settled by what has been closer in the past."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import DAILY, panel, poisoned

import tsforecast as tsf
from tsforecast.judging import metrics
from tsforecast.models.choices import encoded
from tsforecast.models.encoding import Encoding
from tsforecast.models.least_squares import _Trials, held_out_error
from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM
from tsforecast.models.schedule import Training
from tsforecast.panel import Panel, View
from tsforecast.transforms import parse_transform
from tsforecast.windows import Windows

HORIZON, WEEK = 7, np.array([0.0, 0.4, 1.1, 2.0, 1.5, 0.2, -0.3])
LOGARITHM, STANDARD = "soft_log+standard", "standard"


def walks(seed: int = 0, steps: int = 300) -> np.ndarray:
    """Four series `[4, T]` that swing by the week around a level that returns to zero, with noise."""
    rng = np.random.default_rng(seed)
    level = np.zeros((4, steps))
    for t in range(1, steps):
        level[:, t] = 0.9 * level[:, t - 1] + rng.normal(scale=0.25, size=4)
    return np.asarray(level + np.resize(WEEK, steps) + rng.normal(scale=0.1, size=level.shape))


def daily(values: np.ndarray) -> Panel:
    return panel(*values, season_length=7, freq=DAILY)


GROWS = daily(100 * np.exp(walks()))
"""What is added to the walks multiplies these: a good Monday is worth more on a high level than on a low one."""
ADDS = daily(20 + walks())


def view(past: Panel) -> View:
    return View(past, past.future(HORIZON))


def scaling(past: Panel) -> str:
    return Ridge().fit(past, HORIZON).encoding.transform.name


def test_what_multiplies_is_forecast_on_a_logarithm_and_what_adds_as_it_is() -> None:
    assert scaling(GROWS) == LOGARITHM
    assert scaling(ADDS) == STANDARD
    brief = LSTM(hidden_size=8, num_layers=1, training=Training(max_steps=3, device="cpu")).fit(GROWS, HORIZON)
    assert {net.encoding.transform.name for net in brief.members.values()} == {LOGARITHM}


def test_a_model_records_what_it_settled_once_for_all_series() -> None:
    ridge = Ridge().fit(GROWS, HORIZON).predict(GROWS).notes
    told = "context: 28 steps; scaling: soft_log+standard; corrects: the season before and a smoothing"
    assert ridge == (("", f"{told}; combined with structural models: 60%"),)
    recipe = Ridge(input_size=30, scaling="robust", earlier=False, structural=False)
    plain = recipe.fit(panel(*walks()), HORIZON).predict(panel(*walks()))
    assert plain.notes == (("", "context: 30 steps; scaling: robust; corrects: the last value"),)
    short = LSTM(hidden_size=8, num_layers=1, training=Training(max_steps=3, device="cpu"))
    notes = short.fit(GROWS, HORIZON).predict(GROWS).notes  # of both networks
    assert [note.partition(";")[0] for _, note in notes] == ["context: 28 steps", "context: 14 steps"]
    result = tsf.backtest(ADDS, models=[Ridge()], horizon=HORIZON, n_windows=3)
    assert result.notes[["fold", "unique_id"]].to_numpy().tolist() == [[0, ""], [1, ""], [2, ""]]


def test_it_pays_on_what_comes_after_the_past_that_settled_it() -> None:
    past = GROWS.cut(GROWS.ends - 60)
    origins = [past.ends + k for k in range(54)]
    views = [view(GROWS.cut(ends)) for ends in origins]
    truth = [GROWS.values[ends[:, None] + np.arange(HORIZON)] for ends in origins]

    def error(name: str) -> float:
        answers = Ridge(scaling=name).fit(past, HORIZON).predict(views)
        scale = past.mean_change(7)
        return float(np.mean([metrics.mase(y, a.point, scale) for y, a in zip(truth, answers, strict=True)]))

    assert error("auto") == error(LOGARITHM) < 0.95 * error(STANDARD)


def test_one_value_below_zero_or_a_past_too_short_to_tell_leaves_the_values_as_they_are() -> None:
    below = GROWS.values.copy()
    below[100] = -1.0
    assert scaling(replace(GROWS, values=below)) == STANDARD
    zero = GROWS.values.copy()
    zero[100] = 0.0
    assert scaling(replace(GROWS, values=zero)) == LOGARITHM, "zero has a soft logarithm"
    assert scaling(daily(100 * np.exp(walks(steps=60)[:1]))) == STANDARD  # 6 windows of 12 steps are held out


@pytest.mark.parametrize("poison", [np.nan, -1.0, 1e9])
def test_nothing_after_the_cutoff_has_a_say(poison: float) -> None:
    ends = GROWS.ends - 20
    changed = poisoned(GROWS, ends, lambda values: np.full_like(values, poison))
    assert not np.array_equal(changed.values, GROWS.values)
    first, second = (Ridge().fit(whole.cut(ends), HORIZON) for whole in (GROWS, changed))
    assert first.encoding.transform.name == second.encoding.transform.name == LOGARITHM
    (before,), (after,) = first.predict([view(GROWS.cut(ends))]), second.predict([view(changed.cut(ends))])
    assert np.array_equal(before.quantiles, after.quantiles)


def shown(past: Panel, name: str) -> tuple[Windows, Encoding]:
    return encoded(past, Windows.of(past, 14, HORIZON), name, season=1, earlier=False)


@pytest.mark.parametrize("name", [STANDARD, LOGARITHM])
@pytest.mark.parametrize("size", [14, 28])
def test_the_error_of_a_map_that_learned_nothing_is_that_of_the_last_value_in_units_of_a_context(
    name: str, size: int
) -> None:
    trials = _Trials.of(GROWS, *shown(GROWS, name), penalties=(1e15,), val_share=0.2, tried=10_000)
    assert trials is not None
    ((_, judges),) = trials.solved
    assert len(judges.places[0]) == 4 * (60 - HORIZON + 1)
    found = []
    for i in range(len(GROWS)):
        x = GROWS.series(i)
        for origin in range(240, 300 - HORIZON + 1):
            context, y = x[origin - size : origin], x[origin : origin + HORIZON]
            away, std = abs(y - context[-1]), context.std()
            outsized = max(abs(y - context.mean()).max() / std / 5, 1)
            found.append((away / std / outsized + 2 * 2 * away / (y + context[-1])).mean())
    assert trials.misses(size) == pytest.approx(np.mean(found), rel=1e-6)


def test_the_error_has_no_units_and_is_infinite_where_too_little_is_held_out() -> None:
    thousand = replace(GROWS, values=1000 * GROWS.values)
    for name in (STANDARD, LOGARITHM):
        error = held_out_error(GROWS, *shown(GROWS, name))
        assert held_out_error(thousand, *shown(thousand, name)) == pytest.approx(error, rel=1e-6)
    short = daily(100 * np.exp(walks(steps=60)[:1]))
    assert held_out_error(short, *shown(short, STANDARD)) == float("inf")


def test_the_relative_error_counts_where_all_values_of_a_window_are_positive() -> None:
    values = GROWS.values.copy()
    values[1190] = 0.0  # of the last series, 10 steps before its end: in all of its last ten windows
    zero = replace(GROWS, values=values)

    def misses(past: Panel) -> float:
        trials = _Trials.of(past, *shown(past, STANDARD), penalties=(1e15,), val_share=0.2, tried=10_000)
        assert trials is not None
        (maps, judges), *_ = trials.solved
        origins, floors = judges.places
        last = replace(judges, places=(origins[-1:], floors[-1:]))  # the last window of the last series
        return float(last.misses(14, maps[0]))

    x, y = values[1179:1193], values[1193:1200]
    away = abs(y - x[-1])
    outsized = max(abs(y - x.mean()).max() / x.std() / 5, 1)
    assert misses(zero) == pytest.approx((away / x.std() / outsized).mean(), rel=1e-6)
    assert misses(GROWS) > 1.2 * misses(zero)


def test_a_scaling_that_is_named_is_taken_whatever_the_past_says() -> None:
    assert Ridge(scaling=STANDARD).fit(GROWS, HORIZON).encoding.transform == parse_transform(STANDARD, 7)
    assert Ridge(scaling=LOGARITHM).fit(ADDS, HORIZON).encoding.transform == parse_transform(LOGARITHM, 7)


def test_forecasts_on_a_logarithm_hardly_go_below_zero_where_no_value_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsforecast.contract.has_floor", lambda pasts: np.zeros(sum(map(len, pasts)), dtype=bool))
    rare = daily(np.where(np.random.default_rng(0).random((4, 300)) < 0.5, 0.0, 100 * np.exp(walks())))

    def least(name: str) -> float:
        (answer,) = Ridge(scaling=name).fit(rare, HORIZON).predict([view(rare)])
        assert np.isfinite(answer.quantiles).all()
        return float(answer.quantiles.min() / rare.values.mean())

    assert least(STANDARD) < -0.4
    assert -0.1 < least(LOGARITHM) < 0
