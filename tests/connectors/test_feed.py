"""A queue_log reaches Kafka whole, whatever ends in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streams.connectors.feed import FollowSettings, follow, publish_history
from streams.connectors.publishing import MemoryPublisher, NotPublishedError
from streams.connectors.queue_log import QueueLogParser
from streams.demo.broker import EmbeddedBroker
from streams.topics import create_topics
from tests.support.require import require_embedded_broker
from tests.support.topics import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
#: An hour before START.
T = 1_772_449_200
QUICK = FollowSettings(poll_seconds=0.01, heartbeat_seconds=1, retry_seconds=0.05)


class Clock:
    """A clock that is moved."""

    def __init__(self) -> None:
        """Begin at noon."""
        self.at = START

    def now(self) -> datetime:
        """Return the time it was moved to."""
        return self.at


class Run:
    """A follower in this process."""

    def __init__(self, folder: Path, clock: Clock, publisher: MemoryPublisher) -> None:
        """Follow the log of a folder."""
        self.log = folder / "queue_log"
        self.state = folder / "place.state"
        self.clock = clock
        self.publisher = publisher
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(
            follow(
                self.log,
                self.state,
                QueueLogParser("pbx", now=clock.now),
                publisher,
                now=clock.now,
                stop=self.stop,
                settings=QUICK,
            )
        )

    def events(self) -> list[dict[str, Any]]:
        """Return the contact events published so far, without heartbeats."""
        return [event for event in self.all() if event["type"] != "source.heartbeat"]

    def all(self) -> list[dict[str, Any]]:
        """Return the records of the contact topic, of heartbeats the first partition's."""
        kept = self.publisher.records.get(self.publisher.topics.contacts, [])
        return [json.loads(each.value) for each in kept if each.key is not None or each.partition == 0]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(10):
            while not holds():
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.005)

    async def end(self) -> None:
        """Stop as SIGTERM does."""
        self.stop.set()
        await asyncio.wait_for(self.task, 10)


def abandon(number: int, at: int = T) -> str:
    """Return a line that is one event."""
    return f"{at}|{number}.1|sales|NONE|ABANDON|1|1|{number % 60}\n"


def append(path: Path, text: str) -> None:
    """Write to the end of a file."""
    with path.open("a") as file:
        file.write(text)


def test_a_line_counts_as_received_when_it_was_written(tmp_path: Path) -> None:
    """The log is the journal: what is read at the first start, live or after an outage of the connector is never late."""

    async def scenario() -> None:
        clock, publisher = Clock(), MemoryPublisher(now=lambda: START)
        append(tmp_path / "queue_log", abandon(1))
        run = Run(tmp_path, clock, publisher)
        await run.until(lambda: len(run.events()) == 1)
        await run.until(lambda: len(run.all()) > 1)
        append(run.log, abandon(2))
        await run.until(lambda: len(run.events()) == 2)
        await run.end()

        append(run.log, abandon(3))
        clock.at += timedelta(minutes=5)
        again = Run(tmp_path, clock, publisher)
        await again.until(lambda: len(again.events()) == 3)
        await again.end()

        assert [event["received_at"] for event in run.events()] == [
            "2026-03-02T11:00:00.000Z",
            "2026-03-02T11:00:00.000Z",
            "2026-03-02T11:00:00.000Z",
        ]
        # One instant, one order, across the restart.
        assert [event["sequence"] for event in run.events()] == [0, 1, 2]

    asyncio.run(scenario())


def test_interrupted_history_continues_as_history(tmp_path: Path) -> None:
    """Killed in the middle of the first reading, the connector reads the rest as what it is, too."""

    async def scenario() -> None:
        clock, publisher = Clock(), MemoryPublisher(now=lambda: START)
        append(tmp_path / "queue_log", "".join(abandon(number) for number in range(1200)))
        first = Run(tmp_path, clock, publisher)
        await first.until(lambda: len(first.events()) >= 500)
        first.task.cancel()
        await asyncio.wait([first.task])
        clock.at += timedelta(hours=1)
        again = Run(tmp_path, clock, publisher)
        await again.until(lambda: len({event["event_id"] for event in again.events()}) == 1200)
        await again.end()

        assert {event["received_at"] for event in again.events()} == {"2026-03-02T11:00:00.000Z"}

    asyncio.run(scenario())


def test_a_quiet_log_has_heartbeats(tmp_path: Path) -> None:
    """Read to its end, the log is complete up to two seconds ago, reported once a second."""

    async def scenario() -> None:
        clock, publisher = Clock(), MemoryPublisher(now=lambda: START)
        run = Run(tmp_path, clock, publisher)
        await run.until(lambda: len(run.all()) == 1)
        clock.at += timedelta(seconds=1)
        await run.until(lambda: len(run.all()) == 2)
        await asyncio.sleep(0.05)
        await run.end()

        assert [beat["complete_through"] for beat in run.all()] == ["2026-03-02T11:59:58.000Z", "2026-03-02T11:59:59.000Z"]

    asyncio.run(scenario())


