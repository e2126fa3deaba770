"""Data files by their mapping, record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.connectors.lines import Rejected
from streams.connectors.mapping import Mapper, load_mapping, read_records

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from streams.connectors.lines import Outcome

__all__ = ["outcomes_of"]


def outcomes_of(mapping: Path, data: Path, now: datetime, customer_key: Callable[[str], str] | None = None) -> tuple[list[Outcome], Mapper]:
    """Return what each record of a file becomes, with what applied the mapping; raise MappingError as it does."""
    loaded = load_mapping(mapping)
    mapper = Mapper(loaded, now=lambda: now, customer_key=customer_key)
    return [record if isinstance(record, Rejected) else mapper.map(record) for record in read_records(data, loaded)], mapper
