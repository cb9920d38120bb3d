"""Settings for every test, a guard: nothing opens a port or a connection unless a cluster or notebook needs it; and the
run that the tests of the command line look at."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import BASE, WALKS, Command, run_with
from hypothesis import settings

from tsforecast.cli import main
from tsforecast.reporting import report

# a slow machine is no failure
settings.register_profile("tsforecast", deadline=None)
settings.load_profile("tsforecast")


def pytest_configure() -> None:
    """Tests send signals that a shell or nohup may have told us, and with us our children, to ignore."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


MAY = ("dask", "notebook")
"""Words in the names of tests that may use the network."""
_used: list[str] = []


def _watch(event: str, given: tuple[Any, ...]) -> None:
    if event in ("socket.bind", "socket.connect", "socket.getaddrinfo") and not isinstance(given[-1], str | bytes):
        _used.append(f"{event} {given[1:]}")


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sockets that have an address on a network; those that are files are none."""
    before = len(_used)
    yield
    if not any(word in request.node.nodeid for word in MAY):
        assert _used[before:] == []


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Two threads wait for each other at every small product, ten times longer where another program has a core; and
    the last bits of a sum depend on how many there are."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Command:
    """Run `tsforecast ...` in this process. Figures take long: they are drawn only where a test asks for them."""
    if "figures" not in request.fixturenames:
        monkeypatch.setattr(report, "_html", lambda *args: "a page")
    return run_with(capsys)


@pytest.fixture
def figures() -> None:
    """Asked for by a test that needs real pages."""


@pytest.fixture(scope="session")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of four random walks."""
    values = np.random.default_rng(0).normal(size=(len(WALKS), 90)).cumsum(axis=1) + 50
    days = pd.date_range("2024-01-01", periods=90)
    parts = [pd.DataFrame({"name": i, "day": days, "price": w}) for i, w in zip(WALKS, values, strict=True)]
    path = tmp_path_factory.mktemp("data") / "walks.csv"
    pd.concat(parts).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def finished(walks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run. Tests read it and leave it as it is."""
    out = tmp_path_factory.mktemp("runs") / "first"
    with pytest.raises(SystemExit) as stop:
        main(["backtest", str(walks), *BASE, "--out", str(out), "--quiet"])
    assert stop.value.code == 0
    return out
