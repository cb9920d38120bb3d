"""Accuracy on the M4 competition, scored by its rules, beside the official table and what came after it.

    python tests/benchmarks/m4.py --set Hourly --models naive2,ridge,lstm --seeds 0,1,2
    python tests/benchmarks/m4.py --set Hourly --models lstm --with lstm.hidden_size=64 --validate

Each model is trained once on the training part of all series and forecasts each from its end. sMAPE (0 to 200) and
MASE are means over series; OWA is the mean of their ratios to those of our Naive2, which makes the official forecasts;
MSIS and ACD are those of the 95 % interval. --validate keeps back the last horizon of the training part and scores
that: choices are made there, the test span is scored once for each run that is reported.

Makridakis, Spiliotis & Assimakopoulos (2020), The M4 Competition, International Journal of Forecasting 36(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from entries import Floats, Row, entries, for_each, need, new_parser, print_table, published_rows, rows_of, run, timed

from tsforecast.contract import Forecast, Forecaster
from tsforecast.ensemble import mean_forecast
from tsforecast.judging import metrics
from tsforecast.models.naive2 import Naive2
from tsforecast.panel import Panel, View
from tsforecast.reading.readers import read_panel

COLUMNS = ("sMAPE", "MASE", "OWA", "MSIS 95", "ACD 95")
OFFICIAL = {
    "Naive": "Naive",
    "Naive2": "Naive2", "sNaive": "sNaive", "Theta": "Theta", "RNN": "RNN benchmark", "237": "3rd (237)",
    "245": "2nd, FFORMA (245)", "118": "1st, ES-RNN (118)", "238": "238",
}  # fmt: skip
"""Rows of the official table that are printed, under the names they are known by."""
LATER = {
    "Hourly": {
        "TiRex, pretrained": "7.85 0.722 0.364",
        "N-BEATS, one network": "12.0 1.34 0.606",
        "ES-RNN in PyTorch": "- - 0.615",
        "PatchTST": "14.3 1.40 0.681",
        "DeepAR (LSTM)": "16.4 3.53 1.183",
    },
    "Yearly": {
        "N-BEATS, 180 networks": "12.913 - 0.758",
        "xLSTM-Mixer": "13.31 2.984 0.783",
        "ES-RNN in PyTorch": "- - 0.785",
        "DeepAR (LSTM)": "14.2 3.40",
    },
}
"""sMAPE, MASE, OWA on the same test spans (GIFT-Eval's result files, the N-BEATS paper, the esrnn_torch repository)."""


class Rules(NamedTuple):
    """How the competition scores a frequency: steps to forecast, and the period of MASE and Naive2."""

    horizon: int
    period: int


SETS = {"Hourly": Rules(48, 24), "Yearly": Rules(6, 1)}


class Task(NamedTuple):
    """What models see, what is scored `[N, H]`, and the scale of MASE `[N]`, which is of the past alone."""

    past: Panel
    truth: Floats
    scale: Floats


def task(data: Path, name: str, validate: bool) -> Task:
    """A frequency of the competition, or its last horizon before the test span."""
    rules = SETS[name]
    past = read_panel(need(data / "m4" / f"{name}-train.csv"), layout="rows", season_length=rules.period)
    if validate:
        return held_back(past, rules)
    test = read_panel(need(data / "m4" / f"{name}-test.csv"), layout="rows")
    assert test.ids == past.ids and (test.lengths == rules.horizon).all(), "the two files are not of one set"
    return Task(past, test.values.reshape(-1, rules.horizon), past.mean_change(rules.period))


def held_back(past: Panel, rules: Rules) -> Task:
    """The last horizon of every series as what is to be forecast."""
    truth = past.values[past.ends[:, None] - rules.horizon + np.arange(rules.horizon)]
    past = past.cut(past.ends - rules.horizon)
    return Task(past, truth, past.mean_change(rules.period))


def forecasts(recipes: Sequence[Forecaster], this: Task, jobs: int = 1) -> list[Forecast]:
    """Of each recipe: fitted on all series, forecast from the end of each."""
    horizon = this.truth.shape[1]
    view = View(this.past, this.past.future(horizon))
    answers = for_each(recipes, lambda recipe: recipe.fit(this.past, horizon).predict([view])[0], jobs)
    return [mean_forecast(members) for members in answers]


def scores(this: Task, point: Floats, interval: tuple[Floats, Floats] | None = None) -> tuple[float, ...]:
    """COLUMNS of a forecast `[N, H]`, NaN where any series has none; series without a scale (no MASE) are left out.

    interval   low and high `[N, H]` of the central 95 %; without it MSIS and ACD are NaN
    """
    known = this.scale > 0
    y, scale, point = this.truth[known], this.scale[known], point[known]
    naive2 = forecasts([Naive2(quantiles=(0.5,))], this)[0].point[known]
    smapes, mases = metrics.smape(y, point), metrics.mase(y, point, scale)
    owa = metrics.owa(smapes, mases, metrics.smape(y, naive2), metrics.mase(y, naive2, scale))
    msis = acd = np.nan
    if interval is not None:
        low, high = (bound[known] for bound in interval)
        msis = metrics.scaled(metrics.winkler(y, low, high, 95), scale).mean()
        acd = abs(metrics.coverage(y, low, high).mean() - 0.95)
    return float(smapes.mean()), float(mases.mean()), owa, float(msis), float(acd)


def judged(name: str, recipes: list[Forecaster], this: Task, jobs: int = 1) -> list[Row]:
    """The lines of one model."""
    answers, seconds = timed(forecasts, recipes, this, jobs)
    # the mean of several networks' forecasts is the mean of their quantiles too
    found = [(a.point, *np.moveaxis(metrics.at_levels(a.quantiles, a.levels, (0.025, 0.975)), 2, 0)) for a in answers]
    each = [scores(this, point, (low, high)) for point, low, high in found]
    point, low, high = np.mean(found, axis=0)
    failed = max(len(answer.failures) for answer in answers)
    remark = f"no forecast for {failed} series" if failed else ""
    return rows_of(name, recipes, each, scores(this, point, (low, high)), seconds, remark)


def published(data: Path, name: str) -> list[Row]:
    """The official rows, and later ones that are in no official table."""
    points = pd.read_csv(need(data / "m4" / "official_point_scores.csv"), dtype={"method": str}, index_col="method")
    intervals = pd.read_csv(
        need(data / "m4" / "official_interval_scores.csv"), dtype={"method": str}, index_col="method"
    )
    wanted = [f"{score}_{name}" for score in ("sMAPE", "MASE", "OWA", "MSIS", "ACD")]
    table = points.join(intervals).reindex(columns=wanted)
    official = [Row(label, tuple(table.loc[[method]].to_numpy(np.float64)[0])) for method, label in OFFICIAL.items()]
    return official + published_rows(LATER[name], len(COLUMNS))


def main(arguments: list[str] | None = None) -> None:
    parser = new_parser(__doc__, "naive,naive2,ridge")
    parser.add_argument("--set", choices=SETS, default="Hourly", dest="name")
    options = parser.parse_args(arguments)
    models = entries(options)
    this = task(options.data, options.name, options.validate)
    rows = [row for name, recipes in models.items() for row in judged(name, recipes, this, options.jobs)]
    span = "last horizon of the training part" if options.validate else "test span"
    title = f"M4 {options.name}, {span}: {len(this.past)} series, horizon {this.truth.shape[1]}"
    if unscaled := int((~(this.scale > 0)).sum()):
        title += f" ({unscaled} of them left out: their past never changes, so MASE is undefined)"
    print_table(title, COLUMNS, rows, [] if options.validate else published(options.data, options.name), digits=4)


if __name__ == "__main__":
    run(main)
