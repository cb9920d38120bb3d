"""The loop over tasks: in this process as long as that is quicker, and in worker processes or on a cluster.

A task in this process tells how far it is. Where that shows that the rest of its model will take long, such as the
other networks of one with several seeds, the rest is begun in worker processes at once, beside it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing

from tsforecast import progress
from tsforecast.contract import Forecaster
from tsforecast.errors import ConfigError
from tsforecast.running.elsewhere import LOOK, TRIES, Alone, Elsewhere, needs_gpu
from tsforecast.running.executors import Executor, open_executor
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.queue import Queue, Store
from tsforecast.running.tally import Tally, Tell

__all__ = ["WORTH", "on_gpu", "run_tasks"]

WORTH = 30.0  # seconds of one model's work that pay for starting worker processes


def run_tasks(job: Job, store: Store, how: How, on_progress: Tell | None = None) -> None:
    """Do every task that the store has not."""
    queue, tally = Queue(job, store), Tally(job, store, on_progress)
    if not queue:
        return
    alone, fatal = Alone(job, store, how, tally), set[str]()
    for task, times in store.begun():
        if times >= TRIES or how.elsewhere:
            fatal |= {task.model} if times >= TRIES else set()
            queue.skip(task)
            alone.run(task)
    with ExitStack() as stack:

        def opened() -> Elsewhere:
            executor = stack.enter_context(closing(_executor(job, how, queue.most())))
            if not executor.gpus and (needy := [model for model in job.recipes if needs_gpu(job, model)]):
                raise ConfigError(
                    f"executor={how.executor}: {needy[0]} needs a GPU, and no worker there says that it has one; start "
                    "one with: dask worker ... --resources GPU=1"
                )
            return stack.enter_context(Elsewhere(job, store, queue, executor, how, tally))

        there = None if how.elsewhere else _Here(job, store, queue, how, tally, fatal, opened).run()
        if there is not None or queue:
            (there or opened()).finish()


def _executor(job: Job, how: How, tasks: int) -> Executor:
    name = how.executor if how.executor.startswith("dask") else "processes"
    workers = 1 if how.executor == "serial" else min(how.workers, tasks)
    return open_executor(name, workers, job.threads, [*job.recipes.values()])


class _Here:
    """One task after the other in this process.

    Left to worker processes are models that have brought this process down before and, with `auto`, what takes long
    enough; once there are workers, everything but what trains on a GPU here, which they would have to share.
    """

    def __init__(
        self,
        job: Job,
        store: Store,
        queue: Queue,
        how: How,
        tally: Tally,
        fatal: set[str],
        opened: Callable[[], Elsewhere],
    ) -> None:
        self.job, self.store, self.queue, self.how, self.tally, self.opened = job, store, queue, how, tally, opened
        mine = [model for model in job.recipes if model not in fatal]
        # models of several come last: no more workers are started beside the first of these than the others need
        self.mine = sorted(mine, key=lambda model: (not job.is_local(model), len(job.members[model])))
        self.staying = [model for model in self.mine if not how.may_start_workers or on_gpu(job.recipes[model])]
        self.there: Elsewhere | None = None
        self.trouble: BaseException | None = None

    def run(self) -> Elsewhere | None:
        """Do what is to be done here; where workers were started meanwhile, they may still have something to do."""
        job, store, queue = self.job, self.store, self.queue
        while (task := queue.again() or queue.take(self._waiting())) is not None:
            store.begin(job, task)
            folds, begun = job.folds_of(task), time.perf_counter()
            try:
                with progress.listening(self._listener(task)):
                    said = job.answer(task, folds)
                if self.trouble is not None:  # it is not the model's
                    raise self.trouble
            except BaseException:
                store.let_go(task)
                raise
            store.keep(job, task, folds, said)
            queue.learned(task, time.perf_counter() - begun)
            self.tally.add(task)
        return self.there

    def _waiting(self) -> list[str]:
        if self.there is not None and self.there.executor.up(0.0):
            return self.staying
        return [model for model in self.mine if model in self.staying or self.queue.expected(model) <= WORTH]

    def _listener(self, task: Stretch) -> Callable[[float], None]:
        """Told how far a task is; now and then it looks after what others do meanwhile."""
        tell = self.tally.listener(task)
        first: tuple[float, float] | None = None
        looked = 0.0

        def listen(share: float) -> None:
            nonlocal first, looked
            tell(share)
            now = time.perf_counter()
            if first is None:
                first, looked = (now, share), now
            elif now - looked >= LOOK and share > first[1]:
                looked = now
                try:
                    self._meanwhile(task, (now - first[0]) / (share - first[1]))
                except BaseException as error:
                    self.trouble = error
                    raise

        return listen

    def _meanwhile(self, task: Stretch, seconds: float) -> None:
        """Have others do what is left, where that pays by how long this task will take."""
        if self.there is None:
            self.queue.learned(task, seconds)
            if task.model in self.staying or self.queue.expected(task.model) <= WORTH:
                return
            self.there = self.opened()
        self.there.step(staying=self.staying, at_once=self.how.workers - 1)  # this process works too


def on_gpu(recipe: Forecaster) -> bool:
    """Whether a model trains on a GPU here: worker processes would share it, which does not pay."""
    device, torch = str(getattr(getattr(recipe, "training", None), "device", "cpu")), sys.modules.get("torch")
    return device.startswith("cuda") or (device == "auto" and torch is not None and bool(torch.cuda.is_available()))
