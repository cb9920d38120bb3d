"""Small frames, and the words with which one is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tsforecast.errors import DataError
from tsforecast.reading.frames import read_frame


def days(*values: float, start: str = "2024-02-01", **columns: list[object]) -> pd.DataFrame:
    frame = pd.DataFrame({"ds": pd.date_range(start, periods=len(values), freq="D"), "y": list(values)})
    return frame.assign(**columns)


def two_series(n: int = 40) -> pd.DataFrame:
    ds = pd.date_range("2024-02-01", periods=n, freq="D")
    return pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": ds, "y": np.arange(n) + 100.0 * i}) for i, name in enumerate("AB")],
        ignore_index=True,
    )


def refusal(frame: pd.DataFrame | pd.Series, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read_frame(frame, **options)
    return str(caught.value)
