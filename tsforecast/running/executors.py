"""Where tasks run beside the main process, in the shape of `concurrent.futures`: processes, or Dask."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, wait
from typing import Any, Protocol
from weakref import WeakSet

from tsforecast.errors import ConfigError
from tsforecast.running.worker import settle_in

__all__ = ["Executor", "Processes", "lost_by", "open_executor"]

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


PATIENCE = 600.0  # seconds


class Executor(Protocol):
    """Runs calls elsewhere.

    slots  how many calls to hand over at a time
    gpus   how many of these may need a GPU
    heals  whether it replaces a worker that is lost; else `start_again` does
    """

    slots: int
    gpus: int
    heals: bool

    def up(self, patience: float | None = None) -> bool:
        """Whether there are workers, after waiting so many seconds for them, or as long as it takes. Raises ConfigError
        where none can start."""
        ...

    def submit(self, call: Callable[..., Any], *given: Any, gpu: bool = False) -> Future[Any]:
        """Hand over a call."""
        ...

    def tend(self) -> None:
        """To be called now and then while calls are under way."""
        ...

    def start_again(self) -> None:
        """Give up every call that is under way, with the workers they run in."""
        ...

    def close(self) -> None:
        """No more calls; what is under way is given up."""
        ...


class Processes:
    """Worker processes on this machine (loky), each with so many threads."""

    def __init__(self, jobs: int, threads: int, models: Sequence[Any] = ()) -> None:
        """`models` are those to come: what has to be imported for them is imported when a worker starts."""
        self.slots, self.gpus, self.threads, self.models, self.heals = jobs, jobs, threads, models, False
        self._open()

    def _open(self) -> None:
        from loky import ProcessPoolExecutor

        env = dict.fromkeys(THREADS, str(self.threads))
        # a worker that has grown is replaced between two tasks: that is well, and nobody need be told
        warnings.filterwarnings("ignore", message="A worker (was restarted|stopped)", category=UserWarning)
        self._pool = ProcessPoolExecutor(
            self.slots, timeout=60, initializer=settle_in, initargs=(self.models,), env=env
        )
        self._first: Future[Any] = self._pool.submit(int)

    def up(self, patience: float | None = None) -> bool:
        """Whether a worker has started: it takes seconds. One that cannot even start is no fault of a task."""
        if not wait([self._first], patience).done:
            return False
        try:
            self._first.result()
        except BrokenExecutor as error:
            raise ConfigError(f"executor=processes: a worker process cannot start ({error}); use serial") from None
        return True

    def submit(self, call: Callable[..., Any], *given: Any, gpu: bool = False) -> Future[Any]:
        """Hand over a call."""
        found: Future[Any] = self._pool.submit(call, *given)
        return found

    def tend(self) -> None:
        """A worker that is lost is told by its call."""

    def start_again(self) -> None:
        """New workers; the old ones are killed with whatever they do."""
        self.close()
        self._open()
        self.up()

    def close(self) -> None:
        """The workers are killed with whatever they do."""
        self._pool.shutdown(wait=True, kill_workers=True)


class Dask:
    """A Dask cluster: the one at an address, or worker processes here that only this machine can reach.

    A call that needs a GPU asks for the resource of that name: a worker has it from `dask worker --resources GPU=1`.
    """

    def __init__(self, address: str | None, jobs: int, threads: int) -> None:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise ConfigError("executor=dask: Dask is not installed; pip install 'tsforecast-toolkit[dask]'") from None
        self._cluster = None
        if address is None:
            self._cluster = LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # without one it takes port 8787 all the same
                scheduler_kwargs={"dashboard": False},
                resources={"GPU": 1},  # each may use what this machine has
                env=dict.fromkeys(THREADS, str(threads)),
            )
        try:
            self._client = Client(self._cluster if address is None else address, timeout="15s", set_as_default=False)
        except (OSError, ValueError) as error:
            where = f"executor={address}".replace("tcp://", "dask://")
            raise ConfigError(f"{where}: no scheduler answers there ({error})") from None
        workers = self._client.sync(self._client.scheduler.identity)["workers"].values()
        self.slots, self.heals = max(sum(worker["nthreads"] for worker in workers), 1), True
        self.gpus = int(sum(worker["resources"].get("GPU", 0) for worker in workers))
        self._seen = time.monotonic()  # that there were workers
        self._calls: WeakSet[Future[Any]] = WeakSet()
        needs: dict[bool, dict[str, Any]] = {False: {}, True: {"resources": {"GPU": 1}}}
        self._pools = {gpu: self._client.get_executor(pure=False, **need) for gpu, need in needs.items()}

    def up(self, patience: float | None = None) -> bool:
        """A cluster is waited for when it is opened; later `tend` looks after it."""
        return True

    def submit(self, call: Callable[..., Any], *given: Any, gpu: bool = False) -> Future[Any]:
        """Hand over a call; one that needs a GPU goes to a worker that says it has one."""
        found: Future[Any] = self._pools[gpu].submit(call, *given)
        self._calls.add(found)
        return found

    def tend(self) -> None:
        """Workers that were started here and are gone for good are replaced. Raises ConfigError where a cluster has had
        none for ten minutes: what is finished is kept."""
        there = len(self._client.nthreads())
        if self._cluster is not None and there < self.slots:
            self._cluster.scale(self.slots)
        elif there:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > PATIENCE:
            raise ConfigError(f"executor: no worker is left in the cluster at {self._client.scheduler.address}")

    def start_again(self) -> None:
        """What has not begun is called off; workers that were started here are started anew."""
        for future in list(self._calls):
            future.cancel()
        if self._cluster is not None:
            self._client.restart(wait_for_workers=True)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def open_executor(name: str, jobs: int, threads: int, models: Sequence[Any] = ()) -> Executor:
    """The executor of a name: processes, dask, dask://host:port. Raises ConfigError where there is none."""
    if name == "processes":
        return Processes(jobs, threads, models)
    address = re.fullmatch(r"dask(?:://(.+))?", name)
    assert address, name
    return Dask(f"tcp://{address[1]}" if address[1] else None, jobs, threads)


def lost_by(error: BaseException) -> str:
    """How the worker of a call was lost; empty where the call itself raised this, or could not be handed over."""
    if type(error).__name__ in ("KilledWorker", "TerminatedWorkerError", "ShutdownExecutorError"):
        signals = re.search(r"exit codes? of the workers? (?:are|is) \{(.+?)\}", str(error))
        return f"its worker process died ({signals[1]})" if signals else "its worker process died"
    return ""
