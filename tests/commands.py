"""The command line, run in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tsforecast.cli import main


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
