"""Eight ways to look ahead, as people do them by accident, and the honest way beside each: 8 of 8 are caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import HORIZON, sensors

from tsforecast.auditing.audit import Audit, run_audit
from tsforecast.contract import QUANTILES, Forecast
from tsforecast.folds import Plan
from tsforecast.models.linear import Ridge
from tsforecast.models.naive import Naive
from tsforecast.panel import Panel, View

PLAN = Plan(horizon=HORIZON, n_windows=4)
STEPS = 80


def raw() -> Panel:
    """Two daily series with three sensors beside the target, one of them with gaps at every cutoff."""
    rng = np.random.default_rng(1)
    panel = sensors((STEPS, STEPS))
    hist = rng.normal(size=(2 * STEPS, 3)).cumsum(axis=0)
    hist[40:160:5, 2] = np.nan
    return replace(panel, hist=hist, hist_names=("inflow", "humidity", "pressure"))


def features(make: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Panel], Panel]:
    """A preparation that works on one series at a time; new columns are past-only covariates."""

    def prepare(panel: Panel) -> Panel:
        frame = panel.to_frame()
        done = pd.concat([make(part.copy()) for _, part in frame.groupby("unique_id")])
        names = [name for name in done.columns if name not in ("unique_id", "ds", "y")]
        return Panel.from_frame(done, hist_exog=names, freq=panel.freq, season_length=7, missing="nan")

    return prepare


@cache
def audited(make: Callable[[pd.DataFrame], pd.DataFrame]) -> Audit:
    """The audit of a preparation, with two models behind it."""
    return run_audit(
        raw(),
        {"naive": Naive(), "ridge": Ridge(input_size=14, structural=False)},
        PLAN,
        prepare=features(make),
        n_folds=2,
    )


TRAINING = STEPS - 4 * HORIZON  # before the first cutoff


def scaled_by_everything(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(y=(part["y"] - part["y"].mean()) / part["y"].std())


def scaled_by_the_training_rows(part: pd.DataFrame) -> pd.DataFrame:
    known = part["y"].iloc[:TRAINING]
    return part.assign(y=(part["y"] - known.mean()) / known.std())


def centred_mean(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(smooth=part["y"].rolling(7, center=True, min_periods=1).mean())


def trailing_mean(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(smooth=part["y"].rolling(7, min_periods=1).mean())


def filled_from_behind(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(pressure=part["pressure"].bfill().ffill())


def filled_from_before(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(pressure=part["pressure"].ffill())


def tomorrows_target(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(neighbour=part["y"].shift(-1).ffill())


def yesterdays_target(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(neighbour=part["y"].shift(1))


def drawn_across_gaps(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(pressure=part["pressure"].interpolate(limit_direction="both"))


def kept_over_gaps(part: pd.DataFrame) -> pd.DataFrame:
    return part.assign(pressure=part["pressure"].ffill().fillna(0.0))


def components(part: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The first principal component of the sensors, with axes from the first `rows` rows."""
    x = part[["inflow", "humidity"]].to_numpy()
    centre = x[:rows].mean(axis=0)
    axis = np.linalg.svd(x[:rows] - centre, full_matrices=False)[2][0]
    return part.drop(columns=["inflow", "humidity"]).assign(component=(x - centre) @ axis)


def components_of_everything(part: pd.DataFrame) -> pd.DataFrame:
    return components(part, len(part))


def components_of_the_training_rows(part: pd.DataFrame) -> pd.DataFrame:
    return components(part, TRAINING)


PREPARATIONS = [
    (scaled_by_everything, scaled_by_the_training_rows, "y"),
    (centred_mean, trailing_mean, "smooth"),
    (filled_from_behind, filled_from_before, "pressure"),
    (tomorrows_target, yesterdays_target, "neighbour"),
    (drawn_across_gaps, kept_over_gaps, "pressure"),
    (components_of_everything, components_of_the_training_rows, "component"),
]


@pytest.mark.parametrize(("leaky", "honest", "column"), PREPARATIONS, ids=lambda x: getattr(x, "__name__", ""))
def test_a_preparation_that_looks_ahead_is_caught_and_the_honest_one_passes(leaky, honest, column: str) -> None:
    caught = audited(leaky)
    assert not caught.passed and caught.preparation is not None
    assert caught.preparation.word == "leaks" and f"'{column}' of series 's" in caught.preparation.sentence
    good = audited(honest)
    assert good.passed, good.sentence
    assert good.preparation is not None and good.preparation.word == "passed"
    assert good.models["ridge"].word == "passed" and good.models["naive"].word == "passed"


def test_the_sentence_says_what_was_replaced_where_it_shows_and_how_much() -> None:
    caught = audited(centred_mean).preparation
    assert caught is not None
    first = next(check for check in caught.checks if not check.passed)
    assert (first.check, first.column, first.fold) == ("noise", "y", 0)
    start = f"prepare leaks: replacing y after {shown(60)} by noise changed 'smooth' of series 's0' at {shown(58)} by "
    assert caught.sentence.startswith(start) and caught.sentence.endswith(" mean changes).")


def shown(step: int) -> str:
    """The day of a step, counted from 1."""
    panel = raw()
    return panel.freq.show(panel.times[step - 1])


def test_a_leak_of_the_thirteenth_digit_is_caught() -> None:
    def whisper(part: pd.DataFrame) -> pd.DataFrame:
        return part.assign(lag=part["y"].shift(1) + 1e-13 * part["y"].mean())

    caught = audited(whisper).preparation
    assert caught is not None and caught.word == "leaks"
    assert 0 < min(check.leak for check in caught.checks if not check.passed and check.check == "noise") < 1e-10


