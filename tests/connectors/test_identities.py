"""One person on two platforms is one person: in the keys of Kafka, in the events, and in the figures about people."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import ClientSession

from schemas.agent import AgentStateChanged
from schemas.contact import ContactAnswered, ContactTransferred
from schemas.other import SourceSnapshot
from schemas.times import format_ms, from_ms, parse_time_ms
from streams.cli import main
from streams.configuration import Configuration
from streams.connectors.follow import read_lines
from streams.connectors.gateway import Gateway, GatewaySettings
from streams.connectors.identities import IdentifyingPublisher, Identities
from streams.connectors.lines import Rejected
from streams.connectors.publishing import MemoryPublisher
from streams.connectors.queue_log import QueueLogParser
from streams.connectors.senders import Senders
from streams.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from _pytest.capture import CaptureFixture

    from schemas.base import Event

BEGIN = parse_time_ms("2026-03-02T09:00:00Z")

CONFIGURATION = """\
teams: {care: {}}
people:
  anna:
    team: care
    identities:
      pbx: [SIP/7, 1007]
      chat: [a.sato]
"""

PEOPLE = Configuration.model_validate(
    {"teams": {"care": {}}, "people": {"anna": {"team": "care", "identities": {"pbx": ["SIP/7", "1007"], "chat": ["a.sato"]}}}}
)


def state(seconds: int, source: str, person: str, axis: str, to: str) -> dict[str, Any]:
    """Return an event about an agent, ``seconds`` after the beginning."""
    at = format_ms(BEGIN + 1_000 * seconds)
    what = {"type": "agent.state_changed", "event_id": f"{source}-{seconds}", "person_id": person, "axis": axis, "state": to}
    return {**what, "occurred_at": at, "received_at": at, "source": source}


#: The telephone reports when she is there, the chat when she works: 300 s of 1,200.
SHIFT = [
    state(0, "pbx", "SIP/7", "activity", "idle"),
    state(600, "chat", "a.sato", "activity", "chatting"),
    state(900, "chat", "a.sato", "activity", "idle"),
    state(1200, "pbx", "SIP/7", "presence", "offline"),
]


def publish(events: Iterable[Event]) -> MemoryPublisher:
    """Publish events as the connectors do, and return what came of it."""
    memory = MemoryPublisher(now=lambda: datetime.now(UTC))
    asyncio.run(IdentifyingPublisher(memory, Identities(PEOPLE)).publish(list(events), source="test"))
    return memory


def occupancy(values: Iterable[bytes], configuration: Configuration) -> tuple[float, float]:
    """Return the seconds at work and at work or idle, of all teams."""
    replay = Replay(configuration)
    for value in values:
        replay.add(value, "agent")
    figure = replay.finish(BEGIN + 1_200_000)["totals"]["occupancy"]
    return figure["numerator"], figure["denominator"]


class TestPublished:
    """What goes to Kafka."""

    def test_two_sources_one_key(self) -> None:
        """Events of both platforms have the person's name as key, so that they are in one partition and in order."""
        found = publish(AgentStateChanged.model_validate(each) for each in SHIFT)

        records = found.records[found.topics.agents]
        assert {record.key for record in records} == {b"anna"}
        assert len({record.partition for record in records}) == 1
        assert [orjson.loads(record.value)["person_id"] for record in records] == ["anna"] * 4

    def test_occupancy_counts_her_once(self) -> None:
        """300 s of 1,200 s at work; without the configuration two people, one of them idle the whole time."""
        found = publish(AgentStateChanged.model_validate(each) for each in SHIFT)
        once = [record.value for record in found.records[found.topics.agents]]

        assert occupancy(once, PEOPLE) == (300, 1200)
        # As two: SIP/7 is idle for 1,200 s; a.sato works for 300 s and is idle from second 900 to 1,200.
        assert occupancy(map(orjson.dumps, SHIFT), Configuration()) == (300, 1800)

    def test_contacts_and_snapshots(self) -> None:
        """Agents of contacts are replaced too; ids of other sources, and unknown ids, stay."""
        common = {"event_id": "1", "occurred_at": from_ms(BEGIN), "received_at": from_ms(BEGIN), "conversation_id": "c"}
        events: list[Event] = [
            ContactAnswered.model_validate({**common, "source": "chat", "agent": "a.sato"}),
            ContactAnswered.model_validate({**common, "source": "crm", "agent": "a.sato"}),
            ContactTransferred.model_validate({**common, "source": "pbx", "to_agent": "1007"}),
            ContactTransferred.model_validate({**common, "source": "pbx", "to_agent": "1008"}),
        ]
        found = publish(events)
        published = [orjson.loads(record.value) for record in found.records[found.topics.contacts]]
        assert [each.get("agent") or each.get("to_agent") for each in published] == ["anna", "a.sato", "anna", "1008"]

        times = {name: common[name] for name in ("event_id", "occurred_at", "received_at")}
        snapshots = [
            SourceSnapshot.model_validate({**times, "source": "pbx", "kind": kind, "open_ids": ("SIP/7", "SIP/8")})
            for kind in ("agents", "contacts")
        ]
        assert [Identities(PEOPLE).of_event(each).open_ids for each in snapshots] == [("anna", "SIP/8"), ("SIP/7", "SIP/8")]


