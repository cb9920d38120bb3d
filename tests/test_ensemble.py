"""The mean of several models, and a task for each of them: the same bits as fitted together, each kept by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import SMALL, folds, sensors
from kept_runs import finished_tasks, kept, twelve
from misbehaving import Several

from tsforecast.backtesting import make_job, run_backtest
from tsforecast.contract import Failure, Forecast
from tsforecast.ensemble import mean_forecast, members_of
from tsforecast.errors import ConfigError
from tsforecast.folds import Plan
from tsforecast.models.naive import Naive
from tsforecast.models.recurrent import LSTM
from tsforecast.panel import Panel
from tsforecast.reporting import report
from tsforecast.results import BacktestResult
from tsforecast.running.how import How
from tsforecast.running.job import Job
from tsforecast.running.ledger import Ledger, Stretch
from tsforecast.running.memory import InMemory
from tsforecast.running.queue import Queue
from tsforecast.running.status import status_of
from tsforecast.running.verify import verify_task

PLAN = Plan(horizon=3, n_windows=4, refit=2)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "write_report", lambda result, path: path.write_text("a page"))


def forecast(values: Any, levels: tuple[float, ...] = (0.1, 0.5), failures: tuple[Failure, ...] = ()) -> Forecast:
    """Of series a, b, ... over the steps of `values`; every quantile is the point."""
    point = np.asarray(values, dtype=np.float64)
    ids, times = tuple("abcdef"[: len(point)]), np.tile(np.arange(point.shape[1]), (len(point), 1))
    quantiles = np.repeat(point[:, :, None], len(levels), axis=2)
    return Forecast(ids, times, twelve().freq, point, levels, quantiles, failures)


# ---- the mean


def test_the_mean_is_taken_of_points_and_quantiles_and_what_each_said_is_kept() -> None:
    found = mean_forecast({"one": forecast([[1, 2]]), "two": forecast([[3, 8]])})
    assert found.point.tolist() == [[2, 5]] and found.quantiles.tolist() == [[[2, 2], [5, 5]]]
    assert found.members is not None and found.members.tolist() == [[[1, 2]], [[3, 8]]]
    alone = forecast([[1, 2]])
    assert mean_forecast({"": alone}) is alone


def test_the_mean_of_the_same_is_the_same_though_sums_are_rounded() -> None:
    tenth = forecast([[0.1]])
    assert (0.1 + 0.1 + 0.1) / 3 != 0.1, "control"
    assert mean_forecast({"one": tenth, "two": tenth, "three": tenth}).point.item() == 0.1


def test_quantiles_that_do_not_cross_do_not_cross_in_the_mean() -> None:
    rng = np.random.default_rng(0)
    steps = np.sort(rng.normal(size=(7, 6, 40, 5)) * 10.0 ** rng.integers(-9, 9, size=(7, 6, 40, 1)), axis=3)
    steps[:, :, :, 2] = steps[:, :, :, 1]
    base = forecast(np.zeros((6, 40)), (0.1, 0.2, 0.5, 0.8, 0.9))
    each = {str(k): replace(base, quantiles=one) for k, one in enumerate(steps)}
    assert (np.diff(mean_forecast(each).quantiles, axis=2) >= 0).all()


def test_a_series_that_one_failed_on_has_no_forecast_and_the_reason_says_which() -> None:
    short = Failure("b", "too short")
    one = forecast([[1], [np.nan], [3]], failures=(short,))
    two = forecast([[2], [np.nan], [np.nan]], failures=(short, Failure("c", "diverged")))
    found = mean_forecast({"seed 3": one, "seed 4": two})
    assert found.failures == (short, Failure("c", "seed 4: diverged"))
    np.testing.assert_array_equal(found.point, [[1.5], [np.nan], [np.nan]])
    np.testing.assert_array_equal(found.members, [[[1], [np.nan], [np.nan]], [[2], [np.nan], [np.nan]]])


def test_a_member_that_said_nothing_at_all_leaves_no_number() -> None:
    silent = replace(forecast([[np.nan]], levels=()), failures=(Failure("a", "killed"),))
    found = mean_forecast({"one": forecast([[1.0]]), "two": silent})
    assert found.levels == (0.1, 0.5) and np.isnan(found.quantiles).all() and np.isnan(found.point).all()


def test_a_recipe_names_its_members_by_their_seeds_and_they_look_back_as_it_says_in_turn() -> None:
    shares = {4: 1.0, 5: 0.5, 6: 1.0}
    members = {f"seed {seed}": LSTM(seed=seed, n_seeds=1, look_back=(share,)) for seed, share in shares.items()}
    assert members_of(LSTM(seed=4, n_seeds=3)) == members
    assert members_of(members["seed 5"]) == {"seed 5": members["seed 5"]}
    assert members_of(Naive()) == {"": Naive()}


# ---- in tasks of their own


def answered(result: BacktestResult, model: str) -> bytes:
    """The bits of all points, quantiles and members."""
    told = result.forecasts[result.forecasts["model"] == model].drop(columns=["model", "unique_id", "cutoff", "ds"])
    members = result.members[result.members["model"] == model]["forecast"]
    return told.to_numpy(dtype=np.float64).tobytes() + members.to_numpy().tobytes()


@pytest.fixture(scope="module")
def data() -> Panel:
    return sensors((300, 290, 280))  # enough to hold out that networks are trained


LSTMS = LSTM(**{**SMALL, "seed": 3, "n_seeds": 3})
FOLDS = Plan(horizon=5, n_windows=2)


@pytest.fixture(scope="module")
def serial(data: Panel) -> BacktestResult:
    return run_backtest(data, {"lstm": LSTMS}, FOLDS)


def test_networks_in_tasks_of_their_own_say_what_the_recipe_says_when_asked_directly(
    one_thread: None, data: Panel, serial: BacktestResult
) -> None:
    both = folds(data, horizon=5, n_windows=2)
    fitted = LSTMS.fit(both[0].training, 5)
    told = fitted.predict([fold.view for fold in both])
    assert (
        np.concatenate([f.point.ravel() for f in told]).tobytes() == serial.forecasts["forecast"].to_numpy().tobytes()
    )
    quantiles = serial.forecasts[[c for c in serial.forecasts if c[:2] == "q0"]].to_numpy()
    assert np.concatenate([f.quantiles.reshape(-1, quantiles.shape[1]) for f in told]).tobytes() == quantiles.tobytes()
    members = np.concatenate([f.members.ravel() for f in told if f.members is not None])
    assert members.tobytes() == serial.members["forecast"].to_numpy().tobytes() and set(serial.members["seed"]) == {
        0,
        1,
        2,
    }
    pd.testing.assert_frame_equal(serial.curves[fitted.curves.columns], fitted.curves)
    assert len(serial.tasks) == 2 and serial.tasks["fit_seconds"].tolist()[1] == 0


@pytest.mark.slow
def test_worker_processes_train_the_same_networks(data: Panel, serial: BacktestResult) -> None:
    found = run_backtest(data, {"lstm": LSTMS}, FOLDS, how=How(executor="processes", jobs=2))
    assert found.facts["digest"] == serial.facts["digest"] and len(found.curves)


def test_a_run_that_was_killed_after_two_of_five_seeds_trains_the_other_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(twelve(), {"naive": Naive(), "several": Several()}, Plan(horizon=3, n_windows=2))
    heard: list[tuple[float, str]] = []
    expected = run_backtest(twelve(), job.recipes, job.plan, on_progress=lambda *told: heard.append(told))
    np.testing.assert_allclose([share for share, _ in heard], [0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert [name for _, name in heard] == ["naive", *(f"several seed {seed}" for seed in range(5, 10)), "done"]
    assert expected.failures.empty and len(expected.members) == 5 * 12 * 2 * 3
    trained: list[str] = []
    answer = Job.answer

    def counted(self: Job, task: Stretch, group: Any) -> Any:
        trained.append(self.name(task))
        if len(trained) == 4:
            raise KeyboardInterrupt
        return answer(self, task, group)

    monkeypatch.setattr(Job, "answer", counted)
    with pytest.raises(KeyboardInterrupt, match="70 % of the work is done"):
        kept(tmp_path / "r", job=job)
    naive, several = status_of(tmp_path / "r").models
    assert (naive.done, naive.whole, several.done, several.whole, several.tasks) == (12, 12, 24, 60, 2)
    result = kept(tmp_path / "r", job=job)
    assert trained[4:] == ["several seed 7", "several seed 8", "several seed 9"]
    assert result.facts["digest"] == expected.facts["digest"]
    assert answered(result, "several") == answered(expected, "several")


def test_as_many_members_are_handed_out_at_once_as_there_are_workers() -> None:
    job = make_job(twelve(), {"several": Several()}, PLAN)
    queue = Queue(job, InMemory())
    assert [queue.take(["several"], jobs=2) for _ in range(2)] == [Stretch("several", 0, 0, 12, k) for k in (0, 1)]
    assert queue.left("several") == 12 * (5 * 2 - 2)


def test_each_member_is_a_task_that_is_kept_verified_and_taken_over_by_itself(tmp_path: Path) -> None:
    few = make_job(twelve(), {"several": Several(n_seeds=2)}, Plan(horizon=3, n_windows=2))
    kept(tmp_path / "r", job=few)
    ledger = Ledger(tmp_path / "r" / "work" / "ledger.sqlite", readonly=True)
    assert [entry.task for entry in ledger.entries()] == [Stretch("several", 0, 0, 12, k) for k in range(2)]
    ledger.close()
    words = {verify_task(tmp_path / "r", few, seed=seed).sentence for seed in range(8)}
    assert {w.split(",")[0] for w in words} == {"several seed 5", "several seed 6"} and all(
        "the same" in w for w in words
    )
    more = make_job(twelve(), {"several": Several(n_seeds=4)}, few.plan)
    with pytest.raises(ConfigError, match=r"several\.n_seeds was 2, is 4"):
        kept(tmp_path / "r", job=more)
    before = finished_tasks(tmp_path / "r")
    result = kept(tmp_path / "s", job=more, fork=tmp_path / "r")
    after = finished_tasks(tmp_path / "s")
    assert before < after and len(after) == 4
    assert result.facts["digest"] == run_backtest(twelve(), more.recipes, more.plan).facts["digest"]


def test_a_member_that_raises_costs_the_model_that_fit_with_the_seed_and_the_reason(tmp_path: Path) -> None:
    job = make_job(twelve(), {"naive": Naive(), "several": Several("raises")}, PLAN)
    result = kept(tmp_path / "r", job=job)
    assert set(result.failures["reason"]) == {"seed 7: ZeroDivisionError: no luck today"}
    assert set(result.failures["model"]) == {"several"} and len(result.failures) == 12 * 4
    assert result.members["forecast"].isna().all()
    naive, several = status_of(tmp_path / "r").models
    assert (naive.failed, several.failed) == (0, 48), "as often as in the result, though five were asked"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("is killed", "seed 7: its worker process died (SIGKILL(-9))"),
        ("hangs", "seed 7: took longer than the limit of 3 seconds"),
    ],
)
def test_a_member_that_takes_its_worker_along_costs_the_model_and_no_other(how: str, reason: str) -> None:
    models = {"naive": Naive(), "several": Several(how)}
    limit = 3.0 if how == "hangs" else None
    result = run_backtest(
        twelve(), models, Plan(horizon=3, n_windows=1), how=How(executor="processes", jobs=2, task_limit=limit)
    )
    assert set(zip(result.failures["model"], result.failures["reason"], strict=True)) == {("several", reason)}
    assert len(result.failures) == 12 and result.forecasts.query("model == 'naive'")["forecast"].notna().all()
