"""The networks of one fit are trained at once, each on its own core, and come out as if trained one after the other."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
from cases import LED, sensors

from tsforecast import progress
from tsforecast.models.nets import Dropout
from tsforecast.models.recurrent import LSTM
from tsforecast.models.side_by_side import side_by_side

CPU, GPU = torch.device("cpu"), torch.device("cuda")
RECIPE = LSTM(**{**LED, "n_seeds": 3, "num_layers": 2, "dropout": 0.3, "look_back": (1.0, 0.5)})
LONG = 2_000  # reports: 20 seconds, and nobody waits for that


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def weights(recipe: LSTM) -> list[torch.Tensor]:
    """Of all networks of a fit."""
    fitted = recipe.fit(sensors(), 5)
    return [torch.cat([p.flatten() for p in member.net.parameters()]) for member in fitted.members.values()]


def met(number: int, meeting: threading.Barrier) -> Callable[[], int]:
    """Work that only ends if the other is done at the same time."""

    def work() -> int:
        meeting.wait(timeout=20)
        return number

    return work


def test_three_networks_on_two_threads_are_bit_for_bit_those_on_one() -> None:
    at_once = weights(RECIPE)
    torch.set_num_threads(1)
    one_by_one = weights(RECIPE)
    assert all(torch.equal(*pair) for pair in zip(at_once, one_by_one, strict=True))
    other = weights(replace(RECIPE, seed=7))  # the control
    assert not any(torch.equal(*pair) for pair in zip(at_once[:1], other[:1], strict=True))


def test_what_a_network_drops_is_its_own_and_not_what_torch_draws_meanwhile() -> None:
    """The control: without a generator of its own it takes from the one that all threads share."""

    def dropped(own: bool, disturbed: bool) -> torch.Tensor:
        torch.manual_seed(3)
        net = Dropout(0.5)
        net.generator = torch.Generator().manual_seed(3) if own else None
        if disturbed:
            torch.rand(1)
        return net(torch.ones(100))

    torch.manual_seed(3)
    assert torch.equal(dropped(own=True, disturbed=False), torch.nn.functional.dropout(torch.ones(100), 0.5))
    assert torch.equal(dropped(own=True, disturbed=False), dropped(own=True, disturbed=True))
    assert not torch.equal(dropped(own=False, disturbed=False), dropped(own=False, disturbed=True))


def test_two_are_done_at_the_same_time_in_their_order_and_share_the_threads() -> None:
    meeting = threading.Barrier(2)
    assert side_by_side([met(1, meeting), met(2, meeting)], CPU) == [1, 2]
    assert side_by_side([torch.get_num_threads, torch.get_num_threads], CPU) == [1, 1]
    assert side_by_side([torch.get_num_threads], CPU) == [2] and torch.get_num_threads() == 2


@pytest.mark.parametrize(("threads", "device"), [(1, CPU), (2, GPU)])
def test_with_one_thread_or_on_a_gpu_they_are_done_one_after_the_other(threads: int, device: torch.device) -> None:
    torch.set_num_threads(threads)
    here = threading.get_ident()
    assert side_by_side([threading.get_ident] * 3, device) == [here] * 3


def test_what_the_first_to_fail_raises_stops_the_others() -> None:
    reports = []

    def endless() -> None:
        for step in range(LONG):
            progress.report(step / LONG)
            reports.append(step)
            time.sleep(0.01)

    def fails() -> None:
        while len(reports) < 3:
            time.sleep(0.01)
        raise ValueError("diverged")

    with pytest.raises(ValueError, match="diverged"):
        side_by_side([endless, fails, endless], CPU)
    assert 3 <= len(reports) < LONG / 2
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("hidden", [False, True])
def test_ctrl_c_stops_all_of_them_also_in_work_that_does_not_count(hidden: bool) -> None:
    reports = []

    def endless() -> None:
        with progress.part(0.0, 0.0 if hidden else 1.0):
            report()

    def report() -> None:
        for step in range(LONG):
            progress.report(step / LONG)
            reports.append(step)
            if len(reports) == 6:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        side_by_side([endless, endless], CPU)
    assert len(reports) < LONG / 2


def test_the_progress_of_all_is_the_mean_of_theirs_and_is_told_in_the_thread_that_asked() -> None:
    """A listener may hold what only its own thread may touch, such as a connection to a database."""
    heard, half, here = list[float](), threading.Event(), threading.get_ident()

    def hear(share: float) -> None:
        assert threading.get_ident() == here
        heard.append(share)
        if share == 0.375:
            half.set()

    def work(share: float) -> None:
        progress.report(share)
        assert half.wait(20)
        progress.report(1.0)

    with progress.listening(hear):
        side_by_side([partial(work, 0.5), partial(work, 0.25)], CPU)
    assert heard == sorted(heard) and 0.375 in heard and heard[-1] == 1.0


@pytest.mark.parametrize("threads", [1, 2])
def test_the_progress_of_a_fit_never_goes_back(threads: int) -> None:
    torch.set_num_threads(threads)
    heard = list[float]()
    with progress.listening(heard.append):
        replace(RECIPE, n_seeds=2).fit(sensors(), 5)
    assert heard == sorted(heard) and heard[-1] == 1.0
