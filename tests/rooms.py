"""Who may know whom: each room of the package imports only what its job needs, and nothing in it can run foreign code.

The rules read the source, so files to come are covered when they appear."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1] / "tsforecast"

TENSOR_ROOMS = (
    "windows",
    *(f"models.{room}" for room in ("answers", "choices", "combination", "encoding", "fitted_network")),
    *(f"models.{room}" for room in ("least_squares", "linear", "look_back", "recurrent", "sampling", "schedule")),
    *(f"models.{room}" for room in ("side_by_side", "sight", "task", "training", "weeks", "years")),
)
"""Rooms that may import torch when they are imported, besides those that see nothing but tensors:"""
TENSORS_ONLY = (
    *("scaling", "maps", "transforms"),
    *(f"models.{room}" for room in ("components", "filling", "losses", "nets", "penalized", "smoothing", "structural")),
)
JUDGES = (
    *("backtesting", "forecasting", "ensemble", "fold*", "results"),
    *("ingesting*", "running*", "judging*", "auditing*", "planning*"),
)
"""Rooms that know models only by their protocol."""
INSTANT = ("", "__main__", "cli*", "errors", "progress")
"""Rooms behind `import tsforecast` and `tsforecast --help`: "" is the package itself."""
HOMES = {
    "pytorch_lightning": ("models.training",),
    "lightning": (),
    "matplotlib": tuple(f"reporting.{room}" for room in ("ahead_plots", "figures", "plots", "style", "verdict_plots")),
    "statsmodels": ("models.arima*",),
    "arch": ("judging.confidence_set",),
    "loky": ("running.executors",),
    "distributed": ("running.executors",),
    "dask": (),
    "sqlite3": ("running.ledger", "running.trouble"),
    "threadpoolctl": ("running.numerics",),
}
RUNS_CODE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


class Import(NamedTuple):
    """`name` with all its dots; `when` it happens: with the module, in a call, or only for type checkers."""

    name: str
    when: str
    line: int


def sources() -> dict[str, str]:
    """Room -> its source: `panel`, `models.nets`; a package by its own name."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file.read_text(encoding="utf-8")
    return found


@cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


@cache
def imports(source: str) -> list[Import]:
    return list(_imports(parsed(source).body, "module"))


@cache
def calls(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(parsed(source)) if isinstance(node, ast.Call)]


