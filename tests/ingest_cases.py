"""What tests of an ingested dataset begin with: tables in files, and sizes so small that they need many buckets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsforecast.errors import TsforecastError
from tsforecast.ingesting.ingest import Sizes, ingest
from tsforecast.panel import Panel
from tsforecast.reading.readers import read_panel

SMALL = Sizes(block=20_000, head=500, bucket=8_000, stretch=300)
TINY = Sizes(block=2_500, head=30, bucket=2_000, stretch=50)
"""So small that a hundred rows are many blocks, buckets and stretches."""


def shuffled() -> pd.DataFrame:
    """Twelve series of 60 hours, their rows in no order."""
    rng = np.random.default_rng(0)
    steps = pd.date_range("2024-01-01", periods=60, freq="h")
    parts = [pd.DataFrame({"unique_id": f"s{i}", "ds": steps, "y": rng.normal(size=60)}) for i in range(12)]
    return pd.concat(parts).sample(frac=1, random_state=0)


def two_files(folder: Path) -> tuple[Path, Path]:
    """The same series with other values, as two files."""
    table = shuffled()
    for name, more in (("a", 0), ("b", 1)):
        table.assign(y=table["y"] + more).to_csv(folder / f"{name}.csv", index=False)
    return folder / "a.csv", folder / "b.csv"


def long_table(
    n_series: int = 7, steps: int = 40, freq: str = "h", seed: int = 0, shuffled: bool = True
) -> pd.DataFrame:
    """Series of different lengths in any order, each value different."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(n_series):
        n = steps + 3 * i
        ds = pd.date_range("2023-12-28", periods=n, freq=freq)
        parts.append(pd.DataFrame({"unique_id": f"s{i}", "ds": ds, "y": rng.lognormal(0, 5, n)}))
    table = pd.concat(parts, ignore_index=True)
    table["x"], table["promo"] = rng.normal(size=len(table)), rng.integers(0, 2, len(table))
    return table.sample(frac=1, random_state=seed, ignore_index=True) if shuffled else table


def write(table: pd.DataFrame, path: Path, **options: Any) -> Path:
    if path.suffix == ".parquet":
        table.to_parquet(path, **options)
    else:
        table.to_csv(path, **({"index": False} | options))
    return path


def both(files: Any, out: Path, sizes: Sizes = TINY, **options: Any) -> tuple[Panel | str, Panel | str]:
    """What reading whole and ingesting answer: a panel, or the words of the refusal."""
    answers: list[Panel | str] = []
    for read in (
        lambda: read_panel(files, **options),
        lambda: ingest(files, out, overwrite=True, sizes=sizes, **options),
    ):
        try:
            answers.append(read())
        except TsforecastError as fault:
            answers.append(str(fault))
    return answers[0], answers[1]


def assert_same(files: Any, out: Path, sizes: Sizes = TINY, **options: Any) -> Panel:
    whole, pieces = both(files, out, sizes, **options)
    assert isinstance(whole, Panel) and isinstance(pieces, Panel), (whole, pieces)
    assert pieces.fingerprint() == whole.fingerprint()
    assert pieces.notes == whole.notes
    for name in ("starts", "ends", "values", "times", "hist", "futr"):
        assert getattr(pieces, name).tobytes() == getattr(whole, name).tobytes(), name
        assert getattr(pieces, name).dtype == getattr(whole, name).dtype, name
    return pieces
