"""The backtest: every model on identical folds. It knows the forecaster protocol and no model.

A model is handed the past and what is known of the future; the truth is fetched after it has answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tsforecast.contract import Forecaster
from tsforecast.errors import ConfigError
from tsforecast.fields import plain_value
from tsforecast.folds import Plan
from tsforecast.panel import Panel
from tsforecast.results import BacktestResult
from tsforecast.running.chunks import gathered
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.memory import InMemory
from tsforecast.running.schedule import run_tasks
from tsforecast.running.sinks import collect
from tsforecast.running.tables import tables

__all__ = ["Progress", "facts_of", "make_job", "run_backtest"]

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done (0 to 1) and what is being done."""
BLOCK = 2048  # series looked at together


def run_backtest(
    panel: Panel,
    models: Mapping[str, Forecaster],
    plan: Plan,
    *,
    facts: Mapping[str, Any] | None = None,
    on_progress: Progress | None = None,
    threads: int = 1,
    how: How | None = None,
) -> BacktestResult:
    """Forecast every fold of `plan` with every model, and put the forecasts beside the truth. All in memory.

    models       name -> recipe; the name is what tables and reports call it
    facts        remarks to keep with the result (versions, file names)
    on_progress  told how far the work is
    threads      of each task: the last bits of a network's numbers may depend on it
    how          where tasks run; worker processes exchange files in a temporary folder

    A model that raises something unexpected, or answers with a wrong shape, wrong series or non-finite numbers, is
    recorded as failed for those series; its numbers are NaN. Errors about the user's data and options are raised.
    """
    how, started = how or How(), time.perf_counter()
    job = make_job(panel, models, plan, threads)
    with InMemory() as store:
        run_tasks(job, store, how, on_progress)
        if on_progress is not None:
            on_progress(1.0, "done")
        found, digest = collect(tables(job, store), store.levels())
    seconds = time.perf_counter() - started
    return BacktestResult(**found, facts=facts_of(job, facts) | {"digest": digest, "seconds": seconds})


def make_job(panel: Panel, models: Mapping[str, Forecaster], plan: Plan, threads: int = 1) -> Job:
    """The work to do. Raises DataError where the data do not suffice for the plan, ConfigError without a model."""
    if not models:
        raise ConfigError("no model to backtest: name at least one, such as naive")
    if plain_value("threads", threads, int) < 1:
        raise ConfigError(f"threads={threads}: must be at least 1")
    job = Job(panel, dict(models), plan.settle(panel), threads)
    assert job.folds, "a settled plan has folds"
    return job


def _extent(panel: Panel) -> tuple[int, Any, Any]:
    """How many values were observed, the first time and the last."""
    observed, first, last = 0, [], []
    for a in range(0, len(panel), BLOCK):
        part = gathered(panel, np.arange(a, min(a + BLOCK, len(panel))))
        observed += int(np.isfinite(part.values).sum())
        first.append(part.times[part.starts].min())
        last.append(part.last_times.max())
    return observed, min(first), max(last)


def facts_of(job: Job, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a result says of its folds and data."""
    panel, plan, folds = job.panel, job.plan, job.folds
    skipped = {f.number: len(panel) - len(f.rows) for f in folds if len(f.rows) < len(panel)}
    observed, first, last = _extent(panel)
    window = "expanding" if plan.train_size is None else f"sliding over {plan.train_size} steps"
    return {
        **(more or {}),
        "models": list(job.recipes),
        "recipes": {name: repr(recipe) for name, recipe in job.recipes.items()},
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
        "n_observations": observed,
        "first_time": panel.freq.show(first),
        "last_time": panel.freq.show(last),
        "skipped": {str(k): v for k, v in skipped.items()},
        "futr_exog": list(panel.futr_names),
        "hist_exog": list(panel.hist_names),
        "data_hash": panel.fingerprint(),
        "reading_notes": list(panel.notes),
        "threads": job.threads,
    }
