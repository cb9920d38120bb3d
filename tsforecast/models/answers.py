"""From many origins to batches of one size, and back: how models that read windows answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tsforecast.contract import Failure, Forecast
from tsforecast.errors import DataError
from tsforecast.models.zeros import SEASONS, ZERO, always_zero
from tsforecast.panel import Panel, View
from tsforecast.scaling import ROUNDING, extremes, largest, last_of_phase
from tsforecast.windows import NOTHING, Batch, Earlier, contexts

__all__ = ["Answer", "Covariates", "forecast_views"]

Notes = tuple[tuple[str, str], ...]

ROWS = 256  # in every batch
HELD = 16_000_000  # values gathered at once; a view of more stands alone
LEAST_OBSERVED = 2  # one value has a level but no size to measure changes by


class Covariates(NamedTuple):
    """The covariates that a model was trained with: a forecast needs the same."""

    hist: tuple[str, ...]
    futr: tuple[str, ...]

    @classmethod
    def of(cls, panel: Panel) -> Covariates:
        """Those of a panel."""
        return cls(panel.hist_names, panel.futr_names)

    def check(self, past: Panel, model: str) -> None:
        """Raise DataError where a past has others."""
        if self != (others := Covariates.of(past)):
            raise DataError(
                f"{model}: trained with covariates {list(self.hist + self.futr)}, but asked to forecast with "
                f"{list(others.hist + others.futr)}"
            )


class Answer(NamedTuple):
    """What a model says of a batch of windows, in the units of the target."""

    point: Tensor  # [B, H]
    quantiles: Tensor  # [B, H, Q]


def forecast_views(
    views: list[View],
    model: Callable[[Batch], Answer],
    *,
    input_size: int,
    season: int,
    levels: tuple[float, ...],
    earlier: Earlier = NOTHING,
    preceding: int = 0,
    remarks: Sequence[str] = (),
    device: torch.device | str = "cpu",
) -> list[Forecast]:
    """One forecast per view: all series of all views go through the model as one stream of equal batches.

    The last batch is padded, so that no forecast depends on how many others are asked for. A context that never moved
    has no size to measure a change by: its forecast is its value. What is always zero at a phase of the season is zero
    there. A context with fewer than two observed values is a Failure. `remarks` are of all series; empty ones say
    nothing.
    """
    notes = tuple(("", remark) for remark in remarks if remark)
    width, found = max(input_size + earlier.steps + preceding, SEASONS * season), list[Forecast]()
    for some in _together(views, width):
        found += _answered(some, contexts(some, input_size, earlier, preceding), model, levels, season, notes, device)
    return found


def _together(views: list[View], width: int) -> Iterator[list[View]]:
    """The views in their order, cut into lists of at most HELD values, `width` a series, or of one view."""
    some, held = list[View](), 0
    for view in views:
        size = width * len(view.past)
        if some and held + size > HELD:
            yield some
            some, held = [], 0
        some.append(view)
        held += size
    if some:
        yield some


def _answered(
    views: list[View],
    batch: Batch,
    model: Callable[[Batch], Answer],
    levels: tuple[float, ...],
    season: int,
    notes: Notes,
    device: torch.device | str,
) -> list[Forecast]:
    pieces = []
    with torch.inference_mode():
        for part, real in _equal(batch):
            point, quantiles = model(Batch(*(rows.to(device) for rows in part)))
            pieces.append(torch.cat([point.unsqueeze(2), quantiles], dim=2)[:real].cpu())
    values = torch.cat(pieces) if pieces else batch.context.new_empty(0, views[0].future.horizon, 1 + len(levels))
    low, high = extremes(batch.context)
    observed = (~batch.context.isnan()).sum(1, keepdim=True)
    values = torch.where(high - low <= ROUNDING * largest(batch.context), last_of_phase(batch.context, 1), values)
    values = torch.where(observed >= LEAST_OBSERVED, values, torch.nan)
    zero = always_zero([view.past for view in views], season, values.shape[1])
    rows, still = np.where(zero[:, :, None], 0.0, values.numpy()), np.asarray(zero.any(axis=1))
    counts = observed.flatten().tolist()
    found, start = [], 0
    for view in views:
        stop = start + len(view.past)
        found.append(_forecast(view, levels, rows[start:stop], counts[start:stop], still[start:stop], notes))
        start = stop
    return found


def _equal(batch: Batch) -> Iterator[tuple[Batch, int]]:
    """The rows in batches of ROWS, and how many of each are real: a short one is filled up with its first row."""
    for start in range(0, len(batch.context), ROWS):
        part = [rows[start : start + ROWS] for rows in batch]
        real = len(part[0])
        yield Batch(*(torch.cat([rows, rows[:1].expand(ROWS - real, *rows.shape[1:])]) for rows in part)), real


def _forecast(
    view: View,
    levels: tuple[float, ...],
    values: npt.NDArray[np.float64],
    observed: list[int],
    still: npt.NDArray[np.bool_],
    remarks: Notes,
) -> Forecast:
    past, future = view
    failures = tuple(
        Failure(past.ids[i], f"too few observed values: {n} in the context, needs {LEAST_OBSERVED}")
        for i, n in enumerate(observed)
        if n < LEAST_OBSERVED
    )
    notes = (*((past.ids[i], ZERO) for i in np.flatnonzero(still).tolist()), *remarks)
    return Forecast(past.ids, future.times, past.freq, values[:, :, 0], levels, values[:, :, 1:], failures, notes)
