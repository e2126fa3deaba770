"""Connectors that read SQS and Kinesis are killed at random moments while contacts continue: none is lost, and each counts once."""

# ruff: noqa: T201 - a fault test prints what it did and with which seed.

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from moto.server import ThreadedMotoServer

from schemas.topics import topic
from streams.configuration import Configuration
from streams.connectors.live.amazon import service
from streams.connectors.platforms import connector
from streams.replay import Replay
from streams.worker import create_topics
from tests.faults.test_product_under_faults import SEED
from tests.support.platforms import figures, fixture, three_calls, translated
from tests.support.topics import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.nightly]

KILLS, DAYS, SECONDS = 3, 25, 60
_COUNTS = ("offered", "answered", "abandoned", "handled")
NAMES = {"q-care-01": "support", "q-acc-02": "billing"}


@pytest.fixture
def aws() -> Iterator[dict[str, str]]:
    """Settings of a running server of moto."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {"region": "eu-central-1", "endpoint_url": f"http://{host}:{port}", "access_key_id": "AKIATEST", "secret_access_key": "of a test"}
    server.stop()


def calls(name: str) -> list[list[bytes]]:
    """Return the three calls again and again, each time as others."""
    lines = fixture(name, "three-calls.jsonl").splitlines()
    return [[line.replace(b'"call-', f'"day{day}-'.encode()) for line in lines] for day in range(DAYS)]


async def committed_events(kafka: Cluster, prefix: str) -> list[dict[str, Any]]:
    """Return the events of contacts that are committed."""
    records = await read(kafka.bootstrap, topic("contact-events.v1").full_name(prefix))
    return [event for event in (orjson.loads(record.value) for record in records) if event["type"] != "source.heartbeat"]


async def fill_queue(client: Any, url: str, lines: list[bytes]) -> None:
    """Send messages, ten at a time."""
    for first in range(0, len(lines), 10):
        entries = [{"Id": str(number), "MessageBody": line.decode()} for number, line in enumerate(lines[first : first + 10])]
        await client.send_message_batch(QueueUrl=url, Entries=entries)


@pytest.mark.parametrize("way", ["sqs", "kinesis"])
def test_connector_killed_while_contacts_go_on(kafka: Cluster, aws: dict[str, str], tmp_path: Path, way: str) -> None:
    """By SQS an event may be published twice, and counts once by its id; by Kinesis each is there once."""
    name = "amazon-connect-contact-events" if way == "sqs" else "amazon-connect-contact-records"
    chance, prefix = random.Random(SEED), f"amazon-{way}-{SEED}"
    killed_at: list[int] = []

    async def scenario() -> list[dict[str, Any]]:
        await create_topics(kafka.bootstrap, prefix)
        async with service(way, aws) as client:
            if way == "sqs":
                url = (await client.create_queue(QueueName="events"))["QueueUrl"]
                place = {"queue_url": url}
            else:
                await client.create_stream(StreamName="records", ShardCount=3)
                place = {"stream": "records"}
            process = start(place)
            try:
                for day, lines in enumerate(calls(name)):
                    if way == "sqs":
                        await fill_queue(client, url, lines)
                    else:
                        entries = [{"Data": line, "PartitionKey": str(chance.random())} for line in lines]
                        await client.put_records(StreamName="records", Records=entries)
                    await asyncio.sleep(chance.uniform(0, 0.4))
                    if day in kills:
                        await some_more(process, killed_at[-1] if killed_at else 0)
                        await asyncio.sleep(chance.uniform(0, 0.5))
                        process.kill()
                        process.wait()
                        killed_at.append(len(await committed_events(kafka, prefix)))
                        process = start(place)
                for _ in range(SECONDS * 2):
                    events = await committed_events(kafka, prefix)
                    if {event["event_id"] for event in events} >= expected:
                        break
                    assert process.poll() is None, log.read_text()[-2000:]
                    await asyncio.sleep(0.5)
            finally:
                process.terminate()
                process.wait(20)
        return await committed_events(kafka, prefix)

    async def some_more(process: subprocess.Popen[bytes], before: int) -> None:
        """Wait until this process has published an event."""
        for _ in range(100):
            if len(await committed_events(kafka, prefix)) > before:
                return
            assert process.poll() is None, log.read_text()[-2000:]
            await asyncio.sleep(0.2)

    def start(place: dict[str, str]) -> subprocess.Popen[bytes]:
        settings = {"region": aws["region"], "endpoint_url": aws["endpoint_url"], "queues": NAMES, **place}
        credentials = {key: {"env": key.upper()} for key in ("access_key_id", "secret_access_key")}
        file.write_bytes(orjson.dumps({"connectors": {"connect": {"connector": name, "settings": settings, "credentials": credentials}}}))
        command = [sys.executable, "-m", "streams", "connector", "run", "connect", "--connectors", str(file)]
        environment = os.environ | {key.upper(): aws[key] for key in credentials}
        with log.open("ab") as output:
            return subprocess.Popen(
                [*command, "--bootstrap", kafka.bootstrap, "--prefix", prefix], stdout=output, stderr=output, env=environment
            )

    file, log = tmp_path / "connectors.yaml", tmp_path / "log"
    kills = set(chance.sample(range(4, DAYS), KILLS))
    whole = translated(connector(name), [("all", b"\n".join(line for lines in calls(name) for line in lines))], settings={"queues": NAMES})
    expected = {event.event_id for event in whole.events}
    events = asyncio.run(scenario())

    ids = Counter(event["event_id"] for event in events)
    assert len(set(killed_at)) == KILLS, "it was killed while it worked, not before or after"
    print(f"\nseed {SEED}: {ids.total()} events, {len(ids)} of them different; kills after {killed_at}")
    assert set(ids) == expected, log.read_text()[-2000:]
    if way == "kinesis":
        # A contact record that comes again has the same ids: its first word and its last.
        assert max(ids.values()) <= 2
        assert ids == Counter(event.event_id for event in whole.events)
    sources = {event["source"]: {"not_reported": ["non_response"]} for event in events}
    replay = Replay(Configuration.model_validate({"sources": sources}), figures_only=True)
    for event in events:
        replay.add(orjson.dumps(event | {"received_at": event["occurred_at"]}), "contact")
    wanted = three_calls(hold=way == "kinesis", ring=False)
    found = figures(replay.finish(replay.last_ms), wanted, {})
    for scope, values in wanted.items():
        counts = {figure: value * DAYS for figure, value in values.items() if value is not None and figure in _COUNTS}
        assert {figure: found[scope][figure] for figure in values} == pytest.approx({**values, **counts}), scope
