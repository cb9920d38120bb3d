"""A run that is kept nowhere but in memory: the same questions as to a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from tsforecast.folds import Fold
from tsforecast.running.answering import Said
from tsforecast.running.job import Job
from tsforecast.running.ledger import Stretch
from tsforecast.running.parts import Part, Receipt, part_path

__all__ = ["InMemory"]


class InMemory:
    """Finished tasks with what was said in them.

    Worker processes hand over files, in a temporary folder that is made when it is needed. Use it as a context: its end
    takes the folder away.
    """

    def __init__(self) -> None:
        self._said: dict[Stretch, Said | Part] = {}
        self._folder = ExitStack()

    def __enter__(self) -> InMemory:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.close()

    @cached_property
    def work(self) -> Path:
        """The temporary folder."""
        return Path(self._folder.enter_context(TemporaryDirectory(prefix="tsforecast-")))

    @cached_property
    def parts(self) -> Path:
        """What workers answered lies there."""
        folder = self.work / "parts"
        folder.mkdir()
        return folder

    def done(self, model: str, fold: int) -> list[Stretch]:
        """Finished tasks of a model at a fit, in the order of their series and members."""
        return sorted(task for task in self._said if task[:2] == (model, fold))

    def begun(self) -> list[tuple[Stretch, int]]:
        """Nothing is left over from before."""
        return []

    def begin(self, job: Job, task: Stretch) -> None:
        """Nothing needs to be recorded before a task."""

    def let_go(self, task: Stretch) -> None:
        """Nor where one is given back."""

    def keep(self, job: Job, task: Stretch, folds: Sequence[Fold], said: Said) -> None:
        """A task that ran in this process is finished."""
        self._said[task] = said

    def record(self, job: Job, task: Stretch, receipt: Receipt) -> None:
        """One that ran in another is."""
        path = part_path(self.parts, receipt.key)
        self._said[task] = Part(path, receipt.levels, receipt.fit_seconds, receipt.predict_seconds)

    def answer(self, task: Stretch) -> Said | Part:
        """What a finished task answered."""
        return self._said[task]

    def levels(self) -> list[float]:
        """Every quantile level that was answered."""
        return sorted({q for said in self._said.values() for q in said.levels})
