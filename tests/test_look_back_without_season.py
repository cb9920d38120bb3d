"""Where no season is known, how far a model looks back is found out too: twice as far, while that pays."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cases import panel, poisoned
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.judging import metrics
from tsforecast.models import look_back as room
from tsforecast.models.linear import Ridge
from tsforecast.models.look_back import look_back
from tsforecast.models.recurrent import LSTM
from tsforecast.models.schedule import Training
from tsforecast.models.settle import MOST_CONTEXT, context_size, naive_season
from tsforecast.panel import Panel, View

HORIZON, CYCLE = 6, 40


def pattern(steps: int = 1_200, seed: int = 0) -> np.ndarray:
    """What comes again after 40 steps, a little changed each time, so that nothing older says more."""
    rng = np.random.default_rng(seed)
    begin, changes = rng.normal(size=(1, CYCLE)), 0.1 * rng.normal(size=(steps // CYCLE, CYCLE))
    return np.asarray(10 + begin + changes.cumsum(0)).ravel()


def walk(steps: int = 1_200, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=steps))


UNSAID = panel(pattern())
BRIEF = Training(max_steps=3, batch_size=16, val_share=0.0, device="cpu")


def chosen(past: Panel, horizon: int = HORIZON) -> int:
    return look_back(past, horizon, "auto", naive_season(past, horizon), earlier=True)


def view(past: Panel) -> View:
    return View(past, past.future(HORIZON))


def test_a_cycle_that_nobody_spoke_of_is_within_the_context() -> None:
    assert context_size(UNSAID, HORIZON) == 12
    assert chosen(UNSAID) == 48, "the first of 12, 24, 48, 96, ... that holds 40 steps"


def test_what_a_walk_did_long_ago_says_nothing_so_two_horizons_stay() -> None:
    assert [chosen(panel(walk(seed=seed))) for seed in range(5)] == [12] * 5


def test_a_season_that_is_known_has_its_own_rule() -> None:
    assert chosen(replace(UNSAID, season_length=7)) == context_size(replace(UNSAID, season_length=7), HORIZON) == 28


def test_it_pays_on_what_comes_after_the_past_that_settled_it() -> None:
    past = UNSAID.cut(UNSAID.ends - 200)
    origins = [past.ends + k for k in range(0, 190, 2)]
    truth = [UNSAID.values[ends[:, None] + np.arange(HORIZON)] for ends in origins]

    def error(size: int | None) -> float:
        answers = Ridge(input_size=size).fit(past, HORIZON).predict([view(UNSAID.cut(ends)) for ends in origins])
        scale = past.mean_change(1)
        return float(np.mean([metrics.mase(y, a.point, scale) for y, a in zip(truth, answers, strict=True)]))

    assert error(None) < 0.2 * error(12), "with 12 steps, which of 40 comes next is not to be seen"


def test_networks_and_ridge_look_back_equally_far() -> None:
    fitted = LSTM(hidden_size=8, num_layers=1, training=BRIEF).fit(UNSAID, HORIZON)
    assert [net.input_size for net in fitted.members.values()] == [48, 24], "and the second network half as far"
    assert Ridge().fit(UNSAID, HORIZON).input_size == 48


def test_nothing_after_the_cutoff_has_a_say() -> None:
    ends, noise = UNSAID.ends - 300, np.random.default_rng(1)
    fitted = Ridge().fit(UNSAID.cut(ends), HORIZON)
    assert fitted.input_size == 48
    (before,) = fitted.predict([view(UNSAID.cut(ends))])
    for poison in (lambda x: x * np.nan, lambda x: noise.normal(size=x.shape), lambda x: np.full_like(x, 1e9)):
        changed = poisoned(UNSAID, ends, poison)
        assert not np.array_equal(changed.values, UNSAID.values)
        again = Ridge().fit(changed.cut(ends), HORIZON)
        (after,) = again.predict([view(changed.cut(ends))])
        assert again.input_size == fitted.input_size and before.quantiles.tobytes() == after.quantiles.tobytes()
    ahead = Ridge().fit(changed, HORIZON)
    assert ahead.input_size != 48, "control: a fit that sees the poison looks back otherwise"


def test_control_what_lies_before_the_cutoff_has_a_say() -> None:
    later = np.concatenate([walk(1_000), pattern(200)])
    assert chosen(panel(later)) != chosen(UNSAID) == 48


@given(st.integers(1, 200), st.integers(3, 5_000))
def test_lengths_double_while_a_series_has_room_for_all_of_them(horizon: int, steps: int) -> None:
    sizes = list(room._doubles(panel(np.zeros(steps)), horizon))
    assert sizes[0] == context_size(panel(np.zeros(steps)), horizon)
    assert all(b == 2 * a for a, b in pairwise(sizes))
    assert max(sizes[1:], default=0) <= min(MOST_CONTEXT, max(steps - horizon, 0))
    longest, wanted = sizes[-1], max(2 * horizon, 4)
    assert longest < wanted or 2 * longest > MOST_CONTEXT or 2 * longest + horizon + max(2 * horizon, 10) > steps + 1


@pytest.mark.parametrize(
    ("errors", "size", "judged"),
    [
        ([1.0, 0.98, 0.98, 0.99], 4, 4),  # 2 % may be chance
        ([1.0, 0.96, 0.95, 0.95], 8, 4),  # the shortest of those within 3 % of the closest
        ([1.0, 1.1, 1.1, 0.5], 32, 4),  # two doublings in vain are gone beyond
        ([1.0, 1.1, 1.1, 1.1, 0.1], 4, 4),  # three are not
        ([1.0, 0.5, 0.6, 0.7, 0.8, 0.1], 8, 5),
        ([1.0, 0.5, math.inf, 0.1], 8, 3),  # no further than can be judged
        ([math.nan, 0.1], 4, 1),
        ([0.0, 0.0], 4, 2),
        ([1.0], 4, 0),  # nothing to choose from
    ],
)
def test_the_shortest_of_the_closest_is_taken_where_it_is_closer_than_the_usual(
    errors: list[float], size: int, judged: int
) -> None:
    looked = []

    def error(size: int) -> float:
        looked.append(size)
        return errors[len(looked) - 1]

    assert room._longer([4 * 2**k for k in range(len(errors))], error) == size
    assert len(looked) == judged
