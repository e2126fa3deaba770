"""A long conversation is stored in rows of 16 facts: what is written for an event does not grow with earlier ones."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from streams.stages.track import ContactStage
from tests.stages.test_rows_keyed_by_id import PBX, StoredStage, beat, rows_of_before
from tests.tracking.harness import event


def message(number: int, **fields: Any) -> bytes:
    """Return a message of the customer (odd) or the agent (even), 2 s after the one before."""
    author: dict[str, Any] = {"author_kind": "customer"} if number % 2 else {"author_kind": "agent", "agent": "ann"}
    return event("contact.message", 10 + 2 * number, event_id=f"m{number:03}", **author, **PBX, **fields)


BEGIN = (
    event("contact.arrived", 0, channel="chat", direction="inbound", event_id="begin", **PBX),
    event("contact.queued", 1, queue="A", channel="chat", event_id="queued", **PBX),
)


def rows_of(kept: StoredStage) -> list[bytes]:
    """Return the keys of the conversation's rows."""
    return sorted(key for key in kept.rows if key.startswith((b"s|", b"t|")))


def test_an_event_writes_a_row_of_few_facts() -> None:
    """Of 200 messages, a flush each, none writes more than 16 facts; all of them are in the rows, in order."""
    kept = StoredStage(ContactStage, {}).apply(*BEGIN)
    for number in range(200):
        kept.apply(message(number))
    assert max(len(orjson.loads(kept.rows[key])["facts"]) for key in rows_of(kept)) == 16
    # 202 facts: twelve rows of 16, and one of ten.
    assert [len(orjson.loads(kept.rows[f"t|{number}|c1\x1fpbx".encode()])["facts"]) for number in range(1, 13)] == [16] * 11 + [10]

    before = dict(kept.rows)
    kept.apply(message(200))
    assert [key for key in rows_of(kept) if before.get(key) != kept.rows[key]] == [b"t|12|c1\x1fpbx"]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_order_and_however_often_a_restart(seed: int) -> None:
    """Messages in disorder with restarts between: the same figures as in order, no message missing, none twice."""
    dice = random.Random(seed)
    messages = [message(number, received=100) for number in range(45)]
    dice.shuffle(messages)
    kept = StoredStage(ContactStage, {}).apply(*BEGIN)
    while messages:
        number = dice.randrange(1, 9)
        some, messages = messages[:number], messages[number:]
        kept.apply(*some, some[0]).restart()
    once = StoredStage(ContactStage, {}).apply(*BEGIN, *(message(number, received=100) for number in range(45)))

    assert kept.sums("queue:A", "chat") == once.sums("queue:A", "chat")
    assert [orjson.loads(kept.rows[key])["facts"] for key in rows_of(kept)] == [
        orjson.loads(once.rows[key])["facts"] for key in rows_of(once)
    ]
    assert isinstance(kept.stage, ContactStage)
    (conversation,) = kept.stage.tracker.conversations.values()
    assert [fact.event_id for fact in conversation.facts][2:] == [f"m{number:03}" for number in range(45)]


def test_all_rows_go_with_it() -> None:
    """Once it is forgotten no row is left, also of one that was begun again at once."""
    kept = StoredStage(ContactStage, {}).apply(*BEGIN, *(message(number) for number in range(40)))
    assert len(rows_of(kept)) == 3
    kept.apply(event("contact.ended", 100, by="customer", **PBX), beat(101, **PBX))
    kept.restart().apply(beat(200_000, **PBX))
    assert rows_of(kept) == []


def test_a_row_of_before_is_written_in_parts() -> None:
    """One row with all facts is read, and its conversation written in rows of 16 with the next event."""
    facts = [[1781514000000 + 1000 * number, 0, 10, f"f{number}", None, "customer", None, None] for number in range(20)]
    kept = StoredStage(ContactStage, {**rows_of_before("contacts"), b"s|long\x1fpbx": orjson.dumps([*facts, ["pbx", None]])})
    kept.apply(event("contact.message", 100, conversation_id="long", author_kind="customer", event_id="last", **PBX))

    parts = [orjson.loads(kept.rows[key])["facts"] for key in (b"s|long\x1fpbx", b"t|1|long\x1fpbx")]
    assert [fact[3] for fact in parts[0]] == [f"f{number}" for number in range(16)]
    assert [fact[3] for fact in parts[1]] == [*(f"f{number}" for number in range(16, 20)), "last"]
    kept.restart().apply(event("contact.message", 101, conversation_id="long", author_kind="customer", event_id="last", **PBX))
    assert kept.stage.tracker.repeated == 1
