"""A restart reads the heads of rows, and rows on demand; heads of another form are ignored, and written again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.restore import KINDS, configuration, stored_rows
from streams.configuration import Configuration
from streams.stages.track import ContactStage
from streams.tracking.rows import read_head, read_rows
from streams.tracking.unread import head_of
from tests.stages.test_rows_keyed_by_id import PBX, TOPICS, StoredStage, beat
from tests.support.cpu import timed
from tests.tracking.harness import CONFIGURATION, event

_LATER = Configuration.model_validate(
    {**CONFIGURATION.model_dump(by_alias=True, exclude_unset=True), "counting": {"lost_after_seconds": {"voice": 7_200}}}
)


def waiting(number: int) -> list[bytes]:
    """Return the events of a caller who waits in A."""
    name: dict[str, Any] = {"conversation_id": f"c{number}", **PBX}
    return [
        event("contact.arrived", 0, channel="voice", direction="inbound", event_id=f"a{number}", **name),
        event("contact.queued", 1, queue="A", channel="voice", event_id=f"q{number}", **name),
    ]


def headless(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the rows as the last release wrote them."""
    found = {}
    for key, value in rows.items():
        row = orjson.loads(value)
        if key.startswith(b"s|"):
            del row["head"]
        found[key] = orjson.dumps(row)
    return found


def kept(number: int) -> StoredStage:
    """Return a stage in which a number of contacts wait."""
    stored = StoredStage(ContactStage, {})
    for each in range(number):
        stored.apply(*waiting(each))
    return stored.apply(beat(2, **PBX))


def conversations(stage: StoredStage) -> Any:
    """Return all conversations, read and unread."""
    assert isinstance(stage.stage, ContactStage)
    return stage.stage.tracker.conversations


def test_nothing_is_read_before_it_is_asked_for() -> None:
    """Of five waiting contacts none is read at a restart; an event reads its own; the others wait beside it."""
    five = kept(5).restart()
    assert (len(conversations(five).live), len(conversations(five).unread)) == (0, 5)
    five.now.clear()
    five.apply(event("contact.answered", 11, conversation_id="c3", agent="ann", queue="A", event_id="x3", **PBX))

    assert (set(conversations(five).live), len(conversations(five).unread)) == ({"c3\x1fpbx"}, 4)
    assert five.now["queue:A"]["in_progress"] == 1
    assert len(five.now["queue:A"]["waiting_since_ms"]) == 4
    assert five.sums("queue:A")["answered_wait_ms"] == 10_000


def test_a_repeat_is_known() -> None:
    """A repeat of an event from before the restart counts nothing."""
    one = kept(1).restart().apply(waiting(0)[1])
    assert isinstance(one.stage, ContactStage)
    assert one.stage.tracker.repeated == 1
    assert one.sums("queue:A") == {"offered": 1}


def test_what_is_over_is_forgotten_unread() -> None:
    """Callers who hung up are forgotten in time without being read: their flush only deletes their rows."""
    two = kept(2)
    for number in range(2):
        left = {"reason": "abandoned", "queue": "A", "conversation_id": f"c{number}", "event_id": f"l{number}", **PBX}
        two.apply(event("contact.left_queue", 5, **left))
    two.restart()
    reads: list[str] = []
    tracker: Any = conversations(two)
    tracker._read = reads.append
    two.apply(beat(CONFIGURATION.counting.closed_retention_seconds + 10, **PBX))

    assert two.subjects() == set()
    assert (len(tracker), reads) == (0, [])


def test_heads_of_other_settings_are_not_used() -> None:
    """With other settings everything is read at the restart, and rows are written with heads of now, some hundred a flush."""
    many = kept(450).restart(_LATER)
    assert (len(conversations(many).live), len(conversations(many).unread)) == (450, 0)
    many.apply(beat(3, **PBX))
    assert len(conversations(many.restart()).unread) == 200
    for second in (4, 5):
        many.apply(beat(second, **PBX))
    # 250 were still to be written, and no row was lost of those that were not.
    assert (len(conversations(many.restart()).live), len(conversations(many).unread)) == (0, 450)