class TestConnectors:
    """The ways in."""

    def test_queue_log(self, tmp_path: Path) -> None:
        """A member of Asterisk's log becomes the person, in what is published of calls and of presence."""
        parser = QueueLogParser("pbx", now=lambda: from_ms(BEGIN + 60_000))
        lines = ("CLI|sales|SIP/7|ADDMEMBER|", "1.1|sales|NONE|ENTERQUEUE||0312345678|1", "1.1|sales|SIP/7|CONNECT|1|1.2|1")
        log = tmp_path / "queue_log"
        log.write_text("".join(f"{BEGIN // 1_000 + number}|{line}\n" for number, line in enumerate(lines)))
        events: list[Event] = []
        for line in read_lines(log):
            outcome = parser.parse(line)
            assert not isinstance(outcome, Rejected)
            events += outcome
        found = publish(events)

        (presence,) = found.records[found.topics.agents]
        assert (presence.key, orjson.loads(presence.value)["person_id"]) == (b"anna", "anna")
        answered = orjson.loads(found.records[found.topics.contacts][-1].value)
        assert (answered["type"], answered["agent"]) == ("contact.answered", "anna")

    def test_gateway(self) -> None:
        """Events with a sender's own ids are published under the agent's name."""

        async def post() -> MemoryPublisher:
            memory = MemoryPublisher(now=lambda: datetime.now(UTC))
            gateway = Gateway(IdentifyingPublisher(memory, Identities(PEOPLE)), Senders.parse(""), GatewaySettings(port=0))
            address = await gateway.start()
            try:
                async with ClientSession() as session, session.post(f"{address}/v1/events", json=SHIFT) as answer:
                    assert (await answer.json())["accepted"] == 4
            finally:
                await gateway.stop()
            return memory

        found = asyncio.run(post())
        keys = {record.key for record in found.records[found.topics.agents] if record.key is not None}
        assert keys == {b"anna"}

    @pytest.mark.parametrize(("options", "seconds"), [([], (300, 1800)), (["--config", "center.yaml"], (300, 1200))], ids=["two", "one"])
    def test_replay(
        self, options: list[str], seconds: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture[str]
    ) -> None:
        """A file is counted as the connectors would have published it; translated twice is the same as once."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "center.yaml").write_text(CONFIGURATION)
        (tmp_path / "events.jsonl").write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in SHIFT))

        assert main(["replay", "--connector", "canonical", "events.jsonl", "--json", *options]) == 0
        figure = json.loads(capsys.readouterr().out)["totals"]["occupancy"]
        assert (figure["numerator"], figure["denominator"]) == seconds

    def test_published_events_stay(self) -> None:
        """An event that was published already is left as it is, byte for byte where its source has no people."""
        identities = Identities(PEOPLE)
        once = identities.of_record(orjson.dumps(SHIFT[0]))

        assert orjson.loads(once)["person_id"] == "anna"
        assert identities.of_record(once) == once
        foreign = orjson.dumps({**SHIFT[0], "source": "crm"})
        assert identities.of_record(foreign) is foreign
