"""The loop over tasks: here, in worker processes, or on a cluster; and what becomes of one that takes its worker along.

A task that lost its worker, or went past its time limit, is done once more alone, in a process of its own. Where that
ends in the same way twice, a task of a local model is cut in two, down to the one series that is at fault. Only there,
where nothing else can have been the reason, a failure is recorded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import TypeVar

from tsforecast import progress
from tsforecast.errors import ConfigError
from tsforecast.forecast import Forecaster
from tsforecast.running.answering import nothing_said
from tsforecast.running.executors import Executor, Processes, lost_by, open_executor
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.parts import Receipt
from tsforecast.running.queue import Queue, Store
from tsforecast.running.run_folder import RunFolder
from tsforecast.running.shared import save_panel
from tsforecast.running.worker import Errand, run_errand

__all__ = ["run_tasks"]

Tell = Callable[[float, str], None]

WORTH = 30.0  # seconds of one model's work that pay for starting worker processes
TRIES = 2
AnyExecutor = TypeVar("AnyExecutor", bound=Executor)
LOOK = 0.5  # seconds between looks at the clock


def run_tasks(job: Job, store: Store, how: How, on_progress: Tell | None = None) -> None:
    """Do every task that the store has not."""
    queue, tally = Queue(job, store), _Tally(job, store, on_progress)
    if not queue:
        return
    alone = _Alone(job, store, how, tally)
    fatal = set[str]()
    for task, times in store.begun():
        if times >= TRIES or how.elsewhere:
            fatal |= {task.model} if times >= TRIES else set()
            queue.skip(task)
            alone.run(task)
    if not how.elsewhere:
        _here(job, store, queue, how, tally, fatal)
    if queue:
        assert isinstance(store, RunFolder)
        name = how.executor if how.executor.startswith("dask") else "processes"
        workers = 1 if how.executor == "serial" else how.workers
        with _opened(open_executor(name, workers, job.threads, [*job.recipes.values()])) as executor:
            if not executor.gpus and (needy := [model for model in job.recipes if _needs_gpu(job, model)]):
                raise ConfigError(
                    f"executor={how.executor}: {needy[0]} needs a GPU, and no worker there says that it has one; start "
                    "one with: dask worker ... --resources GPU=1"
                )
            _there(_Errands(job, store), queue, executor, how.task_limit, alone, tally)


def _here(job: Job, store: Store, queue: Queue, how: How, tally: _Tally, fatal: set[str]) -> None:
    """One task after the other. Left to worker processes is what takes long enough, with `auto`, and models that have
    brought this process down before."""
    leave = how.executor == "auto" and how.workers > 1 and isinstance(store, RunFolder)

    def waiting() -> list[str]:
        mine = [model for model in job.recipes if model not in fatal]
        return [m for m in mine if not (leave and queue.expected(m) > WORTH) or _on_gpu(job.recipes[m])]

    while (task := queue.again() or queue.take(waiting())) is not None:
        store.begin(job, task)
        folds, begun = job.folds_of(task), time.perf_counter()
        try:
            with progress.listening(tally.listener(task)):
                said = job.answer(task, folds)
        except BaseException:
            store.let_go(task)
            raise
        store.keep(job, task, folds, said)
        queue.learned(task, time.perf_counter() - begun)
        tally.add(task)


def _on_gpu(recipe: Forecaster) -> bool:
    """Whether a model trains on a GPU here: worker processes would share it, which does not pay."""
    device, torch = str(getattr(getattr(recipe, "training", None), "device", "cpu")), sys.modules.get("torch")
    return device.startswith("cuda") or (device == "auto" and torch is not None and bool(torch.cuda.is_available()))


def _needs_gpu(job: Job, model: str) -> bool:
    """Whether a model asks for one, wherever it runs."""
    return str(getattr(getattr(job.recipes[model], "training", None), "device", "")).startswith("cuda")


class _Errands:
    """Tasks as messages."""

    def __init__(self, job: Job, store: RunFolder) -> None:
        self.job, self.store = job, store
        data = store.work / "data"
        self.data = data if data.exists() else save_panel(job.panel, data)

    def of(self, task: Stretch) -> Errand:
        """The message for a task."""
        job, recipe = self.job, self.job.recipes[task.model]
        return Errand(str(self.data.resolve()), str(self.store.parts.resolve()), job.plan, job.threads, recipe, task)


def _there(
    errands: _Errands, queue: Queue, executor: Executor, limit: float | None, alone: _Alone, tally: _Tally
) -> None:
    """Hand tasks to an executor, never more than it has room for, and record what comes back."""
    job, store = errands.job, errands.store
    models = sorted(job.recipes, key=job.is_local)  # what is long comes first
    flying: dict[Future[Receipt], tuple[Stretch, float]] = {}
    on_gpu = {model for model in models if _needs_gpu(job, model)}

    def following() -> Stretch | None:
        """The next task; one that would only wait for a GPU stays here, where it keeps nobody waiting."""
        full = sum(task.model in on_gpu for task, _ in flying.values()) >= executor.gpus
        return queue.again() or queue.take([m for m in models if not (full and m in on_gpu)], executor.slots)

    def land(future: Future[Receipt]) -> None:
        task, begun = flying.pop(future)
        error = future.exception()
        if error is None:
            landed.append((task, future.result()))
            queue.learned(task, time.monotonic() - begun)
        elif lost_by(error):
            lost.append(task)
        else:
            raise error

    def record() -> None:
        while landed:
            task, receipt = landed.pop(0)
            store.record(job, task, receipt)
            tally.add(task, tell=True)

    landed: list[tuple[Stretch, Receipt]] = []
    lost: list[Stretch] = []
    try:
        while flying or queue or landed:
            while len(flying) < executor.slots and (task := following()):
                flying[executor.submit(run_errand, errands.of(task), gpu=task.model in on_gpu)] = task, time.monotonic()
            record()  # while the workers have something to do
            for future in wait(flying, LOOK, FIRST_COMPLETED).done:
                land(future)
            executor.tend()
            late = [t for t, begun in flying.values() if limit is not None and time.monotonic() - begun > limit]
            if late or (lost and not executor.heals):
                for future in [f for f in flying if f.done()]:
                    land(future)
                for task, _ in flying.values():
                    if task not in late:
                        queue.put_back(task)
                flying.clear()
                executor.start_again()
            while suspects := [*lost, *late]:
                record()
                lost.clear()
                late.clear()
                for task in suspects:
                    alone.run(task)
    except BaseException:
        for future in [f for f in flying if f.done() and not f.cancelled() and f.exception() is None]:
            land(future)
        record()
        raise


class _Alone:
    """Tasks that have brought a process down, or may have: one at a time, in a process that has nothing else to do."""

    def __init__(self, job: Job, store: Store, how: How, tally: _Tally) -> None:
        self.job, self.store, self.limit, self.tally = job, store, how.task_limit, tally

    def run(self, task: Stretch) -> None:
        """Do the task, or as much of it as can be done; the rest is recorded as failed."""
        assert isinstance(self.store, RunFolder)
        errands = _Errands(self.job, self.store)
        with _opened(Processes(1, self.job.threads, [self.job.recipes[task.model]])) as executor:
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


class _Tally:
    """How far the run is: every model counts alike."""

    def __init__(self, job: Job, store: Store, on_progress: Tell | None) -> None:
        self.on_progress = on_progress
        self.job = job
        done = (task for model in job.recipes for fold in job.groups for task in store.done(model, fold))
        self.done = sum(map(job.share, done))

    def listener(self, task: Stretch) -> Callable[[float], None]:
        """Told how far a task is that runs here."""
        before, size = self.done, self.job.share(task)

        def tell(share: float) -> None:
            self._tell(before + share * size, task)

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


@contextmanager
def _opened(executor: AnyExecutor) -> Iterator[AnyExecutor]:
    try:
        yield executor
    finally:
        executor.close()
