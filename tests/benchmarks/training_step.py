"""A training step of the LSTM against a bare torch loop of the same network: what Lightning, windows by index and
scaling cost. Run: python tests/benchmarks/training_step.py [--steps 500] [--rounds 3]

The bare loop has its windows cut and scaled beforehand and in memory, and takes the quantile loss alone; ours gathers
and scales them in the step and adds the relative error (the default). Both take the same number of steps on the same
network with AdamW, one-cycle rates and clipping, in turn within one run; the bare loop as people write it, then with
the fused AdamW, then also with the matrix products in bfloat16 where the CPU has it, which are what ours uses. Printed:
the median milliseconds per step and the median paired ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import NamedTuple

import torch

from tsforecast import Training, synthetic_sensors
from tsforecast.forecast import QUANTILES
from tsforecast.models.encoding import Encoding
from tsforecast.models.losses import pinball
from tsforecast.models.nets import LinearMap, SegmentRNN
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
        cell="lstm", input_size=SIZE, horizon=HORIZON, channels=2, known=0, outputs=len(QUANTILES), patch_size=PATCH,
        hidden_size=128, num_layers=2, dropout=0.1, attention=False, start=start,
    )  # fmt: skip


def bare(
    x: torch.Tensor,
    base: torch.Tensor,
    target: torch.Tensor,
    steps: int,
    training: Training,
    *,
    fused: bool,
    halves: bool,
) -> float:
    """Seconds per step of a plain loop over prepared tensors."""
    net, levels = network().train(), torch.tensor(QUANTILES)
    weight = torch.full((training.batch_size, HORIZON, 1), 1 / (training.batch_size * HORIZON))
    optimizer = torch.optim.AdamW(net.parameters(), lr=training.learning_rate, weight_decay=training.l2, fused=fused)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.learning_rate, total_steps=steps + 1)
    known = torch.empty(training.batch_size, HORIZON, 0)
    start = time.perf_counter()
    for _ in range(steps):
        rows = torch.randint(len(x), (training.batch_size,))
        with torch.autocast("cpu", torch.bfloat16, enabled=halves):
            out = net(x[rows], known)
        loss = pinball(out + base[rows], target[rows], levels, weight)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), training.clip)
        optimizer.step()
        cycle.step()
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
    windows = Windows.of(panel, SIZE, HORIZON)
    encoding = Encoding.of(panel, Standard(), SEASON)
    draws = Draws(split_by_time(panel, HORIZON, 0), 4_096, 1, 0, torch.device("cpu"))
    batch = windows.gather(*next(iter(draws)))
    seen = encoding.encode(batch)
    prepared = (seen.x, seen.base, torch.nan_to_num(seen.target(batch.target)))
    training = Training(max_steps=steps, val_share=0)
    found = [
        (
            ours(panel, steps, training),
            bare(*prepared, steps, training, fused=False, halves=False),
            bare(*prepared, steps, training, fused=True, halves=False),
            bare(*prepared, steps, training, fused=True, halves=training.halves(torch.device("cpu"))),
        )
        for _ in range(rounds + 1)
    ][1:]
    labels = ("tsforecast", "bare loop", "bare loop, fused AdamW", "bare loop, fused AdamW, precision as ours")
    return [
        Steps(label, 1e3 * statistics.median(r[k] for r in found), statistics.median(r[0] / r[k] for r in found))
        for k, label in enumerate(labels)
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
