"""Recurrent networks over segments: tensors in, tensors out.

A long window is cut into segments of `patch_size` steps, each of which becomes one token. Two days a token make 336
hourly steps 7 recurrent ones: gradients travel 7 steps instead of 336, and a CPU does in one matrix product what it
would do in 48 small ones (the idea of SegRNN, Lin et al. 2023, arXiv:2308.11200). All steps of the horizon are
answered at once from the last state, so no forecast is fed back into the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["CELLS", "OWN", "Cell", "LinearMap", "SegmentRNN", "linear_features", "maps_within"]

Cell = Literal["rnn", "lstm", "gru"]
CELLS: dict[Cell, type[nn.RNN | nn.LSTM | nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


OWN = 3  # channels of x that are no covariates: the scaled target, its mask and its level
LEAST_COLUMNS = 16
"""Of a matrix product: with fewer, the last bits of a row depend on its place in the batch (seen with 5 and 8 columns,
never with 16 to 720), and a series' forecast would depend on which others are asked for."""
MOST_WEIGHTS = 1_000_000  # of gated maps: eight of the longest would take longer than all the rest
SHRUNK, SPREAD = 2.0, 0.1  # gated maps: of their inputs; of their weights at first


def linear_features(x: Tensor, known: Tensor, hist: int, masks: bool) -> Tensor:
    """What a linear map sees `[B, F]` of x `[B, L, C]` and known `[B, H, K]`: the scaled context, `hist` past-only
    covariates, covariates known ahead at the steps to forecast, on request what is missing of the context, and 1."""
    parts = [x[:, :, 0], x[:, :, OWN : OWN + hist].flatten(1), known.flatten(1)]
    if masks:
        parts.append(1 - x[:, :, 1])
    return torch.cat([*parts, torch.ones_like(x[:, :1, 0])], dim=1)


@dataclass(frozen=True, eq=False)
class LinearMap:
    """From `linear_features` to the horizon, in scaled units; float64."""

    hist: int
    masks: bool  # whether it sees what is missing of the context
    weights: Tensor  # [F, H]
    spread: Tensor  # [H, Q]: how far its quantiles lie from it, by its errors


