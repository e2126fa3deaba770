"""Days of a stream at one rate: the state after the fifth day is no larger than after the third."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson

from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from tests.properties.compacted import compact

if TYPE_CHECKING:
    from collections.abc import Iterator


START_MS = parse_time_ms("2026-06-01T00:00:00Z")
MINUTE_MS, DAY_MS = 60_000, 86_400_000
FLUSH_MINUTES = 20
DAYS = 5

#: Forgotten sooner than by default, so that less than three days are enough for all of it; intervals are kept for 60 hours.
CONFIGURATION = Configuration.model_validate(
    {
        "queues": {"sales": {"channel": "voice", "department": "front"}, "inbox": {"channel": "mail", "department": "front"}},
        "teams": {"red": {}},
        "counting": {"lost_after_seconds": {"mail": 40_000}, "person_timeout_seconds": 20_000, "closed_retention_seconds": 40_000},
    }
)


def contacts(at_ms: int, number: int, random: Random) -> Iterator[dict[str, Any]]:
    """Yield the events of a contact from its arrival; some have no end and no answer."""
    mail = random.random() < 0.3
    queue, channel = ("inbox", "mail") if mail else ("sales", "voice")
    fate = random.random()
    story: list[tuple[int, str, dict[str, Any]]] = [
        (0, "contact.arrived", {"channel": channel}),
        (100, "contact.queued", {"queue": queue}),
    ]
    if fate > 0.05:
        story += [(20_000, "contact.answered", {"agent": f"p{number % 7}"})]
    if fate > 0.15:
        story += [(60_000, "contact.status_changed", {"status": "resolved"}), (70_000, "contact.wrapped_up", {"agent": f"p{number % 7}"})]
    if 0.05 < fate < 0.08:
        story += [(30_000, "contact.callback_requested", {}), (31_000, "contact.callback_ended", {"outcome": "reached"})]
    for index, (after_ms, kind, fields) in enumerate(sorted(story, key=lambda step: step[0])):
        yield common(f"{number}.{index}", kind, at_ms + after_ms) | {"conversation_id": f"c{number}", **fields}


def people(at_ms: int, number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of agents never seen again: half go offline, half fall silent. One agent works all days."""
    states = ("on_queue", "offline") if number % 2 else ("on_queue",)
    for index, state in enumerate(states):
        fields = {"person_id": f"p{number}", "axis": "presence", "state": state, "team": "red"}
        yield common(f"p{number}.{index}", "agent.state_changed", at_ms + index * 60_000) | fields
    yield common(f"steady.{number}", "agent.heartbeat", at_ms) | {"person_id": "steady"}
    yield common(f"steadily.{number}", "agent.state_changed", at_ms) | {"person_id": "steady", "axis": "routing", "state": "idle"}


def common(name: str, kind: str, at_ms: int, source: str = "pbx") -> dict[str, Any]:
    """Return what all events have."""
    return {"event_id": name, "type": kind, "occurred_at": format_ms(at_ms), "received_at": format_ms(at_ms), "source": source}


