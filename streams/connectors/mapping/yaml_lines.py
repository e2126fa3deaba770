"""YAML with the line of everything in it: no surprises of old YAML (``NO`` and ``12:30:45`` are texts), no key twice, no aliases."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

__all__ = ["Location", "YamlError", "line_of", "parse"]

#: Keys and indexes from the root of a document.
Location = tuple[int | str, ...]

_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,15}")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9]{1,15}\.[0-9]{0,15}|\.[0-9]{1,15})")
_WORDS: Final = {"true": True, "True": True, "false": False, "False": False, "null": None, "Null": None, "~": None, "": None}


class YamlError(Exception):
    """The text is no YAML that is read here; carries the 1-based line and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def parse(text: str) -> tuple[Any, yaml.Node | None]:
    """Return the content of a document, and its nodes for ``line_of``; raise YamlError."""
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise YamlError(_line(event), "aliases (*name) are not read here: write it again")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "a character that is not permitted"
        raise YamlError(mark.line + 1 if mark else 1, f"is not valid YAML: {problem}") from error
    except RecursionError as error:
        raise YamlError(1, "is nested too deeply") from error
    return (None if root is None else _content(root)), root


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _content(node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_content(entry) for entry in node.value]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError(key.start_mark.line + 1, "a key is a text")
            if key.value in found:
                raise YamlError(key.start_mark.line + 1, f"the key {key.value!r} stands here twice")
            found[key.value] = _content(value)
        return found
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    text: str = node.value
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        if text in _WORDS:
            return _WORDS[text]
        # 007 is no number: leading zeros belong to ids.
        if _INTEGER.fullmatch(text) and not re.match(r"[-+]?0[0-9]", text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def line_of(node: yaml.Node | None, location: Location) -> int:
    """Return the 1-based line of the deepest part of ``location`` that the document has."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                continue  # a shorthand has no such key; what is inside it may be there
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
