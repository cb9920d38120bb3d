"""The report: one offline HTML file, and the same as markdown and JSON beside it.

Every name and message from the data is untrusted: control characters are made visible, then the templates escape
whatever they print, and the HTML forbids scripts and requests by its content security policy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tsforecast.errors import ConfigError
from tsforecast.reporting import tables
from tsforecast.reporting.figures import Drawing, effects_figure, forecast_figure
from tsforecast.reporting.findings import Findings, find
from tsforecast.reporting.sections import sections
from tsforecast.reporting.style import model_styles
from tsforecast.reporting.words import visible
from tsforecast.results import BacktestResult

__all__ = ["render_html", "render_markdown", "report_data", "write_report"]


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
    _put(path.with_suffix(".json"), findings.to_json())
    _put(path.with_suffix(".md"), [_markdown(findings)])
    _put(path, [_html(result, findings)])
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


def _put(path: Path, text: Iterable[str]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.writelines(text)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _markdown(findings: Findings) -> str:
    page = _templates(html=False).get_template("report.md")
    text = page.render(f=findings, summary=tables.summary_table(findings), sections=sections(findings))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" +\n", "\n", text)).strip() + "\n"


def _html(result: BacktestResult, findings: Findings) -> str:
    style_of = model_styles(result)
    styles = {model: style_of[model] for model in findings.summary["model"]}
    page = _templates(html=True).get_template("report.html")
    return page.render(
        f=findings,
        swatches={visible(name): style.colour for name, style in styles.items()},
        summary=tables.summary_table(findings),
        effects=effects_figure(findings, styles),
        forecasts=[forecast_figure(result, findings, name, why) for name, why in findings.shown],
        sections=sections(findings, Drawing(result, styles)),
    )


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
