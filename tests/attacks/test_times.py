"""Senders that lie about time, and clocks that are wrong: what they move, on a real gateway, worker and server over Apache Kafka.

What the figures have to be follows from the events alone: who was queued, and who was answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from schemas.times import format_ms, parse_time_ms
from schemas.topics import SOURCES, topic
from streams.worker import create_topics
from tests.attacks.poisoned_state import BOB, CONFIGURATION, partition_of
from tests.support.services import Services, rss_mib, until
from tests.support.topics import read

if TYPE_CHECKING:
    from tests.support.kafka import Cluster

ROOT = Path(__file__).parents[2]
QUEUE = "queue:orders"
#: A worker with nothing to do holds some 90 MiB.
WORKER_MIB = 250


def now_ms() -> int:
    """Return the clock that brokers, gateway, worker and server have here."""
    return int(time.time() * 1000)


def event(kind: str, ahead: float = 0, *, source: str = "gateway", received: float | None = None, **fields: Any) -> dict[str, Any]:
    """Return an event that occurs ``ahead`` seconds from now; with ``received`` as it is in Kafka."""
    now = now_ms()
    stamped = {} if received is None else {"received_at": format_ms(now + round(received * 1000))}
    common = {"type": kind, "event_id": uuid.uuid4().hex, "occurred_at": format_ms(now + round(ahead * 1000)), "source": source}
    return {**common, **stamped, **fields}


def queued(name: str, **more: Any) -> dict[str, Any]:
    """Return that a call begins to wait."""
    return event("contact.queued", conversation_id=name, queue="orders", channel="voice", **more)


class Center:
    """Gateway, worker and server on topics of their own."""

    def __init__(self, services: Services, bootstrap: str, prefix: str) -> None:
        self.services, self.bootstrap, self.prefix = services, bootstrap, prefix

    async def post(self, *events: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        """Send events to the gateway; return the status and the result of each."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.services.addresses["gateway"] + "/v1/events", data=orjson.dumps(list(events))) as response,
        ):
            return response.status, (await response.json())["events"]

    async def write(self, *events: dict[str, Any], topics: tuple[str, ...] = SOURCES) -> None:
        """Write events into every partition of topics, past the gateway."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            for each in events:
                for name in topics:
                    for partition in range(8):
                        await producer.send_and_wait(f"{self.prefix}.{name}", orjson.dumps(each), partition=partition)
        finally:
            await producer.stop()

    async def figures(self) -> dict[str, Any]:
        """Return the figures that serve returns."""
        return dict((await self.services.ask("serve", "/api/v1/figures?window=day"))[1])

    async def counted(self, waiting: int, offered: int, seconds: float = 30) -> dict[str, Any]:
        """Wait until serve shows these counts of waiting contacts and of offers today; return its figures then."""
        figures: dict[str, Any] = {}

        async def holds() -> bool:
            self.services.supervise()
            figures.update(await self.figures())
            return counts(figures) == (waiting, offered)

        await until(
            holds, seconds, lambda: f"{counts(figures)} and not {(waiting, offered)}: {figures}\n{self.services.log('worker')[-3000:]}"
        )
        return figures

    async def progress(self, *arguments: str) -> tuple[int, str]:
        """Run ``contact-streams progress``."""
        command = [sys.executable, "-m", "streams", "progress", *arguments, "--bootstrap", self.bootstrap, "--prefix", self.prefix]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, output.decode()


def counts(figures: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return how many wait in the queue, and how many were offered in the day under way."""
    records = figures.get("records", {})
    waiting = records.get(f"now|voice|{QUEUE}", {}).get("waiting")
    days = [record for key, record in records.items() if key.startswith(f"window|day|voice|{QUEUE}|")]
    today = max(days, key=lambda record: str(record["window_start"]), default=None)
    return waiting, None if today is None else today["kpis"]["offered"]["value"]


