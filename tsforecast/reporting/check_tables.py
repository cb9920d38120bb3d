"""The tables of what was done to doubt the verdict: the look-ahead audit, the placebo, the persistence check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from tsforecast.reporting.tables import Cell, Table
from tsforecast.reporting.words import column, counted, number, signed, visible

__all__ = ["audit_table", "persistence_table", "placebo_table"]

MOST_COPIES = 40


def audit_table(audit: Mapping[str, Any]) -> Table:
    """One row per model, and one for the preparation of the data: what the audit says, and the first leak."""
    parts = [(visible(name), own) for name, own in audit["models"].items()]
    if audit["preparation"] is not None:
        parts.insert(0, ("preparation of the data", audit["preparation"]))
    rows = []
    for name, own in parts:
        made = [check for check in own["checks"] if not (check["passed"] and check["where"])]  # not the excused ones
        failed = [check for check in made if not check["passed"]]
        good = Cell(f"{len(made) - len(failed)} of {len(made)} passed")
        rows.append([Cell(name), Cell(own["word"]), good, *_leak(failed[0] if failed else None)])
    head = ["model", "audit", "checks", "first leak", "column", "change of a forecast"]
    known = len(head) if any(row[3].text != "–" for row in rows) else 3  # nothing is said of leaks where there is none
    return Table(head[:known], [row[:known] for row in rows])


def _leak(check: Mapping[str, Any] | None) -> list[Cell]:
    if check is None:
        return [Cell("–") for _ in range(3)]
    size = "–" if check["leak"] is None else f"{number(check['leak'])} mean changes of its series"
    where = check["where"] or f"{check['check']}, origin {check['fold']}"
    return [Cell(visible(where, 400)), Cell(visible(check["column"]) or "–"), Cell(size)]


def placebo_table(placebo: Mapping[str, Any]) -> Table:
    """One row per copy of the data: how it was made, and the word for each model."""
    copies = placebo["copies"]
    models = [*dict.fromkeys(m for copy in copies for m in copy["words"])]
    rows = [
        [Cell(visible(c["kind"])), Cell(str(c["seed"])), Cell(visible(c["benchmark"]))]
        + [Cell(visible(c["words"].get(m, "–")), under=_effect(c["effects"].get(m))) for m in models]
        for c in copies[:MOST_COPIES]
    ]
    more = len(copies) - MOST_COPIES
    left_out = f"{counted(more, 'more copy', 'more copies')} in the JSON file." if more > 0 else ""
    return Table(["copy", "seed", "benchmark", *map(visible, models)], rows, more=left_out)


def _effect(effect: float | None) -> str:
    return "" if effect is None else signed(-effect)


def persistence_table(persistence: pd.DataFrame) -> Table:
    """One row per model: how far it is from repeating the last value."""
    rows = []
    slopes = column([None if math.isnan(v) else round(v, 3) for v in persistence["slope"]])
    for row, slope in zip(persistence.to_dict("records"), slopes, strict=True):
        known, size = not math.isnan(row["skill"]), row["size"]
        flagged = ("yes" if row["flagged"] else "no") if known else "–"
        share = f"{number(100 * size, 1 if size < 0.1 else 0)} %" if known else "–"
        near = [Cell(number(row[name], 3)) for name in ("corr_before", "corr_now")]
        rows.append([Cell(visible(row["model"])), Cell(flagged), Cell(signed(-100 * row["skill"])), Cell(share)])
        rows[-1] += [Cell(slope), *near]
    head = ["model", "repeats it", "error against it", "size of changes", "slope", "near it", "near the truth"]
    return Table(head, rows)
