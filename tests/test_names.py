"""Names in Arrow: what a tuple of strings says."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from tsforecast import names as module
from tsforecast.names import Names, named

WORDS = ("", "Zürich", "it's", "a\tb", "0", "x" * 90)


@pytest.fixture(params=[4096, 4], ids=["one piece", "two pieces"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Names:
    monkeypatch.setattr(module, "MANY", request.param)
    return Names(pa.array(WORDS))


def test_names_are_read_like_a_tuple(held: Names) -> None:
    assert len(held) == 6 and tuple(held) == WORDS and "0" in held and "1" not in held
    assert held[1] == "Zürich" and held[-1] == WORDS[-1] and held[np.int64(2)] == "it's"
    assert held[1:3] == WORDS[1:3] and held[::-1] == WORDS[::-1]
    with pytest.raises(IndexError):
        held[6]


def test_names_equal_a_tuple_of_the_same_words_in_the_same_order(held: Names) -> None:
    assert held == WORDS and held == Names(pa.array(WORDS)) and hash(held) == hash(WORDS)
    assert held != WORDS[::-1] and held != WORDS[:5] and held != (*WORDS, "more") and held != "words"


def test_names_are_written_as_a_tuple_is_so_that_fingerprints_of_data_stay(held: Names) -> None:
    assert repr(held) == repr(WORDS)
    for few in ((), ("one",)):
        assert repr(Names(pa.array(few, pa.string()))) == repr(few)
    assert json.dumps(list(held)) == json.dumps(WORDS)


def test_some_are_taken_by_their_numbers(held: Names) -> None:
    for rows in ([], [4], [5, 0, 0]):
        assert named(held, np.array(rows, dtype=np.int64)) == named(WORDS, np.array(rows, dtype=np.int64))
    assert named(held, np.array([5, 0])) == (WORDS[5], "")
