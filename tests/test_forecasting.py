"""`tsf.forecast`: what comes after the end of the data is what a backtest says at that cutoff, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from tsforecast.contract import Forecast
from tsforecast.models.naive import Naive
from tsforecast.panel import Panel
from tsforecast.running.numerics import pinned

HORIZON = 7
NAMES = {"id": "shop", "time": "day", "target": "sales"}
SMALL = tsf.LSTM(n_seeds=2, hidden_size=8, gated_maps=1, training=tsf.Training(max_steps=8, device="cpu"))


def sales(steps: int = 120) -> pd.DataFrame:
    """Two shops with a week's pattern, and days with an offer that sell 10 more."""
    rng, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=steps)
    frames = []
    for shop in ("north", "south"):
        offer = rng.integers(0, 2, steps)
        sold = 50 + 10 * offer + 5 * np.sin(np.arange(steps) * 2 * np.pi / 7) + rng.normal(size=steps)
        frames.append(pd.DataFrame({"shop": shop, "day": days, "sales": sold, "offer": offer}))
    return pd.concat(frames, ignore_index=True)


def before(frame: pd.DataFrame, days: int = HORIZON) -> pd.DataFrame:
    """Without the last days."""
    return frame[frame["day"] <= frame["day"].max() - pd.Timedelta(days=days)]


def numbers(frame: pd.DataFrame) -> bytes:
    return frame.drop(columns=["unique_id", "ds"]).to_numpy(dtype=float).tobytes()


MODELS: dict[str, Any] = {"lstm": SMALL, "ridge": tsf.Ridge(), "naive": tsf.Naive(), "autoarima": tsf.AutoARIMA()}


@pytest.mark.parametrize(
    "covariates", [{}, {"futr_exog": ["offer"], "calendar": ["weekday"]}, {"hist_exog": ["offer"]}]
)
@pytest.mark.parametrize("model", MODELS)
def test_it_says_what_a_backtest_says_at_the_same_cutoff(model: str, covariates: dict[str, Any]) -> None:
    whole = sales()
    backtest = tsf.backtest(whole, {model: MODELS[model]}, horizon=HORIZON, n_windows=1, **NAMES, **covariates)
    future = whole.drop(columns="sales") if "futr_exog" in covariates else None
    found = tsf.forecast(
        before(whole), {model: MODELS[model]}, horizon=HORIZON, future=future, **NAMES, **covariates
    ).to_frame()
    expected = backtest.to_frame().drop(columns=["cutoff", "y"])
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    earlier = tsf.forecast(
        before(whole, 8), {model: MODELS[model]}, horizon=HORIZON, future=future, **NAMES, **covariates
    )
    assert numbers(earlier.to_frame()) != numbers(expected), "control: another cutoff"


def test_it_says_what_fit_and_predict_say() -> None:
    panel = tsf.read_panel(sales(), **NAMES)
    with pinned(1):
        own = tsf.Ridge().fit(panel, HORIZON).predict(panel)
    found = tsf.forecast(panel, "ridge", horizon=HORIZON).models["ridge"]
    assert np.array_equal(found.point, own.point) and np.array_equal(found.quantiles, own.quantiles)
    assert found.times[:, 0].tolist() == [pd.Timestamp("2024-04-30").to_pydatetime()] * 2


def test_where_the_work_is_done_changes_no_bit() -> None:
    here, there = (
        tsf.forecast(sales(), ["naive", "drift"], horizon=HORIZON, executor=how, jobs=2, **NAMES).to_frame()
        for how in ("serial", "processes")
    )
    pd.testing.assert_frame_equal(here, there, check_exact=True)


# ---- covariates known ahead


def known_ahead(**change: Any) -> bytes:
    """The ridge's forecasts with rows of the offers to come; `change` makes others of them."""
    whole = sales()
    rows = whole.drop(columns="sales")
    rows = rows.assign(**change) if change else rows
    found = tsf.forecast(before(whole), "ridge", horizon=HORIZON, future=rows, futr_exog=["offer"], **NAMES)
    return numbers(found.to_frame())


