"""How fast the LSTM trains, becomes accurate and forecasts, beside a bare torch loop and other libraries' LSTMs.

    python tests/benchmarks/speed.py --peers OTHER/bin/python         all three tables; about 40 minutes
    python tests/benchmarks/speed.py --tables step,origins            without other libraries; about two minutes

step      milliseconds of a training step against a bare torch loop of the same network: see training_step.py.
accuracy  seconds to an OWA on M4 Hourly, from scratch, of fitting and forecasting; reading the files is not counted,
          nor what a first call of a library costs.
          Ours: one network of the default recipe, each line a training of its own with a schedule of so many steps.
          Theirs: one long training with their own defaults, forecasts after the --marks: see peers_speed.py.
          The season before and Naive2 stand beside them: what is reached without any training is no merit of one.
origins   one fitted network forecasts the last 1,000 origins of one long series (taxi, bundled), one step apart,
          against one pass: the bare network over the same 1,000 windows, cut and scaled beforehand, as one batch.

--peers names the python of an environment in which neuralforecast and darts are installed; without it they are left
out. Everything runs on the CPU, with as many threads as torch has here (OMP_NUM_THREADS). The OWA is of the test span:
nothing is chosen by it, it tells when.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import m4
import numpy as np
import numpy.typing as npt
import rolling_origins
import torch
import training_step
from entries import DATA, Floats, Row, print_table, run, timed
from rolling_origins import HORIZON

import tsforecast as tsf
from tsforecast.contract import Forecaster
from tsforecast.errors import ConfigError
from tsforecast.models.naive import SeasonalNaive
from tsforecast.models.naive2 import Naive2

TABLES = ("step", "accuracy", "origins")
PEERS = {
    "neuralforecast": "neuralforecast LSTM",
    "darts": "darts RNNModel",
    "darts_block": "darts BlockRNNModel",
}
SCRIPT = Path(__file__).with_name("peers_speed.py")
Arrays = dict[str, npt.NDArray[Any]]


# ---- other libraries, in their own environment


class NotRun(Exception):
    """Why a peer has no figures."""


def ask(python: str | None, task: str, peer: str, series: Sequence[Floats], **given: Any) -> Arrays:
    """What peers_speed.py answers to a task. Raises NotRun with the reason where it does not."""
    if python is None:
        raise NotRun("not run: --peers names no environment")
    with tempfile.TemporaryDirectory() as folder:  # peers write logs where they run
        question, answer = Path(folder, "in.npz"), Path(folder, "out.npz")
        np.savez(question, values=np.concatenate(series), lengths=[len(y) for y in series], **given)
        done = subprocess.run(
            [str(Path(python).absolute()), str(SCRIPT), task, peer, str(question), str(answer)],
            cwd=folder, env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
            text=True, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NotRun(f"not run: {(done.stderr.strip() or f'exit status {done.returncode}').splitlines()[-1]}")
        with np.load(answer) as found:
            return dict(found)


# ---- time to an accuracy


class Reached(NamedTuple):
    """A point of a learning curve: seconds of fitting and forecasting, the OWA then, the steps taken."""

    seconds: float
    owa: float
    steps: int


def best(curve: Sequence[Reached]) -> Reached:
    """The lowest OWA, and when it was first reached."""
    return min(curve, key=lambda point: (point.owa, point.seconds))


def first_at(curve: Sequence[Reached], owa: float) -> Reached | None:
    """The earliest point that is at least as good."""
    return min((point for point in curve if point.owa <= owa), default=None)


def sooner(label: str, theirs: Sequence[Reached], ours: Sequence[Reached]) -> str:
    """How much sooner we are where they are best, in a sentence."""
    goal = best(theirs)
    found = first_at(ours, goal.owa)
    said = f"{label}: OWA {goal.owa:.3f} after {goal.seconds:.1f} s; tsforecast "
    if found is None:
        return f"{said}not at {goal.owa:.3f} after {ours[-1].seconds:.1f} s"
    ratio = goal.seconds / found.seconds
    return f"{said}{found.owa:.3f} after {found.seconds:.1f} s ({found.steps} steps): {ratio:.1f} times sooner"


def fitted_and_scored(recipe: Forecaster, this: m4.Task, steps: int = 0) -> Reached:
    """A recipe from scratch."""
    (answer,), seconds = timed(m4.forecasts, [recipe], this)
    return Reached(seconds, scored(this, answer.point), steps)


def scored(this: m4.Task, point: Floats) -> float:
    """The OWA; infinite where a forecast is missing."""
    return float(np.nan_to_num(m4.scores(this, point)[2], nan=np.inf))


def our_curve(this: m4.Task, schedule: Sequence[int], seed: int) -> list[Reached]:
    """The default LSTM from scratch with each number of steps."""
    m4.forecasts([lstm(1, seed)], this)  # imports
    return [fitted_and_scored(lstm(steps, seed), this, steps) for steps in schedule]


def lstm(steps: int, seed: int = 0) -> tsf.LSTM:
    return tsf.LSTM(seed=seed, n_seeds=1, training=tsf.Training(max_steps=steps, device="cpu"))


def curve_rows(label: str, curve: Sequence[Reached], remark: str = "") -> list[Row]:
    """A line for each point."""
    return [Row(label, (p.owa,), p.seconds, f"{p.steps:,} steps{remark}") for p in curve]


def accuracy_table(options: argparse.Namespace) -> None:
    this = m4.task(options.data, "Hourly", False)
    rows = np.arange(0, len(this.past), options.every)
    this = m4.Task(this.past.take(rows), this.truth[rows], this.scale[rows])
    series = [this.past.series(i) for i in range(len(this.past))]
    theirs: dict[str, list[Reached]] = {}
    lines: list[Row] = []
    for peer in options.models:
        try:
            found = ask(options.peers, "accuracy", peer, series, horizon=this.truth.shape[1], marks=options.marks)
        except NotRun as reason:
            lines.append(Row(PEERS[peer], (np.nan,), remark=str(reason)))
            continue
        owas = [scored(this, point) for point in found["points"]]
        theirs[PEERS[peer]] = list(map(Reached, found["seconds"].tolist(), owas, found["steps"].tolist()))
        lines += curve_rows(PEERS[peer], theirs[PEERS[peer]], f", {found['version']}")
    ours = our_curve(this, options.steps, options.seed)
    untrained = (("season before", SeasonalNaive()), ("naive2", Naive2()))
    cheap = [Row(name, (p.owa,), p.seconds) for name, model in untrained for p in [fitted_and_scored(model, this)]]
    title = f"Time to accuracy, M4 Hourly, {len(series)} series; tsforecast LSTM of seed {options.seed}"
    print_table(title, ("OWA",), [*cheap, *curve_rows("tsforecast", ours), *lines], [], digits=4)
    for label, curve in theirs.items():
        print(sooner(label, curve, ours), flush=True)


# ---- many origins of one series


def origins_table(options: argparse.Namespace) -> None:
    panel, many = tsf.load_dataset("taxi"), options.origins
    if len(panel.values) < (most := many + 5 * HORIZON):
        raise ConfigError(f"--origins {many}: the series has {len(panel.values)} steps, needs {most}")
    ours = rolling_origins.measured(panel, many, options.rounds)
    lines = [Row(label, (1e3 * seconds, ratio)) for label, seconds, ratio in ours]
    given = {"horizon": HORIZON, "origins": many, "rounds": options.rounds}
    for peer in options.models:
        try:
            found = ask(options.peers, "origins", peer, [panel.series(0)], **given)
        except NotRun as reason:
            lines.append(Row(PEERS[peer], (np.nan, np.nan), remark=str(reason)))
            continue
        seconds = float(np.median(found["seconds"]))
        remark = f"{int(found['weights']):,} weights, {found['version']}"
        lines.append(Row(PEERS[peer], (1e3 * seconds, seconds / ours[0].seconds), remark=remark))
    print_table(f"{many:,} origins of one series, horizon {HORIZON}", ("ms", "ratio"), lines, [], digits=2)


# ---- the command


def step_table(options: argparse.Namespace) -> None:
    lines = [Row(s.label, (s.milliseconds, s.ratio)) for s in training_step.measured(options.loop, options.rounds)]
    title = f"A training step; ratio: of ours to it, {options.loop} steps, median of {options.rounds} rounds"
    print_table(title, ("ms/step", "ratio"), lines, [], digits=3)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=names(TABLES), default=list(TABLES), help="default: step,accuracy,origins")
    parser.add_argument("--peers", metavar="PYTHON", help="the python of an environment with neuralforecast and darts")
    parser.add_argument("--models", type=names(PEERS), default=list(PEERS), help=f"default: {','.join(PEERS)}")
    parser.add_argument("--steps", type=counts, default=[10, 25, 50, 100, 200, 400, 800], help="of our schedules")
    parser.add_argument(
        "--marks", type=counts, default=[10, 20, 30, 60, 120, 240, 600], help="seconds of the peers' training"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="only every k-th series of M4 Hourly, to try it out")
    parser.add_argument("--origins", type=int, default=1_000)
    parser.add_argument("--loop", type=int, default=500, help="steps of the bare loop")
    parser.add_argument("--rounds", type=int, default=5, help="of step and origins")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data collection")
    options = parser.parse_args(arguments)
    if options.peers is not None and not Path(options.peers).is_file():
        raise ConfigError(f"--peers {options.peers}: there is no such file; name an environment's bin/python")
    print(f"python {sys.version.split()[0]}, torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    for table in options.tables:
        {"step": step_table, "accuracy": accuracy_table, "origins": origins_table}[table](options)


def names(known: Sequence[str] | dict[str, str]) -> Callable[[str], list[str]]:
    def parsed(text: str) -> list[str]:
        found = [name.strip() for name in text.split(",")]
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no '{name}'; known are {', '.join(known)}")
        return found

    return parsed


def counts(text: str) -> list[int]:
    found = sorted({int(number) for number in text.split(",")})
    if found[0] < 1:
        raise argparse.ArgumentTypeError("give numbers of at least 1")
    return found


if __name__ == "__main__":
    run(main)
