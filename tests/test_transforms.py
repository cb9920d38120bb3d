"""Transforms: invertible at every magnitude, blind to the future and to batch mates."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transform_cases import EVERY, context_and_future, for_every, holes, lognormal, same_bits

from tsforecast.transforms import (
    Map,
    Standard,
    Transform,
)

# ---- there and back


@for_every
@given(data=context_and_future())
@settings(max_examples=40, deadline=None)
def test_inverting_gives_the_future_back_to_1e_12_at_any_magnitude(
    recipe: Transform, data: tuple[Tensor, Tensor]
) -> None:
    context, future = data
    fitted = recipe.fit(context)
    scaled = fitted.apply_future(future)
    back = fitted.invert(scaled)
    size = torch.maximum(future, context.abs().nan_to_num(0.0).amax(1, keepdim=True))
    assert scaled.dtype == back.dtype == torch.float64
    assert bool(scaled.isfinite().all())
    assert bool(((back - future).abs() <= 1e-12 * size).all())


@given(data=context_and_future(), sign=st.sampled_from([-1.0, 1.0]))
@settings(max_examples=40, deadline=None)
def test_values_of_either_sign_survive_every_transform_without_a_logarithm(
    data: tuple[Tensor, Tensor], sign: float
) -> None:
    context, future = data
    size = torch.maximum(future, context.abs().nan_to_num(0.0).amax(1, keepdim=True))
    for recipe in (r for r in EVERY if "log" not in r.name):
        fitted = recipe.fit(sign * context)
        back = fitted.invert(fitted.apply_future(sign * future))
        assert bool(((back - sign * future).abs() <= 1e-12 * size).all()), recipe.name


@for_every
@given(data=context_and_future())
@settings(max_examples=20, deadline=None)
def test_the_scaled_context_is_missing_only_where_the_context_is_or_where_a_difference_has_no_past(
    recipe: Transform, data: tuple[Tensor, Tensor]
) -> None:
    context, _ = data
    scaled = recipe.fit(context).apply(context)
    assert scaled.shape == context.shape
    assert not bool(scaled.isinf().any())
    if "difference" not in recipe.name and "return" not in recipe.name:
        assert torch.equal(scaled.isnan(), context.isnan())
    else:
        assert bool(scaled[:, 0].isnan().all())
        assert bool((scaled.isnan() | ~context.isnan()).all())


@for_every
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-9, 1.0, 1e9]))
@settings(max_examples=15, deadline=None)
def test_the_order_of_quantiles_survives_inverting(recipe: Transform, seed: int, scale: float) -> None:
    context = scale * lognormal(3, 30, seed=seed)
    quantiles = lognormal(3, 10, 9, seed=seed + 1).log().sort(dim=2).values  # [B, H, Q] of one channel
    back = recipe.fit(context).invert(quantiles)
    assert back.shape == (3, 10, 9)
    assert bool((back.diff(dim=2) > 0).all())


def test_gradients_flow_through_invert_into_the_net() -> None:
    for recipe in EVERY:
        scaled = torch.zeros(2, 3, 5, requires_grad=True)
        recipe.fit(lognormal(2, 30)).invert(scaled).sum().backward()
        assert scaled.grad is not None and bool((scaled.grad > 0).all()), recipe.name


# ---- alone and together


@for_every
@pytest.mark.parametrize(("batch", "length", "channels"), [(130, 336, 1), (7, 999, 1), (33, 61, 3)])
def test_a_window_alone_and_in_a_batch_have_the_same_bits(
    recipe: Transform, batch: int, length: int, channels: int
) -> None:
    context, future = holes(1e6 + lognormal(batch, length, channels), 0.1), lognormal(batch, 9, channels, seed=2)
    together = recipe.fit(context)
    flat = context.transpose(0, 1).contiguous().transpose(0, 1)  # the same numbers, time outermost in memory
    assert same_bits(recipe.fit(flat).apply(flat), together.apply(context))
    for row in (slice(0, 1), slice(batch - 1, batch)):
        alone = recipe.fit(context[row])
        assert same_bits(alone.apply(context[row]), together.apply(context)[row])
        assert same_bits(alone.apply_future(future[row]), together.apply_future(future)[row])
        assert same_bits(alone.invert(future[row]), together.invert(future)[row])


@for_every
def test_channels_do_not_know_of_each_other(recipe: Transform) -> None:
    context, future = lognormal(4, 50, 3), lognormal(4, 6, 3, seed=5)
    scaled = recipe.fit(context).apply_future(future)
    for c in range(3):
        torch.testing.assert_close(
            scaled[:, :, c : c + 1], recipe.fit(context[:, :, c : c + 1]).apply_future(future[:, :, c : c + 1])
        )


# ---- what a window knows


@dataclasses.dataclass(frozen=True)
class Leaky:
    """A control: scales by the whole series that the window is a view of, its future included."""

    name = "leaky"

    def fit(self, context: Tensor, /) -> Map:
        whole = torch.as_strided(context, (context.shape[0], 60, 1), context.stride())
        return Standard().fit(whole)


def moved_by_the_future(recipe: Transform) -> bool:
    series, probe = lognormal(4, 60), lognormal(4, 5, seed=9)
    before = recipe.fit(series[:, :48]).invert(probe)
    for poison in (math.nan, 1e9, -1.0):
        poisoned = series.clone()
        poisoned[:, 48:] = poison
        if not same_bits(recipe.fit(poisoned[:, :48]).invert(probe), before):
            return True
    return False


@for_every
def test_poison_in_the_future_moves_no_bit_of_the_statistics(recipe: Transform) -> None:
    assert not moved_by_the_future(recipe)


def test_the_poison_finds_a_scaler_that_looks_ahead() -> None:
    assert moved_by_the_future(Leaky())


@for_every
def test_a_map_keeps_no_view_of_the_context_it_was_fitted_to(recipe: Transform) -> None:
    context, probe = lognormal(2, 30), lognormal(2, 5, seed=9)
    fitted = recipe.fit(context)
    before = fitted.invert(probe)
    context.fill_(math.nan)
    assert same_bits(fitted.invert(probe), before)


@for_every
def test_inputs_are_left_as_they_were_and_float32_is_measured_in_float64(recipe: Transform) -> None:
    context, future = holes(lognormal(3, 40), 0.1), lognormal(3, 4, seed=3)
    copies = context.clone(), future.clone()
    fitted = recipe.fit(context)
    fitted.apply(context), fitted.apply_future(future), fitted.invert(future)
    assert same_bits(context, copies[0]) and same_bits(future, copies[1])
    short = context.float()
    assert same_bits(recipe.fit(short).apply(short), recipe.fit(short.double()).apply(short.double()))
