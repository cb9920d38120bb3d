"""`import tsforecast as tsf` as people use it: the public names, and `backtest` from whatever holds data and models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from tsforecast.api import Options
from tsforecast.cli_options import RUN, VERDICT, WORKING
from tsforecast.config import READING, RunConfig

SMALL = {"horizon": 3, "n_windows": 2}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=60)
    values = np.random.default_rng(1).normal(size=(2, 60)).cumsum(axis=1)
    return pd.concat(pd.DataFrame({"unique_id": i, "ds": days, "y": v}) for i, v in zip("ab", values, strict=True))


def test_every_public_name_is_there_and_listed() -> None:
    assert set(tsf.__all__) <= set(dir(tsf))
    found = {name: getattr(tsf, name) for name in tsf.__all__}
    assert all(value.__module__.startswith("tsforecast.") and value.__doc__ for value in found.values())
    assert found["backtest"] is tsf.backtest and callable(tsf.backtest)
    with pytest.raises(AttributeError, match="no attribute 'LSMT'"):
        tsf.LSMT  # noqa: B018


def test_the_names_for_type_checkers_are_those_that_are_imported_when_used() -> None:
    source = Path(tsf.__file__).read_text(encoding="utf-8")
    for name in tsf.__all__:
        assert f"from {getattr(tsf, name).__module__} import {name} as {name}\n" in source


def test_a_backtest_is_the_same_from_a_panel_a_frame_a_file_and_a_wide_frame(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame.to_csv(tmp_path / "d.csv", index=False)
    wide = frame.pivot(index="ds", columns="unique_id", values="y")
    sources = [frame, tsf.Panel.from_frame(frame), tmp_path / "d.csv", str(tmp_path / "d.csv"), wide]
    found = [tsf.backtest(source, "naive,drift", **SMALL) for source in sources]
    for other in found[1:]:
        pd.testing.assert_frame_equal(other.forecasts, found[0].forecasts)
        assert other.facts["data_hash"] == found[0].facts["data_hash"]
    assert [r.facts["data"] for r in found] == ["DataFrame", "Panel", "d.csv", "d.csv", "DataFrame"]


@pytest.mark.parametrize(
    ("models", "names"),
    [
        ("naive,Seasonal-Naive", ["naive", "seasonal_naive"]),
        (["naive", tsf.Drift()], ["naive", "drift"]),
        (tsf.Naive(), ["naive"]),
        ({"a": tsf.Naive(), "b": "drift", "c": {"model": "naive"}, "naive": None}, ["a", "b", "c", "naive"]),
        ({"week": {"model": "seasonal_naive", "season_length": 7}}, ["week"]),
    ],
)
def test_models_are_given_as_names_recipes_or_settings(frame: pd.DataFrame, models: Any, names: list[str]) -> None:
    result = tsf.backtest(frame, models, **SMALL)
    assert list(result.models) == names == list(dict.fromkeys(result.forecasts["model"]))


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ("naiv", "did you mean 'naive'?"),
        (["naive", tsf.Naive()], "two models are called 'naive'"),
        ([3], "3 is no model"),
        ([tsf.Naive], r"Naive is a class of models: give one model, such as Naive\(\)"),
        (tsf.Naive, "is a class of models"),
        ([], "no model to backtest"),
        ({"naive": {"quantils": [0.5]}}, "did you mean 'quantiles'?"),
    ],
)
def test_what_is_no_model_is_refused(frame: pd.DataFrame, models: Any, words: str) -> None:
    with pytest.raises(tsf.ConfigError, match=words):
        tsf.backtest(frame, models, **SMALL)


def test_an_unknown_option_is_refused_with_the_nearest_one(frame: pd.DataFrame) -> None:
    with pytest.raises(tsf.ConfigError, match=r"unknown option 'horzon'; did you mean 'horizon'\?"):
        tsf.backtest(frame, "naive", horzon=3)


def test_a_model_of_ones_own_can_be_backtested(frame: pd.DataFrame) -> None:
    class Zero:
        """Nothing but the two methods of the protocol."""

        name = "zero"

        def fit(self, past: tsf.Panel, horizon: int, /) -> Zero:
            return self

        def predict(self, views: list[tsf.View], /) -> list[tsf.Forecast]:
            return [
                tsf.Forecast(
                    past.ids, future.times, past.freq, np.zeros((len(past), future.horizon)), (0.5,),
                    np.zeros((len(past), future.horizon, 1)),
                )
                for past, future in views
            ]  # fmt: skip

    assert isinstance(Zero(), tsf.Forecaster)
    result = tsf.backtest(frame, [Zero(), "naive"], **SMALL)
    zero = result.forecasts[result.forecasts["model"] == "zero"]
    assert (zero["forecast"] == 0).all() and len(result.failures) == 0
    assert result.scores().set_index("model").loc["zero", "mae"] == pytest.approx(zero["y"].abs().mean())


def test_quantiles_and_seed_reach_models_given_by_name_only(frame: pd.DataFrame) -> None:
    result = tsf.backtest(frame, ["naive"], quantiles=(0.1, 0.5, 0.9), **SMALL)
    assert result.levels == (0.1, 0.5, 0.9)
    own = tsf.backtest(frame, [tsf.Naive(quantiles=(0.25, 0.5, 0.75))], quantiles=(0.1, 0.5, 0.9), **SMALL)
    assert own.levels == (0.25, 0.5, 0.75)


def test_python_and_config_spell_every_setting_the_same_way() -> None:
    hints = get_type_hints(tsf.backtest)
    own = set(hints) - {"return", "reading", "on_progress", "data", "models", "prepare", "out", "overwrite"}
    assert own < set(RunConfig.model_fields)
    reading = set(RunConfig.model_fields) - own - {"data", "models", "require"}
    assert reading == set(READING)
    trust, work = {"audit", "placebo", "benchmark", "margin"}, {"executor", "jobs", "threads", "task_limit"}
    assert set(Options.__annotations__) == (own - trust - work) | set(READING), (
        "audit and plan take what backtest takes"
    )
    flags = {*RUN, *VERDICT, *WORKING} - {"config", "set_"}
    assert own | {"require"} | set(READING) | {"data", "models"} == flags | NO_FLAG


NO_FLAG = {"quantiles", "sep", "decimal", "encoding"}
"""Settings that have no flag of their own; --set reaches them."""


# ---- a preparation of one's own, models made from the panel, audit and plan


def centred(panel: tsf.Panel) -> tsf.Panel:
    """A leak: a past-only feature that holds tomorrow's value."""
    table = panel.to_frame()
    table["mean"] = table.groupby("unique_id")["y"].transform(lambda y: y.rolling(3, center=True, min_periods=1).mean())
    return tsf.Panel.from_frame(table, hist_exog=["mean"])


