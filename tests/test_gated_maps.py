"""Linear maps beside the recurrence, each with a gate that the state opens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import HORIZON, RECIPES, panel_for, sensors

from tsforecast.errors import ConfigError
from tsforecast.models.nets import OWN, GatedMaps, LinearMap, SegmentRNN, maps_within
from tsforecast.models.recurrent import LSTM
from tsforecast.models.training import Training

L, H, D, K = 12, 4, 6, 3


def still() -> LinearMap:
    """A linear map of a context alone that answers zero."""
    return LinearMap(0, False, torch.zeros(L + 1, H, dtype=torch.float64), torch.zeros(H, 3, dtype=torch.float64))


def maps() -> GatedMaps:
    torch.manual_seed(0)
    return GatedMaps(still(), D, K)


def seen(batch: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, D, generator=random),
        torch.randn(batch, L, OWN, generator=random),
        torch.empty(batch, H, 0),
    )


def test_all_gates_are_shut_at_first_and_yet_there_is_something_to_learn() -> None:
    model = maps()
    out = model(*seen())
    assert out.shape == (5, H, 1) and not out.any()
    (out - 1).square().sum().backward()
    assert model.gates.weight.grad is not None and model.gates.weight.grad[:K].abs().min() > 0


def test_an_answer_is_the_sum_of_the_maps_times_their_gates() -> None:
    model = maps()
    torch.nn.init.normal_(model.gates.weight)
    torch.nn.init.normal_(model.gates.bias)
    state, x, known = seen()
    weights = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    features = np.column_stack([x[:, :, 0].double().numpy(), np.ones(5)]) * 2 / np.sqrt(L + 1)
    gates = state.double().numpy() @ weights["gates.weight"].T + weights["gates.bias"]  # 16 columns, K of which count
    each = (features @ weights["maps.weight"].T)[:, : K * H].reshape(5, K, H)
    expected = sum(gates[:, k, None] * each[:, k] for k in range(K))
    np.testing.assert_allclose(model(state, x, known).squeeze(2).detach(), expected, atol=1e-5)
    assert np.abs(expected).max() > 0.1


def test_a_gate_scales_a_pattern_which_a_sum_cannot() -> None:
    """The same state and twice the context: the answer doubles, but for what the constant adds."""
    model = maps()
    torch.nn.init.normal_(model.gates.weight)
    state, x, known = seen()
    nothing, once, twice = (model(state, times * x, known) for times in (0, 1, 2))
    torch.testing.assert_close(twice - nothing, 2 * (once - nothing))
    torch.testing.assert_close(
        model(2 * state, x, known) - model(0 * state, x, known), 2 * (once - model(0 * state, x, known))
    )


def test_a_series_has_the_same_bits_alone_and_among_others() -> None:
    torch.manual_seed(0)
    net = SegmentRNN(
        cell="lstm", input_size=L, horizon=1, channels=OWN, known=0, outputs=3, patch_size=4, hidden_size=D,
        num_layers=1, dropout=0.0, attention=False, maps=K,
        start=LinearMap(0, False, torch.randn(L + 1, 1, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)),
    ).eval()  # fmt: skip
    assert net.gated is not None
    torch.nn.init.normal_(net.gated.gates.weight)
    x = torch.randn(256, L, OWN)
    with torch.inference_mode():
        whole = net(x, torch.empty(256, 1, 0))
        for turn in (1, 7, 100):
            assert torch.equal(net(x.roll(turn, 0), torch.empty(256, 1, 0)).roll(-turn, 0), whole)


@pytest.mark.parametrize(
    ("features", "horizon", "expected"), [(337, 48, 8), (337, 720, 4), (673, 720, 2), (9_999, 720, 1)]
)
def test_there_are_fewer_where_each_is_large(features: int, horizon: int, expected: int) -> None:
    assert maps_within(features, horizon, 8) == expected


def test_a_network_has_as_many_as_its_recipe_says() -> None:
    training = Training(max_steps=2, val_share=0.0, batch_size=8, device="cpu")
    for count, linear in ((0, True), (3, True), (3, False)):
        recipe = LSTM(n_seeds=1, hidden_size=8, input_size=14, gated_maps=count, linear=linear, training=training)
        (member,) = recipe.fit(sensors(), 5).members.values()
        gated = member.net.gated
        assert (0 if gated is None else gated.count) == (count if linear else 0)
    with pytest.raises(ConfigError, match=r"lstm\.gated_maps=-1: must be between 0 and 1000"):
        LSTM(gated_maps=-1)


def test_the_networks_that_every_promise_is_tested_with_have_opened_their_gates() -> None:
    """What is said of a series alone, of a poisoned future and of seeds would else say nothing of them."""
    for name in ("lstm_attention", "lstm_segments", "lstm_covariates"):
        fitted: Any = RECIPES[name](1).fit(panel_for(name), HORIZON)
        (member,) = fitted.members.values()
        assert member.net.gated.gates.weight.abs().max() > 0
