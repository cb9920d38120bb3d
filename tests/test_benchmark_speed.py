"""The benchmark of speed: what it compares, and what its tables say."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import peers_speed
import pytest
import rolling_origins
import speed
from real_data import needs_data

from tsforecast.errors import ConfigError
from tsforecast.models.recurrent import LSTM


def test_accuracies_are_compared_when_each_was_first_that_good() -> None:
    theirs = [speed.Reached(30.0, 1.2, 90), speed.Reached(61.0, 0.8, 180), speed.Reached(122.0, 0.9, 370)]
    ours = [speed.Reached(2.0, 0.9, 10), speed.Reached(6.1, 0.8, 40), speed.Reached(9.0, 0.5, 80)]
    assert speed.best(theirs) == theirs[1] and speed.first_at(ours, 0.85) == ours[1]
    expected = "X: OWA 0.800 after 61.0 s; tsforecast 0.800 after 6.1 s (40 steps): 10.0 times sooner"
    assert speed.sooner("X", theirs, ours) == expected
    assert speed.sooner("X", theirs, ours[:1]) == "X: OWA 0.800 after 61.0 s; tsforecast not at 0.800 after 2.0 s"


def test_a_peers_weights_are_kept_at_the_marks_and_the_last_one_ends_its_training() -> None:
    ticks = itertools.count(0.0, 4.0)  # seconds between two batches
    watch = peers_speed.Watch([5.0, 10.0, 11.0], clock=lambda: next(ticks))
    trainer = SimpleNamespace(global_step=0, should_stop=False)
    weight = np.zeros(1)
    tensor = SimpleNamespace(detach=lambda: tensor, clone=weight.copy)
    while not trainer.should_stop:
        trainer.global_step += 1
        weight[:] = trainer.global_step
        watch.on_train_batch_end(trainer, SimpleNamespace(state_dict=lambda: {"w": tensor}), None, None, 0)
    found = [(seconds, steps, weights["w"].item()) for seconds, steps, weights in watch.kept]
    assert found == [(8.0, 2, 2.0), (12.0, 3, 3.0), (16.0, 4, 4.0)]


LAST_VALUE = """#!{python}
import sys
import numpy as np
script, task, peer, given, answer = sys.argv[1:]
if peer == "neuralforecast":
    sys.exit("there is no package 'neuralforecast'")
held = np.load(given)
last = held["values"][np.cumsum(held["lengths"]) - 1]
point = np.repeat(last[:, None], held["horizon"], axis=1)
seconds, steps = held["marks"] + 0.5, 10 * held["marks"]
np.savez(answer, version="other 1.0", seconds=seconds, steps=steps, points=np.stack([2 * point, point]))
"""


def small(recipe: LSTM) -> LSTM:
    """For tests that are about the tables and not about the network."""
    return replace(recipe, input_size=48, patch_size=24, hidden_size=8, num_layers=1)


@pytest.mark.slow
@needs_data
@pytest.mark.usefixtures("one_thread")
def test_a_peer_that_repeats_the_last_value_gets_the_official_owa_of_naive(tmp_path, capsys, monkeypatch) -> None:
    default = speed.lstm
    monkeypatch.setattr(speed, "lstm", lambda steps, seed=0: small(default(steps, seed)))
    python = tmp_path / "python"
    python.write_text(LAST_VALUE.format(python=sys.executable))
    python.chmod(0o755)
    given = {"tables": "accuracy", "peers": python, "models": "neuralforecast,darts", "marks": "7,9", "steps": "1,2"}
    speed.main([f"--{name}={value}" for name, value in given.items()])
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "neuralforecast LSTM - not run: there is no package 'neuralforecast'" in printed
    assert "darts RNNModel 3.5929 9.5 90 steps, other 1.0" in printed
    assert any(line.startswith("season before 0.6275") for line in printed)
    ours = [line.split() for line in printed if line.startswith("tsforecast ")]
    assert [row[3:] for row in ours] == [["1", "steps"], ["2", "steps"]] and float(ours[0][1]) < 2
    (said,) = (line for line in printed if line.startswith("darts RNNModel: OWA 3.593 after 9.5 s; tsforecast "))
    assert "(1 steps)" in said or "(2 steps)" in said  # whichever was there sooner


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_the_speed_of_steps_and_origins_is_printed_without_other_libraries(capsys, monkeypatch) -> None:
    monkeypatch.setattr(rolling_origins, "RECIPE", small(rolling_origins.RECIPE))
    speed.main(["--tables", "step,origins", "--loop", "2", "--rounds", "1", "--origins", "20", "--models", "darts"])
    _, steps, origins = capsys.readouterr().out.split("\n\n")
    assert [line.split()[-1] for line in steps.splitlines()[1:3]] == ["ratio", "1.000"]
    assert [line.split()[-1] for line in origins.splitlines()[1:3]] == ["ratio", "1.00"]
    assert "darts RNNModel" in origins and "not run: --peers names no environment" in origins


def test_what_is_misspelled_about_speed_is_named(capsys, tmp_path) -> None:
    with pytest.raises(SystemExit, match="2"):
        speed.main(["--tables", "steps"])
    assert "there is no 'steps'; known are step, accuracy, origins" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="there is no such file; name an environment's bin/python"):
        speed.main(["--peers", str(tmp_path / "python")])
    with pytest.raises(ConfigError, match="--origins 20000: the series has 10320 steps, needs 20240"):
        speed.main(["--tables", "origins", "--origins", "20000"])
