"""The report: true to the words of the comparisons, safe with any name, and the same in its three forms."""

from __future__ import annotations

import html.parser
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tsforecast import report
from tsforecast.answer import answers, verdicts_on
from tsforecast.backtesting import run_backtest
from tsforecast.compare import Comparison
from tsforecast.errors import ConfigError
from tsforecast.findings import find
from tsforecast.folds import Plan
from tsforecast.forecast import Forecast
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.panel import Panel
from tsforecast.report import render_html, render_markdown, report_data, write_report
from tsforecast.results import BacktestResult
from tsforecast.words import column, moment, span, visible

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


def panel_of(series: Mapping[str, np.ndarray], freq: str = "D") -> Panel:
    frames = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range("2024-01-01", periods=len(y), freq=freq), "y": y})
        for name, y in series.items()
    ]
    return Panel.from_frame(pd.concat(frames, ignore_index=True))


def walks(names: tuple[str, ...], steps: int = 80, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    return panel_of({name: 100 + rng.normal(size=steps).cumsum() for name in names})


def trends(names: tuple[str, ...], steps: int = 120) -> Panel:
    rng = np.random.default_rng(0)
    return panel_of({name: np.arange(steps) + rng.normal(size=steps) for name in names})


class FailsOn:
    """A naive forecast that fails on one series."""

    name = "fails_on"

    def __init__(self, unique_id: str) -> None:
        self.unique_id = unique_id

    def fit(self, past: Panel, horizon: int) -> FailsOn:
        self.fitted = Naive().fit(past, horizon)
        return self

    def predict(self, views: Any) -> list[Forecast]:
        return [self._spoiled(forecast) for forecast in self.fitted.predict(list(views))]

    def _spoiled(self, forecast: Forecast) -> Forecast:
        point = forecast.point.copy()
        point[[name == self.unique_id for name in forecast.ids]] = np.nan
        return replace(forecast, point=point)


def baselines(panel: Panel, n_windows: int = 4, horizon: int = 5, **more: Any) -> BacktestResult:
    models = {"naive": Naive(), "seasonal_naive": SeasonalNaive(), "drift": Drift()} | more
    return run_backtest(panel, models, Plan(horizon=horizon, n_windows=n_windows))


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
    monkeypatch.setattr(report.plots.Picture, "png", lambda *_: b"")


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
    assert "Failures" not in page.text and page.words[0] == "How well do naive, seasonal_naive and drift forecast this?"


def comparison(word: str, effect: float = 12.0, benchmark: str = "naive") -> Comparison:
    return Comparison("lstm", benchmark, effect, effect - 3, effect + 3, 24, 20, 0.001, word, "")


@pytest.mark.parametrize(
    "word", ["worse", "no clear difference", "too few origins", "identical", "not comparable", "?"]
)
def test_only_the_word_better_reads_like_a_win(word: str) -> None:
    scores = pd.DataFrame({"model": ["lstm", "naive"], "mase": [0.8, 0.9]})
    verdicts = verdicts_on(["lstm"], [comparison(word, effect=-12.0 if word == "worse" else 12.0)], "the best baseline")
    [line] = answers(["lstm"], verdicts, scores, "mase")
    assert "better" not in line and not line.startswith(("Yes", "In part"))
    verdicts = verdicts_on(["lstm"], [comparison("better")], "the best baseline")
    [line] = answers(["lstm"], verdicts, scores, "mase")
    assert line == "Yes: lstm forecasts better than naive (the best baseline)."
    verdicts += verdicts_on(["lstm"], [comparison(word, benchmark="autoarima")], "")
    [line] = answers(["lstm"], verdicts, scores, "mase")
    assert line.startswith("In part: lstm forecasts better than naive (the best baseline) and ")


def test_a_comparison_without_numbers_is_no_verdict_whatever_its_word() -> None:
    [verdict] = verdicts_on(["lstm"], [comparison("better", effect=math.nan)], "")
    assert verdict.word == "not comparable"


@pytest.mark.parametrize("seed", range(3))
def test_on_random_walks_nothing_looks_like_a_win_and_on_a_planted_trend_it_does(seed: int) -> None:
    # a drift under the name of a network: no use on a random walk, all the use on a trend
    models = {"lstm": Drift(), "naive": Naive(), "seasonal_naive": SeasonalNaive()}
    plan = Plan(horizon=3, n_windows=24)
    found = find(run_backtest(walks(("a", "b", "c"), steps=150, seed=seed), models, plan))
    assert found.question == f"Does lstm forecast this better than {found.baseline}?"
    assert [v.word == "better" for v in found.verdicts] == [False]
    assert "better" not in found.answers[0] and not found.answers[0].startswith("Yes")
    planted = find(run_backtest(trends(("a", "b", "c")), models, plan))
    assert planted.answers == ["Yes: lstm forecasts better than naive (the best baseline)."]
    assert "error" in planted.verdicts[0].evidence and "smaller at 23 of 24 origins" in planted.verdicts[0].evidence


def test_a_network_is_held_against_the_best_baseline_arima_and_the_best_other_model() -> None:
    models = {
        "lstm": Drift(),
        "autoarima": Naive(),
        "ridge": Drift(),
        "naive": Naive(),
        "seasonal_naive": SeasonalNaive(),
    }
    found = find(run_backtest(trends(("a", "b")), models, Plan(horizon=3, n_windows=24)))
    assert [(v.opponent, v.word) for v in found.verdicts] == [
        ("naive", "better"),
        ("autoarima", "better"),
        ("ridge", "identical"),
    ]
    assert found.answers == [
        "In part: lstm forecasts better than naive (the best baseline), forecasts better than autoarima and has the "
        "same errors as ridge."
    ]
    assert found.rows == ["lstm", "autoarima", "ridge", "naive"]


def test_with_few_origins_it_says_so() -> None:
    models = {"lstm": Drift(), "naive": Naive()}
    found = find(run_backtest(trends(("a",)), models, Plan(horizon=3, n_windows=5)))
    assert found.answers == ["Not decided: lstm cannot be told from naive (the best baseline) with only 5 origins."]


def test_what_was_asked_is_said_in_words() -> None:
    panel = panel_of({"a": np.arange(400.0), "b": np.arange(400.0)}, freq="30min")
    plan = Plan(horizon=48, n_windows=3, gap=2, refit=2, align="end")
    result = run_backtest(panel, {"naive": Naive()}, plan, facts={"data": "room.csv"})
    found = find(result)
    assert found.asked == (
        "2 series of room.csv with 800 observed values from 2024-01-01 to 2024-01-09 07:30. To forecast: the next "
        "1 day (48 steps of 30 minutes), 1 hour (2 steps of 30 minutes) after the last known value, made at 3 origins, "
        "1 day (48 steps of 30 minutes) apart, from 2024-01-06 06:30 to 2024-01-08 06:30. Models were fitted anew at "
        "every 2nd origin on everything before it, and all are scored on the same values."
    )
    assert found.remarks[0] == "Look-ahead audit: not audited."
    assert found.remarks[1].startswith("Origins are counted back from each series' own end")


def test_calibration_is_the_share_of_values_inside_by_hand() -> None:
    result = baselines(walks(("a", "b")))
    found = find(result).calibration.set_index(["model", "nominal"])["observed"]
    part = result.forecasts[result.forecasts["model"] == "drift"]
    inside = [low <= y <= high for y, low, high in zip(part["y"], part["q0.1"], part["q0.9"], strict=True)]
    assert found["drift", 0.8] == sum(inside) / len(inside)
    assert sorted({nominal for _, nominal in found.index}) == [0.2, 0.4, 0.6, 0.8, 0.9, 0.95]


def test_the_worst_median_best_and_first_series_are_plotted_each_once() -> None:
    rng = np.random.default_rng(0)
    # growing noise about a level that the past does not show: the larger the name, the larger the error
    quiet = rng.normal(size=60)
    names = ("c", "a", "e", "b", "d")
    panel = panel_of({n: np.append(quiet, quiet[-1] + 10 * (ord(n) - 96) + rng.normal(size=5)) for n in names})
    found = find(run_backtest(panel, {"naive": Naive(), "lstm": Naive()}, Plan(horizon=5, n_windows=1)))
    assert found.shown == [
        ("e", "largest error of lstm"),
        ("c", "median error of lstm"),
        ("a", "smallest error of lstm and the first series"),
    ]


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
    text = Page(render_html(result)).text
    assert "the past never changes at lag 7, so there is no scale" in text
    assert "flat" in text
    only = find(baselines(panel_of({"flat": np.ones(60)})))
    assert only.metric == "mae" and "MASE is undefined here" in only.remarks[-1]


@pytest.mark.parametrize(
    ("steps", "freq", "words"),
    [
        (24, "h", "24 hours"),
        (1, "D", "1 day"),
        (48, "30min", "1 day (48 steps of 30 minutes)"),
        (6, "4h", "1 day (6 steps of 4 hours)"),
        (5, "bars", "5 bars"),
        (5, "B", "5 business days"),
        (13, "W-SUN", "13 weeks"),
        (12, "MS", "12 months"),
        (4, "QE", "4 quarters"),
        (2, "YS-JAN", "2 years"),
        (6, "1", "6 steps"),
    ],
)
def test_a_horizon_in_words(steps: int, freq: str, words: str) -> None:
    assert span(steps, freq) == words


def test_numbers_of_a_column_share_their_decimals_unless_magnitudes_forbid() -> None:
    assert column([0.8123, 0.9, 3.884]) == ["0.812", "0.900", "3.884"]
    assert column([1234.5, 999.9, None]) == ["1,234", "1,000", "–"] or column([1234.5, 999.9, None])[2] == "–"
    assert column([1e-9, 5.0]) == ["1.000e-09", "5.000"]
    assert moment(pd.Timestamp("2024-01-01 23:00", tz="Europe/Berlin")) == "2024-01-01 23:00"
