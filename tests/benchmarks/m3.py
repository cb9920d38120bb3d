"""Accuracy on the M3 competition, sMAPE by group and overall, beside published rows.

    python tests/benchmarks/m3.py --models naive2,ridge,lstm --seeds 0,1,2
    python tests/benchmarks/m3.py --models lstm --groups Monthly --validate

A model is trained once per group, on the training parts of its series. sMAPE (0 to 200) is the mean over series; "All"
is the mean over every forecast made, so a group counts with its series times its horizon. --validate keeps back the
last horizon of the training parts and scores that.

Makridakis & Hibon (2000), The M3-Competition, International Journal of Forecasting 16(4).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from entries import Floats, Row, entries, need, new_parser, print_table, published_rows, rows_of, run, timed
from m4 import Rules, Task, forecasts, held_back

from tsforecast.errors import ConfigError, did_you_mean
from tsforecast.forecast import Forecaster
from tsforecast.judging import metrics
from tsforecast.reading.readers import read_panel

GROUPS = {"Yearly": Rules(6, 1), "Quarterly": Rules(8, 4), "Monthly": Rules(18, 12), "Other": Rules(8, 1)}
PUBLISHED = {
    "Naive2": "17.88 9.95 16.91 6.30 15.47",
    "ARIMA, Box-Jenkins": "17.73 10.26 14.81 5.06 14.01",
    "Theta": "16.90 8.96 13.85 4.41 13.01",
    "DOTM": "15.94 9.28 13.74 4.58 12.90",
    "EXP": "16.39 8.98 13.43 5.46 12.71",
    "N-BEATS, ensemble": "15.93 8.84 13.11 4.24 12.37",
    "DeepAR (LSTM)": "17.24 9.93 15.74 5.57",
}
"""sMAPE by group and overall: the N-BEATS paper, table 14; DeepAR from the Monash archive, table 7."""


def tasks(data: Path, groups: list[str], validate: bool) -> dict[str, Task]:
    """The groups of the competition, or their last horizons before the test span."""
    files = [need(data / "m3" / f"m3-{part}.csv") for part in ("train", "test", "info")]
    past, test = (read_panel(file, layout="rows") for file in files[:2])
    kind = pd.read_csv(files[2], index_col="id")["period"].str.capitalize().reindex(list(past.ids))
    found = {}
    for group in groups:
        rules, rows = GROUPS[group], np.flatnonzero(kind == group)
        own = replace(past.take(rows), season_length=rules.period)
        truth = test.take(rows)
        assert truth.ids == own.ids and (truth.lengths == rules.horizon).all(), "the two files are not of one set"
        steps = truth.values[truth.starts[:, None] + np.arange(rules.horizon)]
        found[group] = held_back(own, rules) if validate else Task(own, steps, own.mean_change(rules.period))
    return found


def overall(smapes: Floats, made: list[int]) -> Floats:
    """The mean over all forecasts `[...]` from the means of the groups `[..., G]`, of which each made so many."""
    return np.asarray(np.average(smapes, axis=-1, weights=made))


def judged(name: str, recipes: list[Forecaster], groups: dict[str, Task], jobs: int = 1) -> list[Row]:
    """The lines of one model."""
    smapes, seconds, failed = np.full((len(recipes) + 1, len(groups)), np.nan), 0.0, 0
    for column, task in enumerate(groups.values()):
        answers, clock = timed(forecasts, recipes, task, jobs)
        points = np.stack([answer.point for answer in answers])
        smapes[:, column] = metrics.smape(task.truth, np.concatenate([points, points.mean(0, keepdims=True)])).mean(1)
        seconds, failed = seconds + clock, failed + max(len(answer.failures) for answer in answers)
    whole = np.column_stack([smapes, overall(smapes, [task.truth.size for task in groups.values()])])
    *each, together = [tuple(row) for row in whole.tolist()]
    return rows_of(name, recipes, each, together, seconds, f"no forecast for {failed} series" if failed else "")


def main(arguments: list[str] | None = None) -> None:
    parser = new_parser(__doc__, "naive,seasonal_naive,naive2,ridge")
    parser.add_argument("--groups", default=",".join(GROUPS), help="comma-separated (default: all)")
    options = parser.parse_args(arguments)
    names = [name.strip().capitalize() for name in options.groups.split(",")]
    for name in names:
        if name not in GROUPS:
            raise ConfigError(f"--groups: M3 has no group '{name}'{did_you_mean(name, GROUPS)}")
    models = entries(options)
    groups = tasks(options.data, names, options.validate)
    rows = [row for name, recipes in models.items() for row in judged(name, recipes, groups, options.jobs)]
    all_of_it = not options.validate and names == list(GROUPS)
    span = "last horizon of the training parts" if options.validate else "test span"
    n = sum(len(task.past) for task in groups.values())
    published = published_rows(PUBLISHED, len(GROUPS) + 1) if all_of_it else []
    print_table(f"M3, sMAPE, {span}: {n} series", [*groups, "All"], rows, published, digits=2)


if __name__ == "__main__":
    run(main)
