"""Accuracy on the M3 and M1 competitions by group and overall, beside published rows.

    python tests/benchmarks/m3.py --models naive2,ridge,lstm --seeds 0,1,2
    python tests/benchmarks/m3.py --models lstm --groups Monthly --validate
    python tests/benchmarks/m3.py --set M1 --models ridge,lstm

A model is trained once per group, on the training parts of its series. sMAPE (0 to 200) and MASE are means over series;
"All" is the mean sMAPE over every forecast made, so a group counts with its series times its horizon. --validate keeps
back the last horizon of the training parts and scores that. Nothing was ever chosen on M1.

Makridakis & Hibon (2000), The M3-Competition, International Journal of Forecasting 16(4); Makridakis et al. (1982), The
accuracy of extrapolation (time series) methods, Journal of Forecasting 1(2).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from entries import Floats, Row, entries, need, new_parser, print_table, published_rows, rows_of, run, timed
from m4 import Rules, Task, forecasts, held_back, scores

from tsforecast.contract import Forecaster
from tsforecast.errors import ConfigError, did_you_mean, listing
from tsforecast.reading.readers import read_panel

GROUPS = {"Yearly": Rules(6, 1), "Quarterly": Rules(8, 4), "Monthly": Rules(18, 12), "Other": Rules(8, 1)}
SETS = {"M3": GROUPS, "M1": {name: GROUPS[name] for name in ("Yearly", "Quarterly", "Monthly")}}
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
}
"""sMAPE by group and overall: the N-BEATS paper, table 14; DeepAR from the Monash archive, table 7. MASE by group: fev
for M3, the Monash archive for M1."""


def tasks(data: Path, groups: list[str], validate: bool, competition: str = "M3") -> dict[str, Task]:
    """Groups of a competition, or their last horizons before the test span."""
    name = competition.lower()
    files = [need(data / name / f"{name}-{part}.csv") for part in ("train", "test", "info")]
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
    """The lines of one model: sMAPE by group and overall, MASE by group."""
    found, seconds, failed = np.full((2, len(recipes) + 1, len(groups)), np.nan), 0.0, 0
    for column, task in enumerate(groups.values()):
        answers, clock = timed(forecasts, recipes, task, jobs)
        points = np.stack([answer.point for answer in answers])
        for row, point in enumerate([*points, points.mean(0)]):
            found[:, row, column] = scores(task, point)[:2]
        seconds, failed = seconds + clock, failed + max(len(answer.failures) for answer in answers)
    smapes, mases = found
    whole = np.column_stack([smapes, overall(smapes, [task.truth.size for task in groups.values()]), mases])
    *each, together = [tuple(row) for row in whole.tolist()]
    return rows_of(name, recipes, each, together, seconds, f"no forecast for {failed} series" if failed else "")


def main(arguments: list[str] | None = None) -> None:
    parser = new_parser(__doc__, "naive,seasonal_naive,naive2,ridge")
    parser.add_argument("--set", default="M3", help="M3 or M1 (default: M3)")
    parser.add_argument("--groups", default="", help="comma-separated (default: all)")
    options = parser.parse_args(arguments)
    competition = options.set.upper()
    if competition not in SETS:
        raise ConfigError(f"--set: no competition '{options.set}'; known are {listing(SETS)}")
    known = SETS[competition]
    names = [name.strip().capitalize() for name in options.groups.split(",")] if options.groups else list(known)
    for name in names:
        if name not in known:
            raise ConfigError(f"--groups: {competition} has no group '{name}'{did_you_mean(name, known)}")
    models = entries(options)
    groups = tasks(options.data, names, options.validate, competition)
    rows = [row for name, recipes in models.items() for row in judged(name, recipes, groups, options.jobs)]
    all_of_it = not options.validate and names == list(known)
    span = "last horizon of the training parts" if options.validate else "test span"
    n = sum(len(task.past) for task in groups.values())
    columns = [*groups, "All", *(f"{name[:1]} MASE" for name in groups)]
    published = published_rows(PUBLISHED[competition], len(columns)) if all_of_it else []
    print_table(f"{competition}, sMAPE and MASE, {span}: {n} series", columns, rows, published, digits=3)


if __name__ == "__main__":
    run(main)
