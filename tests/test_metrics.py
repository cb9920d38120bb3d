"""The metrics against utilsforecast, closed forms, their own algebra and the official scores of the M4 competition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from utilsforecast import losses as oracle

from tsforecast.judging import metrics

DECILES = tuple(q / 10 for q in range(1, 10))
LEVEL = 80
numbers = st.floats(-1e6, 1e6).map(lambda v: round(v, 3))
series = arrays(np.float64, 6, elements=numbers)


@pytest.fixture(scope="module")
def sample() -> dict[str, np.ndarray]:
    """Five series, a past of 40 steps and a horizon of 7; one series is negative, one has zeros."""
    rng = np.random.default_rng(3)
    past = np.cumsum(rng.normal(size=(5, 40)), axis=1) + np.array([[10], [-50], [0], [3], [1e4]])
    y = past[:, -1:] + np.cumsum(rng.normal(size=(5, 7)), axis=1)
    y[2, :3] = 0.0
    quantiles = y[..., None] + rng.normal(size=(5, 7, 1)) + np.linspace(-2, 2, 9)
    return {"past": past, "y": y, "quantiles": quantiles, "forecast": quantiles[..., 4]}


def frames(sample: dict[str, np.ndarray]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sample as the oracle takes it: what was forecast, and the past."""
    n, h, _ = sample["quantiles"].shape
    length = sample["past"].shape[1]
    names = [f"s{i}" for i in range(n)]
    table = pd.DataFrame(
        {"unique_id": np.repeat(names, h), "ds": np.tile(np.arange(length, length + h), n), "y": sample["y"].ravel()}
    )
    table["model"] = sample["forecast"].ravel()
    for k, q in enumerate(DECILES):
        table[f"q{q}"] = sample["quantiles"][..., k].ravel()
    table["model-lo-80"], table["model-hi-80"] = table["q0.1"], table["q0.9"]
    past = pd.DataFrame(
        {"unique_id": np.repeat(names, length), "ds": np.tile(np.arange(length), n), "y": sample["past"].ravel()}
    )
    return table, past


def scale(past: np.ndarray, lag: int, power: int = 1) -> np.ndarray:
    return (np.abs(past[:, lag:] - past[:, :-lag]) ** power).mean(axis=1)


@pytest.mark.parametrize("name", ["mae", "mse", "rmse", "bias", "wape"])
def test_point_metric_equals_utilsforecast(sample: dict[str, np.ndarray], name: str) -> None:
    table, _ = frames(sample)
    ours = getattr(metrics, name)(sample["y"], sample["forecast"])
    np.testing.assert_allclose(ours, getattr(oracle, name)(table, ["model"])["model"], rtol=1e-12)


def test_smape_is_200_times_that_of_utilsforecast(sample: dict[str, np.ndarray]) -> None:
    table, _ = frames(sample)
    ours = metrics.smape(sample["y"], sample["forecast"])
    np.testing.assert_allclose(ours, 200 * oracle.smape(table, ["model"])["model"], rtol=1e-12)


@pytest.mark.parametrize("lag", [1, 7])
def test_mase_and_rmsse_equal_utilsforecast(sample: dict[str, np.ndarray], lag: int) -> None:
    table, past = frames(sample)
    y, forecast = sample["y"], sample["forecast"]
    ours = metrics.mase(y, forecast, scale(sample["past"], lag))
    np.testing.assert_allclose(ours, oracle.mase(table, ["model"], lag, past)["model"], rtol=1e-12)
    ours = metrics.rmsse(y, forecast, scale(sample["past"], lag, 2))
    np.testing.assert_allclose(ours, oracle.rmsse(table, ["model"], lag, past)["model"], rtol=1e-12)


def test_quantile_metrics_equal_utilsforecast(sample: dict[str, np.ndarray]) -> None:
    table, past = frames(sample)
    y, quantiles = sample["y"], sample["quantiles"]
    columns = {"model": [f"q{q}" for q in DECILES]}
    losses = metrics.quantile_loss(y, quantiles, DECILES)
    assert losses.shape == (5, 9)
    for k, q in enumerate(DECILES):
        expected = oracle.quantile_loss(table, {"model": f"q{q}"}, q=q)["model"]
        np.testing.assert_allclose(losses[:, k], expected, rtol=1e-12)
    mean = oracle.mqloss(table, columns, np.array(DECILES)).sort_values("unique_id")["model"]
    np.testing.assert_allclose(metrics.crps(y, quantiles, DECILES), 2 * mean, rtol=1e-12)
    relative = oracle.scaled_crps(table, columns, np.array(DECILES)).sort_values("unique_id")["model"]
    np.testing.assert_allclose(metrics.wql(y, quantiles, DECILES), relative, rtol=1e-12)
    sql = oracle.scaled_mqloss(table, columns, np.array(DECILES), 7, past).sort_values("unique_id")["model"]
    ours = metrics.scaled(metrics.crps(y, quantiles, DECILES), scale(sample["past"], 7))
    np.testing.assert_allclose(ours, 2 * sql, rtol=1e-12)


