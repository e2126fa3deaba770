"""Read the configuration file, with errors that state file, line, reason and what is permitted."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from streams.configuration.consistency import inconsistencies
from streams.configuration.models import INCONSISTENT, Configuration
from streams.configuration.problems import MAX_PROBLEMS, FileError, Problem, read_text
from streams.configuration.reading import read_model
from streams.configuration.wording import worded
from streams.configuration.yaml_lines import Document, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import ValidationError

__all__ = ["ConfigurationError", "configuration_schema", "load_configuration", "parse_configuration"]


class ConfigurationError(FileError):
    """The configuration file cannot be used."""


def load_configuration(path: Path | None) -> Configuration:
    """Return the configuration in ``path``, or the defaults if there is no path.

    Raises:
        ConfigurationError: the file is missing, is no YAML, or has something that is not permitted; the error names all of that.
    """
    return Configuration() if path is None else parse_configuration(path, read_text(path, ConfigurationError))


def parse_configuration(path: Path, text: str) -> Configuration:
    """Return the configuration in the text of ``path``; raise ConfigurationError as ``load_configuration``."""
    return read_model(path, text, Configuration, _problems, ConfigurationError, aliases=True)


def configuration_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    schema = Configuration.model_json_schema()
    for part in (schema, *schema["$defs"].values()):
        for entry in part["properties"].values():
            if entry.get("uniqueItems") and "default" in entry:
                entry["default"].sort()  # a set has no order of its own
            if isinstance(entry.get("default"), dict):
                del entry["default"]  # each of its keys has one
    return schema


def _problems(error: ValidationError, document: Document) -> Iterator[Problem]:
    schema = configuration_schema()
    for details in islice(error.errors(include_url=False), MAX_PROBLEMS):
        if details["type"] != INCONSISTENT:
            at, reason = worded(details, schema)
            yield Problem(line_of(document.root, at), ".".join(map(str, at)), reason)
    for wrong in islice(inconsistencies(document.content), MAX_PROBLEMS):
        other = "" if wrong.other is None else f" (line {line_of(document.root, wrong.other)})"
        yield Problem(line_of(document.root, wrong.at), ".".join(map(str, wrong.at)), wrong.reason + other)
