"""``contact-streams dead-letters`` on Apache Kafka: what is listed and shown, and what is replayed, each once."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.dead_letters import REPLAYED_FROM, Origin, dead_letter_headers
from schemas.events import parse_contact_event
from schemas.times import format_ms
from schemas.topics import topic
from streams.configuration import Configuration
from streams.worker import create_topics
from tests.oracle.recount import recount
from tests.properties.compare import differences
from tests.serving.audit.topics import recorded_in
from tests.support.product_load import partition_of
from tests.support.recount import last_values, until_processed
from tests.support.workers import Workers

if TYPE_CHECKING:
    from tests.support.kafka import Cluster

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
CONTACTS, AGENTS, LATEST = topic("contact-events.v1"), topic("agent-events.v1"), topic("queue-metrics-latest.v1")
DEAD_LETTERS = "contact-events-dead-letters.v1"
#: In place of five minutes, to keep the test short.
AHEAD_MS = 10_000
PERSONAL = "+49 170 1234567"

Sent = tuple[str, int, bytes | None, bytes | None, list[tuple[str, bytes]]]


def command(kafka: Cluster, prefix: str, *arguments: str) -> list[str]:
    """Return the command line of an action."""
    given = {"arguments": ["dead-letters", *arguments, "--bootstrap", kafka.bootstrap, "--prefix", prefix], "max_ahead_ms": AHEAD_MS}
    return [sys.executable, "-m", "tests.support.product_worker", json.dumps(given)]


def run(kafka: Cluster, prefix: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run an action as people do; it has to end with this code."""
    done = subprocess.run(command(kafka, prefix, *arguments), cwd=ROOT, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout.decode() + done.stderr.decode()
    return done


def last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return what an action printed last."""
    return done.stdout.decode().splitlines()[-1]


async def publish(bootstrap: str, records: list[Sent]) -> None:
    """Append records to the partitions named."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, max_batch_size=1024 * 1024)
    await producer.start()
    try:
        for name, partition, key, value, headers in records:
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None, headers=headers)
            await (await producer.send_batch(batch, name, partition=partition))
    finally:
        await producer.stop()


async def read(bootstrap: str, name: str, partitions: int) -> list[Any]:
    """Return the committed records of a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(name, number) for number in range(partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
        return found
    finally:
        await consumer.stop()


class Story:
    """A call that counts at once, one whose clock runs ahead, and what never counts."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        now_ms = time.time_ns() // 1_000_000
        early, self.ahead = now_ms - 600_000, now_ms + AHEAD_MS + 8_000
        self.first = self.call("c1", early)
        #: Received farther ahead than may be: refused, and right a few seconds later.
        self.second = self.call("c2", self.ahead)
        self.final_ms = self.ahead + 2_500
        self.bad: list[Sent] = [
            (self.name(CONTACTS), 3, None, b'{"type": "contact.queued", "queue": "' + PERSONAL.encode(), [("trace", b"\x00\xff")]),
            (self.name(AGENTS), 1, b"ann", None, []),
        ]

    def name(self, entry: Any) -> str:
        """Return the full name of a topic."""
        return str(entry.full_name(self.prefix))

    def call(self, name: str, begin_ms: int) -> list[bytes]:
        """Return a call that waits a second and lasts another."""
        kinds: tuple[tuple[str, int, dict[str, str]], ...] = (
            ("contact.queued", 0, {"channel": "voice"}),
            ("contact.answered", 1_000, {"agent": "ann"}),
            ("contact.ended", 2_000, {}),
        )
        return [
            orjson.dumps(
                {
                    "type": kind,
                    "event_id": f"{name}-{kind}",
                    "occurred_at": format_ms(begin_ms + after),
                    "received_at": format_ms(begin_ms + after),
                    "source": "pbx",
                    "conversation_id": name,
                    "queue": "sales",
                    **more,
                }
            )
            for kind, after, more in kinds
        ]

    def records(self, values: list[bytes]) -> list[Sent]:
        """Return events as a connector publishes them."""
        return [
            (self.name(CONTACTS), partition_of(key, CONTACTS.partitions), key, value, [])
            for value in values
            for key in [orjson.loads(value)["conversation_id"].encode()]
        ]

    def heartbeats(self) -> tuple[bytes, list[Sent]]:
        """Return the word that nothing is still to come, for every partition."""
        at = format_ms(self.final_ms)
        value = orjson.dumps(
            {"type": "source.heartbeat", "event_id": "end", "occurred_at": at, "received_at": at, "source": "pbx", "complete_through": at}
        )
        return value, [(self.name(entry), number, None, value, []) for entry in (CONTACTS, AGENTS) for number in range(entry.partitions)]


