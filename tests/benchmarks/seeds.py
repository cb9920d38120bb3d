"""Several networks at once: the recurrence of N seeds, forward and backward, one network after the other, each in a
thread (as a fit trains them), and as one program over grouped matrices. Run:
OMP_NUM_THREADS=1 python tests/benchmarks/seeds.py [--networks 2,4,8] [--rounds 20] [--device cpu]

Two layers of 128 units over the seven segments of two weeks of hours, a batch for each network: the part of a training
step that could be grouped. Printed: the lowest milliseconds of a step, and the ratios to one network after the other.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from tsforecast import Training

SEGMENTS, INPUT, HIDDEN, LAYERS = 7, 48, 128, 2


def grouped(x: Tensor, layers: Sequence[nn.LSTM]) -> Tensor:
    """What networks of one layer each, `[T, B, I]` of `x` `[N, T, B, I]` to the one of its number, answer
    `[N, T, B, H]`, by one product of matrices for all of them at each step."""
    inner, outer, bias = stacked(layers)
    networks, steps, batch, width = x.shape
    units = outer.shape[1]
    before = torch.baddbmm(bias, x.reshape(networks, steps * batch, width), inner).view(networks, steps, batch, -1)
    hidden = cell = x.new_zeros(networks, batch, units)
    found = []
    for t in range(steps):
        gates = torch.baddbmm(before[:, t], hidden, outer)
        entry, forget, new, out = gates.chunk(4, dim=-1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(entry) * torch.tanh(new)
        hidden = torch.sigmoid(out) * torch.tanh(cell)
        found.append(hidden)
    return torch.stack(found, dim=1)


def stacked(layers: Sequence[nn.LSTM]) -> tuple[Tensor, Tensor, Tensor]:
    """Their weights `[N, I, 4H]`, `[N, H, 4H]` and biases `[N, 1, 4H]`."""
    inner = torch.stack([layer.weight_ih_l0.T for layer in layers])
    outer = torch.stack([layer.weight_hh_l0.T for layer in layers])
    return inner, outer, torch.stack([layer.bias_ih_l0 + layer.bias_hh_l0 for layer in layers]).unsqueeze(1)


def measured(networks: int, rounds: int, device: torch.device) -> dict[str, float]:
    """The lowest seconds of each way, taken in turn after a round that warms up."""
    widths = (INPUT, *[HIDDEN] * (LAYERS - 1))
    stacks = [[nn.LSTM(width, HIDDEN, device=device) for width in widths] for _ in range(networks)]
    whole = torch.randn(networks, SEGMENTS, Training().batch_size, INPUT, device=device)

    def alone(number: int) -> None:
        x = whole[number]
        for layer in stacks[number]:
            x, _ = layer(x)
        x.sum().backward()

    def as_one() -> None:
        x = whole
        for layers in zip(*stacks, strict=True):
            x = grouped(x, layers)
        x.sum().backward()

    with ThreadPoolExecutor(min(networks, torch.multiprocessing.cpu_count())) as pool:
        ways: dict[str, Callable[[], object]] = {
            "one after the other": lambda: [alone(number) for number in range(networks)],
            "in threads": lambda: list(pool.map(alone, range(networks))),
            "grouped": as_one,
        }
        found = dict.fromkeys(ways, float("inf"))
        for turn in range(rounds + 1):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                if turn:
                    found[name] = min(found[name], time.perf_counter() - start)
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default="2,4,8", help="how many, comma-separated (default: 2,4,8)")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args(arguments)
    for networks in map(int, options.networks.split(",")):
        found = measured(networks, options.rounds, options.device)
        usual = found["one after the other"]
        told = ", ".join(f"{name} {1e3 * its:.1f} ms ({its / usual:.2f})" for name, its in found.items())
        print(f"{networks} networks: {told}", flush=True)


if __name__ == "__main__":
    main()
