"""A data file, how the mapping reads it, and one record of it."""

from __future__ import annotations

from collections.abc import Mapping as Mapping_
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streams.configuration.yaml_lines import Location
from streams.connectors.inputs import Input
from streams.connectors.mapping.format import Reading
from streams.connectors.mapping.loading import Mapping

if TYPE_CHECKING:
    from streams.connectors.mapping.loading import MappingError

__all__ = ["Record", "Source"]


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the columns of a row by name, or a JSON object."""

    values: dict[str, Any]
    raw: bytes
    #: ``file:line``, the line where it begins.
    origin: str
    #: Byte offset of its beginning, where it is known.
    offset: int | None = None
    #: Count of characters that replaced undecodable bytes.
    replaced: int = 0
    #: Its number in the file, from 1.
    number: int = 0
    #: By table, its rows that belong to this record, in the order of the table.
    joined: Mapping_[str, tuple[Record, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is read, how, and the location of that in the mapping."""

    file: Input
    reading: Reading
    mapping: Mapping
    #: Location of the reading in the mapping.
    location: Location = ("read",)
    #: Columns that the mapping uses, with the locations that name them.
    columns: tuple[tuple[Location, str], ...] = ()

    def error(self, reason: str, *key: str) -> MappingError:
        """Return the error that the file cannot be read as the mapping states."""
        return self.mapping.error([((*self.location, *key), reason)])
