"""A program that stops small runs in many ways and goes on with them: `python stopped_runs.py FOLDER`, and then

    crash FIRST STEP       the run is killed at every STEP-th durable operation
    crash FIRST STEP SEED  the machine is: what the disk was not waited for is lost, torn or there by chance
    careless FIRST STEP SEED  the same, with final files that nobody waits for: a control
    kill COUNT SEED        kills at random instants
    fill COUNT SEED KIND   the disk is full at random operations; KIND is tmpfs, or limit (of the size of a file)

Each line has what was done, the digest and the hash of all bytes in the end, how many tasks were done again though they
had been finished, and what is left over.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kept_runs import bytes_of, finished_tasks, kept, leftovers, make_small
from lost_writes import Disk

from tsforecast.results import BacktestResult
from tsforecast.running import durable
from tsforecast.running.job import Job
from tsforecast.running.trouble import OutOfSpace


def in_a_fork(work: Callable[[], str]) -> tuple[int, str]:
    """Exit code and words of something done in a copy of this process."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(into, work().encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(into)
    with open(out) as words:
        said = words.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def crash_at(number: int, place: Path, rng: random.Random | None) -> str:
    """Run until the durable operation of this number, and end there without a word to anybody.

    rng  the power is lost: what the disk was not waited for is there or not by chance
    """
    seen, disk = 0, Disk(place)
    if rng is not None:
        disk.watch()

    def point(name: str) -> None:
        nonlocal seen
        if seen == number:
            (place.parent / f"{place.name}.point").write_text(f"{name}\n{' '.join(disk.tasks)}")
            if rng is not None:
                disk.crash(place.with_name("left"), rng)
                place.rename(place.with_name("lost"))
                if place.with_name("left").exists():
                    place.with_name("left").rename(place)
            os._exit(137)
        seen += 1

    durable.point = point  # type: ignore[assignment]
    kept(place)
    return str(seen)


def go_on(place: Path) -> str:
    """The same run again: its digest, and how many tasks were done that had been finished before."""
    before, done = finished_tasks(place), []
    write = Job.key

    def key(self: Job, task: Any, folds: Any) -> str:
        done.append(write(self, task, folds))
        return done[-1]

    Job.key = key  # type: ignore[method-assign]
    digest = kept(place).facts["digest"]
    return f"{digest} {bytes_of(place)} {len(before & set(done))} {' '.join(sorted(leftovers(place))) or 'clean'}"


def kill_at_random(place: Path, rng: random.Random, longest: float) -> bool:
    """Run in a process group of its own that is killed at some time; whether the run was finished before."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        try:
            kept(place)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    time.sleep(rng.uniform(0.0, longest))
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet, or has ended
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code == 0


def full_at(number: int, place: Path, fill: Callable[[], None]) -> str:
    """Run until the durable operation of this number, and with a full disk from there on: "full" or, if that is enough,
    "done"."""
    seen = 0

    def point(name: str) -> None:
        nonlocal seen
        if seen == number:
            fill()
        seen += 1

    durable.point = point  # type: ignore[assignment]
    try:
        kept(place)
    except OutOfSpace as full:
        return "full" if "MiB more are needed" in (said := str(full)) and "make room, then t" in said else said
    return "done"


def fill_often(folder: Path, count: int, seed: int, kind: str) -> None:
    """A disk that is full at random operations, so many times; what came out, and that each time all was kept.

    kind   tmpfs: a disk of our own is made smaller; limit: no file may be larger than a few kilobytes
    """
    rng, disk = random.Random(seed), folder / kind
    disk.mkdir()

    def resize(size: int, *more: str) -> None:
        if kind == "tmpfs":
            subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([*more, f"size={size}"]), "room", disk], check=True)

    def fill() -> None:
        if kind == "tmpfs":
            found = os.statvfs(disk)
            resize((found.f_blocks - found.f_bfree) * found.f_frsize, "remount")
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (rng.choice([0, 2, 8, 32, 64]) << 10, resource.RLIM_INFINITY))

    resize(64 << 20)
    place = disk / "0"
    for number in range(count):
        before = finished_tasks(place)
        code, said = in_a_fork(partial(full_at, rng.randrange(400), place, fill))
        resize(64 << 20, "remount")
        assert code == 0 and before <= finished_tasks(place) and not list(place.rglob("*.tmp")), f"{number}: {said}"
        if said == "done" or number == count - 1:
            print(number, said, in_a_fork(partial(go_on, place))[1], flush=True)
            place = disk / str(number + 1)
        else:
            print(number, said, flush=True)


def crash_everywhere(folder: Path, number: int, step: int, seed: int | None = None) -> None:
    """A crash at operation `number`, and at every step-th after it; what came out each time, and how many there are.

    seed  of what is lost besides
    """
    while True:
        place = folder / str(number)
        code, said = in_a_fork(
            partial(crash_at, number, place, None if seed is None else random.Random(f"{seed} {number}"))
        )
        if code == 0:
            print("points", number, said)
            return
        assert code == 137, code
        name, *safe = (folder / f"{number}.point").read_text().split("\n")
        assert set(" ".join(safe).split()) <= finished_tasks(place), f"{number} {name}"
        shutil.rmtree(folder / "lost", ignore_errors=True)
        if (config := place / "work" / "config.yaml").exists():
            assert config.read_bytes() == (folder / "first" / "config.yaml").read_bytes(), f"{number} {name}"
        if (place / "facts.json").exists():  # whoever sees the mark of a finished run sees the whole of it
            code, said = in_a_fork(partial(digest_of, place))
            assert code == 0, f"{number} {name}"
        code, said = in_a_fork(partial(go_on, place))
        assert code == 0
        print(number, name.replace(" ", "-"), said, flush=True)
        number += step


def digest_of(place: Path) -> str:
    """Of a finished run, all its tables read."""
    return str(BacktestResult.load(place).facts["digest"])


def kill_often(folder: Path, kills: int, seed: int) -> None:
    """Runs that are killed until they get through, until there were so many kills."""
    rng, number, begun = random.Random(seed), 0, time.perf_counter()
    in_a_fork(lambda: kept(folder / "second").facts["digest"])
    longest = time.perf_counter() - begun
    while kills > 0:
        place = folder / f"run{number}"
        while kills > 0 and not kill_at_random(place, rng, longest):
            kills -= 1
        print(number, "killed", in_a_fork(partial(go_on, place))[1], flush=True)
        number += 1


def main(folder: Path, work: str, *argv: str) -> None:
    """See above."""
    make_small(setattr)
    print("whole", "-", go_on(folder / "first"), flush=True)  # what is imported for it the forks have then
    if work == "careless":
        durable.sync_file = lambda path: durable.point("fsync")
    if work == "kill":
        kill_often(folder, int(argv[0]), int(argv[1]))
    elif work == "fill":
        fill_often(folder, int(argv[0]), int(argv[1]), argv[2])
    else:
        crash_everywhere(folder, *map(int, argv))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
