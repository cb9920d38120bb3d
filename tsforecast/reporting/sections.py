"""Everything below the summary of a report: its parts in order, each with how to read it, figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tsforecast.reporting import check_tables, figures, tables
from tsforecast.reporting.figures import Drawing, Figure
from tsforecast.reporting.findings import Findings
from tsforecast.reporting.tables import Table
from tsforecast.reporting.words import joined, visible

__all__ = ["Section", "sections"]

MOST_NOTES = 20  # reading notes


class Section(NamedTuple):
    """One part of the report: a heading, how to read it, pictures and tables.

    folded  the tables are behind a line to click; prose: their cells hold words, not numbers
    """

    name: str
    title: str
    text: list[str]
    tables: Sequence[Table] = ()
    folded: bool = False
    prose: bool = False
    figures: Sequence[Figure] = ()


def sections(f: Findings, drawing: Drawing | None = None) -> list[Section]:
    """All parts that have content, in order. Figures are drawn where there is a `drawing`."""
    notes = list(f.facts.get("reading_notes", []))
    every = [
        _failures(f),
        *_verdict(f, drawing),
        *_scores(f, drawing),
        *_checks(f),
        _series(f),
        Section(
            "notes", "What the models recorded", [], [tables.notes_table(f.notes)] if len(f.notes) else [], prose=True
        ),
        Section(
            "undefined",
            "Scores without a value",
            [
                "They are missing from the average of that score, and from no other. WAPE and WQL are ratios of sums, "
                "in which an origin without any size still counts with its error."
            ],
            [tables.undefined_table(f.undefined)] if len(f.undefined) else [],
            prose=True,
        ),
        Section("reading", "How the data were read", [visible(note, 400) for note in notes[:MOST_NOTES]]),
        Section("run", "The run", [], [tables.facts_table(f.facts)], prose=True),
    ]
    return [s for s in every if s.tables or s.figures or (s.name in ("reading", "audit") and s.text)]


def _failures(f: Findings) -> Section:
    n = int(f.summary["n"].max())
    scored = f"{n:,} of {f.n_tasks:,} series × origins are scored."
    why = "Where a model failed, the other models are not scored either, so that none gains by failing: "
    if n == f.n_tasks:
        why = "A model that failed everywhere has no scores, and takes none from the others: "
    found = [tables.failure_table(f.failures)] if len(f.failures) else []
    return Section("failures", "Failures", [why + scored], found, prose=True)


def _verdict(f: Findings, drawing: Drawing | None) -> list[Section]:
    """When the main model wins, and whether a network is more than the last value."""
    sentences = f.persistence.set_index("model")["sentence"]
    return [
        Section(
            "when",
            f"When does {visible(f.main, 60)} win?",
            [
                "Its gain in percent of the opponent's mean error: above 0 it is the better one. By origin: a bar for "
                "each, of the mean error of all; the line is the mean so far. By step of the horizon: the band is the "
                "95 % interval of each step by itself (none below 8 origins that do not overlap); the luck of training "
                "is in the verdict alone."
            ],
            [tables.gain_table(a) for a in f.advantages],
            folded=True,
            figures=_gains(f, drawing),
        ),
        Section(
            "persistence",
            "Is it more than the last value?",
            [visible(sentences[m], 600) for m in f.networks]
            + [
                "Across: how far the series went from the last value before the cutoff. Up: how far the network said "
                "it would go, in the same units (mean absolute change of the series). On the thin line every change "
                "is foreseen; the thick line is the slope. A copy of the last value lies flat."
            ],
            [check_tables.persistence_table(f.persistence)] if f.networks else [],
            folded=True,
            figures=figures.change_figures(f, drawing) if drawing and f.networks else (),
        ),
    ]


def _gains(f: Findings, drawing: Drawing | None) -> Sequence[Figure]:
    """The gains are drawn where there is a gain at all."""
    known = [a for a in f.advantages if a.by_origin["gain_percent"].notna().any()]
    return figures.gain_figures(f, drawing) if drawing and known else ()


def _scores(f: Findings, drawing: Drawing | None) -> list[Section]:
    error = f.metric.upper()
    return [
        Section(
            "where",
            "Where the error is",
            [f"{error} by step of the horizon, and by origin. A line that leaves the frame is far larger."],
            [tables.step_table(f), tables.fold_table(f)],
            folded=True,
            figures=figures.error_figures(f, drawing) if drawing and f.summary[f.metric].notna().any() else (),
        ),
        Section(
            "intervals",
            "Are the intervals honest?",
            [
                "As many of the observed values should lie inside an interval as it promises. Below the diagonal "
                "intervals are too narrow: the model is too sure of itself. Above it they are wider than need be."
            ],
            [tables.calibration_table(f)] if len(f.calibration) else [],
            folded=True,
            figures=[figures.calibration_figure(f, drawing)] if drawing and len(f.calibration) else (),
        ),
        Section(
            "training",
            "Training of the networks",
            [
                "Loss on what the network learns from (faint) and on the later part of the training time, which it "
                "does not learn from (full); a line per fit and seed."
            ],
            figures=[figures.curves_figure(f, drawing)] if drawing and len(f.curves) else (),
        ),
    ]


def _checks(f: Findings) -> list[Section]:
    """The look-ahead audit and the placebo, or how to have them."""
    how = (
        "Everything after a cutoff was replaced by noise, by nothing and by huge numbers, and cut off; then each "
        "covariate by itself. Forecasts, intervals and chosen settings had to stay the same to the last bit, and a "
        "change of the past had to change them."
    )
    off = "This run was not audited. Run it with --audit (audit=True), or the audit alone with tsforecast audit."
    placebo = (
        "The same backtest on copies of the data. In random walks and in block-shuffled changes there is nothing to "
        "find, phase-randomised copies keep what the autocorrelation tells, and in one copy a pattern was planted. "
        "With the word: the difference of the error to the benchmark."
    )
    return [
        Section(
            "audit",
            "Look-ahead audit",
            [how] if f.audit else [off],
            [check_tables.audit_table(f.audit)] if f.audit else [],
            prose=True,
        ),
        Section(
            "placebo",
            "Placebo",
            [placebo, visible(f.placebo["sentence"], 600)] if f.placebo else [],
            [check_tables.placebo_table(f.placebo)] if f.placebo else [],
            prose=True,
        ),
    ]


def _series(f: Findings) -> Section:
    table = tables.series_table(f)
    text = (
        f"{f.metric.upper()} of each series over all origins, the largest error of {visible(f.main)} first. {_wins(f)}"
    )
    if "p, corrected" in table.head:
        text += (
            " The last two columns are exploratory: a test on each series by itself, p-values corrected for the "
            "number of series (Benjamini and Hochberg). The verdict is on all series together."
        )
    return Section("series", "Error by series", [text], [table])


def _wins(f: Findings) -> str:
    """Which model has the smallest error on how many series."""
    wins = f.by_series.wins()
    if not wins or len(f.by_series) == 1:
        return ""
    return f"The smallest error is that of {joined(f'{visible(m)} on {k:,}' for m, k in wins)}."