async def latest(kafka: Cluster, story: Story) -> dict[str, dict[str, Any]]:
    """Return the figures once they are complete."""
    at = format_ms(story.final_ms)
    async with asyncio.timeout(60):
        while True:
            values = await last_values(kafka.bootstrap, story.name(LATEST), range(LATEST.partitions))
            found = {key.decode(): orjson.loads(value) for (_, key), value in values.items() if value is not None}
            progress = [found.get(f"progress|{number}", {}) for number in range(LATEST.partitions)]
            if all(each.get("as_of") == each.get("complete_through") == at for each in progress):
                return found
            await asyncio.sleep(0.5)


def test_fixed_dead_letters_are_replayed_and_count_once(kafka: Cluster, tmp_path: Path) -> None:
    """Events of a clock that ran ahead are refused, then sent back when they can be true: the figures are the oracle's."""
    prefix = "letters"
    asyncio.run(create_topics(kafka.bootstrap, prefix))
    story = Story(prefix)

    def processed() -> None:
        for entry in (CONTACTS, AGENTS):
            asyncio.run(until_processed(kafka.bootstrap, f"{prefix}.worker", story.name(entry), entry.partitions, 60))

    with Workers(tmp_path, "tests.support.product_worker") as workers:
        arguments = ["worker", "--bootstrap", kafka.bootstrap, "--prefix", prefix, "--port", "-1"]
        workers.start("worker", {"arguments": arguments, "max_ahead_ms": AHEAD_MS})
        asyncio.run(publish(kafka.bootstrap, story.records(story.first + story.second) + story.bad))
        processed()

        listed = [json.loads(line) for line in run(kafka, prefix, "list", "--json").stdout.splitlines()]
        assert sorted((each["source"]["topic"], each["reason"], each["key"]) for each in listed) == [
            (story.name(AGENTS), "empty", "ann"),
            (story.name(CONTACTS), "invalid_json", None),
            *[(story.name(CONTACTS), "time_in_future", "c2")] * 3,
        ]
        table = run(kafka, prefix, "list", "--source-topic", "contact-events", "--limit", "2").stdout.decode()
        assert PERSONAL not in table
        assert len(table.splitlines()) == 3
        assert table.splitlines()[-1] == "4 dead letters, the last 2 above: time_in_future 3, invalid_json 1"
        assert last_line(run(kafka, prefix, "list", "--reason", "empty")) == "1 dead letters: empty 1"
        assert last_line(run(kafka, prefix, "list", "--since", "2100-01-01T00:00:00Z")) == "0 dead letters: none"
        assert last_line(run(kafka, prefix, "list", "--until", "2020-01-01T00:00:00Z")) == "0 dead letters: none"
        (broken,) = [each for each in listed if each["reason"] == "invalid_json"]
        place = f"{DEAD_LETTERS}/{broken['partition']}/{broken['offset']}"
        assert run(kafka, prefix, "show", place, "--raw").stdout == story.bad[0][3]
        shown = run(kafka, prefix, "show", place).stdout.decode()
        assert PERSONAL in shown
        assert "  trace: \\x00\\xff\n" in shown
        run(kafka, prefix, "show", f"{DEAD_LETTERS}/0/999", code=1)
        looks = asyncio.run(recorded_in(kafka.bootstrap, prefix))
        assert [(each.action, each.about.topic, each.about.offset) for each in looks] == [
            ("looked_at_contacts", story.name(topic(DEAD_LETTERS)), broken["offset"])
        ] * 2

        # The clock that ran ahead is right by now, but for one event that the sender has sent again meanwhile.
        time.sleep(max(0.0, (story.ahead + 2_600 - AHEAD_MS) / 1000 - time.time()))
        asyncio.run(publish(kafka.bootstrap, story.records(story.second[1:2])))
        processed()
        before = asyncio.run(read(kafka.bootstrap, story.name(CONTACTS), CONTACTS.partitions))
        dry = run(kafka, prefix, "replay", "--dry-run").stdout.decode().splitlines()
        assert sum(line.endswith(f" → {CONTACTS.name}/{partition_of(b'c2', 8)}: accepted") for line in dry) == 3
        assert sum("still rejected: " in line for line in dry[:-1]) == 2
        assert len(asyncio.run(read(kafka.bootstrap, story.name(CONTACTS), CONTACTS.partitions))) == len(before)
        assert "stdin is not a terminal" in run(kafka, prefix, "replay", code=2).stderr.decode()

        assert last_line(run(kafka, prefix, "replay", "--yes")) == (
            "5 dead letters: 3 replayed; 0 were replayed before; 2 still rejected (empty 1, invalid_json 1); 0 cannot be replayed"
        )
        assert last_line(run(kafka, prefix, "replay", "--yes")) == (
            "5 dead letters: 0 replayed; 3 were replayed before; 2 still rejected (empty 1, invalid_json 1); 0 cannot be replayed"
        )
        after = asyncio.run(read(kafka.bootstrap, story.name(CONTACTS), CONTACTS.partitions))
        back = [each for each in after if dict(each.headers).get(REPLAYED_FROM)]
        assert [(each.partition, each.key, each.value) for each in back] == [(partition_of(b"c2", 8), b"c2", each) for each in story.second]
        ahead = [each for each in listed if each["reason"] == "time_in_future"]
        assert [dict(each.headers)[REPLAYED_FROM].decode() for each in back] == [
            f"{each['topic']}/{each['partition']}/{each['offset']}" for each in ahead
        ]
        assert last_line(run(kafka, prefix, "list")).startswith("5 dead letters: ")

        # Nothing moves as-of beyond the clock of the broker: the call of the clock that ran ahead is complete when its time has come.
        time.sleep(max(0.0, story.final_ms / 1000 + 0.1 - time.time()))
        beat, beats = story.heartbeats()
        asyncio.run(publish(kafka.bootstrap, beats))
        figures = asyncio.run(latest(kafka, story))
        events = [parse_contact_event(value) for value in [*story.first, *story.second, story.second[1], beat]]
        recounted = recount(events, Configuration(), story.final_ms, story.final_ms)
        assert differences(figures, recounted) == []
        (answered,) = [
            each["kpis"]["answered"]["value"] for key, each in figures.items() if key.startswith("window|trailing_30m|voice|queue:sales")
        ]
        assert answered == 2

        # What is still bad comes back as a dead letter of its own, bytes and headers as they were, and is not confused with the first.
        assert "5 dead letters: 2 replayed; 3 were" in last_line(run(kafka, prefix, "replay", "--yes", "--all"))
        # A record behind them, as no offset can be committed beyond a transaction marker.
        asyncio.run(publish(kafka.bootstrap, beats))
        processed()
        assert workers.terminate("worker") == 0
        again = asyncio.run(read(kafka.bootstrap, f"{prefix}.{DEAD_LETTERS}", 1))
        (second,) = [each for each in again if dict(each.headers).get(REPLAYED_FROM)]
        assert (second.key, second.value, second.headers[0]) == (None, story.bad[0][3], ("trace", b"\x00\xff"))
        assert "7 dead letters: 0 replayed; 5 were replayed before; 2 still rejected" in last_line(run(kafka, prefix, "replay", "--yes"))


