"""Least squares with penalties: all that are tried from one look at the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

__all__ = ["Form", "solved"]

Form = tuple[bool, float]  # whether the last feature, a constant, has a weight; the penalty


def solved(rows: Iterable[tuple[Tensor, Tensor]], count: int, forms: list[Form]) -> list[Tensor]:
    """The weights `[F, H]` of each form, which make |Y - XW|² + penalty |W|² smallest; where it has no constant, that
    weight is 0.

    rows    X `[B, F]` and Y `[B, H]`, some at a time, `count` in all (which may be none): they are looked at once

    They are (X'X + penalty)^-1 X'Y, and X'(XX' + penalty)^-1 Y as well: with fewer rows than features the latter has
    the smaller matrix. A penalty that is less than rounding takes away from that matrix is raised to as much: one of
    1e-3 where features are hundreds of times as large as they should be.
    """
    pieces = iter(rows)
    x, y = next(pieces)
    if count < x.shape[1]:
        x, y = (torch.cat(found) for found in zip((x, y), *pieces, strict=True))
        return _of_few(x, y, forms)
    return _of_many(x, y, pieces, count, forms)


def _of_many(
    x: Tensor, y: Tensor, others: Iterator[tuple[Tensor, Tensor]], count: int, forms: list[Form]
) -> list[Tensor]:
    xx, xy = x.T @ x, x.T @ y
    for x, y in others:
        xx += x.T @ x
        xy += x.T @ y
    found = dict[Form, Tensor]()
    for penalty in {penalty for _, penalty in forms}:
        root = _root(xx, penalty, count)
        found[True, penalty] = torch.cholesky_solve(xy, root)
        found[False, penalty] = _without(torch.cholesky_solve(xy[:-1], root[:-1, :-1]))  # of the others: a part of it
    return [found[form] for form in forms]


def _of_few(x: Tensor, y: Tensor, forms: list[Form]) -> list[Tensor]:
    found = dict[Form, Tensor]()
    for constant in {constant for constant, _ in forms}:
        seen = x if constant else x[:, :-1]
        square = seen @ seen.T
        for penalty in {penalty for _, penalty in forms}:
            weights = seen.T @ torch.cholesky_solve(y, _root(square, penalty, seen.shape[1]))
            found[constant, penalty] = weights if constant else _without(weights)
    return [found[form] for form in forms]


def _without(weights: Tensor) -> Tensor:
    return torch.cat([weights, weights.new_zeros(1, weights.shape[1])])


def _root(square: Tensor, penalty: float, terms: int) -> Tensor:
    """The Cholesky factor of a matrix of sums of so many products, and a penalty: it exists where that is no less than
    rounding can take away, from the sums and in the factor (Higham 2002, theorem 10.7)."""
    size = len(square)
    digits = torch.finfo(square.dtype).eps * float(square.diagonal().max()) if size else 0.0
    root = square.clone()
    root.diagonal().add_(max(penalty, digits * (size * size + terms)))
    torch.linalg.cholesky(root, out=root)
    return root
