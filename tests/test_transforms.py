"""Transforms: exact at every magnitude, invertible, blind to the future and to batch mates."""

from __future__ import annotations

import dataclasses
import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tsforecast.errors import ConfigError, DataError
from tsforecast.scaling import last_of_phase
from tsforecast.transforms import (
    TRANSFORMS,
    Chain,
    Difference,
    Identity,
    LastValue,
    Log,
    LogReturn,
    Map,
    MeanScale,
    MinMax,
    Robust,
    SeasonalDifference,
    Standard,
    Transform,
    parse_transform,
)

CHAINS = ("log+standard", "log_return+robust", "seasonal_difference+difference+standard", "mean_scale+log+last_value")
EVERY = [parse_transform(name, season_length=7) for name in (*TRANSFORMS, *CHAINS)]
for_every = pytest.mark.parametrize("recipe", EVERY, ids=lambda recipe: recipe.name)


def windows(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)[:, :, None]


def lognormal(batch: int, length: int, channels: int = 1, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, channels, generator=generator, dtype=torch.float64).exp()


def holes(x: Tensor, share: float, seed: int = 1) -> Tensor:
    return x.masked_fill(torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)) < share, torch.nan)


def same_bits(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.nan_to_num(-1.5), b.nan_to_num(-1.5))


