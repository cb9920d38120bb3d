"""What neuralforecast and darts need for the tasks of speed.py, which runs this file with the python of an environment
that has them; nothing of tsforecast is imported here.

    PYTHON peers_speed.py accuracy PEER IN.npz OUT.npz   train on all series; forecasts after the seconds asked for
    PYTHON peers_speed.py origins PEER IN.npz OUT.npz    train a little; forecast the last origins of one series

Settings are the peers' own defaults, which have a constant learning rate: the state of one long training after 30 s is
what a training of 30 s would have ended with. Where there is no default, the values follow the peer's documentation:
darts gets series scaled by its Scaler, in float32, three horizons of context (neuralforecast's rule) and, for RNNModel,
one horizon more while training. All run on the CPU. Exit status 3: the peer is not installed.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytorch_lightning as pl

Floats = npt.NDArray[np.float64]
Kept = list[tuple[float, int, dict[str, Any]]]
"""Seconds since the training began, steps taken, weights."""

NOT_INSTALLED = 3
ENDLESS = 10_000_000  # steps: the watch ends a training
QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False, "enable_model_summary": False}


class Watch(pl.Callback):
    """Keeps the weights after each of some seconds, and stops the training after the last."""

    def __init__(self, marks: Sequence[float], clock: Callable[[], float] = time.perf_counter) -> None:
        self.marks, self.clock, self.begun = sorted(marks), clock, clock()
        self.kept: Kept = []

    def __deepcopy__(self, memo: dict[int, Any]) -> Watch:
        return self  # peers copy their settings, and what is kept must be found again

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        passed = self.clock() - self.begun
        if len(self.kept) < len(self.marks) and passed >= self.marks[len(self.kept)]:
            weights = {name: value.detach().clone() for name, value in module.state_dict().items()}
            self.kept.append((passed, trainer.global_step, weights))
            trainer.should_stop = trainer.should_stop or len(self.kept) == len(self.marks)


class Peer(Protocol):
    """A model of another library on N series of their own lengths."""

    def __init__(self, series: list[Floats], horizon: int, watch: Watch) -> None: ...

    def fit(self) -> None:
        """Train until the watch says stop."""

    @property
    def module(self) -> Any:
        """The network, once fitted."""

    def forecast(self) -> Floats:
        """`[N, H]`, from the end of each series."""

    def roll(self, longer: Floats, origins: int) -> Floats:
        """`[origins, H]`, from the last origins of a longer version of the one series, one step apart."""


class NeuralForecast:
    """LSTM, which answers all steps at once."""

    def __init__(self, series: list[Floats], horizon: int, watch: Watch) -> None:
        from neuralforecast import NeuralForecast
        from neuralforecast.models import LSTM

        self.frame, self.horizon = self._frame(series), horizon
        self.models = NeuralForecast([LSTM(h=horizon, max_steps=ENDLESS, callbacks=[watch], **QUIET)], freq=1)

    @staticmethod
    def _frame(series: list[Floats]) -> pd.DataFrame:
        columns = {
            "unique_id": np.repeat(np.arange(len(series)), [len(y) for y in series]),
            "ds": np.concatenate([np.arange(len(y)) for y in series]),
        }
        return pd.DataFrame({**columns, "y": np.concatenate(series)})

    def fit(self) -> None:
        self.models.fit(self.frame)

    @property
    def module(self) -> Any:
        return self.models.models[0]

    def forecast(self) -> Floats:
        return np.asarray(self.models.predict()["LSTM"], np.float64).reshape(-1, self.horizon)

    def roll(self, longer: Floats, origins: int) -> Floats:
        made = self.models.cross_validation(
            self._frame([longer]), n_windows=origins, step_size=1, refit=False, use_fitted=True
        )
        return np.asarray(made["LSTM"], np.float64).reshape(origins, self.horizon)


class Darts:
    """RNNModel, which answers step by step."""

    def __init__(self, series: list[Floats], horizon: int, watch: Watch) -> None:
        self.series, self.horizon = [self._series(y) for y in series], horizon
        from darts.dataprocessing.transformers import Scaler

        self.scaler = Scaler()
        self.model = self._model(
            horizon, n_epochs=ENDLESS, random_state=0, pl_trainer_kwargs={**QUIET, "callbacks": [watch]}
        )

    def _model(self, horizon: int, **settings: Any) -> Any:
        from darts.models import RNNModel

        return RNNModel(model="LSTM", input_chunk_length=3 * horizon, training_length=4 * horizon, **settings)

    @staticmethod
    def _series(values: Floats) -> Any:
        from darts import TimeSeries

        return TimeSeries.from_values(values.astype(np.float32))

    def fit(self) -> None:
        self.scaled = self.scaler.fit_transform(self.series)
        self.model.fit(self.scaled, verbose=False)

    @property
    def module(self) -> Any:
        return self.model.model

    def forecast(self) -> Floats:
        made = self.model.predict(self.horizon, series=self.scaled, verbose=False)
        return np.stack([y.values()[:, 0] for y in self.scaler.inverse_transform(made)]).astype(np.float64)

    def roll(self, longer: Floats, origins: int) -> Floats:
        """Its forecasts stay scaled: undoing that one series at a time is no part of the model."""
        made = self.model.historical_forecasts(
            self.scaler.transform([self._series(longer)])[0],
            start=len(longer) - self.horizon - origins + 1,
            start_format="position",
            forecast_horizon=self.horizon,
            stride=1,
            retrain=False,
            last_points_only=False,
            verbose=False,
        )
        return np.stack([y.values()[:, 0] for y in made]).astype(np.float64)


class DartsBlock(Darts):
    """BlockRNNModel, which answers all steps at once."""

    def _model(self, horizon: int, **settings: Any) -> Any:
        from darts.models import BlockRNNModel

        return BlockRNNModel(model="LSTM", input_chunk_length=3 * horizon, output_chunk_length=horizon, **settings)


PEERS: dict[str, tuple[str, type[Peer]]] = {
    "neuralforecast": ("neuralforecast", NeuralForecast),
    "darts": ("darts", Darts),
    "darts_block": ("darts", DartsBlock),
}
"""Name -> the package to be installed, and the model."""


def accuracy(peer: type[Peer], series: list[Floats], horizon: int, marks: Sequence[float]) -> dict[str, Any]:
    """Seconds `[M]` of training and forecasting, steps `[M]` and forecasts `[M, N, H]` at each of M marks."""
    warm = peer(series[:2], horizon, Watch([0.0]))  # what a first call costs is no training
    warm.fit()
    warm.forecast()
    watch = Watch(marks)
    model = peer(series, horizon, watch)
    watch.begun = time.perf_counter()
    model.fit()
    seconds, points = [], []
    for passed, _, weights in watch.kept:
        begun = time.perf_counter()
        model.module.load_state_dict(weights)
        points.append(model.forecast())
        seconds.append(passed + time.perf_counter() - begun)
    return {"seconds": seconds, "steps": [steps for _, steps, _ in watch.kept], "points": np.stack(points)}


def origins(peer: type[Peer], series: list[Floats], horizon: int, many: int, rounds: int) -> dict[str, Any]:
    """Seconds `[rounds]` for the forecasts `[many, H]` from the last origins of the one series, one step apart."""
    (whole,) = series
    model = peer([whole[: len(whole) - horizon - many + 1]], horizon, Watch([0.0]))
    model.fit()
    seconds = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        point = model.roll(whole, many)
        seconds.append(time.perf_counter() - begun)
    assert point.shape == (many, horizon), f"forecasts {point.shape}, asked for {many} origins of {horizon} steps"
    weights = sum(weight.numel() for weight in model.module.parameters())
    return {"seconds": seconds[1:], "points": point, "weights": weights}


def main(task: str, name: str, given: str, answer: str) -> None:
    package, peer = PEERS[name]
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as missing:
        print(f"there is no package '{missing.name}'", file=sys.stderr)
        raise SystemExit(NOT_INSTALLED) from None
    with np.load(given) as held:
        series, horizon = np.split(held["values"], np.cumsum(held["lengths"])[:-1]), int(held["horizon"])
        if task == "accuracy":
            found = accuracy(peer, series, horizon, held["marks"].tolist())
        else:
            found = origins(peer, series, horizon, int(held["origins"]), int(held["rounds"]))
    np.savez(answer, version=f"{package} {metadata.version(package)}", **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