@pytest.mark.parametrize("poison", [np.nan, 1e9, -3.0])
def test_only_the_steps_to_forecast_are_looked_up(poison: float) -> None:
    whole, usual = sales(), known_ahead()
    cutoff = whole["day"].max() - pd.Timedelta(days=HORIZON)
    past = np.where(whole["day"] <= cutoff, poison, whole["offer"])
    assert known_ahead(offer=past) == usual
    assert known_ahead(sales=poison, other=poison) == usual
    changed = np.where(whole["day"] == cutoff + pd.Timedelta(days=1), 1.0 - whole["offer"], whole["offer"])
    assert known_ahead(offer=changed) != usual, "control"


def test_steps_after_the_horizon_and_the_order_of_rows_say_nothing() -> None:
    whole = sales()
    rows = whole.drop(columns="sales")
    ask = {"horizon": HORIZON, "futr_exog": ["offer"], **NAMES}
    usual = numbers(tsf.forecast(before(whole), "ridge", future=rows, **ask).to_frame())
    further = rows.groupby("shop").tail(3).assign(day=lambda f: f["day"] + pd.Timedelta(days=3), offer=1e9)
    shuffled = pd.concat([rows, further]).sample(frac=1.0, random_state=0)
    assert numbers(tsf.forecast(before(whole), "ridge", future=shuffled, **ask).to_frame()) == usual


def test_the_file_of_one_series_need_not_name_it() -> None:
    whole = sales()[lambda f: f["shop"] == "north"].drop(columns="shop")
    ask = {"horizon": HORIZON, "time": "day", "target": "sales", "futr_exog": ["offer"]}
    found = tsf.forecast(before(whole), "ridge", future=whole.drop(columns="sales"), **ask).to_frame()
    backtest = tsf.backtest(whole, "ridge", n_windows=1, **ask).to_frame()
    assert numbers(found) == numbers(backtest.drop(columns=["cutoff", "y"]))


def test_trading_bars_take_the_rows_that_come_next_whatever_their_days() -> None:
    """Good Friday, 29 March 2024, is no trading day; the calendar does not know it, the rows do."""
    days = pd.bdate_range("2023-06-01", "2024-04-05")
    days = days[days != "2024-03-29"]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"day": days, "close": 100 + rng.normal(size=len(days)).cumsum(), "rate": rng.normal(size=len(days))}
    )
    ask = {"horizon": 5, "time": "day", "target": "close", "futr_exog": ["rate"], "freq": "bars"}
    past = frame[frame["day"] <= "2024-03-27"]
    rows = frame.drop(columns="close")
    found = tsf.forecast(past, "ridge", future=rows, **ask).models["ridge"]
    other = rows.assign(rate=np.where(rows["day"] == "2024-04-04", 5.0, rows["rate"]))  # the fifth bar from there
    sixth = rows.assign(rate=np.where(rows["day"] == "2024-04-05", 5.0, rows["rate"]))
    assert not np.array_equal(tsf.forecast(past, "ridge", future=other, **ask).models["ridge"].point, found.point)
    assert np.array_equal(tsf.forecast(past, "ridge", future=sixth, **ask).models["ridge"].point, found.point)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: None, "covariates known ahead (offer), and their next 7 values are not given"),
        (
            lambda rows: rows[rows["shop"] == "north"],
            "series 'south', 2024-04-23: the known-ahead covariate 'offer' is missing (7",
        ),
        (
            lambda rows: rows[rows["day"] != "2024-04-25"],
            "series 'north', 2024-04-25: the known-ahead covariate 'offer' is missing (2",
        ),
        (lambda rows: rows.drop(columns="offer"), "offer"),
        (lambda rows: pd.concat([rows, rows]), "2024-01-01"),
        (lambda rows: rows.assign(day=rows["day"].dt.tz_localize("UTC")), "zone UTC, those of the data none"),
        (lambda rows: rows.assign(offer="much"), "'much' in column 'offer' is not a number"),
    ],
)
def test_what_is_wrong_with_the_rows_to_come_is_named(change: Any, words: str) -> None:
    whole = sales()
    with pytest.raises(tsf.DataError) as refused:
        tsf.forecast(
            before(whole),
            "ridge",
            horizon=HORIZON,
            future=change(whole.drop(columns="sales")),
            futr_exog=["offer"],
            **NAMES,
        )
    assert words in str(refused.value)


