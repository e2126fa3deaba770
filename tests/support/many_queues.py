"""What the worker publishes of a center of very many queues, put into the topic that ``serve`` follows, and what ``serve`` takes for it."""

from __future__ import annotations

import asyncio
import gzip
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.times import format_ms, parse_time_ms
from schemas.topics import topic
from streams.configuration import Configuration
from streams.replay import Replay
from streams.serving.reader import alerts_topic, latest_topic

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "cpu_seconds", "fetch", "idle", "make_topics", "of_many_queues", "publish", "revised"]

#: Past, so that what is served of it stays as it is.
START_MS = parse_time_ms("2026-04-01T08:00:00Z")
ROUND_MS = 600_000
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_BATCH_BYTES = 512 * 1024


def _name(queue: int) -> str:
    return f"queue {queue:04d}"


class _Latest(Replay):
    """A replay that keeps what is in the latest topic, byte for byte."""

    def __init__(self, queues: int) -> None:
        super().__init__(Configuration.model_validate({"queues": {_name(number): {} for number in range(queues)}}))
        self.raw: dict[bytes, bytes] = {}

    def _take_latest(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic == "queue-metrics-latest" and key is not None:
            if value is None:
                self.raw.pop(key, None)
            else:
                self.raw[key] = value


def of_many_queues(queues: int, *, rounds: int) -> dict[bytes, bytes]:
    """Return the latest topic after a call every ten minutes to each queue, of five calls four answered; its records by key."""
    center = _Latest(queues)
    number = 0

    def event(at_ms: int, kind: str, conversation: str, **more: str) -> None:
        nonlocal number
        number += 1
        fields = {
            "event_id": f"e{number}",
            "type": kind,
            "occurred_at": format_ms(at_ms),
            "received_at": format_ms(at_ms),
            "source": "pbx",
            "channel": "voice",
            "conversation_id": conversation,
            **more,
        }
        center.add(orjson.dumps(fields), "contact", published_ms=at_ms)

    for each in range(rounds):
        for queue in range(queues):
            at_ms, call = START_MS + each * ROUND_MS + queue * 400, f"call-{each}-{queue}"
            event(at_ms, "contact.arrived", call, direction="inbound")
            event(at_ms + 1000, "contact.queued", call, queue=_name(queue))
            if (each + queue) % 5:
                event(at_ms + 6000 + queue * 7, "contact.answered", call, agent=f"agent-{queue}")
            event(at_ms + 100_000, "contact.ended", call)
    center.heartbeat("pbx", START_MS + rounds * ROUND_MS)
    center._work_off()
    center._publish()
    return center.raw


def revised(records: Mapping[bytes, bytes], revision: int) -> dict[bytes, bytes]:
    """Return the records of what is now, and of trailing windows, as if all of them had changed."""
    return {
        key: orjson.dumps({**orjson.loads(value), "revision": revision})
        for key, value in records.items()
        if key.startswith((b"now|", b"window|trailing"))
    }


async def make_topics(bootstrap: str, prefix: str) -> None:
    """Create the topics that ``serve`` follows, as the worker does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        followed = (latest_topic(prefix), topic("queue-metrics-latest.v1")), (alerts_topic(prefix), topic("alerts-latest.v1"))
        await admin.create_topics([NewTopic(name, about.partitions, 1) for name, about in followed])
    finally:
        await admin.close()


async def publish(bootstrap: str, prefix: str, records: Mapping[bytes, bytes], *, into: str | None = None) -> None:
    """Write records into the topic that ``serve`` follows, or into another one by its full name."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=_BATCH_BYTES, linger_ms=5)
    await producer.start()
    try:
        for sent in [await producer.send(into or latest_topic(prefix), key=key, value=value) for key, value in records.items()]:
            await sent
    finally:
        await producer.stop()


def cpu_seconds(pid: int) -> float:
    """Return the time that a process has had of processors, all its threads together; known by the hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


async def idle(pid: int, seconds: float = 60) -> None:
    """Wait until a process has nothing more to do: a second goes by in which it takes a twentieth of one."""
    deadline = time.monotonic() + seconds
    while True:
        before = cpu_seconds(pid)
        await asyncio.sleep(1)
        if cpu_seconds(pid) - before <= 0.05:
            return
        if time.monotonic() > deadline:
            message = f"it is still busy after {seconds:.0f} s"
            raise TimeoutError(message)


class Answer(NamedTuple):
    """What came over the wire, and what it is once unpacked."""

    wire_bytes: int
    body: bytes


async def fetch(address: str, path: str, *, packed: bool = True) -> Answer:
    """Ask as Prometheus and browsers do, who take compressed answers."""
    headers = {"Accept-Encoding": "gzip" if packed else "identity"}
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        aiohttp.ClientSession(timeout=timeout, headers=headers, auto_decompress=False) as session,
        session.get(address + path) as got,
    ):
        body = await got.read()
        if got.status != 200:
            message = f"{path}: {got.status}"
            raise RuntimeError(message)
        zipped = got.headers.get("Content-Encoding") == "gzip"
    return Answer(len(body), await asyncio.to_thread(gzip.decompress, body) if zipped else body)
