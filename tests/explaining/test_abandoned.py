"""Whom to call back: by hand, and against what random stories are known to come to."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson

from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.explaining import Abandoned
from tests.explaining.hour import event

CONFIGURATION = Configuration.model_validate({"queues": {"sales": {"channel": "voice"}, "claims": {"channel": "voice"}}})


def arrived(at: str, contact: str, customer: str | None, **more: Any) -> dict[str, Any]:
    """Return an arrival."""
    return event("contact.arrived", at, contact, channel="voice", **({} if customer is None else {"customer_key": customer}), **more)


def tried(begin: str, end: str, contact: str, customer: str | None, queue: str = "sales") -> list[dict[str, Any]]:
    """Return the events of one who gave up."""
    return [
        arrived(begin, contact, customer),
        event("contact.queued", begin, contact, queue=queue),
        event("contact.left_queue", end, contact, reason="abandoned"),
        event("contact.ended", end, contact, by="customer"),
    ]


def reading(events: list[dict[str, Any]]) -> Abandoned:
    """Return what has taken these events."""
    made = Abandoned(CONFIGURATION)
    for each in events:
        made.take(orjson.dumps(each), parse_time_ms(each["received_at"]))
    return made


def told(made: Abandoned, queues: tuple[str, ...] = ("sales", "claims"), since: str = "2026-03-02T00:00:00Z") -> list[tuple[Any, ...]]:
    """Return conversation, queue, seconds waited and how often, the latest first."""
    found = made.to_call(parse_time_ms(since), lambda queue, channel: queue in queues and channel == "voice")
    return [(each.conversation_id, each.queue, each.waited_ms / 1000, each.times) for each in found]


def test_who_gave_up_is_there_until_got_through() -> None:
    """A, whose key is not known, and B, twice, are there; C got through in another queue and D was called; E came back in the same call."""
    events = [
        *tried("09:00:00", "09:00:42", "a", None),
        *tried("09:01:00", "09:01:30", "b1", "B"),
        *tried("09:05:00", "09:05:10", "b2", "B", "claims"),
        *tried("09:02:00", "09:02:20", "c1", "C"),
        *tried("09:03:00", "09:03:20", "d1", "D"),
        *tried("09:04:00", "09:04:05", "e", "E")[:3],
        event("contact.queued", "09:04:10", "e", queue="sales"),
    ]
    got_through = [
        arrived("09:06:00", "c2", "C"),
        event("contact.queued", "09:06:00", "c2", queue="claims"),
        event("contact.answered", "09:06:30", "c2", agent="ann"),
        arrived("09:07:00", "d2", "D", direction="outbound"),
        event("contact.answered", "09:07:20", "d2", agent="ann"),
        event("contact.answered", "09:04:40", "e", agent="bob"),
    ]

    before = reading(events)
    assert told(before) == [
        ("b2", "claims", 10.0, 2), ("e", "sales", 5.0, 1), ("d1", "sales", 20.0, 1), ("c1", "sales", 20.0, 1), ("a", "sales", 42.0, 1),
    ]  # fmt: skip
    assert {each.conversation_id: each.waits_again for each in before.to_call(0, lambda *_: True)} == {
        "a": False, "b2": False, "c1": False, "d1": False, "e": True,
    }  # fmt: skip
    after = reading([*events, *got_through])
    assert told(after) == [("b2", "claims", 10.0, 2), ("a", "sales", 42.0, 1)]
    # Of one queue alone the last time there, and only the times there.
    assert told(after, ("sales",)) == [("b1", "sales", 30.0, 1), ("a", "sales", 42.0, 1)]
    assert told(after, since="2026-03-02T09:02:00Z") == [("b2", "claims", 10.0, 1)]
    # Who gives up once more after having got through is there once more, for that time.
    assert told(reading([*events, *got_through, *tried("09:10:00", "09:10:15", "c3", "C")]))[0] == ("c3", "sales", 15.0, 1)


def test_hanging_up_while_waiting_is_giving_up_and_other_ways_out_are_not() -> None:
    """As the figure counts it: an end by the customer in the queue abandons; an overflow, a spam call and an internal one do not."""
    events = [
        *tried("09:00:00", "09:00:30", "hung-up", None)[:2],
        event("contact.ended", "09:00:31", "hung-up", by="customer"),
        *tried("09:01:00", "09:01:30", "overflow", None)[:2],
        event("contact.left_queue", "09:01:40", "overflow", reason="overflow"),
        *tried("09:02:00", "09:02:30", "spam", None),
        event("contact.excluded", "09:02:31", "spam", reason="spam"),
        arrived("09:03:00", "internal", None, direction="internal"),
        *tried("09:03:00", "09:03:30", "internal", None)[1:],
    ]

    assert told(reading(events)) == [("hung-up", "sales", 31.0, 1)]


def test_a_word_that_is_taken_back_counts_no_more() -> None:
    """A later revision makes of the abandon an overflow."""
    events = tried("09:00:00", "09:00:30", "a", None)[:3]
    changed = {**events[2], "reason": "overflow", "revision": 2}

    assert told(reading(events)) == [("a", "sales", 30.0, 1)]
    assert told(reading([*events, changed])) == []


def test_what_is_long_over_is_remembered_without_its_events() -> None:
    """An hour later no event of it is kept, and it is still there; who gets through then is not. What is too old is forgotten."""
    made = reading(
        [*tried("09:00:00", "09:00:30", "a", "A"), *tried("09:00:00", "09:00:40", "b", "B"), *tried("10:30:00", "10:30:09", "c", None)]
    )
    made.forget(2 * 3_600_000)

    assert [len(each.facts) for each in made._conversations.values()] == [0, 0, 4]
    assert told(made) == [("c", "sales", 9.0, 1), ("b", "sales", 40.0, 1), ("a", "sales", 30.0, 1)]
    late = [event("contact.answered", "10:31:00", "b", agent="ann", queue="sales"), arrived("10:31:00", "a2", "A")]
    for each in [*late, event("contact.answered", "10:31:10", "a2", agent="ann", queue="sales")]:
        made.take(orjson.dumps(each), parse_time_ms(each["received_at"]))
    assert told(made) == [("c", "sales", 9.0, 1)]
    made.forget(60_000)
    assert told(made) == []


def test_random_stories_come_to_what_is_known_of_them() -> None:
    """Three hundred customers call up to six times, told in any order and with repeats; what is true of each is noted as it is made up."""
    pick = Random(20261130)
    begin_ms = parse_time_ms("2026-03-02T09:00:00Z")
    events: list[dict[str, Any]] = []
    expected = set()
    for customer in range(300):
        at_ms, missed, last = begin_ms + pick.randrange(600_000), 0, ("", "", 0.0)
        for call in range(pick.randrange(1, 7)):
            name, queue, waits = f"c{customer}-{call}", pick.choice(["sales", "claims"]), pick.randrange(1, 90)
            common = {"source": "pbx", "conversation_id": name}

            def tell(kind: str, ms: int, common: dict[str, str] = common, **more: Any) -> None:
                stamp = format_ms(ms)
                received = format_ms(ms + pick.randrange(60_000))
                ids = {"type": f"contact.{kind}", "event_id": f"{common['conversation_id']}-{kind}", "occurred_at": stamp}
                events.append({**ids, "received_at": received, **common, **more})

            tell("arrived", at_ms, channel="voice", customer_key=f"key {customer}")
            tell("queued", at_ms, queue=queue)
            at_ms += 1000 * waits
            match pick.choice(["answered", "gave up", "hung up", "overflow"]):
                case "answered":
                    tell("answered", at_ms, agent="ann")
                    missed = 0
                case "gave up":
                    tell("left_queue", at_ms, reason="abandoned")
                    missed, last = missed + 1, (name, queue, float(waits))
                case "hung up":
                    tell("ended", at_ms, by="customer")
                    missed, last = missed + 1, (name, queue, float(waits))
                case _:
                    tell("left_queue", at_ms, reason="overflow")
            at_ms += 1000 * pick.randrange(1, 900)
        if missed:
            expected.add((*last, missed))
    events += pick.sample(events, 400)
    pick.shuffle(events)

    assert set(told(reading(events))) == expected
    assert len(expected) > 100
