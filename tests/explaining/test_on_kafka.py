"""Explanations from Kafka itself: a worker counts, and the command and the API return the contacts that it counted, and their offsets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from schemas.api import ExplainAnswer
from schemas.times import format_ms, parse_time_ms
from schemas.topics import topic
from streams.demo.broker import EmbeddedBroker
from streams.listening.tokens import TOKEN_FORM, hash_of, new_token
from streams.worker import create_topics
from tests.explaining.hour import CONFIGURATION, EVENTS, event
from tests.serving.audit.topics import recorded_in
from tests.support.require import require_embedded_broker
from tests.support.services import Services, until

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).parents[2]
PREFIX, QUEUE = "explained", "support 窓口"
CONTACTS, AGENTS = topic("contact-events.v1"), topic("agent-events.v1")
#: The partition of each contact: keys put all events of one into one partition.
PARTITION = {"met": 0, "late": 1, "gone": 0, "back": 2, "here": 2, "elsewhere": 1}


async def publish(bootstrap: str, events: list[dict[str, Any]], until_at: str) -> None:
    """Publish the events in order, then every partition's heartbeat."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for each in events:
            place = PARTITION[each["conversation_id"]]
            await producer.send_and_wait(CONTACTS.full_name(PREFIX), orjson.dumps(each), partition=place)
        at_ms = parse_time_ms(until_at)
        for entry in (CONTACTS, AGENTS):
            for number in range(entry.partitions):
                at = format_ms(at_ms)
                beat = {"type": "source.heartbeat", "event_id": f"beat-{at}", "source": "pbx", "occurred_at": at, "received_at": at}
                await producer.send_and_wait(entry.full_name(PREFIX), orjson.dumps(beat | {"complete_through": at}), partition=number)
    finally:
        await producer.stop()


async def ask(services: Services, **query: str) -> tuple[int, Any]:
    """Return status and JSON of a question to the API."""
    async with aiohttp.ClientSession() as session, session.get(f"{services.addresses['serve']}/api/v1/explain", params=query) as response:
        return response.status, await response.json()


def by_part(document: dict[str, Any]) -> dict[str, list[str]]:
    """Return the contacts of an answer by part."""
    return {each["part"]: each["listed"] for each in document["parts"]}


EXPECTED = {
    "answered_met": ["met"],
    "answered_missed": ["late"],
    "abandoned_missed": ["gone"],
    "flow_out_callback_not_counted": ["back"],
    "undecided": ["here"],
}


def test_from_kafka(tmp_path: Path) -> None:
    """Command and API name the contacts, parts, partitions and offsets by hand; one question at a time."""
    require_embedded_broker()
    file = tmp_path / "center.yaml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    with EmbeddedBroker() as broker, Services(tmp_path, broker.bootstrap_servers, PREFIX, file) as services:
        asyncio.run(check(broker.bootstrap_servers, services, file))


