"""Settings for every test, and a guard: nothing opens a port or a connection unless a cluster or notebook needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# a slow machine is no failure
settings.register_profile("tsforecast", deadline=None)
settings.load_profile("tsforecast")

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
