"""The accuracy benchmarks score as the competitions and the long-horizon protocol do; what they score is not seen."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tsforecast.errors import ConfigError, DataError
from tsforecast.forecast import Forecast
from tsforecast.models.naive import Naive, SeasonalNaive
from tsforecast.models.recurrent import LSTM
from tsforecast.panel import Panel, View
from tsforecast.reading.readers import read_panel

sys.path.append(str(Path(__file__).parent / "benchmarks"))
import entries
import longterm
import longterm_published
import m3
import m4
import peers_speed
import rolling_origins
import speed

SHARED = Path(__file__).parents[2] / "shared"
needs_data = pytest.mark.skipif(not (SHARED / "data" / "m4").is_dir(), reason="the data are not beside this checkout")
SCORER = SHARED / "tools" / "m4_score.py"


@dataclass(frozen=True)
class Last:
    """The last value, plus a constant: a forecast that costs nothing, to test everything around it."""

    shift: float = 0.0
    seed: int = 0
    name = "last"

    def fit(self, past: Panel, horizon: int) -> Last:
        return self

    def predict(self, views: list[View]) -> list[Forecast]:
        return [self._forecast(view) for view in views]

    def _forecast(self, view: View) -> Forecast:
        past, future = view
        point = np.repeat(past.values[past.ends - 1, None], future.horizon, axis=1) + self.shift
        return Forecast(past.ids, future.times, past.freq, point, (), np.empty((*point.shape, 0)))


# ---- M4


@cache
def m4_task(name: str) -> m4.Task:
    return m4.task(SHARED / "data", name, False)


@cache
def official(method: str, name: str) -> np.ndarray:
    """A file of forecasts `[N, H]` in the order of the panel."""
    found = read_panel(SHARED / "data" / "m4" / "forecasts" / f"{method}-{name}.csv", layout="rows")
    return found.values[found.starts[:, None] + np.arange(m4.SETS[name].horizon)]


@needs_data
@pytest.mark.parametrize("name", ["Hourly", "Yearly"])
def test_the_official_forecasts_get_the_official_m4_scores(name: str) -> None:
    labels = {row.label: row.scores for row in m4.published(SHARED / "data", name)}
    for method in ("Naive", "sNaive", "Naive2"):
        found, expected = m4.scores(m4_task(name), official(method, name)), labels[method]
        assert found[:2] == pytest.approx(expected[:2], abs=5.001e-4), method
        assert found[2] == pytest.approx(expected[2], abs=3e-4)  # theirs is of rounded scores
    rolled = np.roll(official("Naive", name), 1, axis=0)  # every series scored with its neighbour's forecast
    assert m4.scores(m4_task(name), rolled)[0] > 1.5 * labels["Naive"][0]


@needs_data
@pytest.mark.parametrize(("name", "msis", "acd"), [("Hourly", 71.245, 0.011), ("Yearly", 56.554, 0.234)])
def test_our_naive_intervals_get_the_official_interval_scores_of_naive(name: str, msis: float, acd: float) -> None:
    (row,) = m4.judged("naive", [Naive()], m4_task(name))
    assert row.scores[3] == pytest.approx(msis, abs=6e-4)
    assert row.scores[4] == pytest.approx(acd, abs=6e-4)


@needs_data
@pytest.mark.skipif(not SCORER.is_file(), reason="the separate M4 scorer is not beside this checkout")
@pytest.mark.parametrize("method", ["SES", "218", "024"])
def test_a_separate_scorer_finds_the_same_m4_scores(method: str) -> None:
    scorer, data = module(SCORER), SHARED / "data" / "m4"
    truth = scorer.read_truth(data, scorer.FREQUENCIES["Hourly"])
    theirs, naive2 = (
        scorer.score(truth, scorer.read_forecasts(data / "forecasts" / f"{m}-Hourly.csv", truth)).means()
        for m in (method, "Naive2")
    )
    found = m4.scores(m4_task("Hourly"), official(method, "Hourly"))
    assert found[:3] == pytest.approx((*theirs, scorer.owa(theirs, naive2)), rel=1e-9)


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    sys.modules[path.stem] = found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_a_validation_run_forecasts_the_last_horizon_of_the_past_without_seeing_it() -> None:
    whole = longterm.channels(np.arange(40.0).reshape(20, 2) ** 2, season=1)
    this = m4.held_back(whole, m4.Rules(horizon=3, period=1))
    assert this.truth.tolist() == [[34.0**2, 36.0**2, 38.0**2], [35.0**2, 37.0**2, 39.0**2]]
    poisoned = replace(whole, values=whole.values + np.where(np.arange(40) % 20 >= 17, 1e9, 0.0))
    other = m4.held_back(poisoned, m4.Rules(horizon=3, period=1))
    assert (other.scale == this.scale).all() and (other.truth != this.truth).all()
    one, two = (m4.forecasts([Naive()], task)[0].point for task in (this, other))
    assert (one == two).all() and one[:, 0].tolist() == [32.0**2, 33.0**2]


def test_a_series_that_never_changed_has_no_mase_and_is_left_out_of_all_scores() -> None:
    values = np.stack([np.arange(20.0) + 1, np.full(20, 7.0)], axis=1)
    panel = longterm.channels(values, season=1)
    both, one = (m4.held_back(p, m4.Rules(2, 1)) for p in (panel, panel.take([0])))
    assert both.scale.tolist() == [1.0, 0.0]
    point = np.array([[18.0, 18.0], [50.0, 50.0]])
    smape = (200 / (18 + 19) + 200 * 2 / (18 + 20)) / 2
    assert m4.scores(both, point)[:3] == m4.scores(one, point[:1])[:3] == (pytest.approx(smape), 1.5, 1.0)


# ---- long horizons: the figures are the last value's, over all windows and with incomplete batches dropped

REPEAT = {
    ("ETTh1", 336): (2_545, "1.3299/0.7460", "1.3233/0.7443", "1.2915/0.7360"),
    ("ETTh1", 720): (2_161, "1.3351/0.7550", "1.3386/0.7559", "1.3529/0.7584"),
    ("exchange", 96): (1_422, "0.0811/0.1964", "0.0807/0.1959", "0.0807/0.1959"),
    ("exchange", 192): (1_326, "0.1671/0.2887", "0.1670/0.2886", "0.1666/0.2881"),
    ("exchange", 336): (1_182, "0.3057/0.3978", "0.3054/0.3963", "0.3054/0.3963"),
    ("exchange", 720): (798, "0.8101/0.6764", "0.8226/0.6811", "0.8226/0.6811"),
    ("ILI", 24): (170, "6.2133/1.6222", "6.5871/1.7007", "6.0497/1.6855"),
    ("ILI", 36): (158, "7.7138/1.9059", "7.1301/1.8839", "7.1301/1.8839"),
    ("ILI", 48): (146, "7.8513/1.9521", "6.5754/1.7984", "6.5754/1.7984"),
    ("ILI", 60): (134, "6.8849/1.7884", "5.8930/1.6770", "5.8930/1.6770"),
}
QUICK = (("ILI", 24), ("ILI", 60), ("exchange", 96), ("exchange", 720))


@needs_data
@pytest.mark.parametrize(
    ("name", "horizon"), [pytest.param(*key, marks=() if key in QUICK else pytest.mark.slow) for key in REPEAT]
)
def test_the_last_value_gets_its_known_errors_over_all_windows_and_with_batches_dropped(name, horizon) -> None:
    windows, *expected = REPEAT[name, horizon]
    for batch, errors in zip((1, 32, 128), expected, strict=True):
        this = longterm.task(SHARED / "data", name, horizon, drop_last=batch)
        assert len(this.origins) == windows - windows % batch
        found, _ = longterm.scores(this, [Last()])
        assert "/".join(f"{error:.4f}" for error in found) == errors, batch


@needs_data
@pytest.mark.slow
def test_naive_and_the_season_before_get_the_known_errors_through_the_models() -> None:
    table = longterm_published.PUBLISHED
    for name, horizon in (("ETTh1", 96), ("ILI", 24)):
        this = longterm.task(SHARED / "data", name, horizon)
        naive, season, _ = longterm.scores(this, [m(quantiles=(0.5,)).fit(this.training, horizon) for m in MODELS])
        assert naive == pytest.approx(table[name][horizon]["last value"], abs=5.01e-4)
        assert season == pytest.approx(table[name][horizon]["season before"], abs=5.01e-4)


MODELS = (Naive, SeasonalNaive)


@needs_data
def test_the_columns_that_exchange_rate_files_swap_do_not_matter_for_the_averages() -> None:
    text = np.loadtxt(SHARED / "data" / "exchange_rate" / "exchange_rate.txt", delimiter=",")
    this = longterm.task(SHARED / "data", "exchange", 720)
    scaled = (text - text[:5_311].mean(0)) / text[:5_311].std(0)
    other = this._replace(panel=longterm.channels(scaled, 7))
    one, two = (longterm.scores(t, [Last()])[0] for t in (this, other))
    assert one == pytest.approx(two, rel=1e-3) and (other.panel.values != this.panel.values).any()


def series(steps: int = 60) -> longterm.Task:
    """Two channels whose values are their row, and their row + 1000; windows of 4 steps begin at rows 50 to 56."""
    panel = longterm.channels(np.arange(steps)[:, None] + np.array([0.0, 1000.0]), season=1)
    return longterm.Task(panel, panel.cut(panel.starts + 40), range(50, steps - 3), 4)


def test_a_window_begins_where_its_past_ends_and_every_window_is_scored_once(monkeypatch) -> None:
    monkeypatch.setattr(longterm, "VALUES", 3 * 2 * 4)  # three windows at a time
    this, sizes, firsts = series(), [], []
    for views, truth in longterm.pieces(this):
        sizes.append(len(views))
        for (past, future), y in zip(views, truth, strict=True):
            assert past.lengths.tolist() == [y[0, 0]] * 2 and future.times[:, 0].tolist() == [y[0, 0]] * 2
            assert [past.series(i)[-1] for i in (0, 1)] == [y[0, 0] - 1, y[1, 0] - 1]
            assert (np.diff(y) == 1).all()
            firsts.append(y[0, 0])
    assert sizes == [3, 3, 1] and firsts == list(range(50, 57))
    assert this.training.series(0)[-1] == 39
    # 1, 2, 3, 4 too low: squares 1, 4, 9, 16
    assert longterm.scores(this, [Last()])[0] == (7.5, 2.5)


def test_the_mean_score_of_seeds_and_the_score_of_their_mean_forecast_are_told_apart() -> None:
    low, high, together = longterm.scores(series(), [Last(2.0), Last(3.0)])
    assert low == (1.5, 1.0) and high == (1.5, 1.0) and together == (1.25, 1.0)
    rows = longterm.judged("last", [Last(2.0, seed=4), Last(3.0, seed=5)], series())
    assert [(row.label, row.scores) for row in rows] == [
        ("last, seed 4", (1.5, 1.0)),
        ("last, seed 5", (1.5, 1.0)),
        ("last, mean score of 2 seeds", (1.5, 1.0)),
        ("last, mean forecast of 2 seeds", (1.25, 1.0)),
    ]


def test_the_published_means_follow_from_the_published_horizons() -> None:
    """The same means were published of their own for some models, to three digits."""
    found = {(name, row.label): row.scores for name in longterm.SETS for row in longterm.published(name, None)}
    assert found["ETTh1", "CycleNet"] == pytest.approx((0.416, 0.427), abs=1e-3)
    assert found["ETTh1", "SegRNN"] == pytest.approx((0.408, 0.428), abs=1e-3)
    assert found["ETTm1", "SegRNN"] == pytest.approx((0.347, 0.390), abs=1e-3)
    assert found["exchange", "last value"] == pytest.approx((0.341, 0.390), abs=1e-3)


# ---- M3


def test_the_published_m3_overall_scores_are_the_groups_weighted_by_forecasts_made() -> None:
    made = [645 * 6, 756 * 8, 1428 * 18, 174 * 8]
    for row in entries.published_rows(m3.PUBLISHED, 5):
        if not np.isnan(row.scores[4]):
            assert m3.overall(np.array(row.scores[:4]), made) == pytest.approx(row.scores[4], abs=0.02), row.label
    by_series = np.average([17.88, 9.95, 16.91, 6.30], weights=[645, 756, 1428, 174])
    assert by_series == pytest.approx(14.75, abs=0.01)  # not the published 15.47


@needs_data
def test_seasonal_naive_gets_its_known_m3_scores() -> None:
    groups = m3.tasks(SHARED / "data", list(m3.GROUPS), False)
    assert [len(task.past) for task in groups.values()] == [645, 756, 1428, 174]
    (row,) = m3.judged("seasonal_naive", [SeasonalNaive()], groups)
    assert row.scores[:4] == pytest.approx((17.88, 11.07, 17.23, 6.30), abs=5.01e-3)


# ---- the commands


def test_settings_and_seeds_reach_the_recipes() -> None:
    given = entries.new_parser("", "lstm,naive").parse_args(
        ["--seeds", "3,5", "--with", "lstm.hidden_size=16", "--with", "lstm.training.max_steps=70"]
    )
    models = entries.entries(given)
    assert [len(recipes) for recipes in models.values()] == [2, 1]
    for recipe, seed in zip(models["lstm"], (3, 5), strict=True):
        assert isinstance(recipe, LSTM) and recipe.seed == seed
        assert (recipe.hidden_size, recipe.training.max_steps) == (16, 70)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (["--models", "lsmt"], "unknown model 'lsmt'; did you mean 'lstm'"),
        (["--seeds", "0,0"], "--seeds 0,0: give different whole numbers"),
        (["--with", "hidden_size=3"], "write for example --with lstm.hidden_size=64"),
    ],
)
def test_what_is_misspelled_is_named(argument: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", ".")):
        entries.entries(entries.new_parser("", "lstm").parse_args(argument))


@pytest.mark.parametrize("benchmark", [m4, m3, longterm])
def test_without_the_data_a_benchmark_says_where_it_looked(benchmark, tmp_path, capsys) -> None:
    with pytest.raises(DataError, match=r"there is no file .* name the folder of the data collection with --data"):
        benchmark.main(["--models", "naive", "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        entries.run(lambda: benchmark.main(["--models", "naive", "--data", str(tmp_path)]))
    assert capsys.readouterr().err.count("\n") == 1


@needs_data
def test_one_command_prints_our_scores_above_the_published_ones(capsys) -> None:
    longterm.main(["--set", "ILI", "--horizon", "24,36,48,60", "--models", "naive,ridge"])
    tables = capsys.readouterr().out.strip().split("\n\n")
    assert [table.splitlines()[0].split(":")[0] for table in tables] == [
        *(f"ILI, horizon {h}, test rows" for h in (24, 36, 48, 60)),
        "ILI, mean over the horizons 24,36,48,60, test rows",
    ]
    assert all("naive" in table and "ridge" in table and "linear map, 104" in table for table in tables)
    longterm.main(["--set", "ILI", "--horizon", "24", "--models", "naive", "--validate"])
    assert "published" not in capsys.readouterr().out  # those are of the test rows


# ---- speed


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
