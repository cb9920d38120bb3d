"""A full disk stops a run with what is needed; what is finished is kept, and the run goes on when there is room."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commands import run_with
from kept_runs import TASKS, finished_tasks, kept, make_small, stopped

from tsforecast import store
from tsforecast.running import durable, run_folder
from tsforecast.running.trouble import OutOfSpace

FILLS = int(os.environ.get("TSF_FILLS", "12"))
"""How often the disk is full in the slow tests."""
OWN_DISK = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch.setattr)


@pytest.mark.parametrize(
    "kind", ["part", pytest.param("ledger", marks=pytest.mark.slow), pytest.param("tables", marks=pytest.mark.slow)]
)
def test_a_disk_that_is_full_is_said_with_what_is_needed_and_the_run_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    expected = kept(tmp_path / "other").facts["digest"]
    with monkeypatch.context() as full:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        if kind == "ledger":
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, hard))  # its log grows with every task
        elif kind == "part":
            full.setattr(durable, "_write", Bounded(30).write)
        else:
            full.setattr(store, "write_tables", Bounded(0).write)
        try:
            with pytest.raises(OutOfSpace) as error:
                kept(tmp_path / "r")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "MiB more are needed" in str(error.value) and "make room, then tsforecast backtest" in str(error.value)
    assert "kept in" in str(error.value) and not str(error.value).split("needed. ")[1].startswith("0 %")
    assert not list(tmp_path.rglob("*.tmp")) and not (tmp_path / "r" / "facts.json").exists()
    before = finished_tasks(tmp_path / "r")
    assert len(before) == TASKS if kind == "tables" else 0 < len(before) < TASKS
    assert kept(tmp_path / "r").facts["digest"] == expected and before <= finished_tasks(tmp_path / "r")


class Bounded:
    """A disk with room for so many writes."""

    def __init__(self, left: int) -> None:
        self.left, self.real = left, durable._write

    def write(self, file: Any, content: Any, *more: Any) -> None:
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1
        self.real(file, content)


def test_a_disk_that_is_full_from_the_beginning_is_said_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run_folder, "sync_folder", full)
    with pytest.raises(OutOfSpace) as error:
        kept(tmp_path / "r")
    assert "0 % of the work is done" in str(error.value) and str(error.value).endswith("make room, then the same again")


def test_a_full_disk_is_code_4_and_the_command_that_is_printed_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, place = run_with(capsys), tmp_path / "r"
    argv = ("backtest", "oil", "--models", "naive,drift", "--horizon", "5", "--n-windows", "3", "--out", place, "-q")
    with monkeypatch.context() as full:
        full.setattr(durable, "_write", Bounded(5).write)
        done = command(*argv)
    assert done.code == 4 and done.err.count("\n") == 1 and "No space left on device" in done.err
    said, again = done.err.rstrip().split(" make room, then tsforecast ")
    assert "about 1 MiB more are needed. 50 % of the work is done and kept" in said and len(finished_tasks(place)) == 1
    assert command(*again.split(), "-q") == (0, "", "")


@pytest.mark.slow
def test_files_that_may_not_grow_stop_a_run_at_any_operation_and_it_goes_on(tmp_path: Path) -> None:
    whole, *lines = stopped(tmp_path, "fill", FILLS, 1, "limit")
    assert_kept(whole, lines)


@pytest.mark.slow
def test_a_disk_that_shrinks_stops_a_run_at_any_operation_and_it_goes_on(tmp_path: Path) -> None:
    """A disk in memory, which nobody else sees."""
    mount = [*OWN_DISK, "mount", "-t", "tmpfs", "-o", "size=1m", "room", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a disk of his own")
    whole, *lines = stopped(tmp_path, "fill", FILLS, 2, "tmpfs", before=OWN_DISK)
    assert_kept(whole, lines)
    assert not list((tmp_path / "tmpfs").iterdir()), "it was elsewhere"


def assert_kept(whole: list[str], lines: list[list[str]]) -> None:
    """Every run that got through has the bytes of one that nothing has stopped."""
    assert len(lines) == FILLS and sum(said == "full" for _, said, *_ in lines) > FILLS // 3
    through = [rest for _, _, *rest in lines if rest]
    assert through and all(rest == whole[2:] for rest in through)
