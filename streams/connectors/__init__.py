"""What brings a platform's events to Kafka: translated, without personal data, acknowledged before they count as taken."""

from __future__ import annotations

__all__: list[str] = []