class Worker:
    """The stages of one contact, agent and pane partition, with what Kafka's compacted topics would hold."""

    def __init__(self) -> None:
        topics = TrackTopics("contacts", "panes", 1, "dead", "group", lambda: 0)
        self.contacts = ContactStage(0, CONFIGURATION, topics)
        self.agents = AgentStage(0, CONFIGURATION, topics._replace(source="agents"))
        self.rollup = RollUpStage(
            0, CONFIGURATION, RollUpTopics("panes", 1, "metrics", "latest", "alerts", "alerts-latest", "contacts", 1, "agents", 1)
        )
        self.compacted: dict[str, dict[bytes, bytes]] = {name: {} for name in ("contacts", "agents", "panes", "latest")}

    def take(self, events: list[dict[str, Any]]) -> None:
        """Take events, heartbeats to both, and flush everything."""
        for name, stage in (("contacts", self.contacts), ("agents", self.agents)):
            mine = [each for each in events if each["type"].startswith("source.") or ("person_id" in each) == (name == "agents")]
            stage.process([record(each) for each in mine])
            flush = stage.collect()
            compact(self.compacted, name, flush)
            assert not [output for output in flush.outputs if output.topic == "dead"]
            self.rollup.process([SimpleNamespace(key=output.key, value=output.value) for output in flush.outputs])
        compact(self.compacted, "latest", self.rollup.collect())

    def sizes(self) -> dict[str, int]:
        """Return the number of entries of every store, and the bytes that a restart would read."""
        tracker, rollup = self.contacts.tracker, self.rollup.rollup
        return {
            "conversations": len(tracker.conversations),
            "timers": len(tracker._timers),
            "waiting": len(tracker._load),
            "pending": len(tracker._pending),
            "contact slices": len(tracker.slices),
            "people": len(self.agents.tracker.agents),
            "people's facts": sum(len(person.facts) + len(person.ids) for person in self.agents.tracker.agents.values()),
            "people's slices": len(self.agents.tracker.slices),
            "sources": len(tracker.watermark.sources) + len(self.agents.tracker.watermark.sources),
            "merged slices": sum(len(state.trailing) + len(state.cell_parts) for state in rollup.scopes.values()),
            "merged cells": sum(len(state.cells) for state in rollup.scopes.values()),
            "open windows": len(rollup._provisional),
            "published": len(rollup._published),
            **{f"rows of {name}": len(rows) for name, rows in self.compacted.items()},
            **{f"bytes of {name}": sum(map(len, rows.values())) for name, rows in self.compacted.items()},
        }


def record(event: dict[str, Any]) -> Any:
    """Return an event as the topics have it."""
    return SimpleNamespace(topic="t", partition=0, offset=0, timestamp=10**15, key=None, value=orjson.dumps(event), headers=())


def test_the_fifth_day_is_the_third() -> None:
    """Contacts without end, agents never seen again and sources that come and go: nothing grows once retention has passed."""
    random, worker = Random(7), Worker()
    sizes: list[dict[str, int]] = []
    to_come: list[dict[str, Any]] = []
    for minute in range(0, DAYS * 1440, FLUSH_MINUTES):
        at_ms = START_MS + minute * MINUTE_MS
        for step in range(8):
            to_come += contacts(at_ms + step * 150_000 + random.randrange(100_000), minute * 8 + step, random)
        if minute % 60 == 0:
            to_come += people(at_ms, minute // 60)
            to_come.append(heartbeat(f"job-{minute // 60}", at_ms))
        end_ms = at_ms + FLUSH_MINUTES * MINUTE_MS
        due = [each for each in to_come if each["received_at"] < format_ms(end_ms)]
        to_come = [each for each in to_come if each["received_at"] >= format_ms(end_ms)]
        worker.take([*sorted(due, key=lambda each: str(each["received_at"])), heartbeat("pbx", end_ms)])
        if (minute + FLUSH_MINUTES) % 1440 == 0:
            sizes.append(worker.sizes())
    third, fifth = sizes[2], sizes[4]
    lost = sum(kpis(value)["lost_contacts"]["value"] for key, value in worker.compacted["latest"].items() if key.startswith(b"window|day|"))

    assert lost > 0
    assert third["conversations"] > 100
    grown = {name: (third[name], fifth[name]) for name in third if fifth[name] > 1.05 * third[name] + 3}
    assert grown == {}
    assert fifth["conversations"] == fifth["rows of contacts"] - sum(key[:2] != b"s|" for key in worker.compacted["contacts"])


def kpis(value: bytes) -> dict[str, Any]:
    """Return the figures about contacts of a record, if it is one."""
    return {"lost_contacts": {"value": 0}, **orjson.loads(value)["kpis"]}


def heartbeat(source: str, at_ms: int) -> dict[str, Any]:
    """Return a heartbeat, complete through an instant."""
    return common(f"beat.{source}.{at_ms}", "source.heartbeat", at_ms, source) | {"complete_through": format_ms(at_ms)}
