"""Tasks in worker processes or on a cluster; and what becomes of one that takes its worker along.

A task that lost its worker, or went past its time limit, is done once more alone, in a process of its own. Where that
ends in the same way twice, a task of a local model is cut in two, down to the one series that is at fault. Only there,
where nothing else can have been the reason, a failure is recorded.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing

from tsforecast.running.answering import nothing_said
from tsforecast.running.executors import Executor, Processes, lost_by
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.parts import Receipt
from tsforecast.running.queue import Queue, Store
from tsforecast.running.shared import save_panel
from tsforecast.running.tally import Tally
from tsforecast.running.worker import Errand, run_errand

__all__ = ["TRIES", "Alone", "Elsewhere", "needs_gpu"]

TRIES = 2
LOOK = 0.5  # seconds between looks at the clock


def needs_gpu(job: Job, model: str) -> bool:
    """Whether a model asks for one, wherever it runs."""
    return str(getattr(getattr(job.recipes[model], "training", None), "device", "")).startswith("cuda")


class Elsewhere:
    """Tasks that an executor does, never more at a time than it has room for; what comes back is recorded here.

    Use it as a context: where its end is an error, what has come back until then is recorded.
    """

    def __init__(self, job: Job, store: Store, queue: Queue, executor: Executor, how: How, tally: Tally) -> None:
        self.job, self.store, self.queue, self.executor, self.limit = job, store, queue, executor, how.task_limit
        self.errands, self.alone, self.tally = _Errands(job, store), Alone(job, store, how, tally), tally
        self.models = sorted(job.recipes, key=job.is_local)  # what is long comes first
        self.on_gpu = {model for model in self.models if needs_gpu(job, model)}
        self.flying: dict[Future[Receipt], tuple[Stretch, float]] = {}
        self.landed: list[tuple[Stretch, Receipt]] = []
        self.lost: list[Stretch] = []

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for future in [f for f in self.flying if f.done() and not f.cancelled() and f.exception() is None]:
                self._land(future)
            self._record()

    def step(self, *, staying: Sequence[str] = (), at_once: int | None = None, patience: float = 0.0) -> None:
        """Hand over what there is room for, and record what has come back; wait up to so many seconds for more.

        staying  models that are not handed over
        at_once  tasks that may be under way, where that is fewer than the executor has room for
        """
        room = self.executor.slots if at_once is None else min(at_once, self.executor.slots)
        if self.lost or not self.executor.up(patience):
            room = 0
        while len(self.flying) < room and (task := self._following(staying)):
            errand = self.errands.of(task)
            future = self.executor.submit(run_errand, errand, gpu=task.model in self.on_gpu)
            self.flying[future] = task, time.monotonic()
        self._record()  # while the workers have something to do
        for future in wait(self.flying, patience, FIRST_COMPLETED).done:
            self._land(future)
        self.executor.tend()

    def finish(self) -> None:
        """Do all that is left."""
        while self.flying or self.queue or self.landed or self.lost:
            self.step(patience=LOOK)
            self._look_after_lost()

    def _following(self, staying: Sequence[str]) -> Stretch | None:
        """The next task; one that would only wait for a GPU stays here, where it keeps nobody waiting."""
        full = sum(task.model in self.on_gpu for task, _ in self.flying.values()) >= self.executor.gpus
        free = [m for m in self.models if m not in staying and not (full and m in self.on_gpu)]
        return self.queue.again() or self.queue.take(free, self.executor.slots)

    def _land(self, future: Future[Receipt]) -> None:
        task, begun = self.flying.pop(future)
        error = future.exception()
        if error is None:
            self.landed.append((task, future.result()))
            self.queue.learned(task, time.monotonic() - begun)
        elif lost_by(error):
            self.lost.append(task)
        else:
            raise error

    def _record(self) -> None:
        while self.landed:
            task, receipt = self.landed.pop(0)
            self.store.record(self.job, task, receipt)
            self.tally.add(task, tell=True)

    def _look_after_lost(self) -> None:
        """Tasks that lost their workers, and those past the limit, are done alone; the others are handed over again."""
        now = time.monotonic()
        late = [task for task, begun in self.flying.values() if self.limit is not None and now - begun > self.limit]
        if late or (self.lost and not self.executor.heals):
            for future in [f for f in self.flying if f.done()]:
                self._land(future)
            for task, _ in self.flying.values():
                if task not in late:
                    self.queue.put_back(task)
            self.flying.clear()
            self.executor.start_again()
        while suspects := [*self.lost, *late]:
            self._record()
            self.lost.clear()
            late.clear()
            for task in suspects:
                self.alone.run(task)


class _Errands:
    """Tasks as messages."""

    def __init__(self, job: Job, store: Store) -> None:
        self.job, self.store = job, store
        data = store.work / "data"
        self.data = data if data.exists() else save_panel(job.panel, data)

    def of(self, task: Stretch) -> Errand:
        """The message for a task."""
        job, recipe = self.job, self.job.recipes[task.model]
        return Errand(str(self.data.resolve()), str(self.store.parts.resolve()), job.plan, job.threads, recipe, task)


class Alone:
    """Tasks that have brought a process down, or may have: one at a time, in a process that has nothing else to do."""

    def __init__(self, job: Job, store: Store, how: How, tally: Tally) -> None:
        self.job, self.store, self.limit, self.tally = job, store, how.task_limit, tally

    def run(self, task: Stretch) -> None:
        """Do the task, or as much of it as can be done; the rest is recorded as failed."""
        errands = _Errands(self.job, self.store)
        with closing(Processes(1, self.job.threads, [self.job.recipes[task.model]])) as executor:
            executor.up()
            self._run(task, errands, executor)

    def _run(self, task: Stretch, errands: _Errands, executor: Processes) -> None:
        job, store, reason = self.job, errands.store, ""
        late = f"took longer than the limit of {self.limit:g} seconds" if self.limit else ""
        for _ in range(TRIES):
            future: Future[Receipt] = executor.submit(run_errand, errands.of(task))
            done, _ = wait([future], self.limit)
            error = future.exception() if done else None
            if done and error is None:
                store.record(job, task, future.result())
                self.tally.add(task)
                return
            reason = lost_by(error) if error else late
            if error is not None and not reason:
                raise error
            executor.start_again()
            if not done:
                break  # a second try would take as long
        store.let_go(task)
        if job.is_local(task.model) and task.last - task.first > 1:
            middle = (task.first + task.last) // 2
            self._run(task._replace(last=middle), errands, executor)
            self._run(task._replace(first=middle), errands, executor)
            return
        folds = job.folds_of(task)
        levels = tuple(getattr(job.recipes[task.model], "quantiles", ()))
        store.keep(job, task, folds, nothing_said(folds, levels, reason))
        self.tally.add(task)
