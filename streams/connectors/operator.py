"""What an operator orders on its way into the topics of events, and how far the workers say that they have come."""

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

#: The key of the row that says how far a partition has come (`streams.stages.track`).
_META: Final = b"m"
#: It is written at most flushes, so it stands near the end.
_NEAR_THE_END: Final = 5_000
#: How long Kafka may take, in seconds.
_LIMIT_SECONDS: Final = 30.0


class SourceProgress(NamedTuple):
    """What was last heard of a source, in ms: when it was received, and up to when it says to be complete, if it says so."""

    received: int
    complete_through: int | None


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far a worker has come in a partition of events, all in ms."""

    topic: str
    partition: int
    #: When that was written, by the broker's clock.
    written: int
    progress: int | None
    received_through: int | None
    sources: Mapping[str, SourceProgress]
    #: source → why it is quarantined: reason, detail, since_ms, offset, and how many records have been set aside
    quarantined: Mapping[str, Mapping[str, Any]]
    #: source → reason → its bad records lately, where it is not quarantined
    watched: Mapping[str, Mapping[str, int]]

    def is_beyond(self, at_ms: int | None) -> bool:
        """Say whether an instant lies after the broker's clock when this was written."""
        return at_ms is not None and at_ms > self.written + MAX_COMPLETE_AHEAD_MS

    @property
    def beyond(self) -> bool:
        """Whether anything lies beyond."""
        told = (at for source in self.sources.values() for at in source)
        return any(map(self.is_beyond, (self.progress, self.received_through, *told)))


async def give_order(bootstrap: str, prefix: str, order: OperatorModel, client_options: Mapping[str, Any]) -> int:
    """Write an order to every partition of the topics of events; return to how many.

    Raises:
        NoTopicError: one of them is not there.
        TimeoutError, KafkaError, OSError: Kafka did not take all of it; an order may be given again.
    """
    names = [topic(name).full_name(prefix) for name in SOURCES]
    value = encode_order(order)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, **client_options)
    async with asyncio.timeout(_LIMIT_SECONDS):
        await producer.start()
        try:
            _verify(names, (await producer.client.fetch_all_metadata()).topics())
            places = [(name, number) for name in names for number in sorted(await producer.partitions_for(name))]
            await asyncio.gather(*[await producer.send(name, value, partition=number) for name, number in places])
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(producer.stop(), 5)
    return len(places)


async def read_progress(bootstrap: str, prefix: str, client_options: Mapping[str, Any]) -> list[PartitionProgress]:
    """Return how far the workers have come in each partition of events of which they have committed anything, in order.

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
        found = []
        for name, state in states.items():
            for number in range(state.partitions):
                record = await _last_meta(consumer, TopicPartition(state.full_name(prefix), number))
                if record is not None:
                    found.append(_told(name, number, record))
        return found
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(consumer.stop(), 5)


def _verify(names: Iterable[str], known: Iterable[str]) -> None:
    missing = sorted(set(names) - set(known))
    if missing:
        raise NoTopicError(f"there is no topic {', '.join(missing)}: wrong --prefix, or no worker has run here yet")


async def _last_meta(consumer: Any, place: TopicPartition) -> Any:
    """Return the last record that says how far a partition has come, None without one."""
    consumer.assign([place])
    first, end = (await consumer.beginning_offsets([place]))[place], (await consumer.end_offsets([place]))[place]
    for begin in dict.fromkeys((max(first, end - _NEAR_THE_END), first)):
        found = None
        consumer.seek(place, begin)
        async with asyncio.timeout(_LIMIT_SECONDS + (end - begin) / 10_000):
            # The position, not the last record, says when the end is reached: control records take offsets too.
            while await consumer.position(place) < end:
                for record in (await consumer.getmany(place, timeout_ms=500)).get(place, ()):
                    if record.key == _META and record.value is not None:
                        found = record
        if found is not None:
            return found
    return None


def _told(name: str, number: int, record: Any) -> PartitionProgress:
    row = orjson.loads(record.value)
    kept, judged = row["progress"], row.get("sources", {})
    complete = _complete(kept)
    sources = {source: SourceProgress(last, complete.get(source)) for source, last in sorted(kept["sources"].items())}
    watched = {source: reasons for source, (*_, reasons) in judged.get("watched", {}).items()}
    apart = judged.get("quarantined", {})
    return PartitionProgress(name, number, record.timestamp, kept["through"], kept["received_through"], sources, apart, watched)


def _complete(kept: dict[str, Any]) -> dict[str, int]:
    """Return what sources say of themselves; where several ways speak for one, what the farthest says."""
    complete: dict[str, int] = dict(kept["complete"])
    for source, words in kept.get("instances", {}).items():
        for _, told in words.values():
            complete[source] = max(told, complete.get(source, told))
    return complete