@st.composite
def context_and_future(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Positive windows of any magnitude, level and pattern of gaps, and the steps after them."""
    length, horizon = draw(st.integers(1, 40)), draw(st.integers(1, 20))
    x = lognormal(draw(st.integers(1, 3)), length + horizon, seed=draw(st.integers(0, 10**6)))
    x = (x + draw(st.sampled_from([0.0, 1.0, 1e4, 1e9]))) * 10.0 ** draw(st.integers(-12, 12))
    context, future = x[:, :length], x[:, length:]
    pattern = draw(st.sampled_from(["full", "scattered", "leading", "trailing", "nothing", "constant"]))
    if pattern == "scattered":
        context = holes(context, 0.3)
    elif pattern == "leading":
        context[:, : length // 2] = torch.nan
    elif pattern == "trailing":
        context[:, length // 2 :] = torch.nan
    elif pattern == "nothing":
        context[0] = torch.nan
    elif pattern == "constant":
        context[0] = context[0, 0, 0].item()
    return context, future


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


def test_statistics_agree_with_numpys_on_windows_with_gaps() -> None:
    context = holes(lognormal(5, 60), 0.2)
    x = context[:, :, 0].numpy()
    column = {"axis": 1, "keepdims": True}
    lower, median, upper = (np.nanpercentile(x, p, **column) for p in (25, 50, 75))
    low, high = np.nanmin(x, **column), np.nanmax(x, **column)
    last = np.array([[row[~np.isnan(row)][-1]] for row in x])
    gap = np.full((5, 1), np.nan)
    expected: dict[Transform, np.ndarray] = {
        Identity(): x,
        Standard(): (x - np.nanmean(x, **column)) / np.nanstd(x, **column),
        Robust(): (x - median) / ((upper - lower) / 1.3489795003921634),
        MinMax(): (x - low) / (high - low),
        MeanScale(): x / np.nanmean(np.abs(x), **column),
        LastValue(): x - last,
        Log(): np.log(x),
        LogReturn(): np.hstack([gap, np.diff(np.log(x))]),
        Difference(): np.hstack([gap, np.diff(x)]),
        SeasonalDifference(7): np.hstack([np.tile(gap, 7), x[:, 7:] - x[:, :-7]]),
    }
    assert {recipe.name for recipe in expected} == set(TRANSFORMS)
    for recipe, answer in expected.items():
        scaled = recipe.fit(context).apply(context)[:, :, 0].numpy()
        np.testing.assert_allclose(scaled, answer, rtol=1e-12, atol=1e-13, err_msg=recipe.name)


def test_mean_scaling_goes_by_absolute_values() -> None:
    context = windows([-3.0, 1.0, 0.0, math.nan])
    assert MeanScale().fit(context).apply_future(windows([8.0])).item() == pytest.approx(6.0)


def test_differences_of_the_future_are_taken_against_the_last_observed_value() -> None:
    context, future = windows([1.0, 4.0, 8.0, math.nan]), windows([10.0, 20.0, 4.0])
    assert Difference().fit(context).apply_future(future).flatten().tolist() == [2.0, 12.0, -4.0]
    returns = LogReturn().fit(context).apply_future(future).flatten().tolist()
    assert returns == pytest.approx([math.log(10 / 8), math.log(20 / 8), math.log(4 / 8)], rel=1e-15)
    assert LastValue().fit(context).apply_future(future).flatten().tolist() == [2.0, 12.0, -4.0]


def test_seasonal_differences_of_the_future_are_taken_against_the_last_observed_value_of_the_phase() -> None:
    nan = math.nan
    context = windows([99.0, 1.0, 2.0, 3.0, 4.0, nan, 6.0])  # seasons of 3 counted from the end: 1 2 3 | 4 nan 6
    future = windows([10.0, 20.0, 30.0, 40.0, 50.0])  # phases 4, 2 (one season further back), 6, 4, 2
    fitted = SeasonalDifference(3).fit(context)
    assert fitted.apply_future(future).flatten().tolist() == [6.0, 18.0, 24.0, 36.0, 48.0]
    assert fitted.apply(context).flatten().tolist() == pytest.approx([nan, nan, nan, -96, 3, nan, 3], nan_ok=True)


def test_a_phase_never_observed_is_taken_against_the_last_observed_value() -> None:
    short = last_of_phase(windows([5.0, 6.0]), season_length=4)
    assert short.flatten().tolist() == [6.0, 6.0, 5.0, 6.0]
    empty = last_of_phase(windows([math.nan, math.nan]), season_length=4, missing=1.0)
    assert empty.flatten().tolist() == [1.0, 1.0, 1.0, 1.0]


@for_every
def test_a_window_without_any_observation_has_location_0_and_scale_1(recipe: Transform) -> None:
    context, future = windows([math.nan] * 30), windows([2.0, 3.0, 5.0])
    fitted = recipe.fit(context)
    assert bool(fitted.apply(context).isnan().all())
    assert torch.equal(fitted.apply_future(future), future.log() if "log" in recipe.name else future)


@pytest.mark.parametrize("level", [0.1, 1e12 + 0.3, -1e-12 / 3, 0.0])
@pytest.mark.parametrize("recipe", [Standard(), Robust(), MinMax(), Chain(LastValue(), Standard(), MinMax())], ids=repr)
def test_a_constant_window_is_scaled_by_1(recipe: Transform, level: float) -> None:
    context, future = windows([level] * 60), windows([level, level + 1.0])
    fitted = recipe.fit(context)
    assert fitted.apply(context).abs().max().item() <= 2e-16 * abs(level)
    assert fitted.apply_future(future).flatten().tolist() == pytest.approx([0.0, 1.0], abs=2e-4)


def test_a_test_for_a_standard_deviation_of_zero_would_miss_a_constant_window() -> None:
    assert float(np.std([0.1] * 60)) > 0


ulps = np.random.default_rng(3).integers(-2, 3, 60) * np.finfo(float).eps
ROUNDED = {
    "a constant with rounding, after its level was taken away": ("last_value+standard", 0.1 * (1 + ulps)),
    "a constant ratio, after the logarithm": ("log+standard", 1.0 + ulps),
    "the steps of a line": ("difference+standard", 0.1 * np.arange(1, 601)),
    "a line over seasons": ("seasonal_difference+robust", 0.1 * np.arange(1, 61)),
    "the returns of steady growth": ("log_return+standard", 1.001 ** np.arange(60)),
}


@pytest.mark.parametrize("case", ROUNDED, ids=str)
def test_rounding_is_not_scaled_up_to_a_signal(case: str) -> None:
    name, values = ROUNDED[case]
    context = windows(values.tolist())
    fitted = parse_transform(name, 7).fit(context)
    assert np.nanmax(fitted.apply(context).abs().numpy()) < 1e-12
    assert fitted.apply_future(context[:, -1:] * 1.5).abs().item() < 100.0, "scale is 1, not 1e-17"


def test_movement_just_above_rounding_is_scaled_and_just_below_is_not() -> None:
    for share, moves in ((1e-13, True), (1e-15, False)):
        scaled = Standard().fit(x := windows([5.0, 5.0 * (1 + share)] * 20)).apply(x)
        assert (scaled.abs().max().item() > 0.9) == moves


def test_a_small_signal_on_a_level_of_1e12_is_measured_to_full_precision() -> None:
    x = 1e12 + np.sin(np.arange(336) / 5)
    mean = math.fsum(x) / 336
    std = math.sqrt(math.fsum((x - mean) ** 2) / 336 - (math.fsum(x - mean) / 336) ** 2)
    fitted = Standard().fit(torch.from_numpy(x)[None, :, None])
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    assert (fitted.apply_future(1e12 + 1024 * one) - fitted.apply_future(1e12 * one)).item() == pytest.approx(
        1024 / std, rel=1e-12
    )
    assert fitted.invert(0 * one).item() == pytest.approx(mean, abs=2.5e-4), "two steps of float64 at 1e12"
    naive = math.sqrt(abs(np.mean(x**2) - np.mean(x) ** 2))
    assert abs(naive / std - 1) > 0.1, "control: the textbook formula has lost every digit"


def test_log_returns_of_a_small_move_on_a_large_level_keep_their_digits() -> None:
    context, future = windows([1e12, 1e12]), windows([1e12 + 0.5])
    assert LogReturn().fit(context).apply_future(future).item() == pytest.approx(5e-13, rel=1e-12, abs=0)
    assert abs(math.log((1e12 + 0.5) / 1e12) / 5e-13 - 1) > 1e-5, "control: a plain ratio has lost them"


@given(a=st.integers(-12, 12), b=st.floats(-1e4, 1e4), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_standard_scaling_does_not_see_units(a: int, b: float, seed: int) -> None:
    x = holes(lognormal(2, 50, seed=seed), 0.2)
    moved = 10.0**a * (x + b)
    for recipe in (Standard(), Robust(), MinMax()):
        torch.testing.assert_close(
            recipe.fit(moved).apply(moved), recipe.fit(x).apply(x), rtol=1e-9, atol=1e-9, equal_nan=True
        )


@given(seed=st.integers(0, 10**6), share=st.floats(0.0, 0.9))
@settings(max_examples=40, deadline=None)
def test_a_gap_weighs_nothing(seed: int, share: float) -> None:
    context, future = holes(lognormal(1, 40, seed=seed), share, seed), lognormal(1, 5)
    observed = context[~context.isnan()][None, :, None]
    if observed.shape[1] == 0:
        return
    for recipe in (Standard(), Robust(), MinMax(), MeanScale(), LastValue()):
        torch.testing.assert_close(
            recipe.fit(context).apply_future(future), recipe.fit(observed).apply_future(future), rtol=1e-11, atol=1e-11
        )


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


def test_a_chain_is_its_steps_one_after_the_other_and_back_in_reverse() -> None:
    context, future = holes(lognormal(3, 40), 0.1), lognormal(3, 5, seed=4)
    log = Log().fit(context)
    seasonal = SeasonalDifference(7).fit(log.apply(context))
    standard = Standard().fit(seasonal.apply(log.apply(context)))
    chain = Chain(Log(), SeasonalDifference(7), Standard()).fit(context)
    scaled = standard.apply_future(seasonal.apply_future(log.apply_future(future)))
    assert same_bits(chain.apply(context), standard.apply(seasonal.apply(log.apply(context))))
    assert same_bits(chain.apply_future(future), scaled)
    assert same_bits(chain.invert(scaled), log.invert(seasonal.invert(standard.invert(scaled))))
    assert not same_bits(chain.invert(scaled), standard.invert(seasonal.invert(log.invert(scaled)))), "order matters"


def test_a_chain_of_nothing_is_the_identity() -> None:
    x = lognormal(2, 10)
    assert Chain().name == "identity"
    assert same_bits(Chain().fit(x).apply(x), x)


def test_a_sensor_that_mostly_reads_zero_is_scaled_by_its_bursts() -> None:
    context = windows([0.0] * 50 + [1e6, 2e6] * 5)
    scaled = Robust().fit(context).apply(context)
    assert scaled.max().item() == pytest.approx(2e6 / math.sqrt(5 * (1e12 + 4e12) / 60), rel=1e-12)


@pytest.mark.parametrize("recipe", [Log(), LogReturn(), Chain(MeanScale(), Log())], ids=repr)
def test_a_logarithm_of_zero_or_less_is_refused_with_count_and_smallest_value(recipe: Transform) -> None:
    context = windows([1.0, 0.0, -2.5, math.nan])
    with pytest.raises(DataError, match=r"values above 0: 2 of 3 values are not, the smallest is -\d.*standard"):
        recipe.fit(context)
    with pytest.raises(DataError, match=r"1 of 2 values are not, the smallest is 0;"):
        recipe.fit(windows([1.0, 2.0])).apply_future(windows([1.0, 0.0]))


def test_a_logarithm_of_what_has_both_signs_is_refused_before_any_data_are_seen() -> None:
    with pytest.raises(ConfigError, match=r"'standard\+log': 'log' needs values above 0.*put 'log' first"):
        Chain(Standard(), Log())
    with pytest.raises(ConfigError, match=r"'difference\+mean_scale\+log_return'.*but 'difference' gives"):
        parse_transform("difference+mean_scale+log_return", 1)


def test_every_name_is_the_name_of_its_recipe_and_reads_back() -> None:
    for name, kind in TRANSFORMS.items():
        recipe = parse_transform(name, season_length=24)
        assert type(recipe) is kind and recipe.name == name
    for recipe in EVERY:
        assert parse_transform(recipe.name, 7) == recipe
        assert hash(parse_transform(recipe.name, 7)) == hash(recipe)
        assert eval(repr(recipe)) == recipe  # noqa: S307 - a repr is the call that makes it


def test_recipes_are_values_that_cannot_be_changed() -> None:
    assert Standard() == Standard() != Robust()
    assert SeasonalDifference(7) != SeasonalDifference(24) == parse_transform("seasonal_difference", 24)
    assert parse_transform(" Log + standard ", 1) == Chain(Log(), Standard())
    with pytest.raises(dataclasses.FrozenInstanceError):
        SeasonalDifference(7).season_length = 8  # type: ignore[misc]


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"transform 'log\+standart': there is no transform 'standart'; did you mean"):
        parse_transform("log+standart", 1)
    with pytest.raises(ConfigError, match="there is no transform ''; known: identity, standard"):
        parse_transform("", 1)
    with pytest.raises(ConfigError, match=r"seasonal_difference\.season_length=0: must be at least 1"):
        parse_transform("seasonal_difference", 0)


def test_standard_scaling_of_a_training_batch_costs_less_than_a_training_step() -> None:
    context = holes(lognormal(128, 336), 0.01)
    seconds = []
    for _ in range(50):
        start = time.perf_counter()
        Standard().fit(context).apply(context)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2e-3, f"{min(seconds) * 1e3:.2f} ms for [128, 336, 1]; 0.2 ms on one core of 2024"
