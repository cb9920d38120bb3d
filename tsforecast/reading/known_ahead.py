"""Covariates known ahead, for the steps after the end of a panel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tsforecast.errors import ConfigError, DataError
from tsforecast.panel import Panel
from tsforecast.reading.readers import read_panel

__all__ = ["read_known"]

SPELLED = ("id", "time", "date_format", "na_values", "decimal", "sep", "encoding")
"""The options of reading that hold for these data too."""


def read_known(data: Any, panel: Panel, horizon: int, **reading: Any) -> npt.NDArray[np.float64]:
    """The panel's own covariates known ahead at the `horizon` steps after each series, `[N, H, K]`; NaN where the data
    have no value.

    data     a long frame or file with the columns of the panel's data but for the target; other rows are passed over
    reading  the options with which the panel was read; those of how a cell is spelled hold here as well

    Raises ConfigError where the panel has no such covariates, DataError where the data cannot be read.
    """
    names = panel.futr_names[: panel.n_own_futr]
    if not names:
        raise ConfigError("future: the data have no covariates known ahead; name those that you have with futr_exog")
    spelled = {name: reading[name] for name in SPELLED if name in reading}
    found = read_panel(
        data,
        layout="long",
        target=names[0],
        futr_exog=names[1:],
        freq=panel.freq.name,
        season_length=1,
        missing="nan",
        **spelled,
    )
    if found.freq.tz != panel.freq.tz:
        zones = [f"{zone}" if zone else "none" for zone in (found.freq.tz, panel.freq.tz)]
        raise DataError(f"future: its times have the zone {zones[0]}, those of the data {zones[1]}; give both in one")
    known = _rows(found, panel, names)
    if panel.freq.kind == "bars":  # whatever stamps they have, they are those that come next
        last = pd.Series(panel.last_times)
        known = known[known["time"] > known["series"].map(last)]
        known = known.assign(step=known.groupby("series").cumcount())
        steps = pd.DataFrame({"step": np.tile(np.arange(horizon), len(panel))})
    else:
        steps = pd.DataFrame({"time": panel.freq.after(panel.last_times, horizon).ravel()})
    steps["series"] = np.repeat(np.arange(len(panel)), horizon)
    table = steps.merge(known, how="left", on=list(steps.columns))
    return table[list(names)].to_numpy(dtype=np.float64).reshape(len(panel), horizon, len(names))


def _rows(found: Panel, panel: Panel, names: tuple[str, ...]) -> pd.DataFrame:
    """`series, time` and the covariates, of the series that are in the panel too, by their number there."""
    numbers = {key: i for i, key in enumerate(panel.ids)}
    if len(panel) == 1 and len(found) == 1:  # named after different columns
        numbers |= {found.ids[0]: 0}
    series = np.asarray([numbers.get(key, -1) for key in found.ids])
    inside = found.inside
    table = pd.DataFrame(
        np.column_stack([found.values[inside], found.futr[inside]]),
        columns=list(names),
    )
    table["time"], table["series"] = found.times[inside], np.repeat(series, found.lengths)
    return table[table["series"] >= 0]
