"""A sender whose every event has the same conversation id: its source alone is quarantined, is shown, and counts again once released."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.audit import AuditRecord
from schemas.dead_letters import REASON, origin_of
from schemas.topics import SOURCES, topic
from streams.worker import create_topics
from tests.support.recount import until_processed
from tests.support.services import Services, until

if TYPE_CHECKING:
    from tests.support.kafka import Cluster

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
CONTACTS, DEAD_LETTERS = topic("contact-events.v1"), topic("contact-events-dead-letters.v1")
TOKENS = {"a": "a-token-of-the-honest-one", "b": "b-token-of-the-broken-one"}
CENTER = "default_zone: UTC\nqueues: {sales: {}, bots: {}}\n"


class Center:
    """One gateway, worker and server, and two senders."""

    def __init__(self, kafka: Cluster, services: Services, prefix: str) -> None:
        self.bootstrap, self.services, self.prefix = kafka.bootstrap, services, prefix
        self.source = CONTACTS.full_name(prefix)

    async def send(self, sender: str, events: list[dict[str, Any]]) -> None:
        """Post events as a sender does; each is accepted."""
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKENS[sender]}"}) as session,
            session.post(self.services.addresses["gateway"] + "/v1/events", data=b"\n".join(map(orjson.dumps, events))) as answer,
        ):
            assert (answer.status, (await answer.json())["accepted"]) == (200, len(events))

    async def counted(self) -> None:
        """Wait until everything that was published is counted."""
        await until_processed(self.bootstrap, f"{self.prefix}.worker", self.source, CONTACTS.partitions, 60)

    async def offered(self, queue: str) -> int:
        """Return how many contacts the day of a queue has, 0 while it has none."""
        _, queue_figures = await self.services.ask("serve", f"/api/v1/queues/{queue}")
        days = (
            [each["windows"].get("day") for each in (queue_figures or {}).get("channels", {}).values()]
            if isinstance(queue_figures, dict)
            else []
        )
        return sum(int(day["counts"].get("offered", 0)) for day in days if day)

    async def header(self) -> dict[str, Any]:
        """Return what the API reports beside the figures."""
        _, figures = await self.services.ask("serve", "/api/v1/figures")
        return dict(figures or {})

    async def quarantined(self) -> dict[str, Any]:
        """Return the sources that the API lists as quarantined."""
        sources = (await self.header()).get("sources", {})
        return {name: source["quarantined"] for name, source in sources.items() if "quarantined" in source}

    def run(self, *arguments: str) -> str:
        """Run a command as an operator does; return what it prints."""
        command = [sys.executable, "-m", "streams", *arguments, "--bootstrap", self.bootstrap, "--prefix", self.prefix]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, stdin=subprocess.DEVNULL, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def read(self, name: str, partitions: int) -> list[Any]:
        """Return the committed records of a topic."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
        await consumer.start()
        try:
            places = [TopicPartition(name, number) for number in range(partitions)]
            consumer.assign(places)
            ends, found = await consumer.end_offsets(places), []
            while any([await consumer.position(place) < ends[place] for place in places]):
                found += [record for records in (await consumer.getmany(timeout_ms=200)).values() for record in records]
            return found
        finally:
            await consumer.stop()

    async def read_dead_letters(self) -> list[tuple[int, str, str]]:
        """Return partition, reason and source of every dead letter of contact events."""
        dead_letters = await self.read(DEAD_LETTERS.full_name(self.prefix), DEAD_LETTERS.partitions)
        return [
            (origin_of(each.headers).partition, dict(each.headers)[REASON].decode(), orjson.loads(each.value)["source"])
            for each in dead_letters
            if each.value is not None
        ]

    async def partitions_of(self, name: str) -> dict[int, int]:
        """Return how many conversations that begin so are on which partition."""
        found: dict[int, set[str]] = {}
        for record in await self.read(self.source, CONTACTS.partitions):
            event = orjson.loads(record.value)
            if event.get("conversation_id", "").startswith(name):
                found.setdefault(record.partition, set()).add(event["conversation_id"])
        return {partition: len(conversations) for partition, conversations in found.items()}


