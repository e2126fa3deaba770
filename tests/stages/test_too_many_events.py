"""With too many events under one id its row would outgrow Kafka's limit: the remaining events become dead letters, and the worker lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from schemas.dead_letters import DETAIL, REASON
from schemas.limits import MAX_FACTS, MAX_FORECASTS, MAX_PLANS, MAX_SOURCES
from schemas.times import format_ms
from schemas.topics import topic
from streams.configuration import Configuration
from streams.explaining.log import PartitionLog
from streams.stages.counters import StageCounters
from streams.stages.customers import CustomerEventStage
from streams.stages.track import AgentStage, ContactStage
from tests.stages.test_track import TOPICS, rows_of
from tests.tracking.harness import CONFIGURATION, event, ms, record

if TYPE_CHECKING:
    import pytest

    from streams.engine.stage import Flush

#: Limits are off: half of what comes is bad here, and its source would be quarantined, rightly.
UNLIMITED = Configuration.model_validate({**CONFIGURATION.model_dump(exclude_unset=True), "dead_letters": {"max_run": 0, "max_ratio": 0}})

#: The longest text there may be, of characters that take the most bytes.
LONG = "𩸽" * 199


def message(number: int, **fields: Any) -> bytes:
    """Return a message of one and the same conversation, one a second."""
    return event("contact.message", number, event_id=f"m{number}", conversation_id="null", author_kind="customer", **fields)


def reasons(flush: Flush) -> list[str]:
    """Return the reasons of the dead letters of a flush."""
    return [value.decode() for output in flush.outputs if output.topic == "dead" for name, value in output.headers if name == REASON]


def test_one_id_for_everything() -> None:
    """Of 2,100 messages 2,000 are accepted and 100 become dead letters with the reason; other conversations count, repeats are repeats."""
    counters = StageCounters()
    stage = ContactStage(0, UNLIMITED, TOPICS, counters)
    stage.process([record(event("contact.queued", 0, queue="A", conversation_id="c"))])
    stage.process([record(message(number)) for number in range(2_100)])
    flush = stage.collect()

    assert MAX_FACTS == 2_000
    assert reasons(flush) == ["too_many_events"] * 100
    assert counters.rejected == {"too_many_events": 100}
    dead = next(output for output in flush.outputs if output.topic == "dead")
    assert dead.value == message(2_000)
    assert dict(dead.headers)[DETAIL] == b"conversation_id: at most 2000 events are counted together; is this the id of a single one?"

    stage.process([record(message(7)), record(event("contact.answered", 20, agent="ann", conversation_id="c"))])
    stage.collect()
    assert counters.repeated == 1
    assert counters.rejected == {"too_many_events": 100}
    assert len(stage.tracker.conversations["c\x1ftest"].facts) == 2


def test_after_a_restart() -> None:
    """What is refused does not depend on whether the worker was started again meanwhile."""
    events = [record(message(number)) for number in range(2_050)]
    steady, first = ContactStage(0, UNLIMITED, TOPICS), ContactStage(0, UNLIMITED, TOPICS)
    steady.process(events)
    first.process(events[:1_990])
    rows = rows_of(first.collect(), {})
    second = ContactStage(0, UNLIMITED, TOPICS)
    second.restore("state", rows.items())
    second.process(events[1_990:])

    flush = second.collect()
    assert reasons(flush) == ["too_many_events"] * 50
    one, other = (
        {key: value for key, value in each.items() if key[:2] in (b"s|", b"t|")}
        for each in (rows_of(flush, rows), rows_of(steady.collect(), {}))
    )
    assert one == other
    assert len(one) == 2_000 // 16


def test_the_largest_conversation_fits() -> None:
    """With the longest texts in everything that is kept of an event each row fits into a record of its topic."""
    stage = ContactStage(0, UNLIMITED, TOPICS)
    long = {"queue": LONG + "q", "agent": LONG + "a", "site": LONG[:100], "customer_key": LONG + "k", "channel": "voice"}
    for number in range(MAX_FACTS):
        kind = "contact.arrived" if number < MAX_FACTS // 10 else "contact.answered"
        stage.process([record(orjson.dumps({**orjson.loads(event(kind, number, event_id=f"{LONG[:196]}{number:04}")), **long}))])
    flush = stage.collect()

    assert reasons(flush) == []
    sizes = [len(value or b"") for key, value in flush.rows if key[:2] in (b"s|", b"t|")]
    # Two texts of 200 characters of four bytes each, and of most events a third.
    assert sum(sizes) > MAX_FACTS * 2_200
    assert max(sizes) < 16 * 4_000 < int(topic("track-contacts-state.v1").settings["max.message.bytes"]) - 10_000


def test_people() -> None:
    """Of one person as many states; once they cannot change anything any more there is room for others."""
    counters = StageCounters()
    stage = AgentStage(0, UNLIMITED, TOPICS, counters)

    def states(begin: float, count: int) -> list[Any]:
        return [
            record(
                event(
                    "agent.state_changed",
                    begin + number / 100,
                    event_id=f"{begin}-{number}",
                    axis="routing",
                    state="idle",
                    person_id="null",
                )
            )
            for number in range(count)
        ]

    stage.process(states(0, 2_100))
    assert reasons(stage.collect()) == ["too_many_events"] * 100
    # Ten minutes later, beyond the grace, all of the former are folded.
    stage.process([record(event("source.heartbeat", 1_000, complete_through=format_ms(ms(1_000))))])
    stage.collect()
    stage.process(states(1_001, 10))
    assert reasons(stage.collect()) == []
    assert counters.rejected == {"too_many_events": 100}


def test_plans_of_half_a_year() -> None:
    """A plan of 2,400 entries sent again on ten nights: all are accepted, and entries that no longer hold are not stored."""
    counters = StageCounters()
    stage = AgentStage(0, UNLIMITED, TOPICS, counters)
    rows: dict[bytes, bytes] = {}
    for night in range(10):
        begin = night * 86_400
        for entry in range(2_400):
            at = begin + 3_600 + entry * 1_800
            fields: dict[str, Any] = {
                "activity": "work" if entry % 2 else "break",
                "start": format_ms(ms(at)),
                "end": format_ms(ms(at + 1_800)),
            }
            # By a platform that numbers nothing: every event has an id as long as may be.
            name = f"{night}-{entry}".ljust(200, "x")
            stage.process([record(event("schedule.planned", begin, event_id=name, sequence=entry, person_id="ann", **fields))])
        stage.process([record(event("source.heartbeat", begin, complete_through=format_ms(ms(begin))))])
        rows_of(stage.collect(), rows)

    assert counters.rejected == {}
    plans = orjson.loads(rows[b"P|ann\x1ftest"])
    assert 2_400 <= len(plans) <= MAX_PLANS


def test_plans_without_end() -> None:
    """Plans that do not overlap are refused beyond 3,000; another that takes the place of one that is known is refused, too."""
    counters = StageCounters()
    stage = AgentStage(0, UNLIMITED, TOPICS, counters)
    for entry in range(3_005):
        fields: dict[str, Any] = {"activity": "work", "start": format_ms(ms(entry * 60)), "end": format_ms(ms(entry * 60 + 60))}
        stage.process([record(event("schedule.planned", 0, event_id=f"p{entry}", sequence=entry, person_id="null", **fields))])

    assert reasons(stage.collect()) == ["too_many_events"] * 5
    assert counters.rejected == {"too_many_events": 5}


def test_sources() -> None:
    """Another source with every event: 250 are accepted, then dead letters; known sources continue, and one that ends makes room."""
    stage = ContactStage(0, UNLIMITED, TOPICS)

    def queued(number: int) -> Any:
        return record(event("contact.queued", number, queue="A", conversation_id=f"c{number}", source=f"pbx {number}"))

    stage.process([queued(number) for number in range(260)])
    flush = stage.collect()
    assert MAX_SOURCES == 250
    assert reasons(flush) == ["too_many_sources"] * 10
    assert set(stage.tracker.conversations) == {f"c{number}\x1fpbx {number}" for number in range(250)}

    stage.process([record(event("contact.answered", 260, agent="ann", conversation_id="c3", source="pbx 3")), queued(300)])
    assert reasons(stage.collect()) == ["too_many_sources"]
    assert len(stage.tracker.conversations["c3\x1fpbx 3"].facts) == 2

    end: dict[str, Any] = {"source": "pbx 4", "ended": True, "complete_through": format_ms(ms(301))}
    stage.process([record(event("source.heartbeat", 301, **end)), queued(302)])
    assert reasons(stage.collect()) == []
    assert "c302\x1fpbx 302" in stage.tracker.conversations


def test_explained() -> None:
    """Who counts contacts again to explain a figure takes the same events."""
    log = PartitionLog(UNLIMITED, None)
    for number in range(2_100):
        log.take(message(number), number, ms(10**9))
    for number in range(260):
        log.take(event("contact.queued", 2_100, queue="A", source=f"pbx {number}"), 2_100 + number, ms(10**9))

    # 249 other sources beside the one of the messages.
    assert (log.records, log.rejected) == (2_360, 100 + 11)


def test_forecasts_of_a_century(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forecasts of a queue and channel beyond the limit become dead letters; known ones may change, other queues have their own limit."""
    monkeypatch.setattr("streams.tracking.forecasts.MAX_FORECASTS", 100)
    stage = CustomerEventStage(0, UNLIMITED, TOPICS)

    def forecast(number: int, volume: int = 1, queue: str = "A") -> Any:
        start = format_ms(ms(900 * number))
        value = event("forecast.set", volume, queue=queue, interval_start=start, interval_seconds=900, volume=volume)
        return record(value)

    stage.process([forecast(number) for number in range(103)])
    assert reasons(stage.collect()) == ["too_many_events"] * 3
    stage.process([forecast(7, volume=2), forecast(7, queue="B")])
    assert reasons(stage.collect()) == []
    assert stage.rows["A", "voice"][ms(6300), ms(7200)].volume == 2
    assert len(stage.rows["B", "voice"]) == 1


def test_a_row_of_forecasts_fits_a_record() -> None:
    """As many as may be, each under the longest id: the row is smaller than what its topic takes."""
    longest = [1_795_932_001_000, 2**53 - 1, LONG, 1_795_935_600_000, 1_795_936_500_000, 1e15 / 3, 1e8 / 3, 1e15 / 3]
    room = int(topic("track-customer-events-state.v1").config()["max.message.bytes"])

    assert len(orjson.dumps([longest] * MAX_FORECASTS)) < room
