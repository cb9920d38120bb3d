"""The run folder: a finished run is there as a whole, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

from tsforecast.errors import ConfigError, listing
from tsforecast.results import TABLES, BacktestResult
from tsforecast.yaml_files import dump_yaml

__all__ = ["check_free", "write_run"]

REPORT = "report.html"
FILES = {*(f"{name}.parquet" for name in TABLES), "facts.json", "config.yaml", REPORT, "report.md", "report.json"}
MARKS = ("facts.json", "config.yaml", "forecasts.parquet")  # a folder with these is a run


def check_free(out: Path, overwrite: bool) -> None:
    """Raise ConfigError where `out` cannot become a run folder, before any work is done."""
    found = out.resolve()
    above = next(folder for folder in found.parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError(f"--out {out}: nothing can be written in '{above}'; name another folder")
    if not found.exists():
        return
    if not found.is_dir():
        raise ConfigError(f"--out {out}: there is a file of that name; name another folder")
    names = {path.name for path in found.iterdir()}
    if not names:
        return
    if not names.issuperset(MARKS):
        raise ConfigError(f"--out {out}: the folder is not empty and holds no run; name another folder")
    if not overwrite:
        raise ConfigError(f"--out {out}: there is a run already; name another folder, or replace it with --overwrite")
    foreign = sorted(name for name in names - FILES if not name.startswith("."))
    if foreign:
        raise ConfigError(
            f"--out {out}: not replaced, since it also holds what no run writes ({listing(foreign)}); "
            "move that away, or name another folder"
        )


def write_run(result: BacktestResult, settings: dict[str, Any], out: Path, overwrite: bool = False) -> Path:
    """Write tables, facts, resolved config and reports, and return the path of the HTML report.

    Everything is written beside `out` first and renamed at the end, so that a crash leaves what was there.
    """
    from tsforecast.reporting.report import write_report

    check_free(out, overwrite)
    place = out.resolve()  # where `out` is a link, what it leads to is replaced
    place.parent.mkdir(parents=True, exist_ok=True)
    made, old = (place.with_name(f".{place.name}.{uuid4().hex[:12]}.{word}") for word in ("part", "old"))
    try:
        made.mkdir()
        result.save(made)
        (made / "config.yaml").write_text(dump_yaml(settings), encoding="utf-8")
        write_report(result, made / REPORT)
        if place.exists():
            os.replace(place, old)
        os.replace(made, place)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        if old.exists() and not place.exists():
            os.replace(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)
    return out / REPORT
