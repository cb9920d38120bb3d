"""The long-horizon benchmark scores every window as the protocol does: the last value gets its known errors."""

from __future__ import annotations

import longterm
import longterm_published
import numpy as np
import pytest
from benchmark_cases import Last
from real_data import SHARED, needs_data

from tsforecast.models.naive import Naive, SeasonalNaive

# the errors of the last value, over all windows and with incomplete batches dropped
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
