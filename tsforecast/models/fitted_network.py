"""A trained network as a fitted model: from views of panels to forecasts."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from tsforecast.contract import FittedModel, Forecast
from tsforecast.models.answers import Answer, Covariates
from tsforecast.models.combination import Combination, forecast_combined
from tsforecast.models.encoding import Encoding
from tsforecast.panel import View
from tsforecast.windows import Batch

__all__ = ["UNTRAINED", "FittedNetwork"]

UNTRAINED = (
    "not trained: what can be held out is worth {:.1f} horizons, and below {} it does not tell whether training helps; "
    "the forecast is that of the linear map it starts as"
)


@dataclass(frozen=True, eq=False)
class FittedNetwork(FittedModel):
    """A trained network. Any series on the same grid with the same covariates can be forecast, known or new.

    name    of the recipe, for messages
    levels  of the quantiles that the network answers, the median among them
    combined   with what the answer of the network is combined; None: nothing
    remark  that goes with every forecast, beside what was settled; empty: none
    """

    name: str
    horizon: int
    input_size: int
    levels: tuple[float, ...]
    covariates: Covariates
    encoding: Encoding
    net: nn.Module
    combined: Combination | None = None
    remark: str = ""

    def _predict(self, views: list[View]) -> list[Forecast]:
        for past, _ in views:
            self.covariates.check(past, self.name)
        return forecast_combined(
            views,
            self._answer,
            self.encoding,
            self.combined,
            input_size=self.input_size,
            levels=self.levels,
            remark=self.remark,
            device=next(self.net.parameters()).device,
        )

    def _answer(self, batch: Batch) -> Answer:
        seen, median = self.encoding.encode(batch), self.levels.index(0.5)
        # sorting an answer whose quantiles cross lowers its loss (Chernozhukov et al. 2010)
        scaled = (self.net(seen.x, seen.known) + seen.base).sort(dim=2).values
        scaled = scaled if self.combined is None else self.combined.answer(batch, seen, scaled, median)
        quantiles = self.encoding.answer(batch, seen, scaled, median)
        return Answer(quantiles[:, :, median], quantiles)
