"""A panel as files, which every worker process maps into its memory: messages to workers are names, not data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsforecast.frequency import Frequency
from tsforecast.panel import Panel

__all__ = ["open_panel", "save_panel"]

ARRAYS = ("starts", "ends", "values", "times", "hist", "futr")
NAMES = ("ids", "hist_names", "futr_names", "calendar")


def save_panel(panel: Panel, folder: Path) -> Path:
    """Write a panel into a new folder; what is mapped from a file already is not written once more."""
    folder.mkdir()
    arrays = {}
    for name in ARRAYS:
        array = getattr(panel, name)
        place = _mapped_from(array)
        if place is None:
            array = np.ascontiguousarray(array)
            path = folder / f"{name}.bin"
            array.tofile(path)
            place = str(path.resolve()), 0
        arrays[name] = {"file": place[0], "offset": place[1], "dtype": array.dtype.str, "shape": array.shape}
    others = {name: list(getattr(panel, name)) for name in NAMES} | {"season_length": panel.season_length}
    text = json.dumps(others | {"freq": dataclasses.asdict(panel.freq), "arrays": arrays})
    (folder / "panel.json").write_text(text, encoding="utf-8")
    return folder


def open_panel(folder: Path) -> Panel:
    """The panel in a folder, its arrays left on the disk until they are read."""
    found = json.loads((folder / "panel.json").read_text(encoding="utf-8"))
    fields: dict[str, Any] = {name: _array(**place) for name, place in found["arrays"].items()}
    fields |= {name: tuple(found[name]) for name in NAMES}
    return Panel(freq=Frequency(**found["freq"]), season_length=found["season_length"], **fields)


def _array(file: str, offset: int, dtype: str, shape: list[int]) -> npt.NDArray[Any]:
    if 0 in shape:  # nothing cannot be mapped
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "r", offset, tuple(shape))


def _mapped_from(array: npt.NDArray[Any]) -> tuple[str, int] | None:
    """The file that an array is mapped from and where in it the array begins, or None."""
    root: Any = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not (isinstance(root, np.memmap) and root.filename and array.flags.c_contiguous and array.size):
        return None
    begin = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return str(Path(root.filename).resolve()), int(root.offset + begin)
