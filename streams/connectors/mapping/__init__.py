"""A system without a connector, connected by a YAML file: records of CSV or JSON become canonical events; no network, no clock."""

from __future__ import annotations

from streams.connectors.mapping.loading import Mapping, MappingError, load_mapping
from streams.connectors.mapping.mapper import Mapper
from streams.connectors.mapping.records import Record, read_records

__all__ = ["Mapper", "Mapping", "MappingError", "Record", "load_mapping", "read_records"]
