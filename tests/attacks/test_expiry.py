"""What a sender made up and nothing reports of any more is gone from a running system; what is configured stays."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import ClientSession
from aiokafka import AIOKafkaProducer

from schemas.times import format_ms
from streams.worker import create_topics
from tests.support.services import Services, until
from tests.support.topics import read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

HOUR_MS = 3_600_000
PARTITIONS = 8
#: The shortest time that may be configured.
CONFIGURATION = "queues:\n  Sales: {channel: voice}\nsource_limits: {names_idle_hours: 72}\n"


def contact_event(kind: str, at_ms: int, name: str, **fields: Any) -> bytes:
    """Return an event as the topics have it."""
    at = format_ms(at_ms)
    return orjson.dumps({"type": kind, "event_id": f"{name} {at}", "occurred_at": at, "received_at": at, "source": "pbx", **fields})


def call(at_ms: int, number: int, queue: str, channel: str) -> list[bytes]:
    """Return a call that is answered after 20 s and over after 50 s."""
    name = f"{queue} {channel} {number}"
    queued = contact_event("contact.queued", at_ms, f"{name} q", conversation_id=name, queue=queue, channel=channel)
    answered = contact_event("contact.answered", at_ms + 20_000, f"{name} a", conversation_id=name, agent="ann", queue=queue)
    return [queued, answered, contact_event("contact.ended", at_ms + 50_000, f"{name} e", conversation_id=name, by="customer")]


async def _follow(address: str, removed: set[str]) -> None:
    """Record the keys that an open page is sent to remove."""
    async with ClientSession(address) as client, client.get("/api/v1/events") as stream:
        async for line in stream.content:
            if line.startswith(b"data: "):
                removed.update(orjson.loads(line[6:]).get("removed", ()))


def test_made_up_names_expire_on_a_running_system(kafka: Cluster, tmp_path: Path) -> None:
    """A made-up queue, and a channel that a queue is not for: tombstones in the topics, gone from /metrics, API and open pages."""
    configuration = tmp_path / "center.yaml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    prefix, now_ms = "expiry", round(time.time() * 1000)
    begin_ms = now_ms - 90 * HOUR_MS

    async def check() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
        with Services(tmp_path, kafka.bootstrap, prefix, configuration) as services:
            await create_topics(kafka.bootstrap, prefix)
            await producer.start()

            async def beat(at_ms: int) -> None:
                value = contact_event("source.heartbeat", at_ms, "beat", complete_through=format_ms(at_ms))
                for topic in ("contact-events.v1", "agent-events.v1"):
                    for partition in range(PARTITIONS):
                        await producer.send_and_wait(f"{prefix}.{topic}", value, partition=partition)

            async def shown(path: str = "/api/v1/figures") -> str:
                services.supervise()
                status, answer = await services.ask("serve", path)
                return orjson.dumps(answer).decode() if status == 200 else ""

            services.run("worker")
            services.run("serve")
            await services.ready("worker", "serve")
            for number in range(PARTITIONS):
                for queue, channel in (("Sales", "voice"), ("made up", "voice"), ("Sales", "chat")):
                    for value in call(begin_ms, number, queue, channel):
                        await producer.send_and_wait(f"{prefix}.contact-events.v1", value, partition=number)
            await beat(begin_ms + 300_000)
            await until(lambda: _is_in(shown, "queue:made up", "now|chat|queue:Sales", "window|trailing_15m|voice|queue:made up"), 60)
            assert "made up" in await shown("/metrics")
            removed: set[str] = set()
            page = asyncio.create_task(_follow(services.addresses["serve"], removed))
            await beat(begin_ms + 70 * HOUR_MS)
            await asyncio.sleep(2)
            assert await _is_in(shown, "now|voice|queue:made up", "now|chat|queue:Sales")
            # A restart between: who takes over knows when something was last booked from the state.
            services.kill("worker")
            services.start("worker")
            await services.ready("worker")

            async def is_gone() -> bool:
                await beat(round(time.time() * 1000))
                text = await shown()
                return bool(text) and "made up" not in text and "|chat|" not in text

            await until(is_gone, 60, lambda: services.log("worker")[-3000:])
            text, scraped = await shown(), await shown("/metrics")
            assert "now|voice|queue:Sales" in text
            assert "window|trailing_15m|voice|queue:Sales" in text
            assert "made up" not in scraped
            assert "Sales" in scraped
            keys = {"now|voice|queue:made up", "window|trailing_15m|voice|queue:made up", "now|chat|queue:Sales"}
            await until(lambda: keys <= removed, 10, lambda: f"an open page was sent the removal of {removed}")
            page.cancel()
            # Once more: removed records do not return.
            services.kill("worker")
            services.start("worker")
            await services.ready("worker")
            assert await is_gone()
            await producer.stop()
        left: dict[str, dict[bytes, bytes | None]] = {}
        for topic in ("queue-panes.v1", "queue-metrics-latest.v1"):
            records = await read(kafka.bootstrap, f"{prefix}.{topic}")
            left[topic] = {each.key: each.value for each in sorted(records, key=lambda each: (each.partition, each.offset))}
        for rows in left.values():
            about = {key: value for key, value in rows.items() if b"made up" in key or b"|chat|" in key or key.startswith(b"now|chat")}
            assert about
            assert {key for key, value in about.items() if value is not None} == set()
            assert [key for key, value in rows.items() if b"voice|" in key and key.endswith(b"queue:Sales") and value is not None]
        sys.stdout.write(f"{sum(map(len, left.values()))} keys; {len(removed)} removed from an open page\n")

    asyncio.run(asyncio.wait_for(check(), 240))


async def _is_in(shown: Any, *texts: str) -> bool:
    text = await shown()
    return all(each in text for each in texts)
