"""A forecast and that of structural models as one: their weighted mean (Bates & Granger 1969).

What is learned from all windows and what one window says of itself are wrong in different ways, so that the mean of
both is closer than either nearly everywhere. How much each counts is not learned: the share that is best on what is
held out of a training is no guide to the one that is best afterwards, when the answer has learned from that too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tsforecast.contract import Forecast
from tsforecast.models.answers import Answer, forecast_views
from tsforecast.models.encoding import OUTSIZED, Encoded, Encoding
from tsforecast.models.least_squares import Solved
from tsforecast.models.losses import all_positive, pinball, relative_error
from tsforecast.models.nets import linear_features
from tsforecast.models.sampling import Places, every_origin
from tsforecast.models.schedule import Training
from tsforecast.models.settle import has_daily_cycle
from tsforecast.models.structural import StructuralMean
from tsforecast.models.years import Years
from tsforecast.panel import Panel, View
from tsforecast.windows import Batch, Windows

__all__ = ["Combination", "forecast_combined"]

SEASONS, HORIZONS, LEAST_STEPS, MOST_STEPS = 10, 3, 40, 300  # looked back by the models: as many as all of these ask
DAYS, LEAST_DAYS, MOST_HOURS = 28, 3, 672  # of hours or minutes: as many as all of these allow
FOLLOWED = 300  # windows that tell which models there are
ROWS = 256  # windows that are looked at at once
OF_MAP, LESS = 0.6, 0.3  # shares of the models beside a linear map; and beside a network, or where the season is a day
NO_WORSE, NO_WORSE_OF_DAYS = 1.05, 1.0  # of the error on what is held out: with more the answer stays alone


@dataclass(frozen=True, eq=False)
class Combination:
    """What is added to an answer.

    structural   the forecasts that it is combined with
    preceding    steps before a context that these look at too
    share        of them in the mean
    daily        the season is a day: the mean is made only where it was measured, and no worse than the answer alone
    """

    structural: StructuralMean
    preceding: int
    share: float = OF_MAP
    daily: bool = False

    @classmethod
    def of(cls, past: Panel, windows: Windows, encoding: Encoding) -> Combination | None:
        """With the models that the windows of the later half of `past` follow; None where earlier years have a say, of
        whose cycles such models know nothing, and where the horizon is more than half of what they look back at."""
        season, daily = past.season_length, has_daily_cycle(past)
        wanted = max(SEASONS * season, HORIZONS * windows.horizon, LEAST_STEPS)
        wanted = min(DAYS * season, MOST_HOURS) if daily else min(wanted, MOST_STEPS)
        whole = -(-int(past.lengths.max()) // season) * season
        steps = min(wanted, max(whole, LEAST_STEPS))  # what no series has takes time, and is asked nothing
        too_far = 2 * windows.horizon > wanted or (daily and steps < LEAST_DAYS * season)
        if isinstance(encoding.before, Years) or too_far:
            return None
        origins, floors = every_origin((past.starts + past.ends + 1) // 2, past.ends + 1, past.starts, FOLLOWED)
        places = origins.to(windows.values.device), floors.to(windows.values.device)
        preceding = max(steps - windows.input_size, encoding.preceding)
        batch = replace(windows, preceding=preceding).gather(*places)
        history = _history(batch, encoding.encode(batch), steps)
        structural = StructuralMean.of(history, season, windows.horizon, daily=daily)
        return cls(structural, preceding, LESS if daily else OF_MAP, daily)

    @property
    def told(self) -> str:
        """What was settled, in a line of a report."""
        return f"combined with structural models: {self.share:.0%}"

    def answer(self, batch: Batch, seen: Encoded, quantiles: Tensor, median: int) -> Tensor:
        """Scaled quantiles `[B, H, Q]` moved as far as their median is."""
        return quantiles + self.share * self._beyond(batch, seen, quantiles[:, :, median]).unsqueeze(2)

    def _beyond(self, batch: Batch, seen: Encoded, point: Tensor) -> Tensor:
        """How far the structural models are from a scaled point forecast `[B, H]`; 0 where they say nothing."""
        found = self.structural.forecast(_history(batch, seen, self.structural.steps))
        return (found - point).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)

    def beside_map(self, windows: Windows, encoding: Encoding, solved: Solved) -> Combination | None:
        """Beside a linear map; None where that is worse on what is held out of it. Where nothing is, it is made unless
        the season is a day, or something is known ahead, of which the map knows and structural models do not."""
        if solved.early is None or solved.late is None:
            return None if self.daily or encoding.futr_mean.numel() else self
        early = solved.early

        def point(seen: Encoded) -> Tensor:
            features = linear_features(seen.x, seen.known, early.hist, early.masks)
            return features.double() @ early.weights + seen.base[:, :, 0]

        return self.if_no_worse(windows, encoding, solved.late, point)

    def beside_network(
        self, windows: Windows, encoding: Encoding, held_out: Places, point: Callable[[Encoded], Tensor]
    ) -> Combination | None:
        """Beside a network, which needs less of them; None where that is worse on what is held out.

        point   the scaled answer `[B, H]` of a network that has not learned from that
        """
        return replace(self, share=LESS).if_no_worse(windows, encoding, held_out, point)

    def if_no_worse(
        self, windows: Windows, encoding: Encoding, held_out: Places, point: Callable[[Encoded], Tensor]
    ) -> Combination | None:
        """Itself; None where the mean has an error at these places that is 5 % larger than that of the scaled answer
        `[B, H]` alone, or larger at all where the season is a day."""
        wide = replace(windows, preceding=self.preceding)
        alone, combined = 0.0, 0.0
        with torch.inference_mode():
            for some in zip(*(torch.split(each, ROWS) for each in held_out), strict=True):
                batch = wide.gather(*some)
                seen = encoding.encode(batch)
                own = point(seen).double()
                alone += _error(batch, seen, own)
                combined += _error(batch, seen, own + self.share * self._beyond(batch, seen, own))
        return self if combined <= (NO_WORSE_OF_DAYS if self.daily else NO_WORSE) * alone else None


def forecast_combined(
    views: list[View],
    answer: Callable[[Batch], Answer],
    encoding: Encoding,
    combined: Combination | None,
    *,
    input_size: int,
    levels: tuple[float, ...],
    remark: str = "",
    device: torch.device | str = "cpu",
) -> list[Forecast]:
    """One forecast per view of what answers windows of `input_size` steps, shown so and combined so; with what was
    settled, and a remark, in the notes."""
    told = encoding.told(input_size)
    return forecast_views(
        views,
        answer,
        input_size=input_size,
        season=encoding.cycle,
        levels=levels,
        earlier=encoding.earlier,
        preceding=encoding.preceding if combined is None else combined.preceding,
        remarks=(told if combined is None else f"{told}; {combined.told}", remark),
        device=device,
    )


def _history(batch: Batch, seen: Encoded, steps: int) -> Tensor:
    """The last steps that were seen, in scaled units `[B, steps]`."""
    return seen.scale.past(torch.cat([batch.preceding, batch.context], dim=1)[:, -steps:])


def _error(batch: Batch, seen: Encoded, point: Tensor) -> float:
    """What networks are trained by, of a scaled point forecast `[B, H]`, summed over windows and steps."""
    target, answer = seen.target(batch.target).double(), point.unsqueeze(2)
    there, target = ~target.isnan(), target.nan_to_num(nan=0.0)
    outsized = target.abs().amax(1, keepdim=True).clamp_min(OUTSIZED) / OUTSIZED
    positive = all_positive(batch.context, batch.target) & there
    scaled = pinball(answer, target, target.new_tensor([0.5]), there / outsized)
    relative = relative_error(seen.units(answer), batch.target.nan_to_num(nan=0.0), positive.double())
    return float(scaled + Training.relative * relative)
