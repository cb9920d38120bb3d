"""The run folder: a finished run is there as a whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tsforecast.errors import ConfigError
from tsforecast.results import BacktestResult
from tsforecast.yaml_files import dump_yaml

__all__ = ["check_free", "write_run"]

MARK = "facts.json"  # every run has it


def check_free(out: Path, overwrite: bool) -> None:
    """Raise ConfigError where `out` cannot become a run folder, before any work is done."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError(f"--out {out}: there is a file of that name; name another folder")
    if not any(out.iterdir()):
        return
    if not (out / MARK).is_file():
        raise ConfigError(f"--out {out}: the folder is not empty and holds no run; name another folder")
    if not overwrite:
        raise ConfigError(f"--out {out}: there is a run already; name another folder, or replace it with --overwrite")


def write_run(result: BacktestResult, settings: dict[str, Any], out: Path, overwrite: bool = False) -> Path:
    """Write tables, facts, resolved config and reports, and return the path of the HTML report.

    Everything is written beside `out` first and renamed at the end, so that a crash leaves what was there.
    """
    from tsforecast.report import write_report

    check_free(out, overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        result.save(made)
        (made / "config.yaml").write_text(dump_yaml(settings), encoding="utf-8")
        write_report(result, made / "report.html")
        made.chmod(0o755)
        old = None
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
            os.replace(out, old)
        os.replace(made, out)
        if old is not None:
            shutil.rmtree(old)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return out / "report.html"