def configuration_in(folder: Path) -> Path:
    """Write the configuration of one queue and one team."""
    path = folder / "center.yaml"
    path.write_text(json.dumps(CONFIGURATION), encoding="utf-8")
    return path


def test_no_sender_moves_progress(kafka: Cluster, tmp_path: Path) -> None:
    """Heartbeats of 2099 and of Tokyo labelled Z, a plan until 9999, a clock 270 s ahead: refused or held. A dead worker is seen."""
    prefix = f"t{uuid.uuid4().hex[:10]}"

    async def attack(center: Center) -> None:
        services = center.services
        services.run("worker")
        await services.ready("worker")
        services.run("gateway")
        services.run("serve")
        await services.ready("gateway", "serve")
        assert (await center.post(queued("c1"), queued("c2"), event("contact.answered", conversation_id="c2", agent="ann")))[0] == 200
        await center.counted(waiting=1, offered=2)

        # C1 and C2, as the gateway's own sender: refused, each with its reason.
        century = event("source.heartbeat", complete_through="2099-01-01T00:00:00Z")
        tokyo = event("source.heartbeat", complete_through=format_ms(now_ms() + 9 * 3_600_000))
        forever = event("schedule.planned", person_id="bob", activity="work", start=format_ms(now_ms()), end="9999-12-31T23:59:59Z")
        status, answers = await center.post(century, tokyo, forever)
        assert status == 400
        reasons = [answer.get("reason") for answer in answers]
        assert reasons == ["complete_through_in_future", "complete_through_in_future", "invalid_value"]

        # The same past the gateway, and what looks like an honest clock 270 s ahead (H1).
        lies = [{**each, "received_at": format_ms(now_ms()), "source": "evil"} for each in (century, tokyo)]
        await center.write(*lies)
        await center.write({**forever, "received_at": format_ms(now_ms()), "source": "evil"}, topics=("agent-events.v1",))
        await center.write(queued("c3", source="fast", received=270), topics=("contact-events.v1",))
        await center.write(event("source.heartbeat", source="fast", received=270, complete_through=format_ms(now_ms() + 270_000)))
        # Written into every partition, the same call waits in each: a conversation belongs to one, so this one is eight.
        figures = await center.counted(waiting=1 + 8, offered=2 + 8)
        await center.post(queued("c4"))
        figures = await center.counted(waiting=2 + 8, offered=3 + 8)
        assert parse_time_ms(figures["as_of"]) <= now_ms()
        assert parse_time_ms(figures["complete_through"]) <= now_ms()
        assert not figures["stale"]
        dead_letters = [
            dict(dead_letter.headers) for dead_letter in await read(center.bootstrap, f"{prefix}.contact-events-dead-letters.v1")
        ]
        reasons = [
            dead_letter["dead-letter-reason"].decode() for dead_letter in dead_letters if dead_letter["dead-letter-stage"] == b"track"
        ]
        assert reasons == ["complete_through_in_future"] * 16
        assert rss_mib(services.pid("worker")) < WORKER_MIB
        code, printed = await center.progress("show")
        assert code == 0
        assert "!" not in printed

        # H1: with the worker gone the figures are stale within seconds, whatever times were reported.
        services.kill("worker")
        killed = time.monotonic()

        async def stale() -> bool:
            return bool((await center.figures())["stale"])

        await until(stale, 14)
        assert time.monotonic() - killed < 14

    run(kafka, tmp_path, prefix, attack)


