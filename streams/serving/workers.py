"""The partitions that no worker counts at this moment, by the workers' heartbeats."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
from aiokafka import AIOKafkaConsumer

from schemas.topics import topic
from streams.serving.broker import PATIENCE_SECONDS, keep_trying, partitions_of, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["COUNTED", "STALLED_AFTER_SECONDS", "HeartbeatReader", "Workers", "heartbeats_topic"]

#: A partition without a heartbeat for this long is stalled. Heartbeats come twice a second.
STALLED_AFTER_SECONDS = 2.0

#: The topics, without prefix, from which current figures are computed.
COUNTED = ("contact-events.v1", "agent-events.v1", "queue-panes.v1")


def heartbeats_topic(topic_prefix: str) -> str:
    """Return the name of the topic of the workers' heartbeats."""
    return topic("worker-heartbeats.v1").full_name(topic_prefix)


class Workers:
    """The last heartbeat for each partition. ``monotonic`` returns seconds of a monotonic clock."""

    def __init__(self, topic_prefix: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._partitions = {
            (entry.full_name(topic_prefix), number): (name, number)
            for name, entry in ((name, topic(name)) for name in COUNTED)
            for number in range(entry.partitions)
        }
        self._last_seen: dict[tuple[str, int], float] = {}
        #: The last heartbeat of a worker that restores its state.
        self._restored: float | None = None
        #: Since when heartbeats are expected; None while no worker is known to send them.
        self._since: float | None = None

    def begin(self) -> None:
        """Record that workers send heartbeats, so that silence has a meaning from now on."""
        if self._since is None:
            self._since = self._monotonic()

    def feed(self, value: bytes | None) -> None:
        """Apply a heartbeat. Never raises."""
        try:
            heartbeat = orjson.loads(value or b"")
            active = {(name, number) for name, numbers in heartbeat["going_on"].items() for number in numbers}
            is_restoring = heartbeat.get("restoring") is True
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        self.begin()
        now = self._monotonic()
        for partition in active & self._partitions.keys():
            self._last_seen[self._partitions[partition]] = now
        if is_restoring:
            self._restored = now

    @property
    def stalled(self) -> dict[str, list[int]] | None:
        """The partitions that no worker counts, by topic without prefix; None while no worker is known to send heartbeats."""
        if self._since is None:
            return None
        limit = self._monotonic() - STALLED_AFTER_SECONDS
        stalled: dict[str, list[int]] = {}
        for name, number in self._partitions.values():
            if self._last_seen.get((name, number), self._since) < limit:
                stalled.setdefault(name, []).append(number)
        return stalled

    @property
    def restoring(self) -> bool:
        """Whether a live worker restores its state; it counts after that."""
        return self._restored is not None and self._monotonic() - self._restored <= STALLED_AFTER_SECONDS

    @property
    def silent_seconds(self) -> float | None:
        """The time since the last heartbeat of the partition that stalled first; None if none is stalled."""
        limit = self._monotonic() - STALLED_AFTER_SECONDS
        stalled = [partition for partition in self._partitions.values() if self._last_seen.get(partition, self._since or 0) < limit]
        if self._since is None or not stalled:
            return None
        return self._monotonic() - min(self._last_seen.get(partition, self._since) for partition in stalled)


class HeartbeatReader:
    """Follows the heartbeats from the end of their topic."""

    def __init__(self, workers: Workers, *, bootstrap: str, topic_prefix: str, client_options: Mapping[str, Any] | None = None) -> None:
        self._workers = workers
        self._topic = heartbeats_topic(topic_prefix)
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-serve", **(client_options or {})}

    async def run(self) -> None:
        """Follow until cancelled; failures of Kafka are logged and retried."""
        await keep_trying(self._topic, self._follow)

    async def _follow(self) -> NoReturn:
        partitions = await partitions_of(self._topic, self._client)
        consumer = AIOKafkaConsumer(
            **self._client, group_id=None, enable_auto_commit=False, auto_offset_reset="latest", fetch_max_wait_ms=250
        )
        try:
            await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
            consumer.assign(partitions)
            ends = await asyncio.wait_for(consumer.end_offsets(partitions), PATIENCE_SECONDS)
            for partition, end in ends.items():
                consumer.seek(partition, end)
            if any(ends.values()):
                self._workers.begin()
            while True:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        self._workers.feed(record.value)
        finally:
            await stop(consumer)
