"""What tests of an ingested dataset begin with: a small file, and sizes so small that it needs many buckets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tsforecast.ingesting.ingest import Sizes

SMALL = Sizes(block=20_000, head=500, bucket=8_000, stretch=300)


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
