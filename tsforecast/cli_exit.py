"""How a command ends: its exit code, and one line on stderr where something is wrong."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tsforecast.errors import TsforecastError

if TYPE_CHECKING:
    import pandas as pd
    import typer

__all__ = [
    "BUG",
    "DONE",
    "FAILURES",
    "INTERRUPTED",
    "LEAK",
    "LOCKED",
    "RESOURCES",
    "UNMET",
    "USAGE",
    "Interrupted",
    "complain",
    "complain_of_failures",
    "leave",
]

DONE, BUG, USAGE, FAILURES, RESOURCES, LOCKED, UNMET, LEAK, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130
"""FAILURES: a model failed somewhere. LOCKED: another process works there. UNMET: a --require does not hold. LEAK: the
audit found one. INTERRUPTED: by Ctrl-C; by another signal it is 128 and its number (SIGTERM 143, SIGHUP 129)."""

CODES = {"OutOfSpace": RESOURCES, "Locked": LOCKED}
"""Errors that are neither of the data nor of the options, by name: their home needs imports."""


class Interrupted(Exception):
    """Ctrl-C or another signal to end, with words on what is left of the work."""


def complain(message: str) -> None:
    """One line on stderr. Names in it may come from data: none can move the cursor or hide."""
    shown = "".join(c if c.isprintable() else f"[U+{ord(c):04X}]" for c in message)
    with suppress(OSError):  # a terminal that has gone
        print(f"tsforecast: {shown}", file=sys.stderr)


def complain_of_failures(failures: pd.DataFrame, tried: int) -> None:
    """How many forecasts are missing (`model, unique_id, reason`) of those that were tried, and the first of them."""
    first = failures.iloc[0]
    complain(
        f"{len(failures)} of {tried} forecasts failed, "
        f"first {first['model']} on series '{first['unique_id']}': {first['reason']}"
    )


def leave(app: typer.Typer, argv: list[str] | None) -> int:
    """Run the command and give its exit code, whatever happens in it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot spell is no error
    words = "nothing was written"
    with _terminable() as received:
        try:
            code = int(app(argv, standalone_mode=False) or DONE)
            sys.stdout.flush()
        except TsforecastError as error:
            complain(str(error))
            code = CODES.get(type(error).__name__, USAGE)
        except Interrupted as stop:
            words, code = str(stop), INTERRUPTED
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; so may we
            code = DONE
        except OSError as error:
            complain(f"{error.filename or 'writing'}: {error.strerror or error}; nothing was written")
            code = RESOURCES if error.errno in (errno.ENOSPC, errno.ENOMEM, errno.EDQUOT) else USAGE
        except MemoryError:
            complain("out of memory; nothing was written")
            code = RESOURCES
        except SystemExit as left:  # so Lightning answers Ctrl-C in a training, and typer a reader that has gone
            codes = {"KeyboardInterrupt": INTERRUPTED, "BrokenPipeError": DONE}
            code = codes.get(type(left.__context__).__name__, BUG)
        except Exception as error:
            code = _usage_or_bug(error)
    if code == INTERRUPTED:
        complain(f"interrupted; {words}")
        code = 128 + received[0] if received else INTERRUPTED
    return code


@contextmanager
def _terminable() -> Iterator[list[int]]:
    """SIGTERM, and SIGHUP where it is not ignored (nohup), end a command as Ctrl-C does; the list has what came."""
    received: list[int] = []

    def stop(number: int, _: Any) -> None:
        received.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    ends = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in ends if signal.getsignal(number) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _usage_or_bug(error: Exception) -> int:
    """Typer's usage errors carry their own words and code 2; anything else is a bug of ours."""
    words = getattr(error, "format_message", None)
    if words is None:
        traceback.print_exc()
        complain("this is a bug in tsforecast; please report it with the lines above")
        return BUG
    if words():  # there are none where help was printed instead
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "tsforecast"
        complain(f"{' '.join(words().split())} (see {command} --help)")
    return USAGE
