"""The walk through what a model holds: every number by its path, and data that a recipe brings along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from cases import HORIZON, RECIPES, sensors

from tsforecast.auditing.state import carried, state, state_change
from tsforecast.models.linear import Ridge


@dataclass
class Scaler:
    mean: float
    made_at: float


class Slotted:
    __slots__ = ("gain",)

    def __init__(self) -> None:
        self.gain = 2.0


def test_a_state_names_every_number_by_its_path() -> None:
    shared = np.arange(3.0)
    thing = {"a": [1, 2.5], "scaler": Scaler(3.0, 0.0), "slots": Slotted(), "once": shared, "again": shared}
    found = state(thing)
    expected = {"['a'][0]", "['a'][1]", "['scaler'].mean", "['scaler'].made_at", "['slots'].gain", "['once']"}
    assert set(found) == expected
    loop: dict[str, Any] = {"x": 1}
    loop["self"] = loop
    assert set(state(loop)) == {"['x']"}


def test_a_changed_state_says_where_and_by_how_much() -> None:
    one, two = ({"w": np.array([1.0, np.nan, x])} for x in (3.0, 6.25))
    assert state_change(state(one), state(one)) == []
    assert [tuple(shift) for shift in state_change(state(one), state(two))] == [("['w']", 3.25)]
    assert [tuple(shift) for shift in state_change(state({"a": 1}), state({"b": "x"}))] == [
        ("['a']", None),
        ("['b']", None),
    ]


def test_the_weights_of_a_network_are_part_of_its_state() -> None:
    whole = sensors((80,))
    network = RECIPES["lstm"](0).fit(whole, HORIZON)
    other = RECIPES["lstm"](0).fit(sensors((80,), seed=1), HORIZON)
    clean = state(network)
    assert sum(leaf.numbers.size for leaf in clean.values() if leaf.numbers is not None) > 2000
    changed = [shift for shift in state_change(clean, state(other)) if "weight_hh_l0" in shift.path]
    assert changed and changed[0].size is not None and changed[0].size > 0


def test_settings_are_no_data() -> None:
    assert [carried(RECIPES[name](0)) for name in RECIPES] == [""] * len(RECIPES)
    assert carried(Ridge(penalties=tuple(range(1, 101)))) == ""
    assert carried(Ridge(penalties=tuple(range(1, 102)))) == "penalties is a collection of 101 numbers"
