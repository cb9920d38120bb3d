"""One fitted model is asked for its folds; whatever it does costs nothing but its own numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tsforecast.contract import Failure, Fitted, Forecast, Forecaster
from tsforecast.errors import TsforecastError
from tsforecast.folds import Fold
from tsforecast.running.chunks import chunk

__all__ = ["Said", "answer", "end_to_end", "is_local", "nothing_said"]


@dataclass(frozen=True, eq=False)
class Said:
    """What a model said of some series at the folds of one fit.

    forecasts  one per fold: all series scored there, in their order, at the scored steps; what is missing is NaN and
               among the failures
    curves     losses while it was trained, where it is a network
    """

    forecasts: tuple[Forecast, ...]
    fit_seconds: float
    predict_seconds: float
    curves: pd.DataFrame | None = None

    @property
    def levels(self) -> tuple[float, ...]:
        """Every quantile level in it."""
        return tuple(sorted({q for forecast in self.forecasts for q in forecast.levels}))

    @property
    def failed(self) -> int:
        """Forecasts that are missing."""
        return sum(len(forecast.failures) for forecast in self.forecasts)

    def forecast(self, place: int, fold: Fold) -> Forecast:
        """That of the fold at this place of the group."""
        return self.forecasts[place]


class Unfit(Exception):
    """An answer that is no forecast of what was asked for."""


def is_local(recipe: Forecaster) -> bool:
    """Whether a model forecasts each series from that series alone, as it says of itself: `local = True`.

    Such a model is run on some series at a time. Of any other it must be assumed that it learns from all of them.
    """
    return bool(getattr(recipe, "local", False))


def answer(recipe: Forecaster, group: Sequence[Fold]) -> Said:
    """Fit at the first fold, forecast all of them.

    An exception, an answer of a wrong kind or shape, and numbers that are not finite become failures: of the series
    concerned where the model is local (it is asked for ever fewer of them), else of all series of the fold.
    Raises DataError and ConfigError: those are the user's to mend.
    """
    several = is_local(recipe) and len(group[0].panel) > 1
    try:
        return _asked(recipe, group, strict=several)
    except TsforecastError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        if not several:
            return nothing_said(group, _levels(recipe), _words(error))
    n = len(group[0].panel)
    return _joined([answer(recipe, chunk(group, *half)) for half in ((0, n // 2), (n // 2, n))])


def nothing_said(group: Sequence[Fold], levels: tuple[float, ...], reason: str) -> Said:
    """No forecast of any series."""
    return Said(tuple(_failed(fold, reason, levels) for fold in group), 0.0, 0.0)


def _asked(recipe: Forecaster, group: Sequence[Fold], strict: bool) -> Said:
    """The model's answers, checked. `strict`: one of a wrong kind is raised, not turned into failures."""
    levels, begun = _levels(recipe), time.perf_counter()
    training = group[0].training
    # a series that is too short when the model is fitted is not known to it: it waits for the next fit
    asked = [fold.only(set(training.ids)) for fold in group]
    there = [fold for fold in asked if len(fold.rows)]
    if not there:
        return Said(tuple(_checked(*two, None, levels, strict) for two in zip(group, asked, strict=True)), 0.0, 0.0)
    fitted: Fitted = recipe.fit(training, group[0].plan.reach)
    between = time.perf_counter()
    forecasts = fitted.predict([fold.view for fold in there])
    assert len(forecasts) == len(there), f"{len(forecasts)} forecasts for {len(there)} views"
    curves = getattr(fitted, "curves", None)
    given = iter(forecasts)
    answers = [next(given) if len(fold.rows) else None for fold in asked]
    checked = [_checked(*three, levels, strict) for three in zip(group, asked, answers, strict=True)]
    return Said(tuple(checked), between - begun, time.perf_counter() - between, curves)


