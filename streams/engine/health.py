"""State of a worker, for its metrics and its health page."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

__all__ = ["STUCK_AFTER_SECONDS", "Health", "PartitionHealth"]

#: Without progress for longer, though there is work and Kafka answers, a worker is not alive.
STUCK_AFTER_SECONDS = 60.0

#: Kafka is asked every two seconds; after this long without an answer it is reported as silent.
_SILENT_AFTER_SECONDS = 10.0


@dataclass(slots=True)
class PartitionHealth:
    """One owned source partition."""

    #: The next source offset to read after the last committed flush.
    committed_offset: int
    #: Rows of all restored topics, tombstones applied.
    restored_rows: int
    restore_seconds: float
    #: End offset of the source when the partition was taken; once that is committed, the partition is caught up.
    target_offset: int = 0
    caught_up: bool = False
    #: End offset of the source at the last check; the committed offset, if only transaction markers follow it.
    end_offset: int = 0
    #: How long the committed offset had not moved by then, though there were records to read.
    stuck_seconds: float = 0.0


@dataclass(slots=True)
class Health:
    """Counters of this process since it started, and the partitions it owns now."""

    #: Committed transactions; idle ticks that had nothing to write do not count.
    flushes: int = 0
    records: int = 0
    rows: int = 0
    outputs: int = 0
    last_flush_seconds: float = 0.0
    #: ``time.monotonic`` of the last tick that left every owned partition durable, or of the last rows read while restoring.
    last_progress: float = field(default_factory=monotonic)
    #: ``time.monotonic`` of Kafka's last answer to the watch; 0 before the first.
    last_answer: float = 0.0
    #: True from a new assignment until every owned partition is restored.
    recovering: bool = True
    #: By source topic and partition.
    partitions: dict[tuple[str, int], PartitionHealth] = field(default_factory=dict)

    def progressed(self) -> None:
        """Record that work continues."""
        self.last_progress = monotonic()

    @property
    def kafka_answers(self) -> bool:
        """Whether Kafka has answered recently."""
        return self.last_answer > 0 and monotonic() - self.last_answer <= _SILENT_AFTER_SECONDS

    def alive(self) -> tuple[bool, str]:
        """Return whether committed offsets move or there is no work, and a label; if not, a new process may do better.

        Without Kafka nothing can move, and a restart would not help: ``ready`` reports that.
        """
        if not self.kafka_answers:
            return True, "waiting for Kafka"
        if monotonic() - self.last_progress > STUCK_AFTER_SECONDS:
            return False, "stuck"
        if any(partition.stuck_seconds > STUCK_AFTER_SECONDS for partition in self.partitions.values()):
            return False, "stuck"
        if self.recovering:
            return True, "recovering"
        behind = any(partition.committed_offset < partition.end_offset for partition in self.partitions.values())
        return True, "working" if behind else "idle"

    def ready(self) -> tuple[bool, str]:
        """Return whether Kafka answers, state is restored and the backlog of that time is processed, and a label."""
        if not self.kafka_answers:
            return False, "waiting for Kafka"
        if self.recovering:
            return False, "recovering"
        if not all(partition.caught_up for partition in self.partitions.values()):
            return False, "catching up"
        return True, "ready"
