"""Counters of a worker's stages since its start, for the exporter."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["StageCounters"]


@dataclass(slots=True)
class StageCounters:
    """Counters and gauges of one flow."""

    events: int = 0
    late: int = 0
    repeated: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    #: (source topic, partition) → kind → names and contacts beyond the limits of their source, over the life of the state
    beyond_limits: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)
    #: gauge: (source topic, partition) → the sources in quarantine
    quarantined: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    #: gauge: partition of customers → keys beyond the limits of a customer
    overfull: dict[int, int] = field(default_factory=dict)
    #: links of customers that were ignored because they would join too many keys
    links_refused: int = 0

    def reject(self, reason: str) -> None:
        """Count one dead letter."""
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
