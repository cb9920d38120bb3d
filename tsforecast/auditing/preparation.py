"""The user's own preparation of the data, audited: nothing after a cutoff may move what it makes of the past."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tsforecast.auditing.answers import reason
from tsforecast.auditing.findings import EXCUSED, Check, ModelAudit, amount, differs, excuse, leaks, passed
from tsforecast.auditing.state import carried
from tsforecast.auditing.worlds import UNEVEN, Poison, World, Worlds, ends_at
from tsforecast.panel import Panel

__all__ = ["audit_preparation"]

NAME = "prepare"
ROUNDING = 1e-12  # of a column's largest number


def audit_preparation(worlds: Worlds, again: World, sampled: Sequence[int], changes: Sequence[Poison]) -> ModelAudit:
    """Prepare the data again and again, each time with another future, and compare what is known at the cutoff.

    again   the data prepared a second time
    """
    if data := carried(worlds.prepare):
        sentence = (
            f"{NAME} is not auditable: {data}, and not from the panel that it is given, so what it makes does not "
            "change with the data; let it use its argument alone."
        )
        return ModelAudit(NAME, "not auditable", False, sentence)
    clean = worlds.clean.panel
    if found := first_change(clean, again.panel):
        sentence = (
            f"{NAME} is not repeatable: running it twice on the same data changed {found[0]}, so nothing is proven."
        )
        return ModelAudit(
            NAME, "not repeatable", False, sentence, (Check("repeat", "all", sampled[0], False, found[1], found[0]),)
        )
    checks = [_check(worlds, worlds.clean, poison, number) for poison in changes for number in sampled]
    for name in ("y", *worlds.raw.hist_names):
        for number in sampled:
            base = worlds.after(Poison("gap", name), number)
            if isinstance(base, World):  # else it takes no missing values, and there is nothing it could fill
                checks.append(_check(worlds, base, Poison("gap, noise", name), number))
    if all(check.passed for check in checks):
        return passed(NAME, checks, " of what it makes of the past")
    return leaks(NAME, checks)


def _check(worlds: Worlds, base: World, poison: Poison, number: int) -> Check:
    """Compare what is known at a cutoff in the base world and in the poisoned one."""
    phrase = poison.phrase(worlds.clean.folds[number])
    other = worlds.after(poison, number)
    if isinstance(other, Exception):
        if poison.check in EXCUSED:
            where = excuse(NAME, poison.check, reason(other))
            return Check(poison.check, poison.column, number, True, None, where)
        return Check(poison.check, poison.column, number, False, None, f"{phrase} made it fail ({reason(other)})")
    # where numbers are missing, or rows, pandas and matrix products may round the others differently: no bit of that
    # is knowledge of the future, and what is shows with noise
    found = known_change(base, other, number, ROUNDING if poison.check in UNEVEN else 0.0)
    if found is None:
        return Check(poison.check, poison.column, number, True)
    return Check(poison.check, poison.column, number, False, found[1], f"{phrase} changed {found[0]}")


def known_change(base: World, other: World, number: int, rounding: float) -> tuple[str, float | None] | None:
    """What is different of all that is known at a cutoff, in words, and its size; None where no bit is."""
    fold = base.fold(number)
    begun = np.flatnonzero(fold.ends > fold.panel.starts)
    past, row = fold.panel.take(begun).cut(fold.ends[begun]), {name: i for i, name in enumerate(other.panel.ids)}
    if gone := [name for name in past.ids if name not in row]:
        return f"the series: '{gone[0]}' is gone", None
    rows = np.array([row[name] for name in past.ids], dtype=np.int64)
    if found := first_change(past, other.panel.take(rows).cut(ends_at(other.panel, fold)[rows]), rounding):
        return found
    one, two = (world.view(number, fold.ids).future for world in (base, other))
    for k, name in enumerate(one.futr_names):
        a, b = one.futr[:, :, k], two.futr[:, :, k]
        if (off := differs(a, b)).any():
            i, h = (int(v) for v in np.argwhere(off)[0])
            size, leak = amount(float(np.nanmax(np.abs(a - b))), _unit(past, i, name))
            return f"'{name}' of series '{one.ids[i]}' {h + 1} steps ahead, where it is declared known{size}", leak
    return None


def first_change(a: Panel, b: Panel, rounding: float = 0.0) -> tuple[str, float | None] | None:
    """The first column in which two panels differ, in words, and its largest change; None where no bit differs.

    rounding   differences up to this share of a column's largest number count as none
    """
    if a.ids != b.ids:
        return f"the series: {len(a)} became {len(b)}", None
    for what in ("freq", "season_length", "hist_names", "futr_names"):
        one, two = getattr(a, what), getattr(b, what)
        if one != two:
            return f"{what}: {getattr(one, 'name', one)} became {getattr(two, 'name', two)}", None
    if (uneven := np.flatnonzero(a.lengths != b.lengths)).size:
        i = int(uneven[0])
        return f"the rows of series '{a.ids[i]}': {a.lengths[i]} became {b.lengths[i]}", None
    rows, others = (np.concatenate([np.arange(x, y) for x, y in zip(p.starts, p.ends, strict=True)]) for p in (a, b))
    ends = np.cumsum(a.lengths)
    if (off := a.times[rows] != b.times[others]).any():
        return f"the times of series '{a.ids[int(np.searchsorted(ends, off.argmax(), side='right'))]}'", None
    for name, x, y in zip(_names(a), _columns(a, rows), _columns(b, others), strict=True):
        noticed = ~(np.abs(x - y) <= rounding * np.max(np.abs(x), initial=0.0, where=np.isfinite(x)))
        if (off := differs(x, y) & noticed).any():
            row = int(off.argmax())
            i = int(np.searchsorted(ends, row, side="right"))
            apart = np.abs(x - y)[off]
            size, leak = amount(
                float(np.max(apart[np.isfinite(apart)], initial=np.nan_to_num(apart[0]))), _unit(a, i, name)
            )
            return f"'{name}' of series '{a.ids[i]}' at {a.freq.show(a.times[rows[row]])}{size}", leak
    return None


def _names(panel: Panel) -> tuple[str, ...]:
    return ("y", *panel.hist_names, *panel.futr_names)


def _columns(panel: Panel, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.float64]]:
    return [panel.values[rows], *panel.hist[rows].T, *panel.futr[rows].T]


def _unit(panel: Panel, i: int, name: str) -> float:
    """The mean absolute change of a column of series i."""
    rows = np.arange(panel.starts[i], panel.ends[i])
    steps = np.abs(np.diff(_columns(panel, rows)[_names(panel).index(name)]))
    steps = steps[np.isfinite(steps)]
    return float(steps.mean()) if steps.size else np.nan
