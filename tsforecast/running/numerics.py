"""What the last bits of a number depend on beside the data: threads, versions, our own code."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

from threadpoolctl import ThreadpoolController

from tsforecast import __version__

__all__ = ["PACKAGES", "numerics", "pinned", "versions"]

PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "torch", "pytorch-lightning")
"""Those that forecasts are made with."""
SWITCHES = (
    "MKL_CBWR",
    "CUBLAS_WORKSPACE_CONFIG",
    "OPENBLAS_CORETYPE",
    "ATEN_CPU_CAPABILITY",
    "NPY_DISABLE_CPU_FEATURES",
)
OURS = (
    *("contract", "covariates", "ensemble", "fields", "floor", "folds", "frequency", "maps", "panel"),
    *("scaling", "spans", "transforms", "windows", "running/answering", "running/chunks"),
)
"""Rooms that forecasts pass through, besides models: whatever these import, but for words."""
_controllers: dict[int, ThreadpoolController] = {}


def numerics(threads: int) -> dict[str, str | int]:
    """The profile under which equal tasks give equal bits."""
    found: dict[str, str | int] = {"threads": threads, "machine": f"{platform.system()} {platform.machine()}"}
    found["python"] = ".".join(platform.python_version_tuple()[:2])
    found |= versions(PACKAGES)
    found |= {name: os.environ[name] for name in SWITCHES if name in os.environ}
    return found | {"tsforecast": f"{__version__} {_own_code()[:12]}"}


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Package -> the version that is installed."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """So many threads for every matrix product inside the block.

    A sum that is shared between more threads is rounded elsewhere: the same ridge on one and on two threads differs in
    its last bits. So a task has the same number of threads wherever it runs.
    """
    controller = _controllers.get(len(sys.modules))
    if controller is None:  # modules imported since may have brought libraries with them
        _controllers.clear()
        controller = _controllers[len(sys.modules)] = ThreadpoolController()
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else threads
    with controller.limit(limits=threads):
        if torch:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


@cache
def _own_code() -> str:
    """A digest of the source that forecasts pass through."""
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for file in sorted((package / "models").rglob("*.py")):
        digest.update(file.read_bytes())
    for name in OURS:
        digest.update((package / f"{name}.py").read_bytes())
    return digest.hexdigest()
