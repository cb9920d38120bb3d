"""A comparison in one plain sentence. It follows the word and never goes beyond it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsforecast.judging.compare import Comparison

__all__ = ["sentence"]


def sentence(c: Comparison, needed: int, least: int) -> str:
    """The sentence of a comparison that has its word.

    needed  origins that would find the margin (or, with too few origins, this effect); 0 = unknown or out of reach
    least   origins without which there is no p-value
    """
    size = f"{c.model} is {signed(c.effect_percent)} than {c.benchmark}"
    if c.word == "equivalent" and math.isnan(c.equivalence_p):
        return f"{c.model} and {c.benchmark} have the same errors at {_origins(c.n_origins, 'all ')}."
    if c.word == "too few origins":
        to_tell = f", and about {needed:,} to tell a difference of this size" if needed > least else ""
        return f"Too few origins to tell: at least {least} are needed{to_tell}. {size} ({_evidence(c)})."
    if math.isnan(c.p_value):
        return (
            f"Inconclusive: {size}, by the same amount at {_origins(c.n_origins, 'all ')}: without variance there is "
            "nothing to test."
        )
    if c.word == "equivalent":
        return f"{c.model} and {c.benchmark} are equivalent within {c.margin_percent:g} %: {size} ({_evidence(c)})."
    if c.word != "inconclusive":
        return f"{size} ({_evidence(c)})."
    alone = ""
    if c.p_value < 0.05:
        alone = f" On its own this would be significant, but not after the correction for {c.models} models."
    return f"Inconclusive: {size} ({_evidence(c)}).{alone}{_found(c, needed)}"


def _found(c: Comparison, needed: int) -> str:
    """What these origins can find, and how many find the margin."""
    if math.isnan(c.detectable_percent):
        return ""
    takes = f"; detecting {c.margin_percent:g} % takes about {needed:,}" if needed > c.n_origins else ""
    if needed == 0 and c.seeds > 1:
        takes = f"; networks differ so much by their seeds that {c.margin_percent:g} % takes more of them (n_seeds)"
    if c.detectable_percent > 100:
        return (
            f" Differences vary so much that {_origins(c.n_origins)} would not reliably detect even a forecast without "
            f"any error{takes}."
        )
    return (
        f" With differences as variable as these, {_origins(c.n_origins)} detect {c.detectable_percent:.1f} % with "
        f"80 % power{takes}."
    )


def _evidence(c: Comparison) -> str:
    parts = []
    if math.isfinite(c.low_percent) and math.isfinite(c.high_percent):
        rough = "bootstrapped " if math.isnan(c.p_value) else ""
        parts.append(f"{rough}95 % interval {interval(c.low_percent, c.high_percent)}")
    if not math.isnan(c.p_value):
        corrected = f", {p_text(c.p_adjusted)} corrected for {c.models} models" if c.models > 1 else ""
        parts.append(p_text(c.p_value) + corrected)
    origins = f"{_origins(c.n_origins)}, better in {c.wins}"
    if c.worth_origins < 0.95 * c.n_origins:
        origins += f"; they overlap or are correlated, and count as {c.worth_origins:.3g}"
    parts.append(origins)
    if not math.isnan(c.conditional_p):
        parts.append(f"predictability of the better model: {p_text(c.conditional_p)} (Giacomini-White)")
    if c.seeds > 1:
        parts.append(f"smaller error with {c.seed_wins} of {c.seeds} networks")
    return "; ".join(parts)


def p_text(p: float) -> str:
    """`p = 0.018`, `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def signed(percent: float) -> str:
    """`3.1 % better`, `3.1 % worse`."""
    return f"{abs(percent):.1f} % {'better' if percent >= 0 else 'worse'}"


def interval(low: float, high: float) -> str:
    """`0.6 to 5.6 %` where both ends are on the same side (which the sentence has named), else both with their side."""
    if low < 0 < high:
        return f"{signed(low)} to {signed(high)}"
    near, far = sorted((abs(low), abs(high)))
    return f"{near:.1f} to {far:.1f} %"


def _origins(n: int, every: str = "") -> str:
    return "1 origin" if n == 1 else f"{every}{n} origins"
