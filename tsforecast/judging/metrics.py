"""How far forecasts are from what happened: pure functions of arrays.

One alphabet for all: `y` `[..., H]` is the truth, `forecast` `[..., H]` a point forecast, `quantiles` `[..., H, Q]` go
with `levels` (Q probabilities), `low` and `high` `[..., H]` bound an interval. The last axis of `y` is the steps and is
scored away: a score is `[...]`, so one series in, one number out. To pool series into one ratio of sums, flatten first:
`wape(y.ravel(), forecast.ravel())`.

Three rules hold everywhere.
  - A step whose `y` is NaN was not observed and is left out.
  - A NaN forecast of an observed step makes the score NaN: no model may skip what it finds hard.
  - What is undefined (nothing observed, a zero denominator) is NaN, and `why_undefined` says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "at_levels",
    "bias",
    "coverage",
    "crps",
    "directional_accuracy",
    "mae",
    "mase",
    "mse",
    "owa",
    "quantile_loss",
    "rmse",
    "rmsse",
    "scaled",
    "smape",
    "wape",
    "why_undefined",
    "width",
    "winkler",
    "wql",
]

Floats = npt.NDArray[np.float64]


def mae(y: Floats, forecast: Floats) -> Floats:
    """Mean absolute error, in the units of the target."""
    return _mean(np.abs(y - forecast), y)


def mse(y: Floats, forecast: Floats) -> Floats:
    """Mean squared error, in squared units of the target."""
    return _mean((y - forecast) ** 2, y)


def rmse(y: Floats, forecast: Floats) -> Floats:
    """Root of the mean squared error, in the units of the target."""
    return np.asarray(np.sqrt(mse(y, forecast)))[()]


def bias(y: Floats, forecast: Floats) -> Floats:
    """Mean of forecast - y, in the units of the target: positive where the forecast is too high."""
    return _mean(forecast - y, y)


def smape(y: Floats, forecast: Floats) -> Floats:
    """Symmetric percentage error of the M4 competition, 0 to 200: the mean of 200 |y - f| / (|y| + |f|).

    A step where truth and forecast are both zero is a perfect one and counts 0.
    """
    size = np.abs(y) + np.abs(forecast)
    return _mean(np.where(size == 0, 0.0, 200 * np.abs(y - forecast) / _nonzero(size)), y)


def wape(y: Floats, forecast: Floats) -> Floats:
    """Weighted absolute percentage error as a fraction (also called ND): sum |y - f| / sum |y|."""
    return _sum(np.abs(y - forecast), y) / _nonzero(_sum(np.abs(y), y))


def mase(y: Floats, forecast: Floats, scale: Floats) -> Floats:
    """Mean absolute scaled error: the MAE over the mean |x_t - x_{t-m}| of the past (Hyndman & Koehler 2006).

    scale   `[...]`, of the past alone: `Panel.mean_change(m)`
    """
    return scaled(mae(y, forecast), scale)


def rmsse(y: Floats, forecast: Floats, scale: Floats) -> Floats:
    """Root mean squared scaled error (M5): the root of the MSE over the mean (x_t - x_{t-m})^2 of the past.

    scale   `[...]`, a mean square, of the past alone: `Panel.mean_change(m, power=2)`
    """
    return np.asarray(np.sqrt(scaled(mse(y, forecast), scale)))[()]


def scaled(loss: Floats, scale: Floats) -> Floats:
    """A loss over a scale of the past, so that series can be averaged; NaN where the scale is zero or unknown.

    With the scale of MASE, `winkler` becomes the MSIS of the M4 competition and `crps` the scaled quantile loss.
    """
    return np.asarray(loss / _nonzero(scale))[()]


def quantile_loss(y: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Pinball loss per level `[..., Q]`: the mean over steps of max(q (y - f), (q - 1) (y - f)), in target units."""
    return _mean(_pinball(y, quantiles, levels), y[..., None, :])


