"""The contract: everything that goes over Kafka, as models, schemas and topic definitions; imports nothing from `streams`."""

from __future__ import annotations

__all__: list[str] = []
