"""What can go wrong because of a user's input: one class per kind, each worth exit code 2.

A programmer's mistake is an assert, never one of these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["ConfigError", "DataError", "TsforecastError", "check_known", "did_you_mean", "listing"]


class TsforecastError(Exception):
    """The common parent; its message says what, where, how much and what to do."""


class DataError(TsforecastError):
    """The data cannot be used as they are."""


class ConfigError(TsforecastError):
    """An option, a config key or a model name cannot be used as it is."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'horizon'?` for a near miss, else the list of what is known."""
    options = list(known)
    folded = {option.lower(): option for option in options}
    close = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{folded[close[0]]}'?"
    return f"; known: {listing(options, 20)}" if options else ""


def check_known(caller: str, given: Iterable[str], known: Iterable[str], meant: Iterable[str] = ()) -> None:
    """ConfigError for the first option that is not known, with the nearest of what may be `meant` (the known)."""
    options = list(known)
    for name in given:
        if name not in options:
            raise ConfigError(f"{caller}: unknown option '{name}'{did_you_mean(name, list(meant) or options)}")


def listing(items: Iterable[object], most: int = 5) -> str:
    """The first `most` items, and how many more there are."""
    every = [str(item) for item in items]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
