"""Two answers of a model to the same question, compared down to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tsforecast.auditing.findings import amount, differs
from tsforecast.contract import Forecast
from tsforecast.folds import Fold

__all__ = ["Answer", "Difference", "difference", "reason"]

Answer = Forecast | Exception
"""What a model says of a fold, or why it says nothing."""


class Difference(NamedTuple):
    """What changed, in words, and how much in mean changes of the series."""

    words: str
    leak: float | None = None


def reason(error: Exception) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"


def difference(clean: Answer, other: Answer, fold: Fold) -> Difference | None:
    """What is different between two answers to one fold, down to the last bit; None where nothing is."""
    if isinstance(clean, Exception):
        if isinstance(other, Exception):
            return None
        return Difference(f"made it answer, where it fails otherwise ({reason(clean)})")
    if isinstance(other, Exception):
        return Difference(f"made it fail ({reason(other)})")
    if clean.ids != other.ids or clean.levels != other.levels:
        return Difference("changed which series or quantiles it answers")
    horizon = fold.plan.horizon or fold.plan.reach
    a, b = (np.concatenate([x.point[:, :, None], x.quantiles], axis=2)[:, -horizon:] for x in (clean, other))
    off = differs(a, b)
    if off.any():
        off[:, :, 1:] &= not off[:, :, 0].any()  # a quantile is named where no point forecast is other
        known = dict(zip(fold.ids, fold.history.mean_change(1), strict=True))
        units = np.array([known.get(name, np.nan) for name in clean.ids])
        scaled = np.abs(a - b) / np.where(units > 0, units, 1.0)[:, None, None]
        scaled = np.where(off, np.nan_to_num(scaled, nan=np.inf), -1.0)
        i, h, q = (int(v) for v in np.unravel_index(scaled.argmax(), scaled.shape))
        what = "forecast" if q == 0 else f"{clean.levels[q - 1]} quantile"
        size, leak = amount(float(np.abs(a - b)[i, h, q]), float(units[i]))
        return Difference(f"changed its {what} of series '{clean.ids[i]}' at step {h + 1}{size}", leak)
    for what in ("failures", "notes"):
        one, two = getattr(clean, what), getattr(other, what)
        if one != two:
            gone, new = ([item for item in x if item not in y][:1] for x, y in ((one, two), (two, one)))
            return Difference(f"changed its {what}: {_said(gone)} became {_said(new)}")
    return None


def _said(items: Sequence[Any]) -> str:
    return f"'{': '.join(filter(None, items[0]))}'" if items else "nothing"
