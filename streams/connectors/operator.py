"""Publish an operator's orders to the topics of events, and read the progress that the workers have committed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.limits import MAX_COMPLETE_AHEAD_MS
from schemas.operator import encode_order
from schemas.topics import SOURCES, state_of, topic
from streams.connectors.dead_letters import NoTopicError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.operator import OperatorModel

__all__ = ["PartitionProgress", "SourceProgress", "give_order", "read_progress"]

#: The key of the row with the progress of a partition (`streams.stages.track`).
_META: Final = b"m"
#: Most flushes write it, so it is near the end.
_NEAR_THE_END: Final = 5_000
#: How long Kafka may take, in seconds.
_LIMIT_SECONDS: Final = 30.0


class SourceProgress(NamedTuple):
    """The last event of a source, in ms: when it was received, and up to when the source reported to be complete, if it did."""

    received: int
    complete_through: int | None


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """The progress of a worker in a partition of events, all in ms."""

    topic: str
    partition: int
    #: When it was written, by the broker's clock.
    written: int
    progress: int | None
    received_through: int | None
    sources: Mapping[str, SourceProgress]
    #: source → why it is quarantined: reason, detail, since_ms, offset, and the number of dead-lettered records
    quarantined: Mapping[str, Mapping[str, Any]]
    #: source → reason → its recent malformed records, where it is not quarantined
    watched: Mapping[str, Mapping[str, int]]

    def is_beyond(self, at_ms: int | None) -> bool:
        """Return whether an instant is after the broker's clock when this was written."""
        return at_ms is not None and at_ms > self.written + MAX_COMPLETE_AHEAD_MS

    @property
    def beyond(self) -> bool:
        """Whether any instant is beyond."""
        instants = (at for source in self.sources.values() for at in source)
        return any(map(self.is_beyond, (self.progress, self.received_through, *instants)))


async def give_order(bootstrap: str, prefix: str, order: OperatorModel, client_options: Mapping[str, Any]) -> int:
    """Write an order to every partition of the topics of events; return the number of partitions.

    Raises:
        NoTopicError: a topic does not exist.
        TimeoutError, KafkaError, OSError: Kafka did not take all records; the order may be given again.
    """
    names = [topic(name).full_name(prefix) for name in SOURCES]
    value = encode_order(order)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, **client_options)
    async with asyncio.timeout(_LIMIT_SECONDS):
        await producer.start()
        try:
            _verify(names, (await producer.client.fetch_all_metadata()).topics())
            partitions = [(name, number) for name in names for number in sorted(await producer.partitions_for(name))]
            await asyncio.gather(*[await producer.send(name, value, partition=number) for name, number in partitions])
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(producer.stop(), 5)
    return len(partitions)


async def read_progress(bootstrap: str, prefix: str, client_options: Mapping[str, Any]) -> list[PartitionProgress]:
    """Return the workers' progress in each partition of events of which they have committed anything, in order.

    Raises:
        NoTopicError: no worker has run under this prefix.
        TimeoutError, KafkaError, OSError: Kafka did not answer.
    """
    states = {topic(name).full_name(prefix): entry for name in SOURCES if (entry := state_of(name)) is not None}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        **client_options,
    )
    try:
        await consumer.start()
        _verify([state.full_name(prefix) for state in states.values()], await consumer.topics())
        progress = []
        for name, state in states.items():
            for number in range(state.partitions):
                record = await _last_meta(consumer, TopicPartition(state.full_name(prefix), number))
                if record is not None:
                    progress.append(_progress_of(name, number, record))
        return progress
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(consumer.stop(), 5)


def _verify(names: Iterable[str], known: Iterable[str]) -> None:
    missing = sorted(set(names) - set(known))
    if missing:
        raise NoTopicError(f"there is no topic {', '.join(missing)}: wrong --prefix, or no worker has run here yet")


async def _last_meta(consumer: Any, partition: TopicPartition) -> Any:
    """Return the last record with the progress of a partition, None without one."""
    consumer.assign([partition])
    first, end = (await consumer.beginning_offsets([partition]))[partition], (await consumer.end_offsets([partition]))[partition]
    for begin in dict.fromkeys((max(first, end - _NEAR_THE_END), first)):
        last = None
        consumer.seek(partition, begin)
        async with asyncio.timeout(_LIMIT_SECONDS + (end - begin) / 10_000):
            # The position, not the last record, shows when the end is reached: control records take offsets too.
            while await consumer.position(partition) < end:
                for record in (await consumer.getmany(partition, timeout_ms=500)).get(partition, ()):
                    if record.key == _META and record.value is not None:
                        last = record
        if last is not None:
            return last
    return None


def _progress_of(name: str, number: int, record: Any) -> PartitionProgress:
    row = orjson.loads(record.value)
    progress, judged = row["progress"], row.get("sources", {})
    complete = _complete(progress)
    sources = {source: SourceProgress(last, complete.get(source)) for source, last in sorted(progress["sources"].items())}
    watched = {source: reasons for source, (*_, reasons) in judged.get("watched", {}).items()}
    quarantined = judged.get("quarantined", {})
    through, received_through = progress["through"], progress["received_through"]
    return PartitionProgress(name, number, record.timestamp, through, received_through, sources, quarantined, watched)


def _complete(progress: dict[str, Any]) -> dict[str, int]:
    """Return how far sources reported to be complete; of several instances of a source, the farthest."""
    complete: dict[str, int] = dict(progress["complete"])
    for source, instances in progress.get("instances", {}).items():
        for _, through in instances.values():
            complete[source] = max(through, complete.get(source, through))
    return complete
