"""What a report says, before it is typeset: every table and sentence of it, worked out once from a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsforecast.judging.persistence import persistence
from tsforecast.reporting import answer
from tsforecast.reporting.advantage import Advantage, advantage
from tsforecast.reporting.answer import Evidence
from tsforecast.reporting.contest import contest
from tsforecast.reporting.words import joined, visible
from tsforecast.results import BacktestResult, quantile_columns

if TYPE_CHECKING:
    from tsforecast.judging.compare import Comparison
    from tsforecast.judging.verdict import Verdict

__all__ = ["Findings", "find"]

MOST_ROWS = 4  # models in one forecast figure


@dataclass(frozen=True, eq=False)
class Findings:
    """The contents of a report.

    failed      a sentence if any model failed anywhere, else empty
    question, asked, answers, evidence, remarks   the other first lines
    main        the model that the report is about; its errors choose the series to plot
    verdict     every model against the benchmark; `baseline` is that benchmark, None where no baseline was run
    comparisons against the benchmark, and of the models in question against the best ARIMA and the best other model
    metric      what models are ranked by: `mase`, or `mae` where no MASE is defined
    summary     one row per model, best first: scores, gain against the best baseline, seconds
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
    metric: str
    verdict: Verdict
    summary: pd.DataFrame
    comparisons: list[Comparison]
    by_step: pd.DataFrame
    by_fold: pd.DataFrame
    by_series: pd.DataFrame
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


def find(result: BacktestResult) -> Findings:
    """Work out everything that a report says."""
    scores = result.scores(by=("model",))
    metric = "mase" if scores["mase"].notna().any() or scores["mae"].isna().all() else "mae"
    scores = scores.sort_values([metric, "model"], ignore_index=True)
    ranked = [str(m) for m in scores["model"]]
    who = contest(result, ranked)
    audit, placebo = result.facts.get("audit"), result.facts.get("placebo")
    copies = persistence(result)
    flagged = copies[copies["flagged"] & copies["model"].isin(who.networks)]["sentence"]
    remarks = answer.doubts(result, who.verdict.best_note if len(ranked) > 1 else "", who.networks, list(flagged))
    by_series = result.scores(by=("model", "unique_id"))
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
        metric=metric,
        verdict=who.verdict,
        summary=_summary(result, scores, who.kinds, who.against_baseline),
        comparisons=who.against_baseline + who.against_rivals,
        by_step=result.scores(by=("model", "step")),
        by_fold=result.scores(by=("model", "fold")).merge(_cutoffs(result), on="fold"),
        by_series=by_series,
        calibration=_calibration(result),
        advantages=[advantage(result, who.main, opponent, metric) for opponent in who.opponents],
        persistence=copies,
        networks=who.networks,
        audit=audit,
        placebo=placebo,
        shown=_shown(by_series[by_series["model"] == who.main], metric, who.main),
        rows=rows[:MOST_ROWS],
        failures=result.failures,
        undefined=result.undefined(),
        notes=_counted(result.notes, ["model", "note"], result.models),
        curves=result.curves,
        tasks=result.tasks,
        facts={k: v for k, v in result.facts.items() if k not in ("audit", "placebo")},
        n_tasks=len(result.pasts),
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


def _cutoffs(result: BacktestResult) -> pd.DataFrame:
    """The latest cutoff of each fold: with align=end, or on trading bars, series have cutoffs of their own."""
    return result.pasts.groupby("fold")["cutoff"].max().reset_index()


def _calibration(result: BacktestResult) -> pd.DataFrame:
    """`model, nominal, observed`: the share of observed values inside each central interval, ends included."""
    table = result.forecasts
    table = table[table["y"].notna() & table["forecast"].notna()]
    columns = quantile_columns(table)
    pairs = [(q, round(1 - q, 6)) for q in columns if q < 0.5 and round(1 - q, 6) in columns]
    if not pairs:
        return pd.DataFrame({"model": [], "nominal": [], "observed": []})
    inside = {}
    for low, high in pairs:
        ends = table[columns[low]], table[columns[high]]
        known = ends[0].notna() & ends[1].notna()  # models may answer different levels
        inside[round(high - low, 6)] = table["y"].between(*ends).astype("float64").where(known)
    shares = pd.DataFrame(inside).groupby(table["model"]).mean().reindex(list(result.models))
    shares = shares.rename_axis(index="model").dropna(how="all").reset_index()
    return shares.melt("model", var_name="nominal", value_name="observed").sort_values(
        ["model", "nominal"], ignore_index=True
    )


def _shown(scores: pd.DataFrame, metric: str, main: str) -> list[tuple[str, str]]:
    """The worst, the median, the best and the first series of the main model: `(id, why)`, each once."""
    if len(scores) == 1:
        return [(str(scores["unique_id"].iloc[0]), "the only series")]
    known = scores[scores[metric].notna()].sort_values([metric, "unique_id"])
    picks: dict[str, list[str]] = {}
    if len(known):
        middle = [("median", (len(known) - 1) // 2)] if len(known) > 2 else []
        for why, place in (("largest", -1), *middle, ("smallest", 0)):
            picks.setdefault(str(known["unique_id"].iloc[place]), []).append(f"{why} error of {visible(main)}")
    picks.setdefault(str(scores["unique_id"].iloc[0]), []).append("the first series")
    return [(name, joined(whys)) for name, whys in picks.items()]


def _counted(table: pd.DataFrame, by: list[str], models: Sequence[str]) -> pd.DataFrame:
    """How often each row occurs, models in their order, the most frequent first."""
    counts = table.groupby(by, as_index=False).size().rename(columns={"size": "count"})
    order = counts["model"].map({m: i for i, m in enumerate(models)})
    counts = counts.assign(order=order).sort_values(["order", "count"], ascending=[True, False], kind="stable")
    return counts.drop(columns="order").reset_index(drop=True)


def _plain(value: Any) -> Any:
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
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if value is pd.NaT else str(value)
