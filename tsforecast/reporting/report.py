"""The report: one offline HTML file, and the same as markdown and JSON beside it.

Every name and message from the data is untrusted: control characters are made visible, then the templates escape
whatever they print, and the HTML forbids scripts and requests by its content security policy.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tsforecast.errors import ConfigError
from tsforecast.reporting import plots, tables
from tsforecast.reporting.findings import Findings, find
from tsforecast.reporting.words import joined, visible
from tsforecast.results import BacktestResult

__all__ = ["render_html", "render_markdown", "report_data", "write_report"]

MOST_NOTES = 20  # reading notes


class Figure(NamedTuple):
    """A picture in the page: `src` holds all of it, `alt` says what it shows, `width` is in CSS pixels."""

    src: Markup
    width: int
    alt: str
    caption: str


class Section(NamedTuple):
    """One part of the report: a heading, how to read it, pictures and tables.

    folded  the tables are behind a line to click; prose: their cells hold words, not numbers
    """

    name: str
    title: str
    text: list[str]
    tables: Sequence[tables.Table] = ()
    folded: bool = False
    prose: bool = False
    figures: Sequence[Figure] = ()


def write_report(result: BacktestResult, path: Path) -> Path:
    """Write `path` (.html) and, beside it, its .md and .json twins; answer the path of the HTML.

    A file appears whole or not at all: each is written under another name and then put in place.
    Raises ConfigError for a name that does not end in .html.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(
            f"{path}: a report is an HTML file (with .md and .json twins); give a name that ends in .html"
        )
    findings = find(result)
    path.parent.mkdir(parents=True, exist_ok=True)
    _put(path.with_suffix(".json"), _json(findings))
    _put(path.with_suffix(".md"), _markdown(findings))
    _put(path, _html(result, findings))
    return path


def render_html(result: BacktestResult) -> str:
    """The report as one self-contained HTML page: figures inside, no script, nothing to fetch."""
    return _html(result, find(result))


def render_markdown(result: BacktestResult) -> str:
    """The report as markdown: all sentences and tables, no figures."""
    return _markdown(find(result))


def report_data(result: BacktestResult) -> dict[str, Any]:
    """Every number and sentence of the report, ready for JSON: names verbatim, None where there is no value."""
    return find(result).to_dict()


def _put(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _json(findings: Findings) -> str:
    return json.dumps(findings.to_dict(), indent=1, allow_nan=False) + "\n"


def _markdown(findings: Findings) -> str:
    page = _templates(html=False).get_template("report.md")
    text = page.render(f=findings, summary=tables.summary_table(findings), sections=_sections(findings))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" +\n", "\n", text)).strip() + "\n"


def _html(result: BacktestResult, findings: Findings) -> str:
    style_of = plots.model_styles(result)
    styles = {model: style_of[model] for model in findings.summary["model"]}
    page = _templates(html=True).get_template("report.html")
    return page.render(
        f=findings,
        swatches={visible(name): style.colour for name, style in styles.items()},
        summary=tables.summary_table(findings),
        effects=_effects(findings, styles),
        forecasts=[_forecast(result, findings, name, why) for name, why in findings.shown],
        sections=_sections(findings, styles),
    )


