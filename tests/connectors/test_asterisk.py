"""A real Asterisk: its queue_log and its manager interface report calls through its queues, and both agree with what was originated."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

import pytest

from schemas.events import encode
from schemas.times import to_ms
from streams.configuration import Configuration
from streams.connectors.connection.runner import Address, ConnectionSettings, Runner
from streams.connectors.follow import read_lines
from streams.connectors.kit.model import Context
from streams.connectors.lines import Rejected
from streams.connectors.live import connection_of
from streams.connectors.platforms import connector
from streams.connectors.publishing import MemoryPublisher
from streams.connectors.queue_log import QueueLogParser
from streams.replay import Replay
from tests.support.asterisk import SECRET, USER, Asterisk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from streams.replay import Kind

pytestmark = pytest.mark.asterisk

QUEUES = """
[sales]
strategy=linear
timeout=10
retry=1
member => Local/answer@agents/n,0,Ann
[service]
strategy=linear
timeout=1
retry=1
member => Local/ring@agents/n,0,Bo
[repairs]
strategy=linear
timeout=10
retry=1
member => Local/transfer@agents/n,0,Cy
[patience]
strategy=linear
timeout=60
member => Local/ring@agents/n,0,Bo
[keyed]
strategy=linear
timeout=60
context=keys
member => Local/ring@agents/n,0,Bo
[nobody]
joinempty=no
"""
DIALPLAN = """
[queues]
exten => sales,1,Answer()
 same => n,Queue(sales)
 same => n,Hangup()
exten => service,1,Answer()
 same => n,Queue(service,,,,3)
 same => n,Hangup()
exten => repairs,1,Answer()
 same => n,Queue(repairs,t)
 same => n,Hangup()
exten => patience,1,Answer()
 same => n,Queue(patience)
exten => keyed,1,Answer()
 same => n,Queue(keyed)
exten => nobody,1,Answer()
 same => n,Queue(nobody)
 same => n,Hangup()
[keys]
exten => 1,1,Wait(1)
 same => n,Hangup()
[agents]
exten => answer,1,Wait(1)
 same => n,Answer()
 same => n,Wait(2)
 same => n,Hangup()
exten => ring,1,Wait(60)
exten => transfer,1,Answer()
 same => n,Wait(60)
[callers]
exten => stay,1,Answer()
 same => n,Wait(60)
exten => presser,1,Answer()
 same => n,Wait(1)
 same => n,SendDTMF(1)
 same => n,Wait(2)
 same => n,SendDTMF(1)
 same => n,Wait(60)
exten => impatient,1,Answer()
 same => n,Wait(2)
 same => n,Hangup()
