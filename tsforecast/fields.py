"""Options are checked against the types that they are declared with, which Python itself does not do, and made plain.

A mistyped option is otherwise noticed far from where it was given, or never.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from tsforecast.errors import ConfigError

__all__ = ["plain_fields", "plain_value"]

UNFIT: Any = object()
WORDS = {int: "a whole number", float: "a finite number", bool: "true or false", str: "a text"}
MANY = {int: "whole numbers", float: "finite numbers", str: "texts"}


def plain_fields(made: Any, name: str = "") -> None:
    """The fields of a frozen dataclass as `plain_value` gives them; `name` stands before theirs in what is raised."""
    before = f"{name}." if name else ""
    for field, declared in _declared(made.__class__):
        object.__setattr__(made, field, plain_value(before + field, getattr(made, field), declared))


def plain_value(place: str, value: Any, declared: Any) -> Any:
    """The value of an option as its type is declared: whole and other numbers of numpy become Python's, lists tuples.

    Raises ConfigError naming the place, the value and what is expected.
    """
    plain = _as(value, declared)
    if plain is UNFIT:
        raise ConfigError(f"{place}={value!r}: expected {_spelled(declared)}")
    return plain


@cache
def _declared(schema: Any) -> list[tuple[str, Any]]:
    hints = get_type_hints(schema)
    return [(field.name, hints[field.name]) for field in dataclasses.fields(schema)]


def _as(value: Any, declared: Any) -> Any:
    """The value, plain, or UNFIT. A boolean is no number, and no number is a boolean."""
    origin, inside = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        return next((plain for one in inside if (plain := _as(value, one)) is not UNFIT), UNFIT)
    if origin is Literal:
        return value if isinstance(value, str) and value in inside else UNFIT
    if origin is tuple:
        return _items(value, inside)
    if declared in PLAIN:
        return PLAIN[declared](value)
    return value if isinstance(value, declared) else UNFIT


def _items(value: Any, declared: tuple[Any, ...]) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return UNFIT
    items = list(value)
    each = declared[:1] * len(items) if declared[-1] is ... else declared
    if len(each) != len(items):
        return UNFIT
    found = tuple(_as(item, one) for item, one in zip(items, each, strict=True))
    return UNFIT if any(item is UNFIT for item in found) else found


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Integral):
        return UNFIT
    return int(value)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        return UNFIT
    return float(value)


PLAIN: dict[Any, Callable[[Any], Any]] = {
    NoneType: lambda value: None if value is None else UNFIT,
    bool: lambda value: bool(value) if isinstance(value, bool | np.bool_) else UNFIT,
    int: _whole,
    float: _number,
    str: lambda value: str(value) if isinstance(value, str) else UNFIT,
}


def _spelled(declared: Any) -> str:
    origin, inside = get_origin(declared), get_args(declared)
    if origin in (Union, UnionType):
        return " or ".join(_spelled(one) for one in inside)
    if origin is Literal:
        return "one of " + ", ".join(inside)
    if origin is tuple:
        count = "" if inside[-1] is ... else f"{len(inside)} "
        return f"a list of {count}{MANY[inside[0]]}"
    if declared is NoneType:
        return "None"
    return WORDS.get(declared) or declared.__name__
