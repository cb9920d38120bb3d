"""`backtest`, `forecast`, `audit` and `plan`: from data and model names, as people have them, to an answer."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from tsforecast.backtesting import Progress
from tsforecast.config import DEFAULT_MODELS, READING, RunConfig
from tsforecast.contract import QUANTILES
from tsforecast.errors import check_known
from tsforecast.fields import plain_value
from tsforecast.folds import Onward, Plan
from tsforecast.judging.compare import MARGIN
from tsforecast.reading.known_ahead import read_known
from tsforecast.results import BacktestResult
from tsforecast.running.how import How
from tsforecast.study import Models, Prepare, Study, audit_study, open_study, plan_study, run_study

if TYPE_CHECKING:
    from tsforecast.auditing.audit import Audit
    from tsforecast.forecasting import Forecasts
    from tsforecast.planning.prospect import Prospect
    from tsforecast.store import Place

__all__ = ["audit", "backtest", "forecast", "plan"]


class Options(TypedDict, total=False):
    """What `audit` and `plan` share with `backtest`: the options that name data, folds and models."""

    id: str | Sequence[str]
    time: str
    target: str
    layout: Literal["auto", "long", "wide", "rows"]
    freq: str | int
    season_length: int
    hist_exog: Sequence[str]
    futr_exog: Sequence[str]
    missing: Literal["error", "nan", "ffill", "drop"]
    date_format: str
    na_values: Sequence[str]
    sep: str
    decimal: Literal[".", ","]
    encoding: str
    calendar: Sequence[str]
    horizon: int | None
    n_windows: int | None
    step_size: int | None
    gap: int
    refit: bool | int
    train_size: int | None
    align: Literal["calendar", "end"]
    quantiles: Sequence[float]
    seed: int
    device: str


def backtest(
    data: Any,
    models: Models = DEFAULT_MODELS,
    *,
    horizon: int | None = None,
    n_windows: int | None = None,
    step_size: int | None = None,
    gap: int = 0,
    refit: bool | int = False,
    train_size: int | None = None,
    align: Literal["calendar", "end"] = "calendar",
    calendar: Sequence[str] = (),
    prepare: Prepare | None = None,
    quantiles: Sequence[float] = QUANTILES,
    seed: int = 0,
    device: str = "auto",
    benchmark: str | None = None,
    margin: float = MARGIN,
    audit: bool = False,
    placebo: int = 0,
    out: str | Path | None = None,
    overwrite: bool = False,
    executor: str = "auto",
    jobs: int | None = None,
    threads: int = 1,
    task_limit: float | None = None,
    on_progress: Progress | None = None,
    **reading: Any,
) -> BacktestResult:
    """Compare models on identical folds of a price series or a set of sensor series.

    data       a Panel, a long frame (`unique_id, ds, y` or other names given), a wide frame with a DatetimeIndex, a
               Series, a path to CSV or parquet, or the name of a bundled dataset
    models     names ("lstm,autoarima,naive" or a list), recipes (`[LSTM(hidden_size=64), Naive()]`), functions that
               make a model from the panel, or a mapping from your own names to any of these or to settings
    horizon, n_windows, step_size, gap, refit, train_size, align
               how the folds are laid out: see `folds.Plan`
    calendar   built-in covariates known ahead: "hour", "weekday", "month"
    prepare    your own work on the data as a whole, Panel -> Panel, such as features; the audit looks into it too
    quantiles, seed, device
               for the models that are given by name
    benchmark  the model that the verdict is against; None: the best baseline
    margin     percent of the benchmark's loss; a difference inside it is not worth having
    audit      first prove that nothing after a cutoff moves a forecast: see `audit`
    placebo    repeat the comparison on this many surrogates of the data, and on a copy with a planted pattern
    out        a run folder: finished tasks are kept there, and the same call after a crash goes on with what is left.
               Without it no file is written
    overwrite  replace a run in `out`
    executor, jobs, task_limit
               where tasks run: see `running.how.How`. The numbers do not depend on it
    threads    of each task; with another number the last digits of a network differ
    reading    options of `read_panel`: id, time, target, freq, season_length, hist_exog, futr_exog, missing, ...

    Raises DataError and ConfigError with one clear sentence.
    """
    options = {
        "horizon": horizon,
        "n_windows": n_windows,
        "step_size": step_size,
        "gap": gap,
        "refit": refit,
        "train_size": train_size,
        "align": align,
        "calendar": calendar,
        "quantiles": quantiles,
        "seed": seed,
        "device": device,
    }
    study = _study("backtest", data, models, prepare, options | reading)
    return run_study(
        study,
        audit=audit,
        placebo=placebo,
        benchmark=benchmark,
        margin=margin,
        seed=seed,
        threads=threads,
        how=How(executor=executor, jobs=jobs, task_limit=task_limit),
        place=_place(out, overwrite),
        on_progress=on_progress,
    )


def forecast(
    data: Any,
    models: Models = "lstm",
    *,
    horizon: int | None = None,
    future: Any = None,
    train_size: int | None = None,
    calendar: Sequence[str] = (),
    prepare: Prepare | None = None,
    quantiles: Sequence[float] = QUANTILES,
    seed: int = 0,
    device: str = "auto",
    executor: str = "auto",
    jobs: int | None = None,
    threads: int = 1,
    task_limit: float | None = None,
    on_progress: Progress | None = None,
    **reading: Any,
) -> Forecasts:
    """Learn from all of the data and forecast the steps after each series' end.

    data, models, calendar, prepare, quantiles, seed, device, reading
               as of `backtest`
    horizon    steps to forecast; None: what is usual on the grid of the data
    future     where there are covariates known ahead (futr_exog): a long frame or a file with the columns of the data
               but for the target, and rows for every step to forecast
    train_size learn from this many last steps only; None: all of them
    executor, jobs, threads, task_limit
               where the work is done, as of `backtest`, which gives the same numbers at the same cutoff

    Raises DataError and ConfigError with one clear sentence.
    """
    from tsforecast.forecasting import run_forecast

    own = [name for name in inspect.signature(forecast).parameters if name != "reading"]
    check_known("forecast", reading, READING, (*own, *READING))
    plan = Onward(horizon=horizon, train_size=train_size)
    how = How(executor=executor, jobs=jobs, task_limit=task_limit)
    study = open_study(
        data,
        models,
        plan,
        reading=reading,
        calendar=calendar,
        prepare=prepare,
        quantiles=quantiles,
        seed=seed,
        device=device,
    )
    ahead = None if future is None else read_known(future, study.panel, study.plan.horizon or 1, **reading)
    return run_forecast(study.panel, study.recipes, plan, ahead, threads=threads, how=how, on_progress=on_progress)


def audit(
    data: Any,
    models: Models = DEFAULT_MODELS,
    *,
    n_folds: int = 3,
    full: bool = False,
    prepare: Prepare | None = None,
    on_progress: Progress | None = None,
    **options: Unpack[Options],
) -> Audit:
    """Prove that no model looks ahead: poison what comes after a cutoff, and demand the same bits of every forecast.

    n_folds  cutoffs that are poisoned, spread over the folds
    full     train networks as in a backtest, instead of briefly
    data, models, prepare, options
             as of `backtest`. A model that was built from the data is given as a function panel -> model, and work on
             the data as a whole as `prepare`: both are done again on the poisoned data

    Raises DataError and ConfigError with one clear sentence.
    """
    study = _study("audit", data, models, prepare, options)
    return audit_study(study, n_folds=n_folds, full=full, on_progress=on_progress)


def plan(
    data: Any,
    models: Models = DEFAULT_MODELS,
    *,
    prepare: Prepare | None = None,
    threads: int = 1,
    on_progress: Progress | None = None,
    **options: Unpack[Options],
) -> Prospect:
    """What a backtest could find and would cost, before it is run: cheap models are, and others for a few steps.

    data, models, prepare, threads, options
             as of `backtest`

    Raises DataError and ConfigError with one clear sentence.
    """
    study = _study("plan", data, models, prepare, options)
    return plan_study(study, threads=threads, on_progress=on_progress)


def _place(out: str | Path | None, overwrite: bool) -> Place | None:
    """Where the run is kept. What keeps it needs imports that a run in memory does not."""
    if out is None:
        return None
    from tsforecast.store import Place

    return Place(out=Path(plain_value("out", out, str | Path)), overwrite=overwrite)


def _study(caller: str, data: Any, models: Models, prepare: Prepare | None, options: Mapping[str, Any]) -> Study:
    """Sort the options into those of the folds, of reading and of the models."""
    folds = [field.name for field in dataclasses.fields(Plan)]
    others = ("calendar", "quantiles", "seed", "device")
    check_known(caller, options, (*READING, *folds, *others), RunConfig.model_fields)
    return open_study(
        data,
        models,
        Plan(**{key: options[key] for key in folds if key in options}),
        prepare=prepare,
        reading={key: options[key] for key in READING if key in options},
        **{key: options[key] for key in others if key in options},
    )
