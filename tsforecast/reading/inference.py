"""Which grid a column of times lies on: inferred from the times, and said in a sentence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tsforecast.errors import DataError
from tsforecast.frequency import DAY, Frequency, Ints, Times, usual_step

__all__ = ["infer_frequency"]


def infer_frequency(times: Times, starts: Ints, tz: str | None, where: str) -> tuple[Frequency, str]:
    """The grid of sorted stamps, and a sentence that says what was assumed.

    times   wall-clock stamps or integers, the series end to end, each sorted and without duplicates
    starts  first row of each series
    where   what to call the data in an error

    The most frequent difference decides. Stamps off that grid, or missing from it, are for the caller to judge.
    Raises DataError where no series has two rows.
    """
    inside = np.ones(len(times), dtype=bool)
    inside[starts] = False  # the step into a series is none
    steps = np.diff(times)[inside[1:]]
    if len(steps) == 0:
        raise DataError(f"{where}: no series has two rows, so no frequency can be inferred; give one (--freq)")
    usual = usual_step(steps)
    if times.dtype.kind != "M":
        return Frequency("integer", usual, int(times[0]) % usual), f"integer time with step {usual}, inferred"
    days = times.astype("datetime64[D]")
    midnight = bool((times == days).all())
    if midnight and usual >= 28 * DAY and (grid := _monthly(days, usual, tz)) is not None:
        return grid, f"frequency {grid.name}, inferred"
    micros = steps.astype(np.int64)
    if usual == DAY and midnight and bool(np.is_busday(days).all()) and (micros == 3 * DAY).any():
        return _trading(times, starts, int(micros.max()), tz)
    grid = Frequency("fixed", usual, int(times[0].astype(np.int64)) % usual, tz=tz)
    return grid, f"frequency {grid.name}, inferred"


def _monthly(days: npt.NDArray[np.datetime64], usual: int, tz: str | None) -> Frequency | None:
    """A grid of months where all stamps share a day of the month, or are all the last one."""
    months = days.astype("datetime64[M]")
    number = months.astype(np.int64)
    day = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    if (day == day[0]).all() and day[0] <= 28:
        on = int(day[0])
    elif ((months + 1).astype("datetime64[D]") - 1 == days).all():
        on = -1
    else:
        return None
    step = round(usual / (30.44 * DAY))
    step = next(size for size in (12, 6, 4, 3, 2, 1) if step >= size)
    while ((number - number[0]) % step).any():  # a coarse grid that not all stamps share
        step = {12: 6, 6: 3, 4: 2, 3: 1, 2: 1}[step]
    return Frequency("months", step, int(number[0]) % step, on, tz)


def _trading(times: Times, starts: Ints, longest: int, tz: str | None) -> tuple[Frequency, str]:
    """Weekdays only: a full Monday-to-Friday grid, or trading bars where some weekdays are missing (holidays)."""
    weekdays = Frequency("weekdays", tz=tz)
    ordinals = weekdays.ordinals(times)
    last = np.append(starts[1:], len(times)) - 1
    missing = int((ordinals[last] - ordinals[starts] + 1).sum()) - len(times)
    share = missing / (missing + len(times))
    if missing == 0 or share > 0.1 or longest > 14 * DAY:
        return weekdays, "frequency B (Monday to Friday), inferred"
    return Frequency("bars", tz=tz), (
        f"trading bars, inferred: weekdays only, and the {missing} missing weekdays ({share:.1%}, never more than "
        f"{longest // DAY} days from one bar to the next) are taken as holidays; position is time. "
        "Give freq=B to treat them as gaps"
    )
