"""Made-up prices and sensors that behave like real ones, for examples and tests: same seed, same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.signal import lfilter

from tsforecast.errors import ConfigError

__all__ = ["synthetic_prices", "synthetic_sensors", "trading_days"]

Floats = npt.NDArray[np.float64]


def synthetic_prices(
    n_series: int = 5,
    n_steps: int = 1_000,
    seed: int = 0,
    *,
    start: str = "2015-01-02",
    correlation: float = 0.4,
    volatility: float = 0.25,
    drift: float = 0.05,
) -> pd.DataFrame:
    """Daily closing prices on trading days, as a long frame `unique_id, ds, y`.

    correlation  between the returns of two series
    volatility   standard deviation of a year's log return; calm and wild weeks alternate around it
    drift        mean log return of a year: the only part that could be forecast, and it is small

    Log prices are random walks. The log of their volatility is an autoregression with a part common to all series
    (a stochastic volatility model: S. Taylor, Modelling Financial Time Series, 1986), shocks are Student's t with 5
    degrees of freedom. The best forecast of a price is the last one, times the drift.
    """
    _check(n_series, n_steps)
    if not 0 <= correlation < 1:
        raise ConfigError(f"correlation={correlation}: must be at least 0 and below 1")
    rng = np.random.default_rng(seed)
    days = trading_days(start, n_steps)
    shared = np.sqrt(correlation)
    own = np.sqrt(1 - correlation)
    shocks = (shared * rng.standard_t(5, (1, n_steps)) + own * rng.standard_t(5, (n_series, n_steps))) / np.sqrt(
        5 / 3
    )  # the variance of t(5) is 5/3
    mood = 0.35 * _autoregression(rng, 1, n_steps, 0.98) + 0.25 * _autoregression(rng, n_series, n_steps, 0.95)
    spread = volatility / np.sqrt(252) * np.exp(mood - mood.var())  # exp(-var) keeps the mean square at volatility**2
    returns = (drift - volatility**2 / 2) / 252 + spread * shocks
    first = np.exp(rng.normal(4, 0.7, (n_series, 1)))
    prices = first * np.exp(np.cumsum(returns, axis=1))
    return _long(days, np.round(prices, 4))


def synthetic_sensors(
    n_series: int = 5,
    n_steps: int = 24 * 7 * 8,
    seed: int = 0,
    *,
    start: str = "2024-01-01",
    noise: float = 0.15,
    trend: float = 0.1,
    gaps: float = 0.0,
    level_shifts: int = 0,
) -> pd.DataFrame:
    """Hourly readings with a daily and a weekly cycle, as a long frame `unique_id, ds, y`.

    noise         standard deviation of the disturbance, as a share of the daily swing; it fades over hours
    trend         change of the level over the whole span, as a share of the daily swing, up or down
    gaps          share of the hours that are left out, in runs of up to a day
    level_shifts  sudden changes of the level in each series, each about as large as the daily swing

    Each sensor has its own level, swing, hour of the peak (13 to 17), second peak and quieter weekend.
    """
    _check(n_series, n_steps)
    if not 0 <= gaps < 0.5:
        raise ConfigError(f"gaps={gaps}: the share of hours left out must be at least 0 and below 0.5")
    rng = np.random.default_rng(seed)
    hours = np.datetime64(start, "h") + np.arange(n_steps)
    clock = (hours - hours.astype("datetime64[D]")).astype(np.int64)
    weekend = ~np.is_busday(hours.astype("datetime64[D]"))
    swing = np.exp(rng.normal(2, 0.5, (n_series, 1)))
    level = swing * rng.uniform(3, 8, (n_series, 1))
    peak = rng.uniform(13, 17, (n_series, 1))
    angle = 2 * np.pi * (clock - peak) / 24
    shape = 0.5 * np.cos(angle) + rng.uniform(0.05, 0.25, (n_series, 1)) * np.cos(2 * angle + 1)
    quiet = np.where(weekend, rng.uniform(0.3, 0.8, (n_series, 1)), 1.0)
    slope = trend * rng.choice([-1, 1], (n_series, 1)) * np.linspace(0, 1, n_steps)
    disturbance = noise * _autoregression(rng, n_series, n_steps, 0.8)
    jumps = np.zeros((n_series, n_steps))
    at = rng.integers(n_steps // 10, max(n_steps - n_steps // 10, 1), (n_series, level_shifts))
    np.add.at(jumps, (np.arange(n_series)[:, None], at), rng.normal(0, 1, (n_series, level_shifts)))
    values = level + swing * (shape * quiet + slope + disturbance + np.cumsum(jumps, axis=1))
    return _long(hours, np.round(values, 3), _without_gaps(rng, n_series, n_steps, gaps))


def trading_days(start: str, n_steps: int) -> npt.NDArray[np.datetime64]:
    """Weekdays from `start` on, without New Year, Memorial, Independence, Labor, Thanksgiving and Christmas Day."""
    first = np.datetime64(start, "D")
    years = first.astype("datetime64[Y]") + np.arange(n_steps // 240 + 2)
    january = years.astype("datetime64[M]")
    fixed = np.concatenate(
        [
            years.astype("datetime64[D]"),
            (january + 6).astype("datetime64[D]") + 3,
            (january + 11).astype("datetime64[D]") + 24,
        ]
    )
    weekday = (
        fixed.astype(np.int64) + 3
    ) % 7  # Monday is 0; a holiday on a Saturday is kept on Friday, Sunday on Monday
    fixed = fixed + np.select([weekday == 5, weekday == 6], [-1, 1], 0)
    memorial = np.busday_offset(january + 5, -1, roll="forward", weekmask="Mon")
    labor = np.busday_offset(january + 8, 0, roll="forward", weekmask="Mon")
    thanksgiving = np.busday_offset(january + 10, 3, roll="forward", weekmask="Thu")
    holidays = np.concatenate([fixed, memorial, labor, thanksgiving])
    return np.busday_offset(first, np.arange(n_steps), roll="forward", holidays=holidays)


def _autoregression(rng: np.random.Generator, n_series: int, n_steps: int, memory: float) -> Floats:
    """`[n_series, n_steps]` of a stationary AR(1) with variance 1."""
    shocks = rng.standard_normal((n_series, n_steps)) * np.sqrt(1 - memory**2)
    shocks[:, 0] /= np.sqrt(1 - memory**2)  # begins in its stationary distribution
    return np.asarray(lfilter([1.0], [1.0, -memory], shocks, axis=1))


def _without_gaps(rng: np.random.Generator, n_series: int, n_steps: int, share: float) -> npt.NDArray[np.bool_]:
    """Which hours are there: runs of 1 to 24 hours are left out, never the first or the last hour."""
    kept = np.ones((n_series, n_steps + 24), dtype=bool)
    runs = rng.poisson(share * n_steps / 12.5)
    for series in range(n_series if runs else 0):
        begin = rng.integers(1, max(n_steps - 1, 2), runs)[:, None] + np.arange(24)
        inside = np.arange(24) < rng.integers(1, 25, runs)[:, None]
        kept[series, begin[inside]] = False
    kept = kept[:, :n_steps]
    kept[:, [0, -1]] = True
    return kept


def _long(times: npt.NDArray[Any], values: Floats, kept: npt.NDArray[np.bool_] | None = None) -> pd.DataFrame:
    n_series, n_steps = values.shape
    width = len(str(n_series))
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"S{i + 1:0{width}d}" for i in range(n_series)], n_steps),
            "ds": np.tile(times.astype("datetime64[us]"), n_series),
            "y": values.ravel(),
        }
    )
    return frame if kept is None or kept.all() else frame[kept.ravel()].reset_index(drop=True)


def _check(n_series: int, n_steps: int) -> None:
    if n_series < 1 or n_steps < 2:
        raise ConfigError(f"n_series={n_series}, n_steps={n_steps}: give at least one series of at least two steps")
