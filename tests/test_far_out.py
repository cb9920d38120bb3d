"""Values of a context that are far out count as if they lay at a fence, where that has been closer in the past."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import panel, poisoned, sensors
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.frequency import DAY as ONE_DAY
from tsforecast.frequency import Frequency
from tsforecast.judging import metrics
from tsforecast.models.encoding import Encoding
from tsforecast.models.least_squares import _spread
from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM
from tsforecast.models.schedule import Training
from tsforecast.models.smoothing import Smoothing
from tsforecast.panel import Panel, View
from tsforecast.scaling import fences
from tsforecast.transforms import parse_transform
from tsforecast.windows import Batch, Earlier

HORIZON, DAY = 12, 24
DRAWN_IN = "values far out drawn in"


def readings(failing: bool, seed: int = 0, hours: int = 1_200) -> Panel:
    """Two sensors with a daily cycle around 50; one that fails reads 0 for two hours, every four days on average."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(2):
        noise = np.zeros(hours)
        for t in range(1, hours):
            noise[t] = 0.8 * noise[t - 1] + rng.normal(scale=0.5)
        x = 50 + 3 * np.sin(2 * np.pi * np.arange(hours) / DAY) + noise
        begins = np.flatnonzero(rng.random(hours) < 1 / 96)
        if failing:
            x[np.concatenate([begins, np.minimum(begins + 1, hours - 1)])] = 0.0
        found.append(x)
    return panel(*found, season_length=DAY, freq=Frequency("fixed", ONE_DAY // 24))


FAILS, WORKS = readings(True), readings(False)


def drawn_in(past: Panel) -> bool:
    return Ridge(input_size=48).fit(past, HORIZON).encoding.drawn_in


def test_where_a_sensor_fails_now_and_then_its_failures_are_drawn_in_and_nothing_is_where_none_does() -> None:
    assert drawn_in(FAILS)
    assert not drawn_in(WORKS)
    told = Ridge(input_size=48).fit(FAILS, HORIZON).predict(FAILS).notes[0][1]
    assert DRAWN_IN in told and DRAWN_IN not in Ridge(input_size=48).fit(WORKS, HORIZON).predict(WORKS).notes[0][1]
    brief = LSTM(input_size=48, hidden_size=8, num_layers=1, training=Training(max_steps=2, device="cpu")).fit(
        FAILS, HORIZON
    )
    assert {net.encoding.drawn_in for net in brief.members.values()} == {True}


def test_a_scaling_that_is_said_stays_as_it_is() -> None:
    assert not Ridge(input_size=48, scaling="standard").fit(FAILS, HORIZON).encoding.drawn_in


def test_it_pays_on_what_comes_after_the_past_that_settled_it() -> None:
    past = FAILS.cut(FAILS.ends - 300)
    origins = [past.ends + k for k in range(0, 288, 4)]
    views = [View(cut, cut.future(HORIZON)) for cut in (FAILS.cut(ends) for ends in origins)]
    truth = [FAILS.values[ends[:, None] + np.arange(HORIZON)] for ends in origins]

    def error(name: str) -> float:
        answers = Ridge(input_size=48, scaling=name).fit(past, HORIZON).predict(views)
        scale = past.mean_change(DAY)
        return float(np.mean([metrics.mase(y, a.point, scale) for y, a in zip(truth, answers, strict=True)]))

    assert error("auto") < 0.9 * error("standard")


@pytest.mark.parametrize("poison", [np.nan, -1.0, 1e9])
def test_nothing_after_the_cutoff_has_a_say(poison: float) -> None:
    ends = FAILS.ends - 40
    changed = poisoned(FAILS, ends, lambda values: np.full_like(values, poison))
    assert not np.array_equal(changed.values, FAILS.values)
    answers = []
    for whole in (FAILS, changed):
        past = whole.cut(ends)
        fitted = Ridge(input_size=48).fit(past, HORIZON)
        assert fitted.encoding.drawn_in
        answers += fitted.predict([View(past, past.future(HORIZON))])
    assert np.array_equal(answers[0].quantiles, answers[1].quantiles)


def test_the_control_a_value_before_the_cutoff_that_is_far_out_still_has_one() -> None:
    past = FAILS.cut(FAILS.ends - 40)
    values = past.values.copy()
    values[past.ends - 1] = 1e9
    fitted = Ridge(input_size=48).fit(past, HORIZON)
    clean, spoiled = (fitted.predict(p) for p in (past, replace(past, values=values)))
    away = np.abs(spoiled.point - clean.point)
    assert (away > 0).any() and away.max() < 30, "it lies at the fence, some ten units off"


@given(
    st.lists(st.lists(st.floats(-100, 100).map(lambda x: round(x, 2)), min_size=2, max_size=20), min_size=1, max_size=4)
)
def test_fences_are_those_of_numpys_quartiles_whatever_is_missing(rows: list[list[float]]) -> None:
    longest = max(map(len, rows))
    x = torch.tensor([row + [float("nan")] * (longest - len(row)) for row in rows], dtype=torch.float64)
    low, high = (bound.flatten().tolist() for bound in fences(x.unsqueeze(2)))
    for row, at_least, at_most in zip(rows, low, high, strict=True):
        lower, upper = np.percentile(row, [25, 75])
        if upper - lower < 1e-9:
            assert (at_least, at_most) == (-np.inf, np.inf), "the middle half is one value"
        else:
            assert (at_least, at_most) == pytest.approx((4 * lower - 3 * upper, 4 * upper - 3 * lower))


def batch(context: torch.Tensor, earlier: torch.Tensor | None = None) -> Batch:
    rows, size = context.shape
    nothing = context.new_empty(rows, size + HORIZON, 0)
    before = context.new_empty(rows, 0, 0) if earlier is None else earlier.unsqueeze(2)
    target = context.new_zeros(rows, HORIZON, 1)
    return Batch(context.unsqueeze(2), target, nothing[:, :size], nothing, before, context.new_zeros(rows, 0, 1))


def encoding(**settings: object) -> Encoding:
    plain = Encoding.of(WORKS, parse_transform("standard", season_length=DAY), DAY)
    return replace(plain, drawn_in=True, **settings)  # type: ignore[arg-type]


def test_a_window_is_shown_as_one_that_has_the_fence_in_the_place_of_what_is_far_out() -> None:
    rng = np.random.default_rng(3)
    context = torch.from_numpy(rng.normal(50, 2, size=(5, 48)))
    context[:, 30], context[0, 7] = -400.0, float("nan")
    low, _ = fences(context.unsqueeze(2))
    tame = context.clone()
    tame[:, 30] = low.flatten()
    assert (low > 20).all()
    for one, other in zip(encoding().encode(batch(context))[:3], encoding().encode(batch(tame))[:3], strict=True):
        assert torch.equal(one, other)
    as_it_is = replace(encoding(), drawn_in=False).encode(batch(context))
    assert not torch.equal(as_it_is.x, encoding().encode(batch(context)).x)


def test_what_a_smoothing_sees_before_the_context_is_drawn_in_by_the_fences_of_the_context() -> None:
    rng = np.random.default_rng(4)
    context, before = (torch.from_numpy(rng.normal(50, 2, size=(3, size))) for size in (48, 24))
    spoiled, tame = before.clone(), before.clone()
    spoiled[:, 5] = 9_000.0
    tame[:, 5] = fences(context.unsqueeze(2))[1].flatten()
    smoothing = Smoothing.closest(context, DAY, HORIZON, lambda ahead: ahead.abs().mean((-2, -1)))
    wide = encoding(smoothing=smoothing, earlier=Earlier(72, 24, 0, 1))
    one, other, clean = (wide.encode(batch(context, part)) for part in (spoiled, tame, before))
    assert torch.equal(one.base, other.base) and torch.equal(one.known, other.known)
    assert not torch.equal(one.base, clean.base)


def test_structural_models_look_at_what_is_drawn_in() -> None:
    """A value far beyond a fence and one further yet have one forecast; the control: as they are they have two."""
    whole = sensors()
    fitted = Ridge(input_size=14).fit(whole, 5)
    assert fitted.combined is not None

    def answers(drawn_in: bool) -> list[bytes]:
        ridge, found = replace(fitted, encoding=replace(fitted.encoding, drawn_in=drawn_in)), []
        for spoiled in (-1e4, -1e6):
            values = whole.values.copy()
            values[whole.ends - 10] = spoiled
            found.append(ridge.predict(replace(whole, values=values)).quantiles.tobytes())
        return found

    one, other = answers(True)
    assert one == other
    one, other = answers(False)
    assert one != other


def test_what_is_far_out_one_hour_in_ten_is_no_exception() -> None:
    values = WORKS.values.copy()
    often = np.random.default_rng(1).random(len(values)) < 0.1
    assert not drawn_in(replace(WORKS, values=np.where(often, 0.0, values)))


def test_a_failure_that_was_to_be_forecast_moves_no_quantile_by_more_than_five_deviations() -> None:
    errors = torch.from_numpy(np.random.default_rng(2).normal(size=(500, 3)))
    errors[::16] = -78.0
    levels = (0.025, 0.1, 0.5, 0.9, 0.975)
    bounded, free = (_spread(errors, levels, drawn_in=drawn) for drawn in (True, False))
    assert bounded.abs().max() <= 5.5 and bounded[:, 1].max() < -1 and bounded[:, 3].min() > 1
    assert free[:, 0].max() < -60 and free[:, 1].min() > -1, "the control: the failures move all of them"
