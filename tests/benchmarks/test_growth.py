"""The load of the growth benchmark has its stated size, and is counted by the stages."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import growth
from benchmarks.growth import Size, calls, measure, records_of


def test_the_requested_number_of_contacts_is_in_flight() -> None:
    """Five are opened, then one ends for each of the three that begin, the oldest first; of two agents and three queues."""
    size = Size(queues=3, agents=2, in_flight=5, partitions=1)
    events = [event for topic, _, event in calls(size, 3) if topic != "every-partition"]

    kinds = Counter(event["type"] for event in events)
    assert kinds["contact.answered"] == 8
    assert kinds["contact.ended"] == kinds["contact.wrapped_up"] == 3
    assert {event["queue"] for event in events if event["type"] == "contact.queued"} == {"queue 0000", "queue 0001", "queue 0002"}
    assert {event["person_id"] for event in events if "person_id" in event} == {"agent-0", "agent-1"}
    assert [event["conversation_id"] for event in events if event["type"] == "contact.ended"] == ["c0", "c1", "c2"]
    assert len({event["event_id"] for event in events}) == len(events)


def test_time_passes_at_the_given_rate() -> None:
    """7 events of each of 2,000 contacts, at 2,000 events a second: seven seconds, with a heartbeat each to every partition."""
    size = Size(queues=1, agents=1, in_flight=1, partitions=2)
    moments = [at_ms for _, at_ms, _ in calls(size, 1_999)]
    assert moments[-1] - moments[0] == pytest.approx(7_000, abs=4)
    beats = [record for record in records_of(calls(size, 1_999), 2) if record.key == b"growth"]
    assert len(beats) == pytest.approx(7 * 4, abs=4)
    assert {(record.topic, record.partition) for record in beats} == {
        (topic, number) for topic in ("contact-events", "agent-events") for number in (0, 1)
    }


def test_a_small_center_is_measured() -> None:
    """Every part takes time, a plain loop less, and what is charged is what follows the opening: 7 events each of 100 contacts."""
    found = measure(Size(queues=2, agents=3, in_flight=20, partitions=2), 700)
    beats = found.events - 700
    assert 0 <= beats <= 8
    assert found.contacts_us > found.plain_us > 0
    assert found.agents_us > 0 < found.roll_up_us
    assert found.ratio > 1


def test_a_size_that_is_not_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that become dead letters are cheap: their cost would be no cost of a larger center."""
    good = growth.calls

    def without_names(size: Size, count: int) -> object:
        return ((topic, at_ms, {**event, "source": ""}) for topic, at_ms, event in good(size, count))

    monkeypatch.setattr(growth, "calls", without_names)
    with pytest.raises(RuntimeError, match="became dead letters"):
        measure(Size(queues=1, agents=1, in_flight=5, partitions=1), 70)
