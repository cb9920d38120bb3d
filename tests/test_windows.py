"""Windows cut by index, told by clock panels: every value is the number of its own step."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from cases import clock, panel, sensors
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.models.encoding import Encoding
from tsforecast.models.sampling import Draws, Stretches, every_origin, validation_windows
from tsforecast.running.shared import open_panel, save_panel
from tsforecast.transforms import parse_transform
from tsforecast.windows import Batch, Earlier, Windows, split_by_time

NAN = np.nan
CPU = torch.device("cpu")


def gather(windows: Windows, origins: list[int], floors: list[int]) -> Batch:
    return windows.gather(torch.tensor(origins), torch.tensor(floors))


def test_a_window_is_its_context_and_the_steps_after_it() -> None:
    windows = Windows.of(clock((0, 10), (100, 106)), input_size=4, horizon=2)
    batch = gather(windows, [4, 8, 14], [0, 0, 10])  # rows 10 to 15 of the flat arrays are the second series
    np.testing.assert_array_equal(batch.context[:, :, 0], [[0, 1, 2, 3], [4, 5, 6, 7], [100, 101, 102, 103]])
    np.testing.assert_array_equal(batch.target[:, :, 0], [[4, 5], [8, 9], [104, 105]])
    assert batch.hist.shape == (3, 4, 0) and batch.futr.shape == (3, 6, 0)


def test_steps_before_a_series_are_missing_and_never_those_of_its_neighbour() -> None:
    windows = Windows.of(clock((0, 10), (100, 106)), input_size=4, horizon=2)
    batch = gather(windows, [2, 11], [0, 10])
    np.testing.assert_array_equal(batch.context[:, :, 0], [[NAN, NAN, 0, 1], [NAN, NAN, NAN, 100]])
    np.testing.assert_array_equal(batch.target[:, :, 0], [[2, 3], [101, 102]])


def test_past_only_covariates_end_with_the_context_and_those_known_ahead_go_on() -> None:
    data = panel(np.arange(10), hist=np.arange(10) + 100, futr=np.arange(10) + 200)
    batch = gather(Windows.of(data, input_size=3, horizon=2), [1, 6], [0, 0])
    np.testing.assert_array_equal(batch.hist[:, :, 0], [[NAN, NAN, 100], [103, 104, 105]])
    np.testing.assert_array_equal(batch.futr[:, :, 0], [[NAN, NAN, 200, 201, 202], [203, 204, 205, 206, 207]])


@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 2**32 - 1))
def test_one_gather_is_numpy_slicing(input_size: int, horizon: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(horizon + 1, 40, size=3)
    data = panel(*(rng.normal(size=n) for n in lengths))
    split = split_by_time(data, horizon, 0)
    origins, floors = every_origin(split.train_low, split.train_high, split.floors, 10_000)
    assert len(origins) == sum(n - horizon for n in lengths)
    batch = Windows.of(data, input_size, horizon).gather(origins, floors)
    for row, (origin, floor) in enumerate(zip(origins.tolist(), floors.tolist(), strict=True)):
        known = data.values[max(origin - input_size, floor) : origin]
        np.testing.assert_array_equal(batch.context[row, :, 0], np.append(np.full(input_size - len(known), NAN), known))
        np.testing.assert_array_equal(batch.target[row, :, 0], data.values[origin : origin + horizon])


def test_no_window_shows_what_lies_past_a_cutoff_wherever_it_is_asked_for() -> None:
    data = clock((0, 50), (100, 150))
    origins, floors = torch.arange(100), torch.arange(100) // 50 * 50

    def seen(ends: npt.NDArray[np.int64]) -> set[float]:
        windows = Windows.of(replace(data, ends=ends), input_size=4, horizon=2)
        batch = windows.gather(origins, floors)
        return {value for rows in (batch.context, batch.target) for value in rows[torch.isfinite(rows)].tolist()}

    assert seen(data.starts + 30) == {*range(30), *range(100, 130)}
    assert seen(data.ends) == {*range(50), *range(100, 150)}  # they are in the arrays, and behind the cutoff


def test_series_without_a_step_do_not_end_those_that_begin_where_they_would() -> None:
    data = clock((0, 10), (100, 106), (200, 206))
    windows = Windows.of(data.cut(np.array([10, 10, 22])), input_size=2, horizon=1)
    assert gather(windows, [12, 18], [10, 16]).target[:, 0, 0].isnan().tolist() == [True, False]


def test_windows_are_looked_up_in_the_memory_of_the_panel_itself() -> None:
    data = panel(np.zeros(10_000), *(np.zeros(20) for _ in range(100)), hist=np.zeros(12_000))
    windows = Windows.of(data, input_size=500, horizon=100)
    assert windows.values.data_ptr() == data.values.ctypes.data and windows.hist.data_ptr() == data.hist.ctypes.data


def test_windows_of_a_panel_on_disk_are_those_of_the_panel_in_memory(tmp_path: Path) -> None:
    data = sensors((60, 50), covariates=True)
    mapped = open_panel(save_panel(data, tmp_path / "panel"))
    assert isinstance(mapped.values, np.memmap)
    origins, floors = torch.tensor([3, 55, 61, 110]), torch.tensor([0, 0, 60, 60])
    for one, two in zip(*(Windows.of(p, 14, 5).gather(origins, floors) for p in (data, mapped)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_gathering_takes_no_loop_over_windows() -> None:
    """4,096 windows take less than 20 times as long as 16: a loop would take 256 times as long."""
    windows = Windows.of(panel(np.arange(20_000.0)), input_size=48, horizon=12)

    def seconds(n: int) -> float:
        origins, floors = torch.randint(100, 19_000, (n,)), torch.zeros(n, dtype=torch.long)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            windows.gather(origins, floors)
            times.append(time.perf_counter() - start)
        return min(times)

    seconds(16)
    assert seconds(4_096) < 20 * seconds(16) + 0.01


def test_the_split_in_numbers() -> None:
    """Ten steps, horizon 2, the last 4 for validation: targets 1-2 ... 4-5 train, 6-7 ... 8-9 validate."""
    split = split_by_time(clock((0, 10)), horizon=2, valid_steps=4)
    assert [int(a[0]) for a in split] == [0, 1, 5, 6, 9]
    assert split.n_train == 4


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=5),
    st.integers(1, 8),
    st.integers(0, 30),
    st.integers(1, 12),
)
def test_training_and_validation_share_no_target_step_and_validation_is_later(
    lengths: list[int], horizon: int, valid_steps: int, least_context: int
) -> None:
    data = clock(*((0, n) for n in lengths))
    split = split_by_time(data, horizon, valid_steps, least_context)
    for start, end, floor, a, b, c, d in zip(data.starts, data.ends, *split, strict=True):
        assert floor == start
        train = {step for origin in range(a, b) for step in range(origin, origin + horizon)}
        valid = {step for origin in range(c, d) for step in range(origin, origin + horizon)}
        assert not train & valid and max(train, default=-1) < min(valid, default=end)
        assert all(start + least_context <= step < end for step in train | valid)
        if end - start >= least_context + horizon + valid_steps:  # room for both: every step is somebody's target
            assert (train | valid) - set(range(end - valid_steps, end)) == set(
                range(start + least_context, end - valid_steps)
            )
        if not valid:  # too short to give anything away: all of it trains
            assert len(range(a, b)) == max(end - start - least_context - horizon + 1, 0)


def test_a_split_that_shared_a_step_would_be_noticed() -> None:
    split = split_by_time(clock((0, 30)), horizon=3, valid_steps=9)
    leaky = split._replace(train_high=split.train_high + 1)
    assert leaky.train_high[0] - 1 + 3 - 1 == leaky.valid_low[0]  # the last training target is the first to validate
    assert split.train_high[0] - 1 + 3 - 1 < split.valid_low[0]


def test_drawn_windows_are_even_over_series_then_over_time_and_the_same_for_the_same_seed() -> None:
    data = clock((0, 1_000), (0, 100), (0, 3))
    split = split_by_time(data, horizon=4, valid_steps=0)
    draws = Draws(split, batch_size=2_000, steps=5, seed=7, device=CPU)
    assert len(draws) == 5
    origins, floors = (torch.cat(part).numpy() for part in zip(*draws, strict=True))
    assert set(floors) == {0, 1_000}  # the third series is too short for a window
    assert abs((floors == 0).mean() - 0.5) < 0.03
    assert abs(origins[floors == 0].mean() - (1 + 996) / 2) < 15
    assert origins[floors == 0].min() >= 1 and origins[floors == 0].max() <= 996
    assert origins[floors == 1_000].min() == 1_001 and origins[floors == 1_000].max() == 1_096
    again = torch.cat([o for o, _ in Draws(split, 2_000, 5, 7, CPU)]).numpy()
    np.testing.assert_array_equal(origins, again)
    other = torch.cat([o for o, _ in Draws(split, 2_000, 5, 8, CPU)]).numpy()
    assert (origins != other).any()


def test_stretches_are_the_first_draws_in_their_order_and_nothing_is_drawn_after_the_stop() -> None:
    draws = Draws(split_by_time(clock((0, 50)), 5, 0), batch_size=3, steps=20, seed=7, device=CPU)
    stretches = Stretches(draws, stop=11, size=4)
    parts = list(stretches)
    assert [len(part) for part in parts] == [4, 4, 3] and len(stretches) == 3
    seen = [origins.tolist() for part in parts for origins, _ in part]
    assert seen == [origins.tolist() for origins, _ in draws][:11]


def test_every_origin_comes_once_and_too_many_are_thinned_evenly() -> None:
    low, high, floors = np.array([3, 20, 50]), np.array([6, 20, 52]), np.array([0, 15, 45])
    origins, where = every_origin(low, high, floors, most=100)
    assert origins.tolist() == [3, 4, 5, 50, 51] and where.tolist() == [0, 0, 0, 45, 45]
    thin, where = every_origin(np.array([0]), np.array([1_000]), np.array([0]), most=11)
    assert len(thin) == 11 and thin[0] == 0 and thin[-1] == 999
    assert set(np.diff(thin).tolist()) <= {99, 100}
    assert len(every_origin(low, low, floors, most=5)[0]) == 0


def test_validation_windows_are_the_same_every_time_and_none_is_no_batch() -> None:
    split = split_by_time(clock((0, 200), (0, 100)), horizon=5, valid_steps=20)
    fixed = validation_windows(split, CPU)
    origins = torch.cat([o for o, _ in fixed])
    assert [len(o) for o, _ in fixed] == [4] * 8 and origins.tolist() == [*range(180, 196), *range(280, 296)]
    assert torch.equal(origins, torch.cat([o for o, _ in fixed]))
    assert len(validation_windows(split_by_time(clock((0, 20)), 5, 0), CPU)) == 0


@pytest.mark.parametrize("poison", [NAN, 1e9])
def test_a_window_scaler_never_sees_the_target(poison: float) -> None:
    data = sensors((60,))
    spoiled = data.values.copy()
    spoiled[30:] = poison
    dirty = replace(data, values=spoiled)
    for name in ("standard", "robust", "minmax", "log+standard", "seasonal_difference+standard"):
        seen = []
        for one in (data, dirty):
            windows = Windows.of(one, 14, 5)
            batch = gather(windows, [30], [0])
            encoding = Encoding.of(one, parse_transform(name, season_length=7), season=7)
            encoded = encoding.encode(batch)
            seen.append((encoded.x, encoded.base, encoded.units(torch.ones(1, 5, 1))))
        for clean, other in zip(*seen, strict=True):
            assert torch.equal(clean, other), name


def test_a_network_sees_at_what_level_a_window_lies_in_a_channel_of_its_own() -> None:
    near = sensors((40, 40))
    far = replace(near, values=near.values + 100 * np.nanstd(near.values))
    origins, floors = torch.tensor([30, 70]), torch.tensor([0, 40])
    seen = []
    for data in (near, far):
        encoding = Encoding.of(data, parse_transform("standard", season_length=7), season=7)
        seen.append(encoding.encode(Windows.of(data, 21, 7).gather(origins, floors)).x)
    torch.testing.assert_close(seen[0][:, :, :2], seen[1][:, :, :2], rtol=0, atol=1e-4)
    assert (seen[1][:, :, 2] == 1).all() and (seen[0][:, :, 2] < 1).all()


def test_what_is_held_out_is_counted_in_horizons_of_each_series_and_the_root_of_their_number() -> None:
    one, four = panel(np.zeros(100)), panel(*[np.zeros(100)] * 4)
    assert split_by_time(one, 5, 20).stretches(5) == pytest.approx(4)
    assert split_by_time(four, 5, 20).stretches(5) == pytest.approx(8)
    assert split_by_time(four, 5, 0).stretches(5) == 0
    assert split_by_time(panel(np.zeros(100), np.zeros(6)), 5, 20).stretches(5) == pytest.approx(4)  # one has no room


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 30), st.integers(1, 5))
def test_no_stretch_of_what_lies_earlier_reaches_the_step_to_forecast(
    begin: int, width: int, every: int, count: int
) -> None:
    if begin < width:
        with pytest.raises(AssertionError, match="would reach"):
            Earlier(begin, width, every, count)
        return
    earlier = Earlier(begin, width, every, count)
    assert (earlier.begins() + width <= 0).all() and earlier.steps == width * count
