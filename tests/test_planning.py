"""`plan`: what a backtest could find and would cost, said before any network is trained."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import FailsOn, walks
from threadpoolctl import threadpool_info

from tsforecast.backtesting import run_backtest
from tsforecast.contract import Forecast, Forecaster
from tsforecast.errors import ConfigError, DataError
from tsforecast.folds import Plan, make_folds, most_windows
from tsforecast.judging.foresight import foreseeable_percent, foreseen_origins
from tsforecast.judging.scores import origin_losses
from tsforecast.models.naive import Drift, Naive, SeasonalNaive
from tsforecast.panel import Panel
from tsforecast.planning import costing
from tsforecast.planning.ahead import AS_MUCH_AS_RIDGE, plan_ahead
from tsforecast.planning.costing import Cost, cost_of, memory_of
from tsforecast.planning.prospect import NETWORK, Pair, Prospect

CHEAP: dict[str, Forecaster] = {"naive": Naive(), "drift": Drift(), "free_ridge": SeasonalNaive(season_length=7)}
"""A seasonal naive in the place of the ridge: what stands for networks is taken by its name."""


@dataclass
class Clock:
    """A clock that only the models below move."""

    now: float = 0.0

    def perf_counter(self) -> float:
        return self.now


@dataclass(frozen=True)
class Slow:
    """Takes 0.2 s per series to fit, 0.05 s per series and origin to forecast; the first fit imports for 1 s."""

    clock: Clock
    imported: list[int] = field(default_factory=list)
    name = "slow"

    def fit(self, past: Panel, horizon: int, /) -> Any:
        self.clock.now += 0.2 * len(past) + (not self.imported)
        self.imported.append(1)
        fitted = Naive().fit(past, horizon)

        def predict(views: Any) -> list[Forecast]:
            self.clock.now += 0.05 * sum(len(past) for past, _ in views)
            return fitted.predict(views)

        return SimpleNamespace(predict=predict)


class SaysSo:
    """Knows what a fit costs; fitting it would be the mistake."""

    name = "says_so"
    training = "long"

    def cost(self, past: Panel, horizon: int) -> tuple[float, int]:
        return 7.0, 3_000_000

    def fit(self, past: Panel, horizon: int, /) -> Any:
        raise AssertionError("trained in a plan")


class Threads(SaysSo):
    """Keeps how many threads it is timed with."""

    def __init__(self) -> None:
        self.torch, self.others = list[int](), list[int]()

    def cost(self, past: Panel, horizon: int) -> tuple[float, int]:
        self.torch.append(torch.get_num_threads())
        self.others += [pool["num_threads"] for pool in threadpool_info()]
        return super().cost(past, horizon)


def prospect(panel: Panel, models: dict[str, Any] | None = None, **plan: Any) -> Prospect:
    return plan_ahead(panel, models or {"lstm": SaysSo(), "naive": Naive()}, Plan(**plan), cheap=CHEAP)


# ---- what can be found


def test_what_can_be_found_is_the_power_of_the_test_on_the_cheap_models_loss_differences() -> None:
    panel, plan = walks(("a", "b"), steps=200), Plan(horizon=3, n_windows=20)
    found = plan_ahead(panel, {"drift": Drift(), "naive": Naive()}, plan, cheap=CHEAP)
    losses, _ = origin_losses(run_backtest(panel, CHEAP, plan))
    own = losses[found.benchmark].to_numpy()
    gains = {name: 100 * (own - losses[name].to_numpy()) / own.mean() for name in losses if name != found.benchmark}
    assert found.loss == "mase" and len(found.pairs) == 2
    for pair in found.pairs:
        assert pair.spread == pytest.approx(gains[pair.model].std(ddof=1), rel=1e-12)
        assert pair.detectable == pytest.approx(foreseeable_percent(own, gains[pair.model], overlap=1), rel=1e-9)
        assert pair.needed == tuple(foreseen_origins(own, gains[pair.model], e, overlap=1) for e in (2.0, 5.0))


def test_a_network_is_expected_to_differ_more_than_the_ridge_that_stands_for_it() -> None:
    panel = walks(("a", "b"), steps=200)
    found = prospect(panel, horizon=3, n_windows=20)
    first, ridge = found.pairs[0], next(p for p in found.pairs if p.model == "free_ridge")
    assert first.model == NETWORK and first.spread == pytest.approx(AS_MUCH_AS_RIDGE * ridge.spread)
    assert first.detectable >= ridge.detectable and first.needed >= ridge.needed
    assert first.worth == pytest.approx(ridge.worth)
    alone = prospect(panel, {"naive": Naive(), "drift": Drift()}, horizon=3, n_windows=20)
    assert NETWORK not in [pair.model for pair in alone.pairs], "without a network none is expected"


def test_more_models_overlapping_origins_and_fewer_origins_all_make_it_harder() -> None:
    panel = walks(("a", "b"), steps=400)
    alone = prospect(panel, horizon=4, n_windows=32)
    beside = prospect(panel, {"a": SaysSo(), "b": SaysSo(), "c": SaysSo(), "naive": Naive()}, horizon=4, n_windows=32)
    fewer = prospect(panel, horizon=4, n_windows=20)
    closer = prospect(panel, horizon=4, n_windows=32, step_size=1)
    assert (alone.compared, beside.compared, closer.overlap) == (1, 3, 4)
    for harder in (beside, fewer):
        assert harder.pairs[0].detectable > alone.pairs[0].detectable
    assert closer.pairs[0].worth <= 8 < alone.pairs[0].worth
    assert "tested beside 2 more" in beside.sentences[1] and "tested" not in alone.sentences[1]


def test_the_room_is_what_fits_with_half_of_the_steps_for_training() -> None:
    found = prospect(walks(("a",), steps=200), horizon=5, n_windows=20)
    assert found.room == 20 == (200 - 100) // 5
    assert prospect(walks(("a",), steps=200), horizon=5, n_windows=30).room == 30, "the plan's own, where they are more"


@pytest.mark.parametrize(
    ("steps", "horizon", "step", "gap"), [(80, 5, 5, 0), (81, 5, 2, 3), (40, 7, 1, 0), (30, 1, 4, 2)]
)
def test_as_many_windows_fit_as_it_says_and_not_one_more(steps: int, horizon: int, step: int, gap: int) -> None:
    panel, plan = walks(("a", "b"), steps=steps), Plan(horizon=horizon, step_size=step, gap=gap)
    most = most_windows(panel, plan)
    assert len(make_folds(panel, replace(plan, n_windows=most))) == most
    with pytest.raises(DataError, match="too short"):
        make_folds(panel, replace(plan, n_windows=most + 1))


# ---- what is said


def saying(pairs: tuple[Pair, ...], n_origins: int = 40, **changes: Any) -> Prospect:
    costs = (Cost("lstm", 1, 200.0, 10**9, "from a few training steps"), Cost("arima", 40, 3.0, 0, "scaled up"))
    known: dict[str, Any] = {
        "benchmark": "naive", "loss": "mase", "n_origins": n_origins, "room": 100, "step_size": 5, "overlap": 1,
        "compared": 2, "pairs": pairs, "costs": costs, "memory": 1_234_000_000, "seconds": 208.0,
    }  # fmt: skip
    return Prospect(**known | changes)


LSTM = Pair(NETWORK, 7.06, 0.1, 33.0, 3.88, 2.1, (140, 26))
DRIFT = Pair("drift", 1.39, 0.0, 40.0, 0.77, 0.5, (20, 20))


def test_the_sentences_of_a_prospect() -> None:
    assert saying((LSTM, DRIFT, replace(DRIFT, model="ridge", detectable=5.0))).sentences == [
        "From origin to origin a network is expected to differ from naive, the best baseline, by 7.1 % of its MASE "
        "(standard deviation); 40 origins are worth 33.",
        "The smallest true improvement that these origins find with 80 % power is 3.9 % for a network, tested beside 1 "
        "more; for the cheap models it is 0.8 to 5.0 %.",
        "To find 2 %: about 140 origins; the data have room for 100, which find 2.1 %: 200 more steps of data are "
        "needed.",
        "To find 5 %: about 26 origins; the plan has 40.",
        "The run takes about 3.5 min and 1.2 GB of memory: lstm 3.3 min (1 fit); arima 3.0 s (40 fits).",
    ]


def test_what_is_not_known_is_said_so() -> None:
    nan = math.nan
    few = saying((replace(LSTM, detectable=nan),), n_origins=12).sentences
    assert few[1] == "12 origins are too few to tell: at least 20 are needed; the data have room for 100."
    assert "use n_windows=26" in few[3]
    full = saying((replace(LSTM, detectable=nan),), n_origins=12, room=12).sentences
    assert full[1].endswith("the data have no room for more, 5 steps apart.")
    flat = saying((replace(LSTM, spread=0.0, detectable=nan, needed=(0, 0)),)).sentences
    assert "the differences hardly vary" in flat[1] and flat[2] == "How many origins find 2 % is not known."
    none = saying(()).sentences
    assert len(none) == 2 and "is not known: no cheap model could be compared" in none[0]
    lost = Cost("mine", 1, nan, 0, "could not be tried: no luck")
    assert "takes at least 3.0 s" in (
        said := saying((), costs=(lost, Cost("a", 1, 3.0, 0, "")), seconds=nan).sentences[1]
    )
    assert said.endswith("a 3.0 s (1 fit); mine unknown (could not be tried: no luck).")


def test_a_prospect_is_json_without_nan_and_a_table() -> None:
    found = prospect(walks(("a",), steps=60), horizon=5, n_windows=4)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["n_origins"] == 4 and plain["pairs"][0]["detectable"] is None and plain["effects"] == [2.0, 5.0]
    assert plain["sentences"] == found.sentences and "4 origins are too few" in found.sentences[1]
    assert list(found.table["model"]) == ["lstm", "naive"] and list(found.table["fits"]) == [1, 1]


def test_a_cheap_model_that_fails_is_left_out_and_no_model_is_an_error() -> None:
    panel = walks(("a",), steps=200)
    cheap = CHEAP | {"free_ridge": FailsOn("a")}
    found = plan_ahead(panel, {"lstm": SaysSo()}, Plan(horizon=4, n_windows=20), cheap=cheap)
    assert len(found.pairs) == 1 and found.pairs[0].model in ("naive", "drift")
    with pytest.raises(ConfigError, match="no model to plan for"):
        plan_ahead(panel, {}, Plan(), cheap=CHEAP)


# ---- what it costs


@pytest.mark.parametrize("threads", [1, 3])
def test_models_are_timed_with_the_threads_that_their_tasks_will_have(threads: int) -> None:
    before, model = torch.get_num_threads(), Threads()
    plan_ahead(walks(("a",)), {"lstm": model}, Plan(horizon=4, n_windows=2), cheap=CHEAP, threads=threads)
    assert model.torch == [threads] and max(model.others) <= threads and torch.get_num_threads() == before


@pytest.mark.parametrize(("refit", "fits"), [(False, 1), (True, 8), (3, 3)])
def test_a_model_that_knows_its_cost_is_asked_and_not_trained(refit: bool | int, fits: int) -> None:
    found = prospect(walks(("a",), steps=100), horizon=3, n_windows=8, refit=refit)
    lstm = found.costs[0]
    assert (lstm.fits, lstm.seconds, lstm.memory) == (fits, 7.0 * fits, 3_000_000)
    assert found.seconds == pytest.approx(7.0 * fits + found.costs[1].seconds + costing.START_SECONDS, rel=1e-3)
    assert "takes about" in found.sentences[-1] and "less where training stops early" in found.sentences[-1]


@pytest.mark.parametrize(("refit", "fits"), [(False, 1), (True, 8)])
def test_an_unknown_model_is_tried_on_two_series_and_scaled_up(
    monkeypatch: pytest.MonkeyPatch, refit: bool, fits: int
) -> None:
    clock = Clock()
    monkeypatch.setattr(costing, "time", clock)
    folds = make_folds(walks(tuple("abcdef"), steps=100), Plan(horizon=3, step_size=3, n_windows=8, refit=refit))
    cost = cost_of("slow", Slow(clock), folds, None, {}, 6)  # type: ignore[arg-type]
    assert cost == Cost("slow", fits, pytest.approx(6 * (0.2 * fits + 0.05 * 8)), 0, "scaled up from 2 of 6 series")


def test_what_has_been_run_as_a_cheap_model_is_not_run_again() -> None:
    panel, plan = walks(("a",), steps=100), Plan(horizon=3, n_windows=8)
    found = plan_ahead(panel, {"mine": Drift(), "other": Drift(quantiles=(0.5,))}, plan, cheap=CHEAP)
    assert found.costs[0].how == "measured" and 0 < found.costs[0].seconds < 1
    assert found.costs[1].how.startswith("scaled up"), "control: other settings are another model"


def test_a_model_that_cannot_be_tried_costs_an_unknown_time() -> None:
    class Broken:
        name = "broken"

        def fit(self, past: Panel, horizon: int, /) -> Any:
            raise RuntimeError("no luck\ntoday")

    found = prospect(walks(("a",), steps=100), {"broken": Broken(), "naive": Naive()}, horizon=3, n_windows=8)
    assert math.isnan(found.costs[0].seconds) and found.costs[0].how == "could not be tried: no luck"
    assert math.isnan(found.seconds)


def test_memory_grows_with_the_data_and_with_the_largest_model() -> None:
    one, two = walks(("a",), steps=100), walks(("a", "b"), steps=100)
    costs = [Cost("a", 1, 1.0, 0, ""), Cost("b", 1, 1.0, 5_000, "")]
    assert memory_of(two, costs) - memory_of(one, costs) == 100 * (8 + 8), "a value and a time"
    assert memory_of(one, costs) - memory_of(one, costs[:1]) == 5_000


def test_progress_runs_from_nought_to_one() -> None:
    heard: list[float] = []
    panel = walks(("a",), steps=100)
    plan_ahead(panel, {"naive": Naive()}, Plan(n_windows=5), cheap=CHEAP, on_progress=lambda s, _: heard.append(s))
    assert heard[0] == 0 and heard[-1] == 1 and heard == sorted(heard)


@pytest.mark.slow
def test_the_estimated_time_of_arima_and_ridge_is_right_within_a_factor_of_three() -> None:
    from tsforecast.api import backtest, plan
    from tsforecast.models.arima import ARIMA

    models: Any = {"arima": ARIMA(order=(2, 1, 2)), "ridge": None}
    result = backtest("weather", models, horizon=24, n_windows=30)
    found = plan("weather", models, horizon=24, n_windows=30)
    taken = result.tasks.groupby("model")[["fit_seconds", "predict_seconds"]].sum().sum(axis=1)
    for cost in found.costs:
        assert 1 / 3 < cost.seconds / np.float64(taken[cost.model]) < 3, (cost, taken[cost.model])
