"""A linear map of least absolute errors, a window at a time, where it has been closer than least squares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from cases import panel, poisoned
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.quantile_regression import QuantReg

from tsforecast.judging import metrics
from tsforecast.models import least_squares, sight
from tsforecast.models.encoding import Encoding
from tsforecast.models.least_squares import PENALTIES, fit_map
from tsforecast.models.linear import Ridge
from tsforecast.models.penalized import Form
from tsforecast.models.recurrent import LSTM
from tsforecast.models.sampling import every_origin
from tsforecast.models.schedule import Training
from tsforecast.models.sight import Pilot, Sight
from tsforecast.panel import Panel, View
from tsforecast.transforms import parse_transform
from tsforecast.windows import Windows, split_by_time

SIZE, HORIZON = 16, 4
Floats = npt.NDArray[np.float64]


def swings(rng: np.random.Generator, steps: int) -> Floats:
    """What its last steps tell: a pendulum that is pushed a little."""
    x = np.zeros(steps)
    for t in range(2, steps):
        x[t] = 1.9 * x[t - 1] - 0.98 * x[t - 2] + rng.normal()
    return x


def readings(*, noise: int, seed: int = 0, steps: int = 400) -> Panel:
    """Two series that swing, and so many of which nothing can be told but their mean."""
    rng = np.random.default_rng(seed)
    return panel(*(swings(rng, steps) for _ in range(2)), *(rng.normal(size=steps) for _ in range(noise)))


MIXED, ALIKE = readings(noise=4), readings(noise=0)


def shown(past: Panel, size: int = SIZE, horizon: int = HORIZON, scaling: str = "standard") -> tuple[Windows, Encoding]:
    return Windows.of(past, size, horizon), Encoding.of(past, parse_transform(scaling, 1), 1)


def weights(past: Panel, penalties: tuple[float, ...] = PENALTIES) -> torch.Tensor:
    solved = fit_map(past, *shown(past), levels=(0.5,), penalties=penalties)
    assert solved is not None
    return solved.map.weights


def by_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "ROUNDS", 0)


def test_one_step_ahead_and_often_enough_it_is_the_median_regression_of_statsmodels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One series whose noise has heavy tails, values as they are, a context of 3 steps; a hundred rounds."""
    monkeypatch.setattr(sight, "LEAST", 1e-6)
    rng = np.random.default_rng(0)
    x = np.zeros(300)
    for t in range(2, 300):
        x[t] = 0.6 * x[t - 1] + 0.3 * x[t - 2] + 0.05 * rng.standard_t(2)
    past = panel(np.float32(x))
    sees, form = Sight(*shown(past, 3, 1, "identity"), masks=False), [(False, 1e-9)]
    split = split_by_time(past, 1, 0, 3)
    every = every_origin(split.train_low, split.train_high, split.floors, 1_000)
    (squares,) = found = sees.solved(*every, form)
    for _ in range(100):
        found = sees.solved(*every, form, Pilot(found[0], 0.05))
    rows = np.array([past.values[o - 3 : o] for o in range(3, 300)])
    last, target = rows[:, 2], past.values[3:]
    expected = QuantReg(target - last, rows).fit(q=0.5, p_tol=1e-9, max_iter=10_000).params
    np.testing.assert_allclose(found[0][:3, 0], expected, atol=2e-3)
    assert np.abs(squares[:3, 0].numpy() - expected).max() > 0.02, "least squares are something else"


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_a_window_counts_as_one_over_its_mean_error_and_a_tenth_of_the_usual_one(seed: int, error: float) -> None:
    away = error * np.random.default_rng(seed).normal(size=(5, HORIZON))
    away[1, 2:] = np.nan  # not observed
    away[2] = 0.0
    away[3] = np.nan
    size = np.array([abs(away[0]).mean(), abs(away[1, :2]).mean(), 0.0, 0.0, abs(away[4]).mean()])
    root = Pilot(torch.empty(0), error).root(torch.from_numpy(away))
    np.testing.assert_allclose(root.squeeze(1) ** 2, 1.1 * error / (size + 0.1 * error), rtol=1e-12)


def test_the_map_that_is_solved_is_that_of_rows_times_the_roots_of_what_they_count() -> None:
    sees, form = Sight(*shown(MIXED), masks=False), list[Form]([(True, 10.0)])
    split = split_by_time(MIXED, HORIZON, 0, SIZE)
    every = every_origin(split.train_low, split.train_high, split.floors, 1_000)
    (before,) = sees.solved(*every, form)
    (found,) = sees.solved(*every, form, Pilot(before, 0.7))
    seen = sees.look(*every)
    x, y = seen.features.numpy(), seen.rest.numpy()
    capped = 5 / np.maximum(abs(y).max(axis=1, keepdims=True), 5)
    size = abs((y - x @ before.numpy()) * capped).mean(axis=1, keepdims=True)
    root = capped * np.sqrt(1.1 * 0.7 / (size + 0.07))
    x, y = x * root, y * root
    np.testing.assert_allclose(
        found, np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ y), rtol=1e-8, atol=1e-10
    )


