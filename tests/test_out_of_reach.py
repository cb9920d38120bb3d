"""An error cannot shrink by more than all of itself: what is said where even that would not be found."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tsforecast.judging.compare import Comparison
from tsforecast.judging.sentences import sentence
from tsforecast.planning.prospect import Pair, Prospect

INCONCLUSIVE = Comparison(
    model="lstm", benchmark="naive", effect_percent=35.5, low_percent=-53.3, high_percent=100.0, n_origins=21, wins=16,
    p_value=0.26, p_adjusted=0.52, word="inconclusive", sentence="", detectable_percent=187.6,
)  # fmt: skip


def prospect(*detectable: float) -> Prospect:
    pairs = tuple(Pair(f"m{i}", 38.1, 0.5, 3.39, d, d, (22_433, 3_610)) for i, d in enumerate(detectable))
    return Prospect("naive", "mase", 21, 21, 3, 4, 1, pairs, (), 0, math.nan)


def test_an_inconclusive_sentence_promises_no_improvement_beyond_100_percent() -> None:
    said = sentence(INCONCLUSIVE, 22_433, 20)
    assert said.endswith(
        "21 origins would not reliably detect even a forecast without any error; detecting 2 % takes about 22,433."
    )
    assert "21 origins detect 87.6 % with 80 % power" in sentence(
        replace(INCONCLUSIVE, detectable_percent=87.6), 22_433, 20
    )


@pytest.mark.parametrize("out_of_reach", [187.6, math.inf])
def test_a_plan_says_that_nothing_would_be_found(out_of_reach: float) -> None:
    said = " ".join(prospect(out_of_reach, out_of_reach).sentences)
    assert "80 % power is more than 100 % for m0: there is none." in said and "which find more than 100 %" in said
    assert "inf" not in said and "187" not in said
    some = " ".join(prospect(51.2, out_of_reach).sentences)
    assert "is 51.2 % for m0; for the cheap models it is 51.2 to more than 100 %." in some