def lagged(panel: tsf.Panel) -> tsf.Panel:
    """The same without the leak."""
    table = panel.to_frame()
    table["mean"] = table.groupby("unique_id")["y"].transform(lambda y: y.rolling(3, min_periods=1).mean())
    return tsf.Panel.from_frame(table, hist_exog=["mean"])


def test_a_preparation_of_ones_own_is_what_the_models_see(frame: pd.DataFrame) -> None:
    seen: list[tuple[str, ...]] = []

    def watching(panel: tsf.Panel) -> tsf.Naive:
        seen.append(panel.hist_names + panel.futr_names)
        return tsf.Naive()

    result = tsf.backtest(frame, {"mine": watching, "drift": None}, prepare=lagged, calendar=["weekday"], **SMALL)
    assert list(result.models) == ["mine", "drift"] and seen == [("mean", *seen[0][1:])] and len(seen[0]) > 1
    assert result.facts["hist_exog"] == ["mean"] and result.facts["kinds"]["mine"] == "naive"


def test_the_audit_finds_a_preparation_that_looks_ahead_and_passes_one_that_does_not(frame: pd.DataFrame) -> None:
    result = tsf.backtest(frame, "naive,drift", prepare=centred, audit=True, **SMALL)
    found = result.facts["audit"]
    assert not found["passed"] and not found["preparation"]["passed"] and "mean" in found["preparation"]["sentence"]
    assert {c.word for c in result.comparisons("naive")} == {"invalid"}
    good = tsf.audit(frame, "naive,drift", prepare=lagged, n_folds=1, **SMALL)
    assert good.passed and good.preparation is not None and good.preparation.passed and len(good.folds) == 1
    assert not tsf.audit(frame, "naive", prepare=centred, **SMALL).passed


