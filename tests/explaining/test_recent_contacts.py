"""Whom to call back: by hand, and against what random stories are known to come to."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson

from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.explaining import RecentContacts, works_of
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


def reading(events: list[dict[str, Any]], configuration: Configuration = CONFIGURATION) -> RecentContacts:
    """Return what has taken these events."""
    made = RecentContacts(configuration)
    for each in events:
        made.take(orjson.dumps(each), parse_time_ms(each["received_at"]))
    return made


def gave_up(
    made: RecentContacts,
    queues: tuple[str, ...] = ("sales", "claims"),
    since: str = "2026-03-02T00:00:00Z",
    linked: dict[str, str] | None = None,
) -> list[tuple[Any, ...]]:
    """Return conversation, queue, seconds waited and how often, the latest first."""
    now_ms = made.received_ms or 0
    found = made.who_gave_up(parse_time_ms(since), lambda queue, channel: queue in queues and channel == "voice", now_ms, linked or {})[0]
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
    assert gave_up(before) == [
        ("b2", "claims", 10.0, 2), ("e", "sales", 5.0, 1), ("d1", "sales", 20.0, 1), ("c1", "sales", 20.0, 1), ("a", "sales", 42.0, 1),
    ]  # fmt: skip
    assert {each.conversation_id: each.waits_again for each in before.who_gave_up(0, lambda *_: True, before.received_ms or 0)[0]} == {
        "a": False, "b2": False, "c1": False, "d1": False, "e": True,
    }  # fmt: skip
    after = reading([*events, *got_through])
    assert gave_up(after) == [("b2", "claims", 10.0, 2), ("a", "sales", 42.0, 1)]
    # Who need not be called: with the last time of giving up, and when an agent was reached.
    reached = after.who_gave_up(0, lambda *_: True, 0)[1]
    assert [(each.conversation_id, each.times, each.reached_ms) for each in reached] == [
        ("e", 1, parse_time_ms("2026-03-02T09:04:40Z")),
        ("d1", 1, parse_time_ms("2026-03-02T09:07:20Z")),
        ("c1", 1, parse_time_ms("2026-03-02T09:06:30Z")),
    ]
    # Of one queue alone the last time there, and only the times there.
    assert gave_up(after, ("sales",)) == [("b1", "sales", 30.0, 1), ("a", "sales", 42.0, 1)]
    assert gave_up(after, since="2026-03-02T09:02:00Z") == [("b2", "claims", 10.0, 1)]
    # Who gives up once more after having got through is there once more, for that time.
    again = reading([*events, *got_through, *tried("09:10:00", "09:10:15", "c3", "C")])
    assert gave_up(again)[0] == ("c3", "sales", 15.0, 1)
    assert [each.conversation_id for each in again.who_gave_up(0, lambda *_: True, 0)[1]] == ["e", "d1"]


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

    assert gave_up(reading(events)) == [("hung-up", "sales", 31.0, 1)]


def test_short_abandons_are_none_as_in_the_service_level() -> None:
    """Below five seconds in sales, not at five; below three since the call came in for claims; of both how many is known."""
    configuration = Configuration.model_validate(
        {
            "queues": {
                "sales": {"channel": "voice", "service_level": {"threshold_s": 20, "short_abandon_s": 5}},
                "claims": {"channel": "voice", "service_level": {"short_abandon_s": 3, "short_abandon_clock": "system_enter"}},
                "other": {"channel": "voice"},
            }
        }
    )
    events = [
        *tried("09:00:00", "09:00:04", "four", "A"),
        *tried("09:01:00", "09:01:05", "five", "B"),
        *tried("09:02:00", "09:02:01", "one", None, "other"),
        # One second in the queue: after two in the menu it is none that is short, after one it is.
        *(arrived("09:03:00", "menu", None), *tried("09:03:02", "09:03:03", "menu", None, "claims")[1:]),
        *(arrived("09:04:00", "at once", None), *tried("09:04:01", "09:04:02", "at once", None, "claims")[1:]),
        # A second time, and longer: that one is to be called, for once.
        *tried("09:05:00", "09:05:30", "again", "A"),
    ]
    made = reading(events, configuration)

    listed = [(each[0], each[3]) for each in gave_up(made, ("sales", "claims", "other"))]
    assert listed == [
        ("again", 1),
        ("menu", 1),
        ("one", 1),
        ("five", 1),
    ]
    assert made.short_abandons(0, lambda *_: True) == {5000: 1, 3000: 1}
    assert made.short_abandons(0, lambda queue, _: queue == "claims") == {3000: 1}
    assert made.short_abandons(parse_time_ms("2026-03-02T09:01:00Z"), lambda queue, _: queue == "sales") == {}


def test_a_corrected_event_counts_no_more() -> None:
    """A later revision turns the abandon into an overflow."""
    events = tried("09:00:00", "09:00:30", "a", None)[:3]
    changed = {**events[2], "reason": "overflow", "revision": 2}

    assert gave_up(reading(events)) == [("a", "sales", 30.0, 1)]
    assert gave_up(reading([*events, changed])) == []


def test_what_is_long_over_is_remembered_without_its_events() -> None:
    """An hour later no event of it is kept, and it is still there; who gets through then is not. What is too old is forgotten."""
    made = reading(
        [*tried("09:00:00", "09:00:30", "a", "A"), *tried("09:00:00", "09:00:40", "b", "B"), *tried("10:30:00", "10:30:09", "c", None)]
    )
    made.forget(2 * 3_600_000)

    assert [len(each.facts) for each in made._conversations.values()] == [0, 0, 4]
    assert gave_up(made) == [("c", "sales", 9.0, 1), ("b", "sales", 40.0, 1), ("a", "sales", 30.0, 1)]
    late = [event("contact.answered", "10:31:00", "b", agent="ann", queue="sales"), arrived("10:31:00", "a2", "A")]
    for each in [*late, event("contact.answered", "10:31:10", "a2", agent="ann", queue="sales")]:
        made.take(orjson.dumps(each), parse_time_ms(each["received_at"]))
    assert gave_up(made) == [("c", "sales", 9.0, 1)]
    made.forget(60_000)
    assert gave_up(made) == []


def test_random_stories_come_to_what_is_known_of_them() -> None:
    """Three hundred customers call up to six times, in any order and with repeats; the truth is recorded as it is generated."""
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

    assert set(gave_up(reading(events))) == expected
    assert len(expected) > 100


def test_linked_keys_are_one_customer() -> None:
    """B gave up under one key and got through under another before that was known; D under both keys, and is there once for both times."""
    made = reading(
        [
            *tried("09:00:00", "09:00:30", "b1", "B"),
            arrived("09:05:00", "b2", "B as in the shop"),
            event("contact.queued", "09:05:00", "b2", queue="claims"),
            event("contact.answered", "09:05:20", "b2", agent="ann"),
            *tried("09:01:00", "09:01:30", "d1", "D"),
            *tried("09:02:00", "09:02:10", "d2", "D as in the shop", "claims"),
        ]
    )
    linked = {"B": "B", "B as in the shop": "B", "D": "D", "D as in the shop": "D"}

    assert gave_up(made) == [("d2", "claims", 10.0, 1), ("d1", "sales", 30.0, 1), ("b1", "sales", 30.0, 1)]
    assert gave_up(made, linked=linked) == [("d2", "claims", 10.0, 2)]
    (customer,) = made.who_gave_up(0, lambda *_: True, made.received_ms or 0, linked)[0]
    assert (customer.customer_key, customer.first_left_ms) == ("D", parse_time_ms("2026-03-02T09:01:30Z"))


def works(made: RecentContacts, at: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the work of agents, by id: queue, channel, since when, and whether they wrap up."""
    found = made.at_work(parse_time_ms(f"2026-03-02T{at}Z"))
    return {
        name.partition("\x1f")[0]: [(each.queue, each.channel, format_ms(each.since_ms)[11:19], each.wraps_up) for each in each_of]
        for name, each_of in works_of(found, found).items()
    }