"""


def now() -> datetime:
    """Return the time of the wall."""
    return datetime.now(UTC)


class Followed:
    """AMI followed over its connection, into a Kafka of lists."""

    def __init__(self, asterisk: Asterisk, secret: str = SECRET, **settings: Any) -> None:
        platform, connection = connector("asterisk-ami"), connection_of("asterisk-ami")
        assert connection is not None
        self.publisher = MemoryPublisher(now=now, partitions=1)
        context = Context(source="pbx", settings={each.name: each.default for each in platform.settings} | settings)
        address = Address(host="127.0.0.1", port=asterisk.port, credentials={"user": USER, "secret": secret})
        link = ConnectionSettings(first_pause_seconds=0.1, longest_pause_seconds=0.2, sends_heartbeats=not settings.get("beside_queue_log"))
        self.runner = Runner(connection, platform, context, address, self.publisher, now=now, settings=link)
        self._stop = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.runner.run(self._stop))
        await until(lambda: self.runner.status.trouble is None)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        assert self._task is not None
        await self._task

    def values(self, topic: str) -> list[bytes]:
        """Return the records of a topic."""
        return [each.value for each in self.publisher.records.get(f"contactcenter.{topic}", [])]


async def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.05)


def by_log(folder: Path, *, reports: tuple[Literal["hold"], ...] = ()) -> list[tuple[Kind, bytes]]:
    """Return the events of the queue_log; each line of it must be understood."""
    parser = QueueLogParser("pbx", now=now, reports=reports)
    found: list[tuple[Kind, bytes]] = []
    for line in read_lines(folder / "log" / "queue_log"):
        outcome = parser.parse(line)
        assert not isinstance(outcome, Rejected), outcome
        found += [("agent" if event.type.startswith("agent") else "contact", encode(event)) for event in outcome]
    return found


def counted(events: Iterable[tuple[Kind, bytes]]) -> dict[str, Any]:
    """Return the figures of events."""
    replay = Replay(Configuration(), figures_only=True)
    for kind, value in events:
        replay.add(value, kind)
    return replay.finish()


def kpis(result: dict[str, Any], queue: str, *names: str) -> list[Any]:
    """Return figures of a queue."""
    return [result["queues"][queue]["voice"][name]["value"] for name in names]


def test_calls_equal_the_originated_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Answered, given up, timed out, passed on and not let in: by the log and by AMI the same, and as it was done."""

    async def live() -> tuple[Followed, Followed]:
        asterisk = Asterisk(tmp_path, QUEUES, DIALPLAN)
        await asterisk.start()
        try:
            async with Followed(asterisk) as followed, Followed(asterisk, beside_queue_log=True) as beside:
                await asterisk.call("sales", "stay", "5550181")
                await asterisk.call("patience", "impatient", "5550182")
                await asterisk.call("service", "stay", "5550183")
                await asterisk.call("nobody", "stay", "5550184")
                await asterisk.call("keyed", "presser", "5550186")
                await asterisk.call("repairs", "stay", "5550185")
                await until(
                    lambda: any(b"contact.answered" in each and b'"repairs"' in each for each in followed.values("contact-events.v1"))
                )
                await asyncio.sleep(1)
                (channels,) = await asterisk.actions([{"Action": "Command", "Command": "core show channels concise"}])
                leg = next(line.split("!")[0] for line in channels.splitlines() if "transfer@agents" in line and ";1!" in line)
                transfer = {"Action": "BlindTransfer", "Channel": leg.removeprefix("Output: "), "Context": "queues", "Exten": "sales"}
                (answer,) = await asterisk.actions([transfer])
                assert "Success" in answer, answer
                log = asterisk.queue_log
                await until(lambda: log.read_text(encoding="utf-8").count("COMPLETE") == 2)
                await until(lambda: "|EXITWITHKEY|" in log.read_text(encoding="utf-8"))
                await asyncio.sleep(0.3)
            return followed, beside
        finally:
            await asterisk.stop()

    with caplog.at_level(logging.INFO):
        followed, beside = asyncio.run(live())
    contacts, agents = followed.values("contact-events.v1"), followed.values("agent-events.v1")
    ami = counted([*(("contact", each) for each in contacts), *(("agent", each) for each in agents)])
    log = counted(by_log(tmp_path))
    added: list[tuple[Kind, bytes]] = [("contact", each) for each in beside.values("contact-events.v1")]
    added += [("agent", each) for each in beside.values("agent-events.v1")]
    both = counted([*by_log(tmp_path, reports=("hold",)), *added])

    for found in (ami, log, both):
        assert kpis(found, "sales", "offered", "answered", "handled", "abandoned") == [2, 2, 2, 0]
        assert kpis(found, "service", "offered", "answered", "abandoned", "abandon_rate") == [1, 0, 0, 0.0]
        assert kpis(found, "patience", "offered", "answered", "abandoned") == [1, 0, 1]
        assert kpis(found, "keyed", "offered", "answered", "abandoned", "abandon_rate") == [1, 0, 0, 0.0]
        assert kpis(found, "repairs", "offered", "answered", "transfer_rate") == [1, 1, 1]
        assert found["totals"]["offered"]["value"] == 5
        assert found["totals"]["lost_contacts"]["value"] == 0
    # Hold is known where AMI is there, and each call counts once by both.
    assert [found["totals"]["average_hold"]["value"] for found in (ami, log, both)] == [0, None, 0]
    for figure in ("asa", "att", "handled", "answered", "non_response"):
        assert both["totals"][figure]["value"] == pytest.approx(log["totals"][figure]["value"]), figure
    # Only the log sends heartbeats of the source.
    assert not any(b"source.heartbeat" in each for each in beside.values("contact-events.v1"))
    # Asterisk writes no line for who was not let in.
    assert (ami["totals"]["not_offered"]["value"], log["totals"]["not_offered"]["value"]) == (1, 0)
    # The agent answers after a second and hangs up two to three seconds later; the log has whole seconds.
    assert kpis(ami, "sales", "asa", "att") == pytest.approx([1, 2.5], abs=0.9)
    assert kpis(log, "sales", "asa", "att") == pytest.approx(kpis(ami, "sales", "asa", "att"), abs=1)
    # Rings of a second each, until 3 s were over.
    rings = [kpis(found, "service", "non_response")[0] for found in (ami, log)]
    assert rings[0] == rings[1] >= 1
    ids = [
        {each.split(b'"conversation_id":"')[1].split(b'"')[0] for each in events if b'"queue":' in each}
        for events in (contacts, [value for kind, value in by_log(tmp_path) if kind == "contact"])
    ]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 5
    published = b"".join([*contacts, *agents]).decode() + caplog.text
    assert "Kim" not in published
    assert "55501" not in published
    assert SECRET not in published


