"""Where tasks run, as a user says it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from multiprocessing import current_process

from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.fields import plain_fields

__all__ = ["How"]

KNOWN = ("auto", "serial", "processes", "dask")


@dataclass(frozen=True, kw_only=True)
class How:
    """How tasks are run. None of it changes a number of the result, but for `task_limit`.

    executor    serial: one after the other in this process; processes: worker processes on this machine; dask, or
                dask://host:port: a Dask cluster; auto: in this process, and worker processes where it pays
    jobs        worker processes; None: one per core
    task_limit  seconds after which a task is given up, with the series that was at fault; needs worker processes
    """

    executor: str = "auto"
    jobs: int | None = None
    task_limit: float | None = None

    def __post_init__(self) -> None:
        plain_fields(self)
        if self.executor not in KNOWN and not self.executor.startswith("dask://"):
            raise ConfigError(f"executor={self.executor}{did_you_mean(self.executor, (*KNOWN, 'dask://HOST:PORT'))}")
        if self.jobs is not None and self.jobs < 1:
            raise ConfigError(f"jobs={self.jobs}: must be at least 1")
        if self.task_limit is not None and not self.task_limit > 0:
            raise ConfigError(f"task_limit={self.task_limit}: must be a positive number of seconds")
        if self.task_limit is not None and self.executor == "serial":
            raise ConfigError("task_limit: a task in this process cannot be stopped; use executor=processes")

    @property
    def workers(self) -> int:
        """Worker processes."""
        return self.jobs or _cores()

    @property
    def may_start_workers(self) -> bool:
        """Whether worker processes may be started by themselves where they pay; a worker of `multiprocessing.Pool` may
        start none."""
        return self.executor == "auto" and self.workers > 1 and not current_process().daemon

    @property
    def elsewhere(self) -> bool:
        """Whether every task runs outside this process."""
        return self.executor not in ("auto", "serial") or self.task_limit is not None


def _cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
