"""YAML without its traps: no code, no duplicate keys, no anchors, and only true/false, null and plain numbers are
anything but text (YAML 1.1 reads `1e3` as text, `on` as true and `012` as ten)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tsforecast.errors import ConfigError

__all__ = ["dump_yaml", "load_yaml", "parse_scalar"]

MOST_BYTES = 1 << 20


class _Loader(yaml.SafeLoader):
    """The safe loader, with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (that is how PyYAML wants it)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refused("a key is a name, not a list or a mapping", key_node.start_mark)
            if key_node.value in seen:
                raise _refused(f"the key '{key_node.value}' is given twice", key_node.start_mark)
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.events.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("anchors and aliases are not used here", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _refused("tags such as !!python or !!str are not used here", event.start_mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """The safe dumper: quotes what either it or the loader above would take for something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", "-+0123456789."),
):
    for kind in (_Loader, _Dumper):
        kind.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))
_Dumper.add_representer(
    str,  # a line break of any kind survives only inside double quotes
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, None if text.isprintable() else '"'),
)
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(str(node.value)))


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ConfigError with file, line and what is wrong."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path}: larger than 1 MiB; that is no config")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such config file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    found = _parse(text, str(path))
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: expected keys and values such as 'horizon: 24' at the top")
    return found


def parse_scalar(text: str) -> Any:
    """The value of a `--set key=value`: a number, true, null, [a, list], {a: mapping}, "quoted" or just text."""
    text = text.strip()
    if text[:1] in ("[", "{", '"', "'"):
        return _parse(text, text)
    loader = _Loader("")  # text is taken as it is, also where YAML gives a meaning to its %, #, * or colon
    try:
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return loader.construct_object(yaml.ScalarNode(tag, text))
    finally:
        loader.dispose()


def dump_yaml(data: dict[str, Any]) -> str:
    """The mapping as text that `load_yaml` reads back to the same values."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)


def _parse(text: str, where: str) -> Any:
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ConfigError(f"{where}{line}: {problem}") from None
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{where}: nested far too deeply for a config") from None


def _refused(problem: str, mark: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)