def test_asterisk_dies(tmp_path: Path) -> None:
    """A caller who waited before the connection is reported, and none waits after a restart of Asterisk without the call."""

    async def live() -> Followed:
        asterisk = Asterisk(tmp_path, QUEUES, DIALPLAN)
        await asterisk.start()
        try:
            await asterisk.call("patience", "stay", "5550191")
            await until(lambda: asterisk.queue_log.exists() and "ENTERQUEUE" in asterisk.queue_log.read_text(encoding="utf-8"))
            await asyncio.sleep(1.2)
            async with Followed(asterisk) as followed:
                await until(lambda: any(b"contact.queued" in each for each in followed.values("contact-events.v1")))
                await asterisk.stop(kill=True)
                await until(lambda: followed.runner.status.trouble is not None)
                await asterisk.start()
                await until(lambda: followed.runner.summary.pages == 2)
                await asterisk.call("sales", "stay", "5550192")
                await until(lambda: "COMPLETE" in asterisk.queue_log.read_text(encoding="utf-8"))
                await asyncio.sleep(0.3)
            return followed
        finally:
            await asterisk.stop()

    followed = asyncio.run(live())
    for events, lost in (([("contact", each) for each in followed.values("contact-events.v1")], 1), (by_log(tmp_path), 0)):
        replay = Replay(Configuration(), figures_only=True)
        for kind, value in events:
            replay.add(value, kind)  # type: ignore[arg-type]
        # A snapshot is looked at a minute later.
        result = replay.finish(to_ms(now()) + 90_000)
        assert kpis(result, "patience", "offered", "answered") == [1, 0]
        assert kpis(result, "sales", "offered", "answered", "handled") == [1, 1, 1]
        assert result["totals"]["lost_contacts"]["value"] == lost
        assert next(each["waiting"] for each in result["now"] if each["scope"] == "all" and "waiting" in each) == 0


def test_a_wrong_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The error asks an operator to act, and has no secret."""

    async def live() -> None:
        asterisk = Asterisk(tmp_path, QUEUES, DIALPLAN)
        await asterisk.start()
        try:
            followed = Followed(asterisk, secret="not-the-secret")
            stop = asyncio.Event()
            task = asyncio.create_task(followed.runner.run(stop))
            await until(lambda: followed.runner.status.trouble == "refused")
            stop.set()
            await task
            assert followed.publisher.records == {}
        finally:
            await asterisk.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(live())
    assert "manager.conf" in caplog.text
    assert "not-the-secret" not in caplog.text
