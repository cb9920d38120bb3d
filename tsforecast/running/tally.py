"""How far a run is, for whoever listens."""

from __future__ import annotations

from collections.abc import Callable

from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.queue import Store

__all__ = ["Tally", "Tell"]

Tell = Callable[[float, str], None]


class Tally:
    """How far the run is: every model counts alike."""

    def __init__(self, job: Job, store: Store, on_progress: Tell | None) -> None:
        self.on_progress = on_progress
        self.job = job
        done = (task for model in job.recipes for fold in job.groups for task in store.done(model, fold))
        self.done = sum(map(job.share, done))

    def listener(self, task: Stretch) -> Callable[[float], None]:
        """Told how far a task is that runs here."""
        size = self.job.share(task)

        def tell(share: float) -> None:
            self._tell(self.done + share * size, task)

        tell(0.0)
        return tell

    def add(self, task: Stretch, tell: bool = False) -> None:
        """A task is finished."""
        self.done += self.job.share(task)
        if tell:
            self._tell(self.done, task)

    def _tell(self, done: float, task: Stretch) -> None:
        if self.on_progress is not None:
            self.on_progress(min(done, 1.0), self.job.name(task))
