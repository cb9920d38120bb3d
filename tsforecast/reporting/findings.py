"""What a report says, before it is typeset: every table and sentence of it, worked out once from a result."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsforecast.judging.calibration import calibration
from tsforecast.judging.persistence import persistence
from tsforecast.judging.verdict import Verdict, needed_origins
from tsforecast.reporting import answer
from tsforecast.reporting.advantage import Advantage, advantage
from tsforecast.reporting.answer import Evidence
from tsforecast.reporting.contest import contest
from tsforecast.reporting.per_series import PerSeries
from tsforecast.results import BacktestResult

if TYPE_CHECKING:
    from tsforecast.judging.compare import Comparison

__all__ = ["Findings", "find"]

MOST_ROWS = 4  # models in one forecast figure


@dataclass(frozen=True, eq=False)
class Findings:
    """The contents of a report.

    failed      a sentence if any model failed anywhere, else empty
    question, asked, answers, evidence, remarks   the other first lines
    main        the model that the report is about; its errors choose the series to plot
    verdict     every model against the benchmark; `baseline` is that benchmark, None where no baseline was run, and
                `role` what it is; `needed_origins`: below so many no model is called better, worse or equivalent
    comparisons against the benchmark, and of the models in question against the best ARIMA and the best other model
    metric      what models are ranked by: `mase`, or `mae` where no MASE is defined
    summary     one row per model, best first: scores, gain against the benchmark, seconds
    by_step, by_fold, by_series   scores per model and step, fold, series
    calibration nominal and observed shares inside central intervals, per model
    advantages  when the main model wins, over the benchmark and over the best ARIMA
    persistence how far each model is from repeating the last value
    networks    which models are networks
    audit, placebo   as the run recorded them; None where it did not
    shown       the series to plot, and why each
    rows        the models to plot
    n_tasks     series × origins that every model was asked for
    """

    failed: str
    question: str
    asked: str
    answers: list[str]
    evidence: list[Evidence]
    remarks: list[str]
    kinds: dict[str, str]
    main: str
    baseline: str | None
    role: str
    needed_origins: int
    metric: str
    verdict: Verdict
    summary: pd.DataFrame
    comparisons: list[Comparison]
    by_step: pd.DataFrame
    by_fold: pd.DataFrame
    by_series: PerSeries
    calibration: pd.DataFrame
    advantages: list[Advantage]
    persistence: pd.DataFrame
    networks: list[str]
    audit: Mapping[str, Any] | None
    placebo: Mapping[str, Any] | None
    shown: list[tuple[str, str]]
    rows: list[str]
    failures: pd.DataFrame
    undefined: pd.DataFrame
    notes: pd.DataFrame
    curves: pd.DataFrame
    tasks: pd.DataFrame
    facts: Mapping[str, Any]
    n_tasks: int

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON: names verbatim, times as text, what has no value as None."""
        return {name: _plain(getattr(self, name)) for name in (f.name for f in fields(self))}

    def to_json(self) -> Iterator[str]:
        """The same as JSON text, in pieces: there may be many series."""
        rest = {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.name != "by_series"}
        yield json.dumps(rest, indent=1, allow_nan=False).removesuffix("\n}") + ',\n "by_series": [\n'
        between = ""
        for table in self.by_series.tables():
            lines = [json.dumps(row, allow_nan=False) for row in _plain(table)]
            yield between + "  " + ",\n  ".join(lines)
            between = ",\n"
        yield "\n ]\n}\n"


def find(result: BacktestResult) -> Findings:
    """Work out everything that a report says."""
    return result.once("findings", lambda: _find(result))


def _find(result: BacktestResult) -> Findings:
    scores = result.scores(by=("model",))
    metric = "mase" if scores["mase"].notna().any() or scores["mae"].isna().all() else "mae"
    scores = scores.sort_values([metric, "model"], ignore_index=True)
    ranked = [str(m) for m in scores["model"]]
    who = contest(result, ranked)
    audit, placebo = result.facts.get("audit"), result.facts.get("placebo")
    copies = persistence(result)
    flagged = copies[copies["flagged"] & copies["model"].isin(who.networks)]["sentence"]
    remarks = answer.doubts(result, who.verdict.best_note if len(ranked) > 1 else "", who.networks, list(flagged))
    by_series = PerSeries.of(result, metric)
    rows = [*dict.fromkeys(m for m in [who.main, *who.rivals, who.baseline, *ranked] if m is not None)]
    return Findings(
        failed=answer.failed(result),
        question=answer.question(who.subjects, who.evidence, result.models),
        asked=answer.asked(result),
        answers=answer.answers(who.subjects, who.evidence, scores, metric, answer.leaks(audit, result.models)),
        evidence=who.evidence,
        remarks=remarks + answer.remarks(result, metric),
        kinds=who.kinds,
        main=who.main,
        baseline=who.baseline,
        role=who.role,
        needed_origins=needed_origins(result),
        metric=metric,
        verdict=who.verdict,
        summary=_summary(result, scores, who.kinds, who.against_baseline),
        comparisons=who.against_baseline + who.against_rivals,
        by_step=result.scores(by=("model", "step")),
        by_fold=result.scores(by=("model", "fold")).merge(result.cutoffs().reset_index(), on="fold"),
        by_series=by_series,
        calibration=calibration(result),
        advantages=[advantage(result, who.main, opponent, metric) for opponent in who.opponents],
        persistence=copies,
        networks=who.networks,
        audit=audit,
        placebo=placebo,
        shown=by_series.shown(who.main),
        rows=rows[:MOST_ROWS],
        failures=result.failures,
        undefined=result.undefined(),
        notes=_counted_notes(result),
        curves=result.curves,
        tasks=result.tasks,
        facts={k: v for k, v in result.facts.items() if k not in ("audit", "placebo")},
        n_tasks=len(result.table("pasts")),
    )


def _summary(
    result: BacktestResult, scores: pd.DataFrame, kinds: Mapping[str, str], comparisons: Sequence[Comparison]
) -> pd.DataFrame:
    columns = ["model", "effect_percent", "low_percent", "high_percent", "n_origins", "wins", "p_adjusted", "word"]
    rows = [[getattr(c, name) for name in columns] for c in comparisons]
    gains = pd.DataFrame(rows, columns=columns).astype({"model": object, "word": object})
    seconds = result.tasks.groupby("model", as_index=False)[["fit_seconds", "predict_seconds"]].sum()
    table = scores.merge(gains, on="model", how="left").merge(seconds, on="model", how="left")
    table.insert(1, "kind", table["model"].map(dict(kinds)))
    return table


def _counted_notes(result: BacktestResult) -> pd.DataFrame:
    """How often each note occurs, models in their order, the most frequent first."""
    by = ["model", "note"]
    parts = [piece.groupby(by).size() for piece in result.table("notes").pieces(by)]
    counts = pd.concat(parts).groupby(level=[0, 1]).sum().rename("count").reset_index()
    counts["order"] = counts["model"].map({m: i for i, m in enumerate(result.models)})
    counts = counts.sort_values(["order", "count"], ascending=[True, False], kind="stable")
    return counts.drop(columns="order").reset_index(drop=True)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, pd.DataFrame):
        return [_plain(row) for row in value.to_dict("records")]
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if hasattr(value, "to_dict"):
        return _plain(value.to_dict())
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, list | tuple | set):
        return [_plain(v) for v in value]
    return None if value is pd.NaT else str(value)
