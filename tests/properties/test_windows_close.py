"""Windows close by progress alone, a dead source closes none, and a late event is counted as late and changes nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson

from schemas.events import parse_contact_event
from streams.configuration import Configuration
from tests.properties.pipeline import MemoryPipeline

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = f"window|interval_15m|voice|queue:quiet|{int(NOON.timestamp() * 1000)}"

#: Grace and rejoin: the time from the end of a window until it is final.
FINAL_AFTER = timedelta(seconds=120 + 60)


def event(kind: str, second: float, received: float | None = None, **fields: Any) -> Any:
    """Return an event at a second after noon, by default received at once."""
    occurred, arrived = (NOON + timedelta(seconds=each) for each in (second, second if received is None else received))
    common = {"type": kind, "event_id": f"{kind}@{second}", "occurred_at": occurred.isoformat(), "received_at": arrived.isoformat()}
    return parse_contact_event(orjson.dumps({**common, "source": "switch", **fields}))


def call(begin: float, name: str = "c1") -> list[Any]:
    """Return a call of the quiet queue that waits 8 s and talks 60 s."""
    return [
        event("contact.queued", begin, conversation_id=name, queue="quiet", channel="voice"),
        event("contact.answered", begin + 8, conversation_id=name, agent="a", queue="quiet"),
        event("contact.ended", begin + 68, conversation_id=name, by="customer"),
    ]


def beats(begin: float, end: float, source: str = "switch") -> list[Any]:
    """Return heartbeats every ten seconds, complete up to themselves."""
    seconds = range(int(begin), int(end) + 1, 10)
    return [
        event("source.heartbeat", each, source=source, complete_through=(NOON + timedelta(seconds=each)).isoformat()) for each in seconds
    ]


def pipeline() -> MemoryPipeline:
    """Return a pipeline of several partitions: the quiet queue's events are in one of them."""
    return MemoryPipeline(Configuration.model_validate({"default_zone": "UTC"}), Random(1), contacts=3, agents=2, panes=2)


def test_a_quiet_queue_closes_on_time() -> None:
    """Must-show 4: after one call there are only heartbeats, and the interval becomes final as soon as the grace is over, not before."""
    there = pipeline()
    there.run([*call(100), *beats(170, 900)])
    before = there.latest[KEY]
    assert not before["final"]
    final_at = 900 + FINAL_AFTER.total_seconds()
    there.run(beats(910, final_at - 10))
    assert not there.latest[KEY]["final"]
    there.run(beats(final_at, final_at))
    after = there.latest[KEY]
    assert after["final"]
    assert after["revision"] == before["revision"] + 1
    assert after["kpis"] == before["kpis"]
    assert after["kpis"]["answered"]["value"] == 1


def test_the_only_source_dead_closes_nothing() -> None:
    """Must-show 4: with the only source dead progress stops, whatever the time: no window is marked complete."""
    there = pipeline()
    there.run([*call(100), *beats(170, 600)])
    progress = {key: record for key, record in there.latest.items() if key.startswith("progress|")}
    assert {record["complete_through"] for record in progress.values()} == {"2026-03-02T12:10:00.000Z"}
    there.run([])
    assert not there.latest[KEY]["final"]
    assert {key: there.latest[key] for key in progress} == progress


def test_one_of_two_sources_dead_is_named() -> None:
    """Must-show 4: other sources continue without a dead one, and every progress record names it as stale."""
    there = pipeline()
    there.run(sorted([*call(100), *beats(170, 600), *beats(0, 2000, "other")], key=lambda each: each.received_at))
    for key, record in there.latest.items():
        if key.startswith("progress|"):
            assert record["stale_sources"] == ["switch"]
            assert record["sources"]["switch"] == "2026-03-02T12:10:00.000Z"
            assert record["complete_through"] == "2026-03-02T12:33:20.000Z"


def test_disorder_revises_until_the_grace_is_over_and_is_late_afterwards() -> None:
    """Must-show 4: within the grace an event makes a higher revision; beyond it it is counted as late, and no figure changes."""
    queued, answered, ended = call(100)
    there = pipeline()
    # The pane of second 108 is open until 110 + 120 s of grace.
    within = event("contact.answered", 108, 230, conversation_id="c1", agent="a", queue="quiet")
    there.run([queued, ended, *beats(170, 220)])
    first = there.latest[KEY]
    assert (first["kpis"]["answered"]["value"], first["kpis"]["abandoned"]["value"]) == (0, 1)
    there.run([within])
    second = there.latest[KEY]
    assert second["revision"] > first["revision"]
    assert (second["kpis"]["answered"]["value"], second["kpis"]["abandoned"]["value"]) == (1, 0)
    assert second["late_events"] == there.late() == 0

    beyond = event("contact.queued", 109, 231, conversation_id="c2", queue="quiet", channel="voice")
    there.run([beyond, *beats(240, 250)])
    third = there.latest[KEY]
    assert third["kpis"] == second["kpis"]
    assert third["late_events"] == there.late() == 1
    assert answered.occurred_at == within.occurred_at
