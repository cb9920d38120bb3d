"""A panel as files, which every worker process maps into its memory: messages to workers are names, not data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from tsforecast.frequency import Frequency
from tsforecast.panel import Panel

__all__ = ["open_panel", "save_panel"]

ARRAYS = ("starts", "ends", "values", "times", "hist", "futr")


def save_panel(panel: Panel, folder: Path) -> Path:
    """Write a panel into a new folder."""
    folder.mkdir()
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(panel, name), allow_pickle=False)
    others = {name: getattr(panel, name) for name in ("ids", "season_length", "hist_names", "futr_names", "calendar")}
    text = json.dumps(others | {"freq": dataclasses.asdict(panel.freq)})
    (folder / "panel.json").write_text(text, encoding="utf-8")
    return folder


def open_panel(folder: Path) -> Panel:
    """The panel in a folder, its arrays left on the disk until they are read."""
    found = json.loads((folder / "panel.json").read_text(encoding="utf-8"))
    fields: dict[str, Any] = {name: _mapped(folder / f"{name}.npy") for name in ARRAYS}
    fields |= {name: tuple(found[name]) for name in ("ids", "hist_names", "futr_names", "calendar")}
    return Panel(freq=Frequency(**found["freq"]), season_length=found["season_length"], **fields)


def _mapped(path: Path) -> np.ndarray:
    """A memory map; what is empty cannot be mapped."""
    array: np.ndarray = np.load(path, mmap_mode=None if path.stat().st_size < 4096 else "r", allow_pickle=False)
    return array
