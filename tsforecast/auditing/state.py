"""What a fitted model holds, number by number, and whether a recipe brings data of its own.

Objects are walked as they are: dataclass fields, attributes, mappings, sequences, arrays, tensors (known by what they
can do, so that torch is never imported here), and what a function has closed over.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import types
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.panel import Panel

__all__ = ["Leaf", "Shift", "carried", "state", "state_change"]

MOST_NODES = 200_000  # of one object; what lies beyond is not looked at
MANY = 100  # numbers that a setting may have; more are data
Array = npt.NDArray[Any]


class Leaf(NamedTuple):
    """One thing that a model holds: its digest, and its numbers where it has any."""

    digest: str
    numbers: Array | None


class Shift(NamedTuple):
    """The first thing that is different, and by how much its numbers are (None where that has no meaning)."""

    path: str
    size: float | None


def state(thing: Any, handed: Sequence[Array] = ()) -> dict[str, Leaf]:
    """path -> digest of everything that `thing` holds, such as `scaler.mean` or `nets[0].weight`.

    handed   arrays that the model was given: what shares their memory is data and no result of a fit, and reaches past
             the cutoff by itself. A Panel counts by its observed numbers for the same reason.
    """
    found: dict[str, Leaf] = {}
    for path, node in _nodes(thing):
        if (leaf := _leaf(node, handed)) is not None:
            found[path or "itself"] = leaf
    return found


def state_change(
    clean: Mapping[str, Leaf], other: Mapping[str, Leaf], but: AbstractSet[str] = frozenset()
) -> list[Shift]:
    """Where two states differ, in the order of the first; paths in `but` are left out."""
    paths = [path for path in (*clean, *(p for p in other if p not in clean)) if path not in but]
    return [
        Shift(path, _distance(clean.get(path), other.get(path)))
        for path in paths
        if path not in clean or path not in other or clean[path].digest != other[path].digest
    ]


def carried(thing: Any) -> str:
    """Which data a recipe or a function brings along, in words; empty where it brings none.

    Data are a Panel, a frame, or more than a hundred numbers: as an attribute, in a closure, on its class, or a global
    variable that its code reads (there, only frames, panels and arrays).
    """
    for path, node in _nodes(thing):
        if words := _data(node):
            return f"{path or 'it'} is {words}"
    code = [f for _, f in _nodes(thing) if isinstance(f, types.FunctionType)]
    for owner in type(thing).__mro__:
        if owner.__module__.split(".")[0] in ("builtins", "tsforecast", "typing"):
            continue
        for name, value in vars(owner).items():
            if words := _data(value):
                return f"{owner.__name__}.{name} is {words}"
            value = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if isinstance(value, types.FunctionType):
                code.append(value)
    return _read_by(code)


def _read_by(code: list[types.FunctionType]) -> str:
    """Data in the closures of functions and in the global variables they read, helpers of the same module included."""
    todo, seen = deque(code), set[int]()
    while todo:
        function = todo.popleft()
        if id(function) in seen:
            continue
        seen.add(id(function))
        for path, node in _nodes(function):
            if words := _data(node):
                return f"{function.__name__} reads {path.removeprefix('closure.')}, {words}"
        for name in _globals_of(function.__code__):
            value = function.__globals__.get(name)
            if not isinstance(value, Sequence | Mapping | AbstractSet) and (words := _data(value)):
                return f"{function.__name__} reads the global variable {name}, {words}"
            if isinstance(value, types.FunctionType) and value.__module__ == function.__module__:
                todo.append(value)
    return ""


def _globals_of(code: types.CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield str(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_of(constant)


def _data(node: Any) -> str:
    if isinstance(node, Panel | pd.DataFrame | pd.Series):
        return f"a {type(node).__name__} of {len(node)} {'series' if isinstance(node, Panel) else 'rows'}"
    array = _array(node)
    if array is not None and array.dtype.kind in "fiucM" and array.size > MANY:
        return f"an array of {array.size} numbers"
    if isinstance(node, Mapping):
        node = list(node.values())
    if isinstance(node, list | tuple | set | frozenset) and len(node) > MANY and isinstance(next(iter(node)), Number):
        return f"a collection of {len(node)} numbers"
    return ""


def _nodes(root: Any) -> Iterator[tuple[str, Any]]:
    """Everything that can be reached from `root`, each object once, by its first path."""
    todo: list[tuple[str, Any]] = [("", root)]
    seen: dict[int, Any] = {}  # keeps what it has met alive, so that no id is used twice
    while todo and len(seen) < MOST_NODES:
        path, node = todo.pop()
        if not isinstance(node, str | bytes | Number | np.generic | type(None)):
            if id(node) in seen:
                continue
            seen[id(node)] = node
        yield path, node
        todo += reversed([(f"{path}{step}".removeprefix("."), child) for step, child in _children(node)])


def _children(node: Any) -> list[tuple[str, Any]]:
    if isinstance(node, str | bytes | Number | np.generic | type | types.ModuleType | Panel):
        return []
    if isinstance(node, pd.DataFrame):
        return [(".index", node.index.to_numpy()), *((f"[{c!r}]", node[c].to_numpy()) for c in node.columns)]
    if isinstance(node, pd.Series | pd.Index):
        return [(".values", node.to_numpy())]
    if isinstance(node, np.ndarray):
        return [(f"[{i}]", v) for i, v in enumerate(node.ravel())] if node.dtype.kind == "O" else []
    if _array(node) is not None:
        return []
    if isinstance(node, Mapping):
        return [(f"[{_short(k)}]", v) for k, v in node.items()]
    if isinstance(node, list | tuple | deque):
        names = getattr(node, "_fields", ())
        return [(f".{names[i]}" if names else f"[{i}]", v) for i, v in enumerate(node)]
    if isinstance(node, set | frozenset):
        return [(f"{{{i}}}", v) for i, v in enumerate(sorted(node, key=_short))]
    if isinstance(node, functools.partial):
        return [(".func", node.func), (".args", node.args), (".keywords", node.keywords)]
    if isinstance(node, types.MethodType):
        return [(".__self__", node.__self__), (".__func__", node.__func__)]
    if isinstance(node, types.FunctionType):
        cells = zip(node.__code__.co_freevars, node.__closure__ or (), strict=True)
        defaults = [
            (".default", value) for value in (*(node.__defaults__ or ()), *(node.__kwdefaults__ or {}).values())
        ]
        return [(f".closure.{name}", _content(cell)) for name, cell in cells] + defaults
    own = [(f".{k}", v) for k, v in getattr(node, "__dict__", {}).items()]
    slots = [name for owner in type(node).__mro__ for name in _as_tuple(getattr(owner, "__slots__", ()))]
    return own + [(f".{k}", getattr(node, k)) for k in slots if k != "__dict__" and hasattr(node, k)]


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that has no value yet
        return None


def _as_tuple(slots: str | Sequence[str]) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _short(key: Any) -> str:
    return repr(key) if isinstance(key, str | bytes | Number | tuple) else type(key).__qualname__


def _array(node: Any) -> Array | None:
    """An array, or the numbers of a tensor."""
    if isinstance(node, np.ndarray):
        return node
    if isinstance(node, type) or not all(hasattr(node, name) for name in ("detach", "cpu", "numpy")):
        return None
    try:
        return np.asarray(node.detach().cpu().numpy())
    except (TypeError, RuntimeError):  # a layout or a type that numpy does not have
        return None


def _leaf(node: Any, handed: Sequence[Array]) -> Leaf | None:
    if isinstance(node, Panel):
        return Leaf(node.fingerprint(), None)
    array = _array(node)
    if array is not None:
        if array.dtype.kind == "O" or any(np.may_share_memory(array, given) for given in handed):
            return None
        digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
        return Leaf(digest.hexdigest(), array if array.dtype.kind in "fiub" else None)
    if isinstance(node, int | float | np.integer | np.floating):
        return Leaf(repr(node), np.asarray(float(node)) if abs(float(node)) < 1e300 else None)
    if isinstance(node, str | bytes | Number | np.generic | type(None)):
        return Leaf(repr(node), None)
    if isinstance(node, type | types.FunctionType | types.BuiltinFunctionType):
        return Leaf(f"{node.__module__}.{node.__qualname__}", None)
    if _children(node):
        return None
    return Leaf(type(node).__qualname__, None)


def _distance(a: Leaf | None, b: Leaf | None) -> float | None:
    if a is None or b is None or a.numbers is None or b.numbers is None or a.numbers.shape != b.numbers.shape:
        return None
    apart = np.abs(a.numbers.astype(np.float64) - b.numbers.astype(np.float64))
    apart = apart[np.isfinite(apart)]
    return float(apart.max()) if apart.size else None
