"""The verdict on a backtest: every model against a benchmark, the set of best models, and claims that must hold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.judging.compare import LEVEL, MARGIN, Comparison, compare_all
from tsforecast.judging.confidence_set import confidence_set
from tsforecast.judging.mean_tests import benjamini_hochberg, diebold_mariano, effective_t
from tsforecast.judging.power import least_origins
from tsforecast.judging.scores import best_baseline, origin_losses, scores_by_series
from tsforecast.judging.seeds import seed_luck
from tsforecast.results import BacktestResult

__all__ = ["Claim", "Verdict", "compare_models", "judge", "parse_claim"]

SERIES_COLUMNS = ["unique_id", "model", "effect_percent", "n_origins", "p_value", "p_adjusted", "word"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a backtest says of its models.

    benchmark    the model that all others are held against
    loss         what is compared: "mase", or "mae" where no series has a scale
    margin       percent within which two models are equivalent
    comparisons  every other model against the benchmark
    best         the models that cannot be distinguished from the best (90 % model confidence set), where it is known
    best_p       p-value of each model of being as good as the best
    best_note    the same in plain words
    series       exploratory: each series by itself, p-values adjusted over the series of a model (Benjamini-Hochberg)
    """

    benchmark: str
    loss: str
    margin: float
    comparisons: tuple[Comparison, ...]
    best: tuple[str, ...]
    best_p: Mapping[str, float]
    best_note: str
    series: pd.DataFrame

    def of(self, model: str) -> Comparison:
        """The comparison of one model. Raises ConfigError for a model that is not there or is the benchmark."""
        for c in self.comparisons:
            if c.model == model:
                return c
        known = [c.model for c in self.comparisons]
        raise ConfigError(f"the verdict has no model '{model}' against {self.benchmark}{did_you_mean(model, known)}")

    def __str__(self) -> str:
        said = [*(c.sentence for c in self.comparisons), *filter(None, [self.best_note])]
        return "\n".join(said) or f"Nothing to compare: {self.benchmark} is the only model."

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: None where there is no value."""
        found = {
            "benchmark": self.benchmark,
            "loss": self.loss,
            "margin": self.margin,
            "comparisons": [asdict(c) for c in self.comparisons],
            "best": list(self.best),
            "best_p": dict(self.best_p),
            "best_note": self.best_note,
            "series": self.series.to_dict("records"),
        }
        plain: dict[str, Any] = _finite(found)
        return plain


def judge(
    result: BacktestResult,
    benchmark: str | None = None,
    *,
    margin: float | None = None,
    conditional: bool | None = None,
) -> Verdict:
    """The whole verdict: see `Verdict`, and `compare.compare_all` for what the words mean.

    benchmark    default: that of the run, else the baseline with the smallest loss
    margin       default: that of the run, else 2 %
    conditional  also Giacomini & White's test, which is about models fitted anew at every origin on a window of fixed
                 length; None: where the run is of that kind. ConfigError where it is not and the test is asked for
    """
    comparisons = compare_models(result, benchmark, margin=margin, conditional=conditional)
    against = _against(result, benchmark)
    table, loss = origin_losses(result)
    broken = _invalid(result)
    sound = [m for m in table.columns if m not in broken and table[m].notna().all()]
    best = confidence_set({m: table[m].to_numpy() for m in sound}, _overlap(result)) if len(table) else None
    best_models, best_p = best if best is not None else ((), {})
    return Verdict(
        benchmark=against,
        loss=loss,
        margin=_margin(result, margin),
        comparisons=tuple(comparisons),
        best=best_models,
        best_p=best_p,
        best_note=_best_note(best_models, best_p),
        series=_by_series(result, against, loss, set(broken)),
    )


def compare_models(
    result: BacktestResult,
    benchmark: str | None = None,
    *,
    margin: float | None = None,
    conditional: bool | None = None,
) -> list[Comparison]:
    """Each model against the benchmark, origin by origin."""
    against = _against(result, benchmark)
    rolling = bool(result.facts["train_size"]) and result.facts["refit"] in (True, 1)
    if conditional and not rolling:
        raise ConfigError(
            "the conditional test (Giacomini & White) is about models that are estimated anew at every origin on a "
            "window of fixed length: run the backtest with train_size and refit=true, or leave the test out"
        )
    table, loss = origin_losses(result)
    return list(
        compare_all(
            {m: table[m].to_numpy() for m in result.models},
            against,
            horizon=_reach(result),
            step_size=int(result.facts["step_size"]),
            margin=_margin(result, margin),
            luck=seed_luck(result, loss, table.index),
            invalid=_invalid(result),
            conditional=rolling if conditional is None else conditional,
        )
    )


def _against(result: BacktestResult, benchmark: str | None) -> str:
    benchmark = benchmark or result.facts.get("benchmark")
    if benchmark is not None and benchmark not in result.models:
        raise ConfigError(f"there is no model '{benchmark}' in this result{did_you_mean(benchmark, result.models)}")
    return benchmark or best_baseline(result)


def _margin(result: BacktestResult, margin: float | None) -> float:
    margin = float(result.facts.get("margin", MARGIN)) if margin is None else margin
    if not (math.isfinite(margin) and margin > 0):
        raise ConfigError(f"margin={margin}: give the percentage below which a difference is not worth having, above 0")
    return margin


def _reach(result: BacktestResult) -> int:
    return int(result.facts["horizon"]) + int(result.facts["gap"])


def needed_origins(result: BacktestResult) -> int:
    """Origins below which no model is called better, worse or equivalent."""
    return least_origins(_overlap(result))


def _overlap(result: BacktestResult) -> int:
    """How many origins forecast the same step."""
    return -(-_reach(result) // int(result.facts["step_size"]))


def _invalid(result: BacktestResult) -> dict[str, str]:
    """The models whose losses prove nothing because the look-ahead audit failed, and its sentences."""
    audit = result.facts.get("audit") or {}
    found = {name: own["sentence"] for name, own in audit.get("models", {}).items() if not own["passed"]}
    preparation = audit.get("preparation")
    if preparation and not preparation["passed"]:
        found |= dict.fromkeys(result.models, preparation["sentence"])
    return found


def _best_note(best: Sequence[str], p_values: Mapping[str, float]) -> str:
    if not best:
        return ""
    if len(best) == len(p_values):
        return f"No model can be distinguished from the best one: all {len(best)} are in the 90 % model confidence set."
    names = " and ".join(filter(None, [", ".join(best[:-1]), best[-1]]))
    if len(best) == 1:
        return f"{names} is the best: no other model is in the 90 % model confidence set."
    return f"The best model is among {names}, with 90 % confidence (model confidence set)."


def _by_series(result: BacktestResult, benchmark: str, loss: str, broken: set[str]) -> pd.DataFrame:
    """Each series by itself."""
    held = [m for m in result.models if m != benchmark and not {m, benchmark} & broken]
    parts = []
    for table in scores_by_series(result, ("model", "unique_id", "fold"), (loss,)) if held else ():
        wide = table.pivot_table(index="fold", columns=["model", "unique_id"], values=loss, dropna=False)
        there = [model for model in held if model in wide and benchmark in wide]
        parts += [_tested(wide, model, benchmark, _overlap(result)) for model in there]
    if not parts:
        return pd.DataFrame(columns=SERIES_COLUMNS)
    whole = pd.concat(parts, ignore_index=True)
    order = whole["model"].map({m: i for i, m in enumerate(held)}).argsort(kind="stable")
    whole = whole.iloc[order].reset_index(drop=True)
    by_model = whole.groupby("model", sort=False)["p_value"]
    whole["p_adjusted"] = by_model.transform(lambda p: benjamini_hochberg(p.to_numpy()))
    word = np.where(whole["effect_percent"] > 0, "better", "worse").astype(object)
    word[~(whole["p_adjusted"] < LEVEL)] = "inconclusive"
    word[whole["n_origins"] < needed_origins(result)] = "too few origins"
    return whole.assign(word=word)[SERIES_COLUMNS]


def _tested(table: pd.DataFrame, model: str, benchmark: str, overlap: int) -> pd.DataFrame:
    """Effect and p-value on each series: series with the same origins are tested at once."""
    theirs, own = table[benchmark].to_numpy(np.float64), table[model].to_numpy(np.float64)
    known = np.isfinite(theirs) & np.isfinite(own)
    level = np.where(known, theirs, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = np.where(level > 0, (theirs - own) / level * 100, np.nan)
    effect, p = np.full(known.shape[1], np.nan), np.full(known.shape[1], np.nan)
    patterns, group = np.unique(known, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        columns = np.flatnonzero(group.ravel() == number)
        part = gains[np.ix_(patterns[:, number], columns)]
        if len(part):
            effect[columns] = part.mean(0)
        if len(part) >= least_origins(overlap):
            tests = diebold_mariano(part, overlap - 1), effective_t(part, overlap)
            p[columns] = np.maximum(*(test.p_value for test in tests))
    facts = [table[model].columns.to_numpy(), model, effect, known.sum(0), p]
    return pd.DataFrame(dict(zip(SERIES_COLUMNS, facts, strict=False)))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Claim(NamedTuple):
    """Something that a verdict must say, such as "lstm better than autoarima"."""

    model: str
    relation: str
    benchmark: str

    def __str__(self) -> str:
        return f"{self.model} {self.relation} {self.benchmark}"

    def check(self, models: Sequence[str]) -> None:
        """Raise ConfigError where a model of the claim is not in the run."""
        for name in (self.model, self.benchmark):
            if name not in models:
                raise ConfigError(f"'{self}': there is no model '{name}' in the run{did_you_mean(name, models)}")
        if self.model == self.benchmark:
            raise ConfigError(f"'{self}': a model is not compared with itself; name another one")

    def holds(self, result: BacktestResult) -> tuple[bool, str]:
        """Whether the verdict against that benchmark says so, and its sentence."""
        self.check(result.models)
        (found,) = (c for c in compare_models(result, self.benchmark) if c.model == self.model)
        return found.word in RELATIONS[self.relation], found.sentence


RELATIONS = {
    "better than": ("better",),
    "not worse than": ("better", "equivalent"),
    "equivalent to": ("equivalent",),
}
"""What a claim may say, and the words that make it true."""


def parse_claim(text: str) -> Claim:
    """A claim from words: `MODEL better than MODEL`, `... not worse than ...`, `... equivalent to ...`."""
    spelled = "|".join(RELATIONS)
    found = re.fullmatch(rf"(\S.*?) ({spelled}) (\S.*)", " ".join(text.split()))
    if found is None:
        raise ConfigError(
            f"'{text}' is no claim: write for example 'lstm better than autoarima' (or 'not worse than', "
            "'equivalent to')"
        )
    return Claim(found[1], found[2], found[3])
