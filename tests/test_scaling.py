"""What transforms measure in a window: exact at every magnitude, gaps weigh nothing, rounding is no signal."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transform_cases import for_every, holes, lognormal, windows

from tsforecast.scaling import last_of_phase, mean_and_std, relative_level
from tsforecast.transforms import (
    TRANSFORMS,
    Chain,
    Difference,
    Identity,
    LastValue,
    Log,
    LogReturn,
    MeanScale,
    MinMax,
    Robust,
    SeasonalDifference,
    SoftLog,
    Standard,
    Transform,
    parse_transform,
)

NAN = math.nan

# ---- statistics


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
        SoftLog(): np.log1p(x / (0.01 * np.nanmean(np.abs(x), **column))),
        LogReturn(): np.hstack([gap, np.diff(np.log(x))]),
        Difference(): np.hstack([gap, np.diff(x)]),
        SeasonalDifference(7): np.hstack([np.tile(gap, 7), x[:, 7:] - x[:, :-7]]),
    }
    assert {recipe.name for recipe in expected} == set(TRANSFORMS)
    for recipe, answer in expected.items():
        scaled = recipe.fit(context).apply(context)[:, :, 0].numpy()
        np.testing.assert_allclose(scaled, answer, rtol=1e-12, atol=1e-13, err_msg=recipe.name)


def test_the_level_of_a_window_is_its_distance_from_zero_in_standard_deviations_and_has_no_units() -> None:
    windows = [[1.0, 3.0], [-1.0, -3.0], [-1.0, 1.0], [0.1, 0.1], [-5.0, -5.0], [0.0, 0.0], [NAN, NAN], [9.0, NAN]]
    level = relative_level(*mean_and_std(torch.tensor(windows, dtype=torch.float64).unsqueeze(2))).flatten()
    near = math.tanh(2 / 4)  # mean 2, standard deviation 1
    assert level.tolist() == pytest.approx([near, -near, 0.0, 1.0, -1.0, 0.0, 0.0, 1.0], rel=1e-12)
    million = relative_level(*mean_and_std(1e6 * torch.tensor(windows, dtype=torch.float64).unsqueeze(2))).flatten()
    torch.testing.assert_close(million, level, rtol=1e-12, atol=0.0)


def test_statistics_of_a_window_have_the_same_bits_beside_one_with_gaps() -> None:
    whole, gaps = lognormal(6, 336), holes(lognormal(6, 336), 0.2)
    beside = mean_and_std(torch.cat([whole, gaps]))
    for alone, part in zip(mean_and_std(whole), beside, strict=True):
        assert torch.equal(alone, part[:6])
    assert not torch.equal(mean_and_std(gaps)[0], beside[0][:6]), "the windows do not differ"


def test_mean_scaling_goes_by_absolute_values() -> None:
    context = windows([-3.0, 1.0, 0.0, math.nan])
    assert MeanScale().fit(context).apply_future(windows([8.0])).item() == pytest.approx(6.0)


def test_a_soft_logarithm_is_one_far_above_zero_and_a_line_below_it_and_never_ends() -> None:
    fitted = SoftLog().fit(windows([0.0, 100.0, 200.0]))  # bends at a hundredth of the mean, 1
    target = windows([0.0, math.e - 1, 1e6, -3.0])
    scaled = fitted.apply_future(target)
    assert scaled.flatten().tolist() == pytest.approx([0.0, 1.0, math.log(1e6), -3.0], abs=1e-6)
    torch.testing.assert_close(fitted.invert(scaled), target, rtol=1e-12, atol=1e-15)
    assert fitted.invert(windows([100.0, 1e9])).flatten().tolist() == [pytest.approx(math.exp(100), rel=1e-9)] * 2


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


def test_windows_with_and_without_holes_in_their_last_season_are_told_apart_row_by_row() -> None:
    nan = math.nan
    rows = torch.tensor([[1.0, 2, 3, 4, 5, 6], [1, 2, 3, nan, 5, 6], [nan] * 5 + [6], [nan] * 6]).double().unsqueeze(2)
    expected = [[4.0, 5, 6], [1, 5, 6], [6, 6, 6], [0, 0, 0]]
    assert last_of_phase(rows, season_length=3).squeeze(2).tolist() == expected
    assert [last_of_phase(rows[i : i + 1], season_length=3).flatten().tolist() for i in range(4)] == expected


def test_a_sensor_that_mostly_reads_zero_is_scaled_by_its_bursts() -> None:
    context = windows([0.0] * 50 + [1e6, 2e6] * 5)
    scaled = Robust().fit(context).apply(context)
    assert scaled.max().item() == pytest.approx(2e6 / math.sqrt(5 * (1e12 + 4e12) / 60), rel=1e-12)


# ---- nothing to measure, and rounding


@for_every
def test_a_window_without_any_observation_has_location_0_and_scale_1(recipe: Transform) -> None:
    context, future = windows([math.nan] * 30), windows([2.0, 3.0, 5.0])
    fitted = recipe.fit(context)
    assert bool(fitted.apply(context).isnan().all())
    logarithm = (100 * future).log1p() if "soft" in recipe.name else future.log()  # a mean of nothing counts as 1
    expected = logarithm if "log" in recipe.name else future
    torch.testing.assert_close(fitted.apply_future(future), expected, rtol=1e-15, atol=0)


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


# ---- units, gaps, cost


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


def test_standard_scaling_of_a_training_batch_costs_less_than_a_training_step() -> None:
    context = holes(lognormal(128, 336), 0.01)
    seconds = []
    for _ in range(50):
        start = time.perf_counter()
        Standard().fit(context).apply(context)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2e-3, f"{min(seconds) * 1e3:.2f} ms for [128, 336, 1]; 0.2 ms on one core of 2024"
