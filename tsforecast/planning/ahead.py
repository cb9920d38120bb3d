"""What a backtest could find, and what it would cost, before it is run.

Cheap models are run on the same folds. How much their losses differ from origin to origin says how much those of the
expensive models will. For a network stands a ridge whose penalty is fixed and small, times what has been measured: one
that chooses its penalty becomes the naive forecast where there is little to learn, and a network does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.backtesting import Progress, make_job
from tsforecast.contract import Forecaster
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan, make_folds, most_windows
from tsforecast.judging.compare import LEVEL
from tsforecast.judging.foresight import foreseeable_percent, foreseen_origins
from tsforecast.judging.mean_tests import autocorrelation_beyond, worth
from tsforecast.judging.scores import BASELINES, best_baseline, origin_losses
from tsforecast.panel import Panel
from tsforecast.planning.costing import cost_of, memory_of, seconds_of
from tsforecast.planning.prospect import EFFECTS, FREE_RIDGE, NETWORK, Pair, Prospect
from tsforecast.results import BacktestResult, quantile_columns
from tsforecast.running.chunks import gathered
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.memory import InMemory
from tsforecast.running.numerics import pinned
from tsforecast.running.schedule import run_tasks
from tsforecast.running.sinks import collect
from tsforecast.running.tables import tables

__all__ = ["plan_ahead"]

SERIES = 1_000  # at most, that cheap models are run on: how losses differ is known from these, at a bounded price
AS_MUCH_AS_RIDGE = 1.4
"""How much more a network differs from the best baseline than that ridge: the geometric mean over the six bundled data
sets, where it was 0.9 to 1.9 (oil 1.8, weather 1.4, co2 0.9, sunspots 1.9, air_passengers 1.6, taxi 1.1)."""


def plan_ahead(
    panel: Panel,
    models: Mapping[str, Forecaster],
    plan: Plan,
    *,
    cheap: Mapping[str, Forecaster],
    threads: int = 1,
    on_progress: Progress | None = None,
) -> Prospect:
    """Run the cheap models on the folds of the plan, and work out what the run of `models` could find and would cost.

    cheap    name -> recipe: baselines, one of which will be the benchmark; and as `free_ridge` what stands for networks
    threads  of each task of the run: models are timed with as many

    Nothing is trained beyond a few steps. The improvement that would be found is that of a two-sided paired test at
    5 %, divided by the number of models compared, with 80 % power. Its variance is the larger of what a gain of that
    size has by itself and what the cheap models' loss differences have (`foresight.foreseeable_percent`); its
    autocorrelation is that of the loss differences. Where more than 1,000 series have room for the first origin, the
    cheap models see 1,000 of them, evenly spaced: with all of them a somewhat smaller improvement may be found.
    Raises DataError and ConfigError as a backtest does.
    """
    if not models:
        raise ConfigError("no model to plan for: name at least one, such as naive")
    plan = plan.settle(panel)
    folds = make_folds(panel, plan)

    def tell(share: float, name: str) -> None:
        if on_progress is not None:
            on_progress(share, name)

    there = folds[0].rows
    some = panel
    if len(there) > SERIES:  # without the observations of the others, which would be gone through with theirs
        some = gathered(panel, there[np.linspace(0, len(there) - 1, SERIES).astype(int)])
    ran = _points(make_job(some, cheap, plan, threads), lambda share, name: tell(share / 2, name))
    costs = []
    for number, (name, recipe) in enumerate(models.items()):
        tell(0.5 + 0.5 * number / len(models), name)
        with pinned(threads):
            costs.append(cost_of(name, recipe, folds, ran, cheap, len(some)))
    tell(1.0, "done")

    losses, loss = origin_losses(ran)
    assert plan.n_windows is not None and plan.step_size is not None
    benchmark, overlap = best_baseline(ran), -(-plan.reach // plan.step_size)
    room = max(most_windows(panel, plan, training=0.5), plan.n_windows)
    compared = max(len(models) - (benchmark in models), 1)
    return Prospect(
        benchmark=benchmark,
        loss=loss,
        n_origins=plan.n_windows,
        room=room,
        step_size=plan.step_size,
        overlap=overlap,
        compared=compared,
        pairs=_pairs(losses, benchmark, models, overlap=overlap, room=room, alpha=LEVEL / compared),
        costs=tuple(costs),
        memory=memory_of(panel, costs),
        seconds=seconds_of(folds, costs),
    )


def _points(job: Job, on_progress: Progress) -> BacktestResult:
    """A backtest whose tables have no quantiles: nothing is asked of them here, and they are most of its memory."""
    with InMemory() as store:
        run_tasks(job, store, How(), on_progress)
        whole = tables(job, store)
        # a copy, since what is left of a frame holds on to all of it
        some = ((name, frame.drop(columns=quantile_columns(frame).values()).copy()) for name, frame in whole)
        found, _ = collect(some, levels=())
    kinds = {name: recipe.name for name, recipe in job.recipes.items()}
    return BacktestResult(**found, facts={"models": list(job.recipes), "kinds": kinds})


def _pairs(
    losses: pd.DataFrame,
    benchmark: str,
    models: Mapping[str, Forecaster],
    *,
    overlap: int,
    room: int,
    alpha: float,
) -> tuple[Pair, ...]:
    """What is expected of a network, where there is one in the run, and each cheap model, against the benchmark."""
    own: npt.NDArray[np.float64] = losses[benchmark].to_numpy(np.float64)
    if len(own) < 2 or not own.mean() > 0:
        return ()

    def pair(model: str, gains: npt.NDArray[np.float64]) -> Pair:
        how: dict[str, Any] = {"overlap": overlap, "alpha": alpha}
        return Pair(
            model=model,
            spread=float(gains.std(ddof=1)),
            autocorrelation=float(autocorrelation_beyond(gains, overlap)),
            worth=float(worth(gains, overlap)),
            detectable=foreseeable_percent(own, gains, **how),
            at_most=foreseeable_percent(own, gains, n_origins=room, **how),
            needed=tuple(foreseen_origins(own, gains, effect, **how) for effect in EFFECTS),
        )

    others = {str(name) for name in losses} - {benchmark}
    gains = {name: (own - losses[name].to_numpy(np.float64)) / own.mean() * 100 for name in sorted(others)}
    found = [pair(name, values) for name, values in gains.items() if np.isfinite(values).all()]
    judged = {name for name in models if name not in BASELINES}
    found.sort(key=lambda pair: (pair.model not in judged, pair.model != FREE_RIDGE, -pair.spread))
    free = gains.get(FREE_RIDGE)
    network = any(hasattr(recipe, "training") for recipe in models.values())
    if network and free is not None and np.isfinite(free).all():
        found.insert(0, pair(NETWORK, AS_MUCH_AS_RIDGE * free))
    return tuple(found)
