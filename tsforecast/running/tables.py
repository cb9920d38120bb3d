"""From what was said in tasks to the tables of a result: the truth is put beside the forecasts, in one order.

The order is that of models as given, then folds, series and steps, whatever the tasks were cut like and done in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.folds import Fold
from tsforecast.forecast import Forecast
from tsforecast.results import quantile_column
from tsforecast.running.answering import end_to_end
from tsforecast.running.chunks import chunk, within
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.queue import Store
from tsforecast.running.together import answers_of

__all__ = ["tables"]

HISTORY_SERIES = 12  # as many as a report plots
BLOCK = 2048  # series whose past is looked at together
BATCH = 1 << 12  # rows of the table of forecasts that are made together


def tables(job: Job, store: Store) -> Iterator[tuple[str, pd.DataFrame]]:
    """(name of a table, some of its rows), piece by piece: each piece has the rows of one task and fold."""
    for fold in job.folds:
        for first in range(0, len(job.panel), BLOCK):
            yield "pasts", _past_table(fold, first, min(first + BLOCK, len(job.panel)))
    yield "history", _history_table(job.folds[0])
    for model in job.recipes:
        for start, group in job.groups.items():
            answers = answers_of(job, store, model, start)
            batches = _batches(answers, BATCH // (job.plan.horizon or 1))
            fit, predict = (sum(getattr(said, f"{word}_seconds") for _, said in answers) for word in ("fit", "predict"))
            for place, fold in enumerate(group):
                seconds = {
                    "fitted_at": [start],
                    "fit_seconds": [fit if place == 0 else 0.0],
                    "predict_seconds": [predict / len(group)],
                }
                for batch in batches:
                    parts = [within(fold, task.first, task.last) for task, _ in batch]
                    forecasts = [said.forecast(place, part) for (_, said), part in zip(batch, parts, strict=True)]
                    whole = within(fold, batch[0][0].first, batch[-1][0].last)
                    for name, frame in _said(whole, end_to_end(forecasts)):
                        yield name, _of(model, fold, frame)
                    job.panel.let_go()
                yield "tasks", _of(model, fold, pd.DataFrame(seconds))
            for _, said in answers:
                if said.curves is not None:
                    yield "curves", _of(model, group[0], said.curves.copy())


def _batches(answers: Sequence[tuple[Stretch, Any]], most: int) -> list[list[tuple[Stretch, Any]]]:
    """Tasks next to each other, together up to so many series: a table costs time however few rows it has."""
    found: list[list[tuple[Stretch, Any]]] = []
    size = most
    for task, said in answers:
        series = task.last - task.first
        if size + series > most:
            found.append([])
            size = 0
        found[-1].append((task, said))
        size += series
    return found


def _of(model: str, fold: Fold, frame: pd.DataFrame) -> pd.DataFrame:
    frame["model"], frame["fold"] = model, fold.number
    return frame


def _said(fold: Fold, forecast: Forecast) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of one forecast."""
    if len(fold.rows):
        yield "forecasts", _forecast_table(fold, forecast)
    for seed, points in enumerate(() if forecast.members is None else forecast.members):
        yield "members", _member_table(fold, seed, points)
    for table, rows, last in (("failures", forecast.failures, "reason"), ("notes", forecast.notes, "note")):
        if rows:
            yield table, pd.DataFrame(list(rows), columns=["unique_id", last])


def _forecast_table(fold: Fold, forecast: Forecast) -> pd.DataFrame:
    truth, times = fold.truth()
    n, h = truth.shape
    freq = fold.panel.freq
    columns: dict[str, Any] = {
        "unique_id": np.repeat(np.asarray(fold.ids, dtype=object), h),
        "cutoff": freq.to_pandas(np.repeat(fold.past.last_times, h)),
        "step": np.tile(np.arange(1, h + 1), n),
        "ds": freq.to_pandas(times.ravel()),
        "y": truth.ravel(),
        "forecast": forecast.point.ravel(),
    }
    columns |= {quantile_column(q): forecast.quantiles[:, :, k].ravel() for k, q in enumerate(forecast.levels)}
    return pd.DataFrame(columns)


def _member_table(fold: Fold, seed: int, points: npt.NDArray[np.float64]) -> pd.DataFrame:
    """What one of several networks said, row by row as in the table of forecasts."""
    n, h = points.shape
    columns: dict[str, Any] = {
        "seed": seed,
        "unique_id": np.repeat(np.asarray(fold.ids, dtype=object), h),
        "step": np.tile(np.arange(1, h + 1), n),
        "forecast": points.ravel(),
    }
    return pd.DataFrame(columns)


def _past_table(whole: Fold, first: int, last: int) -> pd.DataFrame:
    """What the scales of a fold's scores are made of: only steps up to the cutoff."""
    (fold,) = chunk([whole], first, last)
    known, season = fold.history, fold.panel.season_length
    seen = np.maximum.accumulate(np.where(np.isfinite(known.values), np.arange(len(known.values)), -1))[known.ends - 1]
    last_value = np.where(seen >= known.starts, known.values[np.maximum(seen, 0)], np.nan)
    return pd.DataFrame(
        {
            "fold": fold.number,
            "unique_id": np.asarray(fold.ids, dtype=object),
            "cutoff": fold.panel.freq.to_pandas(known.last_times),
            "n_train": fold.past.lengths,
            "last": last_value,
            "scale_abs": known.mean_change(season),
            "scale_sq": known.mean_change(season, power=2),
        }
    )


def _history_table(first: Fold) -> pd.DataFrame:
    """The stretch before the first cutoff that a plot shows: two horizons or two seasons, of the first series."""
    plan = first.plan
    steps = max(2 * plan.reach, 2 * first.panel.season_length)
    shown = replace(first, rows=first.rows[:HISTORY_SERIES])
    return shown.history.tail(steps).to_frame()[["unique_id", "ds", "y"]]
