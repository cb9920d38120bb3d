"""An ingest that ends at any instant leaves the old dataset or the new one; the next one clears up; it holds little."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from commands import run_with
from ingest_cases import SMALL, two_files

from tsforecast.errors import ConfigError, DataError
from tsforecast.ingesting import writing
from tsforecast.ingesting.dataset import open_dataset
from tsforecast.ingesting.ingest import ingest
from tsforecast.ingesting.writing import new_folder
from tsforecast.reading.readers import read_panel
from tsforecast.running import durable


class Crash(BaseException):
    """The process ends here."""


def points(path: Path, out: Path) -> int:
    """How many durable operations an ingest has."""
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "point", seen.append)
        ingest(path, out, overwrite=True, sizes=SMALL)
    return len(seen)


@pytest.mark.parametrize("taken", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_stopped_at_any_durable_operation_the_folder_is_the_old_or_the_new_one(tmp_path: Path, taken: bool) -> None:
    out, (path, other) = tmp_path / "out", two_files(tmp_path)
    count = points(other, tmp_path / "counted")
    assert count > 20
    old, new = read_panel(path).fingerprint(), read_panel(other).fingerprint()
    for at in range(count):
        if taken:
            ingest(path, out, overwrite=True, sizes=SMALL)
        left = at

        def crash(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(durable, "point", crash)
            with pytest.raises(Crash):
                ingest(other, out, overwrite=True, sizes=SMALL)
        found = read_panel(out).fingerprint() if out.exists() else None
        assert found in ((old, new) if taken else (None, new))
        beside = {p.name for p in tmp_path.iterdir()} - {"out", "a.csv", "b.csv", "counted"}
        assert all(name.endswith(".old") for name in beside)
        if found == new and not taken:
            break


KILLED = """
import os, sys
from tsforecast.running import durable
from tsforecast.ingesting.ingest import Sizes, ingest
left = int(sys.argv[3])
def die(_):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
durable.point = die
ingest(sys.argv[1], sys.argv[2], overwrite=True, sizes=Sizes(block=20_000, head=500, bucket=8_000, stretch=300))
"""


@pytest.mark.slow
def test_killed_at_an_operation_the_old_dataset_is_there_or_comes_back_with_the_next_ingest(tmp_path: Path) -> None:
    out, (path, other) = tmp_path / "out", two_files(tmp_path)
    old = ingest(path, out, sizes=SMALL).fingerprint()
    count = points(other, tmp_path / "counted")
    lost = 0
    for at in [0, count // 2, *range(count - 5, count - 1)]:
        done = subprocess.run([sys.executable, "-c", KILLED, other, out, str(at)], check=False)
        assert done.returncode == 9
        lost += not out.exists()
        with pytest.raises(DataError, match="there is no file"):
            ingest(tmp_path / "gone.csv", out, overwrite=True)
        if not out.exists():  # killed between the two renames: the next ingest puts the old one back first
            with pytest.raises(ConfigError, match="there is a dataset already"):
                ingest(path, out)
        assert read_panel(out).fingerprint() == old
    assert lost == 1, "the one instant at which neither has the name was among them"
    beside = {p.name for p in tmp_path.iterdir()}
    (hidden,) = (name for name in beside if name.startswith("."))  # each has taken away what the one before left
    ingest(path, out, overwrite=True, sizes=SMALL)
    assert hidden.endswith(".part") and {p.name for p in tmp_path.iterdir()} == beside - {hidden}


def test_what_a_dead_ingest_has_left_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    path, _ = two_files(tmp_path)
    dead, code = tmp_path / ".out.0123456789ab.part", "0123456789ab"
    kept = [tmp_path / name for name in (".out.mine.part", f".other.{code}.part", ".out.mine.old", f".out.{code}.keep")]
    for folder in (dead, *kept):
        (folder / "work").mkdir(parents=True)
        (folder / "work" / "rows").write_bytes(b"x")
    with new_folder(tmp_path / "out", overwrite=True) as alive:
        assert not dead.exists()
        (alive / "file").touch()
        ingest(path, tmp_path / "out", sizes=SMALL)
        assert (alive / "file").exists(), "another process is at work there"
        found = open_dataset(tmp_path / "out").fingerprint()
    assert found == read_panel(path).fingerprint()
    assert {p.name for p in tmp_path.iterdir() if p.name[0] == "."} == {folder.name for folder in kept}


def test_a_new_folder_that_was_taken_for_one_that_was_left_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, made = writing._held, []

    def late(folder: Path, wait: bool = True) -> Any:
        made.append(folder)
        if len(made) == 1:
            folder.rmdir()
        return held(folder, wait)

    monkeypatch.setattr(writing, "_held", late)
    with new_folder(tmp_path / "out", overwrite=False) as folder:
        (folder / "file").touch()
    assert len(made) == 2 and (tmp_path / "out" / "file").exists()


def test_a_full_disk_ends_with_4_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = two_files(tmp_path)

    def full(name: str) -> None:
        if name == "fsync":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable, "point", full)
    done = run_with(capsys)("ingest", path, "--out", tmp_path / "d")
    assert done.code == 4 and "No space left on device" in done.err
    assert {p.name for p in tmp_path.iterdir()} == {"a.csv", "b.csv"}


# ---- bounds

LIMITED = """
import resource, sys, threading, time
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from tsforecast import cli
from tsforecast.ingesting import ingest
peak = 0
def watch():
    global peak
    while True:
        status = open("/proc/self/status").read()
        peak = max(peak, int(status.split("RssAnon:")[1].split()[0]) // 1024)
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
ingest.Sizes.__init__.__kwdefaults__.update(block=2 << 20, head=50_000, bucket=8 << 20, stretch=200_000)
try:
    cli.main(["ingest", sys.argv[1], "--out", sys.argv[2], "--overwrite"])
finally:
    print(peak)
"""


def peak_of(tmp_path: Path, n_series: int, steps: int) -> int:
    """MiB that ingesting so many rows in no order holds, maps of files not counted, with 2 GiB of address space."""
    rng = np.random.default_rng(0)
    row = rng.permutation(n_series * steps)
    names = pa.array([f"sensor-{i:05d}" for i in range(n_series)])
    hours = np.datetime64("2023-01-01", "s") + (row % steps).astype("timedelta64[h]")
    table = {"unique_id": names.take(pa.array(row // steps)), "ds": pa.array(hours).cast(pa.string())}
    pa.csv.write_csv(pa.table(table | {"y": rng.normal(size=len(row)).round(6)}), tmp_path / "big.csv")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "big.csv", tmp_path / "big"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert f"{n_series:,} series, {n_series * steps:,} steps" in lines[0]
    return int(lines[-1])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured as Linux tells it")
def test_memory_does_not_grow_with_the_rows_and_fits_into_2_gib_of_addresses(tmp_path: Path) -> None:
    """Peaks of one size differ by 40 MiB from run to run, most where something else has a core."""
    small, large = peak_of(tmp_path, 1_000, 1_000), peak_of(tmp_path, 1_000, 8_000)
    held = 7_000_000 * (8 + 8 + 8) / 2**20  # a series, a time and a value of each row: 160 MiB
    assert large < 300 and large - small < 0.9 * held, f"{small} and {large} MiB; 7 million rows are {held:.0f}"