def test_while_kafka_is_away_lines_wait_in_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is skipped, the position does not move, and it is logged once."""

    async def scenario() -> None:
        clock, publisher = Clock(), MemoryPublisher(now=lambda: START)
        publisher.down = True
        append(tmp_path / "queue_log", "".join(abandon(number) for number in range(1200)))
        run = Run(tmp_path, clock, publisher)
        await asyncio.sleep(0.2)
        assert json.loads(run.state.read_text())["position"]["offset"] == 0
        publisher.down = False
        await run.until(lambda: len(run.events()) == 1200)
        await run.end()
        assert len({event["event_id"] for event in run.events()}) == 1200

    asyncio.run(scenario())
    assert caplog.text.count("cannot be published") == 1


def test_a_stop_while_kafka_is_away_ends_soon_and_the_next_run_publishes(tmp_path: Path) -> None:
    """Lines that were not acknowledged are read again."""

    async def scenario() -> None:
        clock, publisher = Clock(), MemoryPublisher(now=lambda: START)
        append(tmp_path / "queue_log", abandon(1))
        publisher.down = True
        run = Run(tmp_path, clock, publisher)
        await asyncio.sleep(0.05)
        await run.end()
        publisher.down = False
        again = Run(tmp_path, clock, publisher)
        await again.until(lambda: len(again.events()) == 1)
        await again.end()

    asyncio.run(scenario())


def test_bad_lines_become_dead_letters_beside_the_good_ones_events(tmp_path: Path) -> None:
    """History is published whole: events, and what was no event with its place."""
    path = tmp_path / "old_log"
    path.write_bytes(abandon(1).encode() + b"rubbish\n\xff|x\n" + abandon(2).encode())

    async def scenario() -> None:
        publisher = MemoryPublisher(now=lambda: START)
        summary = await publish_history(path, QueueLogParser("pbx", now=lambda: START), publisher)
        assert (summary.lines, summary.events, summary.rejected) == (4, 2, 2)
        dead_letters = publisher.records[publisher.topics.contact_dead_letters]
        assert [(kept.value, kept.headers["dead-letter-origin"]) for kept in dead_letters] == [
            (b"rubbish", b"old_log:2"),
            (b"\xff|x", b"old_log:3"),
        ]

        publisher.down = True
        with pytest.raises(NotPublishedError):
            await publish_history(path, QueueLogParser("pbx", now=lambda: START), publisher)

    asyncio.run(scenario())


# ---- The command, on the embedded broker -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedded() -> Iterator[str]:
    """Run the embedded broker."""
    require_embedded_broker()
    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers


def prepared(bootstrap: str) -> str:
    """Make topics under a new prefix and return it."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    asyncio.run(create_topics(bootstrap, prefix))
    return prefix


def published(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """Return all events of a topic, without heartbeats."""
    events = [json.loads(record.value or b"{}") for record in asyncio.run(read(bootstrap, topic))]
    return [event for event in events if event["type"] != "source.heartbeat"]


def connector(*arguments: str) -> subprocess.Popen[str]:
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "streams", "connector", "asterisk-queue-log", *arguments],
        cwd=ROOT,
        env={**os.environ, "CONTACT_STREAMS_CUSTOMER_KEY": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.embedded
def test_once_publishes_the_whole_file_and_again_with_the_same_ids(tmp_path: Path, embedded: str) -> None:
    """The command prints what became of the lines; a second run gives the same events, so that nothing counts twice."""
    path = tmp_path / "queue_log"
    path.write_text("".join(abandon(number) for number in range(3000)) + f"{T}|NONE|NONE|NONE|QUEUESTART|\nrubbish")
    prefix = prepared(embedded)
    for _ in range(2):
        running = connector(str(path), "--once", "--bootstrap", embedded, "--prefix", prefix)
        output, errors = running.communicate(timeout=60)
        assert (running.returncode, output) == (0, "3002 lines: 3000 events, 1 dead letters; only informing: QUEUESTART 1\n"), errors

    ids = Counter(event["event_id"] for event in published(embedded, f"{prefix}.contact-events.v1"))
    assert len(ids) == 3000
    assert set(ids.values()) == {2}


@pytest.mark.embedded
@pytest.mark.faults
def test_killed_again_and_again_while_the_log_grows_and_rotates_it_leaves_nothing_out(tmp_path: Path, embedded: str) -> None:
    """After ten kills and both kinds of rotation every line is published, and what was published twice has one id."""
    path = tmp_path / "queue_log"
    path.touch()
    prefix = prepared(embedded)
    chance = random.Random(11)
    written = rotations = 0

    def write(seconds: float) -> None:
        nonlocal written, rotations
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            append(path, "".join(abandon(number) for number in range(written, written + 20)))
            written += 20
            if chance.random() < 0.02:
                rotations += 1
                path.rename(path.with_name(f"queue_log.{rotations:04}"))
                path.touch()
            time.sleep(0.01)

    arguments = (str(path), "--follow", "--bootstrap", embedded, "--prefix", prefix)
    state = Path(f"{path}.state")
    for _ in range(10):
        running = connector(*arguments)
        while not state.exists():  # a file that is rotated away before the first scan is not followed
            time.sleep(0.01)
        write(chance.uniform(1.0, 2.5))
        running.send_signal(signal.SIGKILL)
        running.communicate()
    running = connector(*arguments)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            at, file = json.loads(state.read_text())["position"], path.stat()
            # Files of as many lines are of one size: the one that was rotated away last, too.
            if (at["inode"], at["offset"]) == (file.st_ino, file.st_size) and at["offset"] > 0:
                break
        time.sleep(0.1)
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=30)

    assert running.returncode == 0, errors
    events = published(embedded, f"{prefix}.contact-events.v1")
    found = {event["contact_id"]: event["event_id"] for event in events}
    assert found.keys() == {f"asterisk:{number}.1" for number in range(written)}
    assert len({event["event_id"] for event in events}) == written
    assert rotations > 2
    assert len(events) > written, "no kill came between publishing and remembering: the test shows less than it should"