def _checked(fold: Fold, asked: Fold, answer: Any, levels: tuple[float, ...], strict: bool) -> Forecast:
    """The scored steps of an answer for all series of the fold; what is missing or not finite is a failure."""
    if not len(asked.rows):
        return _failed(fold, UNKNOWN, levels)
    reach, wrong = fold.plan.reach, ""
    if not isinstance(answer, Forecast):
        wrong = f"the model answered with {type(answer).__name__}, not with a Forecast"
    elif (steps := answer.point.shape[1]) != reach:
        wrong = f"the model answered {steps} steps, but was asked for {reach}"
    if wrong and strict:
        raise Unfit(wrong)
    if wrong:
        return _failed(fold, wrong, levels)
    answer = answer.tail(fold.plan.horizon or reach)
    ids, row = fold.ids, {key: i for i, key in enumerate(answer.ids)}
    finite = np.isfinite(answer.point).all(axis=1) & np.isfinite(answer.quantiles).all(axis=(1, 2))
    reasons = {key: "the model answered with numbers that are not finite" for key, i in row.items() if not finite[i]}
    reasons |= {key: "the model left it out of its answer" for key in asked.ids if key not in row}
    reasons |= dict.fromkeys(set(ids) - set(asked.ids), UNKNOWN)
    reasons |= dict(answer.failures)
    whole = _failed(fold, "", answer.levels)
    good = [i for i, key in enumerate(ids) if key not in reasons]
    rows = [row[ids[i]] for i in good]
    whole.point[good], whole.quantiles[good] = answer.point[rows], answer.quantiles[rows]
    members = None
    if answer.members is not None:
        members = np.full((len(answer.members), *whole.point.shape), np.nan)
        members[:, good] = answer.members[:, rows]
    failures = tuple(Failure(key, reasons[key]) for key in ids if key in reasons)
    return replace(whole, failures=failures, notes=answer.notes, members=members)


UNKNOWN = "starts after the last fit; use refit to include it"


def _failed(fold: Fold, reason: str, levels: tuple[float, ...]) -> Forecast:
    """No forecast of any series of the fold."""
    n, h, past = len(fold.rows), fold.plan.horizon or fold.plan.reach, fold.past
    times = past.freq.after(past.last_times, fold.plan.reach)[:, -h:]
    point, quantiles = np.full((n, h), np.nan), np.full((n, h, len(levels)), np.nan)
    return Forecast(fold.ids, times, past.freq, point, levels, quantiles, tuple(Failure(k, reason) for k in fold.ids))


def _joined(parts: Sequence[Said]) -> Said:
    """What was said of some series and of the series after them."""
    forecasts = tuple(end_to_end(pieces) for pieces in zip(*(p.forecasts for p in parts), strict=True))
    curves = [part.curves for part in parts if part.curves is not None]
    return Said(
        forecasts,
        sum(part.fit_seconds for part in parts),
        sum(part.predict_seconds for part in parts),
        pd.concat(curves, ignore_index=True) if curves else None,
    )


def end_to_end(pieces: Sequence[Forecast]) -> Forecast:
    """Forecasts of some series, of the series after them, and so on, as one."""
    if len(pieces) == 1:
        return pieces[0]
    levels = tuple(sorted({q for piece in pieces for q in piece.levels}))
    many = max((len(piece.members) for piece in pieces if piece.members is not None), default=0)
    none = [np.full((many, *piece.point.shape), np.nan) for piece in pieces]
    members = [other if piece.members is None else piece.members for piece, other in zip(pieces, none, strict=True)]
    return Forecast(
        tuple(key for piece in pieces for key in piece.ids),
        np.concatenate([piece.times for piece in pieces]),
        pieces[0].freq,
        np.concatenate([piece.point for piece in pieces]),
        levels,
        np.concatenate([piece.at(levels) for piece in pieces]),
        tuple(failure for piece in pieces for failure in piece.failures),
        tuple(dict.fromkeys(note for piece in pieces for note in piece.notes)),  # those of all series are the same
        np.concatenate(members, axis=1) if many else None,
    )


def _levels(recipe: Forecaster) -> tuple[float, ...]:
    return tuple(getattr(recipe, "quantiles", ()))


def _words(error: BaseException) -> str:
    words = f"{(str(error) or 'no message').splitlines()[0]}"
    return words if isinstance(error, Unfit) else f"{type(error).__name__}: {words}"
