"""No quantile of a forecast on a logarithm lies beyond three times the largest value seen, or forecast."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import DAILY, panel, poisoned
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.judging import metrics
from tsforecast.models import encoding
from tsforecast.models.encoding import Encoding
from tsforecast.models.linear import Ridge
from tsforecast.models.recurrent import LSTM
from tsforecast.models.schedule import Training
from tsforecast.panel import Panel, View
from tsforecast.transforms import on_a_logarithm, parse_transform
from tsforecast.windows import Batch

HORIZON, SIZE, LOGARITHM = 7, 28, "soft_log+standard"
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)


def bursts(seed: int = 0, steps: int = 400) -> Panel:
    """Three disks that write a little most of the time, and one day in twelve a thousand times as much."""
    rng = np.random.default_rng(seed)
    busy = rng.random((3, steps)) < 1 / 12
    return panel(*np.exp(rng.normal(size=(3, steps)) + np.log(1_000) * busy), season_length=7, freq=DAILY)


BURSTS = bursts()
PAST = BURSTS.cut(BURSTS.ends - 100)
LSTM_ONCE = LSTM(
    scaling=LOGARITHM, input_size=SIZE, hidden_size=8, num_layers=1, n_seeds=1, quantiles=LEVELS,
    training=Training(max_steps=3, device="cpu"),
)  # fmt: skip
RIDGE = Ridge(scaling=LOGARITHM, input_size=SIZE, quantiles=LEVELS)


def unbounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BEYOND", np.inf)


def furthest(recipe: Ridge | LSTM) -> float:
    """How many times the larger of the largest value of its context and the point the largest quantile is, at most."""
    cuts = [BURSTS.cut(PAST.ends + k) for k in range(0, 90, 3)]
    answers = recipe.fit(PAST, HORIZON).predict([View(cut, cut.future(HORIZON)) for cut in cuts])
    found = []
    for cut, answer in zip(cuts, answers, strict=True):
        largest = np.stack([cut.values[end - SIZE : end] for end in cut.ends]).max(axis=1, keepdims=True)
        found.append((answer.quantiles[:, :, -1] / np.maximum(largest, answer.point)).max())
    return float(np.max(found))


@pytest.mark.parametrize("recipe", [RIDGE, LSTM_ONCE], ids=lambda recipe: recipe.name)
def test_no_quantile_is_above_three_times_what_was_seen_or_the_point(
    recipe: Ridge | LSTM, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert furthest(recipe) == pytest.approx(3.0)
    unbounded(monkeypatch)
    assert furthest(recipe) > 30, "control"


def test_its_intervals_are_closer_by_the_quantile_loss_and_hold_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = [BURSTS.cut(PAST.ends + k) for k in range(0, 90, 3)]
    views = [View(cut, cut.future(HORIZON)) for cut in cuts]
    truth = np.stack([BURSTS.values[cut.ends[:, None] + np.arange(HORIZON)] for cut in cuts])

    def loss_and_inside() -> tuple[float, float]:
        q = np.stack([answer.quantiles for answer in RIDGE.fit(PAST, HORIZON).predict(views)])
        away = truth[..., None] - q
        loss = np.maximum(np.array(LEVELS) * away, (np.array(LEVELS) - 1) * away).mean()
        return float(loss), float(((truth >= q[..., 0]) & (truth <= q[..., -1])).mean())

    loss, inside = loss_and_inside()
    unbounded(monkeypatch)
    before, inside_before = loss_and_inside()
    assert loss < 0.5 * before
    assert inside_before - 0.01 < inside < inside_before + 0.01


@given(st.integers(0, 2**32 - 1), st.sampled_from([LOGARITHM, "log", "log+standard", "log_return"]))
def test_points_stay_quantiles_keep_their_order_and_only_those_beyond_change(seed: int, scaling: str) -> None:
    rng = np.random.default_rng(seed)
    context = torch.from_numpy(np.exp(3 * rng.normal(size=(5, SIZE, 1))))
    context[0, :9] = torch.nan
    shows, windows = Encoding.of(PAST, parse_transform(scaling, 7), 7), batch(context)
    seen = shows.encode(windows)
    out = torch.from_numpy(np.sort(4 * rng.normal(size=(5, HORIZON, 5)), axis=2))
    plain, found = seen.units(out), shows.answer(windows, seen, out, 2)
    most = 3 * torch.maximum(context.nan_to_num(nan=0.0).amax(1, keepdim=True), plain[:, :, 2:3])
    assert torch.equal(found, torch.where(plain > most, most, plain))
    assert torch.equal(found[:, :, 2], plain[:, :, 2])
    assert bool((found.diff(dim=2) >= 0).all())


def batch(context: torch.Tensor) -> Batch:
    nothing, length = torch.empty(len(context), SIZE, 0), SIZE + HORIZON
    ahead, earlier = torch.empty(len(context), length, 0), torch.empty(len(context), 0, 0)
    return Batch(context, context[:, :0], nothing, ahead, earlier, context[:, :0])


@pytest.mark.parametrize("scaling", ["standard", "robust", "identity", "mean_scale+standard", "difference"])
def test_without_a_logarithm_a_quantile_may_lie_anywhere(scaling: str) -> None:
    recipe = parse_transform(scaling, 7)
    assert not on_a_logarithm(recipe)
    shows, windows = Encoding.of(PAST, recipe, 7), batch(torch.ones(2, SIZE, 1).double().cumsum(1))
    seen = shows.encode(windows)
    out = torch.full((2, HORIZON, 3), 1e6).double()
    assert torch.equal(shows.answer(windows, seen, out, 1), seen.units(out))


@pytest.mark.parametrize("poison", [np.nan, 1e-3, 1e9])
def test_nothing_after_the_cutoff_moves_the_bound(poison: float) -> None:
    changed = poisoned(BURSTS, PAST.ends, lambda values: np.full_like(values, poison))

    def answered(whole: Panel, ends: np.ndarray) -> np.ndarray:
        cut = whole.cut(ends)
        return RIDGE.fit(PAST, HORIZON).predict([View(cut, cut.future(HORIZON))])[0].quantiles

    assert np.array_equal(answered(BURSTS, PAST.ends), answered(changed, PAST.ends))
    assert not np.array_equal(answered(BURSTS, PAST.ends + 5), answered(changed, PAST.ends + 5)), "control"


def test_growth_may_go_on() -> None:
    """What doubles every two days is eight times as much six days on; the point says so and so may its quantiles."""
    days = np.arange(120)
    grows = panel(np.exp(days * np.log(2) / 2 + 0.05 * np.random.default_rng(0).normal(size=120)), freq=DAILY)
    recipe = Ridge(scaling=LOGARITHM, input_size=14, structural=False, quantiles=LEVELS)
    (answer,) = recipe.fit(grows, 6).predict([View(grows, grows.future(6))])
    truth = np.exp(np.arange(120, 126) * np.log(2) / 2)
    assert metrics.mae(truth[None], answer.point).item() < 0.3 * truth.mean()
    assert answer.quantiles[0, -1, -1] > 6 * grows.values[-1]
