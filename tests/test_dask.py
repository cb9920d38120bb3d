"""Tasks on a Dask cluster: the same bits though workers are killed; those that need a GPU go where one is."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cases import sensors
from kept_runs import twelve
from misbehaving import OnGpu

from tsforecast.backtesting import run_backtest
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.models.arima import ARIMA
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.models.naive2 import Naive2
from tsforecast.running import queue
from tsforecast.running.executors import Dask
from tsforecast.running.how import How

LOCAL: dict[str, Any] = {
    "naive": Naive(),
    "week": SeasonalNaive(),
    "drift": Drift(),
    "naive2": Naive2(),
    "arima": ARIMA(order=(1, 0, 0)),
}
needs_dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="Dask is not installed")


def digest(models: dict[str, Any], on_progress: Any = None, **how: Any) -> str:
    panel, plan = sensors([120 - 3 * i for i in range(20)]), Plan(horizon=5, n_windows=4, refit=2)
    found: str = run_backtest(panel, models, plan, how=How(**how), on_progress=on_progress).facts["digest"]
    return found


@pytest.mark.slow
@needs_dask
def test_a_dask_cluster_changes_no_bit_though_its_workers_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    monkeypatch.setattr(queue, "FIRST", 2)
    monkeypatch.setattr(queue, "GROWTH", 1)
    expected = digest(LOCAL)
    killed: list[int] = []
    told: list[float] = []

    def kill(share: float, name: str) -> None:
        """A worker, after every 25th of a hundred tasks."""
        told.append(share)
        for worker in psutil.Process().children(recursive=True) if len(told) % 25 == 10 else ():
            with suppress(psutil.Error):  # it has just ended
                if "spawn_main" in " ".join(worker.cmdline()) and len(killed) <= len(told) // 25:
                    worker.kill()
                    killed.append(worker.pid)

    assert digest(LOCAL, kill, executor="dask", jobs=2) == expected
    assert len(killed) >= 3


@needs_dask
def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    def nobody(*args: Any, **kwargs: Any) -> Any:
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", nobody)
    with pytest.raises(ConfigError, match=r"dask://127\.0\.0\.1:1: no scheduler answers there"):
        digest(LOCAL, executor="dask://127.0.0.1:1")


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'tsforecast-toolkit\[dask\]'"):
        digest(LOCAL, executor="dask")


@contextmanager
def cluster(*gpus: int) -> Iterator[str]:
    """The address of a cluster with a worker for each of these numbers: of the GPUs that it says it has."""
    from distributed import Nanny, Scheduler, SpecCluster

    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    workers = {
        k: {"cls": Nanny, "options": {**local, "nthreads": 1, "resources": {"GPU": n} if n else {}}}
        for k, n in enumerate(gpus)
    }
    with SpecCluster(workers, {"cls": Scheduler, "options": {**local, "dashboard": False, "port": 0}}) as made:
        yield made.scheduler_address.replace("tcp://", "dask://")


@needs_dask
@pytest.mark.slow
def test_a_task_that_needs_a_gpu_goes_to_the_dask_worker_that_has_one() -> None:
    from distributed import Client

    models, plan = {"on_gpu": OnGpu(), "naive": Naive()}, Plan(horizon=3, n_windows=2, refit=True)
    with cluster(0, 1) as address:
        with Client(address.replace("dask://", "tcp://"), set_as_default=False) as client:
            workers, processes = client.scheduler_info()["workers"], client.run(os.getpid)
            (with_gpu,) = (processes[where] for where, worker in workers.items() if worker["resources"])
        result = run_backtest(twelve(), models, plan, how=How(executor=address))
    assert result.failures.empty and set(result.curves["step"]) == {with_gpu} and len(result.curves) == 5 * 2


@needs_dask
@pytest.mark.slow
def test_a_dask_cluster_without_a_gpu_is_refused_where_a_model_needs_one() -> None:
    with cluster(0) as address, pytest.raises(ConfigError, match="on_gpu needs a GPU, and no worker there says that"):
        run_backtest(twelve(), {"naive": Naive(), "on_gpu": OnGpu()}, Plan(horizon=3), how=How(executor=address))


@needs_dask
@pytest.mark.slow
def test_workers_of_a_dask_cluster_that_is_started_here_may_use_the_gpu(tmp_path: Path) -> None:
    opened = Dask(None, jobs=1, threads=1)
    try:
        assert opened.gpus == opened.slots == 1
        assert opened.submit(os.getpid, gpu=True).result(timeout=30) != os.getpid()
    finally:
        opened.close()
