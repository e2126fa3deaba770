"""Read the configuration file, with errors that say file, line, reason and what is permitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from streams.configuration.models import Configuration

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ConfigurationError", "load_configuration"]


class ConfigurationError(Exception):
    """The file cannot be used; each line of the message names file, line and reason."""


def load_configuration(path: Path | None) -> Configuration:
    """Return the configuration in ``path``, or the defaults if there is no path.

    Raises:
        ConfigurationError: the file is missing, is no YAML, or says something that is not permitted.
    """
    if path is None:
        return Configuration()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}: is not UTF-8 text (byte {error.start})"
        raise ConfigurationError(msg) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        msg = f"{path}:{line}: is not valid YAML: {getattr(error, 'problem', error)}"
        raise ConfigurationError(msg) from error
    try:
        return Configuration.model_validate(data if data is not None else {})
    except ValidationError as error:
        lines = [f"{path}:{_line_of(root, e['loc'])}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError("\n".join(lines)) from error


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Return the 1-based line of the deepest part of ``location`` that the file has."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
