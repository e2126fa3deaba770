"""The number of dead letters by topic, from offsets alone: few accounts should read their content."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from aiokafka import AIOKafkaConsumer

from schemas.topics import TOPICS, topic
from streams.serving.broker import PATIENCE_SECONDS, MissingTopicError, keep_trying, partitions_of, stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import TopicPartition

__all__ = ["Dead", "DeadLetterCounts", "DeadLetterWatch"]

#: Topics of dead letters, without prefix.
_NAMES: Final = tuple(sorted({entry.dead_letters for entry in TOPICS if entry.dead_letters is not None}))
_POLL_SECONDS: Final = 30.0
_HOUR_MS: Final = 3_600_000
#: Counts older than this are unknown: Kafka has not answered since.
_OLD_MS: Final = 180_000


class Dead(NamedTuple):
    """Upper bounds of the dead letters of a topic: offsets of transaction markers are counted too."""

    last_hour: int
    last_day: int
    held: int


class DeadLetterCounts:
    """The newest counts."""

    def __init__(self) -> None:
        self._counted: dict[str, Dead] = {}
        self._at_ms: int | None = None

    def update(self, counts: Mapping[str, Dead], at_ms: int) -> None:
        """Store the counts of an instant, by topic without prefix."""
        self._counted, self._at_ms = dict(counts), at_ms

    def at(self, now_ms: int) -> dict[str, Dead] | None:
        """Return the counts by topic without prefix; None if there are none, or they are too old."""
        is_current = self._at_ms is not None and now_ms - self._at_ms <= _OLD_MS
        return dict(self._counted) if is_current else None


class DeadLetterWatch:
    """Polls the begin and end offsets of the topics of dead letters, which takes no right to read them."""

    def __init__(
        self,
        counts: DeadLetterCounts,
        *,
        bootstrap: str,
        topic_prefix: str,
        client_options: Mapping[str, Any] | None = None,
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        self._poll_seconds = poll_seconds
        self._counts = counts
        self._prefix = topic_prefix
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-serve", **(client_options or {})}

    async def run(self) -> None:
        """Count until cancelled; failures of Kafka are logged and tried again."""
        await keep_trying("topics of dead letters", self._follow, "counted")

    async def _follow(self) -> NoReturn:
        consumer = AIOKafkaConsumer(**self._client, group_id=None, enable_auto_commit=False)
        try:
            await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
            names: dict[TopicPartition, str] = {}
            while True:
                if len({*names.values()}) < len(_NAMES):
                    names = await self._partitions()
                # No partitions: no worker has created the topics yet.
                if names:
                    now_ms = int(time.time() * 1000)
                    self._counts.update(await _counted(consumer, names, now_ms), now_ms)
                await asyncio.sleep(self._poll_seconds)
        finally:
            await stop(consumer)

    async def _partitions(self) -> dict[TopicPartition, str]:
        names: dict[TopicPartition, str] = {}
        for name in _NAMES:
            with contextlib.suppress(MissingTopicError):
                names.update(dict.fromkeys(await partitions_of(topic(name).full_name(self._prefix), self._client), name))
        return names


async def _counted(consumer: AIOKafkaConsumer, names: Mapping[TopicPartition, str], now_ms: int) -> dict[str, Dead]:
    partitions = list(names)
    begins = await asyncio.wait_for(consumer.beginning_offsets(partitions), PATIENCE_SECONDS)
    ends = await asyncio.wait_for(consumer.end_offsets(partitions), PATIENCE_SECONDS)
    counts: dict[str, Dead] = {}
    since = [
        await asyncio.wait_for(consumer.offsets_for_times(dict.fromkeys(partitions, now_ms - hours * _HOUR_MS)), PATIENCE_SECONDS)
        for hours in (1, 24)
    ]
    for partition, name in names.items():
        hour, day = (0 if first.get(partition) is None else max(0, ends[partition] - first[partition].offset) for first in since)
        before = counts.get(name, Dead(0, 0, 0))
        counts[name] = Dead(before.last_hour + hour, before.last_day + day, before.held + ends[partition] - begins[partition])
    return counts
