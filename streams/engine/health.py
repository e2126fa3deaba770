"""What a worker knows about itself, for its metrics and its health page."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Health", "PartitionHealth"]


@dataclass(slots=True)
class PartitionHealth:
    """One owned source partition."""

    #: The next source offset that the last committed flush left to read.
    committed_offset: int
    #: Rows of all restored topics, tombstones applied.
    restored_rows: int
    restore_seconds: float


@dataclass(slots=True)
class Health:
    """Counters of this process since it started, and the partitions it owns now."""

    #: Committed transactions; idle ticks that had nothing to write do not count.
    flushes: int = 0
    records: int = 0
    rows: int = 0
    outputs: int = 0
    last_flush_seconds: float = 0.0
    #: ``time.monotonic`` of the last tick that left every owned partition durable; liveness is its age.
    last_progress: float = 0.0
    #: True from a new assignment until every owned partition is restored.
    recovering: bool = True
    #: By source topic and partition.
    partitions: dict[tuple[str, int], PartitionHealth] = field(default_factory=dict)