def test_interval_metrics_equal_utilsforecast(sample: dict[str, np.ndarray]) -> None:
    table, _ = frames(sample)
    y, low, high = sample["y"], sample["quantiles"][..., 0], sample["quantiles"][..., -1]
    ours = metrics.coverage(y, low, high)
    np.testing.assert_allclose(ours, oracle.coverage(table, ["model"], LEVEL)["model"])
    ours = metrics.winkler(y, low, high, LEVEL)
    np.testing.assert_allclose(ours, oracle.winkler_score(table, ["model"], LEVEL)["model"], rtol=1e-12)
    np.testing.assert_allclose(metrics.width(y, low, high), 4.0)


def test_a_small_example_by_hand() -> None:
    y, forecast = np.array([10.0, 20.0, 30.0]), np.array([12.0, 20.0, 27.0])
    assert metrics.mae(y, forecast) == pytest.approx(5 / 3)
    assert metrics.mse(y, forecast) == pytest.approx(13 / 3)
    assert metrics.bias(y, forecast) == pytest.approx(-1 / 3)
    assert metrics.wape(y, forecast) == pytest.approx(5 / 60)
    assert metrics.smape(y, forecast) == pytest.approx((200 * 2 / 22 + 200 * 3 / 57) / 3)
    assert metrics.mase(y, forecast, np.float64(5.0)) == pytest.approx(1 / 3)
    assert metrics.winkler(y, np.full(3, 12.0), np.full(3, 25.0), 90) == pytest.approx((3 * 13 + 20 * 2 + 20 * 5) / 3)


def test_smape_is_200_where_signs_differ_and_0_where_both_are_zero() -> None:
    assert metrics.smape(np.array([5.0]), np.array([-3.0])) == 200
    assert metrics.smape(np.array([0.0, 0.0]), np.array([0.0, 1.0])) == 100


@given(series, series, st.sampled_from([0.001, 0.5, 3.0, 1000.0]))
def test_errors_scale_with_the_target_and_relative_ones_do_not(y: np.ndarray, f: np.ndarray, c: float) -> None:
    for name, power in (("mae", 1), ("rmse", 1), ("bias", 1), ("mse", 2), ("smape", 0), ("wape", 0)):
        metric: Callable[..., np.ndarray] = getattr(metrics, name)
        np.testing.assert_allclose(metric(c * y, c * f), c**power * metric(y, f), rtol=1e-7, atol=1e-7)


@given(series, series)
def test_wql_at_the_median_is_wape_and_crps_of_a_certain_forecast_is_mae(y: np.ndarray, f: np.ndarray) -> None:
    np.testing.assert_allclose(metrics.wql(y, f[:, None], [0.5]), metrics.wape(y, f), rtol=1e-12)
    certain = np.repeat(f[:, None], 9, axis=1)
    np.testing.assert_allclose(metrics.crps(y, certain, DECILES), metrics.mae(y, f), rtol=1e-9, atol=1e-12)


@given(series, series, series)
def test_winkler_is_at_least_the_width_and_equal_where_all_is_covered(
    y: np.ndarray, a: np.ndarray, b: np.ndarray
) -> None:
    low, high = np.minimum(a, b), np.maximum(a, b)
    score, width = metrics.winkler(y, low, high, LEVEL), metrics.width(y, low, high)
    missed = metrics.coverage(y, low, high) < 1  # by at least 0.001, the grain of the numbers
    assert score > width + 1e-4 if missed else score == width


@given(series, series)
def test_rmse_is_never_below_mae_nor_mae_below_the_size_of_the_bias(y: np.ndarray, f: np.ndarray) -> None:
    mae = metrics.mae(y, f)
    assert metrics.rmse(y, f) >= mae * (1 - 1e-12)
    assert mae >= abs(metrics.bias(y, f)) * (1 - 1e-12)


@given(series, series, st.integers(1, 5))
def test_unobserved_steps_are_left_out_whatever_was_forecast_there(y: np.ndarray, f: np.ndarray, k: int) -> None:
    gappy, poisoned = np.append(y, np.full(k, np.nan)), np.append(f, [np.nan] * k)
    for name in ("mae", "mse", "rmse", "bias", "smape", "wape"):
        metric = getattr(metrics, name)
        rounding = 1e-14 * (np.abs(y).max() + np.abs(f).max())  # of a bias whose errors cancel
        np.testing.assert_allclose(metric(gappy, poisoned), metric(y, f), rtol=1e-12, atol=rounding)
    q, poisoned_q = (np.stack([v - 1, v, v + 1], -1) for v in (f, poisoned))
    for name in ("wql", "crps"):
        metric = getattr(metrics, name)
        np.testing.assert_allclose(metric(gappy, poisoned_q, DECILES[3:6]), metric(y, q, DECILES[3:6]), rtol=1e-9)
    assert metrics.coverage(gappy, poisoned - 1, poisoned + 1) == metrics.coverage(y, f - 1, f + 1)


