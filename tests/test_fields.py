"""What is given for an option is of the type that is declared, or is refused where it was given."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tsforecast as tsf
from tsforecast.errors import ConfigError
from tsforecast.fields import plain_value
from tsforecast.models.schedule import Training

NUMBERS = tuple[float, ...]


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        (3, int, 3),
        (np.int64(3), int, 3),
        (np.float32(0.5), float, 0.5),
        (2, float, 2.0),
        (np.True_, bool, True),
        ([1, 0.5], NUMBERS, (1.0, 0.5)),
        (np.array([0.25, 0.5]), NUMBERS, (0.25, 0.5)),
        ((1, 1, 0), tuple[int, int, int], (1, 1, 0)),
        (None, int | None, None),
        (7, bool | int, 7),
        (True, bool | int, True),
        ("last", Literal["auto", "last"], "last"),
    ],
)
def test_a_value_of_the_declared_type_is_taken_in_pythons_own_types(value: Any, declared: Any, expected: Any) -> None:
    found = plain_value("here", value, declared)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "declared", "words"),
    [
        (True, int, "here=True: expected a whole number"),
        (2.5, int, "here=2.5: expected a whole number"),
        ("3", int | None, "here='3': expected a whole number or None"),
        (True, float, "here=True: expected a finite number"),
        (float("nan"), float, "here=nan: expected a finite number"),
        (1, bool, "here=1: expected true or false"),
        (0.5, NUMBERS, "here=0.5: expected a list of finite numbers"),
        ("0.5", NUMBERS, "here='0.5': expected a list of finite numbers"),
        ((1, 1), tuple[int, int, int], "here=(1, 1): expected a list of 3 whole numbers"),
        ("first", Literal["auto", "last"], "here='first': expected one of auto, last"),
        (3, Literal["auto", "last"], "here=3: expected one of auto, last"),
        ("hour", tuple[str, ...], "here='hour': expected a list of texts"),
        ({"max_steps": 3}, Training, "here={'max_steps': 3}: expected Training"),
    ],
)
def test_any_other_value_is_refused_with_what_is_expected(value: Any, declared: Any, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        plain_value("here", value, declared)
    assert str(error.value) == words


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_a_value_is_taken_as_a_whole_number_only_where_it_is_one(value: Any) -> None:
    whole = type(value) is int
    try:
        assert plain_value("here", value, int) == value
        assert whole
    except ConfigError:
        assert not whole


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tsf.LSTM(n_seeds="2"), "lstm.n_seeds='2': expected a whole number"),
        (lambda: tsf.LSTM(look_back=1), "lstm.look_back=1: expected a list of finite numbers"),
        (lambda: tsf.LSTM(scaling=None), "lstm.scaling=None: expected a text"),
        (lambda: tsf.LSTM(training={"max_steps": 3}), "lstm.training={'max_steps': 3}: expected Training"),
        (lambda: tsf.GRU(seed=1.5), "gru.seed=1.5: expected a whole number"),
        (lambda: tsf.Training(l2="0"), "training.l2='0': expected a finite number"),
        (lambda: tsf.Ridge(penalties=1.0), "ridge.penalties=1.0: expected a list of finite numbers"),
        (lambda: tsf.ARIMA(order=1), "arima.order=1: expected a list of 3 whole numbers"),
        (lambda: tsf.AutoARIMA(max_p=2.0), "autoarima.max_p=2.0: expected a whole number"),
        (lambda: tsf.SeasonalNaive(season_length="7"), "seasonal_naive.season_length='7': expected a whole number or"),
        (lambda: tsf.Naive2(season_length=1.5), "naive2.season_length=1.5: expected a whole number or None"),
        (lambda: tsf.Naive(quantiles=0.5), "naive.quantiles=0.5: expected a list of finite numbers"),
        (lambda: tsf.Drift(quantiles="0.5"), "drift.quantiles='0.5': expected a list of finite numbers"),
        (lambda: tsf.Plan(horizon=True), "horizon=True: expected a whole number or None"),
    ],
)
def test_a_mistyped_setting_of_a_recipe_is_refused_when_the_recipe_is_made(make: Any, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        make()
    assert str(error.value).startswith(words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"models": None}, "models: None is no list of models"),
        ({"quantiles": 0.5}, "quantiles=0.5: expected a list of finite numbers"),
        ({"margin": "2"}, "margin='2': expected a finite number"),
        ({"jobs": "2"}, "jobs='2': expected a whole number or None"),
        ({"threads": True}, "threads=True: expected a whole number"),
        ({"placebo": "2"}, "placebo='2': expected a whole number"),
        ({"calendar": "hour"}, "calendar='hour': expected a list of texts"),
        ({"benchmark": 3}, "benchmark=3: expected a text or None"),
        ({"seed": "1"}, "seed='1': expected a whole number"),
        ({"device": 3}, "device=3: expected a text"),
        ({"out": 3}, "out=3: expected a text or Path"),
    ],
)
def test_a_mistyped_option_of_a_backtest_is_refused(options: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"models": ["naive"], "horizon": 3, "n_windows": 2} | options
    with pytest.raises(ConfigError) as error:
        tsf.backtest(tsf.synthetic_sensors(), **given)
    assert str(error.value).startswith(words)


def test_a_recipe_of_numpys_numbers_equals_one_of_pythons() -> None:
    assert repr(tsf.LSTM(hidden_size=np.int64(8), dropout=np.float64(0.5))) == repr(
        tsf.LSTM(hidden_size=8, dropout=0.5)
    )
    assert repr(tsf.Plan(horizon=np.int64(3), refit=np.True_)) == repr(tsf.Plan(horizon=3, refit=True))
