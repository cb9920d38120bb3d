"""How facts are put into words for people: names that cannot mislead, spans of time, moments, numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

__all__ = [
    "column",
    "counted",
    "joined",
    "moment",
    "moments",
    "number",
    "ordinal",
    "percent",
    "signed",
    "span",
    "visible",
]

_UNITS = {"us": "microsecond", "ms": "millisecond", "s": "second", "min": "minute", "h": "hour", "D": "day"}
_LARGER = {"second": ("minute", 60), "minute": ("hour", 60), "hour": ("day", 24)}
_ALIASES = (("W-", "week"), ("M", "month"), ("Q", "quarter"), ("Y", "year"))


def visible(text: object, most: int | None = 200) -> str:
    """A name or message from the data as people should see it: no invisible, control or direction-changing character,
    and no more than `most` characters (None = all)."""
    whole = str(text)
    cut = whole if most is None or len(whole) <= most else whole[:most]
    shown = cut if cut.isprintable() else "".join(c if c.isprintable() else f"[U+{ord(c):04X}]" for c in cut)
    return shown if len(cut) == len(whole) else f"{shown}… ({len(whole) - len(cut):,} more characters)"


def joined(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`; nothing for none."""
    every = list(items)
    return " and ".join([", ".join(every[:-1]), every[-1]]) if len(every) > 1 else "".join(every)


def ordinal(n: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, `11th`."""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def span(steps: int, freq: str) -> str:
    """A number of steps on a grid, in words: `24 hours`, `1 day (48 steps of 30 minutes)`, `12 months`, `5 bars`."""
    fixed = re.fullmatch(r"(\d*)(us|ms|s|min|h|D)", freq)
    if fixed:
        size, unit = int(fixed[1] or 1), _UNITS[fixed[2]]
        if size == 1:
            return counted(steps, unit)
        total, larger = size * steps, unit
        while larger in _LARGER and total % _LARGER[larger][1] == 0:
            larger, per = _LARGER[larger]
            total //= per
        return f"{counted(total, larger)} ({counted(steps, 'step')} of {counted(size, unit)})"
    if freq == "B":
        return counted(steps, "business day")
    if freq == "bars":
        return counted(steps, "bar")
    months = re.fullmatch(r"(\d+)M[ES]", freq)
    if months:
        return f"{counted(int(months[1]) * steps, 'month')} ({counted(steps, 'step')})"
    word = next((name for alias, name in _ALIASES if freq.startswith(alias)), None)
    return counted(steps, word) if word else counted(steps, "step")


def counted(n: int, word: str, plural: str = "") -> str:
    """`1 origin`, `2 origins`, `3 series`."""
    return f"{n:,} {word if n == 1 else plural or word + 's'}"


def moments(values: Iterable[Any]) -> list[str]:
    """Times for an axis: without the time of the day where that is always the same."""
    every = list(values)
    if all(isinstance(v, pd.Timestamp) for v in every) and len({v.time() for v in every}) == 1:
        return [f"{v:%Y-%m-%d}" for v in every]
    return [moment(v) for v in every]


def moment(value: Any) -> str:
    """A time without what says nothing: midnight, whole seconds, the offset of the time zone."""
    if not isinstance(value, pd.Timestamp):
        return re.sub(r"(\d\d:\d\d)(:00)?([+-]\d\d:\d\d)?$", r"\1", str(value))
    bare = value.tz_localize(None)
    if bare == bare.normalize():
        return f"{bare:%Y-%m-%d}"
    return str(bare) if bare.second or bare.microsecond else f"{bare:%Y-%m-%d %H:%M}"


def number(value: float | None, decimals: int | None = None) -> str:
    """About four significant digits, or a fixed number of decimals; a dash where there is no value."""
    if value is None or math.isnan(value):
        return "–"
    if value == 0 or math.isinf(value):
        return f"{value:g}"
    size = math.floor(math.log10(abs(value)))
    if decimals is None and not -4 <= size < 7:
        return f"{value:.3e}"
    return f"{value:,.{max(3 - size, 0) if decimals is None else decimals}f}"


def column(values: Sequence[float | None]) -> list[str]:
    """Numbers of one table column with the same decimals, so that they can be compared by eye.

    The smallest number keeps three significant digits, unless the column spans too many magnitudes for that.
    """
    finite = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if not finite:
        return [number(v) for v in values]
    low, high = (math.floor(math.log10(f(finite))) for f in (min, max))
    if high >= 7 or low < -4 or high - low > 4:
        return [number(v) for v in values]
    decimals = min(max(2 - low, 0), max(3 - high, 0) + 1)
    return [number(v, decimals) for v in values]


def percent(share: float | None) -> str:
    """A share as whole percent, with one decimal near 100."""
    if share is None or math.isnan(share):
        return "–"
    return f"{100 * share:.1f} %" if 0.985 < share < 1 else f"{100 * share:.0f} %"


def signed(value: float | None) -> str:
    """A percentage with its sign: `+3.1 %`."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:+.1f} %".replace("-", "−")
    return "0.0 %" if text[1:] == "0.0 %" else text
