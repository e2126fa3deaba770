"""Read a mapping file; errors name file, line, reason and what is permitted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from streams.configuration.problems import MAX_PROBLEMS, FileError, Problem, read_text
from streams.configuration.yaml_lines import YamlError, line_of, parse
from streams.connectors.mapping.format import MappingFile, Value
from streams.connectors.mapping.plan import Plan, make_plan, problems_of

if TYPE_CHECKING:
    from streams.connectors.mapping.compiling import Problem as RuleProblem

__all__ = ["Mapping", "MappingError", "load_mapping"]

_VERSIONS = (1,)


class MappingError(FileError):
    """The mapping cannot be used, at all or with this data."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A loaded mapping and its file."""

    path: Path
    plan: Plan
    root: yaml.Node | None

    def error(self, problems: list[RuleProblem]) -> MappingError:
        """Return the error that names each problem with file and line."""
        return MappingError(self.path, _located(self.root, problems))


def load_mapping(path: Path, *, source: str | None = None, site: str | None = None) -> Mapping:
    """Return the mapping in a file; ``source`` and ``site`` replace its own.

    Raises:
        MappingError: the file is missing, is no YAML, or has something that is not permitted.
    """
    try:
        document = parse(read_text(path, MappingError))
    except YamlError as error:
        raise MappingError(path, [Problem(error.line, "", error.reason)]) from error
    data, root = document.content, document.root
    repeated = [Problem(line, "", reason) for line, reason in document.problems]
    if isinstance(data, dict) and data.get("version") not in _VERSIONS:
        # First: further errors in a file of another version would mislead.
        reason = "unknown version" if "version" in data else "required"
        raise MappingError(path, [*repeated, Problem(line_of(root, ("version",)), "version", f"{reason}; permitted: 1")])
    try:
        file = MappingFile.model_validate(data)
    except ValidationError as error:
        raise MappingError(path, [*repeated, *_located(root, problems_of(error))]) from error
    changes: dict[str, Any] = {"source": source} if source is not None else {}
    if site is not None:
        changes["site"] = Value(value=site)
    plan, problems = make_plan(file.model_copy(update=changes))
    if problems or repeated:
        raise MappingError(path, [*repeated, *_located(root, problems)])
    return Mapping(path, plan, root)


def _located(root: yaml.Node | None, problems: list[RuleProblem]) -> list[Problem]:
    return [Problem(line_of(root, at), ".".join(map(str, at)), reason) for at, reason in problems[:MAX_PROBLEMS]]
