"""Read a mapping file, with errors that say file, line, reason and what is permitted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from streams.connectors.mapping.format import MappingFile, Value
from streams.connectors.mapping.plan import Plan, make_plan, problems_of
from streams.connectors.mapping.yaml_lines import YamlError, line_of, parse

if TYPE_CHECKING:
    from streams.connectors.mapping.compiling import Problem

__all__ = ["Mapping", "MappingError", "load_mapping"]

_VERSIONS = (1,)


class MappingError(Exception):
    """The mapping cannot be used, at all or with this data; each line of the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping that was read, and where it stands."""

    path: Path
    plan: Plan
    root: yaml.Node | None

    def error(self, problems: list[Problem]) -> MappingError:
        """Return the error that names each problem with file and line."""
        return MappingError("\n".join(_lines(self.path, self.root, problems)))


def load_mapping(path: Path, *, source: str | None = None, site: str | None = None) -> Mapping:
    """Return the mapping in a file; ``source`` and ``site`` replace its own.

    Raises:
        MappingError: the file is missing, is no YAML, or says something that is not permitted.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MappingError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MappingError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    try:
        data, root = parse(text)
    except YamlError as error:
        raise MappingError(f"{path}:{error.line}: {error.reason}") from error
    if isinstance(data, dict) and data.get("version") not in _VERSIONS:
        # First: what else a file of another version says wrong would mislead.
        reason = "unknown version" if "version" in data else "required"
        raise MappingError(f"{path}:{line_of(root, ('version',))}: version: {reason}; permitted: 1")
    try:
        file = MappingFile.model_validate(data)
    except ValidationError as error:
        raise MappingError("\n".join(_lines(path, root, problems_of(error)))) from error
    changes: dict[str, Any] = {"source": source} if source is not None else {}
    if site is not None:
        changes["site"] = Value(value=site)
    plan, problems = make_plan(file.model_copy(update=changes))
    if problems:
        raise MappingError("\n".join(_lines(path, root, problems)))
    return Mapping(path, plan, root)


def _lines(path: Path, root: yaml.Node | None, problems: list[Problem]) -> list[str]:
    found = {(line_of(root, at), ".".join(map(str, at)), reason) for at, reason in problems}
    return [f"{path}:{line}: {at + ': ' if at else ''}{reason}" for line, at, reason in sorted(found)]
