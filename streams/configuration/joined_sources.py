"""Sources that share their ids: ``joined_sources`` of the configuration, names and patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from streams.configuration.base import Name
from streams.configuration.patterns import matches, overlap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["JoinedSources", "joined_as", "joined_problems"]

JoinedSources = Annotated[
    tuple[Annotated[tuple[Name, ...], Field(strict=False, min_length=1, max_length=100)], ...],
    Field(strict=False, max_length=100),
]


def joined_as(source: str, joined: Sequence[Sequence[str]]) -> str:
    """Return the name of the id space of a source: the first entry of the list that it is in, else its own name."""
    return next((names[0] for names in joined if any(matches(pattern, source) for pattern in names)), source)


def joined_problems(joined: Any) -> Iterator[tuple[tuple[int | str, ...], str, tuple[int | str, ...]]]:
    """Yield the entries that match a source of another entry: location, reason, and the location of the other."""
    before: list[tuple[str, tuple[int | str, ...], int]] = []
    for number, names in enumerate(joined if isinstance(joined, list | tuple) else ()):
        for index, name in enumerate(names if isinstance(names, list | tuple) else ()):
            if not isinstance(name, str):
                continue
            at = ("joined_sources", number, index)
            for other, where, of_list in before:
                if of_list != number and overlap(name, other):
                    yield at, f"{name!r} and {other!r} match the same sources in two lists; permitted: a source in one list", where
                    break
            before.append((name, at, number))
