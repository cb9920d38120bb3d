"""When a network leaves the linear map that it starts as, and what becomes of the part that was held out to tell."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from cases import HORIZON, SMALL, TINY, panel, sensors
from torch import nn

from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM, TIMED_STEPS
from tsforecast.models.training import KeepBest, Training
from tsforecast.panel import Panel


def test_where_nothing_is_left_to_find_the_network_stays_the_linear_map() -> None:
    """A linear recurrence has a linear forecast: the validation part tells that training does not help, and the map is
    solved again on everything."""
    past = panel(10 + np.sin(np.arange(700) / 5))
    training = Training(max_steps=40, device="cpu", learning_rate=0.05, relative=0.0)
    fitted = LSTM(input_size=30, hidden_size=16, n_seeds=1, training=training, residual="last").fit(past, 12)
    assert fitted.curves["valid_loss"].idxmin() == 0 and fitted.curves["step"][0] == 0
    ridge = Ridge(input_size=30).fit(past, 12)
    np.testing.assert_allclose(fitted.predict(past).point, ridge.predict(past).point, atol=2e-4)


@pytest.mark.parametrize(
    ("gains", "kept"), [((0.2, 0.1, 0.3, 0.2), True), ((0.5, -0.2, 0.4, -0.1), False), ((0.1,), True)]
)
def test_a_solution_is_left_only_for_what_is_more_than_chance(gains: tuple[float, ...], kept: bool) -> None:
    """The means gain .2, .15 and .1; their t statistics are 4.9, .83 and, of one part alone, none."""
    keep = KeepBest(patience=1)
    for step, losses in ((0, torch.ones(len(gains))), (5, 1 - torch.tensor(gains))):
        keep._valid = [(loss, 10) for loss in losses]
        keep._judged(SimpleNamespace(averaged=nn.Linear(1, 1)), step)
    assert keep.best_step == 5 and keep.by_chance() == (not kept)


def test_a_brief_network_leaves_its_linear_start_for_an_audit_to_see() -> None:
    """Of a sine, the linear map leaves nothing to find: training is given up, unless nothing is held out."""
    past = panel(10 + np.sin(np.arange(400) / 5))
    whole = LSTM(**{**SMALL, "training": replace(TINY, max_steps=60)})
    (given_up,), (trained,) = (recipe.fit(past, 5).members.values() for recipe in (whole, whole.brief()))
    assert not given_up.net.head[-1].weight.any() and trained.net.head[-1].weight.any()


def test_a_series_too_short_to_tell_whether_training_helps_is_forecast_by_the_linear_map() -> None:
    """A tenth of 104 steps, in three series, is 3.5 stretches of a horizon; of 300 steps it is 10."""
    recipe = LSTM(**{**SMALL, "training": replace(TINY, max_steps=40)})
    short, long = sensors(), sensors((300, 300, 300))
    for past in (short, long):
        fitted, ridge = recipe.fit(past, HORIZON), Ridge(input_size=14).fit(past, HORIZON)
        assert fitted.curves.empty == (past is short)
        said = "not trained: what can be held out is worth 3.5 horizons"
        assert any(note.startswith(said) for _, note in fitted.predict(past).notes) == (past is short)
        if past is short:
            np.testing.assert_allclose(fitted.predict(past).point, ridge.predict(past).point, rtol=1e-5)
    for others in ({"linear": False}, {"training": replace(TINY, val_share=0.0)}):  # nothing to stay at, or asked for
        assert len(replace(recipe, **others).fit(short, HORIZON).curves)


def test_a_plan_does_not_count_a_training_that_will_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, fit, timed = LSTM(**SMALL), LSTM.fit, list[Training]()

    def fitted(one: LSTM, past: Panel, horizon: int) -> Any:
        timed.append(one.training)
        return fit(one, past, horizon)

    monkeypatch.setattr(LSTM, "fit", fitted)
    recipe.cost(sensors(), HORIZON)
    assert timed == [recipe.training]
    recipe.cost(sensors((300, 300, 300)), HORIZON)
    assert [one.max_steps for one in timed[1:]] == list(TIMED_STEPS)


def test_the_part_that_was_held_out_is_trained_on_once_it_has_told_how_long() -> None:
    """The last 30 of 300 steps have another level: a network that kept them out for good knows nothing of them."""
    past = sensors((300,))
    change = replace(past, values=past.values + np.where(np.arange(300) >= 270, 3 * np.arange(300) % 5, 0))
    small = {**SMALL, "linear": False, "structural": False}
    one, other = (LSTM(**small).fit(data, HORIZON) for data in (past, change))
    plain = {**small, "training": replace(TINY, val_share=0.0)}
    best = int(one.curves.loc[one.curves["valid_loss"].idxmin(), "step"])
    whole = LSTM(**{**plain, "training": replace(TINY, val_share=0.0, max_steps=TINY.max_steps)}).fit(past, HORIZON)
    assert best == TINY.max_steps  # it kept on learning, so both take every step
    np.testing.assert_array_equal(one.predict(past).point, whole.predict(past).point)
    assert not np.allclose(other.predict(past).point, one.predict(past).point)  # the control
