"""What the networks of one fit that look equally far back have in common, and how each of them is trained."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from tsforecast import progress
from tsforecast.models.choices import encoded
from tsforecast.models.combination import Combination
from tsforecast.models.encoding import Encoded, Encoding
from tsforecast.models.least_squares import Solved, fit_map
from tsforecast.models.look_back import LEAST_CONTEXT
from tsforecast.models.nets import OWN, SegmentRNN
from tsforecast.models.sampling import every_origin
from tsforecast.models.training import Curve, train
from tsforecast.panel import Panel
from tsforecast.windows import Split, Windows, split_by_time

if TYPE_CHECKING:
    from tsforecast.models.recurrent import Recurrent

__all__ = ["Task"]

JUDGED = 2_000  # held-out windows, at most, that tell whether an answer is combined
_SEEDED = threading.Lock()  # torch's own generator is one for all threads


class _Part(NamedTuple):
    """What is trained on, and the linear map of it: one that has not seen what is held out."""

    split: Split
    solved: Solved | None


@dataclass(frozen=True, eq=False)
class Task:
    """Windows as they are shown to a network, and the linear maps that all networks start as.

    first    what is trained on at first; whole: everything
    remark   why nothing is trained; empty where it is
    """

    recipe: Recurrent
    windows: Windows
    encoding: Encoding
    patch: int
    combined: Combination | None
    first: _Part
    whole: _Part
    remark: str

    @classmethod
    def of(
        cls,
        recipe: Recurrent,
        past: Panel,
        split: Split,
        season: int,
        remark: str,
        device: torch.device,
        horizon: int,
        sizes: tuple[int, int],
    ) -> Self:
        """Settle how windows of sizes (context, segment) are shown, with what answers are combined, and solve for the
        linear maps of the part that is trained on at first, and of all. The naive forecast that is corrected is of this
        season."""
        size, patch = sizes
        windows, earlier = Windows.of(past, size, horizon, device), recipe.residual == "auto"
        windows, encoding = encoded(past, windows, recipe.scaling, season, earlier=earlier)
        told = recipe.structural and (split.holds_out or remark)
        combined = Combination.of(past, windows, encoding) if told else None

        def part(split: Split) -> _Part:
            if not recipe.linear:
                return _Part(split, None)
            border = split.train_high + windows.horizon - 1
            before = past.cut(np.where(split.valid_high > split.valid_low, border, past.ends))
            with progress.part(0.0, 0.0):  # a moment beside the training
                return _Part(split, fit_map(before, windows, encoding, levels=recipe.quantiles))

        whole, tried = part(split_by_time(past, horizon, 0, LEAST_CONTEXT)), split.holds_out and not remark
        return cls(recipe, windows, encoding, patch, combined, part(split) if tried else whole, whole, remark)

    def trained(self, seed: int) -> tuple[SegmentRNN, Combination | None, Curve]:
        """A network, with what its answers are combined, and the curve of its training.

        Where a part is held out, it tells how long to train, and the network is then trained anew for so long on
        everything: the latest windows are most like what comes next. Where it tells too little, nothing is trained.
        """
        held_out = self.first.split.holds_out
        steps = self.recipe.training.steps(self.first.split.n_train, watched=held_out)
        if self.remark:
            net, curve, _ = self._train(self.whole, seed, steps, 0)
            combined, solved = self.combined, self.whole.solved
            if combined is not None and solved is not None:
                combined = combined.beside_map(self.windows, self.encoding, solved)
            return net, combined, curve
        with progress.part(0.0, 0.75 if held_out else 1.0):
            net, curve, best = self._train(self.first, seed, steps)
        combined = self._combined(net)
        if held_out:
            with progress.part(0.75, 1.0):
                net, _, _ = self._train(self.whole, seed, steps, best)
        return net, combined, curve

    def _combined(self, net: SegmentRNN) -> Combination | None:
        """With what the answer of a network is combined. Where nothing is held out, it has seen so many windows that
        structural models tell it nothing new."""
        split, median = self.first.split, self.recipe.quantiles.index(0.5)
        if self.combined is None or not split.holds_out:
            return None
        origins, floors = every_origin(split.valid_low, split.valid_high, split.floors, JUDGED)
        places = origins.to(self.windows.values.device), floors.to(self.windows.values.device)

        def point(seen: Encoded) -> Tensor:
            answer: Tensor = net(seen.x, seen.known) + seen.base
            return answer[:, :, median]

        return self.combined.beside_network(self.windows, self.encoding, places, point)

    def _train(self, part: _Part, seed: int, steps: int, stop: int | None = None) -> tuple[SegmentRNN, Curve, int]:
        """One training; where it diverges, one more at half the rate, from the best weights that it had until then."""
        net, training = self._network(part, seed), self.recipe.training
        task = net, self.windows, part.split, self.encoding, self.recipe.quantiles
        try:
            curve, best = train(*task, training, seed, steps=steps, stop=stop)
        except FloatingPointError:
            slower = replace(training, learning_rate=training.learning_rate / 2)
            curve, best = train(*task, slower, seed, steps=steps, stop=stop)
        net.dropout.generator = None  # a state of no use to what is trained
        return net, curve, best

    def _network(self, part: _Part, seed: int) -> SegmentRNN:
        """Not yet trained; from the seed come its weights, and then what it drops."""
        recipe, windows, device = self.recipe, self.windows, self.windows.values.device
        with _SEEDED, torch.random.fork_rng([]):
            torch.default_generator.manual_seed(seed)
            net = SegmentRNN(
                cell=recipe.cell,
                input_size=windows.input_size,
                horizon=windows.horizon,
                channels=OWN + windows.hist.shape[1] + windows.futr.shape[1],
                known=self.encoding.known,
                outputs=len(recipe.quantiles),
                patch_size=self.patch,
                hidden_size=recipe.hidden_size,
                num_layers=recipe.num_layers,
                dropout=recipe.dropout,
                attention=recipe.attention,
                start=None if part.solved is None else part.solved.map,
                maps=recipe.gated_maps,
            ).to(device)
            generator = torch.Generator(device).manual_seed(seed)
            if device.type == "cpu":
                generator.set_state(torch.default_generator.get_state())
        net.dropout.generator = generator
        return net