def test_rows_to_come_without_such_covariates_are_refused() -> None:
    with pytest.raises(tsf.ConfigError, match="no covariates known ahead; name those that you have with futr_exog"):
        tsf.forecast(sales(), "naive", horizon=HORIZON, future=sales(), **NAMES)


# ---- what cannot be forecast


def with_a_short_one() -> pd.DataFrame:
    whole = sales()
    return pd.concat([whole, whole[:5].assign(shop="east")])


def test_a_series_that_is_too_short_has_no_forecast_and_costs_the_others_nothing() -> None:
    found = tsf.forecast(with_a_short_one(), ["naive", "ridge"], horizon=HORIZON, **NAMES)
    assert found.failures.to_numpy().tolist() == [
        [model, "east", "it has 5 steps, and 8 are needed: the longer of a season and the horizon, and one more"]
        for model in ("naive", "ridge")
    ]
    table = found.to_frame().set_index("unique_id")
    assert table.loc["east"].drop(columns="ds").isna().all(axis=None)
    alone = tsf.forecast(sales(), ["naive", "ridge"], horizon=HORIZON, **NAMES).to_frame()
    assert numbers(table.drop(index="east").reset_index()) == numbers(alone)
    early = "1 of 3 series end before 2024-04-29 (first 'east', 2024-01-05): each is forecast from its own end"
    assert found.remarks == (early, f"ridge: {found.notes['note'].item()}")
    assert tsf.forecast(sales(), "naive", horizon=HORIZON, **NAMES).remarks == ()


def test_where_every_series_is_too_short_it_says_what_is_needed() -> None:
    with pytest.raises(tsf.DataError) as refused:
        tsf.forecast(sales(), "naive", horizon=200, **NAMES)
    assert "a forecast of 200 steps with a season of 7 needs 201 steps" in str(refused.value)
    assert "the longest series ('north') has 120" in str(refused.value)


class Moody(Naive):
    """Fails on all series, in a way that nobody foresaw."""

    def fit(self, past: Panel, horizon: int, /) -> Any:
        raise RuntimeError("not today")


def test_a_model_that_fails_is_told_and_its_numbers_are_no_numbers() -> None:
    found = tsf.forecast(sales(), {"moody": Moody(), "naive": Naive()}, horizon=HORIZON, **NAMES)
    assert found.failures["reason"].tolist() == ["RuntimeError: not today"] * 2
    assert np.isnan(found.models["moody"].point).all() and np.isfinite(found.models["naive"].point).all()


def test_only_levels_that_models_were_asked_for_are_in_the_table() -> None:
    found = tsf.forecast(sales(), "naive", horizon=HORIZON, quantiles=(0.25, 0.5, 0.75), **NAMES)
    assert list(found.to_frame(level=[50])) == ["unique_id", "ds", "naive", "naive-lo-50", "naive-hi-50"]
    with pytest.raises(tsf.ConfigError, match=r"level 80: the forecast has no quantile 0\.1"):
        found.to_frame()


def test_the_picture_has_a_row_for_each_series_and_ends_with_the_horizon() -> None:
    found = tsf.forecast(sales(), ["ridge", "naive"], horizon=HORIZON, **NAMES)
    axes = found.plot().axes
    assert [ax.get_title(loc="right") for ax in axes] == ["north", "south"]
    labels = [label.get_text() for label in axes[1].get_xticklabels()]
    assert labels[0] == "2024-04-02" and labels[-1] == "2024-05-06"
    point: Forecast = found.models["ridge"]
    drawn = next(line for line in axes[1].lines if len(line.get_xdata()) == HORIZON)
    assert np.array_equal(np.asarray(drawn.get_ydata()), point.point[1])
    with pytest.raises(tsf.ConfigError, match="no series 'nort' in the forecasts; did you mean 'north'"):
        found.plot(["nort"])
