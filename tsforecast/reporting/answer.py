"""The first lines of a report: what was asked, what the answer is, what to keep in mind.

The sentences follow the words of the comparisons and never go beyond them: only "better" reads like a win.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from tsforecast.reporting.words import counted, joined, moment, number, ordinal, signed, span, visible
from tsforecast.results import BacktestResult

if TYPE_CHECKING:
    from tsforecast.compare import Comparison

__all__ = ["Verdict", "answers", "asked", "failed", "question", "remarks", "verdicts_on"]


class Verdict(NamedTuple):
    """One model against one opponent: the comparison's word, and what stands behind it."""

    model: str
    opponent: str
    role: str
    origins: int
    word: str
    evidence: str


def question(subjects: Sequence[str], verdicts: Sequence[Verdict], models: Sequence[str]) -> str:
    """What the run was made to find out."""
    asked_of = subjects or models
    do = "does" if len(asked_of) == 1 else "do"
    names = joined(visible(m) for m in asked_of)
    opponents = joined(dict.fromkeys(visible(v.opponent) for v in verdicts))
    if not opponents:
        return f"How well {do} {names} forecast this?"
    return f"{do.capitalize()} {names} forecast this better than {opponents}?"


def asked(result: BacktestResult) -> str:
    """Data, horizon and origins in words."""
    facts, cutoffs = result.facts, result.pasts.groupby("fold")["cutoff"].max()
    freq = facts["freq"]
    named = facts.get("data") not in (None, "", "DataFrame", "Series", "Panel")  # a type is no name
    source = f" of {visible(facts['data'])}" if named else ""
    wait = f", {span(facts['gap'], freq)} after the last known value" if facts["gap"] else ""
    origins = f"made at 1 origin ({moment(cutoffs.iloc[0])})"
    if len(cutoffs) > 1:
        first, last = moment(cutoffs.iloc[0]), moment(cutoffs.iloc[-1])
        origins = f"made at {len(cutoffs)} origins, {span(facts['step_size'], freq)} apart, from {first} to {last}"
    every = 1 if facts["refit"] is True else int(facts["refit"])
    fits = {0: "once, at the first origin,", 1: "anew at every origin"}.get(
        every, f"anew at every {ordinal(every)} origin"
    )
    past = f"the last {span(facts['train_size'], freq)}" if facts["train_size"] else "everything"
    ahead = span(facts["horizon"], freq)
    return (
        f"{counted(facts['n_series'], 'series', 'series')}{source} with {facts['n_observations']:,} observed values "
        f"from {moment(facts['first_time'])} to {moment(facts['last_time'])}. To forecast: the next {ahead}{wait}, "
        f"{origins}. Models were fitted {fits} on {past} before it, and all are scored on the same values."
    )


def failed(result: BacktestResult) -> str:
    """Which models failed and how often; empty where none did."""
    tasks = len(result.pasts)
    counts = result.failures.drop_duplicates(["model", "fold", "unique_id"])["model"].value_counts()
    parts = [f"{visible(m)} failed on {counts[m]:,} of {tasks:,}" for m in result.models if m in counts.index]
    if not parts:
        return ""
    return f"{joined(parts)} forecasts (series × origins): the reasons are below, and nothing was put in their place."


def verdicts_on(subjects: Sequence[str], comparisons: Sequence[Comparison], role: str) -> list[Verdict]:
    """The comparisons of the models in question, read. `role` says what the opponent is."""
    return [Verdict(c.model, c.benchmark, role, c.n_origins, *_read(c)) for c in comparisons if c.model in subjects]


def _read(c: Comparison) -> tuple[str, str]:
    """The word and the evidence. A comparison without numbers has no word, whatever it says."""
    if not math.isfinite(c.effect_percent):
        return "not comparable", "one of the two has no score"
    if c.word == "identical":
        return c.word, f"the same error at all {c.n_origins} origins"
    size = f"{abs(c.effect_percent):.1f} % {'smaller' if c.effect_percent >= 0 else 'larger'}"
    rough = "rough " if math.isnan(c.p_value) else ""
    interval = ""
    if math.isfinite(c.low_percent) and math.isfinite(c.high_percent):
        interval = f", {rough}95 % interval {signed(-c.high_percent)} to {signed(-c.low_percent)}"
    return c.word, f"error {size}{interval}; smaller at {c.wins} of {counted(c.n_origins, 'origin')}"


def answers(subjects: Sequence[str], verdicts: Sequence[Verdict], scores: pd.DataFrame, metric: str) -> list[str]:
    """One plain sentence per model in question; `scores` has the smallest error first."""
    if not verdicts:
        best = scores.iloc[0]
        if not math.isfinite(best[metric]):
            return ["No verdict: no model has a score."]
        why = "no baseline was run to compare with" if subjects else "only baselines were run"
        which = "smallest error" if len(scores) > 1 else "error"
        value = f"{visible(best['model'])}, {metric.upper()} {number(best[metric])}"
        return [f"No verdict: {why}. The {which} is that of {value}."]
    sentences = []
    for model in subjects:
        mine = [v for v in verdicts if v.model == model]
        if mine:
            sentences.append(f"{_start(mine)}: {visible(model)} {joined(_phrase(v) for v in mine)}.")
    return sentences


def _start(verdicts: Sequence[Verdict]) -> str:
    words = [v.word for v in verdicts]
    if all(word == "better" for word in words):
        return "Yes"
    if words[0] == "better":
        return "In part"
    return "Not decided" if words[0] in ("too few origins", "not comparable") else "No"


def _phrase(v: Verdict) -> str:
    opponent = visible(v.opponent) + (f" ({v.role})" if v.role else "")
    return {
        "better": f"forecasts better than {opponent}",
        "worse": f"forecasts worse than {opponent}",
        "no clear difference": f"shows no clear difference to {opponent}",
        "too few origins": f"cannot be told from {opponent} with only {counted(v.origins, 'origin')}",
        "identical": f"has the same errors as {opponent}",
    }.get(v.word, f"could not be compared with {opponent}")


def remarks(result: BacktestResult, metric: str) -> list[str]:
    """What a reader must know to trust the numbers as far as they go, and no further."""
    facts = result.facts
    lines = [f"Look-ahead audit: {visible(facts.get('audit', 'not audited'))}."]
    if facts["align"] == "end":
        lines.append(
            "Origins are counted back from each series' own end (align=end), so a model that learns from all series "
            "may have seen later dates of one than it forecasts in another."
        )
    if facts["step_size"] < facts["horizon"] and facts["n_windows"] > 1:
        lines.append("Origins are closer together than the horizon: the same value is forecast more than once.")
    skipped = facts.get("skipped", {})
    if skipped:
        most, where = max(skipped.values()), counted(len(skipped), "origin")
        lines.append(
            f"At {where} up to {most} of {facts['n_series']} series took no part: too few steps before the cutoff, or "
            " nothing observed after it."
        )
    if facts["freq"] == "bars":
        lines.append("A bar is one row of the data, such as a trading day: days without a row are not counted.")
    if metric == "mae":
        lines.append("MASE is undefined here, so models are ranked by MAE, in the units of the data.")
    return lines
