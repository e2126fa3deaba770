"""The effect of worker faults on the figures of 24 queues: how long each is stalled, and what the API reports meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.times import format_ms
from schemas.topics import topic
from tests.support.services import Services

if TYPE_CHECKING:
    from types import TracebackType


__all__ = ["QUEUES", "Standstill"]

QUEUES = 24
_INTERVAL_SECONDS = 1.0 / QUEUES
_CONTACTS = topic("contact-events.v1")
_LATEST = topic("queue-metrics-latest.v1")


@dataclass
class Standstill:
    """Sends 24 events a second, one of each queue, and follows when each of them is a figure.

    All contacts of a queue go into one partition: so none of its events is counted before an earlier one, and its number of waiting
    contacts shows which event was counted last.
    """

    bootstrap: str
    prefix: str
    services: Services
    #: By queue: when each of its contacts was sent, and was seen in the figures.
    sent: dict[str, list[float]] = field(default_factory=dict)
    seen: dict[str, list[float]] = field(default_factory=dict)
    #: When, and what the API reported: ``live``, or else what is stalled.
    states: list[tuple[float, str]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        """Begin to send, follow and ask."""
        self._tasks = [asyncio.create_task(each()) for each in (self._send, self._follow, self._ask)]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def caught_up(self, seconds: float = 60) -> None:
        """Wait until every event of three seconds ago is a figure, and the API calls it live."""
        deadline = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            counted = len(self.sent) == QUEUES and all(
                len(self.seen.get(queue, ())) >= sum(at < now - 3 for at in times) > 1 for queue, times in self.sent.items()
            )
            if counted and self.states and self.states[-1][1] == "live":
                return
            if now > deadline:
                raise TimeoutError(
                    f"Not caught up: {self.states[-1:]}; { ({q: (len(t), len(self.seen.get(q, ()))) for q, t in self.sent.items()}) }"
                )
            self.services.supervise()
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.1)

    def stalls(self, since: float, until: float) -> list[float]:
        """Return by queue the longest that an event sent in this time took to be a figure, in seconds, ascending."""
        found = []
        for queue, times in self.sent.items():
            seen = self.seen.get(queue, [])
            took = [(seen[at] if at < len(seen) else time.monotonic()) - when for at, when in enumerate(times) if since - 1 <= when < until]
            found.append(max(took))
        return sorted(found)

    def median_stall(self, since: float, until: float) -> float:
        """Return the median over the queues of ``stalls``."""
        return statistics.median(self.stalls(since, until))

    def first_reported(self, since: float) -> float | None:
        """Return how long after ``since`` the API first reported something else than ``live``."""
        return next((at - since for at, what in self.states if at >= since and what != "live"), None)

    def states_since(self, since: float) -> str:
        """Return the states that the API reported since then, and for how long each."""
        spans: list[tuple[str, float, float]] = []
        for at, what in self.states:
            if at < since:
                continue
            if spans and spans[-1][0] == what:
                spans[-1] = (what, spans[-1][1], at)
            else:
                spans.append((what, at, at))
        ends = [begin for _, begin, _ in spans[1:]] + [spans[-1][2]] if spans else []
        return ", ".join(f"{what} {end - begin:.1f} s" for (what, begin, _), end in zip(spans, ends, strict=True))

    async def _send(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        await producer.start()
        number = 0
        began = time.monotonic()
        try:
            while True:
                queue = f"queue-{number % QUEUES:02}"
                now = format_ms(time.time_ns() // 1_000_000)
                name = f"{self.prefix}-{number}"
                event = {
                    "type": "contact.queued",
                    "event_id": name,
                    "source": "pbx",
                    "conversation_id": name,
                    "contact_id": name,
                    "channel": "voice",
                    "queue": queue,
                    "occurred_at": now,
                    "received_at": now,
                }
                place = number % QUEUES % _CONTACTS.partitions
                await producer.send_and_wait(_CONTACTS.full_name(self.prefix), orjson.dumps(event), key=name.encode(), partition=place)
                self.sent.setdefault(queue, []).append(time.monotonic())
                number += 1
                await asyncio.sleep(max(0.0, began + number * _INTERVAL_SECONDS - time.monotonic()))
        finally:
            await producer.stop()

    async def _follow(self) -> None:
        places = [TopicPartition(_LATEST.full_name(self.prefix), number) for number in range(_LATEST.partitions)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", fetch_max_wait_ms=100
        )
        await consumer.start()
        consumer.assign(places)
        try:
            while True:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        self._count(json.loads(record.value or b"{}"))
        finally:
            await consumer.stop()

    def _count(self, record: dict[str, Any]) -> None:
        if record.get("kind") == "now" and record["scope_kind"] == "queue" and record["channel"] == "voice":
            seen = self.seen.setdefault(record["scope"], [])
            seen += [time.monotonic()] * (record["waiting"] - len(seen))

    async def _ask(self) -> None:
        while True:
            _, figures = await self.services.ask("serve", "/api/v1/figures?window=trailing_5m")
            self.states.append((time.monotonic(), _state_of(figures)))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.sleep(0.1)


def _state_of(figures: Any) -> str:
    if not isinstance(figures, dict):
        return "no answer"
    if figures["stale"]:
        return "stale"
    if any((figures.get("standing_still") or {}).values()):
        return "partly standing still"
    return "recovering" if figures["recovering"] else "live"
