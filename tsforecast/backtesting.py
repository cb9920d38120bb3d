"""The loop: every model on identical folds. It knows the forecaster protocol and no model.

A model is handed the past and what is known of the future; the truth is fetched after it has answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
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

    A model that raises something unexpected, or answers with non-finite numbers, is recorded as failed for those
    series; its numbers are NaN. Errors about the user's data and options are raised.
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
                _run_group(name, recipe, group, parts)
    if on_progress is not None:
        on_progress(1.0, "done")
    for fold in folds:
        parts["pasts"].append(_past_table(fold))
    parts["history"].append(_history_table(folds[0]))
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


def _run_group(name: str, recipe: Forecaster, group: list[Fold], parts: dict[str, list[pd.DataFrame]]) -> None:
    """Fit at the first fold, forecast all folds of the group, add the rows to `parts`."""
    clock = time.perf_counter()
    reach = group[0].plan.reach
    try:
        fitted: Fitted = recipe.fit(group[0].past, reach)
        fit_seconds = time.perf_counter() - clock
        known = set(group[0].ids)
        # a series that starts after the model was fitted is not known to it: it waits for the next fit
        views = [fold.only(known).view for fold in group]
        clock = time.perf_counter()
        forecasts = fitted.predict(views)
        predict_seconds = time.perf_counter() - clock
        assert len(forecasts) == len(views), "a model must answer every view"
        curves = getattr(fitted, "curves", None)
    except TsforecastError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        fit_seconds, predict_seconds, curves = time.perf_counter() - clock, 0.0, None
        forecasts = [None] * len(group)
    else:
        reason = "starts after the last fit; use refit to include it"
    for fold, forecast in zip(group, forecasts, strict=True):
        forecast = _checked(fold, forecast, reason, getattr(recipe, "quantiles", ()))
        rows = {"model": name, "fold": fold.number}
        parts["forecasts"].append(_forecast_table(fold, forecast).assign(**rows))
        parts["tasks"].append(
            pd.DataFrame(
                {
                    "fitted_at": [group[0].number],
                    "fit_seconds": [fit_seconds if fold is group[0] else 0.0],
                    "predict_seconds": [predict_seconds / len(group)],
                }
            ).assign(**rows)
        )
        failures = pd.DataFrame(list(forecast.failures), columns=["unique_id", "reason"])
        parts["failures"].append(failures.assign(**rows))
        parts["notes"].append(pd.DataFrame(list(forecast.notes), columns=["unique_id", "note"]).assign(**rows))
    if curves is not None:
        parts["curves"].append(curves.assign(model=name, fold=group[0].number))


def _checked(fold: Fold, forecast: Forecast | None, reason: str, levels: tuple[float, ...]) -> Forecast:
    """The forecast of all series of the fold over the scored steps; what is missing or not finite is a failure."""
    n, reach = len(fold.rows), fold.plan.reach
    point = np.full((n, reach), np.nan)
    failures: list[Failure] = []
    if forecast is None:
        quantiles = np.full((n, reach, len(levels)), np.nan)
        failures = [Failure(u, reason) for u in fold.ids]
        given: dict[str, int] = {}
    else:
        levels = forecast.levels
        quantiles = np.full((n, reach, len(levels)), np.nan)
        given = {u: i for i, u in enumerate(forecast.ids)}
        assert forecast.point.shape[1] == reach, f"a model answered {forecast.point.shape[1]} steps, asked for {reach}"
        to = np.array([i for i, u in enumerate(fold.ids) if u in given], dtype=np.int64)
        take = np.array([given[u] for u in fold.ids if u in given], dtype=np.int64)
        point[to], quantiles[to] = forecast.point[take], forecast.quantiles[take]
        failures = list(forecast.failures) + [Failure(u, reason) for u in fold.ids if u not in given]
    known = {failure.unique_id for failure in failures}
    bad = ~(np.isfinite(point).all(axis=1) & np.isfinite(quantiles).all(axis=(1, 2)))
    point[bad], quantiles[bad] = np.nan, np.nan
    failures += [
        Failure(fold.ids[i], "the model answered with numbers that are not finite")
        for i in np.flatnonzero(bad)
        if fold.ids[i] not in known
    ]
    past = fold.past
    times = past.freq.after(past.last_times, reach)
    notes = () if forecast is None else forecast.notes
    whole = Forecast(fold.ids, times, past.freq, point, levels, quantiles, tuple(failures), notes)
    return whole.tail(fold.plan.horizon or reach)


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


def _past_table(fold: Fold) -> pd.DataFrame:
    """What the scales of a fold's scores are made of: only steps up to the cutoff."""
    known, season = fold.history, fold.panel.season_length
    observed = np.isfinite(known.values)
    index = np.maximum.accumulate(np.where(observed, np.arange(len(observed)), -1))[known.ends - 1]
    last = np.where(index >= known.starts, known.values[np.maximum(index, 0)], np.nan)
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
        return pd.DataFrame({c: pd.Series(dtype="object" if c in ("model", "unique_id", "reason", "note") else "float64") for c in columns})
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
        "n_observations": int(np.isfinite(panel.values[_inside(panel)]).sum()),
        "first_time": panel.freq.show(panel.times[panel.starts].min()),
        "last_time": panel.freq.show(panel.last_times.max()),
        "skipped": {str(k): v for k, v in skipped.items()},
        "futr_exog": list(panel.futr_names),
        "hist_exog": list(panel.hist_names),
        "data_hash": panel.fingerprint(),
        "reading_notes": list(panel.notes),
        "seconds": time.perf_counter() - started,
    }


def _inside(panel: Panel) -> slice:
    return slice(int(panel.starts.min()), int(panel.ends.max()))
