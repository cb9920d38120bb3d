"""Recurrent networks against their equations, and what they must learn and must not pretend to have learnt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import HORIZON, SMALL, TINY, folds, panel, sensors

from tsforecast.errors import ConfigError, DataError
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Naive
from tsforecast.models.nets import SegmentRNN
from tsforecast.models.recurrent import GRU, LSTM, RNN
from tsforecast.models.settle import context_size
from tsforecast.models.training import Training
from tsforecast.panel import Panel

Array = np.ndarray


def net(cell: str, *, patch_size: int = 1, attention: bool = False, known: int = 0, num_layers: int = 1) -> SegmentRNN:
    torch.manual_seed(0)
    return SegmentRNN(
        cell=cell, input_size=12, horizon=4, channels=2 + known, known=known, outputs=3, patch_size=patch_size,
        hidden_size=6, num_layers=num_layers, dropout=0.5, attention=attention,
    ).eval()  # fmt: skip


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def by_hand(cell: str, weights: dict[str, Array], tokens: Array, layer: int = 0) -> Array:
    """Hidden states `[B, tokens, D]` by the equations of one layer, a loop over time."""
    w, u, b, c = (weights[f"layers.{layer}.{kind}_l0"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h = memory = np.zeros((len(tokens), u.shape[1]))
    states = []
    for t in range(tokens.shape[1]):
        x, r = tokens[:, t] @ w.T + b, h @ u.T + c
        if cell == "rnn":
            h = np.tanh(x + r)
        elif cell == "lstm":
            enter, forget, candidate, leave = np.split(x + r, 4, axis=1)
            memory = sigmoid(forget) * memory + sigmoid(enter) * np.tanh(candidate)
            h = sigmoid(leave) * np.tanh(memory)
        else:
            (xr, xz, xn), (rr, rz, rn) = np.split(x, 3, axis=1), np.split(r, 3, axis=1)
            keep = sigmoid(xz + rz)
            h = (1 - keep) * np.tanh(xn + sigmoid(xr + rr) * rn) + keep * h
        states.append(h)
    return np.stack(states, axis=1)


def answered(weights: dict[str, Array], state: Array) -> Array:
    """The answer `[B, 4, 3]` to a state: one hidden layer, then all steps and quantiles at once."""
    hidden = np.maximum(state @ weights["head.0.weight"].T + weights["head.0.bias"], 0)
    every = hidden @ weights["head.3.weight"].T + weights["head.3.bias"]  # 16 columns, of which 4 x 3 are meant
    return every[:, :12].reshape(-1, 4, 3)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("patch_size", [1, 4])
def test_the_network_is_its_equations(cell: str, patch_size: int) -> None:
    model = net(cell, patch_size=patch_size, num_layers=2)
    weights = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    x = np.random.default_rng(1).normal(size=(5, 12, 2))
    tokens = x.reshape(5, 12 // patch_size, 2 * patch_size)
    if patch_size > 1:
        tokens = np.maximum(tokens @ weights["embed.0.weight"].T + weights["embed.0.bias"], 0)
    states = by_hand(cell, weights, by_hand(cell, weights, tokens), layer=1)
    expected = answered(weights, states[:, -1])
    answer = model(torch.tensor(x, dtype=torch.float32), torch.empty(5, 4, 0)).detach()
    np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_attention_is_a_weighted_mean_of_all_states_beside_the_last() -> None:
    model = net("gru", attention=True)
    weights = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    x = np.random.default_rng(2).normal(size=(3, 12, 2))
    states = by_hand("gru", weights, x)
    score = np.einsum("btd,bd->bt", states, states[:, -1] @ weights["query.weight"].T) / np.sqrt(6)
    share = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    both = np.concatenate([states[:, -1], np.einsum("bt,btd->bd", share, states)], axis=1)
    expected = answered(weights, both)
    answer = model(torch.tensor(x, dtype=torch.float32), torch.empty(3, 4, 0)).detach()
    np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_what_is_known_of_one_step_moves_the_answer_for_that_step_alone() -> None:
    model = net("lstm", known=2)
    x, known = torch.randn(3, 12, 4), torch.randn(3, 4, 2)
    other = known.clone()
    other[:, 2] += 1
    moved = (model(x, known) != model(x, other)).detach().any(dim=2)
    assert moved.tolist() == [[False, False, True, False]] * 3


def test_before_training_a_network_answers_as_the_linear_map_it_starts_from() -> None:
    """With gaps and every kind of covariate; and the ridge of the same data is that map."""
    whole = sensors((120, 90), covariates=True)
    values = whole.values.copy()
    values[[30, 70, 101]] = np.nan
    (fold,) = folds(replace(whole, values=values), horizon=HORIZON, n_windows=1)
    plan = {"input_size": 14, "quantiles": (0.1, 0.5, 0.9), "structural": False}
    still = Training(max_steps=1, learning_rate=1e-12, val_share=0.0, batch_size=8, device="cpu")
    network, alone, ridge = (
        recipe.fit(fold.training, HORIZON).predict([fold.view])[0]
        for recipe in (
            LSTM(**plan, n_seeds=1, hidden_size=8, patch_size=7, training=still),
            LSTM(**plan, n_seeds=1, hidden_size=8, patch_size=7, linear=False, training=still),
            Ridge(**plan),
        )
    )
    np.testing.assert_allclose(network.quantiles, np.sort(ridge.quantiles, axis=2), rtol=1e-5)
    assert np.abs(alone.point - ridge.point).max() > 0.1  # the control


def test_dropout_is_for_training_only() -> None:
    model = net("lstm")
    x, known = torch.randn(3, 12, 2), torch.empty(3, 4, 0)
    assert torch.equal(model(x, known), model(x, known))
    model.train()
    assert not torch.equal(model(x, known), model(x, known))


def test_several_seeds_are_the_mean_of_single_ones() -> None:
    past = sensors((300, 280))
    settings = {**SMALL, "quantiles": (0.5,)}
    both = LSTM(**{**settings, "seed": 4, "n_seeds": 2}).fit(past, HORIZON)
    singles = [LSTM(seed=seed, **settings).fit(past, HORIZON) for seed in (4, 5)]
    mean = np.mean([one.predict(past).point for one in singles], axis=0)
    np.testing.assert_allclose(both.predict(past).point, mean, rtol=1e-14)
    assert set(both.curves["seed"]) == {4, 5} and list(both.curves) == ["seed", "step", "train_loss", "valid_loss"]


def test_without_a_context_length_every_second_network_looks_half_as_far_back() -> None:
    past = sensors((300, 280))
    settings = {**SMALL, "input_size": None, "n_seeds": 3}
    fitted = LSTM(**settings).fit(past, HORIZON)
    assert context_size(past, HORIZON) == 28
    assert [net.input_size for net in fitted.members.values()] == [28, 14, 28]
    half = LSTM(**settings | {"input_size": 14, "seed": 1, "n_seeds": 1}).fit(past, HORIZON).predict(past)
    np.testing.assert_array_equal(fitted.members["seed 1"].predict(past).point, half.point)
    given = LSTM(**settings | {"input_size": 14}).fit(past, HORIZON)
    assert {net.input_size for net in given.members.values()} == {14}


def test_the_point_forecast_is_the_median() -> None:
    past = sensors()
    answer = GRU(**SMALL).fit(past, HORIZON).predict(past)
    assert answer.point.tobytes() == answer.quantiles[:, :, answer.levels.index(0.5)].tobytes()


def test_a_series_that_was_not_trained_on_is_forecast() -> None:
    whole = sensors()
    fitted = LSTM(**SMALL).fit(whole.take([0, 1]), HORIZON)
    assert fitted.predict(whole.take([2])).point.tobytes() == fitted.predict(whole).point[2:].tobytes()


def seasonal(n_steps: int = 400, period: int = 12) -> Panel:
    """Four noisy waves of one period and different phases, levels and sizes; the panel does not tell the period."""
    rng = np.random.default_rng(3)
    time = np.arange(n_steps)
    waves = [10 * i + (i + 1) * (np.sin(2 * np.pi * (time + 3 * i) / period) + 0.1 * rng.normal(size=n_steps))
             for i in range(4)]  # fmt: skip
    return panel(*waves)


def walks(n_steps: int = 400) -> Panel:
    return panel(*(100 + np.cumsum(np.random.default_rng(5).normal(size=(6, n_steps)), axis=1)))


def mae(recipe: Any, whole: Panel, horizon: int) -> float:
    """Mean absolute error over eight folds, series weighted by their naive errors."""
    found = folds(whole, horizon=horizon, n_windows=8)
    answers = recipe.fit(found[0].training, horizon).predict([fold.view for fold in found])
    naive = [Naive().fit(f.past, horizon).predict(f.view).point for f in found]
    errors, naive_errors = (
        np.array([np.abs(point - fold.truth()[0]).mean(axis=1) for point, fold in zip(points, found, strict=True)])
        for points in ([a.point for a in answers], naive)
    )
    return float((errors.mean(axis=0) / naive_errors.mean(axis=0)).mean())


SHORT = Training(max_steps=250, batch_size=32, device="cpu")


@pytest.mark.parametrize("recipe", [LSTM, GRU, RNN], ids=lambda r: r.name)
def test_a_planted_season_is_learnt(recipe: type) -> None:
    model = recipe(input_size=24, patch_size=4, hidden_size=24, num_layers=1, training=SHORT)
    assert mae(model, seasonal(), 12) < 0.5  # of the error of the naive forecast


def test_on_random_walks_it_is_about_the_naive_forecast() -> None:
    model = LSTM(input_size=16, patch_size=4, hidden_size=16, num_layers=1, n_seeds=1, training=SHORT)
    assert 0.9 < mae(model, walks(), 5) < 1.06


def test_an_effect_that_is_known_ahead_is_used() -> None:
    rng = np.random.default_rng(0)
    price = rng.normal(size=600)
    values = 10 + 2 * price + 0.1 * rng.normal(size=600)
    with_price = panel(values[:300], values[300:], futr=price)
    without = replace(with_price, futr=price[:, None][:, :0], futr_names=())
    model = LSTM(
        input_size=20,
        patch_size=4,
        hidden_size=24,
        num_layers=1,
        n_seeds=1,
        training=replace(SHORT, learning_rate=0.01),
    )
    assert mae(model, without, 5) > 0.6
    assert mae(model, with_price, 5) < 0.35


@pytest.mark.parametrize(("residual", "season"), [("none", 0), ("last", 1), ("seasonal", 7)])
def test_the_residual_says_which_forecast_is_corrected(residual: Any, season: int) -> None:
    """A network whose answer is zero gives that forecast: the mean of the context, the last value, the last season."""
    past = sensors((60,))
    fitted = LSTM(residual=residual, structural=False, **SMALL).fit(past, HORIZON)
    (network,) = fitted.members.values()
    assert network.encoding.season == season
    with torch.no_grad():
        for p in network.net.parameters():
            p.zero_()
    expected = {0: np.full(5, past.values[-14:].mean()), 1: np.full(5, past.values[-1]), 7: past.values[-7:-2]}[season]
    np.testing.assert_allclose(fitted.predict(past).point[0], expected, rtol=1e-6)


def test_a_context_that_is_no_whole_number_of_segments_is_refused_or_rounded_up() -> None:
    past = sensors()
    with pytest.raises(ConfigError, match=r"lstm: input_size=20 is not a whole .* patch_size=7; take input_size=21"):
        LSTM(input_size=20, patch_size=7).fit(past, HORIZON)
    model = LSTM(patch_size=7, hidden_size=16, num_layers=1, training=TINY).fit(past, HORIZON)
    assert model.members["seed 0"].input_size % 7 == 0


def test_scaling_is_by_name_and_a_logarithm_needs_positive_values() -> None:
    past = sensors()
    answer = LSTM(scaling="log+standard", **SMALL).fit(past, HORIZON).predict(past)
    assert (answer.quantiles > 0).all()
    with pytest.raises(DataError, match="logarithm needs values above 0"):
        LSTM(scaling="log", **SMALL).fit(replace(past, values=past.values - 25), HORIZON)


def test_recipes_are_values_and_say_what_they_are() -> None:
    assert LSTM(hidden_size=32) == LSTM(hidden_size=32) != LSTM(hidden_size=64)
    assert [m.name for m in (RNN(), LSTM(), GRU())] == ["rnn", "lstm", "gru"]
    assert "Hochreiter" in (LSTM.__doc__ or "") and "patch_size" in (GRU.__doc__ or "")
    with pytest.raises(AttributeError):
        LSTM().hidden_size = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"look_back": ()}, r"lstm\.look_back=\[\]: give one or more numbers above 0, at most 100"),
        ({"look_back": (1, 0)}, r"lstm\.look_back=\[1\.0, 0\.0\]: give one or more numbers above 0"),
        ({"hidden_size": 0}, r"lstm\.hidden_size=0: must be between 1 and 8192"),
        ({"patch_size": -1}, r"lstm\.patch_size=-1"),
        ({"n_seeds": 0}, r"lstm\.n_seeds=0"),
        ({"dropout": 1.0}, r"lstm\.dropout=1\.0"),
        ({"residual": "first"}, r"lstm\.residual='first': expected one of auto, seasonal, last, none"),
        ({"scaling": "robots"}, "did you mean 'robust'"),
        ({"quantiles": (0.1, 0.9)}, r"0\.5 must be among"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LSTM(**settings)
