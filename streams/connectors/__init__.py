"""Connectors that publish a platform's events to Kafka: translated, without personal data, accepted once Kafka acknowledges them."""

from __future__ import annotations

__all__: list[str] = []