def wql(y: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Weighted quantile loss, a fraction: the mean over levels of 2 sum pinball / sum |y|; at 0.5 alone it is the WAPE.

    With the levels 0.1, 0.2 ... 0.9 and all series flattened into one it is the "CRPS" of many published tables.
    """
    totals = 2 * _sum(_pinball(y, quantiles, levels), y[..., None, :]).mean(axis=-1)
    return np.asarray(totals / _nonzero(_sum(np.abs(y), y)))[()]


def crps(y: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Continuous ranked probability score by quantiles: the mean over levels of twice the pinball loss, target units.

    An approximation over the given levels, which says nothing about what lies beyond the outermost. The levels should
    be evenly spaced (`at_levels` picks such), and only scores over the same levels can be compared.
    """
    return np.asarray(2 * quantile_loss(y, quantiles, levels).mean(axis=-1))[()]


def coverage(y: Floats, low: Floats, high: Floats) -> Floats:
    """Share of observed steps inside the closed interval [low, high], 0 to 1."""
    inside = ((low <= y) & (y <= high)).astype(np.float64)
    return _mean(np.where(np.isnan(low) | np.isnan(high), np.nan, inside), y)


def width(y: Floats, low: Floats, high: Floats) -> Floats:
    """Mean width of the interval over the observed steps, in the units of the target."""
    return _mean(high - low, y)


def winkler(y: Floats, low: Floats, high: Floats, level: float) -> Floats:
    """Interval score, in target units: the width, plus 2 / alpha times the distance by which y falls outside.

    level   the interval's nominal coverage in percent, such as 80; alpha = 1 - level / 100

    Winkler (1972); Gneiting & Raftery (2007), equation 43.
    """
    assert 0 < level < 100, "level is a percentage"
    outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return _mean(high - low + 2 / (1 - level / 100) * outside, y)


def owa(smapes: Floats, mases: Floats, smapes_naive2: Floats, mases_naive2: Floats) -> float:
    """Overall weighted average of M4: the mean of two ratios, sMAPE and MASE, each of averages over the series.

    All four are per-series scores `[N]`. The Naive2 forecast has 1 by definition; below 1 is better.
    """
    ratios = [
        np.mean(ours) / _nonzero(np.mean(theirs)) for ours, theirs in ((smapes, smapes_naive2), (mases, mases_naive2))
    ]
    return float(np.mean(ratios))


def directional_accuracy(y: Floats, forecast: Floats, last: Floats) -> Floats:
    """Share of steps whose direction was called, 0 to 1: is y above or below the last value before the cutoff?

    last    `[...]`, the last value known at the cutoff, in the units of the target

    A step at which y equals `last` has no direction and does not count. A forecast that equals `last` calls none and
    earns a half, as a coin would, so that the naive forecast scores 0.5 and not 0.
    """
    assert np.ndim(last) < np.ndim(y), "last has one value per series, no axis of steps"
    moved = np.sign(y - last[..., None])
    right = (1 + moved * np.sign(forecast - last[..., None])) / 2
    moves = np.abs(moved)
    return np.asarray(_sum(right * moves, y) / _nonzero(_sum(moves, y)))[()]


def at_levels(quantiles: Floats, levels: Sequence[float], wanted: Sequence[float]) -> Floats:
    """The quantiles `[..., H, len(wanted)]` of the wanted levels, all of which must be among `levels`."""
    return quantiles[..., [list(levels).index(q) for q in wanted]]


def why_undefined(
    metric: str, y: Floats, forecast: Floats, *, scale: float = np.nan, lag: int = 1, last: float = np.nan
) -> str | None:
    """Why one series' score is NaN, to end a sentence "MASE of series X is undefined: ..."; None where it is defined.

    metric      the function's name
    y, forecast the arrays `[H]` it was given, `[H, Q]` for quantiles; of an interval, either bound
    scale, lag  for mase, rmsse and whatever else was scaled: the scale and the lag m it was measured at
    last        for directional_accuracy
    """
    seen = ~np.isnan(y)
    if not seen.any():
        return "no step of the horizon was observed"
    if np.isnan(missing := forecast[seen]).any():
        steps = np.isnan(missing).reshape(len(missing), -1).any(axis=1)
        return f"the model gave no forecast for {int(steps.sum())} of {len(missing)} observed steps"
    if metric in ("wape", "wql"):
        return "all values to forecast are zero" if not y[seen].any() else None
    if metric in ("mase", "rmsse", "scaled"):
        if np.isnan(scale):
            return f"the past has no two observed values {lag} steps apart"
        return f"the past never changes at lag {lag}" if scale == 0 else None
    if metric == "directional_accuracy":
        if np.isnan(last):
            return "no value was observed before the cutoff"
        return "no value differs from the last one before the cutoff" if (y[seen] == last).all() else None
    return None


def _pinball(y: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """`[..., Q, H]`: the steps last, as in everything else that is averaged."""
    error = y[..., None, :] - np.swapaxes(quantiles, -1, -2)
    q = np.asarray(levels, dtype=np.float64)[:, None]
    return np.maximum(q * error, (q - 1) * error)


def _sum(loss: Floats, y: Floats) -> Floats:
    """Sum over the observed steps; NaN where there is none."""
    seen = ~np.isnan(y)
    return np.where(seen.any(axis=-1), np.where(seen, loss, 0.0).sum(axis=-1), np.nan)[()]


def _mean(loss: Floats, y: Floats) -> Floats:
    return np.asarray(_sum(loss, y) / _nonzero(np.sum(~np.isnan(y), axis=-1)))[()]


def _nonzero(denominator: Any) -> Floats:
    """A denominator that makes the quotient NaN where it is zero, without a warning."""
    return np.where(denominator == 0, np.nan, denominator)
