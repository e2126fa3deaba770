"""What a worker's stages have done since the process began, and found; plain numbers that an exporter may read."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["StageCounters"]


@dataclass(slots=True)
class StageCounters:
    """Counters of one flow; they only go up, but for what there is of something now."""

    events: int = 0
    late: int = 0
    repeated: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    #: (source topic, partition) → kind → names and contacts beyond the limits of their source, since there is state
    beyond_limits: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)
    #: (source topic, partition) → the sources quarantined there, now
    quarantined: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    #: partition of customers → keys under which too much is known, now
    overfull: dict[int, int] = field(default_factory=dict)
    #: links of customers that would join too many keys, and are passed over
    links_refused: int = 0

    def reject(self, reason: str) -> None:
        """Count one dead letter."""
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