def event(type_: str, conversation: str, **fields: Any) -> dict[str, Any]:
    """Return an event of this moment."""
    at = (datetime.now(UTC) - timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    return {
        "type": type_,
        "event_id": f"{conversation}-{type_}-{time.time_ns()}",
        "occurred_at": at,
        "conversation_id": conversation,
        **fields,
    }


def contacts(name: str, number: int, queue: str) -> list[dict[str, Any]]:
    """Return ``number`` contacts that enter a queue."""
    return [event("contact.queued", f"{name}{each}", queue=queue, channel="chat") for each in range(number)]


def test_everything_under_one_id(kafka: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C3: 3,100 messages with the conversation id "null", accepted in one request; then over a kill, a release and a replay."""
    monkeypatch.setenv("CONTACT_STREAMS_GATEWAY_TOKENS", ",".join(f"{name}={token}" for name, token in TOKENS.items()))
    configuration = tmp_path / "center.yaml"
    configuration.write_text(CENTER)
    prefix = f"attacked-{time.time_ns()}"
    asyncio.run(create_topics(kafka.bootstrap, prefix))
    with Services(tmp_path, kafka.bootstrap, prefix, configuration) as services:
        services.run("gateway", "--rate", "1000000", "--burst", "1000000")
        services.run("worker", "--instance-id", "only")
        services.run("serve")
        asyncio.run(attack(Center(kafka, services, prefix)))
        assert services.ended == []


async def attack(center: Center) -> None:
    """Send, and look."""
    services = center.services
    await services.ready("gateway", "worker", "serve")

    async def offered(queue: str, number: int) -> None:
        async def is_there() -> bool:
            services.supervise()
            return await center.offered(queue) >= number

        await until(is_there, 30, lambda: f"{queue}: {services.ended} {services.log('worker')[-3000:]}")
        assert await center.offered(queue) == number

    await center.send("a", contacts("a", 40, "sales"))
    await center.send("b", contacts("b", 60, "bots"))
    await offered("sales", 40)
    await offered("bots", 60)

    # The attack. Of one conversation 2,000 events are known; of the others 1,001 are too many, and the remaining 99 are quarantined.
    await center.send("b", [event("contact.message", "null", author_kind="customer") for _ in range(3_100)])
    await center.send("a", contacts("after", 60, "sales"))
    await center.counted()
    await offered("sales", 100)
    (null,) = await center.partitions_of("null")
    dead_letters = await center.read_dead_letters()
    assert {(partition, source) for partition, _, source in dead_letters} == {(null, "b")}
    reasons = [reason for _, reason, _ in dead_letters if reason != "source_quarantined"]
    assert reasons == ["too_many_events"] * 1_001
    assert len(dead_letters) - len(reasons) == 99

    async def is_reported() -> bool:
        # The watermark is published once a second.
        return int((await center.quarantined()).get("b", {}).get("records", 0)) >= len(dead_letters) - len(reasons)

    await until(is_reported, 15)
    (name, actions), *others = (await center.quarantined()).items()
    assert (name, actions["reason"], actions["partitions"], others) == ("b", "bad_records", 1, [])
    assert actions["records"] == 99
    assert await services.counter("serve", 'contact_center_source_quarantined{source="b"} ') == 1
    assert await services.counter("serve", 'contact_center_source_quarantined{source="a"} ') == 0
    assert await services.counter("worker", 'contact_center_source_quarantined_partitions{flow="track-contacts",source="b"} ') == 1

    # Its records there are dead-lettered, right or not, also after a kill; elsewhere they count. The watermark does not wait for it.
    services.kill("worker")
    services.start("worker")
    await center.send("b", contacts("more", 60, "bots"))
    await services.ready("worker")
    await center.counted()
    dead_lettered = (await center.partitions_of("more"))[null]
    assert 0 < dead_lettered < 60
    await offered("bots", 120 - dead_lettered)
    since = (await center.header())["complete_through"]

    async def continues() -> bool:
        header = await center.header()
        return bool(header["complete_through"] > since) and not any(source["stale"] for source in header["sources"].values())

    await until(continues, 15)
    listed = json.loads(center.run("sources", "list", "--json"))["sources"]
    of_b = [(each["partition"], each["quarantined"]) for each in listed if each["source"] == "b" and each["topic"] == center.source]
    assert sorted(partition for partition, _ in of_b) == list(range(CONTACTS.partitions))
    assert [(partition, found["reason"]) for partition, found in of_b if found] == [(null, "bad_records")]
    assert "quarantined since" in center.run("sources", "list", "--source", "b")

    # Released it counts again; what was set aside is replayed, and what was one too many is so again.
    center.run("sources", "release", "b", "--yes", "--why", "mended")

    async def is_free() -> bool:
        return not await center.quarantined()

    await until(is_free, 15)
    center.run("dead-letters", "replay", "--reason", "source_quarantined", "--yes")
    await center.counted()
    await offered("bots", 120)
    again = [reason for _, reason, _ in await center.read_dead_letters()][len(dead_letters) :]
    assert again.count("too_many_events") == 99
    assert await center.quarantined() == {}
    assert await center.offered("sales") == 100

    # An operator's word does the same on every partition.
    center.run("sources", "quarantine", "a", "--yes", "--why", "a test")

    async def is_quarantined() -> bool:
        return int((await center.quarantined()).get("a", {}).get("partitions", 0)) >= CONTACTS.partitions

    await until(is_quarantined, 15)
    assert (await center.quarantined())["a"]["reason"] == "operator"
    center.run("sources", "release", "a", "--yes")
    await until(is_free, 15)
    await center.send("a", contacts("last", 10, "sales"))
    await offered("sales", 110)

    # Every order is on record, and every decision once, over the kill: the limit's on one partition, the operator's on all.
    everywhere = sum(topic(name).partitions for name in SOURCES)
    audit = [AuditRecord.model_validate_json(line) for line in center.run("audit", "--json").splitlines()]
    raw = await center.read(topic("audit.v1").full_name(center.prefix), 1)
    actions = Counter((each.action, each.outcome, each.about.source, each.actor.kind) for each in audit)
    assert actions == {
        ("source_quarantined", "done", "b", "process"): 1,
        ("source_released", "ordered", "b", "account"): 1,
        ("source_released", "done", "b", "process"): 1,
        ("dead_letters_replayed", "done", None, "account"): 1,
        ("source_quarantined", "ordered", "a", "account"): 1,
        ("source_quarantined", "done", "a", "process"): everywhere,
        ("source_released", "ordered", "a", "account"): 1,
        ("source_released", "done", "a", "process"): everywhere,
        ("audit_read", "done", None, "account"): 1,
    }
    assert len(raw) == len(audit)
    limited = next(each for each in audit if each.about.source == "b" and each.action == "source_quarantined")
    assert (limited.about.topic, limited.about.partition) == (center.source, null)
    assert next(each.about.records for each in audit if each.action == "dead_letters_replayed") == 99 + dead_lettered
    me = (await asyncio.to_thread(subprocess.check_output, ["id", "-un"], text=True)).strip()
    assert {each.actor.name for each in audit if each.actor.kind == "account"} == {me}
    written = b"".join((each.key or b"") + each.value for each in raw)
    assert not any(token.encode() in written for token in TOKENS.values())
    assert b"null" not in written
