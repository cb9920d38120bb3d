"""Work of a fit that is done side by side, in threads: two networks on two cores.

Sharing each product of matrices out among the cores is slower, since most of a step is too small for that (a step of
both networks of M4 Hourly: 110 ms one after the other on two cores, 93 side by side), and then the last bits of a
network depend on how many cores there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from tsforecast import progress
from tsforecast.models.manners import silence

__all__ = ["side_by_side"]

T = TypeVar("T")

LOOK = 0.2  # seconds from one look at how far all are to the next


class _Stopped(Exception):
    """Nobody waits any more for what this thread does."""


def side_by_side(work: Sequence[Callable[[], T]], device: torch.device) -> list[T]:
    """What each returns, in their order; on the CPU as many at once as torch has threads, which they share.

    Whatever draws at random has to draw from a generator of its own. What the first to fail raises, and Ctrl-C, stops
    the others when they next report their progress. That of all is reported here, in the thread of the caller.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    at_once = min(threads, len(work))
    if at_once > 1:
        try:
            return _in_threads(work, at_once, threads // at_once)
        finally:
            torch.set_num_threads(threads)
    found = []
    for number, one in enumerate(work):
        with progress.part(number / len(work), (number + 1) / len(work)):
            found.append(one())
    return found


def _in_threads(work: Sequence[Callable[[], T]], at_once: int, each: int) -> list[T]:
    done, stopped = [0.0] * len(work), False

    def run(number: int) -> T:
        def hear(fraction: float) -> None:
            if stopped:
                raise _Stopped
            done[number] = fraction

        with progress.listening(hear):
            return work[number]()

    with silence(), ThreadPoolExecutor(at_once, "fit", torch.set_num_threads, (each,)) as pool:
        futures = [pool.submit(run, number) for number in range(len(work))]
        try:
            waiting = set(futures)
            while waiting:
                finished, waiting = wait(waiting, LOOK, FIRST_EXCEPTION)
                progress.report(sum(done) / len(done))
                for future in finished:
                    future.result()  # raises what it raised
            return [future.result() for future in futures]
        finally:
            stopped = True
            pool.shutdown(wait=False, cancel_futures=True)
