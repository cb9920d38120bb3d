"""Models that do what models should not, on one series and not on the others. Workers import them by name."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsforecast import progress
from tsforecast.contract import FittedModel, Forecast
from tsforecast.ensemble import FittedEnsemble
from tsforecast.errors import DataError
from tsforecast.models.naive import Naive
from tsforecast.panel import Panel, View


@dataclass(frozen=True)
class Bad:
    """The naive forecast, and something else where series `victim` is among those to forecast.

    how    what happens
    local  as it says of itself
    """

    how: str
    victim: str = "s05"
    local: bool = True
    counter: str | None = None
    name = "bad"

    def fit(self, past: Panel, horizon: int) -> Bad:
        if self.how == "raises in fit" and self.victim in past.ids:
            raise np.linalg.LinAlgError("singular matrix\nand more")
        if self.counter is not None:
            with open(self.counter, "a") as file:
                file.write(" ".join(past.ids) + "\n")
        return self

    def predict(self, views: list[View]) -> list[Any]:
        return [self._one(view) for view in views]

    def _one(self, view: View) -> Any:
        found = Naive().fit(view.past, view.future.horizon).predict(view)
        return getattr(self, self.how.replace(" ", "_"))(found) if self.victim in found.ids else found

    def raises_in_fit(self, found: Forecast) -> Forecast:
        raise AssertionError("not reached")

    def raises(self, found: Forecast) -> Forecast:
        raise ZeroDivisionError("no luck today")

    def refuses(self, found: Forecast) -> Forecast:
        raise DataError(f"series '{self.victim}' is not for this model; leave it out")

    def leaves(self, found: Forecast) -> Forecast:
        raise SystemExit(7)

    def lacks_memory(self, found: Forecast) -> Forecast:
        raise MemoryError

    def answers_nan(self, found: Forecast) -> Forecast:
        return replace(found, point=np.where([[i == self.victim] for i in found.ids], np.nan, found.point))

    def answers_a_number(self, found: Forecast) -> Any:
        return 42

    def answers_too_few_steps(self, found: Forecast) -> Forecast:
        return found.tail(1)

    def hangs(self, found: Forecast) -> Forecast:
        time.sleep(3600)
        return found

    def is_killed(self, found: Forecast) -> Forecast:
        os.kill(os.getpid(), signal.SIGKILL)
        return found

    def segfaults(self, found: Forecast) -> Forecast:
        os.kill(os.getpid(), signal.SIGSEGV)
        return found

    def is_good(self, found: Forecast) -> Forecast:
        return found


@dataclass(frozen=True)
class KillsTheRun:
    """The naive forecast, which takes the main process along the first `times` times that it sees series s05."""

    marks: str
    times: int
    local: bool = True
    name = "killer"

    def fit(self, past: Panel, horizon: int) -> KillsTheRun:
        return self

    def predict(self, views: list[View]) -> list[Forecast]:
        marks = Path(self.marks)
        if any("s05" in past.ids for past, _ in views) and len(list(marks.iterdir())) < self.times:
            (marks / str(time.monotonic_ns())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [Naive().fit(past, future.horizon).predict(View(past, future)) for past, future in views]


@dataclass(frozen=True, kw_only=True)
class Sleeps(Naive):
    """The naive forecast, which takes a while and no processor."""

    name = "sleeps"

    def fit(self, past: Panel, horizon: int, /) -> Any:
        time.sleep(0.15 * len(past))
        return super().fit(past, horizon)


@dataclass(frozen=True)
class Several:
    """The mean of naive forecasts, each moved by its seed; the one of seed `victim` does something else.

    how  what happens: as of `Bad`
    """

    how: str = "is good"
    victim: int = 7
    n_seeds: int = 5
    seed: int = 5
    name = "several"

    def members(self) -> dict[str, Several]:
        seeds = range(self.seed, self.seed + self.n_seeds)
        return {f"seed {seed}": replace(self, seed=seed, n_seeds=1) for seed in seeds}

    def fit(self, past: Panel, horizon: int) -> FittedEnsemble[Any]:
        fitted = {name: _Moved(horizon, member) for name, member in self.members().items()}
        return FittedEnsemble(horizon, fitted, pd.DataFrame({"seed": [f.recipe.seed for f in fitted.values()]}))


@dataclass(frozen=True, eq=False)
class _Moved(FittedModel):
    horizon: int
    recipe: Several

    def _predict(self, views: list[View]) -> list[Forecast]:
        found = Naive().fit(views[0].past, self.horizon).predict(views)
        moved = [replace(f, point=f.point + self.recipe.seed / 10) for f in found]
        how = getattr(Bad(self.recipe.how), self.recipe.how.replace(" ", "_"))
        return [how(f) for f in moved] if self.recipe.seed == self.recipe.victim else moved


@dataclass(frozen=True)
class Learns(Several):
    """Is trained until two networks have left a file in the folder `marks`, or for so many steps; tells how far it is,
    and says in which process it was trained and when."""

    marks: str = "."
    steps: int = 3000
    name = "learns"

    def fit(self, past: Panel, horizon: int) -> FittedEnsemble[Any]:
        begun, marks = time.time(), Path(self.marks)
        (marks / str(self.seed)).touch()
        for step in range(self.steps):
            time.sleep(0.01)
            progress.report((step + 1) / 3000)
            if len(list(marks.iterdir())) >= 2:
                break
        fitted = super().fit(past, horizon)
        columns = {"seed": [self.seed], "step": [os.getpid()], "train_loss": [begun], "valid_loss": [time.time()]}
        return replace(fitted, curves=pd.DataFrame(columns))


def _on_cuda() -> Any:
    from tsforecast.models.schedule import Training  # with torch: workers of the other models start sooner without it

    return Training(device="cuda")


@dataclass(frozen=True)
class OnGpu(Several):
    """Asks for a GPU, which it does not use, and says which process it was given."""

    training: Any = field(default_factory=_on_cuda)
    name = "on_gpu"

    def fit(self, past: Panel, horizon: int) -> FittedEnsemble[Any]:
        fitted = super().fit(past, horizon)
        return replace(fitted, curves=pd.DataFrame({"seed": [self.seed], "step": [os.getpid()]}))