def test_audit_stays_a_function_once_its_module_is_imported(frame: pd.DataFrame) -> None:
    assert tsf.audit(frame, "naive", n_folds=1, **SMALL).passed
    assert all(callable(getattr(tsf, name)) for name in tsf.__all__)


def test_a_plan_in_python_says_what_the_command_line_says(frame: pd.DataFrame) -> None:
    found = tsf.plan(frame, "naive,drift", horizon=1, n_windows=20)
    assert found.n_origins == 20 and len(found.sentences) == 5
    assert {cost.model for cost in found.costs} == {"naive", "drift"}


def test_benchmark_and_margin_are_facts_of_the_result(frame: pd.DataFrame) -> None:
    result = tsf.backtest(frame, "naive,drift", benchmark="drift", margin=7, **SMALL)
    assert (result.facts["benchmark"], result.facts["margin"]) == ("drift", 7.0)
    assert result.verdict().benchmark == "drift" and result.verdict().margin == 7.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"benchmark": "naiv"}, "the run has no such model; did you mean 'naive'"),
        ({"margin": 0}, "margin=0.0: give a percentage"),
        ({"margin": float("nan")}, "margin=nan"),
        ({"placebo": -1, "models": "naive,ridge"}, "placebo=-1"),
        ({"models": [lambda panel: tsf.Naive()]}, "give it one: {'mine': function}"),
        ({"models": {"mine": lambda panel: 3}}, "model 'mine': the function answered with int"),
        ({"prepare": lambda panel: panel.to_frame()}, "prepare answered with DataFrame; it must return a Panel"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(frame: pd.DataFrame, options: Any, words: str) -> None:
    with pytest.raises(tsf.ConfigError) as caught:
        tsf.backtest(frame, **{"models": "naive,drift", **SMALL, **options})
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_audit_and_plan_refuse_unknown_options_too(frame: pd.DataFrame) -> None:
    with pytest.raises(tsf.ConfigError, match=r"audit: unknown option 'horzon'; did you mean 'horizon'\?"):
        tsf.audit(frame, "naive", horzon=3)  # type: ignore[call-arg]
    with pytest.raises(tsf.ConfigError, match=r"plan: unknown option 'margin'"):
        tsf.plan(frame, "naive", margin=3)  # type: ignore[call-arg]


def test_progress_over_audit_and_backtest_never_goes_back(frame: pd.DataFrame) -> None:
    heard: list[tuple[float, str]] = []
    tsf.backtest(frame, "naive,drift", audit=True, on_progress=lambda s, name: heard.append((s, name)), **SMALL)
    shares = [share for share, _ in heard]
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(shares)
    assert {"audit naive", "drift", "done"} <= {name for _, name in heard}


def test_progress_runs_from_nought_to_one_and_names_the_model(frame: pd.DataFrame) -> None:
    heard: list[tuple[float, str]] = []
    tsf.backtest(frame, "naive,drift", refit=True, on_progress=lambda share, name: heard.append((share, name)), **SMALL)
    shares = [share for share, _ in heard]
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(shares)
    assert {name for _, name in heard} == {"naive", "drift", "done"}


def test_what_is_given_is_not_changed(frame: pd.DataFrame) -> None:
    before = frame.copy(deep=True)
    tsf.backtest(frame, "naive", **SMALL)
    pd.testing.assert_frame_equal(frame, before)
