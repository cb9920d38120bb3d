"""A series may be named by several columns together: a product in a store, a sensor in a room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import Command
from ingest_cases import assert_same

from tsforecast.errors import DataError
from tsforecast.reading.readers import read_panel


def sales(stores: tuple[Any, ...] = ("north", "south"), items: tuple[Any, ...] = ("hats", "shoes")) -> pd.DataFrame:
    """Thirty days of each item in each store, in the order of the days."""
    rows = pd.MultiIndex.from_product([pd.date_range("2024-01-01", periods=30), stores, items])
    return rows.to_frame(index=False, name=["day", "store", "item"]).assign(sold=np.arange(len(rows), dtype=float))


@pytest.mark.parametrize("id", ["store,item", "store, item", ["store", "item"], ("store", "item")])
def test_their_names_are_joined(id: Any) -> None:
    panel = read_panel(sales(), id=id)
    assert panel.ids == ("north / hats", "north / shoes", "south / hats", "south / shoes")
    assert [panel.series(i)[:2].tolist() for i in range(4)] == [[0, 4], [1, 5], [2, 6], [3, 7]]
    assert panel.notes[0] == "columns taken: time 'day', target 'sold', series named by 'store' and 'item'"


def test_the_order_that_they_are_given_in_is_that_of_the_name() -> None:
    assert read_panel(sales(), id="item,store").ids[0] == "hats / north"
    assert (
        read_panel(sales(), id="item,store").series(1).tolist()
        == read_panel(sales(), id="store,item").series(2).tolist()
    )


def test_numbers_may_name_series_and_absent_pairs_are_no_series() -> None:
    frame = sales((1, 2, 10), (7.0, 8.0))
    panel = read_panel(frame[(frame.store != 2) | (frame.item != 8)], id="store,item")
    assert panel.ids == ("1 / 7", "1 / 8", "10 / 7", "10 / 8", "2 / 7")


def test_a_column_whose_name_has_a_comma_is_one_column() -> None:
    frame = sales(items=("hats",)).drop(columns="item").rename(columns={"store": "store, city"})
    assert read_panel(frame, id="store, city").ids == ("north", "south")


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("store,itme", r"there is no column 'itme'; did you mean 'item'\?"),
        (3, "there is no column '3'"),
        (["store", 3], "there is no column '3'"),
        ("store,store", "column 'store' is given two roles"),
        ("store", "duplicate time: series 'north', 2024-01-01 occurs 2 times"),
        (None, r"2 columns of text could name the series \(store, item\).* several together with --id store,item"),
    ],
)
def test_what_does_not_tell_series_apart_is_refused(id: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_panel(sales(), id=id)


def test_an_empty_name_and_two_series_of_one_name_are_refused() -> None:
    frame = sales()
    frame.loc[[5, 9], "item"] = None
    with pytest.raises(DataError, match=r"row 5: the id column 'item' is empty \(2 such rows\)"):
        read_panel(frame, id="store,item")
    frame = sales(("a", "a / b"), ("b / c", "c"))
    with pytest.raises(DataError, match=r"two series would be called 'a / b / c', joined of store, item; rename one"):
        read_panel(frame, id="store,item")


def test_ingesting_reads_the_same(tmp_path: Path) -> None:
    sales().sample(frac=1, random_state=0).to_csv(tmp_path / "sales.csv", index=False)
    assert_same(tmp_path / "sales.csv", tmp_path / "set", id="store,item")
    assert read_panel(tmp_path / "set").ids[0] == "north / hats"


def test_flags_and_a_config_file_name_them(tmp_path: Path, command: Command) -> None:
    file, config = tmp_path / "sales.csv", tmp_path / "run.yaml"
    sales().to_csv(file, index=False)
    config.write_text(f"data: {file}\nid: [store, item]\nmodels: naive\n")
    for given in ((file, "--id", "store,item", "--models", "naive"), ("--config", config)):
        code, out, _ = command("plan", *given)
        assert code == 0 and "4 series, 120 steps" in out
