"""What is chosen of an encoding by measuring on the past: a smoothing, whether earlier weeks or years are seen, whether
values far out are drawn in, whether on a logarithm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from tsforecast.models.encoding import OUTSIZED, Encoding
from tsforecast.models.least_squares import held_out_error
from tsforecast.models.sampling import every_origin
from tsforecast.models.settle import has_daily_cycle, week_of_days
from tsforecast.models.smoothing import SEASONS, Smoothing
from tsforecast.models.weeks import WEEKS, Weeks
from tsforecast.models.years import YEARS, Years
from tsforecast.panel import Panel
from tsforecast.scaling import fences
from tsforecast.transforms import parse_transform
from tsforecast.windows import NOTHING, Batch, Earlier, Windows, split_by_time

__all__ = ["AUTO", "encoded", "shown", "with_smoothing"]

Shown = tuple[Windows, Encoding]

AUTO, PLAIN, BENT = "auto", "standard", "soft_log+standard"
JUDGED, VALUES = 2_000, 500_000  # windows, and values in them, at most, that are looked at to choose
EXCEPTION = 0.05  # of the values of contexts: what is far out more often is no exception
CLOSER = 0.98  # of the error of the naive forecast: a smoothing that is no closer only adds to what is random
MUCH_CLOSER = 0.95  # of the error of the map on the values as they were: less of it may be chance


def encoded(past: Panel, windows: Windows, scaling: str, season: int, *, earlier: bool) -> Shown:
    """Windows, and how they are shown, by a scaling's name and the season of the naive forecast to correct.

    scaling   "auto": standard; with values that are far out drawn in where there are few, and on a logarithm where none
              is below zero, each where a linear map has been closer with it, by 5 %, in what is held out of the past
    earlier   whether many seasons have a say: the mean of the naive forecast and of a smoothing is corrected and, where
              the season is a day and a linear map has been closer, what that missed in ten weeks is seen; of days, how
              the same days of five years went on
    """

    def bent(found: Encoding) -> Shown:
        windows_of, encoding = shown(past, windows, BENT, season, earlier=earlier, before=found.before is not None)
        return windows_of, replace(encoding, drawn_in=found.drawn_in)

    rivals: list[tuple[float, Callable[[Shown], Shown]]] = []
    before = _before(past, windows.horizon, season) if earlier else None
    if before is not None:
        rivals.append((before.closer, lambda found: _with_before(past, *found)))
    if scaling == AUTO:
        if _now_and_then(past, windows):
            rivals.append((MUCH_CLOSER, lambda found: (found[0], replace(found[1], drawn_in=True))))
        if not any(bool((piece < 0).any()) for piece in past.pieces(past.values)):
            rivals.append((MUCH_CLOSER, lambda found: bent(found[1])))
    found = shown(past, windows, scaling, season, earlier=earlier, before=False)
    error = held_out_error(past, *found) if rivals else math.inf
    for share, rival_of in rivals:
        if math.isinf(error):
            break
        rival = rival_of(found)
        its = held_out_error(past, *rival)
        if its < share * error:
            found, error = rival, its
    return found


def _now_and_then(past: Panel, windows: Windows) -> bool:
    """Whether contexts have values that are far out, and few of them: a server that is idle most of the time and busy
    one hour in ten has two levels, and the size of the one says nothing of the other."""
    context = _evenly(past, windows, windows.input_size).context
    low, high = fences(context)
    share = float(((context < low) | (context > high)).sum()) / max(int((~context.isnan()).sum()), 1)
    return 0 < share <= EXCEPTION


def _evenly(past: Panel, windows: Windows, steps: int) -> Batch:
    """Windows from all of the past, few enough to be held at once with so many steps of each."""
    split = split_by_time(past, windows.horizon, 0, min(windows.input_size, 2 * windows.horizon))
    most = min(JUDGED, VALUES // steps + 1)
    origins, floors = every_origin(split.train_low, split.train_high, split.floors, most)
    return windows.gather(origins.to(windows.values.device), floors.to(windows.values.device))


def shown(past: Panel, windows: Windows, scaling: str, season: int, *, earlier: bool, before: bool) -> Shown:
    """The same, with nothing measured but the smoothing: "auto" is standard, and weeks or years are seen where it is
    said and there are any."""
    transform = parse_transform(PLAIN if scaling == AUTO else scaling, season_length=past.season_length)
    lacking = max(season - windows.input_size, 0)
    own = replace(Encoding.of(past, transform, season, windows.values.device), preceding=lacking)
    found = replace(windows, preceding=lacking), own
    found = with_smoothing(past, *found) if earlier else found
    return _with_before(past, *found) if before else found


def _with_before(past: Panel, windows: Windows, encoding: Encoding) -> Shown:
    before = _before(past, windows.horizon, encoding.season)
    if before is None:
        return windows, encoding
    reach = before.earlier(windows.horizon)
    return replace(windows, earlier=reach), replace(encoding, before=before, earlier=reach)


def _before(past: Panel, horizon: int, season: int) -> Weeks | Years | None:
    """Earlier weeks where the season is a day; earlier years of days, of which the longest series has two, where the
    horizon is a week or more: what comes sooner a context tells."""
    longest, cycle = int(past.lengths.max()), past.season_length
    if has_daily_cycle(past):
        return Weeks(cycle, season, max(min(WEEKS, longest // (7 * cycle)), 1))
    week = week_of_days(past.freq)
    if week == 0:
        return None
    years = Years(week)
    there = longest // years.year
    return Years(week, min(YEARS, there)) if there > 1 and week <= horizon <= years.furthest else None


def with_smoothing(past: Panel, windows: Windows, encoding: Encoding) -> Shown:
    """Windows that reach far enough back for it (ten seasons; the context, where the season is a day), and an encoding
    with the smoothing that has been closest in the past. Both as they came where that is hardly closer than the naive
    forecast (as with prices), where there is no season, where the context shows ten that are no days, and where no
    window tells.

    Measured before the test spans, MASE of two networks without and with it: M3 Monthly .882 and .856, Quarterly 1.096
    and 1.090, tourism (96 quarterly series) .954 and .869, gasoline (weeks) .736 and .709, co2 .383 and .388. Without a
    season, with six horizons looked back: M3 Yearly 3.24 and 3.29, M4 Yearly 3.203 and 3.224. Where it is a day, of two
    maps: load of a transformer, 1,800 hours, .771 and .711, ETTh1 MSE .677 and .671, weather .612 and .616.
    """
    season, size = past.season_length, windows.input_size
    daily = has_daily_cycle(past)
    reach = SEASONS * season
    if season == 1 or (size >= reach and not daily):
        return windows, encoding
    before = NOTHING if daily else Earlier(reach, reach - size, 0, 1)
    wide, seeing = replace(windows, earlier=before), replace(encoding, earlier=before)
    batch = _evenly(past, wide, max(reach, size))
    if len(batch.context) == 0:
        return windows, encoding
    seen = encoding.encode(batch)
    x = seeing.history(batch, seen.scale)
    target, naive = (part.squeeze(2) for part in (seen.target(batch.target), seen.base.double()))
    sizes = (target - naive).nan_to_num(nan=0.0).abs().amax(1, keepdim=True)
    weights = OUTSIZED / sizes.clamp_min(OUTSIZED)

    def errors(ahead: Tensor) -> Tensor:
        away = target - torch.where(ahead.isnan(), naive, ahead)
        return (away * weights).nan_to_num(nan=0.0).abs().mean((-2, -1))

    smoothing = Smoothing.closest(x, season, windows.horizon, errors)
    if errors(smoothing.forecast(x, windows.horizon)) > CLOSER * errors(naive):
        return windows, encoding
    return wide, replace(seeing, smoothing=smoothing)
