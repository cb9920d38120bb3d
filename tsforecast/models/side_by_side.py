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


class _Stopped(Exception):
    """Nobody waits any more for what this thread does."""


def side_by_side(work: Sequence[Callable[[], T]], device: torch.device) -> list[T]:
    """What each returns, in their order; on the CPU as many at once as torch has threads, which they share.

    Whatever draws at random has to draw from a generator of its own. What the first to fail raises, and Ctrl-C, stops
    the others when they next report their progress, which is that of all.
    """
    listeners, threads = progress.shares(len(work)), torch.get_num_threads() if device.type == "cpu" else 1
    at_once = min(threads, len(work))
    if at_once <= 1:
        return [_heard(one, listener) for one, listener in zip(work, listeners, strict=True)]
    stopped = False

    def hearing(listener: Callable[[float], None]) -> Callable[[float], None]:
        def hear(fraction: float) -> None:
            if stopped:
                raise _Stopped
            listener(fraction)

        return hear

    try:
        with silence(), ThreadPoolExecutor(at_once, "fit", torch.set_num_threads, (threads // at_once,)) as pool:
            futures = [pool.submit(_heard, one, hearing(heard)) for one, heard in zip(work, listeners, strict=True)]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()  # raises what the first to fail raised
                return [future.result() for future in futures]
            finally:
                stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
    finally:
        torch.set_num_threads(threads)


def _heard(work: Callable[[], T], listener: Callable[[float], None]) -> T:
    with progress.listening(listener):
        return work()
