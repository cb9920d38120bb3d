"""Panels and recipes that several test files share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tsforecast.contract import Forecaster
from tsforecast.folds import Fold, Plan, make_folds
from tsforecast.frequency import DAY, Frequency
from tsforecast.models.arima import ARIMA, AutoARIMA
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.models.naive2 import Naive2
from tsforecast.models.recurrent import GRU, LSTM, RNN
from tsforecast.models.training import Training
from tsforecast.panel import Panel

DAILY = Frequency("fixed", DAY)
INTEGER = Frequency("integer")
HORIZON = 5


def panel(
    *series: Any,
    season_length: int = 1,
    freq: Frequency = INTEGER,
    begins: Sequence[int] | None = None,
    hist: Any = None,
    futr: Any = None,
) -> Panel:
    """Series `s0, s1, ...` end to end; series i begins at grid point `begins[i]` (0). A covariate is a flat column."""
    lengths = np.array([len(s) for s in series], dtype=np.int64)
    ends = np.cumsum(lengths)
    values = np.concatenate([np.asarray(s, dtype=np.float64) for s in series])
    steps = np.concatenate([np.arange(n) + b for n, b in zip(lengths, begins or [0] * len(series), strict=True)])
    columns = [
        np.empty((len(values), 0)) if x is None else np.asarray(x, dtype=np.float64)[:, None] for x in (hist, futr)
    ]
    names = [() if x is None else (name,) for x, name in ((hist, "humidity"), (futr, "price"))]
    ids = tuple(f"s{i}" for i in range(len(series)))
    return Panel(ids, ends - lengths, ends, values, freq.times(steps), freq, season_length, *columns, *names)


def clock(*spans: tuple[int, int], season_length: int = 1, freq: Frequency = INTEGER) -> Panel:
    """Series i covers the grid points `spans[i]`, half-open, and every value is the number of its own step."""
    begins = [a for a, _ in spans]
    return panel(*(np.arange(a, b) for a, b in spans), season_length=season_length, freq=freq, begins=begins)


def sensors(n_steps: Sequence[int] = (120, 90, 104), covariates: bool = False, seed: int = 0) -> Panel:
    """Daily positive series with a weekly cycle that end on the same day; on request with every kind of covariate."""
    rng = np.random.default_rng(seed)
    longest, total = max(n_steps), sum(n_steps)
    week = np.sin(2 * np.pi * np.arange(longest) / 7)
    series = [20 + 5 * i + 3 * week[longest - n :] + rng.normal(size=n) for i, n in enumerate(n_steps)]
    extra = {"hist": rng.normal(size=total), "futr": rng.normal(size=total)} if covariates else {}
    found = panel(*series, season_length=7, freq=DAILY, begins=[longest - n for n in n_steps], **extra)
    return found.with_calendar(["weekday"]) if covariates else found


def folds(panel: Panel, **plan: Any) -> list[Fold]:
    """The folds of a plan."""
    return make_folds(panel, Plan(**plan).settle(panel))


def poisoned(panel: Panel, ends: np.ndarray, poison: Callable[[np.ndarray], np.ndarray]) -> Panel:
    """The panel with `poison` of whatever lies at or after the flat positions `ends` `[N]`: targets and past-only
    covariates. It goes past every check of the data."""
    after = panel.inside & ~replace(panel, ends=np.minimum(ends, panel.ends)).inside
    values, hist = panel.values.copy(), panel.hist.copy()
    values[after], hist[after] = poison(values[after]), poison(hist[after])
    return replace(panel, values=values, hist=hist)


def check_blind(
    forecast: Callable[[Panel, np.ndarray], np.ndarray], whole: Panel, ends: np.ndarray, poison: float
) -> None:
    """What is forecast of a panel cut at `ends` has the same bits whatever came there; the control: not where the last
    step before it was another."""
    plain = forecast(whole, ends)
    after = poisoned(whole, ends, lambda values: np.full_like(values, poison))
    np.testing.assert_array_equal(forecast(after, ends), plain)
    before = poisoned(whole, ends - 1, lambda values: values + 1.0)
    assert (forecast(before, ends) != plain).any()


TINY = Training(max_steps=3, batch_size=16, device="cpu")
SMALL: dict[str, Any] = {"input_size": 14, "hidden_size": 16, "num_layers": 1, "n_seeds": 1, "training": TINY}
FREE = {**SMALL, "linear": False}  # of a solution that so little training would not leave
LED = {**SMALL, "training": replace(TINY, val_share=0.0)}  # from a solution, which no held-out part keeps it at
ONCE = {**LED, "linear": False}  # nothing held out: another cell is all that differs from what is trained twice
FEW = {"max_p": 1, "max_q": 1, "max_P": 1, "max_Q": 0}

RECIPES: dict[str, Callable[[int], Forecaster]] = {
    "naive": lambda seed: Naive(),
    "seasonal_naive": lambda seed: SeasonalNaive(),
    "drift": lambda seed: Drift(),
    "naive2": lambda seed: Naive2(),
    "ridge": lambda seed: Ridge(input_size=14),
    "ridge_covariates": lambda seed: Ridge(input_size=14),
    "arima": lambda seed: ARIMA(order=(1, 0, 1), seasonal_order=(0, 1, 0)),
    "autoarima": lambda seed: AutoARIMA(**FEW),
    "autoarima_covariates": lambda seed: AutoARIMA(**FEW),
    "rnn": lambda seed: RNN(seed=seed, **ONCE),
    "lstm": lambda seed: LSTM(seed=seed, **FREE),
    "gru": lambda seed: GRU(seed=seed, **ONCE),
    "lstm_two_seeds": lambda seed: LSTM(**{**FREE, "n_seeds": 2, "seed": 10 * seed}),
    "lstm_attention": lambda seed: LSTM(seed=seed, attention=True, **LED),
    "lstm_segments": lambda seed: LSTM(seed=seed, patch_size=7, **LED),
    "lstm_covariates": lambda seed: LSTM(seed=seed, patch_size=7, **LED),
}
"""Every model, tiny, by a name and from a seed."""
NETS = tuple(name for name in RECIPES if "lstm" in name or name in ("rnn", "gru"))


def panel_for(name: str) -> Panel:
    """A panel with the covariates that a recipe's name asks for."""
    return sensors(covariates="covariates" in name)