def every_score(y: np.ndarray, f: np.ndarray, past_scale: float = 1.0, last: float = 0.0) -> dict[str, float]:
    q, one = np.stack([f - 1, f, f + 1], -1), np.float64(past_scale)
    return {
        **{name: getattr(metrics, name)(y, f) for name in ("mae", "mse", "rmse", "bias", "smape", "wape")},
        **{name: getattr(metrics, name)(y, f, one) for name in ("mase", "rmsse")},
        **{name: getattr(metrics, name)(y, q, DECILES[3:6]) for name in ("wql", "crps")},
        **{name: getattr(metrics, name)(y, f - 1, f + 1) for name in ("coverage", "width")},
        "winkler": metrics.winkler(y, f - 1, f + 1, LEVEL),
        "directional_accuracy": metrics.directional_accuracy(y, f, np.asarray(last)),
    }


def test_a_forecast_with_a_hole_has_no_score_in_any_metric_and_the_reason_counts_the_hole() -> None:
    y, f = np.array([1.0, 2.0, np.nan]), np.array([1.0, np.nan, 3.0])
    for name, score in every_score(y, f).items():
        assert np.isnan(score), name
        reason = metrics.why_undefined(name, y, f, scale=1.0, last=0.0)
        assert reason == "the model gave no forecast for 1 of 2 observed steps"


def test_nothing_observed_is_no_score_in_any_metric() -> None:
    y, f = np.full(3, np.nan), np.ones(3)
    for name, score in every_score(y, f).items():
        assert np.isnan(score), name
        assert metrics.why_undefined(name, y, f, scale=1.0, last=0.0) == "no step of the horizon was observed"


@given(
    arrays(np.float64, 4, elements=st.sampled_from([0.0, 1.0, 2.5, np.nan])),
    arrays(np.float64, 4, elements=st.sampled_from([0.0, 1.0, 2.5, np.nan])),
    st.sampled_from([0.0, 1.0, np.nan]),
    st.sampled_from([0.0, 1.0, np.nan]),
)
def test_a_score_is_nan_exactly_where_there_is_a_reason(y: np.ndarray, f: np.ndarray, past: float, last: float) -> None:
    for name, score in every_score(y, f, past, last).items():
        reason = metrics.why_undefined(name, y, f, scale=past, lag=24, last=last)
        assert np.isnan(score) == (reason is not None), (name, score, reason)


def test_reasons_say_what_is_wrong_with_the_series() -> None:
    y, f = np.array([2.0, 2.0]), np.array([1.0, 1.0])
    assert metrics.why_undefined("mase", y, f, scale=0.0, lag=24) == "the past never changes at lag 24"
    assert "no two observed values 24 steps apart" in str(metrics.why_undefined("mase", y, f, scale=np.nan, lag=24))
    assert metrics.why_undefined("wape", 0 * y, f) == "all values to forecast are zero"
    assert "no value differs" in str(metrics.why_undefined("directional_accuracy", y, f, last=2.0))
    assert metrics.why_undefined("mae", y, f) is None


def test_an_undefined_series_does_not_touch_its_neighbours() -> None:
    y = np.array([[1.0, 2.0], [np.nan, np.nan], [0.0, 0.0]])
    f = np.array([[2.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(metrics.mae(y, f), [0.5, np.nan, 1.0])
    np.testing.assert_array_equal(metrics.wape(y, f), [1 / 3, np.nan, np.nan])
    np.testing.assert_array_equal(metrics.mase(y, f, np.array([0.5, 1.0, 0.0])), [1.0, np.nan, np.nan])


def test_direction_is_called_against_the_last_value_and_a_still_truth_does_not_count() -> None:
    y, last = np.array([11.0, 9.0, 10.0, 12.0]), np.asarray(10.0)
    assert metrics.directional_accuracy(y, np.array([10.5, 10.5, 99.0, 10.1]), last) == pytest.approx(2 / 3)
    assert metrics.directional_accuracy(y, np.full(4, 10.0), last) == 0.5  # the naive forecast calls no direction
    assert metrics.directional_accuracy(y, np.array([12.0, 8.0, 0.0, 11.0]), last) == 1


def test_owa_is_a_ratio_of_averages_and_not_an_average_of_ratios() -> None:
    smapes, mases = np.array([1.0, 9.0]), np.array([2.0, 2.0])
    theirs = np.array([2.0, 3.0]), np.array([1.0, 3.0])
    assert metrics.owa(smapes, mases, *theirs) == pytest.approx((10 / 5 + 4 / 4) / 2)
    assert metrics.owa(*theirs, *theirs) == 1
    assert np.isnan(metrics.owa(smapes, mases, np.zeros(2), mases))


def test_levels_are_picked_by_value() -> None:
    quantiles = np.arange(12.0).reshape(2, 2, 3)
    picked = metrics.at_levels(quantiles, (0.1, 0.5, 0.9), (0.9, 0.1))
    np.testing.assert_array_equal(picked, quantiles[..., [2, 0]])
