"""Alerts from events: judged by what is known at each look, on all source partitions together (docs/judging.md)."""

from __future__ import annotations

from typing import Any

import orjson

from schemas.times import format_ms
from streams.configuration import Configuration
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import ContactStage, TrackTopics
from tests.tracking.harness import CONFIGURATION, event, ms, record

TOPICS = TrackTopics("contacts", "panes", 1, "dead", "group", lambda: 0)
ROLL_UP = RollUpTopics("panes", 1, "metrics", "latest", "alerts", "alerts-latest", "contacts", 2, "agents", 1)
RULE = {"kpi": "longest_wait", "above": 45, "for_seconds": 0, "clear_for_seconds": 0}
WATCHED = Configuration.model_validate(
    {**CONFIGURATION.model_dump(exclude_unset=True), "alerts": {"long wait": RULE}, "sources": {"desk": {"silence_seconds": 30}}}
)


class Stream:
    """Two contact partitions and a roll-up."""

    def __init__(self) -> None:
        self._tracks = [ContactStage(partition, WATCHED, TOPICS) for partition in range(2)]
        self._roll_up = RollUpStage(0, WATCHED, ROLL_UP)

    def catch_up(self, *partitions: int) -> None:
        """Mark only these partitions as having read the records from before their worker."""
        for partition, track in enumerate(self._tracks):
            track.is_catching_up = partition in partitions

    def apply(self, *values: bytes, other: tuple[bytes, ...] = ()) -> list[tuple[str, str, str | None, float | None]]:
        """Apply events to one partition and the other, flush, and return state, since, cleared_at and value of alerts of queue A."""
        for track, batch in zip(self._tracks, (values, other), strict=True):
            track.process([record(value) for value in batch])
            for output in track.collect().outputs:
                if output.topic == "panes":
                    self._roll_up.process([record(output.value, key=output.key)])
        alerts = [orjson.loads(output.value or b"") for output in self._roll_up.collect().outputs if output.topic == "alerts"]
        return [(each["state"], each["since"], each["cleared_at"], each["value"]) for each in alerts if each["scope"] == "A"]


def beat(seconds: float, **fields: Any) -> bytes:
    """Return a heartbeat that is complete up to its receipt."""
    return event("source.heartbeat", seconds, complete_through=format_ms(ms(seconds)), **fields)


def at(seconds: float) -> str:
    """Return an instant as records have it."""
    return format_ms(ms(seconds))


def queued(seconds: float, revision: int, received: float) -> bytes:
    """Return a report of the same entry."""
    return event("contact.queued", seconds, queue="A", event_id="q", revision=revision, received=received)


def test_a_later_report_changes_no_earlier_alert() -> None:
    """An entry at 0 s waits 50 s at 50 s; a report of 52 s moves the entry to 40 s: 12 s then, and more than 45 s from 85 s on."""
    stream = Stream()

    assert stream.apply(queued(0, 1, 0)) == []
    assert stream.apply(beat(50)) == [("firing", at(49), None, 50)]
    assert stream.apply(queued(40, 2, 52)) == [("cleared", at(49), at(52), 12)]
    # The earlier report no longer counts, though it arrives once more.
    assert stream.apply(queued(0, 1, 53)) == []
    assert stream.apply(beat(85)) == []
    assert stream.apply(beat(86)) == [("firing", at(85), None, 46)]


def test_an_earlier_report_that_arrives_later_changes_nothing() -> None:
    """The entry at 40 s is known first, the one at 0 s that it replaced then: nothing fires until 85 s are over."""
    stream = Stream()

    assert stream.apply(queued(40, 2, 48)) == []
    assert stream.apply(queued(0, 1, 50)) == []
    assert stream.apply(beat(86)) == [("firing", at(85), None, 46)]


def test_a_gateway_beat_is_no_sign_of_a_source_without_records() -> None:
    """The desk has sent on one partition alone; there it is silent for more than its 30 s, so nothing clears until it sends again."""
    stream = Stream()
    spoken = beat(10, source="desk", instance="gateway")
    stream.apply(queued(0, 1, 0), beat(1, source="desk"), spoken, other=(beat(1), spoken))

    assert stream.apply(beat(65), other=(beat(65),)) == [("firing", at(64), None, 65)]
    assert stream.apply(event("contact.answered", 66, agent="ann"), other=(beat(66),)) == []
    assert stream.apply(beat(67), other=(beat(67, source="desk"),)) == [("cleared", at(64), at(67), None)]


def test_no_rule_is_evaluated_while_a_partition_catches_up() -> None:
    """B was answered after 5 s, which is not read yet, and A is read 10 minutes further: no contact has waited longer than 5 s."""
    stream = Stream()
    stream.catch_up(0, 1)
    entry = event("contact.queued", 0, queue="A", event_id="b1", conversation_id="b")

    assert stream.apply(beat(0), other=(entry, beat(1))) == []
    assert stream.apply(beat(600)) == []  # as-of 600: the contact of the other partition seems to wait for 600 s
    answer = event("contact.answered", 5, queue="A", agent="ann", event_id="b2", conversation_id="b")
    assert stream.apply(other=(answer, beat(600))) == []
    stream.catch_up()
    assert stream.apply() == []


def test_a_rule_is_evaluated_once_partitions_have_caught_up() -> None:
    """The contact waits indeed: the alert fires when the last partition has caught up, though no figure changes by that."""
    stream = Stream()
    stream.catch_up(1)
    entry = event("contact.queued", 0, queue="A", event_id="b1", conversation_id="b")

    assert stream.apply(beat(600), other=(entry, beat(600))) == []
    stream.catch_up()
    assert stream.apply() == [("firing", at(600), None, 600)]


def test_a_partition_without_progress_holds_no_alert_back_for_long() -> None:
    """Its worker is gone and no other reads it: after 300 flushes of others the rules are evaluated without it."""
    stream = Stream()
    stream.catch_up(0)
    entry = event("contact.queued", 0, queue="A", event_id="b1", conversation_id="b")

    assert stream.apply(beat(1), other=(entry,)) == []
    found = [stream.apply(other=(beat(100 + second),)) for second in range(302)]
    assert [number for number, each in enumerate(found) if each] == [299]
    assert found[299] == [("firing", at(398), None, 399)]
