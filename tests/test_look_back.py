"""How far a model looks back is settled by what has been closer in the past."""

from __future__ import annotations

import numpy as np
import pytest
from cases import panel, poisoned
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.judging import metrics
from tsforecast.models import look_back as room
from tsforecast.models.choices import shown
from tsforecast.models.least_squares import held_out_error
from tsforecast.models.linear import Ridge
from tsforecast.models.look_back import look_back, share_of
from tsforecast.models.recurrent import LSTM
from tsforecast.models.schedule import Training
from tsforecast.models.settle import context_size, naive_season
from tsforecast.panel import Panel, View
from tsforecast.windows import Windows

DAY, HORIZON = 48, 6
WEEK, USUAL = 7 * DAY, 14 * DAY


def days(*series: np.ndarray) -> Panel:
    return panel(*series, season_length=DAY)


def fleeting(steps: int = 2_000, seed: int = 0) -> np.ndarray:
    """A load that forgets within hours, with a bump at noon."""
    rng = np.random.default_rng(seed)
    x = np.zeros(steps)
    for t in range(1, steps):
        x[t] = 0.8 * x[t - 1] + rng.normal()
    return np.asarray(30 + x + np.exp(-((np.arange(steps) % DAY - DAY / 2) ** 2) / 20))


def returning(steps: int = 2_000, seed: int = 0) -> np.ndarray:
    """A pattern that comes again every week, and nothing else that lasts."""
    rng = np.random.default_rng(seed)
    return np.asarray(30 + np.resize(rng.normal(size=WEEK), steps) + 0.1 * rng.normal(size=steps))


LOAD, STREET = days(fleeting()), days(returning())


def chosen(past: Panel, horizon: int = HORIZON, *, earlier: bool = False) -> int:
    return look_back(past, horizon, "auto", naive_season(past, horizon), earlier=earlier)


def view(past: Panel) -> View:
    return View(past, past.future(HORIZON))


def test_of_what_forgets_soon_hours_are_seen_and_of_what_comes_again_every_week_a_week() -> None:
    assert context_size(LOAD, HORIZON) == context_size(STREET, HORIZON) == USUAL == 672
    assert chosen(LOAD) == 24
    assert chosen(STREET) == WEEK == 336
    assert chosen(days(np.resize(returning(USUAL), 3_000))) == USUAL, "of what comes again every two weeks both"


def test_it_is_the_length_with_which_a_map_has_been_closest_in_units_of_the_usual_context() -> None:
    errors = {}
    for size in (672, 336, 144, 48, 24):
        windows = Windows.of(LOAD, size, HORIZON)
        found = shown(LOAD, windows, "standard", naive_season(LOAD, HORIZON), earlier=False, before=False)
        errors[size] = held_out_error(LOAD, *found, USUAL)
    assert chosen(LOAD) == min(errors, key=errors.__getitem__)
    assert min(errors.values()) < 0.97 * errors[672]


@pytest.mark.parametrize(
    ("usual", "horizon", "season", "sizes"),
    [
        (2_016, 12, 288, [2_016, 864, 288, 144, 72, 36]),  # five minutes: 7, 3 and 1 days, then 12, 6 and 3 hours
        (2_016, 3, 288, [2_016, 864, 288, 144, 72, 36]),  # 24 steps at least
        (1_440, 60, 1_440, [1_440, 720, 360, 180]),
        (336, 6, 24, [336, 168, 72, 24]),
        (336, 48, 24, [336, 168]),  # two horizons at least
        (336, 96, 24, [336]),
        (1_500, 100, 288, [1_500, 576, 288]),
    ],
)
def test_the_lengths_that_are_tried_halve_the_usual_one_in_whole_days(
    usual: int, horizon: int, season: int, sizes: list[int]
) -> None:
    assert list(room._halves(usual, horizon, season)) == sizes


def test_it_pays_on_what_comes_after_the_past_that_settled_it() -> None:
    past = LOAD.cut(LOAD.ends - 400)
    origins = [past.ends + k for k in range(0, 394, 2)]
    views = [view(LOAD.cut(ends)) for ends in origins]
    truth = [LOAD.values[ends[:, None] + np.arange(HORIZON)] for ends in origins]

    def error(size: int | None) -> float:
        answers = Ridge(input_size=size).fit(past, HORIZON).predict(views)
        scale = past.mean_change(DAY)
        return float(np.mean([metrics.mase(y, a.point, scale) for y, a in zip(truth, answers, strict=True)]))

    assert error(None) < 0.97 * error(USUAL)


