"""Writes ``poisoned_state.jsonl``: what a worker of the version before times were bounded stored after one heartbeat of 2099.

It has to be run with the code of that version (commit b9341e0): ``PYTHONPATH=CHECKOUT python tests/attacks/poisoned_state.py > FILE``.
Each line is a row: its topic, partition, key and value; ``PREFIX`` stands for the prefix of topics. What happened:

- a call waits in queue *orders* and ann is idle, at 06:00 of the day of the recording, and heartbeats of source *pbx* came until 06:00:10;
- a plan of bob reported work from 07:00 that day until the end of 9999;
- then a heartbeat reported complete through 2099, on every partition but that of bob, where it has not been read yet.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

from aiokafka.partitioner import murmur2

from schemas.times import format_ms, parse_time_ms
from schemas.topics import topic
from streams.configuration import Configuration
from streams.stages.customers import CustomerEventStage
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import AgentStage, ContactStage, TrackTopics

CONFIGURATION = {
    "queues": {"orders": {"channel": "voice"}},
    "teams": {"red": {}},
    "people": {"ann": {"team": "red"}, "bob": {"team": "red"}},
}
AT_MS = parse_time_ms("2026-11-29T06:00:00Z")
PREFIX = "PREFIX"
CALL, ANN, BOB = "call-1", "ann", "bob"
STAGES = (
    ("contact-events.v1", "track-contacts-state.v1", ContactStage),
    ("agent-events.v1", "track-agents-state.v1", AgentStage),
    ("customer-events.v1", "track-customer-events-state.v1", CustomerEventStage),
)


def partition_of(key: str) -> int:
    """Return the partition of eight that a producer places a key in."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % 8)


def event(kind: str, second: float, **fields: Any) -> dict[str, Any]:
    """Return an event of source pbx, received as it occurs."""
    at = format_ms(AT_MS + round(second * 1000))
    return {"type": kind, "event_id": f"{kind}-{second}-{sorted(fields)}", "occurred_at": at, "received_at": at, "source": "pbx", **fields}


def beat(second: float, complete: str | None = None) -> dict[str, Any]:
    """Return a heartbeat."""
    return event("source.heartbeat", second, complete_through=complete or format_ms(AT_MS + round(second * 1000)))


STORY: dict[str, list[dict[str, Any]]] = {
    CALL: [event("contact.queued", 0, conversation_id=CALL, queue="orders", channel="voice")],
    ANN: [event("agent.state_changed", 0, person_id=ANN, axis="routing", state="idle")],
    BOB: [event("schedule.planned", 1, person_id=BOB, activity="work", start="2026-11-29T07:00:00Z", end="9999-12-31T23:59:59Z")],
}


def main() -> None:
    """Count the story with eight partitions of each topic of events, and roll it up."""
    configuration = Configuration.model_validate(CONFIGURATION)
    rows: dict[tuple[str, int, str], str | None] = {}
    panes: list[Any] = []

    def put(name: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        rows[name, partition, (key or b"").decode()] = None if value is None else value.decode()

    for source, state, stage_of in STAGES:
        for partition in range(8):
            topics = TrackTopics(f"{PREFIX}.{source}", "panes", 4, "dead", f"{PREFIX}.worker", lambda: AT_MS)
            stage = stage_of(partition, configuration, topics)
            mine = [name for name in STORY if partition_of(name) == partition and (name == CALL) == (source == "contact-events.v1")]
            if source == "customer-events.v1":
                mine = []
            events = [each for name in mine for each in STORY[name]]
            chunks = [[*events, beat(10)]]
            if BOB not in mine:
                chunks.append([beat(11, "2099-01-01T00:00:00Z")])
            for chunk in chunks:
                common = {"timestamp": AT_MS + 60_000, "key": None, "offset": 0, "partition": partition, "topic": source, "headers": ()}
                stage.process([SimpleNamespace(value=json.dumps(each).encode(), **common) for each in chunk])
                flush = stage.collect()
                for key, value in flush.rows:
                    put(state, partition, key, value)
                panes += [output for output in flush.outputs if output.topic == "panes"]
    for partition in range(4):
        names = ("panes", 4, "metrics", "latest", "alerts", "alerts-latest")
        rolled = RollUpStage(
            partition, configuration, RollUpTopics(*names, f"{PREFIX}.contact-events.v1", 8, f"{PREFIX}.agent-events.v1", 8)
        )
        for output in [each for each in panes if each.partition == partition]:
            put("queue-panes.v1", partition, output.key, output.value)
            rolled.process([SimpleNamespace(key=output.key, value=output.value)])
        for output in rolled.collect().outputs:
            if output.topic == "latest":
                put("queue-metrics-latest.v1", partition, output.key, output.value)
    assert topic("queue-panes.v1").partitions == 4
    for (name, partition, row), content in rows.items():
        if content is not None:
            sys.stdout.write(json.dumps([name, partition, row, content], ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
