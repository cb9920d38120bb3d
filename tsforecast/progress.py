"""How far the current task is, told to whoever listens: library code prints nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["listening", "part", "report"]

_listener: ContextVar[Callable[[float], None] | None] = ContextVar("tsforecast_progress", default=None)


def report(fraction: float) -> None:
    """Say that `fraction` (0 to 1) of the current task is done. Without a listener nothing happens."""
    listener = _listener.get()
    if listener is not None:
        listener(min(max(fraction, 0.0), 1.0))


@contextmanager
def listening(listener: Callable[[float], None] | None) -> Iterator[None]:
    """Hear every `report` made inside the block, in this thread."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def part(low: float, high: float) -> Iterator[None]:
    """Work inside the block is the stretch from `low` to `high` of the current task. With 0 and 0 it counts for
    nothing, but whoever listens hears that it goes on."""
    listener = _listener.get()
    inner = None if listener is None else lambda fraction: listener(low + (high - low) * fraction)
    with listening(inner):
        yield