def test_nothing_after_the_cutoff_has_a_say() -> None:
    ends, noise = LOAD.ends - 300, np.random.default_rng(1)
    fitted = Ridge().fit(LOAD.cut(ends), HORIZON)
    assert fitted.input_size <= DAY
    (before,) = fitted.predict([view(LOAD.cut(ends))])
    for poison in (lambda x: x * np.nan, lambda x: noise.normal(size=x.shape), lambda x: np.full_like(x, 1e9)):
        changed = poisoned(LOAD, ends, poison)
        assert not np.array_equal(changed.values, LOAD.values)
        again = Ridge().fit(changed.cut(ends), HORIZON)
        (after,) = again.predict([view(changed.cut(ends))])
        assert again.input_size == fitted.input_size and before.quantiles.tobytes() == after.quantiles.tobytes()
    ahead = Ridge().fit(changed, HORIZON).predict([view(LOAD.cut(ends))])[0]
    assert before.quantiles.tobytes() != ahead.quantiles.tobytes(), "control: a fit that sees the poison is another"


def test_control_what_lies_before_the_cutoff_has_a_say() -> None:
    changed = days(np.concatenate([returning()[:1_000], fleeting(1_000)]))
    assert chosen(changed) != chosen(STREET)
    assert chosen(changed.cut(changed.ends - 1_000)) == chosen(STREET.cut(STREET.ends - 1_000))


def test_where_the_usual_length_cannot_be_judged_the_longest_that_can_is_taken_or_what_beats_it() -> None:
    load, street = days(fleeting(760)), days(returning(760))  # 608 steps before what is held out: no room for 672
    assert context_size(load, HORIZON) == context_size(street, HORIZON) == USUAL
    assert chosen(load) == 24
    assert chosen(street) == WEEK, "336 is the longest that can be judged, and none is closer"
    tiny = days(fleeting(90))
    assert chosen(tiny) == context_size(tiny, HORIZON) == 73, "nothing can be judged"


def test_a_model_settles_it_once_and_not_where_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    past, looks = LOAD.cut(LOAD.ends - 800), list[int]()

    def counted(*given: object, **named: object) -> int:
        looks.append(48)
        return 48

    monkeypatch.setattr("tsforecast.models.recurrent.look_back", counted)
    brief = Training(max_steps=3, batch_size=16, val_share=0.0, device="cpu")
    settings = {"hidden_size": 8, "num_layers": 1, "n_seeds": 3, "training": brief}
    fitted = LSTM(**settings).fit(past, HORIZON)  # type: ignore[arg-type]
    assert [net.input_size for net in fitted.members.values()] == [48, 24, 48] and len(looks) == 1
    LSTM(**settings, input_size=96).fit(past, HORIZON)  # type: ignore[arg-type]
    assert len(looks) == 1
    monkeypatch.setattr("tsforecast.models.linear.look_back", counted)
    assert Ridge(input_size=96).fit(past, HORIZON).input_size == 96 and len(looks) == 1
    assert Ridge().fit(past, HORIZON).input_size == 48 and len(looks) == 2


def test_networks_and_ridge_look_back_equally_far() -> None:
    brief = Training(max_steps=3, batch_size=16, val_share=0.0, device="cpu")
    fitted = LSTM(hidden_size=8, num_layers=1, n_seeds=1, training=brief).fit(LOAD, HORIZON)
    (net,) = fitted.members.values()
    assert net.input_size == Ridge().fit(LOAD, HORIZON).input_size == 24


@given(st.integers(2, 2_000), st.floats(0.01, 4.0), st.integers(1, 400), st.integers(3, 3_000))
def test_a_share_is_that_part_of_the_whole_or_more_than_it_where_that_is_shorter_than_the_horizon(
    whole: int, share: float, horizon: int, steps: int
) -> None:
    past = days(np.zeros(steps))
    size = share_of(whole, share, past, horizon)
    if share >= 1 or int(share * whole) >= horizon:
        assert size == max(int(share * whole), 2)
    else:
        assert 2 <= size <= max(int(1.5 * whole), 2) and size <= max(steps - horizon, 2)


def test_units_that_are_those_of_each_context_would_not_tell_lengths_apart() -> None:
    """Control: a longer context is wider, so that in its own units the same error is smaller."""
    past = days(np.cumsum(np.random.default_rng(0).normal(size=2_000)))

    def error(size: int, unit: int | None) -> float:
        found = shown(past, Windows.of(past, size, HORIZON), "standard", 1, earlier=False, before=False)
        return held_out_error(past, *found, unit)

    assert error(48, None) > 2 * error(48, USUAL)