def _imports(nodes: list[ast.AST] | list[ast.stmt], when: str) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, when, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield from (Import(f"{node.module}.{alias.name}", when, node.lineno) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from _imports(node.body, "typing")
            yield from _imports(node.orelse, when)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imports(list(ast.iter_child_nodes(node)), "call")
        else:
            if isinstance(node, ast.Call) and _called(node).split(".")[-1] in ("import_module", "__import__"):
                yield from (Import(str(a.value), when, node.lineno) for a in node.args if isinstance(a, ast.Constant))
            yield from _imports(list(ast.iter_child_nodes(node)), when)


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def top(name: str) -> str:
    return name.split(".")[0]


def among(room: str, rooms: tuple[str, ...]) -> bool:
    return any(room.startswith(r[:-1]) if r.endswith("*") else room == r for r in rooms)


def own(name: str, rooms: dict[str, str]) -> list[str]:
    """The rooms that importing `tsforecast.models.nets.SegmentRNN` runs: the package, `models` and `models.nets`."""
    parts = name.split(".")
    if parts[0] != "tsforecast":
        return []
    return [room for i in range(1, len(parts) + 1) if (room := ".".join(parts[1:i])) in rooms]


def reached(start: str, rooms: dict[str, str]) -> set[str]:
    """These rooms and every other one that importing them imports, through whatever others."""
    seen, todo = set[str](), [room for room in rooms if among(room, (start,))]
    while todo:
        if (now := todo.pop()) not in seen:
            seen.add(now)
            todo += [room for found in imports(rooms[now]) if found.when == "module" for room in own(found.name, rooms)]
    return seen


def loaded(room: str, rooms: dict[str, str]) -> set[str]:
    """Every foreign package that importing this room imports, through whatever other rooms."""
    first = own(f"tsforecast.{room}".rstrip("."), rooms)
    every = set[str]().union(*(reached(one, rooms) for one in first))
    names = {top(found.name) for one in every for found in imports(rooms[one]) if found.when == "module"}
    return names - {"tsforecast"}


def heavy_at_import(rooms: dict[str, str]) -> Iterator[str]:
    """torch is imported with rooms made of tensors only; pandas not by what `tsforecast --help` needs."""
    for room in rooms:
        foreign = loaded(room, rooms)
        if not among(room, TENSOR_ROOMS + TENSORS_ONLY):
            yield from (f"{room}: imports {name}" for name in sorted(foreign & {"torch", "pytorch_lightning"}))
        if among(room, INSTANT):
            yield from (
                f"{room}: imports {name}" for name in sorted(foreign & {"pandas", "numpy", "scipy", "pydantic"})
            )


def away_from_home(rooms: dict[str, str]) -> Iterator[str]:
    """A library with a home is imported nowhere else, not even inside a function."""
    for room, source in rooms.items():
        for found in imports(source):
            if top(found.name) in HOMES and found.when != "typing" and not among(room, HOMES[top(found.name)]):
                yield f"{room}:{found.line} imports {found.name}"


def knows_too_much(rooms: dict[str, str]) -> Iterator[str]:
    """Tensor rooms know no Panel and no pandas, the judges no model and no torch: not in a function, not for a type."""
    for room, source in rooms.items():
        for found in imports(source):
            theirs = own(found.name, rooms) or [found.name.removeprefix("tsforecast.")]
            ours = found.name.startswith("tsforecast.")
            if among(room, TENSORS_ONLY):
                wrong = (
                    not among(theirs[-1], ("errors", "fields", *TENSORS_ONLY)) if ours else top(found.name) == "pandas"
                )
            else:
                wrong = among(room, JUDGES) and (
                    theirs[-1].startswith("models") if ours else top(found.name) == "torch"
                )
            if wrong:
                yield f"{room}:{found.line} knows {found.name}"


def prints(rooms: dict[str, str]) -> Iterator[str]:
    """Only the command line prints."""
    for room, source in rooms.items():
        for node in calls(source):
            if not room.startswith("cli") and _called(node) in ("print", "sys.stdout.write"):
                yield f"{room}:{node.lineno} prints"


def runs_code(rooms: dict[str, str]) -> Iterator[str]:
    """Nothing that is opened can run code."""
    unsafe = {"eval", "exec", "torch.load", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"}
    for room, source in rooms.items():
        for found in imports(source):
            if top(found.name) in RUNS_CODE or found.name in unsafe:
                yield f"{room}:{found.line} imports {found.name}"
        for node in calls(source):
            name = _called(node)
            trusting = any(k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in node.keywords)
            if name in unsafe or name.endswith(("read_pickle", "to_pickle")) or trusting:
                yield f"{room}:{node.lineno} calls {name}"


def looks_ahead(rooms: dict[str, str]) -> Iterator[str]:
    """The ways in which a pandas one-liner takes a value from later rows."""
    for room, source in rooms.items():
        for node in calls(source):
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            values = {k.arg: ast.unparse(k.value) for k in node.keywords}
            backwards = [ast.unparse(a) for a in node.args[:1]] + [values.get("periods", "")]
            if (
                method in ("bfill", "backfill", "interpolate")
                or values.get("method") in ("'bfill'", "'backfill'")
                or values.get("center") == "True"
                or (method == "shift" and any(v.startswith("-") for v in backwards))
            ):
                yield f"{room}:{node.lineno} looks ahead: {ast.unparse(node)}"


RULES = (heavy_at_import, away_from_home, knows_too_much, prints, runs_code, looks_ahead)