def _sections(f: Findings, styles: Mapping[str, plots.Style] | None = None) -> list[Section]:
    """Everything below the summary, in order; parts without content are left out. Figures need `styles`."""
    error, notes = f.metric.upper(), list(f.facts.get("reading_notes", []))
    every = [
        Section(
            "failures",
            "Failures",
            [
                "Where a model failed, the other models are not scored either, so that none gains by failing: "
                f"{f.summary['n'].iloc[0]:,} of {f.n_tasks:,} series × origins are scored."
            ],
            [tables.failure_table(f.failures)] if len(f.failures) else [],
            prose=True,
        ),
        Section(
            "where",
            "Where the error is",
            [f"{error} by step of the horizon, and by origin. A line that leaves the frame is far larger."],
            [tables.step_table(f), tables.fold_table(f)],
            folded=True,
            figures=_where_figures(f, styles) if styles and f.summary[f.metric].notna().any() else (),
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
            figures=_calibration_figures(f, styles) if styles and len(f.calibration) else (),
        ),
        Section(
            "training",
            "Training of the networks",
            [
                "Loss on what the network learns from (faint) and on the later part of the training time, which it "
                "does not learn from (full); a line per fit and seed."
            ],
            figures=[_figure(plots.plot_curves(f.curves, styles), "Losses of each network by training step")]
            if styles and len(f.curves)
            else (),
        ),
        Section(
            "series",
            "Error by series",
            [f"{error} of each series over all origins, the largest error of {visible(f.main)} first. {_wins(f)}"],
            [tables.series_table(f)],
        ),
        Section(
            "notes", "What the models recorded", [], [tables.notes_table(f.notes)] if len(f.notes) else [], prose=True
        ),
        Section(
            "undefined",
            "Scores without a value",
            ["They are missing from the average of that score, and from no other."],
            [tables.undefined_table(f.undefined)] if len(f.undefined) else [],
            prose=True,
        ),
        Section("reading", "How the data were read", [visible(note, 400) for note in notes[:MOST_NOTES]]),
        Section("run", "The run", [], [tables.facts_table(f.facts)], prose=True),
    ]
    return [s for s in every if s.tables or s.figures or (s.name == "reading" and s.text)]


def _wins(f: Findings) -> str:
    """Which model has the smallest error on how many series."""
    known = f.by_series.dropna(subset=[f.metric]).sort_values(f.metric, kind="stable")
    wins = known.drop_duplicates("unique_id")["model"].value_counts()
    if wins.empty:
        return ""
    return f"The smallest error is that of {joined(f'{visible(str(m))} on {k:,}' for m, k in wins.items())}."


def _figure(picture: plots.Picture, alt: str, caption: str = "") -> Figure:
    data = base64.b64encode(picture.png()).decode("ascii")
    return Figure(Markup(f"data:image/png;base64,{data}"), round(96 * picture.get_figwidth()), alt, caption)


def _forecast(result: BacktestResult, f: Findings, name: str, why: str) -> Figure:
    alt = f"Forecasts of {joined(map(visible, f.rows))} for {visible(name)} with intervals, and what was observed"
    return _figure(plots.plot_forecasts(result, name, models=f.rows), alt, f"{visible(name)}: {why}")


def _effects(f: Findings, styles: Mapping[str, plots.Style]) -> Figure | None:
    order = {model: i for i, model in enumerate(f.summary["model"])}
    known = sorted(
        (c for c in f.comparisons if c.benchmark == f.baseline and math.isfinite(c.effect_percent)),
        key=lambda c: order[c.model],
    )
    if not known:
        return None
    picture = plots.Picture(figsize=(6.4, 0.75 + 0.32 * len(known)), layout="constrained")
    plots.plot_effects(picture.subplots(), known, styles)
    return _figure(
        picture, f"Error of each model against {visible(f.baseline or '')} with 95 % intervals: see the table"
    )


def _where_figures(f: Findings, styles: Mapping[str, plots.Style]) -> list[Figure]:
    figures = []
    ways = ((f.by_step, plots.plot_error_by_step, "step"), (f.by_fold, plots.plot_error_by_fold, "origin"))
    for scores, draw, word in ways:
        picture = plots.Picture(figsize=(4.5, 3.0), layout="constrained")
        draw(picture.subplots(), scores, f.metric, styles)
        figures.append(_figure(picture, f"{f.metric.upper()} of each model by {word}: see the numbers"))
    return figures


def _calibration_figures(f: Findings, styles: Mapping[str, plots.Style]) -> list[Figure]:
    picture = plots.Picture(figsize=(4.3, 4.3), layout="constrained")
    plots.plot_calibration(picture.subplots(), f.calibration, styles)
    return [_figure(picture, "Observed against promised share of values inside the intervals: see the numbers")]


def _templates(html: bool) -> Environment:
    """Templates that print nothing as it is: invisible characters are shown, then all is escaped."""

    def shown(value: Any) -> Any:
        if isinstance(value, Markup):
            return value
        text = visible(value, None)
        return text if html else Markup(_escaped(text))

    return Environment(
        loader=PackageLoader("tsforecast.reporting"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _escaped(text: str) -> str:
    """Text that markdown shows as it is, inside a table too: no emphasis, link, formula or tag."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|~$])", r"\\\1", text).replace("://", ":\\//")
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