def accepted(number: int, prefix: str) -> Sent:
    """Return a dead letter whose record is right by now."""
    value = orjson.dumps(
        {
            "type": "contact.queued",
            "event_id": f"e{number}",
            "occurred_at": "2026-03-02T09:00:00Z",
            "received_at": "2026-03-02T09:00:00Z",
            "source": "pbx",
            "conversation_id": f"c{number}",
            "queue": "sales",
        }
    )
    origin = Origin(CONTACTS.full_name(prefix), number % 8, number, 0, "log_append_time", f"{prefix}.worker")
    headers = dead_letter_headers(origin, reason="unknown_type", detail="", stage="track", app_version="0", failed_at_ms=0)
    return f"{prefix}.{DEAD_LETTERS}", 0, b"c%d" % number, value, [(name, content or b"") for name, content in headers]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_stopped_in_the_middle(kafka: Cluster, how: signal.Signals) -> None:
    """However a replay ends, the next one continues: every record is back once, in order."""
    prefix, count = f"stopped-{how.name.lower()}", 12_000
    asyncio.run(create_topics(kafka.bootstrap, prefix))

    async def fill() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, enable_idempotence=True, linger_ms=20)
        await producer.start()
        for number in range(count):
            name, partition, key, value, headers = accepted(number, prefix)
            await producer.send(name, value, key=key, partition=partition, headers=headers)
        await producer.stop()

    asyncio.run(fill())
    with subprocess.Popen(command(kafka, prefix, "replay", "--yes"), cwd=ROOT, stdout=subprocess.PIPE) as first:
        deadline = time.monotonic() + 60
        while not asyncio.run(read(kafka.bootstrap, CONTACTS.full_name(prefix), CONTACTS.partitions)):
            assert time.monotonic() < deadline
        first.send_signal(how)
        output = first.communicate(timeout=60)[0].decode()
    part = len(asyncio.run(read(kafka.bootstrap, CONTACTS.full_name(prefix), CONTACTS.partitions)))
    assert 0 < part < count, "it was over before it was stopped"
    if how is signal.SIGINT:
        assert first.returncode == 130
        assert output.splitlines()[0] == f"Stopped after {prefix}.{DEAD_LETTERS}/0/{part - 1}; the same command continues from there."

    rest = last_line(run(kafka, prefix, "replay", "--yes"))
    found = asyncio.run(read(kafka.bootstrap, CONTACTS.full_name(prefix), CONTACTS.partitions))
    assert rest.startswith(f"12,000 dead letters: {count - part:,} replayed; {part:,} were replayed before;")
    for partition in range(8):
        mine = [int(each.key[1:]) for each in found if each.partition == partition]
        assert mine == list(range(partition, count, 8))