def test_filling_is_caught_where_no_gap_of_the_data_lies_at_a_cutoff() -> None:
    """The audit makes a gap before the cutoff itself."""
    whole = sensors((STEPS, STEPS))
    for fill, word in ((pd.Series.interpolate, "leaks"), (pd.Series.ffill, "passed")):
        prepare = features(lambda part, fill=fill: part.assign(y=fill(part["y"])))
        found = run_audit(whole, {"naive": Naive()}, PLAN, prepare=prepare, n_folds=2).preparation
        assert found is not None and found.word == word
    assert {check.check for check in found.checks} == {"noise", "huge", "missing", "removed", "gap, noise"}


@dataclass(frozen=True)
class Smooth:
    """Exponential smoothing with one weight for all series; a weight that is None is chosen on the past alone."""

    weight: float | None = None
    name = "smooth"

    def fit(self, past: Panel, horizon: int) -> FittedSmooth:
        weight = self.weight
        if weight is None:
            weight = best_weight(past, past.lengths[:, None] - np.arange(20, 0, -1))
        return FittedSmooth(weight, horizon)


@dataclass(frozen=True)
class FittedSmooth:
    weight: float
    horizon: int

    def predict(self, views: list[View]) -> list[Forecast]:
        found = []
        for past, future in views:
            level = np.array([smoothed(past.series(i), self.weight)[-1] for i in range(len(past))])
            point = np.repeat(level[:, None], self.horizon, axis=1)
            quantiles = np.repeat(point[:, :, None], len(QUANTILES), axis=2)
            found.append(Forecast(past.ids, future.times, past.freq, point, QUANTILES, quantiles))
        return found


def smoothed(y: np.ndarray, weight: float) -> np.ndarray:
    return pd.Series(y).ewm(alpha=weight, adjust=False, ignore_na=True).mean().to_numpy()


def best_weight(panel: Panel, rows: np.ndarray) -> float:
    """The weight with the smallest one-step error at some steps `[N, windows]` of each series."""
    weights = np.linspace(0.02, 1, 99)

    def error(weight: float) -> float:
        series = [panel.series(i) for i in range(len(panel))]
        misses = [y[at] - smoothed(y, weight)[at - 1] for y, at in zip(series, rows, strict=True)]
        return float(np.nanmean(np.abs(misses)))

    return float(weights[np.argmin([error(w) for w in weights])])


def validated_on_random_windows(panel: Panel) -> Smooth:
    """Windows drawn at random over all rows: those of the test span are among them."""
    rng = np.random.default_rng(0)
    return Smooth(best_weight(panel, rng.integers(1, 60, size=(len(panel), 40)) + panel.lengths[:, None] - 60))


def stopped_on_the_test_span(panel: Panel) -> Descent:
    """Gradient steps, stopped where the error after the first cutoff is smallest."""
    test = np.concatenate([panel.series(i)[TRAINING:] for i in range(len(panel))])
    return Descent(steps=int(np.argmin([abs(np.nanmean(test) - 40 * (1 - 0.97**k)) for k in range(200)])))


@dataclass(frozen=True)
class Descent:
    """The level of all series by gradient steps from zero towards 40; None: as many as the past asks for."""

    steps: int | None = None
    name = "descent"

    def fit(self, past: Panel, horizon: int) -> FittedDescent:
        steps = self.steps
        if steps is None:
            late = np.concatenate([past.series(i)[-10:] for i in range(len(past))])
            steps = int(np.argmin([abs(np.nanmean(late) - 40 * (1 - 0.97**k)) for k in range(200)]))
        return FittedDescent(40 * (1 - 0.97**steps), horizon)


@dataclass(frozen=True)
class FittedDescent:
    level: float
    horizon: int

    def predict(self, views: list[View]) -> list[Forecast]:
        return [self.one(past, future) for past, future in views]

    def one(self, past: Panel, future: Any) -> Forecast:
        point = np.full((len(past), self.horizon), self.level)
        quantiles = np.repeat(point[:, :, None], len(QUANTILES), axis=2)
        return Forecast(past.ids, future.times, past.freq, point, QUANTILES, quantiles)


@pytest.mark.parametrize(
    ("leaky", "honest"),
    [(validated_on_random_windows, lambda panel: Smooth()), (stopped_on_the_test_span, lambda panel: Descent())],
    ids=["random validation split", "early stopping on the test span"],
)
def test_a_model_that_is_chosen_on_the_test_span_is_caught_and_the_honest_one_passes(leaky, honest) -> None:
    found = run_audit(sensors((STEPS, STEPS)), {"leaky": leaky, "honest": honest}, PLAN)
    assert found.models["leaky"].word == "leaks" and found.models["honest"].word == "passed"
    assert f"leaky leaks: replacing y after {shown(60)} by noise changed its forecast of series 's" in (
        found.models["leaky"].sentence
    )


def test_eight_of_eight() -> None:
    """The count that is promised: six preparations and two models."""
    caught = [not audited(leaky).passed for leaky, _, _ in PREPARATIONS]
    models = {"split": validated_on_random_windows, "stopping": stopped_on_the_test_span}
    caught += [not found.passed for found in run_audit(sensors((STEPS, STEPS)), models, PLAN).models.values()]
    assert caught == [True] * 8
