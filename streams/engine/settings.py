"""Settings of the engine: how to reach Kafka, how often to flush, and which flows a worker runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.engine.silence import SILENCE_SECONDS
from streams.engine.stage import Stage

__all__ = ["EngineSettings", "Flow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of one worker. Every worker of an application has the same ``app_id``."""

    #: Names the consumer group and begins every transactional id: never change it while state is needed.
    app_id: str
    #: ``host:port``, several separated by commas.
    bootstrap: str
    #: Time between two flushes; what is published lags by half of it on average.
    flush_interval_seconds: float = 0.2
    #: How long readers wait for a worker that stops in the middle of a flush.
    transaction_timeout_seconds: float = 8.0
    #: How long a silent worker keeps its partitions. With ``group_instance_id``, longer than a restart takes.
    session_timeout_seconds: float = 10.0
    #: One partition, with broker times, for the workers' heartbeats, two a second. None: no heartbeats.
    heartbeats_topic: str | None = None
    #: How long a worker's heartbeats may be missing before other workers remove it from the group.
    silence_seconds: float = SILENCE_SECONDS
    #: How long a rebalance waits for a worker: for the current chunk and flush, not for restoring.
    rebalance_timeout_seconds: float = 30.0
    #: Static membership: a name that outlives the process, so that a restart moves no partition.
    group_instance_id: str | None = None
    #: The most records of one fetch; bounds how long a chunk delays a flush, and the memory of waiting chunks.
    max_poll_records: int = 4000
    #: Shown in the brokers' logs and quotas.
    client_id: str = "contact-streams"
    #: The most bytes of one produced batch; below the topics' ``max.message.bytes``.
    max_batch_bytes: int = 768 * 1024
    #: Compression of batches: ``gzip``, ``snappy``, ``lz4``, ``zstd``; None: none.
    compression: str | None = None
    #: How many partitions are restored at a time.
    parallel_restores: int = 4
    #: Passed to every aiokafka client: ``security_protocol``, ``ssl_context``, ``sasl_mechanism`` and its kin.
    client_options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One source topic, and the stage that runs on each of its partitions."""

    #: Names the flow's table and its lines in logs and metrics.
    name: str
    source: str
    #: Creates the stage of a source partition, before its rows are restored.
    stage_factory: Callable[[int], Stage]
    #: Stores the stage's rows; compacted, with as many partitions as the source. Restored first.
    changelog: str | None = None
    #: Further topics read from the start, same partition number, before the first chunk. When the source
    #: is among them, the chunks begin where this reading ended, whatever the group has committed.
    restore: tuple[str, ...] = ()
    #: Its source is the output of other flows: in each round it flushes after them, and includes what they have just written.
    flushes_second: bool = False

    @property
    def restored(self) -> tuple[str, ...]:
        """All topics to read from the start, the changelog first."""
        first = () if self.changelog is None else (self.changelog,)
        return first + tuple(topic for topic in self.restore if topic != self.changelog)
