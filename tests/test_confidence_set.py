"""Which models cannot be distinguished from the best one, by arch and by the test of a verdict."""

from __future__ import annotations

import numpy as np
import pytest

from tsforecast.judging.confidence_set import confidence_set, resampled


def reference_losses() -> np.ndarray:
    """Losses made without random numbers: five models, 240 origins."""
    t = np.arange(240)
    level = (0, 0.02, 0.06, 0.12, 0.25)
    season = 1 + 0.5 * np.sin(2 * np.pi * t / 24)
    return np.stack([season + 0.6 * np.sin(t**2 * (j + 1) * 0.37 + j) + level[j] for j in range(5)], axis=1)


def test_the_confidence_set_has_the_reference_values_of_arch() -> None:
    """arch 8.0.0, blocks of 12, 10,000 resamples: p = 1, .9707, .9707, .0023, 0. The fourth is not told
    from the first by 20 origins apart and stays in the set."""
    losses = reference_losses()
    assert losses.sum() == pytest.approx(1323.306982, abs=1e-6)
    named, expected = {f"m{j}": losses[:, j] for j in range(5)}, np.array([1, 0.9707, 0.9707, 0.0023, 0])
    np.testing.assert_allclose(resampled(losses, 12, 12345, 10_000), expected, atol=1e-12)
    tolerance = 4 * np.sqrt(expected * (1 - expected) / 5000) + 1e-3
    assert (np.abs(resampled(losses, 12) - expected) < tolerance).all()
    assert confidence_set(named, overlap=12).models == ("m0", "m1", "m2", "m3")


@pytest.mark.parametrize(("n", "overlap"), [(40, 1), (40, 5)])
def test_of_equal_models_few_are_thrown_out_of_the_confidence_set(n: int, overlap: int) -> None:
    """60 draws of three moving averages; 10 of 100 are meant to be."""
    rng, thrown, alone = np.random.default_rng(n + overlap), 0, 0
    for _ in range(60):
        noise = rng.normal(size=(3, n + overlap - 1))
        losses = np.stack([np.convolve(own, np.ones(overlap), "valid") for own in noise], axis=1) + 20
        thrown += len(confidence_set({f"m{j}": losses[:, j] for j in range(3)}, overlap, resamples=500).models) < 3
        alone += bool((resampled(losses, overlap, resamples=500) <= 0.1).any())
    assert thrown <= 0.2 * 60
    assert alone > 0.2 * 60 or overlap == 1, "control"


def test_a_model_that_is_worse_by_the_same_at_every_origin_is_out_of_the_confidence_set() -> None:
    """As where all forecast a straight line: there is nothing to resample."""
    one = np.random.default_rng(0).normal(10, 1, size=40)
    assert confidence_set({"a": one, "b": one + 1, "c": one + 2}, 1) == (("a",), {"a": 1.0, "b": 0.0, "c": 0.0})
    other = np.random.default_rng(1).normal(10, 1, size=40)
    found = confidence_set({"a": one, "b": one + 1, "c": other}, 1)
    assert found.models == ("a", "c") and found.p_values["b"] == 0.0
    assert found.p_values["c"] > 0.1  # the control: that one differs from origin to origin


def test_the_confidence_set_counts_twins_once_and_is_withheld_where_it_would_prove_nothing() -> None:
    losses = reference_losses()
    named = {"a": losses[:, 0], "twin": losses[:, 0].copy(), "b": losses[:, 4]}
    found = confidence_set(named, overlap=12)
    assert found.models == ("a", "twin") and found.p_values["a"] == found.p_values["twin"] == 1
    for few in ({"a": losses[:, 0], "b": losses[:, 1]}, {k: v[:19] for k, v in named.items()}, {}):
        assert confidence_set(few, overlap=1) == ((), {})
    assert confidence_set({k: v[:100] for k, v in named.items()}, overlap=40) == ((), {})
