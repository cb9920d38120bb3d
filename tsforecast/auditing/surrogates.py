"""Copies of a panel that look like it and hold nothing to find, or one thing that everybody must find.

A copy has the same ids, spans, times, missing values and covariates; only the target is made anew, out of the panel's
own one-step changes. What a comparison says of such copies shows what its words are worth.

Changes are those of the logarithm where a series is positive, varies by a factor of two or more and would stay within
reach as a walk (so prices stay positive); else, and under a planted wave, those of the values. A series that was never
negative is never negative in a copy: where a walk falls below the smallest value observed, all of it is lifted. A
constant series stays constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from tsforecast.panel import Panel

__all__ = ["SURROGATES", "block_shuffled", "phase_randomised", "planted", "planted_period", "random_walk"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WIDE = 2.0  # largest over smallest value, from which changes are shares rather than amounts
FAR = 3.0  # how far a walk of logarithms may be expected to get: a factor of 20; beyond it lies nonsense
STRONG = 4.0  # the planted wave's amplitude, in units of what the walk moves over a horizon


def random_walk(panel: Panel, rng: np.random.Generator) -> Panel:
    """A random walk of the same volatility: the panel's changes one by one in random order, with random signs.

    Every series keeps its first value and exactly the sizes of its changes, fat tails included. All series are dealt
    the changes of the same moment with the same sign, so what moves together goes on doing so; a series that was not
    there at that moment gets one of its own left over. No forecast beats the last value, in absolute error.
    """
    tracks = _tracks(panel)
    return _rebuilt(panel, tracks, _dealt(panel, tracks, 1, rng))


def block_shuffled(panel: Panel, rng: np.random.Generator, block: int | None = None) -> Panel:
    """As `random_walk`, with the changes shuffled in blocks: calm and wild stretches stay, of up to `block` steps.

    block   steps; None takes the cube root of their number, the usual order for blocks (Künsch 1989, Annals of
            Statistics 17)

    Signs are random and common to all series at a time. Without them a block would keep the direction of its changes,
    and trends, reversals and seasons inside it could rightly be forecast; with them every change is as likely up as
    down whatever came before (a martingale), and only its size can be guessed.
    """
    assert block is None or block >= 1
    tracks = _tracks(panel)
    return _rebuilt(panel, tracks, _dealt(panel, tracks, block, rng))


def phase_randomised(panel: Panel, rng: np.random.Generator) -> Panel:
    """The same power at every frequency, in random phases (Theiler et al. 1992, Physica D 58).

    Seasons and linear autocorrelation stay, so a linear model may rightly win here; whatever else there was is gone,
    and the distribution becomes that of a normal process. Series over the same span are turned by the same phases,
    which keeps their cross-correlations at all lags (Prichard & Theiler 1994, Physical Review Letters 73).

    It is done to the changes, and so to the values after the line from the first to the last of them is taken off: a
    transform takes a series for a cycle, and a jump from its end to its beginning would count as slow swings that are
    not there. The line stays.
    """
    tracks, turns, changes = _tracks(panel, straight=True), dict[tuple[Any, int], npt.NDArray[np.complex128]](), []
    for track in tracks:
        n = len(track.changes)
        span = (panel.times[track.first], n)
        if span not in turns:
            turn = np.exp(2j * np.pi * rng.random(n // 2 + 1))
            turn[0] = 1  # the mean has no phase: the line from first to last value
            if n % 2 == 0:
                turn[-1] = rng.choice([-1, 1])  # the fastest wave of an even number of steps can only change its sign
            turns[span] = turn
        changes.append(np.fft.irfft(np.fft.rfft(track.changes) * turns[span], n) if n else track.changes)
    return _rebuilt(panel, tracks, changes)


def planted(panel: Panel, rng: np.random.Generator, horizon: int = 1, apart: int | None = None) -> Panel:
    """A random walk of the same volatility and, on top, a wave that every model that learns must find.

    horizon   steps that will be forecast: the wave's amplitude is four times what the walk moves in so many steps
    apart     steps between forecasts that share no step; None takes the horizon

    The wave repeats after `planted_period` steps. It is one sine in the units of the target, prices included, so that
    a linear model of few lags can have it.
    """
    assert horizon >= 1
    tracks, phase = _tracks(panel, logs=False), 2 * np.pi * rng.random()
    period = planted_period(panel.season_length, apart or horizon)
    changes = []
    for walk in _dealt(panel, tracks, 1, rng):
        volatility = np.sqrt(np.mean(walk**2)) if len(walk) else 0.0
        wave = np.sin(2 * np.pi * np.arange(len(walk) + 1) / period + phase)
        changes.append(walk + STRONG * np.sqrt(horizon) * volatility * np.diff(wave))
    return _rebuilt(panel, tracks, changes)


def planted_period(season_length: int, apart: int) -> int:
    """Steps after which the planted wave repeats: an odd number, at least 5.

    It is no part of the season, so that a seasonal naive forecast has not got it. And forecasts `apart` steps from one
    another see different parts of the wave: the errors of a naive forecast go up and down with every half wave, and
    where they are alike from origin to origin, many origins are worth few.
    """
    return next(p for p in count(5, 2) if season_length % p and np.cos(4 * np.pi * apart / p) < 0.5)


SURROGATES: Mapping[str, Callable[[Panel, np.random.Generator], Panel]] = MappingProxyType(
    {"random walk": random_walk, "block-shuffled changes": block_shuffled, "phase-randomised": phase_randomised}
)
"""What each kind of copy is called: kind -> maker."""


@dataclass(frozen=True, eq=False)
class _Track:
    """One series from its first observed value to its last.

    first     flat row of the first; `changes` `[n]` lead to the rows after it
    start     the first value, or its logarithm where `log`
    lowest    the smallest value observed, in the units of the target
    """

    first: int
    start: float
    changes: Floats
    log: bool
    lowest: float

    @property
    def rows(self) -> slice:
        """The flat rows that the changes lead to."""
        return slice(self.first + 1, self.first + 1 + len(self.changes))


def _tracks(panel: Panel, straight: bool = False, logs: bool = True) -> list[_Track]:
    """The series that have a value, as changes; with `logs` those of the logarithm where that makes sense.

    A move over a gap of g steps becomes g changes: of move / g where a `straight` line is to be kept, else of
    move / sqrt(g), the steps of a random walk that would have got as far.
    """
    tracks = []
    for i in range(len(panel)):
        y = panel.series(i)
        seen = np.flatnonzero(np.isfinite(y))
        if len(seen):
            steps, x = np.diff(seen), y[seen]
            log = logs and _is_relative(x)
            x = np.log(x) if log else x
            moves = np.diff(x) / (steps if straight else np.sqrt(steps))
            first = int(panel.starts[i] + seen[0])
            tracks.append(_Track(first, float(x[0]), np.repeat(moves, steps), log, float(y[seen].min())))
    return tracks


def _is_relative(observed: Floats) -> bool:
    """Whether a series is walked in logarithms: a price. A reading that swings by much and comes back, as traffic by
    day and night, is not: a walk of such changes would leave every scale."""
    low, high = float(observed.min()), float(observed.max())
    return low > 0 and high >= WIDE * low and float(np.sum(np.diff(np.log(observed)) ** 2)) <= FAR**2


def _dealt(panel: Panel, tracks: Sequence[_Track], block: int | None, rng: np.random.Generator) -> list[Floats]:
    """The changes of each track in another order, with random signs; order and signs belong to times, not to series."""
    own_times = [panel.times[track.rows] for track in tracks]
    grid = np.unique(np.concatenate(own_times)) if tracks else panel.times[:0]
    size = block or max(round(len(grid) ** (1 / 3)), 2)
    blocks = rng.permutation(-(-len(grid) // size))
    source = (blocks[:, None] * size + np.arange(size)).ravel()
    source = source[source < len(grid)]  # `[T]`: at time t there will be what was at time source[t]
    place = np.argsort(source)
    signs = rng.choice([-1.0, 1.0], len(grid))
    return [
        _taken(track.changes, np.searchsorted(grid, times), source, place, signs)
        for track, times in zip(tracks, own_times, strict=True)
    ]


def _taken(changes: Floats, own: Ints, source: Ints, place: Ints, signs: Floats) -> Floats:
    """One track's changes dealt anew, each of them once; `own` are the times it has, as numbers of the grid."""
    if not len(own):
        return changes
    wanted = source[own]
    found = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
    there: npt.NDArray[np.bool_] = np.asarray(own[found] == wanted)
    left = np.ones(len(own), dtype=bool)
    left[found[there]] = False
    spare = np.flatnonzero(left)
    # what was dealt to a time that the series does not have, in the order it was dealt: blocks stay whole
    found[~there] = spare[np.argsort(place[own[spare]])]
    return np.asarray(changes[found] * signs[own])


def _rebuilt(panel: Panel, tracks: Sequence[_Track], changes: Sequence[Floats]) -> Panel:
    """The panel with other changes; what was not observed is not observed."""
    values = np.full(len(panel.values), np.nan)
    for track, moves in zip(tracks, changes, strict=True):
        path = track.start + np.concatenate([[0.0], np.cumsum(moves)])
        rows = slice(track.first, track.rows.stop)
        if track.log:
            path = np.exp(path)
        elif track.lowest >= 0:
            path += max(track.lowest - float(path[np.isfinite(panel.values[rows])].min()), 0.0)
        values[rows] = path
    values[~np.isfinite(panel.values)] = np.nan
    return replace(panel, values=values)