class SegmentRNN(nn.Module):
    """x `[B, L, C]`, known `[B, H, K]` -> `[B, H, Q]`.

    cell        which recurrence; `patch_size` 1 feeds it step by step, the classic form
    attention   let the last state look back over all states (scaled dot products, Luong et al. 2015) before answering
    start       a linear map that becomes a part of the network: before training it answers as that map does
    maps        how many more linear maps stand beside it, each with a gate that the state opens
    """

    def __init__(
        self,
        *,
        cell: Cell,
        input_size: int,
        horizon: int,
        channels: int,
        known: int,
        outputs: int,
        patch_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        attention: bool,
        start: LinearMap | None = None,
        maps: int = 0,
    ) -> None:
        super().__init__()
        assert input_size % patch_size == 0, "the context is a whole number of segments"
        self.patch_size, self.horizon, self.outputs = patch_size, horizon, outputs
        width = channels * patch_size
        self.embed = nn.Identity() if patch_size == 1 else nn.Sequential(nn.Linear(width, hidden_size), nn.ReLU())
        widths = width if patch_size == 1 else hidden_size, *[hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(CELLS[cell](width, hidden_size, batch_first=True) for width in widths)
        self.dropout = Dropout(dropout)
        self.query = nn.Linear(hidden_size, hidden_size, bias=False) if attention else None
        state = hidden_size * (2 if attention else 1)
        last = nn.Linear(2 * hidden_size, max(horizon * outputs, LEAST_COLUMNS))
        self.head = nn.Sequential(nn.Linear(state, 2 * hidden_size), nn.ReLU(), self.dropout, last)
        self.known = KnownAhead(state, known, outputs) if known else None
        self.start = None if start is None else LinearStart(start)
        self.gated = None if start is None or maps == 0 else GatedMaps(start, state, maps)
        if start is not None:
            nn.init.zeros_(last.weight)
            last.bias.data[: horizon * outputs] = start.spread.flatten()
            if self.known is not None:
                nn.init.zeros_(self.known.out.weight)
                nn.init.zeros_(self.known.out.bias)

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        batch, length, channels = x.shape
        states = self.embed(x.reshape(batch, length // self.patch_size, self.patch_size * channels))
        for number, layer in enumerate(self.layers):
            states, _ = layer(self.dropout(states) if number else states)  # [B, tokens, D]
        state = states[:, -1]
        if self.query is not None:
            weights = torch.einsum("btd,bd->bt", states, self.query(state)) / math.sqrt(states.shape[2])
            state = torch.cat([state, torch.einsum("bt,btd->bd", weights.softmax(dim=1), states)], dim=1)
        out: Tensor = self.head(state)[:, : self.horizon * self.outputs].view(batch, self.horizon, self.outputs)
        if self.known is not None:
            out = out + self.known(state, known)
        if self.gated is not None:
            out = out + self.gated(state, x, known)
        return out if self.start is None else out + self.start(x, known)


class Dropout(nn.Module):
    """`nn.Dropout`, number for number; it draws from `generator` where it has one, and else from torch's, which
    networks that train side by side would share."""

    generator: torch.Generator | None

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.generator = share, None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.share:
            return x
        kept = 1 - self.share
        return x * torch.empty_like(x).bernoulli_(kept, generator=self.generator).div_(kept)


class LinearStart(nn.Module):
    """A linear map, solved beforehand, that training goes on from: x, known -> `[B, H, 1]`."""

    def __init__(self, found: LinearMap) -> None:
        super().__init__()
        self.hist, self.masks = found.hist, found.masks
        features, self.horizon = found.weights.shape
        self.map = nn.Linear(features, max(self.horizon, LEAST_COLUMNS), bias=False)
        self.map.weight.data[: self.horizon] = found.weights.T

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        # in full precision: a map can be right to a thousandth of its inputs, and it takes no time
        with torch.autocast(x.device.type, enabled=False):
            out: Tensor = self.map(linear_features(x, known, self.hist, self.masks))
        return out[:, : self.horizon].unsqueeze(2)


class GatedMaps(nn.Module):
    """Linear maps, each times a gate that the state `[B, D]` sets: state, x, known -> `[B, H, 1]`.

    A sum of what is linear and what is not can add to a pattern, not make it larger or smaller; this can: how the
    horizon follows from the context may depend on where a series stands (a mixture of linear experts, Ni et al. 2024,
    arXiv:2312.06786). At first all gates are shut.
    """

    def __init__(self, beside: LinearMap, state_size: int, count: int) -> None:
        super().__init__()
        self.hist, self.masks = beside.hist, beside.masks
        features, self.horizon = beside.weights.shape
        # a step of the optimiser then moves the answer to a long context no further than that to a short one
        self.share = SHRUNK / math.sqrt(features)
        self.count = maps_within(features, self.horizon, count)
        self.maps = nn.Linear(features, max(self.count * self.horizon, LEAST_COLUMNS), bias=False)
        self.gates = nn.Linear(state_size, max(self.count, LEAST_COLUMNS))
        nn.init.normal_(self.maps.weight, std=SPREAD)
        nn.init.zeros_(self.gates.weight)
        nn.init.zeros_(self.gates.bias)

    def forward(self, state: Tensor, x: Tensor, known: Tensor) -> Tensor:
        seen = linear_features(x, known, self.hist, self.masks) * self.share
        answers = self.maps(seen)[:, : self.count * self.horizon].view(len(x), self.count, self.horizon)
        gates = self.gates(state)[:, : self.count, None]
        out: Tensor = (gates * answers).sum(1)
        return out.unsqueeze(2)


def maps_within(features: int, horizon: int, count: int) -> int:
    """How many of `count` gated maps there is room for, at least one."""
    return max(min(count, MOST_WEIGHTS // (features * horizon)), 1)


class KnownAhead(nn.Module):
    """What covariates known ahead add to each step, given the state `[B, D]`: known `[B, H, K]` -> `[B, H, Q]`."""

    def __init__(self, state_size: int, known: int, outputs: int, width: int = 64) -> None:
        super().__init__()
        self.state, self.step = nn.Linear(state_size, width), nn.Linear(known, width, bias=False)
        self.out, self.outputs = nn.Linear(width, max(outputs, LEAST_COLUMNS)), outputs

    def forward(self, state: Tensor, known: Tensor) -> Tensor:
        hidden = torch.relu(self.state(state).unsqueeze(1) + self.step(known))
        out: Tensor = self.out(hidden)[:, :, : self.outputs]
        return out
