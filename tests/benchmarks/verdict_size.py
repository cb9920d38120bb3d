"""How often does the verdict say "better" where nothing is better, and how often where something is?

Run: python tests/benchmarks/verdict_size.py [--draws 1000] [--lstm 100]

Every draw is one series with the folds of a backtest (fitted once, horizon 4); the comparisons are made on its first
20, 40 and 80 origins, which lie a horizon apart or closer. The series:

    walk         random walk: ridge (and with --lstm a small LSTM) against naive, which no forecast can beat
    oracle       AR(1) with coefficient 0.8: ridge against the true conditional mean, which no forecast can beat
    equal        AR(1) whose coefficient makes naive and the mean of the process equally good over the horizon: neither
                 is better, and their differences go together from one origin to the next
    power        AR(1): the conditional mean against naive, whose true effect is known in closed form, for several
                 coefficients; beside it what `plan` promises before it is known

"better" at 5 % is two-sided, so at most half of 5 % is expected of a model that is just as good; less of a worse one.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from tsforecast import LSTM, Naive, Ridge, Training
from tsforecast.contract import Forecast, Forecaster
from tsforecast.folds import Plan, make_folds
from tsforecast.frequency import Frequency
from tsforecast.judging.compare import compare
from tsforecast.judging.foresight import foreseeable_percent
from tsforecast.panel import Panel, View
from tsforecast.planning.ahead import AS_MUCH_AS_RIDGE

HORIZON, TRAINING, ORIGINS, STEPS = 4, 200, (20, 40, 80), (4, 2, 1)
LEVELS = (0.5,)


@dataclass(frozen=True)
class Decay:
    """The last value times phi^h: the conditional mean of an AR(1) process around 0; with phi = 0 its mean."""

    phi: float
    name = "decay"

    def fit(self, past: Panel, horizon: int) -> Decay:
        return self

    def predict(self, views: list[View]) -> list[Forecast]:
        return [self._forecast(*view) for view in views]

    def _forecast(self, past: Panel, future: object) -> Forecast:
        times = future.times  # type: ignore[attr-defined]
        point = past.values[past.ends - 1, None] * self.phi ** np.arange(1, times.shape[1] + 1)
        return Forecast(past.ids, times, past.freq, point, LEVELS, point[:, :, None])


def series(phi: float, steps: int, rng: np.random.Generator) -> np.ndarray:
    """An AR(1) path that starts in its stationary distribution; phi = 1: a random walk."""
    shocks = rng.normal(size=steps)
    if phi == 1:
        return shocks.cumsum()
    shocks[0] /= np.sqrt(1 - phi**2)
    for t in range(1, steps):
        shocks[t] += phi * shocks[t - 1]
    return shocks


def effect(phi: float, forecast_phi: float) -> float:
    """By how many percent the mean absolute error of phi^h times the last value is below that of the last value."""
    h = np.arange(1, HORIZON + 1)
    naive = np.sqrt(2 * (1 - phi**h)).sum()
    other = np.sqrt(1 + forecast_phi ** (2 * h) - 2 * (phi * forecast_phi) ** h).sum()
    return float(100 * (1 - other / naive))


EQUAL = brentq(lambda phi: effect(phi, 0.0), 0.1, 0.99)


def losses(values: np.ndarray, step: int, models: dict[str, Forecaster]) -> dict[str, np.ndarray]:
    """The mean absolute error of each model at 80 origins, forecast as the backtest does: fitted at the first."""
    n, none = len(values), np.empty((len(values), 0))
    panel = Panel(("s",), np.array([0]), np.array([n]), values, np.arange(n), Frequency("integer"), 1, none, none)
    folds = make_folds(panel, Plan(horizon=HORIZON, n_windows=ORIGINS[-1], step_size=step))
    views, truth = [fold.view for fold in folds], np.concatenate([fold.truth()[0] for fold in folds])
    found = {}
    for name, recipe in models.items():
        answers = recipe.fit(folds[0].training, HORIZON).predict(views)
        found[name] = np.abs(np.concatenate([a.point for a in answers]) - truth).mean(axis=1)
    return found


def paths(draws: int, phi: float, step: int, seed: int) -> Iterator[np.ndarray]:
    """Series long enough for 80 origins after 200 steps to learn from."""
    for draw in range(draws):
        yield series(phi, TRAINING + (ORIGINS[-1] - 1) * step + HORIZON, np.random.default_rng([seed, step, draw]))


def size(draws: int, phi: float, models: dict[str, Forecaster], seed: int) -> None:
    """Shares of "better" and "worse" of the first model against the second, at each number of origins."""
    model, benchmark = models
    for step in STEPS:
        words = defaultdict(list)
        for values in paths(draws, phi, step, seed):
            found = losses(values, step, models)
            for n in ORIGINS:
                one, two = found[model][:n], found[benchmark][:n]
                c = compare(one, two, model=model, benchmark=benchmark, horizon=HORIZON, step_size=step)
                words[n].append((c.word, c.dm_p_value < 0.05 and c.effect_percent > 0))
        for n in ORIGINS:
            better, worse = (np.mean([w == word for w, _ in words[n]]) for word in ("better", "worse"))
            alone = np.mean([dm for _, dm in words[n]])
            error = 2 * np.sqrt(max(better * (1 - better), 0.0) / draws)
            print(f"{step:5} {n:8} {better:9.1%} ± {error:.1%} {worse:9.1%} {alone:22.1%}", flush=True)


def power(draws: int, seed: int) -> None:
    """How often the conditional mean is called better than naive, and what was promised."""
    for phi in (0.98, 0.95, 0.9, 0.8, 0.7, 0.5, 0.2):
        models: dict[str, Forecaster] = {"mean": Decay(phi), "ridge": FREE, "naive": NAIVE}
        words, promises = defaultdict(list), defaultdict(list)
        for values in paths(draws, phi, HORIZON, seed):
            found = losses(values, HORIZON, models)
            for n in ORIGINS:
                one, two = found["mean"][:n], found["naive"][:n]
                c = compare(one, two, model="mean", benchmark="naive", horizon=HORIZON, step_size=HORIZON)
                words[n].append(c.word)
                gains = AS_MUCH_AS_RIDGE * (two - found["ridge"][:n]) / two.mean() * 100
                promises[n].append((foreseeable_percent(two, gains, overlap=1), c.detectable_percent))
        for n in ORIGINS:
            better = np.mean([w == "better" for w in words[n]])
            plan, own = np.nanmedian(promises[n], axis=0)
            print(f"{phi:5} {n:8} {effect(phi, phi):8.1f} % {better:9.1%} {own:20.1f} % {plan:22.1f} %", flush=True)


NAIVE, RIDGE = Naive(quantiles=LEVELS), Ridge(quantiles=LEVELS)
FREE = Ridge(quantiles=LEVELS, penalties=(1.0,))  # what `plan` runs in place of a network
SMALL = LSTM(hidden_size=8, num_layers=1, input_size=16, quantiles=LEVELS, training=Training(max_steps=60))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--lstm", type=int, default=0, help="draws for a small LSTM on random walks")
    parser.add_argument("--power", type=int, default=300, help="draws for each point of the power curve")
    given = parser.parse_args()
    begun = time.perf_counter()
    tests: list[tuple[str, float, dict[str, Forecaster], int]] = [
        ("walk: ridge against naive", 1.0, {"ridge": RIDGE, "naive": NAIVE}, given.draws),
        (
            "oracle: ridge against the conditional mean, AR(1) 0.8",
            0.8,
            {"ridge": RIDGE, "mean": Decay(0.8)},
            given.draws,
        ),
        (f"equal: the mean against naive, AR(1) {EQUAL:.3f}", EQUAL, {"mean": Decay(0.0), "naive": NAIVE}, given.draws),
        ("walk: a small LSTM against naive", 1.0, {"lstm": SMALL, "naive": NAIVE}, given.lstm),
    ]
    for seed, (name, phi, models, draws) in enumerate(tests):
        if draws:
            print(f"\n{name}: {draws} series, horizon {HORIZON}")
            print(" step  origins     better (± 2 s.e.)   worse   better by DM-HLN alone")
            size(draws, phi, models, seed)
    if given.power:
        print(f"\npower: the conditional mean of an AR(1) against naive, {given.power} series, origins {HORIZON} apart")
        print("  phi  origins  true gain   better   found with 80 % (own)   promised by plan")
        power(given.power, seed=9)
    print(f"\n{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
