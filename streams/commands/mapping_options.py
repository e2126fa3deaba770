"""Shared code of the commands that apply a mapping file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streams.commands.common import customer_key
from streams.connectors.mapping import Mapper, load_mapping

if TYPE_CHECKING:
    from pathlib import Path

    from streams.connectors.mapping import Mapping

__all__ = ["make_mapper", "mapper_of"]


def make_mapper(path: Path, *, source: str | None = None, site: str | None = None) -> tuple[Mapping, Mapper]:
    """Return a mapping and its mapper.

    Raises:
        MappingError: the mapping cannot be used.
        ValueError: the key of the environment cannot be used.
    """
    mapping = load_mapping(path, source=source, site=site)
    return mapping, mapper_of(mapping)


def mapper_of(mapping: Mapping) -> Mapper:
    """Return a mapper for the records of one file; raise ValueError if the key of the environment cannot be used."""
    return Mapper(mapping, now=lambda: datetime.now(UTC), customer_key=customer_key())
