"""What a worker knows about itself, for its metrics and its health page."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

__all__ = ["STUCK_AFTER_SECONDS", "Health", "PartitionHealth"]

#: Without progress for longer, though there is something to do and Kafka answers, a worker does not live.
STUCK_AFTER_SECONDS = 60.0

#: Kafka is asked every two seconds; after so long without an answer it is said not to answer.
_SILENT_AFTER_SECONDS = 10.0


@dataclass(slots=True)
class PartitionHealth:
    """One owned source partition."""

    #: The next source offset that the last committed flush left to read.
    committed_offset: int
    #: Rows of all restored topics, tombstones applied.
    restored_rows: int
    restore_seconds: float
    #: Where the source ended when the partition was taken; once that is committed, the partition is caught up.
    target_offset: int = 0
    caught_up: bool = False
    #: Where the source ended when Kafka was asked last; where it is committed, if only transaction markers follow.
    end_offset: int = 0
    #: How long the committed offset had not moved by then, though there was something to read.
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
        """Take note that work is going on."""
        self.last_progress = monotonic()

    @property
    def kafka_answers(self) -> bool:
        """Whether Kafka has answered of late."""
        return self.last_answer > 0 and monotonic() - self.last_answer <= _SILENT_AFTER_SECONDS

    def alive(self) -> tuple[bool, str]:
        """Say whether committed offsets move or there is nothing to do, and a word for it; when not, a new process may do better.

        Without Kafka nothing can move, and a restart would not help: that is for ``ready`` to say.
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
        """Say whether Kafka answers, state is restored, and what had piled up until then is processed; and a word for it."""
        if not self.kafka_answers:
            return False, "waiting for Kafka"
        if self.recovering:
            return False, "recovering"
        if not all(partition.caught_up for partition in self.partitions.values()):
            return False, "catching up"
        return True, "ready"
