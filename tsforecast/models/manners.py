"""What Lightning does that a library must not: notes to its user, and an end of its own to Ctrl-C and SIGTERM."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["interruptible", "silence"]


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C stays Ctrl-C: Lightning answers it by leaving the program, with the signal ignored from then on.

    And SIGTERM still ends a process: Lightning keeps it to itself and gives the training up, which is no failure of the
    model. Where the program has a handler, that has been called, and the rest is as after Ctrl-C.
    """
    before, end = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as left:
        terminated = type(left).__name__ == "SIGTERMException"  # of Lightning, which is not imported here
        if terminated and end == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, end)
            signal.raise_signal(signal.SIGTERM)
        if not (terminated or isinstance(left.__context__, KeyboardInterrupt)):
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from None


@contextmanager
def silence() -> Iterator[None]:
    """Lightning's notes about hardware and data loaders are not for the user of a library."""
    names = ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in names]
    before = [log.level for log in loggers]
    for log in loggers:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning|torch\.optim")
            yield
    finally:
        for log, level in zip(loggers, before, strict=True):
            log.setLevel(level)
