"""What is left to do, handed out in tasks of a useful size. No result depends on how it is cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.memory import InMemory
from tsforecast.running.run_folder import RunFolder

__all__ = ["Queue", "Store"]

Store = RunFolder | InMemory

SECONDS = 20.0  # that a task of a local model is to take
FIRST = 16  # series in the first task of a local model, which is timed
GROWTH = 16
MOST_BYTES = 4 << 20  # of numbers in one task's answer
LOTS = 3  # tasks for each worker at least, so that none waits long for the last one
BRIEF = 0.25  # seconds: to wait for so short a task costs less than to cut it


class Queue:
    """The series that each model has not answered for yet, per fit."""

    def __init__(self, job: Job, store: Store) -> None:
        self._job = job
        self._pace: dict[str, float] = {}  # seconds per series
        self._size = dict.fromkeys(job.recipes, FIRST)
        self._open: dict[str, deque[Stretch]] = {model: deque() for model in job.recipes}
        begun = [task for task, _ in store.begun()]
        for whole in job.tasks():
            there = (*store.done(*whole[:2]), *begun)
            own = [task for task in there if task._replace(first=whole.first, last=whole.last) == whole]
            for rest in _uncovered(whole, own):
                self._open[whole.model].append(rest)
        self._begun: deque[Stretch] = deque(begun)
        columns = max(len(getattr(recipe, "quantiles", ())) for recipe in job.recipes.values()) + 4
        folds = max(len(group) for group in job.groups.values())
        self._most = max(MOST_BYTES // (8 * columns * folds * (job.plan.horizon or 1)), 1)

    def __bool__(self) -> bool:
        return bool(self._begun) or any(self._open.values())

    def left(self, model: str) -> int:
        """Series times fits (times members) that the model has not answered for."""
        return sum(rest.last - rest.first for rest in self._open[model])

    def most(self) -> int:
        """As many tasks as there could be left: no more workers than that have anything to do."""
        local = self._job.is_local
        tasks = sum(self.left(model) if local(model) else len(rest) for model, rest in self._open.items())
        return tasks + len(self._begun)

    def expected(self, model: str) -> float:
        """Seconds that the rest of a model will take, as far as it is known: 0 before its first task."""
        return self._pace.get(model, 0.0) * self.left(model)

    def again(self) -> Stretch | None:
        """A task that was begun before this process, as it was cut then."""
        return self._begun.popleft() if self._begun else None

    def skip(self, task: Stretch) -> None:
        """A task that was begun before is looked after elsewhere."""
        self._begun.remove(task)

    def take(self, models: Iterable[str], jobs: int = 1) -> Stretch | None:
        """The next task of the first of these models that has any left."""
        for model in models:
            if not self._open[model]:
                continue
            rest = self._open[model].popleft()
            if not self._job.is_local(model):
                return rest
            size = min(self._size[model], self._most)
            if jobs > 1:
                lot = -(-(self.left(model) + rest.last - rest.first) // (LOTS * jobs))
                size = min(size, max(lot, int(BRIEF / self._pace.get(model, BRIEF))))
            task = rest._replace(last=min(rest.first + max(size, 1), rest.last))
            if task.last < rest.last:
                self._open[model].appendleft(rest._replace(first=task.last))
            return task
        return None

    def put_back(self, task: Stretch) -> None:
        """A task that was handed out and not done, through no fault of its own."""
        self._open[task.model].appendleft(task)

    def learned(self, task: Stretch, seconds: float) -> None:
        """How long a task took: the next ones of its model are cut to fit."""
        series = task.last - task.first
        self._pace[task.model] = seconds / series
        fitting = int(SECONDS * series / max(seconds, 1e-6))
        self._size[task.model] = max(min(fitting, GROWTH * max(series, self._size[task.model])), 1)


def _uncovered(whole: Stretch, done: Iterable[Stretch]) -> list[Stretch]:
    """The stretches of a task that lie between finished ones."""
    found, first = [], whole.first
    for task in sorted(done):
        if task.first > first:
            found.append(whole._replace(first=first, last=task.first))
        first = max(first, task.last)
    if first < whole.last:
        found.append(whole._replace(first=first))
    return found
