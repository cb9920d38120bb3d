"""The benchmark of several networks at once compares ways that say the same."""

from __future__ import annotations

import re

import pytest
import seeds
import torch
from torch import nn


def test_grouped_matrices_answer_and_learn_as_the_networks_one_by_one() -> None:
    torch.manual_seed(0)
    layers, x = [nn.LSTM(5, 6) for _ in range(3)], torch.randn(3, 4, 2, 5)
    alone = torch.stack([layer(rows)[0] for layer, rows in zip(layers, x, strict=True)])
    together = seeds.grouped(x, layers)
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    weights = [weight for layer in layers for weight in layer.parameters()]
    expected = torch.autograd.grad(alone.square().sum(), weights)
    torch.testing.assert_close(torch.autograd.grad(together.square().sum(), weights), expected, rtol=1e-4, atol=1e-6)
    swapped = seeds.grouped(x, layers[::-1])
    assert (swapped - alone).abs().max() > 0.1, "control: each network has rows of its own"


def test_a_line_for_each_number_of_networks_has_the_ratio_of_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    seeds.main(["--networks", "1,2", "--rounds", "1"])
    lines = capsys.readouterr().out.splitlines()
    for line, networks in zip(lines, (1, 2), strict=True):
        ways = r"one after the other \d+\.\d ms \(1\.00\), in threads .+ \(\d+\.\d\d\), grouped .+ \(\d+\.\d\d\)"
        assert re.fullmatch(f"{networks} networks: {ways}", line)
