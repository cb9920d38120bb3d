"""Least squares with penalties: the oracle is numpy's least squares over rows to which the penalty is added as rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tsforecast.models.penalized import solved

Floats = npt.NDArray[np.float64]
FORMS = [(constant, penalty) for constant in (True, False) for penalty in (1e-3, 1.0, 1e4)]


def rows(count: int, features: int, *, scale: float = 1.0, seed: int = 0) -> tuple[Floats, Floats]:
    """Rows whose last feature is a constant, weighted, and two targets that go up with it."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 1.0, size=(count, 1))
    x = np.hstack([scale * rng.normal(size=(count, features - 1)), np.ones((count, 1))]) * weights
    return x, x[:, :2] @ np.array([[1.0, 0.0], [0.5, -2.0]]) + 3 * weights + 0.1 * rng.normal(size=(count, 2))


def given_in(pieces: int, x: Floats, y: Floats) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for part in np.array_split(np.arange(len(x)), pieces):
        yield torch.from_numpy(x[part]), torch.from_numpy(y[part])


def expected(x: Floats, y: Floats, constant: bool, penalty: float) -> Floats:
    """Of the rows and one more for each feature, the root of the penalty times it with a target of 0."""
    features = x.shape[1] if constant else x.shape[1] - 1
    longer = np.vstack([x[:, :features], np.sqrt(penalty) * np.eye(features)])
    found = np.linalg.lstsq(longer, np.vstack([y, np.zeros((features, y.shape[1]))]))[0]
    return np.vstack([found, np.zeros((x.shape[1] - features, y.shape[1]))])


@pytest.mark.parametrize("count", [1, 7, 19, 20, 21, 400])  # fewer than 20 features, as many, more
@pytest.mark.parametrize("pieces", [1, 3])
def test_weights_are_those_of_ordinary_least_squares_over_rows_that_hold_the_penalty(count: int, pieces: int) -> None:
    x, y = rows(count, 20)
    for form, found in zip(FORMS, solved(given_in(pieces, x, y), count, FORMS), strict=True):
        np.testing.assert_allclose(found, expected(x, y, *form), rtol=1e-6, atol=1e-8)


def test_another_penalty_and_another_constant_would_be_noticed() -> None:
    x, y = rows(50, 20)
    (found,) = solved(given_in(1, x, y), 50, [(True, 1.0)])
    for other in ((True, 1.1), (False, 1.0)):
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(found, expected(x, y, *other), rtol=1e-6, atol=1e-8)


@given(st.integers(1, 30), st.integers(3, 30), st.sampled_from(FORMS), st.integers(0, 2**32 - 1))
def test_no_other_weights_have_a_smaller_error_and_penalty(
    count: int, features: int, form: tuple[bool, float], seed: int
) -> None:
    x, y = (torch.from_numpy(found) for found in rows(count, features, seed=seed))
    constant, penalty = form
    (weights,) = solved([(x, y)], count, [form])
    free = weights if constant else weights[:-1]
    seen = x if constant else x[:, :-1]
    slope = seen.T @ (seen @ free - y) + penalty * free  # half the derivative of what is made smallest
    assert float(slope.abs().max()) <= 1e-9 * (1 + float((seen.T @ y).abs().max()))


def test_without_rows_all_weights_are_zero() -> None:
    none = torch.zeros(0, 5, dtype=torch.float64), torch.zeros(0, 2, dtype=torch.float64)
    assert all(bool((found == 0).all()) and found.shape == (5, 2) for found in solved([none], 0, FORMS))


@pytest.mark.parametrize("count", [60, 300])
@pytest.mark.parametrize("scale", [1e3, 1e6, 1e9, 1e12])
def test_features_of_any_size_are_solved_and_explain_what_they_explain(count: int, scale: float) -> None:
    x, y = rows(count, 101, scale=scale)
    x[:, 3:50] = x[:, 2:3]  # and many that are the same one
    for found in solved(given_in(2, x, y), count, [(True, 1e-3), (True, 1.0)]):
        assert np.isfinite(found.numpy()).all()
        target = x[:, :2] @ np.array([[1.0, 0.0], [0.5, -2.0]])
        assert np.abs(target - x @ found.numpy()).max() <= 10 + 1e-3 * np.abs(target).max()


def test_rows_are_looked_at_once_for_all_forms() -> None:
    x, y = rows(100, 5)
    given_once = given_in(4, x, y)
    assert len(solved(given_once, 100, FORMS)) == len(FORMS)
    assert next(given_once, None) is None
