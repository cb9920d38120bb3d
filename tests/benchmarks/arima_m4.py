"""Seconds and MASE of AutoARIMA on M4 Hourly series, beside statsforecast's AutoARIMA.

    python tests/benchmarks/arima_m4.py                         the three series with figures of their own
    python tests/benchmarks/arima_m4.py --series 1,5,9 --quiet  any others, by their number
    python tests/benchmarks/arima_m4.py --every 20              every 20th of the 414

The figures of statsforecast are with season_length 24 on a comparable core: seconds and MASE of series 1, 101 and
201 were measured by running it; the mean MASE over all 414 series, 0.92, is what its authors publish in their
repository under experiments/arima (R's auto.arima: 1.02). MASE is over the 48 test steps, scaled by the seasonal
naive's error in the training part, as in the competition.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from time import perf_counter

import numpy as np

from tsforecast.frequency import Frequency
from tsforecast.models.arima import AutoARIMA
from tsforecast.panel import Panel

DATA = Path(__file__).parents[3] / "shared" / "data" / "m4"
SEASON, HORIZON = 24, 48
STATSFORECAST = {"H1": (25.0, 0.667), "H101": (46.0, 0.535), "H201": (9.0, 0.438)}  # seconds, MASE
STATSFORECAST_MEAN = 0.92


def table(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    return {row[0]: np.array([float(cell) for cell in row[1:] if cell.strip() not in ("", "NA")]) for row in rows}


def panel(name: str, values: np.ndarray) -> Panel:
    n = len(values)
    none = np.empty((n, 0))
    spans = np.array([0]), np.array([n])
    return Panel((name,), *spans, values, np.arange(n), Frequency("integer"), SEASON, none, none.copy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", default="1,101,201", help="numbers of the series, comma-separated")
    parser.add_argument("--every", type=int, help="instead: every k-th series")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of Hourly-train.csv and Hourly-test.csv")
    parser.add_argument("--quiet", action="store_true", help="only the summary")
    options = parser.parse_args()
    train, test = table(options.data / "Hourly-train.csv"), table(options.data / "Hourly-test.csv")
    names = list(train)[:: options.every] if options.every else [f"H{k}" for k in options.series.split(",")]
    seconds, scores, inside = [], [], []
    if not options.quiet:
        print(f"{'series':7} {'seconds':>7} {'MASE':>6}   {'statsforecast':>15}   order")
    for name in names:
        past = panel(name, train[name])
        clock = perf_counter()
        answer = AutoARIMA().fit(past, HORIZON).predict(past)
        seconds.append(perf_counter() - clock)
        truth, x = test[name][:HORIZON], train[name]
        scores.append(np.abs(answer.point[0] - truth).mean() / np.abs(x[SEASON:] - x[:-SEASON]).mean())
        low, high = (answer.quantiles[0, :, answer.levels.index(q)] for q in (0.025, 0.975))
        inside.append(np.mean((low <= truth) & (truth <= high)))
        other = "{:5.0f} s  {:6.3f}".format(*STATSFORECAST[name]) if name in STATSFORECAST else ""
        if not options.quiet:
            print(f"{name:7} {seconds[-1]:7.2f} {scores[-1]:6.3f}   {other:>15}   {answer.notes[0][1]}", flush=True)
    print(
        f"{len(names)} series: mean MASE {np.mean(scores):.3f}, median {np.median(scores):.3f} "
        f"(statsforecast over all 414: mean {STATSFORECAST_MEAN}); 95 % intervals hold {np.mean(inside):.1%}; "
        f"{np.mean(seconds):.2f} s a series, at most {np.max(seconds):.2f} s"
    )


if __name__ == "__main__":
    main()
