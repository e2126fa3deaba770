"""Read the text of a YAML file into its model, or report all its problems, each with its line."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from streams.configuration.problems import MAX_PROBLEMS, FileError, Problem
from streams.configuration.yaml_lines import Document, YamlError, line_of, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Place = tuple[int | str, ...]
    #: An error of pydantic as text: its location in the file, and the reason with what is permitted.
    Worded = Callable[[Any], tuple[Place, str]]

__all__ = ["problems_of", "read_model"]

M = TypeVar("M", bound=BaseModel)


def read_model(
    path: Path,
    text: str,
    model: type[M],
    problems: Callable[[ValidationError, Document], Iterator[Problem]],
    error: type[FileError],
    *,
    aliases: bool = False,
) -> M:
    """Return the content of the text of ``path`` as ``model``; raise ``error`` with all that is wrong.

    ``problems`` words what the model refuses; ``aliases`` permits YAML's anchors.
    """
    try:
        document = parse(text, aliases=aliases)
    except YamlError as wrong:
        raise error(path, [Problem(wrong.line, "", wrong.reason)]) from wrong
    duplicates = [Problem(line, "", reason) for line, reason in document.problems]
    try:
        content = model.model_validate({} if document.content is None else document.content)
    except ValidationError as wrong:
        raise error(path, [*duplicates, *problems(wrong, document)]) from wrong
    if duplicates:
        raise error(path, duplicates)
    return content


def problems_of(wrong: ValidationError, document: Document, worded: Worded) -> Iterator[Problem]:
    """Yield what a model refused, limited to the first problems."""
    for details in islice(wrong.errors(include_url=False), MAX_PROBLEMS):
        at, reason = worded(details)
        yield Problem(line_of(document.root, at), ".".join(map(str, at)), reason)