def error(past: Panel, whole: Panel, recipe: Ridge) -> float:
    """MASE of the swinging series at 80 origins after the past."""
    cuts = [whole.cut(past.ends + k) for k in range(80)]
    answers = recipe.fit(past, HORIZON).predict([View(cut, cut.future(HORIZON)) for cut in cuts])
    truth = [whole.values[cut.ends[:2, None] + np.arange(HORIZON)] for cut in cuts]
    scale = past.mean_change(1)[:2]
    return float(np.mean([metrics.mase(y, a.point[:2], scale) for y, a in zip(truth, answers, strict=True)]))


def test_where_some_series_cannot_be_told_the_others_are_forecast_closer_than_by_least_squares(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    past = MIXED.cut(MIXED.ends - 100)
    recipe = Ridge(input_size=SIZE, structural=False)
    absolute = error(past, MIXED, recipe)
    by_squares(monkeypatch)
    assert absolute < 0.9 * error(past, MIXED, recipe)


def test_where_all_windows_are_alike_it_stays_with_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed, alike = weights(MIXED), weights(ALIKE)
    by_squares(monkeypatch)
    assert torch.equal(weights(ALIKE), alike)
    assert not torch.allclose(weights(MIXED), mixed, rtol=0.01), "control: there it does not"


def test_few_horizons_held_out_must_say_so_more_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a percent is enough where five horizons and more are held out; else as much as is asked for then."""
    squares = least_squares._Trials.of(MIXED, *shown(MIXED), penalties=PENALTIES, val_share=0.2, tried=10_000)
    assert squares is not None
    taken = squares.by_absolute_errors()
    assert taken.weighed and taken.error < squares.error / 1.005
    far = squares.error / taken.error
    monkeypatch.setattr(least_squares, "AS_GOOD_OF_FEW", 1.001 * far)
    monkeypatch.setattr(least_squares, "FEW", 1_000)
    mixed = weights(MIXED)
    by_squares(monkeypatch)
    assert torch.equal(weights(MIXED), mixed)


def test_a_network_starts_from_the_map_of_absolute_errors() -> None:
    training = Training(max_steps=1, val_share=0.0, learning_rate=1e-12, device="cpu")
    recipe = LSTM(input_size=SIZE, hidden_size=8, num_layers=1, n_seeds=1, structural=False, training=training)
    ridge = Ridge(input_size=SIZE, structural=False)
    (point, ridges) = (found.fit(MIXED, HORIZON).predict(MIXED).point for found in (recipe, ridge))
    np.testing.assert_allclose(point, ridges, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("poison", [np.nan, 0.0, 1e9])
def test_nothing_after_the_cutoff_has_a_say(poison: float) -> None:
    ends = MIXED.ends - 50

    def answered(whole: Panel, cut: np.ndarray) -> Floats:
        return Ridge(input_size=SIZE).fit(whole.cut(cut), HORIZON).predict(MIXED.cut(ends)).quantiles

    changed = poisoned(MIXED, ends, lambda values: np.full_like(values, poison))
    assert np.array_equal(answered(MIXED, ends), answered(changed, ends))
    if np.isfinite(poison):
        assert not np.array_equal(answered(MIXED, ends + 20), answered(changed, ends + 20)), "control"


def test_what_is_explained_exactly_and_what_never_moves_has_a_map_of_numbers() -> None:
    line, flat = np.arange(200.0), np.full(200, 3.0)
    for past in (
        panel(line),
        panel(flat),
        panel(line, flat, np.zeros(200)),
        panel(*ALIKE.values.reshape(2, 400), flat, line),
    ):
        answer = Ridge(input_size=8, structural=False).fit(past, HORIZON).predict(past)
        assert np.isfinite(answer.quantiles).all()
    ahead = Ridge(input_size=8, structural=False).fit(panel(line), HORIZON).predict(panel(line)).point[0]
    np.testing.assert_allclose(ahead, 200 + np.arange(HORIZON), rtol=1e-6)


def test_few_windows_are_judged_a_fifth_of_the_time_at_a_time_and_the_map_is_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """44 steps of two series: fewer than 30 windows are held out, and 5 % is asked for, which is more than it gains."""
    rng = np.random.default_rng(3)
    past = panel(swings(rng, 44), rng.normal(size=44))
    trials = least_squares._Trials.of(past, *shown(past), penalties=PENALTIES, val_share=0.2, tried=10_000)
    assert trials is not None and len(trials.solved) == 5
    assert not trials.by_absolute_errors().weighed
    monkeypatch.setattr(least_squares, "AS_GOOD_OF_FEW", 1.005)
    taken = trials.by_absolute_errors()
    assert taken.weighed
    early = torch.stack([maps[taken.best] for maps, _ in taken.solved]).mean(0)
    (expected,) = taken.sight.solved(*taken.every, [taken.form], Pilot(early, taken.error))
    assert torch.equal(taken.final(), expected)
    assert not torch.equal(trials.final(), expected)
