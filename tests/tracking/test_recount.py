"""Facts out of order: what is counted from where they belong on is what counting everything from the beginning would come to."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest
from msgspec.json import encode

from schemas.decoding import decode_agent_event, decode_contact_event
from schemas.limits import MAX_RECOUNTED
from schemas.times import format_ms
from streams.tracking.agents import AgentTracker
from streams.tracking.contacts import ContactTracker
from streams.tracking.facts import Answered, Queued, TooManyFactsError
from streams.tracking.rows import read_row
from tests.support.slices import changed_slices
from tests.tracking.desk import CONFIGURATION, START_MS

if TYPE_CHECKING:
    from streams.tracking.postings import Postings

_KINDS: list[tuple[str, dict[str, Any]]] = [
    ("contact.queued", {"queue": "mails"}),
    ("contact.queued", {"queue": "claims"}),
    ("contact.queued", {"queue": "calls", "channel": "voice", "category": "billing"}),
    ("contact.answered", {"agent": "a", "queue": "mails"}),
    ("contact.answered", {"agent": "b"}),
    ("contact.message", {"author_kind": "customer", "thanks": True}),
    ("contact.message", {"author_kind": "agent", "agent": "a"}),
    ("contact.transferred", {}),
    ("contact.held", {}),
    ("contact.resumed", {}),
    ("contact.left_queue", {"reason": "overflow"}),
    ("contact.wrap_up_started", {"agent": "a"}),
    ("contact.wrapped_up", {"agent": "a"}),
    ("contact.wrapped_up", {}),
    ("contact.work_started", {"agent": "a"}),
    ("contact.work_ended", {"agent": "a"}),
    ("contact.status_changed", {"status": "resolved"}),
    ("contact.status_changed", {"status": "open"}),
    ("contact.categorized", {"category": "claims", "complaint": True}),
    ("contact.not_offered", {"reason": "closed"}),
    ("contact.escalated", {}),
    ("contact.callback_requested", {}),
    ("contact.callback_ended", {"outcome": "reached"}),
    ("contact.handed_over", {}),
    ("contact.arrived", {"channel": "mail", "direction": "inbound"}),
    ("self_service.started", {"kind": "bot"}),
    ("self_service.ended", {"outcome": "left"}),
    ("survey.answered", {"kind": "csat", "score": 5}),
    ("contact.ended", {"by": "customer"}),
]
_RARE: list[tuple[str, dict[str, Any]]] = [
    ("contact.arrived", {"channel": "mail", "direction": "outbound"}),
    ("contact.excluded", {"reason": "spam"}),
]


def _events(dice: random.Random, number: int, rare: float) -> list[Any]:
    """Return decoded events of one conversation, in the order in which they occurred, all within the grace."""
    found = []
    for place in range(number):
        kind, fields = dice.choice(_RARE) if dice.random() < rare else dice.choice(_KINDS)
        at = START_MS + dice.choice((0, 1, 40)) + 50 * place
        common = {"event_id": f"e{place}", "occurred_at": format_ms(at), "received_at": format_ms(START_MS + 50 * number), "source": "s"}
        found.append(decode_contact_event(orjson.dumps({"type": kind, **common, "conversation_id": "c", **fields})))
    return found


def _disordered(dice: random.Random, events: list[Any]) -> list[Any]:
    """Return the events with some of them elsewhere: near by, far away, or all of them backwards for a while."""
    order = list(events)
    for _ in range(len(order) // 4):
        place = dice.randrange(len(order))
        order.insert(max(0, place - dice.choice((1, 1, 1, 2, 5, len(order)))), order.pop(place))
    begin = dice.randrange(len(order))
    order[begin : begin + 20] = order[begin : begin + 20][::-1]
    return order


class _Sums:
    """What a tracker has booked since it began, by slice."""

    def __init__(self, events: list[Any], dice: random.Random, chunk: int) -> None:
        self.tracker = ContactTracker(CONFIGURATION, keep_everything=True)
        self.slices: dict[Any, dict[str, int]] = {}
        self.refused = 0
        for event in events:
            try:
                self.tracker.apply(event)
            except TooManyFactsError as error:
                self.refused += error.reason == "too_many_out_of_order"
            if chunk == 1 or dice.randrange(chunk) == 0:
                self._flush_all()
        self._flush_all()

    def _flush_all(self) -> None:
        self.tracker.flush()
        for key, counts in changed_slices(self.tracker.slices):
            self.slices[key] = {field: amount for field, amount in (counts or {}).items() if amount}

    @property
    def facts(self) -> list[Any]:
        return self.tracker.conversations["c\x1fs"].facts

    def booked(self) -> dict[Any, dict[str, int]]:
        return {key: counts for key, counts in self.slices.items() if counts}

    def counted_from_the_beginning(self) -> dict[Any, dict[str, int]]:
        """Return what all facts, counted at once by another tracker, come to; what was late stays out."""
        other = ContactTracker(CONFIGURATION, keep_everything=True)
        postings: Postings = other.postings_of("c\x1fs", self.facts)
        other.slices.book(postings)
        found = {key: {field: amount for field, amount in (counts or {}).items() if amount} for key, counts in changed_slices(other.slices)}
        return {key: counts for key, counts in found.items() if counts}


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
@pytest.mark.parametrize("seed", range(12))
def test_counting_from_a_checkpoint_equals_counting_all(seed: int, chunk: int) -> None:
    """Facts of all kinds in any order, a flush after each, after some or after all."""
    dice = random.Random(seed)
    events = _disordered(dice, _events(dice, dice.choice((30, 150, 400)), rare=dice.choice((0, 0, 0.01))))

    sums = _Sums(events, dice, chunk)

    assert len(sums.facts) + sums.refused == len(events)
    assert sums.booked() == sums.counted_from_the_beginning()


@pytest.mark.parametrize("seed", range(6))
def test_neither_flushes_nor_restarts_decide_what_is_refused(seed: int) -> None:
    """Backwards, more than may be counted again: the same events are refused however they come in chunks."""
    dice = random.Random(seed)
    events = _events(dice, 700, rare=0.01 if seed % 2 else 0)[::-1]
    one, other = _Sums(events, dice, 1), _Sums(events, dice, 100_000)

    assert one.refused == other.refused > 0
    assert one.facts == other.facts
    assert one.booked() == other.booked()
    rows = [dict(s.tracker.changed_conversations()) for s in (one, other)]
    assert rows[0] == rows[1]

    again = ContactTracker(CONFIGURATION, keep_everything=True)
    again.restore_conversation("c", read_row(encode(rows[0]["c\x1fs"])))
    again.restored()
    spent = one.tracker.conversations["c\x1fs"].disorder
    kept = again.conversations["c\x1fs"].disorder
    assert spent is not None
    assert kept is not None
    assert kept.counted_anew == spent.counted_anew <= MAX_RECOUNTED


def test_a_row_of_before_has_its_whole_allowance() -> None:
    """Rows of earlier versions end with source and contact id; the oldest with a fact."""
    facts: list[Any] = [[START_MS, 0, 3, "e0", "mails", "mail", None, None], [START_MS + 1, 0, 6, "e1", "ann", None, None, True]]
    for row in ([*facts, ["s", None]], facts):
        again = ContactTracker(CONFIGURATION, keep_everything=True)
        again.restore_conversation("c", read_row(orjson.dumps(row)))
        kept = next(iter(again.conversations.values()))
        assert kept.facts == [
            Queued(START_MS, 0, "e0", None, "mails", "mail"),
            Answered(START_MS + 1, 0, "e1", None, "ann", hold_known=True, named=False),
        ]
        assert kept.disorder is None


def test_few_checkpoints_are_stored() -> None:
    """Of 1,500 events about a dozen, however often counting continues."""
    sums = _Sums(_disordered(random.Random(5), _events(random.Random(5), 1_500, rare=0)), random.Random(5), 20)
    disorder = sums.tracker.conversations["c\x1fs"].disorder
    assert disorder is not None
    assert 4 <= len(disorder.checkpoints) <= 12


def _states(dice: random.Random, number: int) -> list[Any]:
    """Return decoded events of one person, in the order in which they occurred: states, and what is planned."""
    found = []
    for place in range(number):
        at = START_MS + 25 * place
        common = {"event_id": f"e{place}", "occurred_at": format_ms(at), "received_at": format_ms(START_MS + 55_000), "person_id": "ann"}
        if dice.random() < 0.2:
            start = at + 1000 * dice.randrange(-5, 90)
            planned = {"start": format_ms(start), "end": format_ms(start + 1000 * dice.randrange(1, 40))}
            fields = {"type": "schedule.planned", "activity": dice.choice(("work", "break")), **planned}
        else:
            fields = {"type": "agent.state_changed", "axis": "routing", "state": dice.choice(("idle", "interacting", "away"))}
        found.append(decode_agent_event(orjson.dumps({**fields, **common, "source": "s"})))
    return found


def _time_of(events: list[Any], chunk: int) -> tuple[dict[Any, dict[str, int]], int, Any]:
    """Return what is booked of a person's time when many events arrive between two flushes, how many were refused, and the row."""
    tracker, slices, refused = AgentTracker(CONFIGURATION, keep_everything=True), {}, 0

    def flush() -> None:
        tracker.flush()
        for key, counts in changed_slices(tracker.slices):
            slices[key] = {field: amount for field, amount in (counts or {}).items() if amount}

    tracker.watermark.heartbeat("s", START_MS, START_MS + 40_000)
    flush()
    for number, event in enumerate(events, 1):
        try:
            tracker.apply(event)
        except TooManyFactsError:
            refused += 1
        if number % chunk == 0:
            flush()
    flush()
    row = dict(tracker.changed_agents())["ann\x1fs"]
    tracker.watermark.heartbeat("s", START_MS + 60_000, START_MS + 120_000)
    flush()
    return {key: counts for key, counts in slices.items() if counts}, refused, row


@pytest.mark.parametrize("seed", range(8))
def test_the_time_of_people_does_not_depend_on_the_flushes(seed: int) -> None:
    """Disordered, and backwards beyond what may be counted again: a flush after each event or after all of them."""
    dice = random.Random(seed)
    events = _states(dice, 600)
    events = events[::-1] if seed % 2 else _disordered(dice, events)

    one, all_at_once, in_order = _time_of(events, 1), _time_of(events, 100_000), _time_of(sorted(events, key=lambda e: e.occurred_ms), 50)

    assert one == all_at_once
    assert bool(one[1]) == bool(seed % 2)
    if not one[1]:
        assert one[0] == in_order[0]
    again = AgentTracker(CONFIGURATION, keep_everything=True)
    again.restore_agent("ann", orjson.loads(msgspec.json.encode(one[2])))
    again.restored()
    assert again.agents["ann\x1fs"].row()[4:] == one[2][4:]
