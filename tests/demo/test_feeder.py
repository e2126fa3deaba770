"""The demo's feeder: it publishes the day so far and the present, each event once and in order, and ends with a last word."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from schemas.events import parse_agent_event, parse_contact_event, parse_customer_event
from schemas.times import parse_time_ms
from schemas.topics import TOPICS
from streams.connectors.publishing import MemoryPublisher, NotPublishedError
from streams.demo.broker import EmbeddedBroker
from streams.demo.feeder import GATEWAY_SOURCE, Feeder, FeederSettings, HttpGate, UndeliveredError
from streams.demo.recounting import read_events
from streams.demo.simulator import SOURCES
from streams.demo.simulator.day_before import calls_of_the_day_before
from streams.engine.topics import TopicSpec, ensure_topics
from tests.support.require import require_embedded_broker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schemas.base import Event
    from streams.connectors.lines import Rejected

ROOT = Path(__file__).parents[2]
START_MS = 1_795_305_600_000
HALF_AN_HOUR_MS = 1_800_000


class Clock:
    """Simulated wall time that runs a hundred times as fast as ours."""

    def __init__(self, ms: int) -> None:
        self._ms = ms
        self._began = time.monotonic()

    def __call__(self) -> int:
        """Return the time in milliseconds."""
        return self._ms + int((time.monotonic() - self._began) * 100_000)


def _parsed(line: bytes) -> Event:
    if b'"sim-shop"' in line:
        return parse_customer_event(line)
    return parse_agent_event(line) if b'"person_id"' in line else parse_contact_event(line)


def _silently(*_: object, **__: object) -> None:
    raise aiohttp.ServerDisconnectedError("")


class MemoryGate:
    """Remembers what was posted, after failing as often as set."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.events: list[dict[str, Any]] = []

    async def post(self, events: Sequence[dict[str, Any]]) -> None:
        """See Gate."""
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("away")
        self.events += events

    async def call(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """See Gate."""
        raise NotImplementedError

    async def wait_until_stopped(self) -> None:
        """See Gate."""


class Fed:
    """What a run of the feeder left."""

    def __init__(self, publisher: MemoryPublisher, gate: MemoryGate | None, record: io.BytesIO, final_ms: int) -> None:
        values = [(kept.partition, kept.value) for name in publisher.records for kept in publisher.records[name]]
        self.direct = [json.loads(value) for _, value in values]
        self.everywhere = {(partition, event["event_id"]) for (partition, _), event in zip(values, self.direct, strict=True)}
        self.through_gate = gate.events if gate else []
        self.record = [json.loads(line) for line in record.getvalue().splitlines()]
        self.final_ms = final_ms
        self.partitions = publisher.partitions


async def feed(gate: MemoryGate | None, publisher: MemoryPublisher | None = None, live_seconds: float = 1.0, **changes: Any) -> Fed:
    """Run the feeder with half an hour behind it, and for some seconds (a hundred times as much of the clock) once it is live."""
    clock = Clock(START_MS + HALF_AN_HOUR_MS)
    publisher = publisher or MemoryPublisher(now=lambda: datetime.now(UTC), partitions=3)
    record = io.BytesIO()
    stop = asyncio.Event()

    def show(line: str) -> None:
        if "in real time" in line:
            asyncio.get_running_loop().call_later(live_seconds, stop.set)

    feeder = Feeder(FeederSettings(start_ms=START_MS, seed=4, **changes), publisher, gate, now_ms=clock, record=record, show=show)
    summary = await feeder.run(stop)
    return Fed(publisher, gate, record, summary.final_ms)


def test_everything_once() -> None:
    """All events up to the end are published, once each but for the sender's own repeats, and the record names the same ones."""
    fed = asyncio.run(feed(MemoryGate()))
    recorded = [event["event_id"] for event in fed.record]
    published = {event["event_id"] for event in fed.direct + fed.through_gate}

    assert set(recorded) == published
    assert len(recorded) - len(published) < len(recorded) / 100
    numbers = sorted(int(each.rsplit("-", 1)[1]) for each in published if not each.startswith("final"))
    assert len(numbers) > 2_000
    # Only those of the last second, still under way at the end, are missing between the numbers.
    assert numbers[-1] - len(numbers) < 50


def test_chats_go_through_the_gateway_once_live() -> None:
    """Only live chats and their heartbeats go through the gateway, in order."""
    fed = asyncio.run(feed(MemoryGate()))
    times = [parse_time_ms(event["received_at"]) for event in fed.through_gate]

    assert {event["source"] for event in fed.through_gate} == {GATEWAY_SOURCE}
    assert any(event["type"] == "source.heartbeat" for event in fed.through_gate)
    assert any(event["type"] == "contact.message" for event in fed.through_gate)
    assert times == sorted(times)
    assert min(times) > START_MS + HALF_AN_HOUR_MS
    assert any(event["source"] == GATEWAY_SOURCE for event in fed.direct), "the chats of the day so far went directly"


def test_final_heartbeats_reach_every_partition() -> None:
    """The last heartbeat of every source reaches every partition, and reports completeness up to an instant after every event."""
    fed = asyncio.run(feed(MemoryGate()))
    final = [event for event in fed.direct if event["event_id"].startswith("final")]

    assert {event["source"] for event in final} == set(SOURCES)
    for event in final:
        assert parse_time_ms(event["complete_through"]) == parse_time_ms(event["received_at"]) == fed.final_ms
        assert {partition for partition, event_id in fed.everywhere if event_id == event["event_id"]} == set(range(fed.partitions))
    assert max(parse_time_ms(event["received_at"]) for event in fed.record) == fed.final_ms


def test_a_gateway_that_starts_late() -> None:
    """A gateway that is away for a moment gets everything, in order, once it is back."""
    gate = MemoryGate(failures=2)
    fed = asyncio.run(feed(gate))
    times = [parse_time_ms(event["received_at"]) for event in fed.through_gate]

    assert gate.failures == 0
    assert times
    assert times == sorted(times)


def test_gateway_that_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the feeder after its patience with a reason, unless the feeder is to wait: then all of it arrives."""
    monkeypatch.setattr("streams.demo.feeder._PATIENCE_SECONDS", 0.3)

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(feed(MemoryGate(failures=5), live_seconds=0.5))
    assert raised.group_contains(UndeliveredError, match="Not accepted within 0.3 s: away")
    gate = MemoryGate(failures=5)
    fed = asyncio.run(feed(gate, live_seconds=0.5, waits_for_gateway=True))

    assert gate.failures == 0
    assert {event["event_id"] for event in fed.record} == {event["event_id"] for event in fed.direct + fed.through_gate}


def test_a_gateway_without_an_answer_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port is closed, and some errors of the network have no text: the message names the address all the same."""

    async def post() -> None:
        gate = HttpGate("http://127.0.0.1:1")
        try:
            with pytest.raises(ConnectionError, match=r"^http://127\.0\.0\.1:1: \S"):
                await gate.post([])
            monkeypatch.setattr(aiohttp.ClientSession, "post", _silently)
            with pytest.raises(ConnectionError, match=r"^http://127\.0\.0\.1:1: ServerDisconnectedError$"):
                await gate.post([])
        finally:
            await gate.close()

    asyncio.run(post())


def test_the_day_before_is_sent_first() -> None:
    """Calls of two hours before this time of day to four after it, all over before the opening, each counted once by the recount."""
    now_ms = START_MS + 5 * 3_600_000
    calls = [*calls_of_the_day_before(4, START_MS, now_ms)]
    arrived = [parse_time_ms(each.event["occurred_at"]) for each in calls if each.event["type"] == "contact.arrived"]

    assert [each.published_ms for each in calls] == sorted(each.published_ms for each in calls)
    assert calls[-1].published_ms < START_MS
    assert now_ms - 26 * 3_600_000 <= min(arrived) < now_ms - 26 * 3_600_000 + 60_000
    assert now_ms - 20 * 3_600_000 - 60_000 < max(arrived) < now_ms - 20 * 3_600_000
    kinds = Counter(each.event["type"] for each in {each.event["event_id"]: each for each in calls}.values())
    # 465 calls an hour at the busiest, at some 0.75 to 1 of it.
    assert 1_900 < kinds["contact.arrived"] == kinds["contact.queued"] == kinds["contact.ended"] < 2_800
    assert kinds["contact.answered"] + kinds["contact.left_queue"] == kinds["contact.arrived"]
    assert all(parse_contact_event(json.dumps(each.event).encode()) for each in calls)
    assert [each.event for each in calls_of_the_day_before(4, START_MS, now_ms)] == [each.event for each in calls]


def test_refusal_ends_the_feeder() -> None:
    """A gateway that refuses an event ends the feeder with its message: a retry would not help."""

    class Refusing(MemoryGate):
        async def post(self, events: Sequence[dict[str, Any]]) -> None:
            raise UndeliveredError("answered 400: wrong_type")

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(feed(Refusing()))

    assert raised.group_contains(UndeliveredError, match="wrong_type")


def test_kafka_that_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Kafka that does not come back ends the feeder after its patience, and not sooner."""

    class Failing(MemoryPublisher):
        tries = 0

        async def publish(self, events: Sequence[Event], rejected: Sequence[Rejected] = (), *, source: str) -> None:
            self.tries += 1
            raise NotPublishedError("away")

    monkeypatch.setattr("streams.demo.feeder._PATIENCE_SECONDS", 0.6)
    publisher = Failing(now=lambda: datetime.now(UTC))

    with pytest.raises(UndeliveredError, match="away"):
        asyncio.run(feed(None, publisher))

    assert publisher.tries > 1


@pytest.fixture
def embedded() -> None:
    """Need the embedded broker."""
    require_embedded_broker()


@pytest.mark.embedded
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_on_the_embedded_broker(embedded: None, tmp_path: Path, number: signal.Signals) -> None:
    """On SIGTERM the process ends cleanly, and its record is what the topics hold, all partitions complete to the last instant."""
    with EmbeddedBroker() as broker:
        asyncio.run(
            ensure_topics(broker.bootstrap_servers, [TopicSpec(each.full_name(), each.partitions, 1, each.config()) for each in TOPICS])
        )
        opened_ms = time.time_ns() // 1_000_000 - HALF_AN_HOUR_MS // 2
        record, summary = tmp_path / "events.jsonl", tmp_path / "summary.json"
        command = [sys.executable, "-m", "streams.demo.feeder", "--bootstrap", broker.bootstrap_servers, "--start-ms", str(opened_ms)]
        feeder = subprocess.Popen(
            [*command, "--record", str(record), "--summary", str(summary)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert feeder.stdout is not None
        with feeder:
            for line in feeder.stdout:
                if "From here on in real time" in line:
                    break
            time.sleep(1.5)
            feeder.send_signal(number)
            feeder.wait(20)
        found = asyncio.run(read_events(broker.bootstrap_servers, "contactcenter"))

    assert feeder.returncode == 0
    final_ms = json.loads(summary.read_bytes())["final_ms"]
    lines = record.read_bytes().splitlines()
    recorded = [_parsed(line) for line in lines]
    held = {event for events in found.values() for event in events}
    assert held == set(recorded)
    assert len(found) == 24  # eight partitions of contacts, of agents and of customers
    for events in found.values():
        last = [event.complete_through for event in events if event.type == "source.heartbeat"]  # type: ignore[attr-defined]
        assert sum(parse_time_ms(f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}") == final_ms for moment in last) == len(SOURCES)