def test_rows_without_heads_are_read_at_once() -> None:
    """State as the last release wrote it, without heads: read at the restart, with the same figures of now."""
    stored = kept(3)
    before = dict(stored.now["queue:A"])
    stored.rows = headless(stored.rows)
    stored.restart().apply(*waiting(3))

    assert len(conversations(stored).live) == 4
    assert stored.now["queue:A"]["waiting_since_ms"] == [*before["waiting_since_ms"], before["waiting_since_ms"][0]]


@pytest.mark.parametrize("first", ["its row", "the row of before"])
def test_one_that_also_has_a_row_of_before_waits_once(first: str) -> None:
    """An old row has the id alone as its name: both rows are of one caller, who is read; the other stays unread, and waits too."""
    two = kept(2)
    row = two.rows[b"s|c0\x1fpbx"]
    of_before = {b"s|c0": headless({b"s|c0": row})[b"s|c0"]}
    two.rows = two.rows | of_before if first == "its row" else of_before | two.rows
    two.restart()
    assert (set(conversations(two).live), set(conversations(two).unread)) == ({"c0\x1fpbx"}, {"c1\x1fpbx"})
    two.now.clear()
    two.apply(event("contact.answered", 11, conversation_id="c1", agent="ann", queue="A", event_id="x1", **PBX))

    assert two.now["queue:A"]["in_progress"] == 1
    assert len(two.now["queue:A"]["waiting_since_ms"]) == 1


def test_a_long_conversation_is_complete() -> None:
    """Of one in several rows the last head counts: 40 messages, unread, and with the next event all of them in order."""
    long = kept(1)
    for number in range(40):
        long.apply(event("contact.message", 10 + number, author_kind="customer", event_id=f"m{number:02}", conversation_id="c0", **PBX))
    long.restart()
    assert len(conversations(long).unread) == 1
    long.apply(event("contact.message", 60, author_kind="customer", event_id="m40", conversation_id="c0", **PBX))
    facts = conversations(long)["c0\x1fpbx"].facts
    assert [fact.event_id for fact in facts] == ["a0", "q0", *(f"m{number:02}" for number in range(41))]


def test_heads_of_the_last_form() -> None:
    """Heads of the last form hold what facts give by the present rules: otherwise raise ``_FORM``."""
    file = Path(__file__).with_name("rows_with_heads.json.gz")
    stored = json.loads(gzip.decompress(file.read_bytes()))
    stage = ContactStage(0, Configuration.model_validate(stored["configuration"]), TOPICS)
    tracker = stage.tracker
    heads = 0
    rows = {key: value.encode() for key, value in stored["rows"] if key.startswith(("s|", "t|"))}
    for key, value in rows.items():
        head = read_head(value).head
        if head is None or not key.startswith("s|") or head.facts >= 16:
            continue
        name = key[2:]
        conversation = tracker._built_from(name, read_rows((value,)), 1)
        if stored["lost_to"] is not None and head.lost_from_ms is not None and head.lost_from_ms < stored["lost_to"]:
            continue
        tracker._note_now(name, conversation)
        found = head_of(conversation, tracker._rules, head.rules)
        if conversation.state.last_ms < head.last_ms:  # lost since its last fact
            continue
        assert found == head
        heads += 1
    assert heads > 50


@pytest.mark.parametrize("kind", KINDS)
def test_a_restore_costs_a_part_of_reading_everything(kind: str) -> None:
    """Of CPU, taking 4,000 contacts back in that nothing asks for takes a part of reading each of them."""
    rows = dict(stored_rows(kind, 4_000))
    took = []
    for each in (rows, headless(rows)):
        best = 99.0
        for _ in range(3):
            stage = ContactStage(0, configuration(), TOPICS)
            with timed() as spent:
                stage.restore("state", each.items())
            best = min(best, *spent)
            assert len(stage.tracker.conversations) == 4_000
        took.append(best)
    assert took[0] < took[1] / 4
