"""From what was said in tasks to the tables of a result: the truth is put beside the forecasts, in one order.

The order is that of models as given, then folds, series and steps, whatever the tasks were cut like and done in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.contract import Forecast
from tsforecast.folds import Fold
from tsforecast.results import quantile_column
from tsforecast.running.answering import end_to_end
from tsforecast.running.chunks import chunk, within
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.queue import Store
from tsforecast.running.together import answers_of

__all__ = ["tables"]

T = TypeVar("T")
Floats = npt.NDArray[np.float64]
Answered = tuple[Fold, Forecast]

HISTORY_SERIES = 2_000  # of others, where a report plots one, it shows no past
BLOCK = 2048  # series whose past is looked at together
BATCH = 1 << 12  # rows of the table of forecasts that are made together


def tables(job: Job, store: Store) -> Iterator[tuple[str, pd.DataFrame]]:
    """(name of a table, some of its rows), piece by piece: each piece has rows of one task and fold or, where these are
    few, of several."""
    series = len(job.panel)
    for folds in _cut(job.folds, BLOCK // series):
        for first in range(0, series, BLOCK):
            yield "pasts", _past_table(folds, first, min(first + BLOCK, series))
    yield "history", _history_table(job.folds[0])
    most = BATCH // (job.plan.horizon or 1)
    for model in job.recipes:
        for start, group in job.groups.items():
            answers = answers_of(job, store, model, start)
            batches = _batches(answers, most)
            fit, predict = (sum(getattr(said, f"{word}_seconds") for _, said in answers) for word in ("fit", "predict"))
            for places in _cut(range(len(group)), most // series if len(batches) == 1 else 1):
                for batch in batches:
                    for name, frame in _said([_answered(batch, place, group[place]) for place in places]):
                        yield name, _of(model, frame)
                    job.panel.let_go()
                seconds = {
                    "fold": [group[place].number for place in places],
                    "fitted_at": start,
                    "fit_seconds": [fit if place == 0 else 0.0 for place in places],
                    "predict_seconds": predict / len(group),
                }
                yield "tasks", _of(model, pd.DataFrame(seconds))
            for _, said in answers:
                if said.curves is not None:
                    yield "curves", _of(model, said.curves.assign(fold=group[0].number))


def _cut(many: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """In lists of so many, or one by one: a table costs time however few rows it has."""
    size = max(most, 1)
    return (many[first : first + size] for first in range(0, len(many), size))


def _batches(answers: Sequence[tuple[Stretch, Any]], most: int) -> list[list[tuple[Stretch, Any]]]:
    """Tasks next to each other, together up to so many series."""
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


def _answered(batch: Sequence[tuple[Stretch, Any]], place: int, fold: Fold) -> Answered:
    """What tasks next to each other said at a fold of their group, and the fold for their series."""
    parts = [within(fold, task.first, task.last) for task, _ in batch]
    forecasts = [said.forecast(place, part) for (_, said), part in zip(batch, parts, strict=True)]
    return within(fold, batch[0][0].first, batch[-1][0].last), end_to_end(forecasts)


def _of(model: str, frame: pd.DataFrame) -> pd.DataFrame:
    frame["model"] = model
    return frame


def _said(found: Sequence[Answered]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of forecasts, fold by fold."""
    scored = [pair for pair in found if len(pair[0].rows)]
    for _, alike in groupby(scored, key=lambda pair: pair[1].levels):
        yield "forecasts", _forecast_table(list(alike))
    if several := [(fold, said.members) for fold, said in scored if said.members is not None]:
        yield "members", _member_table(several)
    for table, last in (("failures", "reason"), ("notes", "note")):
        rows = [(fold.number, *row) for fold, forecast in found for row in getattr(forecast, table)]
        if rows:
            yield table, pd.DataFrame(rows, columns=["fold", "unique_id", last])


def _forecast_table(found: Sequence[Answered]) -> pd.DataFrame:
    folds, forecasts = [fold for fold, _ in found], [forecast for _, forecast in found]
    truth, times = (np.concatenate(rows) for rows in zip(*(fold.truth() for fold in folds), strict=True))
    n, h = truth.shape
    freq, levels = folds[0].panel.freq, forecasts[0].levels
    quantiles = np.concatenate([forecast.quantiles for forecast in forecasts])
    columns: dict[str, Any] = {
        "fold": np.repeat([fold.number for fold in folds], [h * len(fold.rows) for fold in folds]),
        "unique_id": np.repeat(_ids(folds), h),
        "cutoff": freq.to_pandas(np.repeat(np.concatenate([fold.past.last_times for fold in folds]), h)),
        "step": np.tile(np.arange(1, h + 1), n),
        "ds": freq.to_pandas(times.ravel()),
        "y": truth.ravel(),
        "forecast": np.concatenate([forecast.point for forecast in forecasts]).ravel(),
    }
    columns |= {quantile_column(q): quantiles[:, :, k].ravel() for k, q in enumerate(levels)}
    return pd.DataFrame(columns)


def _member_table(found: Sequence[tuple[Fold, Floats]]) -> pd.DataFrame:
    """What each of several networks said `[members, n, H]`, row by row as in the table of forecasts."""

    def columns(fold: Fold, points: Floats) -> dict[str, Any]:
        many, n, h = points.shape
        return {
            "fold": np.full(points.size, fold.number),
            "seed": np.repeat(np.arange(many), n * h),
            "unique_id": np.tile(np.repeat(_ids([fold]), h), many),
            "step": np.tile(np.arange(1, h + 1), many * n),
            "forecast": points.ravel(),
        }

    return _joined([columns(fold, points) for fold, points in found])


def _past_table(whole: Sequence[Fold], first: int, last: int) -> pd.DataFrame:
    """What the scales of a fold's scores are made of: only steps up to the cutoff."""

    def columns(fold: Fold) -> dict[str, Any]:
        known, season = fold.history, fold.panel.season_length
        values = known.values
        seen = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), -1))[known.ends - 1]
        return {
            "fold": np.full(len(fold.rows), fold.number),
            "unique_id": _ids([fold]),
            "cutoff": known.last_times,
            "n_train": fold.past.lengths,
            "last": np.where(seen >= known.starts, values[np.maximum(seen, 0)], np.nan),
            "scale_abs": known.mean_change(season),
            "scale_sq": known.mean_change(season, power=2),
        }

    found = _joined([columns(fold) for fold in chunk(whole, first, last)])
    found["cutoff"] = whole[0].panel.freq.to_pandas(found["cutoff"].to_numpy())
    return found


def _ids(folds: Sequence[Fold]) -> npt.NDArray[np.object_]:
    """Of the scored series, fold by fold."""
    return np.concatenate([np.asarray(fold.ids, dtype=object) for fold in folds])


def _joined(parts: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One table of the same columns of several, one after the other."""
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _history_table(first: Fold) -> pd.DataFrame:
    """The stretch before the first cutoff that a plot shows: two horizons or two seasons, of the first series."""
    plan = first.plan
    steps = max(2 * plan.reach, 2 * first.panel.season_length)
    shown = replace(first, rows=first.rows[:HISTORY_SERIES])
    return shown.history.tail(steps).to_frame()[["unique_id", "ds", "y"]]
