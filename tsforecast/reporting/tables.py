"""The tables of a report, as text in cells: made once, typeset as HTML and as markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tsforecast.judging.sentences import p_text
from tsforecast.reporting.advantage import Advantage
from tsforecast.reporting.findings import Findings
from tsforecast.reporting.words import column, counted, moment, number, percent, signed, visible

__all__ = [
    "Cell",
    "Table",
    "calibration_table",
    "facts_table",
    "failure_table",
    "fold_table",
    "gain_table",
    "notes_table",
    "series_table",
    "step_table",
    "summary_table",
    "undefined_table",
]

MOST_SERIES = 200
MOST_LINES = 40  # of failures, notes and undefined scores


class Cell(NamedTuple):
    """What stands in a cell; `best` marks the best value of its column or row; `under` is a smaller second line."""

    text: str
    best: bool = False
    under: str = ""


class Table(NamedTuple):
    """Heads, rows, one line on each column that needs it, and what was left out."""

    head: list[str]
    rows: list[list[Cell]]
    legend: Sequence[tuple[str, str]] = ()
    more: str = ""


def summary_table(findings: Findings) -> Table:
    """One row per model, best first. Columns without any value are left out."""
    table, rival = findings.summary, visible(findings.baseline or "", 40)
    errors = [
        (
            "MASE",
            "mase",
            "mean absolute error, divided by the mean change from season to season (or step to step) in the past",
        ),
        ("MAE", "mae", "mean absolute error, in the units of the data"),
        ("RMSE", "rmse", "root of the mean squared error, in the units of the data: large misses weigh more"),
        (
            "sMAPE",
            "smape",
            "error relative to the mean size of forecast and truth, 0 to 200: says little near 0 or below",
        ),
        (
            "WQL",
            "wql",
            "error of the nine deciles together, relative to the size of the data: judges the intervals up to 80 % too",
        ),
    ]
    scaled = "scaled " if findings.metric == "mase" else ""
    columns: list[tuple[str, list[Cell], str]] = []
    columns += [(head, _smallest(table[key]), meaning) for head, key, meaning in errors if key in table]
    if findings.baseline:
        columns[1:1] = [
            (f"error against {rival}", _gains(table),
             f"difference of the {scaled}error to {rival}, {findings.role}; negative is smaller. Below "
             "it the 95 % interval, from a bootstrap where origins are few"),
            ("verdict", _words(table, findings.baseline),
             "better or worse: a paired test over origins says so, after a correction for the number of models; "
             f"equivalent: two tests place the difference within {findings.verdict.margin:g} %; neither is given below "
             f"{findings.needed_origins} origins, unless all errors are the same. Below it the corrected p-value, and "
             "at how many origins the error is smaller"),
        ]  # fmt: skip
    for level in (80, 95):
        if f"coverage_{level}" in table:
            shares = table[f"coverage_{level}"]
            nearest = (shares - level / 100).abs()
            cells = [Cell(percent(v), v == v and d == nearest.min()) for v, d in zip(shares, nearest, strict=True)]
            columns.append(
                (f"in {level} %", cells, f"share of values inside the {level} % interval: near {level} is honest")
            )
    if (table["failed"] > 0).any():
        columns.append(("failed", [Cell(f"{v:,.0f}") for v in table["failed"]], "series × origins without a forecast"))
    seconds = table["fit_seconds"] + table["predict_seconds"]
    columns.append(("seconds", [Cell(f"{v:,.1f}") for v in seconds], "to fit and to forecast, all origins together"))
    columns = [c for c in columns if any(cell.text != "–" for cell in c[1])]
    names = [Cell(visible(m)) for m in table["model"]]
    rows = [list(row) for row in zip(names, *(cells for _, cells, _ in columns), strict=True)]
    return Table(["model", *(c[0] for c in columns)], rows, [(c[0], c[2]) for c in columns])


def _gains(table: pd.DataFrame) -> list[Cell]:
    cells = []
    columns = table[["word", "effect_percent", "low_percent", "high_percent"]]
    for word, effect, low, high in columns.itertuples(index=False):
        known = math.isfinite(low) and math.isfinite(high)
        under = f"{signed(-high)} to {signed(-low)}" if known else ""
        cells.append(Cell("–") if word == "invalid" else Cell(signed(-effect), under=under))
    return cells


def _words(table: pd.DataFrame, baseline: str) -> list[Cell]:
    cells = []
    for model, word, p, wins, n in table[["model", "word", "p_adjusted", "wins", "n_origins"]].itertuples(index=False):
        if not isinstance(word, str):
            cells.append(Cell("the benchmark" if model == baseline else "–"))
        else:
            known = [] if word == "invalid" else [p_text(p)] * (p == p) + [f"{wins:.0f} of {n:.0f}"]
            cells.append(Cell(word, under=", ".join(known)))
    return cells


def _smallest(values: pd.Series[float]) -> list[Cell]:
    """Cells of a column of errors, the smallest marked; nothing is marked where there is no choice."""
    least = values.min() if values.notna().sum() > 1 else np.nan
    return [Cell(text, bool(v == least)) for text, v in zip(column(list(values)), values, strict=True)]


def series_table(findings: Findings) -> Table:
    """One row per series, the main model's largest error first; the smallest error of each row is marked.

    The last columns are exploratory: the main model against the benchmark on each series by itself.
    """
    wide = findings.by_series.largest(findings.main, MOST_SERIES)
    more = len(findings.by_series) - len(wide)
    table = _wide(findings, wide, "series")
    left_out = (
        f"{more:,} more series, with smaller errors, are in the JSON file beside this report." if more > 0 else ""
    )
    heads, cells = _series_tests(findings, list(wide.index))
    shown = [
        [Cell(visible(name)), *row[1:], *own] for name, row, own in zip(wide.index, table.rows, cells, strict=True)
    ]
    return Table([*table.head, *heads], shown, more=left_out)


def _series_tests(findings: Findings, names: Sequence[str]) -> tuple[list[str], list[list[Cell]]]:
    """Heads and cells of the comparison on each series; none where there is one series, or no comparison."""
    tests = findings.verdict.series
    tests = tests[tests["model"] == findings.main].set_index("unique_id")
    if not findings.baseline or tests.empty or len(findings.by_series) < 2:
        return [], [[] for _ in names]
    tests = tests.reindex(list(names))
    pairs = zip(tests["effect_percent"], tests["p_adjusted"], strict=True)
    cells = [[Cell(signed(-effect)), Cell(number(p, 3) if p >= 0.001 or p != p else "< 0.001")] for effect, p in pairs]
    return [f"{visible(findings.main, 40)} against {visible(findings.baseline, 40)}", "p, corrected"], cells


def step_table(findings: Findings) -> Table:
    """Error of each model by step of the horizon."""
    return _by_model(findings, findings.by_step, "step")


def fold_table(findings: Findings) -> Table:
    """Error of each model by origin, named by its cutoff."""
    table = _by_model(findings, findings.by_fold, "fold")
    cutoffs = findings.by_fold.groupby("fold")["cutoff"].max()
    rows = [[Cell(moment(cutoff)), *row[1:]] for cutoff, row in zip(cutoffs, table.rows, strict=True)]
    return Table(["cutoff", *table.head[1:]], rows)


def gain_table(a: Advantage) -> Table:
    """Gain of one model over another by step of the horizon."""
    columns = [a.by_step[name] for name in ("gain_percent", "low_percent", "high_percent")]
    rows = [
        [Cell(str(step)), *(Cell(signed(v)) for v in row)]
        for step, *row in zip(a.by_step["step"], *columns, strict=True)
    ]
    head = f"gain over {visible(a.benchmark, 40)}"
    return Table(["step", head, "from", "to"], rows)


def _by_model(findings: Findings, scores: pd.DataFrame, by: str) -> Table:
    """Rows of `by`, a column per model, the smallest error of each row marked."""
    return _wide(findings, scores.pivot(index=by, columns="model", values=findings.metric), by)


def _wide(findings: Findings, wide: pd.DataFrame, by: str) -> Table:
    models = list(findings.summary["model"])
    wide = wide.reindex(columns=models)
    texts = [column(list(wide[m])) for m in models]
    smallest = wide.eq(wide.min(axis=1), axis=0).to_numpy() & (len(models) > 1)
    rows = [
        [Cell(str(name)), *(Cell(text[i], bool(best)) for text, best in zip(texts, smallest[i], strict=True))]
        for i, name in enumerate(wide.index)
    ]
    return Table([by, *(visible(m) for m in models)], rows)


def failure_table(failures: pd.DataFrame) -> Table:
    """Who failed where and why, equal reasons together."""
    return _grouped(failures, ["model", "reason"], ["model", "reason", "times", "for example"])


def undefined_table(undefined: pd.DataFrame) -> Table:
    """Scores without a value, equal reasons together."""
    return _grouped(undefined, ["model", "metric", "reason"], ["model", "metric", "reason", "times", "for example"])


def _grouped(table: pd.DataFrame, by: list[str], head: list[str]) -> Table:
    groups = table.groupby(by, sort=False, as_index=False).agg(
        times=("unique_id", "size"), example=("unique_id", "first")
    )
    groups = groups.sort_values("times", ascending=False, kind="stable")
    rows = [
        [Cell(f"{v:,}" if isinstance(v, int) else visible(v)) for v in row] for row in groups.itertuples(index=False)
    ]
    return _short(head, rows)


def notes_table(notes: pd.DataFrame) -> Table:
    """What models recorded, equal notes together."""
    columns = notes[["model", "note", "count"]]
    rows = [[Cell(visible(m)), Cell(visible(n)), Cell(f"{k:,}")] for m, n, k in columns.itertuples(index=False)]
    return _short(["model", "note", "times"], rows)


def _short(head: list[str], rows: list[list[Cell]]) -> Table:
    more = len(rows) - MOST_LINES
    return Table(head, rows[:MOST_LINES], more=f"{counted(more, 'more line')} in the JSON file." if more > 0 else "")


def calibration_table(findings: Findings) -> Table:
    """Observed share inside each central interval, a column per model."""
    wide = findings.calibration.pivot(index="nominal", columns="model", values="observed")
    models = [m for m in findings.summary["model"] if m in wide.columns]
    rows = [[Cell(percent(level)), *(Cell(percent(wide.loc[level, m])) for m in models)] for level in wide.index]
    return Table(["promised", *(visible(m) for m in models)], rows)


def facts_table(facts: Mapping[str, Any]) -> Table:
    """The facts of the run, nested ones spelled with dots."""
    skip = ("reading_notes", "kinds")
    rows = [[Cell(visible(k)), Cell(visible(v, 600))] for k, v in _flat(facts) if k.partition(".")[0] not in skip]
    return Table(["fact", "value"], rows)


def _flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, float):
            lines.append((prefix + key, number(value)))
        elif isinstance(value, list | tuple):
            lines.append((prefix + key, ", ".join(map(str, value)) or "none"))
        else:
            lines.append((prefix + key, "none" if value is None else str(value)))
    return lines
