"""How dates are written: the shapes that are known, and the strptime formats that they may have."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

__all__ = ["OFFSET", "as_iso", "formats_of", "looks_like_dates", "otherwise_dated"]

_TIME = r"(?P<gap>,?[T ]+)(?P<hour>\d{1,2}):\d{2}(?P<second>:\d{2}(?P<fraction>[.]\d+)?)?(?P<half> ?[AaPp][Mm])?"
OFFSET = r"(?P<offset> ?(Z|UTC|[+-]\d{2}:?(\d{2})?))"
_YEAR = r"(?P<year>\d{4}|\d\d)"
_ISO = re.compile(rf"\d{{4}}-\d{{2}}(-\d{{2}}({_TIME}{OFFSET}?)?)?")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)[T ](\d\d):?(\d\d)(?::?(\d\d))?")
_YEAR_FIRST = re.compile(rf"\d{{4}}(?P<sep>[-/.])\d{{1,2}}(?P<day>(?P=sep)\d{{1,2}})?({_TIME}{OFFSET}?)?")
_YEAR_LAST = re.compile(rf"\d{{1,2}}(?P<sep>[-/.])\d{{1,2}}(?P=sep){_YEAR}({_TIME}{OFFSET}?)?")
_MONTH_DAY = re.compile(rf"(?P<month>[A-Za-z]{{3,9}})(?P<s1>[- ])\d{{1,2}}(?P<s2>,? |-)\d{{4}}({_TIME})?")
_DAY_MONTH = re.compile(rf"\d{{1,2}}(?P<s1>[- ])(?P<month>[A-Za-z]{{3,9}})(?P<s2>[- ]){_YEAR}({_TIME})?")
_MONTH_YEAR = re.compile(rf"(?P<month>[A-Za-z]{{3,9}})(?P<s1>[- ]){_YEAR}")
_MONTH_OF = re.compile(r"(?P<of>\d{4})M(?P<number>\d{1,2})|(?P<first>\d{1,2})[-/](?P<last>\d{4})")  # 2024M02, 02/2024
_QUARTER = re.compile(r"(?P<of>\d{4})[- ]?[Qq](?P<number>[1-4])|[Qq](?P<first>[1-4])[- ]?(?P<last>\d{4})")
_WEEK = re.compile(r"\d{4}-?W\d\d")
_SHAPES = (
    _ISO, _COMPACT, _YEAR_FIRST, _YEAR_LAST, _MONTH_DAY, _DAY_MONTH, _MONTH_YEAR, _MONTH_OF, _QUARTER, _WEEK,
)  # fmt: skip
_MONTHS = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
_ORDERS = (("%d", "%m"), ("%m", "%d"))


def looks_like_dates(sample: Iterable[object]) -> bool:
    """Whether most of a few text cells are shaped like dates."""
    texts = [str(cell).strip() for cell in sample]
    return 2 * sum(_shape(text) is not None for text in texts) > len(texts)


def _shape(text: str) -> re.Match[str] | None:
    match = next((match for shape in _SHAPES if (match := shape.fullmatch(text))), None)
    named = match is not None and "month" in match.groupdict()
    return None if match is None or (named and match["month"][:3].lower() not in _MONTHS) else match


def otherwise_dated(texts: pd.DataFrame) -> str:
    """What to do about the first column of text whose first cell may be a date of another shape; empty without one."""
    from pandas.tseries.api import guess_datetime_format

    for name in texts.columns:
        cell = str(texts[name].dropna().iloc[0]).strip()
        form = guess_datetime_format(cell) if any(map(str.isdigit, cell)) else None
        if form is not None:
            return f"if '{cell}' of column '{name}' is a time, say so with --time '{name}' --date-format '{form}'"
    return ""


def as_iso(texts: pd.Series, first: str) -> pd.Series:
    """What ISO 8601 or strptime has no words for (quarters, 2024M02, 1990/1/1 0:00) in theirs; every other text as it
    is. The first decides."""
    match = _shape(first)
    shape = None if match is None else match.re
    if shape in (_QUARTER, _MONTH_OF):
        months = 3 if shape is _QUARTER else 1

        def month(m: re.Match[str]) -> str:
            return f"{m['of'] or m['last']}-{months * int(m['number'] or m['first']) - months + 1:02d}"

        return texts.str.replace(shape, month, regex=True)
    if shape is _COMPACT:
        return texts.str.replace(
            shape, lambda m: f"{m[1]}-{m[2]}-{m[3]} {m[4]}:{m[5]}" + (f":{m[6]}" if m[6] else ""), regex=True
        )
    if shape is _WEEK:
        return texts.str.replace("-", "") + "-1"  # its Monday
    if shape not in (_YEAR_FIRST, _ISO) or (shape is _ISO and "," not in first):
        return texts
    short = re.compile(r"^(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?:,?[T ]+(\d{1,2})(?=:))?")
    return texts.str.replace(
        short,
        lambda m: f"{m[1]}-{m[2]:0>2}" + (f"-{m[3]:0>2}" if m[3] else "") + (f" {m[4]:0>2}" if m[4] else ""),
        regex=True,
    )


def formats_of(text: str) -> tuple[str, ...]:
    """The ways in which a text, and others like it, can be read once they are `as_iso`; none where it has no date's
    shape."""
    match = _shape(text)
    if match is None:
        return ()
    if match.re is _WEEK:
        return ("%GW%V-%u",)
    part = match.groupdict()
    if match.re in (_ISO, _COMPACT, _YEAR_FIRST, _MONTH_OF, _QUARTER) and not part.get("half"):
        return ("ISO8601",)
    clock = ""
    if part.get("hour"):
        clock = f"{part['gap']}{'%I' if part['half'] else '%H'}:%M" + (":%S" if part["second"] else "")
        half = " %p" if (part["half"] or "").startswith(" ") else "%p"
        clock += (".%f" if part["fraction"] else "") + (half if part["half"] else "")
    clock += "%z" if part.get("offset") else ""
    if match.re is _YEAR_FIRST or match.re is _ISO:  # with AM or PM
        return ("%Y-%m-%d" + clock.replace(part["gap"], " ", 1),)
    year = "%y" if len(part.get("year") or "") == 2 else "%Y"
    if match.re is _YEAR_LAST:
        known = _ORDERS[: 1 if part["sep"] == "." else 2]  # nobody writes the month first before a dot
        orders = [(*order, year) for order in known] + [("%y", "%m", "%d")] * (year == "%y" and part["sep"] == "-")
        return tuple(part["sep"].join(order) + clock for order in orders)
    months = ("%b", "%B") if part["month"].lower() == "may" else ("%b",) if len(part["month"]) == 3 else ("%B",)
    if match.re is _MONTH_DAY:
        return tuple(f"{month}{part['s1']}%d{part['s2']}%Y{clock}" for month in months)
    if match.re is _MONTH_YEAR:
        return tuple(f"{month}{part['s1']}{year}" for month in months)
    return tuple(f"%d{part['s1']}{month}{part['s2']}{year}{clock}" for month in months)
