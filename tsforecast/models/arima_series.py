"""One series: which steps are used, scaling, covariates, missing values, the fit and the forecast."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr

from tsforecast.models.arima_fit import Estimate, conditional, exact, first_guess, shocks, stacked
from tsforecast.models.arima_likelihood import Order, Polynomials, difference, polynomials, profile, whitened
from tsforecast.models.arima_order import Bounds, differences, is_stable, search

__all__ = ["SeriesModel", "Unusable", "fit_series"]

Floats = npt.NDArray[np.float64]
_TRIED = 3  # orders estimated exactly, until one keeps its roots off the unit circle
_MOST_MISSING = 100  # a missing value is a regressor: more of them cost more than the older steps are worth


class Unusable(Exception):
    """Why a series has no model or no forecast; becomes a Failure."""


@dataclass(frozen=True, eq=False)
class SeriesModel:
    """An order with its coefficients, and how the series was brought to unit size.

    kept    positions of the covariates in use; `width` their scales
    beta    coefficients of the constant, if any, and of the covariates in use
    sigma2  innovation variance, in squared units of `scale`
    notes   the order, and whatever was not plain sailing
    """

    polynomials: Polynomials
    order: Order
    beta: Floats
    sigma2: float
    centre: float
    scale: float
    kept: npt.NDArray[np.int64]
    width: Floats
    max_length: int
    notes: tuple[str, ...]

    def forecast(self, y: Floats, x: Floats, ahead: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation `[H]` of the steps after y `[T]`, given covariates `[T, K]` and `[H, K]`.

        Raises Unusable where the history is too short or unobserved.
        """
        x, ahead = x[:, self.kept] / self.width, ahead[:, self.kept] / self.width
        y, x, after = _recent(y, x, self.max_length)
        needed = self.order.lost + max(self.order.reach, 1)
        if len(y) < needed:
            raise Unusable(f"too short: {self.order} forecasts from {needed} steps, has {len(y)}")
        horizon = len(after) + len(ahead)  # steps after the last observation are forecast too, then left out
        x = np.concatenate([x, after, ahead])
        y = np.concatenate([(y - self.centre) / self.scale, np.full(horizon, np.nan)])
        columns, missing = stacked(y, x, self.order.constant, self.order.lost)
        # the regression is the fit's, only the missing values and the steps to come are estimated
        regression = columns[:, 1 + missing :] @ self.beta
        columns[:, 0] = np.where(np.isnan(y), 0.0, y - regression)
        white, _ = whitened(self.polynomials, difference(columns[:, : 1 + missing], self.order))
        white = white[max(int(np.argmax(np.isnan(y))) - self.order.lost, 0) :]  # before, no unit has left its zeros
        _, heights, _ = profile(white, missing)
        r = np.linalg.qr(white[:, 1:], mode="r")
        spread = np.linalg.norm(np.linalg.inv(r), axis=1) * np.sqrt(self.sigma2)
        point = regression[np.isnan(y)] - heights  # the column has a zero where the value is: the unit takes it away
        return (point * self.scale + self.centre)[-len(ahead) :], spread[-len(ahead) :] * self.scale


def fit_series(y: Floats, x: Floats, m: int, max_length: int, choice: Order | Bounds) -> SeriesModel:
    """A model of y `[T]` with covariates `[T, K]`: of the order given, or of the best order within bounds.

    Raises Unusable with the reason where there is none.
    """
    observed = int(np.isfinite(y).sum())
    y, x, _ = _recent(y, x, max_length)
    seen = y[np.isfinite(y)]
    notes = [] if len(seen) == observed else [f"estimated from the last {len(seen)} of {observed} observed values"]
    least = 4 if isinstance(choice, Bounds) else 2
    if len(seen) < least:
        raise Unusable(f"too short: needs {least} steps with observed values, has {len(seen)}")
    if np.ptp(seen) == 0:
        return _constant(float(seen[0]), max_length, tuple(notes))

    scale = float(np.abs(np.diff(seen)).mean())
    given, width = x.shape[1], x.std(axis=0)
    kept = np.flatnonzero(width > 1e-10 * np.abs(x).max(axis=0, initial=0.0))
    x, width = x[:, kept] / width[kept], width[kept]
    if isinstance(choice, Bounds):
        full = _filled((y - np.median(seen)) / scale, m)
        slopes = np.linalg.lstsq(x - x.mean(axis=0), full - full.mean())[0]
        unseen = m - len(np.unique(np.flatnonzero(np.isfinite(y)) % m))
        if unseen and choice.D:  # the season before such a phase is never known
            choice = replace(choice, D=0)
            notes.append(f"no seasonal difference: {unseen} of {m} phases of the season were never observed")
        d, D = differences(full - x @ slopes, m, choice)
        plain = Order(0, d, 0, 0, D, 0, m)
    else:
        plain = replace(choice, p=0, q=0, P=0, Q=0)
    independent = _independent(x, plain)
    if len(independent) < len(kept):
        x, width, kept = x[:, independent], width[independent], kept[independent]
    if len(kept) < given:
        notes.append(f"{len(kept)} of {given} covariates used: the others say nothing of their own after differencing")
    centre = float(np.median(seen)) if plain.lost else 0.0
    y = (y - centre) / scale
    estimate, rung = _estimated(y, x, m, plain, choice)
    notes = [str(estimate.order), *notes, *([rung] if rung else [])]
    if not (np.isfinite(estimate.sigma2) and np.isfinite(estimate.beta).all()):
        raise Unusable(f"{estimate.order} did not converge to finite numbers")
    return SeriesModel(
        estimate.polynomials, estimate.order, estimate.beta, estimate.sigma2, centre, scale, kept, width, max_length,
        tuple(notes),
    )  # fmt: skip