async def check(bootstrap: str, services: Services, file: Path) -> None:
    """Have the morning counted and explained."""
    await create_topics(bootstrap, PREFIX)
    services.run("worker", "--instance-id", "the-worker")
    services.run("serve", "--explain")
    await publish(bootstrap, EVENTS, "2026-03-02T09:05:00Z")
    question = {"queue": QUEUE, "kpi": "service_level", "window": "trailing_5m"}

    async def counted() -> bool:
        _, body = await services.ask("serve", f"/api/v1/queues/{QUEUE}")
        windows = ((body or {}).get("channels") or {}).get("voice", {}).get("windows", {})
        return bool(windows.get("trailing_5m", {}).get("kpis", {}).get("service_level", {}).get("denominator") == 3)

    await until(counted, 60)
    status, body = await ask(services, **question)
    assert (status, body["value"], body["agrees"]) == (200, 1 / 3, True)
    assert by_part(body) == EXPECTED
    # met: entered at 0, answered at 1, ended at 4; gone: at 2 and 3. late: 0, 1 and 4 beside elsewhere. back: 0, 1; here: 2.
    assert body["records"] == [
        {"partition": 0, "first_offset": 0, "last_offset": 4, "records": 5},
        {"partition": 1, "first_offset": 0, "last_offset": 4, "records": 3},
        {"partition": 2, "first_offset": 0, "last_offset": 2, "records": 3},
    ]
    assert body["read"]["topic"] == f"{PREFIX}.contact-events.v1"
    assert body["read"]["complete"]
    assert ExplainAnswer.model_validate_json(orjson.dumps(body)).model_dump(mode="json", exclude_unset=True) == body

    assert sorted([status for status, _ in await asyncio.gather(ask(services, **question), ask(services, **question))]) == [200, 200]
    assert (await ask(services, queue=QUEUE, kpi="nothing"))[0] == 400
    status, body = await ask(services, kpi="offered")
    assert (status, body["error"]) == (400, "required: queue")

    # A correction within the grace: late had been abandoned two seconds before it was reported as answered.
    correction = event("contact.left_queue", "09:00:33", "late", reason="abandoned") | {"received_at": "2026-03-02T09:02:05.000Z"}
    await publish(bootstrap, [correction], "2026-03-02T09:05:01Z")

    async def corrected() -> bool:
        return by_part((await ask(services, **question))[1]).get("abandoned_missed") == ["gone", "late"]

    await until(corrected, 20)
    done = await asyncio.to_thread(command, bootstrap, file, QUEUE, "service_level", "--window", "trailing_5m")
    assert done.returncode == 0, done.stdout + done.stderr
    body = orjson.loads(done.stdout)
    assert body["agrees"] is True
    assert body["parts"][0] == {"part": "abandoned_missed", "amount": 2, "conversations": 2, "listed": ["gone"], "not_listed": 1}
    assert body["records"][1] == {"partition": 1, "first_offset": 0, "last_offset": 6, "records": 4}

    await publish(bootstrap, [event("contact.held", "09:04:00", "gone")], "2026-03-02T09:05:02Z")
    done = await asyncio.to_thread(command, bootstrap, file, "gone")
    assert done.returncode == 0, done.stdout + done.stderr
    body = orjson.loads(done.stdout)
    # In gone's partition, after three of met, its own entry and end, and two heartbeats.
    assert [(each["type"], each["reason"], each["partition"], each["offset"]) for each in body["listed"]] == [
        ("contact.held", "no_leg", 0, 7)
    ]
    assert (body["events"], body["counted_nothing"], body["read"]["complete"]) == (3, 1, True)
    assert (await asyncio.to_thread(command, bootstrap, file, "gone", "--look-back", "0")).returncode == 2

    # The two that showed contacts are on record, and no contact is.
    looks = [each.about.model_dump(exclude_none=True) for each in await recorded_in(bootstrap, PREFIX)]
    asked = {"scope_kind": "queue", "scope": QUEUE, "kpi": "service_level", "window": "trailing_5m"}
    assert looks == [asked, {}]

    # A server with an access file has it on record before it answers; a question that shows nothing leaves no record.
    access, token = file.with_name("access.yaml"), new_token(TOKEN_FORM)
    entry = {"hashes": [hash_of(token)], "roles": [{"role": "supervisor"}]}
    await asyncio.to_thread(access.write_bytes, orjson.dumps({"tokens": {"lead": entry}}))
    services.run("serve2", "--explain", "--access", str(access))
    await services.ready("serve2")
    address = services.addresses["serve2"] + "/api/v1/explain"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        async with session.get(address, params={**question, "kpi": "nothing"}) as answer:
            assert answer.status == 400
        async with session.get(address, params=question) as answer:
            assert (answer.status, by_part(await answer.json())["abandoned_missed"]) == (200, ["gone", "late"])
    *_, look = await recorded_in(bootstrap, PREFIX)
    assert (look.action, look.actor.kind, look.actor.name) == ("looked_at_contacts", "token", "lead")
    assert look.about.model_dump(exclude_none=True) == {**asked, "endpoint": "GET /api/v1/explain"}
    await contacts_and_whom_to_call(bootstrap, services.addresses["serve2"], token)


async def contacts_and_whom_to_call(bootstrap: str, address: str, token: str) -> None:
    """Ask who is behind the figure and whom to call, have them answered, and ask again: what is new is read on, and it is on record."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:

        async def body(path: str, **query: str) -> Any:
            async with session.get(f"{address}/api/v1/{path}", params=query) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        behind = await body("contacts", queue=QUEUE, kpi="service_level", window="trailing_5m")
        assert behind["agrees"] is True
        assert [(each["conversation_id"], each["outcome"], each["waited_seconds"]) for each in behind["contacts"]] == [
            ("gone", "abandoned", 12), ("late", "abandoned", 28), ("here", "waiting", 122),
            ("back", "callback", None), ("met", "answered", 10),
        ]  # fmt: skip

        # Late gave up, and was answered two seconds later. All is read from the start of the server on.
        async def is_read() -> bool:
            return (await body("abandoned"))["reading"] is None

        await until(is_read, 20)
        to_call = await body("abandoned", queue=QUEUE)
        assert [(each["conversation_id"], each["waited_seconds"]) for each in to_call["abandoned"]] == [("gone", 12)]
        assert (to_call["complete"], to_call["links_known"]) == (True, True)
        await publish(bootstrap, [event("contact.answered", "09:05:00", "gone", agent="ann", queue=QUEUE)], "2026-03-02T09:05:03Z")

        async def got_through() -> bool:
            return bool((await body("abandoned"))["total"] == 0)

        await until(got_through, 20)
    looks = [(each.action, each.about.endpoint, each.about.scope) for each in await recorded_in(bootstrap, PREFIX)]
    assert ("looked_at_contacts", "GET /api/v1/contacts", QUEUE) in looks
    assert ("looked_at_contacts", "GET /api/v1/abandoned", QUEUE) in looks
    assert ("looked_at_contacts", "GET /api/v1/abandoned", None) in looks


def command(bootstrap: str, file: Path, *asked: str) -> subprocess.CompletedProcess[str]:
    """Run the command on Kafka."""
    arguments = ["explain", *asked, "--json", "--limit", "1", "--config", str(file)]
    kafka = ["--bootstrap", bootstrap, "--prefix", PREFIX]
    return subprocess.run([sys.executable, "-m", "streams", *arguments, *kafka], cwd=ROOT, capture_output=True, text=True, check=False)
