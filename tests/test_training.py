"""How networks are trained: losses, draws, early stopping and penalties."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import LED, SMALL, TINY, panel, sensors
from torch import nn

from tsforecast import progress
from tsforecast.backtesting import run_backtest
from tsforecast.folds import Plan
from tsforecast.models.encoding import Encoding
from tsforecast.models.least_squares import fit_map
from tsforecast.models.naive import Naive
from tsforecast.models.nets import OWN, SegmentRNN
from tsforecast.models.recurrent import LSTM
from tsforecast.models.sampling import validation_windows
from tsforecast.models.training import ForecastModule, KeepBest, Training, train
from tsforecast.transforms import Standard
from tsforecast.windows import Windows, split_by_time

LEVELS = (0.1, 0.5, 0.9)
NAN = torch.nan


class Bench:
    """A small network, its windows and its split: `train` and look inside."""

    def __init__(
        self, seed: int = 0, valid_steps: int = 24, linear: bool = False, lengths: tuple[int, ...] = (120, 100)
    ) -> None:
        data = sensors(lengths)
        self.windows = Windows.of(data, 14, 5)
        self.split = split_by_time(data, 5, valid_steps, 2)
        self.encoding = Encoding.of(data, Standard(), 7)
        solved = fit_map(data, self.windows, self.encoding, levels=LEVELS) if linear else None
        torch.manual_seed(seed)
        self.net = SegmentRNN(
            cell="lstm", input_size=14, horizon=5, channels=OWN, known=0, outputs=3, patch_size=7, hidden_size=16,
            num_layers=1, dropout=0.0, attention=False, start=solved.map if solved else None, maps=2,
        )  # fmt: skip

    def train(self, **settings: Any) -> list[tuple[int, float, float]]:
        self.training = Training(**{"max_steps": 30, "batch_size": 16, "device": "cpu", **settings})
        curve, self.best = train(self.net, self.windows, self.split, self.encoding, LEVELS, self.training, seed=3)
        return curve

    def valid_loss(self) -> float:
        """The validation loss of the network as it is."""
        module = ForecastModule(self.net, self.windows, self.encoding, torch.tensor(LEVELS), self.training, 1)
        module.eval()
        with torch.no_grad():
            parts = [(float(module.loss(*b)), len(b[0])) for b in validation_windows(self.split, torch.device("cpu"))]
        return sum(loss * n for loss, n in parts) / sum(n for _, n in parts)

    def size(self) -> float:
        return sum(float(p.detach().abs().sum()) for p in self.net.parameters())


@pytest.fixture(autouse=True)
def _keep_the_generator() -> Any:
    with torch.random.fork_rng():
        yield


def test_the_loss_goes_down_and_is_validated_twenty_times() -> None:
    bench = Bench()
    curve = bench.train(max_steps=60, patience=100)
    steps, train_losses, valid_losses = (list(column) for column in zip(*curve, strict=True))
    assert steps == list(range(0, 61, 3))  # and once before the first step
    assert np.isnan(train_losses[0]) and np.isfinite(train_losses[1:]).all() and np.isfinite(valid_losses).all()
    assert np.mean(train_losses[-4:]) < 0.9 * train_losses[1] and valid_losses[-1] < valid_losses[0]


def test_the_best_weights_are_kept_and_not_the_last() -> None:
    bench = Bench()
    curve = bench.train(max_steps=60, patience=100, learning_rate=0.1, schedule="constant")
    losses = [valid for _, _, valid in curve]
    assert losses[-1] > 1.02 * min(losses)  # else this would show nothing
    assert bench.valid_loss() == pytest.approx(min(losses), rel=1e-5)
    assert not bench.net.training


@pytest.mark.parametrize("kept", [False, True])
def test_a_network_that_gained_by_chance_ends_as_it_came(monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    monkeypatch.setattr(KeepBest, "by_chance", lambda self: not kept)
    bench = Bench()
    bench.train(max_steps=60)
    assert bench.best > 0  # it does not start as a solution: any gain is kept
    bench = Bench(linear=True)
    begun = {name: value.clone() for name, value in bench.net.state_dict().items()}
    bench.train(max_steps=60)
    same = [torch.equal(value, begun[name]) for name, value in bench.net.state_dict().items()]
    assert all(same) != kept and (bench.best > 0) == kept


@pytest.mark.parametrize(("series", "kept"), [(49, False), (50, True)])
def test_what_many_series_gain_is_taken_whether_it_is_sure_or_not(
    monkeypatch: pytest.MonkeyPatch, series: int, kept: bool
) -> None:
    """Of fifty short monthly or quarterly series the gains had less than 1.9 standard errors in two of three trainings,
    and came again afterwards. A series that is too short to validate is no witness."""
    monkeypatch.setattr(KeepBest, "by_chance", lambda self: True)
    bench = Bench(linear=True, lengths=(40,) * series + (20,))
    assert len(bench.split.valid_low) == series + 1 and bench.split.n_validated == series
    with torch.no_grad():  # so that there is something to gain
        for weight in bench.net.start.parameters():
            weight.mul_(0.5)
    bench.train(max_steps=60)
    assert (bench.best > 0) == kept


def test_training_stops_when_the_validation_loss_does_not_improve() -> None:
    bench = Bench()
    curve = bench.train(max_steps=200, patience=2, learning_rate=0.1, schedule="constant")
    losses = [valid for _, _, valid in curve]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 20 and curve[-1][0] < 200 and bench.best == curve[best][0]


def test_without_validation_all_steps_are_taken_and_the_last_weights_kept() -> None:
    bench = Bench(valid_steps=0)
    curve = bench.train(max_steps=25)
    assert [step for step, _, _ in curve] == [25] and np.isnan(curve[0][2]) and np.isfinite(curve[0][1])
    assert bench.best == 25


def test_how_many_steps_lightning_is_given_at_once_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = []
    for stretches in (20, 3):
        monkeypatch.setattr("tsforecast.models.training.VALIDATIONS", stretches)
        bench = Bench(valid_steps=0)
        bench.train()
        weights.append(nn.utils.parameters_to_vector(bench.net.parameters()))
    assert torch.equal(*weights)
    other = Bench(valid_steps=0)
    other.train(max_steps=31)  # the control: one step more does
    assert not torch.equal(weights[0], nn.utils.parameters_to_vector(other.net.parameters()))


def test_l1_l2_and_clipping_have_effect() -> None:
    plain, l1, l2, clipped = (Bench(valid_steps=0) for _ in range(4))
    fast = {"max_steps": 40, "learning_rate": 0.01, "l2": 0.0}
    plain.train(**fast)
    l1.train(**fast, l1=0.1)
    l2.train(**{**fast, "l2": 5.0})
    clipped.train(**fast, clip=1e-9)
    assert l1.size() < 0.9 * plain.size() and l2.size() < 0.9 * plain.size()
    # gradients far below the epsilon of Adam hardly move anything
    assert abs(clipped.size() / Bench().size() - 1) < 0.01 < abs(plain.size() / Bench().size() - 1)


def test_the_same_seed_draws_the_same_windows_and_another_seed_others() -> None:
    nets = []
    for seed in (3, 3, 4):
        bench = Bench()
        training = Training(max_steps=5, batch_size=16, device="cpu")
        train(bench.net, bench.windows, bench.split, bench.encoding, LEVELS, training, seed=seed)
        nets.append(torch.cat([p.detach().flatten() for p in bench.net.parameters()]))
    assert torch.equal(nets[0], nets[1]) and not torch.equal(nets[0], nets[2])


def test_training_on_series_with_missing_values_stays_finite() -> None:
    data = sensors((400, 380))
    values = data.values.copy()
    values[np.random.default_rng(0).random(len(values)) < 0.3] = np.nan
    model = LSTM(**SMALL).fit(replace(data, values=values), 5)
    assert np.isfinite(model.curves["valid_loss"]).all() and np.isfinite(model.curves["train_loss"][1:]).all()
    assert all(torch.isfinite(p).all() for member in model.members.values() for p in member.net.parameters())


def test_a_training_that_diverges_says_so_and_the_backtest_goes_on() -> None:
    wild = LSTM(**{**SMALL, "training": replace(TINY, learning_rate=1e30, max_steps=30, schedule="constant")})
    data = sensors((300, 290, 280))
    with pytest.raises(FloatingPointError, match=r"diverged: the loss is not finite at step \d+"):
        wild.fit(data, 5)
    result = run_backtest(data, {"wild": wild, "naive": Naive()}, Plan(horizon=5, n_windows=1))
    assert len(result.failures) == 3 and "diverged" in result.failures["reason"][0]
    assert result.forecasts.query("model == 'naive'")["forecast"].notna().all()


def test_a_training_that_diverges_is_tried_once_more_at_half_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []

    def descend(*arguments: Any, **options: Any) -> Any:
        rates.append(arguments[5].learning_rate)
        if len(rates) == 1:
            raise FloatingPointError("the loss is not finite")
        return train(*arguments, **options)

    monkeypatch.setattr("tsforecast.models.task.train", descend)
    training = replace(TINY, learning_rate=0.01, val_share=0.0)
    LSTM(**{**SMALL, "training": training}).fit(sensors(), 5)
    assert rates == [0.01, 0.005]


@pytest.mark.parametrize(("bursts_at", "better"), [(25, True), (0, False)])
def test_a_training_that_diverges_leaves_the_best_weights_that_were_validated(
    bursts_at: int, better: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    penalised = ForecastModule.penalised

    def bursting(self: ForecastModule, *places: torch.Tensor) -> Any:
        return penalised(self, *places) * (NAN if self.taken >= bursts_at else 1.0)

    monkeypatch.setattr(ForecastModule, "penalised", bursting)
    bench, fresh = Bench(), Bench()
    with pytest.raises(FloatingPointError, match="diverged"):
        bench.train(max_steps=60)
    fresh.training = bench.training
    assert (bench.valid_loss() < fresh.valid_loss()) == better
    assert (bench.size() != fresh.size()) == better


def test_the_state_of_the_global_generator_does_not_change_a_network() -> None:
    sizes = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        net = LSTM(**LED).fit(sensors(), 5).members["seed 0"].net
        sizes.append(torch.cat([p.flatten() for p in net.parameters()]))
    assert torch.equal(*sizes)


def test_progress_is_told_while_training() -> None:
    heard: list[float] = []
    with progress.listening(heard.append):
        Bench().train(max_steps=20, patience=100)
    assert heard == sorted(heard) and heard[-1] == 1.0 and len(heard) == 20


def test_progress_never_goes_back_over_seeds_and_both_trainings_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as on one core."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    heard: list[float] = []
    recipe = LSTM(**{**SMALL, "n_seeds": 2, "linear": False, "training": replace(TINY, val_share=0.2)})
    with progress.listening(heard.append):
        recipe.fit(sensors(), 5)
    assert heard == sorted(heard) and heard[0] == 0.0  # what is chosen before a training does not count
    trained = [share for share in heard if share]
    assert 0.3 < trained[TINY.max_steps - 1] < 0.4 and 0.98 < trained[-1] <= 1.0


def test_half_precision_trains_nearly_the_same_network() -> None:
    """On the CPU too. bfloat16 has 8 bits of mantissa, so that a product is off by up to 0.4 %."""
    full, half, other = Bench(), Bench(), Bench(seed=5)
    curves = [
        np.array(bench.train(max_steps=40, patience=100, precision=precision))
        for bench, precision in ((full, "full"), (half, "bf16"), (other, "full"))
    ]
    away = [np.abs(curve[1:, 1:] / curves[0][1:, 1:] - 1).max() for curve in curves]
    assert 0 < away[1] < 0.02 < away[2], away  # another seed is the control
    assert all(p.dtype == torch.float32 for p in half.net.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_about_the_forecasts_of_the_cpu() -> None:
    past = sensors()
    one, two = (
        LSTM(**{**SMALL, "training": replace(TINY, device=device)}).fit(past, 5).predict(past)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(one.point, two.point, rtol=0.05)


class Copy(nn.Module):
    """Answers the last value of the first channel, moved by a single weight."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), known.shape[1], 3) + self.shift


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_any_network_of_that_shape_is_trained_and_the_loss_has_no_units(scale: float) -> None:
    """On a straight line the last value is too low by the step; the one weight learns how much, in scaled units."""
    data = panel(scale * np.arange(1.0, 101.0))
    windows = Windows.of(data, 10, 1)
    encoding = Encoding.of(data, Standard(), 1)
    net = Copy()
    split = split_by_time(data, 1, 10, 10)
    settings = Training(max_steps=300, learning_rate=0.02, l2=0.0, relative=0.0, device="cpu")
    train(net, windows, split, encoding, (0.25, 0.5, 0.75), settings, seed=0)
    assert float(net.shift.detach()) == pytest.approx(1 / np.std(np.arange(10)), rel=0.02)
