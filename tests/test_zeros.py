"""What was zero at a phase of each of the last ten seasons, and something at most others, is forecast as zero there."""

from __future__ import annotations

import numpy as np
import pytest
from cases import LED, panel
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tsforecast.judging import metrics
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Naive
from tsforecast.models.recurrent import LSTM
from tsforecast.models.zeros import MOST, SEASONS, ZERO, always_zero
from tsforecast.panel import Panel

RNG = np.random.default_rng(0)
SUN = np.tile([0, 0, 1, 4, 6, 3, 0], 60) * RNG.uniform(0.5, 1.5, 420)  # phases 0, 1 and 6 are night
CLOUDS = SUN * np.repeat(np.arange(60) % 5 < 2, 7)  # three days in five without any
NIGHT = [True, True, False, False, False, False, True]


def changed(values: np.ndarray, place: int, value: float) -> np.ndarray:
    return np.where(np.arange(len(values)) == place % len(values), value, values)


@pytest.mark.parametrize(
    ("values", "zero"),
    [
        (SUN, NIGHT),
        (SUN - 1, [False] * 7),  # nothing is zero
        (SUN[:70], NIGHT),
        (SUN[:69], [False] * 7),  # nine nights and a piece
        (changed(SUN, -70, 0.1), [False, *NIGHT[1:]]),  # one night in ten had something
        (changed(SUN, -77, 0.1), NIGHT),  # the night before those
        (changed(SUN, -70, np.nan), [False, *NIGHT[1:]]),  # one of them was not seen
        (CLOUDS, [False] * 7),  # ten zeros in a row may be chance
        (np.append(SUN, np.zeros(70)), [False] * 7),  # nothing at all any more: that may come back
        (SUN[3:], [*NIGHT[:]]),  # the phase counts back from the end
        (SUN[:-3], NIGHT[4:] + NIGHT[:4]),
    ],
)
def test_a_phase_is_zero_where_ten_seasons_say_so_and_the_other_phases_are_something(
    values: np.ndarray, zero: list[bool]
) -> None:
    assert (SEASONS, MOST) == (10, 0.5)
    found = always_zero([panel(values, SUN)], 7, 10)
    assert found.tolist() == [zero + zero[:3], NIGHT + NIGHT[:3]]


@given(arrays(np.int8, st.integers(20, 50), elements=st.integers(0, 2)), st.integers(1, 4), st.integers(1, 9))
def test_it_is_what_loops_over_phases_and_seasons_find(values: np.ndarray, season: int, horizon: int) -> None:
    past = [float(v) for v in values]
    expected = [False] * horizon
    if season > 1 and len(past) >= 10 * season:
        last = past[len(past) - 10 * season :]
        phases = [[last[s * season + p] for s in range(10)] for p in range(season)]
        always = [all(v == 0 for v in phase) for phase in phases]
        rest = [v == 0 for phase, still in zip(phases, always, strict=True) for v in phase if not still]
        if rest and sum(rest) < 0.5 * len(rest):
            expected = [always[h % season] for h in range(horizon)]
    assert always_zero([panel(values)], season, horizon).tolist() == [expected]


def none(pasts: list[Panel], season: int, horizon: int) -> np.ndarray:
    """The control: nothing is known of any phase."""
    return np.zeros((sum(map(len, pasts)), horizon), dtype=bool)


@pytest.mark.parametrize("recipe", [Ridge(input_size=14), LSTM(**{**LED, "n_seeds": 2})], ids=lambda r: r.name)
def test_models_that_learn_forecast_exactly_zero_at_night_and_the_day_as_before(
    recipe: Ridge | LSTM, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = panel(SUN, CLOUDS + 1, season_length=7)
    fitted = recipe.fit(past, 14)
    found = fitted.predict(past)
    night = np.tile(NIGHT, 2)
    assert (found.quantiles[0, night] == 0).all() and (found.point[0, night] == 0).all()
    assert (found.point[0, ~night] > 0).all()
    assert [key for key, note in found.notes if note == ZERO] == ["s0"]
    monkeypatch.setattr("tsforecast.models.answers.always_zero", none)
    before = fitted.predict(past)
    assert (before.quantiles[0, night].max(axis=1) > 0).all()  # the control: they had been something there
    assert np.array_equal(found.quantiles[0, ~night], before.quantiles[0, ~night])
    assert np.array_equal(found.quantiles[1], before.quantiles[1])
    truth = np.tile([0, 0, 1, 4, 6, 3, 0], 2)[None].astype(float)
    after, earlier = (float(metrics.smape(truth, f.point[:1])[0]) for f in (found, before))
    assert after < 0.7 * earlier  # nights that are not quite zero cost all that sMAPE has


@pytest.mark.parametrize("poison", [np.nan, 1e9, 0.0])
def test_what_is_always_zero_is_found_before_the_cutoff(poison: float) -> None:
    def forecast(values: np.ndarray) -> np.ndarray:
        whole = panel(values, values, season_length=7)
        past = whole.cut(whole.ends - 7)  # what follows of the first is still within reach
        return Ridge(input_size=14).fit(past, 7).predict(past).quantiles

    ahead = SUN.copy()
    ahead[-7:] = poison
    assert np.array_equal(forecast(SUN), forecast(ahead))
    assert (forecast(SUN)[0, 0] == 0).all() and forecast(changed(SUN, -14, 0.1))[0, 0].max() > 0  # the control


def test_a_naive_forecast_stays_what_it_is_called() -> None:
    past = panel(SUN[:-3], season_length=7)  # it ends by day
    assert (Naive().fit(past, 7).predict(past).point == SUN[-4]).all() and SUN[-4] > 0
