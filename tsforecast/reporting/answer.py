"""The first lines of a report: what was asked, what the answer is, what to keep in mind.

The sentences follow the words of the comparisons and never go beyond them: only "better" reads like a win.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from tsforecast.reporting.words import counted, joined, moment, number, ordinal, span, visible
from tsforecast.results import BacktestResult

if TYPE_CHECKING:
    from tsforecast.judging.compare import Comparison

__all__ = [
    "NO_MASE",
    "Evidence",
    "answers",
    "asked",
    "audit_line",
    "doubts",
    "evidence_on",
    "failed",
    "leaks",
    "question",
    "remarks",
]

NO_MASE = "MASE is undefined here, so models are ranked by MAE, in the units of the data."


class Evidence(NamedTuple):
    """One model against one opponent: the word of their comparison, and the sentence with its numbers.

    role         what the opponent is, empty for a rival
    verb, where  the word as a part of the answer, before and after the opponent: "cannot be distinguished from" ..
                 "at 24 origins"
    """

    model: str
    opponent: str
    role: str
    word: str
    verb: str
    where: str
    sentence: str


def question(subjects: Sequence[str], evidence: Sequence[Evidence], models: Sequence[str]) -> str:
    """What the run was made to find out."""
    asked_of = subjects or models
    do = "does" if len(asked_of) == 1 else "do"
    names = joined(visible(m) for m in asked_of)
    opponents = joined(dict.fromkeys(visible(e.opponent) for e in evidence))
    if not opponents:
        return f"How well {do} {names} forecast this?"
    return f"{do.capitalize()} {names} forecast this better than {opponents}?"


def asked(result: BacktestResult) -> str:
    """Data, horizon and origins in words."""
    facts, cutoffs = result.facts, result.cutoffs()
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
    tasks = len(result.table("pasts"))
    counts = result.failures.drop_duplicates(["model", "fold", "unique_id"])["model"].value_counts()
    parts = [f"{visible(m)} failed on {counts[m]:,} of {tasks:,}" for m in result.models if m in counts.index]
    if not parts:
        return ""
    return f"{joined(parts)} forecasts (series × origins): the reasons are below, and nothing was put in their place."


def evidence_on(subjects: Sequence[str], comparisons: Sequence[Comparison], role: str) -> list[Evidence]:
    """The comparisons of the models in question. `role` says what the opponent is."""
    return [_read(c, role) for c in comparisons if c.model in subjects]


def _read(c: Comparison, role: str) -> Evidence:
    """A comparison without numbers has no word of its own, whatever it says."""
    word, origins = c.word if math.isfinite(c.effect_percent) else "invalid", counted(c.n_origins, "origin")
    verb, where = {
        "better": ("forecasts better than", ""),
        "worse": ("forecasts worse than", ""),
        "equivalent": ("forecasts as well as", f"within {c.margin_percent:g} %"),
        "inconclusive": ("cannot be distinguished from", f"at {origins}"),
        "too few origins": ("cannot be distinguished from", f"with only {origins}"),
    }.get(word, ("could not be compared with", ""))
    if word == "equivalent" and math.isnan(c.equivalence_p):
        verb, where = "has the same errors as", ""
    sentence = c.sentence.removeprefix("Inconclusive: ")  # the word is said beside it
    sentence = sentence.replace("Too few origins to tell: at", "At", 1)
    return Evidence(c.model, c.benchmark, role, word, verb, where, sentence)


def audit_line(audit: Mapping[str, Any] | None) -> str:
    """Whether the run was audited, and what was found."""
    if not audit:
        return (
            "Look-ahead audit: not audited. With --audit (audit=True) everything after the cutoffs is replaced, and no "
            "forecast may change."
        )
    word = "passed" if audit["passed"] else "failed"
    sentence = audit["sentence"].partition(f"{word}: ")[2] or audit["sentence"]  # the word is said already
    return f"Look-ahead audit: {word}. {visible(sentence, 600)}"


def leaks(audit: Mapping[str, Any] | None, models: Sequence[str]) -> dict[str, str]:
    """The models that failed the look-ahead audit, each with what was found; all of them where the preparation did."""
    if not audit:
        return {}
    ready = audit.get("preparation")
    found = {}
    if ready and not ready["passed"]:
        found = dict.fromkeys(models, _found(ready, "the preparation of the data"))
    own = audit["models"]
    return found | {m: _found(own[m], visible(m)) for m in models if m in own and not own[m]["passed"]}


def _found(own: Mapping[str, Any], name: str) -> str:
    verdict = f"found that {name} looks ahead" if own["word"] == "leaks" else f"did not pass {name}"
    return f"No answer: the audit {verdict}. {visible(own['sentence'], 600)}"


def answers(
    subjects: Sequence[str],
    evidence: Sequence[Evidence],
    scores: pd.DataFrame,
    metric: str,
    leaking: Mapping[str, str] | None = None,
) -> list[str]:
    """One plain sentence per model in question; `scores` has the smallest error first, `leaking` what `leaks` found."""
    leaking = leaking or {}
    if not evidence:
        best = scores.iloc[0]
        if not math.isfinite(best[metric]):
            return ["No verdict: no model has a score."]
        if best["model"] in leaking:
            return [leaking[best["model"]]]
        why = "no baseline was run to compare with" if subjects else "only baselines were run"
        which = "smallest error" if len(scores) > 1 else "error"
        value = f"{visible(best['model'])}, {metric.upper()} {number(best[metric])}"
        return [f"No verdict: {why}. The {which} is that of {value}."]
    sentences = []
    for model in subjects:
        mine = [e for e in evidence if e.model == model]
        guilty = next((name for name in (model, *(e.opponent for e in mine)) if name in leaking), None)
        if guilty is not None and mine and all(e.word == "invalid" for e in mine):
            sentences.append(leaking[guilty])
        elif mine:
            sentences.append(f"{_start(mine)}: {visible(model)} {joined(_phrases(mine))}.")
    return [*dict.fromkeys(sentences)]


def _start(evidence: Sequence[Evidence]) -> str:
    words = [e.word for e in evidence]
    if all(word == "better" for word in words):
        return "Yes"
    if words[0] == "better":
        return "In part"
    return "No" if words[0] in ("worse", "equivalent") else "Not decided"


def _phrases(evidence: Sequence[Evidence]) -> list[str]:
    """What is said of each opponent, those together of whom the same is said."""
    opponents: dict[tuple[str, str], list[str]] = {}
    for e in evidence:
        name = visible(e.opponent) + (f" ({e.role})" if e.role else "")
        opponents.setdefault((e.verb, e.where), []).append(name)
    return [f"{verb} {joined(names)} {where}".strip() for (verb, where), names in opponents.items()]


def doubts(result: BacktestResult, best_note: str, networks: Sequence[str], copies: Sequence[str]) -> list[str]:
    """What speaks for and against the verdict: the best models, the audit, the placebo, the seeds, the copies of the
    last value (`copies`: the sentence of each)."""
    lines = [best_note] if best_note else []
    lines.append(audit_line(result.facts.get("audit")))
    placebo = result.facts.get("placebo")
    if placebo:
        lines.append(f"Placebo: {visible(placebo['sentence'], 600)}")
    several = {m for piece in result.table("members").pieces(["model"]) for m in piece["model"].unique()}
    lucky = [m for m in networks if m not in several]
    if lucky:
        lines.append(
            f"{joined(map(visible, lucky))}: one seed. The luck of its initial weights is not in the interval; "
            "n_seeds: 5 puts it there."
        )
    return lines + [visible(sentence, 600) for sentence in copies]


def remarks(result: BacktestResult, metric: str) -> list[str]:
    """What a reader must know of the layout of the run to trust the numbers as far as they go, and no further."""
    facts = result.facts
    lines = []
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
            "nothing observed after it."
        )
    if facts["freq"] == "bars":
        lines.append("A bar is one row of the data, such as a trading day: days without a row are not counted.")
    if metric == "mae":
        lines.append(NO_MASE)
    return lines
