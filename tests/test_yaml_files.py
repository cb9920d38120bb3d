"""YAML without its traps: what is written is read as it looks, and what is hostile is refused in words."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsforecast.errors import ConfigError
from tsforecast.yaml_files import dump_yaml, load_yaml, parse_scalar


@pytest.fixture
def read(tmp_path: Path):
    """What a config file of this content is read as."""

    def read(content: str | bytes) -> dict[str, Any]:
        path = tmp_path / "c.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_yaml(path)

    return read


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("24", 24),
        ("-3", -3),
        ("1e3", 1000.0),
        ("1e-05", 1e-05),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("012", "012"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("NA", "NA"),
        ("=1+1", "=1+1"),
        ("'24'", "24"),
        ("[hour, 3]", ["hour", 3]),
        ("{max_steps: 10}", {"max_steps": 10}),
    ],
)
def test_a_value_is_read_as_it_looks_in_a_file_and_on_the_command_line(read, written: str, meant: Any) -> None:
    for value in (read(f"key: {written}")["key"], parse_scalar(written)):
        assert value == meant and type(value) is type(meant)


def test_the_usual_yaml_loader_reads_five_of_these_as_something_else() -> None:
    """The control: this is why there is a loader of our own."""
    written = ("on", "012", "12:30:45", "0x1F", "1_000")
    assert [yaml.safe_load(text) for text in written] == [True, 10, 45045, 31, 1000]


@pytest.mark.parametrize("text", ["%d/%m/%Y", "a: b", "close #1", "*", "&x", "@id", "!tag", "- a", "a, b", "|", "> x"])
def test_on_the_command_line_text_is_text_whatever_yaml_makes_of_it(text: str) -> None:
    assert parse_scalar(text) == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("horizon: 1\nhorizon: 2", "line 2: the key 'horizon' is given twice"),
        ("models:\n  lstm: {hidden_size: 8, hidden_size: 9}", "line 2: the key 'hidden_size' is given twice"),
        ("a: &x 1\nb: *x", "line 1: anchors and aliases are not used here"),
        ("a: !!python/object/apply:os.system ['echo hi']", "line 1: tags such as !!python"),
        ("a: !!python/name:os.system ''", "tags such as"),
        ("a: !!timestamp x", "tags such as"),
        ("a: !!bool x", "tags such as"),
        ("!!map [a]", "tags such as"),
        ("? [a, b]\n: 1", "a key is a name"),
        ("<<: {horizon: 3}\nhorizon: 4\n<<: {gap: 1}", "the key '<<' is given twice"),
        ("- horizon\n- 3", "expected keys and values such as 'horizon: 24'"),
        ("horizon", "expected keys and values"),
        ("", "expected keys and values"),
        ("a: 1\n---\nb: 2", "line 2"),
        ("a: [1, 2", "line 1"),
        ("a:\n\t- b", "line 2"),
        (b"\xff\xfe\x00a", "cannot be read as UTF-8 text"),
        (b"a: \x00\x01", "unacceptable character"),
        (b"PAR1\x15\x00\x15\x80\x0f", "cannot be read as UTF-8 text"),
        ("a: " + "[" * 3000, "nested far too deeply"),
        ("a: " + "x" * (1 << 20), "larger than 1 MiB"),
    ],
)
def test_a_hostile_or_mistyped_file_is_refused_with_its_name_and_place(read, content: str | bytes, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(content)
    assert words in str(caught.value) and "c.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such config file"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_yaml(tmp_path)


def test_no_tag_runs_code(read, tmp_path: Path) -> None:
    """The control shows that the same text does run under a loader that trusts it."""
    trace = tmp_path / "ran"
    text = f"a: !!python/object/apply:os.mkdir [{str(trace)!r}]"
    with pytest.raises(ConfigError):
        read(text)
    assert not trace.exists()
    yaml.load(text, Loader=yaml.UnsafeLoader)  # noqa: S506
    assert trace.exists()


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
TREES = st.dictionaries(
    st.text(),
    st.recursive(
        PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
    ),
    max_size=6,
)


@given(TREES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_what_is_dumped_is_read_back_the_same(read, data: dict[str, Any]) -> None:
    assert read(dump_yaml(data)) == data


@given(st.binary(max_size=80) | st.text(alphabet="ab:-?[]{}&*!|>'\"%@`#,\n\t <=~01.", max_size=40).map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_no_bytes_raise_anything_but_a_config_error(read, content: bytes) -> None:
    try:
        found = read(content)
    except ConfigError:
        return
    assert isinstance(found, dict)


@given(st.text(max_size=40))
def test_no_text_after_set_raises_anything_but_a_config_error(text: str) -> None:
    if text.strip()[:1] not in ("[", "{", '"', "'"):
        parse_scalar(text)  # plain text cannot be wrong
        return
    with suppress(ConfigError):
        parse_scalar(text)