def _estimated(y: Floats, x: Floats, m: int, plain: Order, choice: Order | Bounds) -> tuple[Estimate, str]:
    """Search where there is a choice, then exact likelihood with missing values left out."""
    full = _filled(y, m)
    auto, least = isinstance(choice, Bounds), plain if isinstance(choice, Bounds) else choice
    free = len(y) - plain.lost - int(np.isnan(y).sum()) - x.shape[1]  # what is left to estimate the rest from
    needed = max(least.arma + int(least.constant) + 2, least.reach)
    if free < needed:
        raise Unusable(
            f"too short: {least} with {x.shape[1]} covariates needs {len(y) - free + needed} steps, has {len(y)}"
        )
    for constant in (False, True) if auto and plain.d + plain.D < 2 else (least.constant,):
        order = replace(plain, constant=constant)
        w = difference(stacked(full, x, constant, plain.lost)[0], order)
        rest, beta, _ = profile(w, 0)
        if np.abs(rest).max() <= 1e-10 * max(np.abs(full).max(), 1.0):
            return Estimate(order, np.empty(0), beta, 0.0, np.inf, -np.inf), "deterministic: nothing is left to chance"
    if isinstance(choice, Bounds):
        candidates = [(found.order, found.free) for found in search(full, x, plain, choice)[:_TRIED]]
    else:
        w = difference(stacked(full, x, choice.constant, choice.lost)[0], choice)
        start = conditional(w, choice, first_guess(shocks(w, choice.m), choice)) if choice.arma else np.empty(0)
        candidates = [(choice, start)]
    edge: tuple[Estimate, str] | None = None
    for order, start in candidates if auto else ():
        columns, missing = stacked(y, x, order.constant, order.lost)
        try:
            found = exact(difference(columns, order), order, start, missing, patient=False)
        except np.linalg.LinAlgError:
            continue
        if is_stable(found[0]):
            return found
        edge = edge or found
    if edge is not None:
        return edge
    if not candidates:
        raise Unusable("too short: no ARIMA order could be estimated")
    order, start = candidates[0]
    columns, missing = stacked(y, x, order.constant, order.lost)
    try:
        return exact(difference(columns, order), order, start, missing)
    except np.linalg.LinAlgError as error:
        raise Unusable(f"{order} could not be estimated: {error}") from None


def _constant(value: float, max_length: int, notes: tuple[str, ...]) -> SeriesModel:
    order = Order(0, 1, 0)
    nothing = np.empty(0)
    notes = ("constant: every observed value is the same", *notes)
    return SeriesModel(
        polynomials(order, nothing), order, nothing, 0.0, value, 1.0, np.empty(0, np.int64), nothing, max_length, notes
    )


def _recent(y: Floats, x: Floats, max_length: int) -> tuple[Floats, Floats, Floats]:
    """The steps in use, from the first to the last observed one, and the covariates of the steps after the last.

    At most the last `max_length` steps, of which at most `_MOST_MISSING` are missing. A step without its covariates
    counts as missing.
    """
    y, x = y[-max_length:], x[-max_length:]
    known = np.asarray(np.isfinite(x).all(axis=1))
    seen = np.flatnonzero(np.isfinite(y) & known)
    if len(seen) == 0:
        raise Unusable(f"no observed value in the last {len(y)} steps")
    stop = int(seen[-1]) + 1
    if not known[stop:].all():
        raise Unusable("covariates are missing after the last observed value")
    gaps = np.arange(stop) - np.searchsorted(seen, np.arange(stop))  # missing values before each step
    allowed = int(gaps[-1]) - _MOST_MISSING
    start = int(seen[np.argmax(gaps[seen] >= allowed)])
    use = slice(start, stop)
    return np.where(known, y, np.nan)[use], np.where(known[:, None], x, 0.0)[use], x[stop:]


def _filled(y: Floats, m: int) -> Floats:
    """Missing values filled for the search only: the mean of their phase, and a line through what it leaves."""
    missing = np.isnan(y)
    if not missing.any():
        return y
    steps = np.arange(len(y))
    phase = steps % m
    count = np.bincount(phase[~missing], minlength=m)
    level = y[~missing].mean()
    season = np.bincount(phase[~missing], y[~missing] - level, m) / np.maximum(count, 1)
    rest = y - season[phase]
    return np.asarray(season[phase] + np.interp(steps, steps[~missing], rest[~missing]))


def _independent(x: Floats, plain: Order) -> npt.NDArray[np.int64]:
    """Covariates that still say something of their own after differencing, beside a constant."""
    if x.shape[1] == 0:
        return np.empty(0, dtype=np.int64)
    w = difference(x, plain)
    if plain.d + plain.D < 2:
        w = w - w.mean(axis=0)
    _, r, order = qr(w, mode="economic", pivoting=True)
    heights = np.abs(np.diagonal(r))
    return np.sort(order[: len(heights)][heights > 1e-8 * np.sqrt(len(x))]).astype(np.int64)
