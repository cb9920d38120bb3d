"""What is promised before training: the closed form against simulation, and the promise against what then comes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tsforecast.judging.compare import compare
from tsforecast.judging.foresight import foreseeable_percent, foreseen_origins, gain_spread
from tsforecast.judging.power import MIN_ORIGINS, detectable_percent


def errors(gain: float, shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Absolute errors of a benchmark, and of a model that knew as much as makes its mean error smaller by `gain`."""
    rng = np.random.default_rng(seed)
    own = (1 - gain) * rng.normal(size=shape)
    known = math.sqrt(1 - (1 - gain) ** 2) * rng.normal(size=shape)
    return np.abs(own + known), np.abs(own)


@pytest.mark.parametrize("gain", [0.02, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("steps", [1, 6])
def test_the_spread_of_a_gain_is_what_normal_errors_have(gain: float, steps: int) -> None:
    benchmark, model = (e.mean(1) for e in errors(gain, (200_000, steps)))
    share = (benchmark - model) / benchmark.mean()
    assert share.mean() == pytest.approx(gain, abs=0.005)
    assert gain_spread(gain, benchmark) == pytest.approx(share.std(), rel=0.02)


def test_no_gain_has_no_spread_and_a_whole_one_that_of_the_benchmark() -> None:
    benchmark = errors(0.0, (50_000,))[0]
    assert gain_spread(0.0, benchmark) == 0
    assert gain_spread(1.0, benchmark) == pytest.approx(benchmark.std() / benchmark.mean(), rel=0.02)


def test_the_promise_is_kept() -> None:
    """40 origins, 6 steps each: of 300 series whose model gains exactly what was promised, about 80 % are called so."""
    promises = []
    for seed in range(60):
        benchmark, model = (e.mean(1) for e in errors(0.05, (40, 6), seed))
        promises.append(foreseeable_percent(benchmark, (benchmark - model) / benchmark.mean() * 100, overlap=1))
    promise = float(np.median(promises))
    words = []
    for seed in range(300):
        benchmark, model = (e.mean(1) for e in errors(promise / 100, (40, 6), 1000 + seed))
        words.append(compare(model, benchmark, model="a", benchmark="b", horizon=1, step_size=1).word)
    assert 0.68 < np.mean([w == "better" for w in words]) < 0.9


def test_a_cheap_model_that_differs_much_makes_the_promise_more_careful() -> None:
    benchmark = errors(0.0, (40, 6))[0].mean(1)
    alike, other = (np.tile([v, -v], 20) for v in (0.1, 60.0))
    assert foreseeable_percent(benchmark, other, overlap=1) > 2 * foreseeable_percent(benchmark, alike, overlap=1)
    together = np.repeat(np.tile([0.1, -0.1], 7), 3)[:40]
    assert foreseeable_percent(benchmark, together, overlap=1) > 1.2 * foreseeable_percent(benchmark, alike, overlap=1)


@pytest.mark.parametrize("effect", [5.0, 20.0])
def test_the_origins_needed_find_the_effect_and_one_fewer_does_not(effect: float) -> None:
    benchmark, gains = errors(0.0, (40, 6))[0].mean(1), np.tile([0.1, -0.1], 20)
    n = foreseen_origins(benchmark, gains, effect, overlap=1)
    known = {"overlap": 1, "power": 0.8}
    assert foreseeable_percent(benchmark, gains, n_origins=n, **known) <= effect * 1.03
    if n > MIN_ORIGINS:
        assert foreseeable_percent(benchmark, gains, n_origins=n - 1, **known) >= effect * 0.97


def test_what_cannot_be_foreseen_is_not_promised() -> None:
    losses, gains = np.tile([1.0, 3.0], 20), np.tile([1.0, -1.0], 20)
    assert math.isnan(foreseeable_percent(losses, np.ones(40), overlap=1))
    assert foreseen_origins(losses, np.ones(40), 2, overlap=1) == 0
    assert math.isnan(foreseeable_percent(losses, gains, overlap=1, n_origins=19))
    assert foreseeable_percent(losses, np.tile([500.0, -500.0], 20), overlap=1) == math.inf


def test_losses_that_never_vary_leave_the_variance_of_the_gains() -> None:
    gains = np.tile([8.0, -8.0], 30)
    promised = foreseeable_percent(np.full(60, 100.0), gains, overlap=1)
    assert promised == pytest.approx(detectable_percent(gains, overlap=1), rel=0.03)
