"""The command line, run in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tsforecast.cli import main

WALKS = ["=1+1", "[red]x[/red]", "ünïcode <b>&", "日本"]
"""Names of series that mean something to a shell, a spreadsheet, rich or HTML: those of the fixture `walks`."""
BASE = ("--models", "naive,drift", "--horizon", "5", "--n-windows", "3")


class Done(NamedTuple):
    """How a command ended and what it said."""

    code: Any
    out: str
    err: str


Command = Callable[..., Done]


def run_with(capsys: pytest.CaptureFixture[str]) -> Command:
    """A function that runs `tsforecast ...`."""

    def run(*argv: object) -> Done:
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in argv])
        return Done(stop.value.code, *capsys.readouterr())

    return run


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a run, without the tasks that it was made of."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "work"}
