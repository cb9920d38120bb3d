"""How a command ends: its exit code, and one line on stderr where something is wrong."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from typing import TYPE_CHECKING

from tsforecast.errors import TsforecastError

if TYPE_CHECKING:
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
    "complain",
    "leave",
]

DONE, BUG, USAGE, FAILURES, RESOURCES, LOCKED, UNMET, LEAK, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130
"""FAILURES: a model failed somewhere. UNMET: a --require does not hold. LEAK: the audit found one. LOCKED: to come."""


def complain(message: str) -> None:
    """One line on stderr. Names in it may come from data: none can move the cursor or hide."""
    shown = "".join(c if c.isprintable() else f"[U+{ord(c):04X}]" for c in message)
    print(f"tsforecast: {shown}", file=sys.stderr)


def leave(app: typer.Typer, argv: list[str] | None) -> int:
    """Run the command and give its exit code, whatever happens in it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot spell is no error
    try:
        code = int(app(argv, standalone_mode=False) or DONE)
        sys.stdout.flush()
    except TsforecastError as error:
        complain(str(error))
        code = USAGE
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
        complain("interrupted; nothing was written")
    return code


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
