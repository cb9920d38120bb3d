"""The door for data: a frame, a file, several files, an ingested or a bundled data set becomes a Panel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack, get_args

import numpy as np
import pandas as pd

from tsforecast.datasets import dataset_names, load_dataset
from tsforecast.errors import ConfigError, DataError, check_known, did_you_mean, listing
from tsforecast.ingesting.dataset import is_dataset, open_dataset
from tsforecast.panel import Panel
from tsforecast.reading.across import dates_across, read_across
from tsforecast.reading.cells import Source
from tsforecast.reading.columns import HEADER
from tsforecast.reading.delimited import Text, holds_rows, read_rows, read_table, read_text
from tsforecast.reading.frames import FrameOptions, check_options, read_frame
from tsforecast.reading.inference import season_unsaid

__all__ = ["check_columns", "check_file", "is_parquet", "read_panel"]

Data = Panel | pd.DataFrame | pd.Series | str | Path | Sequence[str | Path]
AnyLayout = Literal["auto", "long", "wide", "rows"]


def read_panel(
    data: Data,
    *,
    layout: AnyLayout = "auto",
    sep: str | None = None,
    encoding: str | None = None,
    **options: Unpack[FrameOptions],
) -> Panel:
    """A panel from whatever holds the data.

    data      a panel (returned as it is), a frame or Series, the path of a .csv, .csv.gz, .txt, .tsv or .parquet
              file, a list of paths (their rows belong together), the folder of an ingested dataset (its options were
              given then), or the name of a bundled data set
    layout    "long", "wide", or "rows" (one series on each line: its name, then its values, as in the M competitions,
              or below a header of dates); by default what is evident
    sep       delimiter of text; by default the most frequent of , ; tab | in the header
    encoding  of text; by default UTF-8, or UTF-16 where the file is marked so
    options   those of `reading.frames.read_frame`: id, time, target, freq, season_length, hist_exog, futr_exog,
              missing, date_format, na_values, decimal

    Raises DataError where there is no such file or data set and where the data cannot be used as they are (see
    `read_frame`), ConfigError for options beside a panel.
    """
    check_known("read_panel", options, FrameOptions.__annotations__)
    if layout not in get_args(AnyLayout):
        raise ConfigError(f"layout={layout!r} is not known{did_you_mean(layout, get_args(AnyLayout))}")
    if isinstance(data, Panel):
        if options or layout != "auto":
            raise ConfigError(
                f"the data are a panel already: {listing(options or ['layout'])} cannot change how it reads"
            )
        return data
    if isinstance(data, pd.DataFrame | pd.Series):
        if layout == "rows":
            raise ConfigError("layout='rows' is for text files; a frame is long or wide")
        return read_frame(data, layout=layout, **options)
    if isinstance(data, str) and data in dataset_names() and not Path(data).exists():
        return load_dataset(data, **options)
    if not isinstance(data, str | Path | list | tuple):
        raise ConfigError(f"data of type {type(data).__name__} are not read; give a panel, a frame, a path or a name")
    paths = [Path(data)] if isinstance(data, str | Path) else [Path(path) for path in data]
    if not paths:
        raise DataError("the list of files is empty")
    if len(paths) == 1 and is_dataset(paths[0]):
        return _dataset(paths[0], **({} if layout == "auto" else {"layout": layout}), **options)
    for path in paths:
        check_file(path)
    tables = [path if is_parquet(path) else read_text(path, sep, encoding) for path in paths]
    texts = [table for table in tables if isinstance(table, Text)]
    if layout in ("auto", "rows") and len(tables) == 1 and texts and dates_across(texts[0]):
        frame, source, notes = read_across(texts[0], options.pop("id", None))
        options["time"] = options.get("time") or HEADER
        panel = read_frame(frame, layout="wide", source=source, **options)
        return replace(panel, notes=(*panel.notes, *notes))
    if layout == "rows" or (layout == "auto" and len(texts) == len(tables) and all(map(holds_rows, texts))):
        if len(texts) < len(tables):
            raise ConfigError("layout='rows' is for text files; a parquet file is long or wide")
        frame, source = read_rows(texts)
        return read_frame(frame, source=source, **options)
    frame, source = _appended([_parquet(t) if isinstance(t, Path) else read_table(t) for t in tables])
    return read_frame(frame, layout=layout, source=source, **options)


def _dataset(folder: Path, season_length: int | None = None, **options: Any) -> Panel:
    """An ingested dataset: its rows have been read, only the season is still open."""
    if options:
        raise ConfigError(
            f"{folder} is an ingested dataset: {listing(options)} cannot change how it was read; ingest the files again"
        )
    check_options("error", season_length)
    panel = open_dataset(folder)
    if season_length is None:
        return panel
    notes = tuple(note for note in panel.notes if note not in season_unsaid(panel.freq, None))
    return replace(panel, season_length=season_length, notes=notes)


def check_file(path: Path) -> None:
    """DataError for a path that is no file of a type that is read."""
    if path.is_dir():
        raise DataError(f"'{path}' is a folder; give the file in it that holds the data")
    if not path.exists():
        hint = did_you_mean(str(path), dataset_names()) if path.suffix == "" and path.parent == Path() else ""
        raise DataError(f"there is no file '{path}'" + (f" and no bundled data set of that name{hint}" if hint else ""))
    if not path.is_file():
        raise DataError(f"'{path}' is not a file")
    known = (".csv", ".txt", ".tsv", ".gz", ".parquet", ".pq", ".dat", "")
    if path.suffix.lower() not in known:
        raise DataError(f"'{path}': files of type {path.suffix} are not read; give csv, csv.gz, txt, tsv or parquet")


def is_parquet(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in (".parquet", ".pq")


def _parquet(path: Path) -> tuple[pd.DataFrame, Source]:
    try:
        return pd.read_parquet(path, engine="pyarrow"), Source(path.name)
    except (OSError, ValueError) as fault:  # pyarrow's errors are ValueErrors
        raise DataError(f"{path.name}: cannot be read as parquet ({str(fault).splitlines()[0]})") from None


def check_columns(name: str, columns: Iterable[object], other: str, theirs: Iterable[object]) -> None:
    """DataError where a further file has other columns than the first."""
    differ = sorted(set(map(str, columns)) ^ set(map(str, theirs)))
    if differ:
        raise DataError(
            f"{other}: columns differ from those of {name} ({listing(differ)}); "
            "files that belong together have the same columns"
        )


def _appended(tables: list[tuple[pd.DataFrame, Source]]) -> tuple[pd.DataFrame, Source]:
    """The rows of several tables with the same columns, one below the other."""
    first, source = tables[0]
    if len(tables) == 1:
        return first, source
    for frame, other in tables[1:]:
        check_columns(source.name, first.columns, other.name, frame.columns)
    borders = np.cumsum([len(frame) for frame, _ in tables])

    def place(row: int) -> str:
        file = int(np.searchsorted(borders, row, side="right"))
        table, other = tables[file]
        return f"{other.place(row - int(borders[file]) + len(table))} of {other.name}"

    ignore = all(isinstance(frame.index, pd.RangeIndex) for frame, _ in tables)
    name = listing((other.name for _, other in tables), 3)
    return pd.concat([frame for frame, _ in tables], ignore_index=ignore), Source(name, place, source.positions)
