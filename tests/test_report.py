"""The report: safe with any name, one file that needs nothing else, and the same in its three forms."""

from __future__ import annotations

import html.parser
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import FailsOn, baselines, panel_of, walks

from tsforecast.errors import ConfigError
from tsforecast.models.naive import Drift
from tsforecast.reporting import report
from tsforecast.reporting.findings import find
from tsforecast.reporting.report import render_html, render_markdown, report_data, write_report
from tsforecast.reporting.style import Picture
from tsforecast.reporting.words import visible
from tsforecast.results import BacktestResult

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(2)</script>",
    "A$B$C",
    "_x",
    "日本",
    "\u202eabc\u202c",
    "q" * 5000,
    "=1+1",
    "a|b`c`*d* [e](javascript:f)",
    "\x1b[31mred\x00",
)
HARMLESS = tuple(f"series {sorted(HOSTILE).index(name)}" for name in HOSTILE)  # in the same order


class Page(html.parser.HTMLParser):
    """Tags, attributes and visible text of a page; complains about a tag that is closed without having been opened."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title", "head", "html") and data.strip():
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def hostile() -> BacktestResult:
    result = baselines(walks(HOSTILE), **{"_my$m$<i>": Drift(), "broken": FailsOn(HOSTILE[0])})
    return replace(result, facts={**result.facts, "data": HOSTILE[1], "reading_notes": [HOSTILE[0]]})


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not drawn, for tests that are not about them."""
    monkeypatch.setattr(Picture, "png", lambda *_: b"")


@pytest.fixture(scope="module")
def hostile_page(hostile: BacktestResult) -> str:
    return render_html(hostile)


def test_the_page_is_one_offline_file_without_scripts(hostile_page: str) -> None:
    page = Page(hostile_page)
    assert not {"script", "iframe", "object", "embed", "link", "svg", "form", "base"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("href", "srcset", "action"), (tag, name)
        if name == "src":
            assert value.startswith("data:image/png;base64,")
        if name == "style":
            assert re.fullmatch(r"background:#[0-9a-f]{6}", value, re.IGNORECASE)
    assert "http:" not in hostile_page and "https:" not in hostile_page and "url(" not in hostile_page
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and name == "content")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert all(value for tag, name, value in page.attributes if (tag, name) == ("img", "alt"))


def test_hostile_names_are_shown_and_add_no_element(hostile_page: str, undrawn: None) -> None:
    harmless = baselines(walks(HARMLESS), my_model=Drift(), broken=FailsOn(HARMLESS[0]))
    harmless = replace(harmless, facts={**harmless.facts, "data": "file", "reading_notes": ["a note"]})
    page = Page(hostile_page)
    assert page.tags == Page(render_html(harmless)).tags
    for name in HOSTILE:
        assert visible(name) in page.text
    assert "[U+202E]abc[U+202C]" in page.text and "[U+001B][31mred[U+0000]" in page.text
    assert "q" * 200 + "… (4,800 more characters)" in page.text and "q" * 201 not in page.text


def test_the_check_of_elements_would_notice_an_unescaped_name(hostile_page: str) -> None:
    leaked = hostile_page.replace("&lt;img src=x onerror=alert(1)&gt;", HOSTILE[0], 1)
    assert leaked != hostile_page
    assert Page(leaked).tags["img"] == Page(hostile_page).tags["img"] + 1


def test_markdown_has_no_tag_and_no_column_from_a_name(hostile: BacktestResult) -> None:
    text = render_markdown(hostile)
    assert not re.search(r"<[a-zA-Z/!]", text)
    assert r"a\|b\`c\`\*d\* \[e\](javascript:f)" in text and r"A\$B\$C" in text and r"\_x" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_json_has_verbatim_names_and_the_numbers_of_the_scores(
    hostile: BacktestResult, tmp_path: Path, undrawn: None
) -> None:
    write_report(hostile, tmp_path / "report.html")

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    data = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse)
    assert data == report_data(hostile)
    assert {row["unique_id"] for row in data["by_series"]} == set(HOSTILE)
    scores = hostile.scores(by=("model",)).set_index("model")["mae"]
    assert {row["model"]: row["mae"] for row in data["summary"]} == pytest.approx(scores.to_dict(), rel=1e-15)


def test_equal_results_give_equal_bytes() -> None:
    result = baselines(walks(("a",)))
    again = replace(result, forecasts=result.forecasts.copy())
    assert render_html(again) == render_html(result)
    assert render_markdown(again) == render_markdown(result)


def test_failures_are_the_first_thing_said(undrawn: None) -> None:
    result = baselines(walks(("a", "b", "c")), lstm=FailsOn("b"))
    said = "lstm failed on 4 of 12 forecasts (series × origins)"
    assert said in render_markdown(result).splitlines()[0]
    page = Page(render_html(result))
    assert page.words[0] == "Failures." and page.words[1].startswith(said)
    assert "the model answered with numbers that are not finite" in page.text
    assert "8 of 12 series × origins are scored" in page.text


def test_without_failures_nothing_is_said_of_them(undrawn: None) -> None:
    page = Page(render_html(baselines(walks(("a",)))))
    assert "Failures" not in page.text and page.words[0].endswith("forecast this better than drift?")


@pytest.mark.slow
def test_400_series_and_20_folds_stay_below_the_size_limit() -> None:
    panel = walks(tuple(f"store {i:03d}" for i in range(400)), steps=140)
    result = baselines(panel, n_windows=20, lstm=Drift())
    found = find(result)
    text = report._html(result, found)
    assert len(text.encode()) < 1_500_000
    page = Page(text)
    assert "200 more series, with smaller errors, are in the JSON file beside this report." in page.text
    assert len(found.to_dict()["by_series"]) == 400 * 4


def test_files_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> None:
    result = baselines(walks(("a",)))
    assert write_report(result, tmp_path / "new" / "report.html") == tmp_path / "new" / "report.html"
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"report.html", "report.json", "report.md"}
    (tmp_path / "new" / "report.html").write_text("the old one")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(report.os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_report(result, tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text() == "the old one"
    assert len(list((tmp_path / "new").iterdir())) == 3


def test_a_name_that_the_twins_would_overwrite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"report\.md: a report is an HTML file"):
        write_report(baselines(walks(("a",))), tmp_path / "report.md")


def test_undefined_scores_are_listed_with_their_reason(undrawn: None) -> None:
    result = baselines(panel_of({"flat": np.ones(60), "walk": np.random.default_rng(0).normal(size=60).cumsum()}))
    [reason] = set(result.undefined().query("metric == 'mase'")["reason"])
    assert "lag 7" in reason and reason in Page(render_html(result)).text
    only = find(baselines(panel_of({"flat": np.ones(60)})))
    assert only.metric == "mae" and "MASE is undefined here" in only.remarks[-1]
