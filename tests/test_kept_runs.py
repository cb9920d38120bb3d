"""A run folder: what goes on in it and what is refused, what is taken over, and numbers that are those in memory."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from kept_runs import MODELS, PLAN, TASKS, bytes_of, finished_tasks, kept, make_small, the_job, twelve

import tsforecast as tsf
from tsforecast.backtesting import make_job, run_backtest
from tsforecast.errors import ConfigError, DataError
from tsforecast.folds import Plan
from tsforecast.models.naive import Naive, SeasonalNaive
from tsforecast.panel import Panel
from tsforecast.running import queue
from tsforecast.running.ledger import Ledger
from tsforecast.running.run_folder import RunFolder
from tsforecast.running.trouble import Locked
from tsforecast.store import Place, run_kept


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch.setattr)


def test_a_kept_run_is_the_run_in_memory(tmp_path: Path) -> None:
    in_memory = run_backtest(twelve(), MODELS, PLAN)
    on_disk = kept(tmp_path / "r")
    assert on_disk.facts["digest"] == in_memory.facts["digest"]
    pd.testing.assert_frame_equal(on_disk.forecasts, in_memory.forecasts, check_dtype=False)
    assert len(finished_tasks(tmp_path / "r")) == TASKS


def done_tasks(folder: Path) -> dict[tuple[str, int], float]:
    """Series done per model and fit."""
    ledger = Ledger(folder / "work" / "ledger.sqlite")
    found: dict[tuple[str, int], float] = {}
    for entry in ledger.entries():
        assert entry.receipt is not None
        found[entry.task[:2]] = found.get(entry.task[:2], 0) + entry.task.last - entry.task.first
    ledger.close()
    return found


def test_the_size_of_a_task_changes_no_number_and_a_run_may_go_on_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = kept(tmp_path / "three").facts["digest"]
    for size in (5,):
        monkeypatch.setattr(queue, "FIRST", size)
        assert kept(tmp_path / str(size)).facts["digest"] == expected
    monkeypatch.setattr(queue, "FIRST", 2)
    place = tmp_path / "mixed"
    with pytest.raises(ZeroDivisionError):
        kept(place, job=stopping(7))
    assert 0 < len(finished_tasks(place)) < 18
    monkeypatch.setattr(queue, "FIRST", 5)
    assert kept(place).facts["digest"] == expected
    assert set(done_tasks(place).values()) == {12}, "every series once"


def stopping(after: int) -> object:
    """The job, which breaks off after some tasks."""
    job, told = the_job(), []
    answer = job.answer

    def some(task: object, folds: object) -> object:
        told.append(task)
        if len(told) > after:
            raise ZeroDivisionError
        return answer(task, folds)  # type: ignore[arg-type]

    job.__dict__["answer"] = some
    return job


def test_another_config_is_refused_with_what_differs_and_the_run_is_untouched(tmp_path: Path) -> None:
    kept(tmp_path / "r")
    before = bytes_of(tmp_path / "r")
    other = make_job(
        twelve(), MODELS | {"week": SeasonalNaive(season_length=5)}, Plan(horizon=4, n_windows=3, refit=True)
    )
    with pytest.raises(ConfigError) as error:
        kept(tmp_path / "r", job=other)
    for words in ("horizon was 3, is 4", "week.season_length was absent, is 5", "--fork NEWFOLDER", "--overwrite"):
        assert words in str(error.value)
    changed = twelve()
    values = changed.values.copy()
    values[5] += 1e-9
    with pytest.raises(ConfigError, match="the hash of the data was"):
        kept(tmp_path / "r", job=make_job(Panel(**{**vars(changed), "values": values}), MODELS, PLAN))
    with pytest.raises(ConfigError, match="the model drift was in it"):
        kept(tmp_path / "r", job=make_job(twelve(), {"naive": MODELS["naive"], "week": MODELS["week"]}, PLAN))
    assert bytes_of(tmp_path / "r") == before


def test_more_models_more_windows_and_later_data_cost_only_what_is_new(tmp_path: Path) -> None:
    place = tmp_path / "r"
    whole = twelve()
    early = whole.cut(whole.ends - 3)
    few = {"naive": MODELS["naive"]}
    kept(place, job=make_job(early, few, PLAN))
    first = finished_tasks(place)
    assert len(first) == 12
    kept(place, job=make_job(early, MODELS, PLAN))
    second = finished_tasks(place)
    assert first < second and len(second) == TASKS
    more = make_job(early, MODELS, Plan(horizon=3, n_windows=4, refit=True))
    kept(place, job=more)
    third = finished_tasks(place)
    assert second < third and len(third) == TASKS + 12
    later = make_job(whole, MODELS, Plan(horizon=3, n_windows=5, refit=True))
    result = kept(place, job=later)
    assert third < finished_tasks(place) and len(finished_tasks(place)) == TASKS + 24
    alone = run_backtest(whole, MODELS, Plan(horizon=3, n_windows=5, refit=True))
    assert result.facts["digest"] == alone.facts["digest"]


def test_another_question_to_the_verdict_computes_no_forecast(tmp_path: Path) -> None:
    kept(tmp_path / "r")
    job = the_job()
    job.__dict__["answer"] = None
    where = Place(out=tmp_path / "r")
    from tsforecast.running.how import How

    result = run_kept(job, where, How(), {"margin": 5.0, "device": "cpu"}, {"margin": 5.0}, lambda once: {})
    assert result.facts["margin"] == 5.0 and "resumed" not in result.facts


def test_a_fork_takes_over_what_is_the_same(tmp_path: Path) -> None:
    kept(tmp_path / "old")
    before = bytes_of(tmp_path / "old")
    models = {"naive": MODELS["naive"], "drift": MODELS["drift"], "week": SeasonalNaive(season_length=5)}
    job, told = make_job(twelve(), models, PLAN), []
    answer = job.answer
    job.__dict__["answer"] = lambda task, folds: told.append(task.model) or answer(task, folds)
    result = kept(tmp_path / "new", job=job, fork=tmp_path / "old")
    assert told == ["week"] * 12 and bytes_of(tmp_path / "old") == before
    assert result.facts["digest"] == run_backtest(twelve(), models, PLAN).facts["digest"]
    with pytest.raises(ConfigError, match="no run to take anything over from"):
        kept(tmp_path / "third", fork=tmp_path / "nothing")
    assert not (tmp_path / "third").exists()


def test_a_damaged_or_lost_part_is_made_again(tmp_path: Path) -> None:
    expected = kept(tmp_path / "r").facts["digest"]
    parts = sorted((tmp_path / "r" / "work" / "parts").iterdir())
    sound = parts[0].read_bytes()
    parts[0].write_bytes(sound[:-1] + b"x")
    parts[1].unlink()
    (tmp_path / "r" / "facts.json").unlink()
    with RunFolder(tmp_path / "r") as run, run.ledger.together():
        run.ledger.note("finished", "no")
    assert kept(tmp_path / "r").facts["digest"] == expected
    assert parts[0].read_bytes() == sound and parts[1].exists()


def test_a_ledger_of_another_form_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "r" / "work" / "parts").mkdir(parents=True)
    with sqlite3.connect(tmp_path / "r" / "work" / "ledger.sqlite") as ledger:
        ledger.execute("CREATE TABLE tasks (model TEXT, fold INTEGER, first INTEGER, last INTEGER)")
    ledger.close()
    with pytest.raises(DataError, match=r"cannot be read \(no such column: member\); start it anew, in another folder"):
        kept(tmp_path / "r")


def test_a_second_process_on_a_run_is_told_who_is_there(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "r"), pytest.raises(Locked, match=rf"process {os.getpid()} on ") as error:
        kept(tmp_path / "r")
    assert "wait for it, or stop it" in str(error.value)
    kept(tmp_path / "r")


def test_a_run_that_was_killed_at_once_or_between_two_renames_goes_on(tmp_path: Path) -> None:
    (tmp_path / "r" / "work" / "parts").mkdir(parents=True)
    expected = kept(tmp_path / "r").facts["digest"]
    (tmp_path / "r").rename(tmp_path / ".r.old")
    assert kept(tmp_path / "r").facts["resumed"] == "finished" and not (tmp_path / ".r.old").exists()
    kept(tmp_path / "r", overwrite=True)
    (tmp_path / "r").rename(tmp_path / ".r.old")
    assert kept(tmp_path / "r", overwrite=True).facts["digest"] == expected
    (tmp_path / ".r.old").mkdir()
    (tmp_path / ".r.old" / "left").touch()  # killed after the second rename
    assert kept(tmp_path / "r", overwrite=True).facts["digest"] == expected
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
    (tmp_path / "mine" / "work").mkdir(parents=True)
    (tmp_path / "mine" / "work" / "thesis.tex").touch()
    with pytest.raises(ConfigError, match="holds no run"):
        kept(tmp_path / "mine", overwrite=True)


def test_a_model_that_is_changed_in_its_code_is_another_model(tmp_path: Path) -> None:
    class Mine(Naive):
        pass

    def level(self: object) -> float:
        return 1.0

    def other(self: object) -> float:
        return 2.0

    Mine.level = level  # type: ignore[attr-defined]
    kept(tmp_path / "r", job=make_job(twelve(), {"mine": Mine()}, PLAN))
    Mine.level = other  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"mine\.code was"):
        kept(tmp_path / "r", job=make_job(twelve(), {"mine": Mine()}, PLAN))


def test_python_keeps_a_run_too_and_needs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = tsf.backtest(twelve(), "naive,drift", horizon=3, n_windows=2)
    assert list(tmp_path.iterdir()) == [], "no file without `out`"
    second = tsf.backtest(twelve(), "naive,drift", horizon=3, n_windows=2, out="r")
    again = tsf.backtest(twelve(), "naive,drift", horizon=3, n_windows=2, out=tmp_path / "r")
    assert first.facts["digest"] == second.facts["digest"] and again.facts["resumed"] == "finished"
