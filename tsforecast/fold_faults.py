"""Why a plan finds no room in the data, and what to do: words for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tsforecast.errors import listing
from tsforecast.panel import Panel

if TYPE_CHECKING:
    from tsforecast.folds import Plan

__all__ = ["no_fold", "no_series"]


def _windows(plan: Plan) -> str:
    gap = f" after a gap of {plan.gap}" if plan.gap else ""
    if plan.n_windows == 1:
        return f"1 window of horizon {plan.horizon}{gap}"
    return f"{plan.n_windows} windows of horizon {plan.horizon}{gap}, {plan.step_size} steps apart"


def no_series(panel: Panel, plan: Plan, number: int, need: int, alive: npt.NDArray[np.bool_]) -> str:
    """Why a fold has no series: the longest one is too short for so many windows, or nothing was observed."""
    assert plan.n_windows is not None and plan.step_size is not None
    row = int(np.argmax(np.where(alive, panel.lengths, -1)))
    length, whole = int(panel.lengths[row]), need + plan.reach + (plan.n_windows - 1) * plan.step_size
    if length >= whole:
        return (
            f"window {number + 1} of {plan.n_windows}: no series has an observed value at the steps that are forecast; "
            "use fewer windows or another step_size"
        )
    fits = (length - need - plan.reach) // plan.step_size + 1
    advice = f"use n_windows={fits} or fewer" if fits >= 1 else "use a shorter horizon"
    needs = " needs" if plan.n_windows == 1 else ", need"
    return (
        f"series '{panel.ids[row]}' is too short: it has {length} steps, but {_windows(plan)}{needs} {whole} "
        f"({need} before the first cutoff); {advice}"
    )


def no_fold(panel: Panel, plan: Plan, need: int, alive: npt.NDArray[np.bool_], lost: npt.NDArray[np.int64]) -> str:
    """Why the first of the lost series is in no fold, and what to do."""
    row = int(lost[0])
    length, whole = int(panel.lengths[row]), need + plan.reach
    if length < whole:
        why = f"is too short: it has {length} steps, but one window needs {whole} ({need} before the cutoff)"
        advice = "leave it out, or use a shorter horizon"
    elif not alive[row]:
        last = panel.freq.show(panel.last_times[row])
        why = f"ends at {last}, before the steps that are forecast in {_windows(plan)}"
        advice = "leave it out, use more windows, or count every series from its end (align=end)"
    else:
        why, advice = f"has no observed value at the steps that are forecast in {_windows(plan)}", "leave it out"
    others = f" (likewise {listing(panel.ids[i] for i in lost[1:])})" if len(lost) > 1 else ""
    return f"series '{panel.ids[row]}' {why}; {advice}{others}"
