"""What a task's answer depends on, as one number: equal keys, equal bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType
from typing import Any

import numpy as np

from tsforecast.contract import Forecaster
from tsforecast.folds import Fold
from tsforecast.spans import pieces_of

__all__ = ["digest_of", "model_settings", "task_key"]

FORMAT = 3
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def model_settings(recipe: Forecaster) -> dict[str, Any]:
    """What a recipe is made of: its class and its settings; of a class that is not ours also its code."""
    kind: type[Any] = type(recipe)
    found: dict[str, Any] = {"class": f"{kind.__module__}.{kind.__qualname__}"}
    if dataclasses.is_dataclass(kind):
        found |= {field.name: _plain(getattr(recipe, field.name)) for field in dataclasses.fields(kind)}
    else:
        found |= {name: _plain(value) for name, value in sorted(vars(recipe).items())}
    if not kind.__module__.startswith("tsforecast."):
        found["code"] = digest_of([line for own in kind.__mro__[:-1] for line in _code(vars(own))])[:12]
    return found


def task_key(model: str, group: Sequence[Fold]) -> str:
    """The key of a task: sha256 over the model, the layout of its folds, and the data up to the last cutoff.

    model   a digest of the model's settings and of the numerics
    group   the folds of one fit, for the task's series alone (see `chunks.chunk`)

    What comes after the last cutoff is not in it, but for covariates that are known ahead.
    """
    panel, plan, last = group[0].panel, group[0].plan, group[-1]
    layout = {
        "format": FORMAT,
        "model": model,
        "horizon": plan.horizon,
        "gap": plan.gap,
        "train_size": plan.train_size,
        "freq": repr(panel.freq),
        "season_length": panel.season_length,
        "covariates": [panel.hist_names, panel.futr_names, panel.calendar],
        "ids": tuple(panel.ids),
    }
    digest = hashlib.sha256(json.dumps(layout, sort_keys=True).encode())
    for fold in group:
        for numbers in (fold.known, fold.learners, fold.rows):
            digest.update(np.ascontiguousarray(numbers, dtype=np.int64).tobytes() + b";")
    ahead = np.minimum(last.ends + plan.reach, panel.ends)
    known = [(array, last.ends) for array in (panel.times, panel.values, panel.hist)]
    for array, ends in [*known, (panel.futr, ahead)]:
        for piece in pieces_of(array, panel.starts, ends):
            digest.update(piece.tobytes())
    return digest.hexdigest()


def digest_of(value: Any) -> str:
    """sha256 of anything that JSON can say."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A setting as JSON can say it; an object that is no recipe by its type and what it holds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    if value is None or isinstance(value, str | int | float):
        return value
    if hasattr(value, "__code__"):
        return digest_of(list(_code({"": value})))
    return ADDRESS.sub("", repr(value))


def _code(names: Mapping[str, Any]) -> Iterator[str]:
    """The functions among these, in words that change when they do."""
    for name, value in sorted(names.items()):
        function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        found = getattr(function, "__code__", None)
        if isinstance(found, CodeType):
            yield from _spelled(name, found)
            yield ADDRESS.sub("", repr(getattr(function, "__defaults__", None)))
            yield from (ADDRESS.sub("", repr(cell.cell_contents)) for cell in _cells(function))


def _cells(function: Any) -> list[Any]:
    """What a function has from around it, where that is set already."""
    cells = getattr(function, "__closure__", None) or ()
    return [cell for cell in cells if cell != type(cell)()]


def _spelled(name: str, code: CodeType) -> Iterator[str]:
    yield f"{name} {code.co_code.hex()} {code.co_names}"
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _spelled(name, constant)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant)
