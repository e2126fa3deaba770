"""Which parts of the stream nobody counts at this moment, by the heartbeats of the workers."""

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

#: A part of the stream of which no heartbeat told for so long stands still. They come twice a second.
STALLED_AFTER_SECONDS = 2.0

#: What workers count, by the name without prefix: the topics that figures of now come from.
COUNTED = ("contact-events.v1", "agent-events.v1", "queue-panes.v1")


def heartbeats_topic(topic_prefix: str) -> str:
    """Return the name of the topic in which workers say that they are alive."""
    return topic("worker-heartbeats.v1").full_name(topic_prefix)


class Workers:
    """When a live worker last said that it goes on with a partition. ``monotonic`` returns seconds that no one sets back."""

    def __init__(self, topic_prefix: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._places = {
            (entry.full_name(topic_prefix), number): (name, number)
            for name, entry in ((name, topic(name)) for name in COUNTED)
            for number in range(entry.partitions)
        }
        self._last_seen: dict[tuple[str, int], float] = {}
        #: When a worker last said that it restores its state.
        self._restored: float | None = None
        #: Since when there would have been something to hear; None while no worker is known to send heartbeats.
        self._since: float | None = None

    def begin(self) -> None:
        """Take note that workers have sent heartbeats some time, so that silence means something from now on."""
        if self._since is None:
            self._since = self._monotonic()

    def feed(self, value: bytes | None) -> None:
        """Take a heartbeat. Never raises."""
        try:
            told = orjson.loads(value or b"")
            going_on = {(name, number) for name, numbers in told["going_on"].items() for number in numbers}
            restores = told.get("restoring") is True
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        self.begin()
        now = self._monotonic()
        for place in going_on & self._places.keys():
            self._last_seen[self._places[place]] = now
        if restores:
            self._restored = now

    @property
    def stalled(self) -> dict[str, list[int]] | None:
        """The partitions that nobody counts, by topic without prefix; None while nothing is known of any worker's heartbeats."""
        if self._since is None:
            return None
        limit = self._monotonic() - STALLED_AFTER_SECONDS
        found: dict[str, list[int]] = {}
        for name, number in self._places.values():
            if self._last_seen.get((name, number), self._since) < limit:
                found.setdefault(name, []).append(number)
        return found

    @property
    def restoring(self) -> bool:
        """Whether a live worker restores its state, after which it counts."""
        return self._restored is not None and self._monotonic() - self._restored <= STALLED_AFTER_SECONDS

    @property
    def silent_seconds(self) -> float | None:
        """How long ago the first of those that stand still was heard last; None where none does."""
        limit = self._monotonic() - STALLED_AFTER_SECONDS
        still = [place for place in self._places.values() if self._last_seen.get(place, self._since or 0) < limit]
        if self._since is None or not still:
            return None
        return self._monotonic() - min(self._last_seen.get(place, self._since) for place in still)


class HeartbeatReader:
    """Follows the heartbeats from the end of their topic on."""

    def __init__(self, workers: Workers, *, bootstrap: str, topic_prefix: str, client_options: Mapping[str, Any] | None = None) -> None:
        self._workers = workers
        self._topic = heartbeats_topic(topic_prefix)
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-serve", **(client_options or {})}

    async def run(self) -> None:
        """Follow until cancelled; failures of Kafka are logged and tried again."""
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
