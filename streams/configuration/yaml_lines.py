"""YAML with the line of every part: no surprises of old YAML (``NO`` and ``12:30:45`` are texts), no key twice."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import yaml

__all__ = ["Document", "Location", "YamlError", "line_of", "parse"]

#: Keys and indexes from the root of a document.
Location = tuple[int | str, ...]

_MERGE: Final = "tag:yaml.org,2002:merge"
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,15}")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9]{1,15}\.[0-9]{0,15}|\.[0-9]{1,15})")
#: A text beyond these is refused at once: no file of a contact center comes near, and its cost is bounded.
_MAX_DEPTH: Final = 40
_MAX_NODES: Final = 250_000
_MAX_SCALAR: Final = 10_000
#: The parser in C is ten times as fast; errors in short texts have the messages of the other.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SHOWN: Final = 60
_WORDED_CHARACTERS: Final = 32_768
_WORDS: Final = {"true": True, "True": True, "false": False, "False": False, "null": None, "Null": None, "~": None, "": None}


class YamlError(Exception):
    """The text is no YAML that is supported here; carries the 1-based line and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Document(NamedTuple):
    """The content of a text."""

    content: Any
    root: yaml.Node | None
    """for ``line_of``"""
    problems: list[tuple[int, str]]
    """line and reason of problems that leave the text readable: duplicate keys"""


def parse(text: str, *, aliases: bool = False) -> Document:
    """Return the content of a document, with aliases and merge keys only where they are permitted; raise YamlError."""
    try:
        _bounded(text, _Parser, aliases=aliases)
        root = yaml.compose(text, Loader=_Parser)
        reader = _Reader()
        return Document(None if root is None else reader.content(root), root, reader.problems)
    except yaml.YAMLError as error:
        raise _worded(_with_python_message(error, text, aliases=aliases)) from error
    except RecursionError as error:
        raise YamlError(1, "is nested too deeply") from error


def _bounded(text: str, parser: Any, *, aliases: bool) -> None:
    """Raise YamlError for a text beyond the limits, before its nodes are built."""
    bounds = _Bounds()
    for event in yaml.parse(text, Loader=parser):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent) and not aliases:
            raise YamlError(line, "aliases (*name) are not supported here: write it again")
        if reason := bounds.take(event):
            raise YamlError(line, reason)


def _with_python_message(error: yaml.YAMLError, text: str, *, aliases: bool) -> yaml.YAMLError:
    if len(text) <= _WORDED_CHARACTERS and _Parser is not yaml.SafeLoader:
        try:
            _bounded(text, yaml.SafeLoader, aliases=aliases)
            yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as other:
            return other
    return error


class _Bounds:
    """The size of a text so far, including what its aliases repeat."""

    def __init__(self) -> None:
        self._documents = 0
        self._nodes = 0
        #: For each open node, the nodes before it and its anchor.
        self._open: list[tuple[int, str | None]] = []
        self._sizes: dict[str, int] = {}

    def take(self, event: yaml.Event) -> str | None:
        """Return the exceeded limit, if one more event exceeds any."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            return "holds a second document (---); permitted: one" if self._documents > 1 else None
        if isinstance(event, yaml.CollectionEndEvent):
            before, anchor = self._open.pop()
            if anchor is not None:
                self._sizes[anchor] = self._nodes - before
            return None
        if not isinstance(event, yaml.NodeEvent):
            return None
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for _, anchor in self._open):
                return f"*{event.anchor} is within what it names; permitted: after it"
            self._nodes += self._sizes.get(event.anchor or "", 1)
        else:
            self._nodes += 1
            if isinstance(event, yaml.ScalarEvent):
                if len(event.value) > _MAX_SCALAR:
                    return f"a text of {len(event.value)} characters; permitted: at most {_MAX_SCALAR}"
                if event.anchor is not None:
                    self._sizes[event.anchor] = 1
            else:
                self._open.append((self._nodes - 1, event.anchor))
                if len(self._open) > _MAX_DEPTH:
                    return f"is nested too deeply; permitted: {_MAX_DEPTH} levels"
        if self._nodes > _MAX_NODES:
            return f"holds more than {_MAX_NODES} keys and values, including what aliases repeat"
        return None


def _worded(error: yaml.YAMLError) -> YamlError:
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or "a character that is not permitted")
    line = mark.line + 1 if mark else 1
    if "'\\t'" in problem:
        return YamlError(line, "is not valid YAML: a tab before a key or value; permitted: spaces")
    begun = f", in what begins in line {context.line + 1}" if context is not None and context.line + 1 != line else ""
    return YamlError(line, f"is not valid YAML: {problem}{begun}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


class _Reader:
    """Builds the content of nodes; an anchored node is read once, however often it is named."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []
        self._read: dict[int, Any] = {}

    def content(self, node: yaml.Node) -> Any:
        if id(node) not in self._read:
            self._read[id(node)] = self._content(node)
        return self._read[id(node)]

    def _content(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [self.content(entry) for entry in node.value]
        return self._mapping(node) if isinstance(node, yaml.MappingNode) else _scalar(node)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        content: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError(line, "a key is a text")
            if key.tag == _MERGE:
                for source in reversed(value.value if isinstance(value, yaml.SequenceNode) else [value]):
                    if not isinstance(source, yaml.MappingNode):
                        raise YamlError(line, "<< takes over keys and values; permitted: *name of such")
                    merged |= self.content(source)
            elif key.value in lines:
                self.problems.append(
                    (line, f"the key {_short(key.value)!r} is here twice, first in line {lines[key.value]}; permitted: once")
                )
            else:
                content[key.value] = self.content(value)
                lines[key.value] = line
        return merged | content


def _scalar(node: yaml.Node) -> Any:
    text: str = node.value
    if isinstance(node, yaml.ScalarNode) and not node.style:  # the parser in C says ""
        if text in _WORDS:
            return _WORDS[text]
        # 007 is no number: leading zeros belong to ids.
        if _INTEGER.fullmatch(text) and not re.match(r"[-+]?0[0-9]", text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def line_of(node: yaml.Node | None, location: Location) -> int:
    """Return the 1-based line of the deepest part of ``location`` that the document has."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if entry is None:
                continue  # a shorthand lacks this key, but may have what is inside it
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
