"""Are intervals as wide as they say? The share of what was observed inside each of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tsforecast.judging.cubes import cubes
from tsforecast.results import BacktestResult, quantile_columns

__all__ = ["calibration"]


def calibration(result: BacktestResult) -> pd.DataFrame:
    """`model, nominal, observed`: the share of observed values inside each central interval, ends included.

    As in the scores (`coverage_80`) the mean over series and origins, of those of which every model has a forecast.
    """
    levels = list(quantile_columns(result.table("forecasts")))
    mirrored = {round(q, 6): k for k, q in enumerate(levels)}
    pairs = [(k, mirrored[round(1 - q, 6)]) for k, q in enumerate(levels) if q < 0.5 and round(1 - q, 6) in mirrored]
    if not pairs:
        return pd.DataFrame({"model": [], "nominal": [], "observed": []})
    shares, counts = np.zeros((2, len(result.models), len(pairs)))
    for cube in cubes(result):
        for m in range(len(result.models)):
            for rows in cube.blocks():
                y, quantiles = cube.y[rows], cube.quantiles(m, rows)
                there = np.isfinite(y) & np.isfinite(cube.point[m, rows]) & cube.common[rows, None]
                for p, (a, b) in enumerate(pairs):
                    low, high = quantiles[..., a], quantiles[..., b]
                    own = there & ~np.isnan(low) & ~np.isnan(high)  # models may answer different levels
                    known = own.sum(axis=1)
                    inside = (own & (low <= y) & (y <= high)).sum(axis=1)
                    shares[m, p] += (inside[known > 0] / known[known > 0]).sum()
                    counts[m, p] += np.count_nonzero(known)
    nominal = [round(levels[b] - levels[a], 6) for a, b in pairs]
    table = pd.DataFrame(
        {
            "model": np.repeat(np.array(result.models, dtype=object), len(pairs)),
            "nominal": np.tile(nominal, len(result.models)),
            "observed": np.divide(shares, counts, out=np.full(shares.shape, np.nan), where=counts > 0).ravel(),
        }
    )
    shown = table[table.groupby("model")["observed"].transform("count") > 0]
    return shown.sort_values(["model", "nominal"], ignore_index=True)
