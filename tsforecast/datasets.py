"""The data sets that come with the package: real series, read without a network (see datasets/README.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tsforecast.errors import DataError, check_known, did_you_mean

if TYPE_CHECKING:
    from tsforecast.panel import Panel
    from tsforecast.reading.frames import FrameOptions

__all__ = ["DatasetInfo", "dataset_names", "list_datasets", "load_dataset"]


@dataclass(frozen=True)
class DatasetInfo:
    """What a bundled data set is.

    rows     observations in all series together, after reading
    horizon  steps that are worth forecasting
    """

    name: str
    title: str
    unit: str
    series: int
    rows: int
    frequency: str
    horizon: int
    licence: str
    source: str


def list_datasets() -> tuple[DatasetInfo, ...]:
    """Every bundled data set, by name."""
    return tuple(DatasetInfo(name, **entry["info"]) for name, entry in sorted(_index().items()))


def dataset_names() -> tuple[str, ...]:
    """Their names."""
    return tuple(sorted(_index()))


def load_dataset(name: str, **options: Unpack[FrameOptions]) -> Panel:
    """A bundled data set as a panel; `options` of `reading.frames.read_frame` go before those it is usually read with.

    Raises DataError for an unknown name.
    """
    from tsforecast.reading.delimited import read_table, read_text
    from tsforecast.reading.frames import FrameOptions, read_frame

    check_known("load_dataset", options, FrameOptions.__annotations__)
    if name not in _index():
        raise DataError(f"there is no bundled data set '{name}'{did_you_mean(name, _index())}")
    entry = _index()[name]
    table, source = read_table(read_text(_folder() / entry["file"]))
    return read_frame(table, source=source, **(entry["options"] | options))


@cache
def _index() -> dict[str, Any]:
    """name -> file, how it is read, and what is said of it."""
    entries: dict[str, Any] = json.loads((_folder() / "index.json").read_text(encoding="utf-8"))
    return entries


def _folder() -> Path:
    """Inside the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    return next(folder for folder in (here / "_datasets", here.parent / "datasets") if (folder / "index.json").exists())
