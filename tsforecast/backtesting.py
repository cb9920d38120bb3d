"""The loop: every model on identical folds. It knows the forecaster protocol and no model.

A model is handed the past and what is known of the future; the truth is fetched after it has answered.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast import progress
from tsforecast.errors import ConfigError, TsforecastError
from tsforecast.folds import Fold, Plan, make_folds
from tsforecast.forecast import Failure, Fitted, Forecast, Forecaster
from tsforecast.panel import Panel
from tsforecast.results import TABLES, BacktestResult, quantile_column

__all__ = ["Progress", "run_backtest"]

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done (0 to 1) and what is being done."""


def run_backtest(
    panel: Panel,
    models: Mapping[str, Forecaster],
    plan: Plan,
    *,
    facts: Mapping[str, Any] | None = None,
    on_progress: Progress | None = None,
) -> BacktestResult:
    """Forecast every fold of `plan` with every model, and put the forecasts beside the truth.

    models       name -> recipe; the name is what tables and reports call it
    facts        remarks to keep with the result (versions, file names)
    on_progress  told how far the work is

    A model that raises something unexpected, or answers with a wrong shape, wrong series or non-finite numbers, is
    recorded as failed for those series; its numbers are NaN. Errors about the user's data and options are raised.
    """
    if not models:
        raise ConfigError("no model to backtest: name at least one, such as naive")
    started = time.perf_counter()
    plan = plan.settle(panel)
    folds = make_folds(panel, plan)
    groups = _fit_groups(folds)
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    total = len(models) * len(groups)
    for number, (name, recipe) in enumerate(models.items()):
        for place, group in enumerate(groups):
            done = number * len(groups) + place

            def tell(fraction: float, done: int = done, name: str = name) -> None:
                if on_progress is not None:
                    on_progress((done + fraction) / total, name)

            tell(0.0)
            with progress.listening(tell):
                answers = _ask(recipe, group)
            _record(name, group, answers, parts)
    if on_progress is not None:
        on_progress(1.0, "done")
    parts["pasts"] = [_past_table(fold) for fold in folds]
    parts["history"] = [_history_table(folds[0])]
    tables = {name: _joined(name, frames) for name, frames in parts.items()}
    return BacktestResult(**tables, facts=_facts(panel, models, plan, folds, started, facts))


def _fit_groups(folds: list[Fold]) -> list[list[Fold]]:
    """Folds that share one fitted model: it is fitted at the first of each group."""
    groups: list[list[Fold]] = []
    for fold in folds:
        if fold.plan.fits_at(fold.number):
            groups.append([])
        groups[-1].append(fold)
    return groups


class _Answers(NamedTuple):
    """What one fitted model said of the folds of its group, complete and checked."""

    forecasts: list[Forecast]  # per fold: all its series, the scored steps
    fit_seconds: float
    predict_seconds: float
    curves: pd.DataFrame | None


def _ask(recipe: Forecaster, group: list[Fold]) -> _Answers:
    """Fit at the first fold, forecast all folds of the group."""
    levels: tuple[float, ...] = getattr(recipe, "quantiles", ())
    begun, fitted_at = time.perf_counter(), math.inf
    try:
        training = group[0].training
        fitted: Fitted = recipe.fit(training, group[0].plan.reach)
        fitted_at = time.perf_counter()
        # a series that is too short when the model is fitted is not known to it: it waits for the next fit
        asked = [fold.only(set(training.ids)) for fold in group]
        forecasts = fitted.predict([fold.view for fold in asked])
        assert len(forecasts) == len(group), f"{len(forecasts)} forecasts for {len(group)} views"
        curves = getattr(fitted, "curves", None)
        checked = [_checked(*three, levels) for three in zip(group, asked, forecasts, strict=True)]
    except TsforecastError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"
        checked, curves = [_failed(fold, reason, levels) for fold in group], None
    ended = time.perf_counter()
    fitted_at = min(fitted_at, ended)
    return _Answers(checked, fitted_at - begun, ended - fitted_at, curves)


def _record(name: str, group: list[Fold], answers: _Answers, parts: dict[str, list[pd.DataFrame]]) -> None:
    """Add what a model said to the tables."""

    def add(table: str, number: int, frame: pd.DataFrame) -> None:
        frame["model"], frame["fold"] = name, number
        parts[table].append(frame)

    for fold, forecast in zip(group, answers.forecasts, strict=True):
        seconds = {
            "fitted_at": [group[0].number],
            "fit_seconds": [answers.fit_seconds if fold is group[0] else 0.0],
            "predict_seconds": [answers.predict_seconds / len(group)],
        }
        add("forecasts", fold.number, _forecast_table(fold, forecast))
        for seed, points in enumerate(() if forecast.members is None else forecast.members):
            add("members", fold.number, _member_table(fold, seed, points))
        add("tasks", fold.number, pd.DataFrame(seconds))
        for table, rows, last in (("failures", forecast.failures, "reason"), ("notes", forecast.notes, "note")):
            if rows:
                add(table, fold.number, pd.DataFrame(list(rows), columns=["unique_id", last]))
    if answers.curves is not None:
        add("curves", group[0].number, answers.curves.copy())


