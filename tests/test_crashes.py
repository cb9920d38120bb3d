"""A run that is killed at any instant goes on: the same bytes in the end, nothing done twice, nothing lost.

Even where the machine loses its power with it, and with that whatever the disk was not waited for.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from kept_runs import TASKS, stopped
from lost_writes import Disk

STEP, KILLS = int(os.environ.get("TSF_CRASH_STEP", "37")), int(os.environ.get("TSF_KILLS", "20"))
"""Every how many-th durable operation is a crash in the slow tests (1: each of them), and how many kills at random."""
on_linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what is synced is seen as Linux shows it")


def crashes(folder: Path, first: int, step: int, *seed: int) -> None:
    *lines, last = stopped(folder, "crash", first, step, *seed)
    assert last[0] == "points" and int(last[2]) > 10 * TASKS, "there are ten operations to a task, and more at the end"
    assert len(lines) > (int(last[2]) - first) // step
    whole = lines[0][2:]
    assert whole[2:] == ["0", "clean"]
    for number, name, *rest in lines[1:]:
        assert rest == whole, f"crash at operation {number} ({name})"


def test_a_crash_at_an_operation_on_the_disk_changes_nothing_in_the_end(tmp_path: Path) -> None:
    crashes(tmp_path, 4, 250)


@pytest.mark.slow
def test_a_crash_at_every_kind_of_operation_on_the_disk_changes_nothing_in_the_end(tmp_path: Path) -> None:
    crashes(tmp_path, 0, STEP)


@pytest.mark.slow
def test_kills_at_random_instants_change_nothing_in_the_end(tmp_path: Path) -> None:
    whole, *lines = stopped(tmp_path, "kill", KILLS, 1)
    assert lines and all(line[2:] == whole[2:] for line in lines)


# ---- and the machine with it


@on_linux
def test_a_power_cut_at_an_operation_on_the_disk_changes_nothing_in_the_end(tmp_path: Path) -> None:
    crashes(tmp_path, 227, 250, 1)


@on_linux
@pytest.mark.slow
def test_a_power_cut_at_every_kind_of_operation_on_the_disk_changes_nothing_in_the_end(tmp_path: Path) -> None:
    crashes(tmp_path, 13, STEP, 2)


@on_linux
@pytest.mark.slow
def test_final_files_that_were_not_waited_for_are_found_by_a_power_cut(tmp_path: Path) -> None:
    """The control: all that is lost is in the last few operations, when the mark of a finished run is there."""
    with pytest.raises(AssertionError, match=r"cannot be read|missing"):
        stopped(tmp_path, "careless", 10 * TASKS + 41, 1, 1)


@on_linux
def test_a_disk_that_forgets_keeps_what_was_synced_and_what_was_not_by_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, run = Disk(tmp_path / "run"), tmp_path / "run"
    (run / "sub").mkdir(parents=True)
    files = {name: run / "sub" / name for name in ("safe", "torn", "nameless")}
    for name, path in files.items():
        path.write_bytes(name.encode() * 100)
        with open(path, "rb") as file:
            if name != "torn":
                disk.fsync(file.fileno())
        if name == "torn":
            for folder in (run / "sub", run, tmp_path):
                opened = os.open(folder, os.O_RDONLY)
                disk.fsync(opened)
                os.close(opened)
    os.replace(files["nameless"], run / "sub" / "renamed")
    found = set()
    for seed in range(40):
        disk.crash(left := tmp_path / str(seed), random.Random(seed))
        there = {path.name: path.read_bytes() for path in (left / "sub").iterdir()}
        assert there.pop("safe") == b"safe" * 100
        assert there.get("renamed", b"nameless" * 100) == b"nameless" * 100
        found.add((there["torn"].rstrip(b"\0") == b"torn" * 100, "renamed" in there))
    assert found == {(whole, renamed) for whole in (False, True) for renamed in (False, True)}


# ---- a model that kills the run


def killer_run(place: Path, marks: Path, times: int) -> subprocess.CompletedProcess[str]:
    code = (
        "from pathlib import Path; from kept_runs import *; from misbehaving import KillsTheRun\n"
        "make_small(setattr)\n"
        f"model = KillsTheRun({str(marks)!r}, {times})\n"
        f"job = make_job(twelve(), {{'naive': Naive(), 'killer': model}}, PLAN)\n"
        f"print(kept(Path({str(place)!r}), job=job).failures.to_csv(index=False))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_task_that_takes_the_run_along_twice_is_done_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    codes = [killer_run(tmp_path / "r", tmp_path / "marks", 1000) for _ in range(3)]
    assert [done.returncode for done in codes] == [-9, -9, 0], codes[-1].stderr
    failed = codes[-1].stdout.strip().splitlines()
    assert len(failed) == 4 and all(line.startswith(f"killer,{k},s05,its") for k, line in enumerate(failed[1:]))
