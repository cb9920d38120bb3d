"""Who is held against whom: the models in question, the benchmark and the rivals, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tsforecast.judging.scores import BASELINES
from tsforecast.reporting.answer import Evidence, evidence_on
from tsforecast.results import BacktestResult

if TYPE_CHECKING:
    from tsforecast.judging.compare import Comparison
    from tsforecast.judging.verdict import Verdict

__all__ = ["Contest", "contest", "model_kind"]

NETWORKS = ("rnn", "gru", "lstm")
ARIMAS = ("arima", "autoarima")


class Contest(NamedTuple):
    """The comparisons that a report is about.

    kinds      of each model: see `model_kind`
    verdict    every model against the benchmark
    baseline   that benchmark; None where none was named and no baseline was run
    role       what it is: "the benchmark" where it was named, else "the best baseline"
    subjects   the models in question: the networks, or else all that are not baselines, or else all but the benchmark
    main       the subject with the smallest error; the best model where there is no subject
    rivals     the best ARIMA and the best other model, which networks are held against too
    against_baseline, against_rivals   the comparisons, the second only of subjects
    evidence   those of the subjects, subject by subject
    """

    kinds: dict[str, str]
    verdict: Verdict
    baseline: str | None
    role: str
    subjects: list[str]
    main: str
    rivals: list[str]
    against_baseline: list[Comparison]
    against_rivals: list[Comparison]
    evidence: list[Evidence]

    @property
    def networks(self) -> list[str]:
        """Which models are networks."""
        return [m for m, kind in self.kinds.items() if kind == "network"]

    @property
    def opponents(self) -> list[str]:
        """Over whom it is shown when the main model wins: the benchmark and the best ARIMA, where it may be judged."""
        arimas = [m for m in self.rivals if self.kinds[m] == "arima"]
        met = [e.opponent for e in self.evidence if e.model == self.main and e.word != "invalid"]
        return [m for m in (self.baseline, *arimas) if m in met]


def model_kind(result: BacktestResult, model: str) -> str:
    """`network`, `arima`, `baseline` or `other`, by the kind of recipe behind the name."""
    kind = result.facts.get("kinds", {}).get(model, model)
    families = (("network", NETWORKS), ("arima", ARIMAS), ("baseline", BASELINES))
    return next((family for family, names in families if kind in names), "other")


def contest(result: BacktestResult, ranked: Sequence[str]) -> Contest:
    """`ranked`: all models, the smallest error first."""
    kinds = {m: model_kind(result, m) for m in result.models}
    named, verdict = result.facts.get("benchmark") is not None, result.verdict()
    held = len(kinds) > 1 and (named or "baseline" in kinds.values())
    baseline = verdict.benchmark if held else None
    networks = [m for m in result.models if kinds[m] == "network" and m != baseline]
    subjects = networks or [m for m in ranked if kinds[m] != "baseline" and m != baseline]
    if held and not subjects:
        subjects = [m for m in ranked if m != baseline]
    rivals = _rivals(ranked, kinds, baseline) if networks else []
    against_baseline = list(verdict.comparisons) if held else []
    against_rivals = [c for rival in rivals for c in result.comparisons(rival) if c.model in subjects]
    role = "the benchmark" if named else "the best baseline"
    evidence = evidence_on(subjects, against_baseline, role)
    evidence += evidence_on(subjects, against_rivals, "")
    evidence.sort(key=lambda e: subjects.index(e.model))
    main = next((m for m in ranked if m in subjects), ranked[0])
    return Contest(
        kinds, verdict, baseline, role, subjects, main, rivals, against_baseline, against_rivals, evidence
    )  # fmt: skip


def _rivals(ranked: Sequence[str], kinds: Mapping[str, str], baseline: str | None) -> list[str]:
    best = (next((m for m in ranked if kinds[m] == kind), None) for kind in ("arima", "other"))
    return [m for m in best if m is not None and m != baseline]