def test_what_agents_are_at() -> None:
    """Ann talks to one of sales, then wraps up, then is done; bob has two chats; a call that is silent for long is lost."""
    chats = [
        each
        for name, at in (("c1", "09:00:10"), ("c2", "09:00:20"))
        for each in (
            event("contact.queued", at, name, queue="help", channel="chat"),
            event("contact.answered", at, name, agent="bob"),
        )
    ]
    call = [
        event("contact.queued", "09:00:00", "a", queue="sales"),
        event("contact.answered", "09:00:30", "a", agent="ann"),
        event("contact.ended", "09:03:00", "a", by="customer"),
        event("contact.wrap_up_started", "09:03:00", "a", agent="ann"),
        event("contact.wrapped_up", "09:03:40", "a", agent="ann"),
    ]

    bob = [("help", "chat", "09:00:20", False), ("help", "chat", "09:00:10", False)]
    assert works(reading([*chats, *call[:1]]), "09:00:25") == {"bob": bob}
    assert works(reading([*chats, *call[:2]]), "09:01:00") == {"bob": bob, "ann": [("sales", "voice", "09:00:30", False)]}
    assert works(reading([*chats, *call[:4]]), "09:03:10") == {"bob": bob, "ann": [("sales", "voice", "09:03:00", True)]}
    assert works(reading([*chats, *reversed(call)]), "09:04:00") == {"bob": bob}
    # A call that is silent for four hours counts as lost.
    assert works(reading(call[:2]), "13:00:29")["ann"] == [("sales", "voice", "09:00:30", False)]
    assert works(reading(call[:2]), "13:00:31") == {}


def test_what_an_agent_is_at_outlasts_the_events_that_are_given_up() -> None:
    """A chat that is silent for an hour is still bob's; once it has ended it is not, and its events are evicted."""
    made = reading(
        [
            event("contact.queued", "09:00:00", "c", queue="help", channel="chat"),
            event("contact.answered", "09:00:10", "c", agent="bob"),
            *tried("09:50:00", "09:50:09", "later", None),
        ]
    )
    made.forget(24 * 3_600_000)
    assert works(made, "09:50:30") == {"bob": [("help", "chat", "09:00:10", False)]}
    end = event("contact.ended", "09:51:00", "c", by="customer")
    made.take(orjson.dumps(end), parse_time_ms(end["received_at"]))
    assert works(made, "09:51:10") == {}
