"""Long horizons on ETTh1, ETTm1, exchange rates and ILI by the standard protocol, every window scored.

    python tests/benchmarks/longterm.py --set ETTh1 --horizon 96 --models ridge,lstm
    python tests/benchmarks/longterm.py --set ETTh1 --horizon 96,192,336,720 --models ridge,lstm --seeds 0,1,2
    python tests/benchmarks/longterm.py --set ILI --horizon 24 --models naive --drop-last 32

Every channel is a series of one panel, scaled by the mean and the standard deviation of its training rows; MSE and MAE
are in these units, the mean over all windows (one begins at every row), steps and channels. Models are fitted once, on
the training rows, and see everything before each window. They are asked for points only (quantiles: 0.5). --validate
scores the windows of the validation rows: choices are made there. --drop-last B leaves out the last windows that do
not fill a batch of B, as many loaders do; without it the published figures of the last value cannot be met.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from entries import Entries, Floats, Row, entries, for_each, need, new_parser, print_table, rows_of, run, timed
from longterm_published import MEANS, PUBLISHED

from tsforecast.contract import Fitted, Forecaster
from tsforecast.ensemble import FittedEnsemble
from tsforecast.errors import ConfigError
from tsforecast.frequency import Frequency
from tsforecast.judging import metrics
from tsforecast.panel import Panel, View

COLUMNS = ("MSE", "MAE")
VALUES = 4_000_000  # forecast at once, over windows, channels and steps


class Rules(NamedTuple):
    """A file, its cycle, and the rows where validation targets and test targets begin, and where the latter end."""

    file: str
    season: int
    valid: int
    test: int
    end: int


SETS = {
    "ETTh1": Rules("ett/ETTh1.csv", 24, 8_640, 11_520, 14_400),
    "ETTm1": Rules("ett/ETTm1.csv", 96, 34_560, 46_080, 57_600),
    "exchange": Rules("exchange_rate/exchange_rate.csv", 7, 5_311, 6_071, 7_588),
    "ILI": Rules("ili/national_illness.csv", 52, 676, 773, 966),
}


class Task(NamedTuple):
    """A panel of C channels, the rows to learn from, and the first target rows of the windows that are scored."""

    panel: Panel
    training: Panel
    origins: range
    horizon: int


def task(data: Path, name: str, horizon: int, *, validate: bool = False, drop_last: int = 1) -> Task:
    """A set of the collection at one horizon. Raises ConfigError where no window has room for it."""
    rules = SETS[name]
    values = pd.read_csv(need(data / rules.file)).iloc[: rules.end, 1:].to_numpy(np.float64)
    known = values[: rules.valid]
    panel = channels((values - known.mean(0)) / known.std(0), rules.season)
    first, end = (rules.valid, rules.test) if validate else (rules.test, rules.end)
    windows = end - first - horizon + 1
    windows -= windows % drop_last
    if windows < 1:
        raise ConfigError(f"{name}, rows {first} to {end}: no window for horizon={horizon}; take a shorter one")
    return Task(panel, panel.cut(panel.starts + rules.valid), range(first, first + windows), horizon)


def channels(values: Floats, season: int) -> Panel:
    """The columns of `[T, C]` as series, whose times are row numbers."""
    steps, n = values.shape
    starts = np.arange(n) * steps
    none = np.empty((values.size, 0))
    ids = tuple(f"channel {i}" for i in range(n))
    flat, times = values.T.ravel(), np.tile(np.arange(steps), n)
    return Panel(ids, starts, starts + steps, flat, times, Frequency("integer"), season, none, none.copy())


def pieces(this: Task) -> Iterator[tuple[list[View], Floats]]:
    """All windows, some at a time: their views, and what is to be forecast `[windows, C, H]`."""
    few = max(VALUES // (len(this.panel) * this.horizon), 1)
    targets = np.lib.stride_tricks.sliding_window_view(
        this.panel.values.reshape(len(this.panel), -1), this.horizon, axis=1
    )
    for start in range(0, len(this.origins), few):
        origins = this.origins[start : start + few]
        pasts = [this.panel.cut(this.panel.starts + origin) for origin in origins]
        views = [View(past, past.future(this.horizon)) for past in pasts]
        yield views, targets[:, origins.start : origins.stop].swapaxes(0, 1)


def scores(this: Task, models: list[Fitted]) -> list[tuple[float, ...]]:
    """COLUMNS of each fitted model and, last, of the mean of their forecasts. No more than a piece is held at once."""
    totals = np.zeros((len(models) + 1, 2))
    for views, truth in pieces(this):
        points = [np.stack([answer.point for answer in model.predict(views)]) for model in models]
        for i, point in enumerate([*points, np.mean(points, axis=0)]):
            totals[i] += metrics.mse(truth, point).sum(), metrics.mae(truth, point).sum()
    return [tuple(row) for row in (totals / (len(this.origins) * len(this.panel))).tolist()]


def fitted(recipes: list[Forecaster], this: Task, jobs: int = 1) -> list[Fitted]:
    """Each recipe, fitted on the training rows."""
    found = for_each(recipes, lambda recipe: recipe.fit(this.training, this.horizon), jobs)
    return [FittedEnsemble(this.horizon, members, pd.DataFrame()) for members in found]


def judged(name: str, recipes: list[Forecaster], this: Task, jobs: int = 1) -> list[Row]:
    """The lines of one model."""
    models, fitting = timed(fitted, recipes, this, jobs)
    (*each, together), answering = timed(scores, this, models)
    return rows_of(name, recipes, each, together, fitting + answering, f"fit {fitting:.1f} s")


def published(name: str, horizon: int | None) -> list[Row]:
    """The published rows of a set at a horizon, or their means over the four horizons (None)."""
    table = PUBLISHED[name]
    if horizon is not None:
        return [Row(label, errors) for label, errors in table.get(horizon, {}).items()]
    means = [Row(label, tuple(np.mean([row[label] for row in table.values()], axis=0))) for label in table[min(table)]]
    return means + [Row(label, errors) for label, errors in MEANS[name].items()]


def mean_rows(tables: list[list[Row]]) -> list[Row]:
    """The same lines of several tables as one, their scores averaged."""
    return [
        Row(
            lines[0].label, tuple(np.mean([line.scores for line in lines], axis=0)), sum(line.seconds for line in lines)
        )
        for lines in zip(*tables, strict=True)
    ]


def main(arguments: list[str] | None = None) -> None:
    parser = new_parser(__doc__, "naive,seasonal_naive,ridge")
    parser.add_argument("--set", choices=SETS, default="ETTh1", dest="name")
    parser.add_argument("--horizon", default="96", help="steps; several, comma-separated, are averaged too")
    parser.add_argument("--drop-last", type=int, default=1, metavar="BATCH", help="reproduce loaders that do so")
    options = parser.parse_args(arguments)
    models: Entries = entries(options, quantiles=(0.5,))
    horizons = options.horizon.split(",")
    if not all(h.strip().isdigit() and int(h) for h in horizons) or options.drop_last < 1:
        raise ConfigError(f"--horizon {options.horizon} --drop-last {options.drop_last}: give whole numbers from 1 on")
    span, tables = "validation" if options.validate else "test", []
    for horizon in map(int, horizons):
        this = task(options.data, options.name, horizon, validate=options.validate, drop_last=options.drop_last)
        tables.append([row for name, recipes in models.items() for row in judged(name, recipes, this, options.jobs)])
        title = (
            f"{options.name}, horizon {horizon}, {span} rows: {len(this.origins)} windows x {len(this.panel)} channels"
        )
        print_table(title, COLUMNS, tables[-1], [] if options.validate else published(options.name, horizon), 4)
    if len(tables) > 1:
        whole = not options.validate and {int(h) for h in horizons} == set(PUBLISHED[options.name])
        title = f"{options.name}, mean over the horizons {options.horizon}, {span} rows"
        print_table(title, COLUMNS, mean_rows(tables), published(options.name, None) if whole else [], 4)


if __name__ == "__main__":
    run(main)
