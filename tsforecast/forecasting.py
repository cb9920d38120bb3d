"""`run_forecast`: what comes after the end of the data, by the same tasks as a backtest's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.backtesting import Progress, make_job
from tsforecast.contract import Failure, Forecast, Forecaster
from tsforecast.errors import DataError, listing
from tsforecast.folds import Onward, least_training
from tsforecast.panel import Panel
from tsforecast.running.answering import end_to_end
from tsforecast.running.chunks import within
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.memory import InMemory
from tsforecast.running.schedule import run_tasks
from tsforecast.running.together import answers_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Forecasts", "run_forecast"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What models say of the steps after the end of each series.

    panel    what they learned from: each series is forecast from its own end
    horizon  steps
    models   name -> its forecast of all series of the panel; where it has none, numbers are NaN and it says why
    """

    panel: Panel
    horizon: int
    models: Mapping[str, Forecast]

    def __repr__(self) -> str:
        return f"Forecasts({', '.join(self.models)}: {len(self.panel)} series, {self.horizon} steps ahead)"

    def to_frame(self, level: Sequence[int] = (80, 95)) -> pd.DataFrame:
        """Long frame `unique_id, ds, <model>, <model>-lo-80, <model>-hi-80, ...`, in the units of the target.

        level  central intervals, in percent; a model must have been asked for their quantiles

        Raises ConfigError for a level that a model does not have.
        """
        first, *others = (forecast.to_frame(name, level) for name, forecast in self.models.items())
        return pd.concat([first, *(frame.iloc[:, 2:] for frame in others)], axis=1)

    @property
    def failures(self) -> pd.DataFrame:
        """`model, unique_id, reason` of each series that a model has no forecast of."""
        rows = [(name, *failure) for name, forecast in self.models.items() for failure in forecast.failures]
        return pd.DataFrame(rows, columns=["model", "unique_id", "reason"])

    @property
    def notes(self) -> pd.DataFrame:
        """`model, unique_id, note`: what a model recorded of a series, or of all (unique_id "")."""
        rows = [(name, *note) for name, forecast in self.models.items() for note in forecast.notes]
        return pd.DataFrame(rows, columns=["model", "unique_id", "note"])

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on where forecasts begin, if that is not at one time, and on what models settled for all series."""
        settled = (f"{name}: {note}" for name, own in self.models.items() for key, note in own.notes if key == "")
        return (*self._beginnings(), *settled)

    def _beginnings(self) -> tuple[str, ...]:
        last, freq = self.panel.last_times, self.panel.freq
        early = np.flatnonzero(last < last.max())
        if last.dtype.kind != "M" or not len(early):
            return ()
        first = int(early[0])
        return (
            f"{len(early)} of {len(last)} series end before {freq.show(last.max())} (first '{self.panel.ids[first]}', "
            f"{freq.show(last[first])}): each is forecast from its own end",
        )

    def plot(self, unique_ids: Sequence[str] | None = None) -> Figure:
        """The last of what was observed and what is forecast, a row for each series (default: the first six)."""
        from tsforecast.reporting.ahead_plots import plot_ahead

        return plot_ahead(self, unique_ids)


def run_forecast(
    panel: Panel,
    models: Mapping[str, Forecaster],
    plan: Onward,
    known: Floats | None = None,
    *,
    threads: int = 1,
    how: How | None = None,
    on_progress: Progress | None = None,
) -> Forecasts:
    """Fit every model on all of `panel` and forecast the steps after it.

    known  the panel's own covariates known ahead, for these steps `[N, H, K]`; needed where it has such
    how    where the work is done; no number depends on it

    A model that raises something unexpected, or answers with what is no forecast, has failed for those series; so have
    all on a series that is too short. Errors about the user's data and options are raised: DataError where no series is
    long enough, and where `known` is missing or not a number.
    """
    plan, past = plan.settle(panel), panel
    steps = plan.horizon or 1
    need = least_training(panel, plan)
    short = panel.lengths < need
    if short.all():
        longest = int(panel.lengths.argmax())
        raise DataError(
            f"too little data: a forecast of {steps} steps with a season of {panel.season_length} needs {need} "
            f"steps (the longer of both, and one more), the longest series ('{panel.ids[longest]}') has "
            f"{panel.lengths[longest]}; take a smaller horizon, or another season_length"
        )
    own = panel.futr_names[: panel.n_own_futr]
    if own and known is None:
        raise DataError(
            f"the data have covariates known ahead ({listing(own)}), and their next {steps} values are not given: give "
            "rows with them as future= (--future FILE), or take them as past-only (hist_exog)"
        )
    if known is not None:
        panel.future(steps, known)  # says what is missing
        panel, plan = _beyond(panel, known), replace(plan, beyond=steps)
    job = make_job(panel, models, plan, threads)
    with InMemory() as store:
        run_tasks(job, store, how or How(), on_progress)
        said = {name: _said(job, store, name) for name in job.recipes}
    enough = f"steps, and {need} are needed: the longer of a season and the horizon, and one more"
    failed = {past.ids[int(i)]: f"it has {past.lengths[i]} {enough}" for i in np.flatnonzero(short)}
    return Forecasts(past, steps, {name: _of_all(own, past, failed) for name, own in said.items()})


def _said(job: Job, store: InMemory, model: str) -> Forecast:
    """What a model answered, whatever its tasks were cut like."""
    (fold,) = job.folds
    answers = answers_of(job, store, model, fold.number)
    return end_to_end([said.forecast(0, within(fold, task.first, task.last)) for task, said in answers])


def _beyond(panel: Panel, known: Floats) -> Panel:
    """Each series with so many steps more, of which the covariates known ahead `[N, H, K]` are known."""
    n, steps, own = known.shape
    lengths = panel.lengths
    ends = np.cumsum(lengths + steps)
    starts = ends - lengths - steps
    rows = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)  # of each series, from 0
    old, there = (np.repeat(begins, lengths) + rows for begins in (panel.starts, starts))
    new = (ends[:, None] - steps + np.arange(steps)).ravel()

    def moved(array: npt.NDArray[Any], after: npt.NDArray[Any]) -> Any:
        found = np.empty((int(ends[-1]), *array.shape[1:]), dtype=array.dtype)
        found[there], found[new] = array[old], after
        return found

    futr = np.full((n * steps, panel.futr.shape[1]), np.nan)
    futr[:, :own] = known.reshape(n * steps, own)
    return replace(
        panel,
        starts=starts,
        ends=ends,
        values=moved(panel.values, np.full(n * steps, np.nan)),
        times=moved(panel.times, panel.freq.after(panel.last_times, steps).ravel()),
        hist=moved(panel.hist, np.full((n * steps, panel.hist.shape[1]), np.nan)),
        futr=moved(panel.futr, futr),
    )


def _of_all(said: Forecast, panel: Panel, failed: Mapping[str, str]) -> Forecast:
    """The forecast of all series of the panel; those that nobody was asked about have failed, and why."""
    if not failed:
        return said
    n, steps = len(panel), said.point.shape[1]
    there = np.asarray([key not in failed for key in panel.ids])
    reasons = dict(failed) | dict(said.failures)

    def whole(array: Floats) -> Floats:
        found = np.full((n, *array.shape[1:]), np.nan)
        found[there] = array
        return found

    return replace(
        said,
        ids=panel.ids,
        times=panel.freq.after(panel.last_times, steps),
        point=whole(said.point),
        quantiles=whole(said.quantiles),
        failures=tuple(Failure(key, reasons[key]) for key in panel.ids if key in reasons),
        members=None if said.members is None else np.stack([whole(member) for member in said.members]),
    )