def test_progress_accepted_by_an_older_version_is_reset(kafka: Cluster, tmp_path: Path) -> None:
    """State as commit b9341e0 left it after a heartbeat of 2099: a worker starts with it, and one command has figures count again."""
    prefix = f"t{uuid.uuid4().hex[:10]}"

    async def heal(center: Center) -> None:
        services = center.services
        await create_topics(center.bootstrap, prefix)
        await store_poisoned_state(center)
        # What the older version could not read beyond, at every start: the heartbeat that comes after the plan of bob.
        century = event("source.heartbeat", source="pbx", received=0, complete_through="2099-01-01T00:00:00Z")
        await center.write(century, topics=("agent-events.v1",))
        services.run("worker")
        await services.ready("worker")
        services.run("gateway")
        services.run("serve")
        await services.ready("gateway", "serve")

        # Closed up to 2099: a call that waits is lost at once, and no day has it.
        await center.post(queued("c1"))
        await asyncio.sleep(3)
        assert counts(await center.figures())[0] in (None, 0)
        code, printed = await center.progress("show")
        assert code == 0
        assert "2099-01-01T00:00:00.000Z!" in printed

        code, printed = await center.progress("reset", "--yes", "--why", "2099")
        assert code == 0, printed
        assert "on 24 partitions" in printed

        async def is_set_back() -> bool:
            return "!" not in (await center.progress("show"))[1]

        await until(is_set_back, 30)
        await center.post(queued("c2"), queued("c3"), event("contact.answered", conversation_id="c3", agent="ann"))
        figures = await center.counted(waiting=1, offered=2)
        assert not figures["stale"]
        assert parse_time_ms(figures["complete_through"]) <= now_ms()
        assert rss_mib(services.pid("worker")) < WORKER_MIB

        # And a restart finds nothing left of it.
        services.terminate("worker")
        services.start("worker")
        await services.ready("worker")
        await center.post(queued("c4"))
        await center.counted(waiting=2, offered=3)
        state = await read(center.bootstrap, f"{prefix}.track-agents-state.v1")
        assert [record.value for record in state if record.key == f"P|{BOB}".encode()][-1:] in ([], [None])
        bob = [record.value for record in state if record.key == f"s|{BOB}".encode()][-1]
        assert bob is None or b"plans" not in bob

    run(kafka, tmp_path, prefix, heal)


async def store_poisoned_state(center: Center) -> None:
    """Put the recorded rows where a worker looks for them, and the offsets that belong to them."""
    producer = AIOKafkaProducer(bootstrap_servers=center.bootstrap)
    await producer.start()
    try:
        for line in (Path(__file__).parent / "poisoned_state.jsonl").read_text(encoding="utf-8").splitlines():
            name, partition, key, value = json.loads(line)
            row = [text.replace("PREFIX.", f"{center.prefix}.").encode() for text in (key, value)]
            await producer.send(f"{center.prefix}.{name}", row[1], key=row[0], partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=center.bootstrap, group_id=f"{center.prefix}.worker", enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(f"{center.prefix}.{name}", number) for name in SOURCES for number in range(topic(name).partitions)]
        consumer.assign(places)
        await consumer.commit({place: OffsetAndMetadata(0, "") for place in places})
    finally:
        await consumer.stop()


def run(kafka: Cluster, folder: Path, prefix: str, scenario: Any) -> None:
    """Run a scenario and end its processes."""
    with Services(folder, kafka.bootstrap, prefix, configuration_in(folder)) as services:
        asyncio.run(scenario(Center(services, kafka.bootstrap, prefix)))


@pytest.mark.parametrize("name", [BOB])
def test_the_recorded_plan_is_in_the_partition_of_its_person(name: str) -> None:
    """The plan until 9999 is in the partition of its person, which had not read the heartbeat of 2099."""
    rows = [json.loads(line) for line in (Path(__file__).parent / "poisoned_state.jsonl").read_text(encoding="utf-8").splitlines()]
    partition = partition_of(name)
    meta = {row[1]: json.loads(row[3]) for row in rows if row[0] == "track-agents-state.v1" and row[2] == "m"}
    (plan,) = [json.loads(row[3])["plans"] for row in rows if row[2] == f"s|{name}"]
    assert plan[0][4] == 253_402_300_799_000  # 9999-12-31T23:59:59Z
    far = parse_time_ms("2099-01-01T00:00:00Z")
    assert {number for number, kept in meta.items() if kept["progress"]["through"] == far} == set(range(8)) - {partition}
