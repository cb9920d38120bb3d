"""A training step of the LSTM against a bare torch loop of the same network: what Lightning, windows by index and
scaling cost. Run: python tests/benchmarks/training_step.py [--steps 500] [--rounds 3]

The bare loop has its windows cut and scaled beforehand and in memory, and takes the quantile loss alone; ours gathers
and scales them in the step, adds the relative error and keeps an average of the weights (the defaults). All take the
same number of steps on the same network with AdamW, one-cycle rates and clipping, in turn within one run: the bare loop
as people write it; with the fused AdamW; also with the matrix products in bfloat16 where the CPU has it, which are what
ours uses; and also with the relative error and the average, so that what is left to ours is Lightning, gathering and
scaling. Printed: the median milliseconds per step and the median paired ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import NamedTuple

import torch

from tsforecast import Training, synthetic_sensors
from tsforecast.contract import QUANTILES
from tsforecast.maps import Affine
from tsforecast.models.encoding import Encoding
from tsforecast.models.losses import pinball, relative_error
from tsforecast.models.nets import OWN, LinearMap, SegmentRNN
from tsforecast.models.sampling import Draws
from tsforecast.models.training import train
from tsforecast.panel import Panel
from tsforecast.transforms import Standard
from tsforecast.windows import Windows, split_by_time

SIZE, HORIZON, PATCH, SEASON = 336, 48, 48, 24  # what the default settles on for hours


def network() -> SegmentRNN:
    torch.manual_seed(0)
    start = LinearMap(0, False, torch.zeros(SIZE + 1, HORIZON), torch.zeros(HORIZON, len(QUANTILES)))
    return SegmentRNN(
        cell="lstm", input_size=SIZE, horizon=HORIZON, channels=OWN, known=0, outputs=len(QUANTILES), patch_size=PATCH,
        hidden_size=128, num_layers=2, dropout=0.1, attention=False, start=start, maps=8,
    )  # fmt: skip


class Prepared(NamedTuple):
    """Windows, cut and scaled beforehand."""

    x: torch.Tensor
    base: torch.Tensor
    target: torch.Tensor  # scaled
    values: torch.Tensor  # the target in its own units
    location: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def of(cls, panel: Panel, n: int) -> Prepared:
        """So many windows of a panel; what was not observed is 0, which costs the same."""
        draws = Draws(split_by_time(panel, HORIZON, 0), n, 1, 0, torch.device("cpu"))
        batch = Windows.of(panel, SIZE, HORIZON).gather(*next(iter(draws)))
        seen = Encoding.of(panel, Standard(), SEASON).encode(batch)
        assert isinstance(seen.scale.map, Affine)
        target, values = (torch.nan_to_num(found) for found in (seen.target(batch.target), batch.target))
        return cls(seen.x, seen.base, target, values, seen.scale.map.location, seen.scale.map.scale)


class Bare(NamedTuple):
    """What a bare loop has of ours."""

    fused: bool = False
    halves: bool = False
    relative: bool = False

    def seconds(self, windows: Prepared, steps: int, training: Training) -> float:
        """Per step of a plain loop over prepared windows."""
        net, levels, batch = network().train(), torch.tensor(QUANTILES), training.batch_size
        average, middle = [p.detach().clone() for p in net.parameters()], len(QUANTILES) // 2
        weight = torch.full((batch, HORIZON, 1), 1 / (batch * HORIZON))
        rate = training.learning_rate
        optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=training.l2, fused=self.fused)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1)
        known = torch.empty(batch, HORIZON, 0)
        start = time.perf_counter()
        for _ in range(steps):
            rows = torch.randint(len(windows.x), (batch,))
            with torch.autocast("cpu", torch.bfloat16, enabled=self.halves):
                out = net(windows.x[rows], known)
            out = out + windows.base[rows]
            loss = pinball(out, windows.target[rows], levels, weight)
            if self.relative:
                median = out[:, :, middle : middle + 1] * windows.scale[rows] + windows.location[rows]
                loss = loss + training.relative * relative_error(median, windows.values[rows], weight)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), training.clip)
            optimizer.step()
            cycle.step()
            if self.relative:
                with torch.no_grad():
                    for mean, now in zip(average, net.parameters(), strict=True):
                        mean.lerp_(now, 0.1)
        return (time.perf_counter() - start) / steps


def ours(panel: Panel, steps: int, training: Training) -> float:
    """Seconds per step of the library's training, everything included."""
    windows = Windows.of(panel, SIZE, HORIZON)
    encoding = Encoding.of(panel, Standard(), SEASON)
    split = split_by_time(panel, HORIZON, 0)
    net = network()
    start = time.perf_counter()
    train(net, windows, split, encoding, QUANTILES, training, seed=0)
    return (time.perf_counter() - start) / steps


class Steps(NamedTuple):
    """Median milliseconds of a step, and the median of its ratios to ours within a round."""

    label: str
    milliseconds: float
    ratio: float


def measured(steps: int, rounds: int) -> list[Steps]:
    """Ours first, then the bare loops, each `rounds` times in turn after a round that warms up."""
    panel = Panel.from_frame(synthetic_sensors(n_series=20, n_steps=2_000, seed=0))
    windows, training = Prepared.of(panel, 4_096), Training(max_steps=steps, val_share=0)
    halves = training.halves(torch.device("cpu"))
    loops = {
        "bare loop": Bare(),
        "bare loop, fused AdamW": Bare(fused=True),
        "bare loop, fused AdamW, precision as ours": Bare(fused=True, halves=halves),
        "the same, losses and averaging as ours": Bare(fused=True, halves=halves, relative=True),
    }
    found = [
        [ours(panel, steps, training), *(loop.seconds(windows, steps, training) for loop in loops.values())]
        for _ in range(rounds + 1)
    ][1:]
    return [
        Steps(label, 1e3 * statistics.median(r[k] for r in found), statistics.median(r[0] / r[k] for r in found))
        for k, label in enumerate(["tsforecast", *loops])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    mine, *plain = measured(options.steps, options.rounds)
    print(f"{mine.label} {mine.milliseconds:.2f} ms/step")
    for label, milliseconds, ratio in plain:
        print(f"{label} {milliseconds:.2f} ms/step, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