def _checked(fold: Fold, asked: Fold, answer: Any, levels: tuple[float, ...]) -> Forecast:
    """The scored steps of an answer for all series of the fold; what is missing or not finite is a failure."""
    if not isinstance(answer, Forecast):
        return _failed(fold, f"the model answered with {type(answer).__name__}, not with a Forecast", levels)
    reach, steps = fold.plan.reach, answer.point.shape[1]
    if steps != reach:
        return _failed(fold, f"the model answered {steps} steps, but was asked for {reach}", levels)
    answer = answer.tail(fold.plan.horizon or reach)
    row = {key: i for i, key in enumerate(answer.ids)}
    finite = np.isfinite(answer.point).all(axis=1) & np.isfinite(answer.quantiles).all(axis=(1, 2))
    reasons = {key: "the model answered with numbers that are not finite" for key, i in row.items() if not finite[i]}
    reasons |= {key: "the model left it out of its answer" for key in asked.ids if key not in row}
    reasons |= dict.fromkeys(set(fold.ids) - set(asked.ids), "starts after the last fit; use refit to include it")
    reasons |= dict(answer.failures)
    whole = _failed(fold, "", answer.levels)
    good = [i for i, key in enumerate(fold.ids) if key not in reasons]
    rows = [row[fold.ids[i]] for i in good]
    whole.point[good], whole.quantiles[good] = answer.point[rows], answer.quantiles[rows]
    members = None
    if answer.members is not None:
        members = np.full((len(answer.members), *whole.point.shape), np.nan)
        members[:, good] = answer.members[:, rows]
    failures = tuple(Failure(key, reasons[key]) for key in fold.ids if key in reasons)
    return replace(whole, failures=failures, notes=answer.notes, members=members)


def _failed(fold: Fold, reason: str, levels: tuple[float, ...]) -> Forecast:
    """No forecast of any series of the fold."""
    n, h, past = len(fold.rows), fold.plan.horizon or fold.plan.reach, fold.past
    times = past.freq.after(past.last_times, fold.plan.reach)[:, -h:]
    point, quantiles = np.full((n, h), np.nan), np.full((n, h, len(levels)), np.nan)
    return Forecast(fold.ids, times, past.freq, point, levels, quantiles, tuple(Failure(k, reason) for k in fold.ids))


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


def _past_table(fold: Fold) -> pd.DataFrame:
    """What the scales of a fold's scores are made of: only steps up to the cutoff."""
    known, season = fold.history, fold.panel.season_length
    seen = np.maximum.accumulate(np.where(np.isfinite(known.values), np.arange(len(known.values)), -1))[known.ends - 1]
    last = np.where(seen >= known.starts, known.values[np.maximum(seen, 0)], np.nan)
    return pd.DataFrame(
        {
            "fold": fold.number,
            "unique_id": np.asarray(fold.ids, dtype=object),
            "cutoff": fold.panel.freq.to_pandas(known.last_times),
            "n_train": fold.past.lengths,
            "last": last,
            "scale_abs": known.mean_change(season),
            "scale_sq": known.mean_change(season, power=2),
        }
    )


HISTORY_SERIES = 12  # as many as a report plots


def _history_table(first: Fold) -> pd.DataFrame:
    """The stretch before the first cutoff that a plot shows: two horizons or two seasons, of the first series."""
    plan = first.plan
    steps = max(2 * plan.reach, 2 * first.panel.season_length)
    shown = first.history.take(np.arange(min(len(first.rows), HISTORY_SERIES))).tail(steps)
    return shown.to_frame()[["unique_id", "ds", "y"]]


def _joined(name: str, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One table with the promised columns first, rows in the order they were made."""
    columns = list(TABLES[name])
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        words = ("model", "unique_id", "reason", "note")
        return pd.DataFrame({c: pd.Series(dtype="object" if c in words else "float64") for c in columns})
    table = pd.concat(filled, ignore_index=True)
    return table[columns + [c for c in table.columns if c not in columns]]


def _facts(
    panel: Panel,
    models: Mapping[str, Forecaster],
    plan: Plan,
    folds: list[Fold],
    started: float,
    more: Mapping[str, Any] | None,
) -> dict[str, Any]:
    skipped = {f.number: len(panel) - len(f.rows) for f in folds if len(f.rows) < len(panel)}
    window = "expanding" if plan.train_size is None else f"sliding over {plan.train_size} steps"
    return {
        **(more or {}),
        "models": list(models),
        "recipes": {name: repr(recipe) for name, recipe in models.items()},
        "horizon": plan.horizon,
        "n_windows": plan.n_windows,
        "step_size": plan.step_size,
        "gap": plan.gap,
        "refit": plan.refit,
        "train_size": plan.train_size,
        "window": window,
        "align": plan.align,
        "freq": panel.freq.name,
        "season_length": panel.season_length,
        "n_series": len(panel),
        "n_observations": int(np.isfinite(panel.values[panel.inside]).sum()),
        "first_time": panel.freq.show(panel.times[panel.starts].min()),
        "last_time": panel.freq.show(panel.last_times.max()),
        "skipped": {str(k): v for k, v in skipped.items()},
        "futr_exog": list(panel.futr_names),
        "hist_exog": list(panel.hist_names),
        "data_hash": panel.fingerprint(),
        "reading_notes": list(panel.notes),
        "seconds": time.perf_counter() - started,
    }
