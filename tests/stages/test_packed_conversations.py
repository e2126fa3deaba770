"""Finished idle contacts are packed in memory; a reader gets them unchanged."""

from __future__ import annotations

import gc
import tracemalloc
from random import Random
from typing import TYPE_CHECKING, Any

import orjson

from streams.stages.track import ContactStage
from streams.tracking import contacts
from streams.tracking.packed import PackedRows
from streams.tracking.unread import Unread
from tests.stages.test_rows_keyed_by_id import PBX, TOPICS, StoredStage, beat
from tests.tracking.harness import CONFIGURATION, event, record

if TYPE_CHECKING:
    import pytest

#: Seconds without an event after which a contact is packed.
IDLE = contacts._IDLE_MS // 1000
RETENTION = CONFIGURATION.counting.closed_retention_seconds


def call(number: int) -> list[bytes]:
    """Return the events of a call of a known customer, from second 0 to 30."""
    name: dict[str, Any] = {"conversation_id": f"pbx-1755561230.{number:06d}", **PBX}
    key = f"v1:{number:064x}"
    events: list[tuple[str, int, dict[str, Any]]] = [
        ("contact.arrived", 0, {"channel": "voice", "direction": "inbound", "customer_key": key}),
        ("contact.queued", 1, {"queue": "A", "channel": "voice"}),
        ("contact.answered", 11, {"agent": "ann", "queue": "A", "reports": ["wrap_up"]}),
        ("contact.held", 14, {"agent": "ann"}),
        ("contact.resumed", 16, {"agent": "ann"}),
        ("contact.ended", 21, {"by": "customer"}),
        ("contact.wrapped_up", 30, {"agent": "ann"}),
    ]
    return [event(kind, at, event_id=f"pbx-1:{number:06d}:{at}", **name, **fields) for kind, at, fields in events]


def message(number: int) -> bytes:
    """Return a message of a conversation of many."""
    return event("contact.message", 2 + number, author_kind="customer", event_id=f"m{number:02}", conversation_id="c0", **PBX)


def over(number: int = 1) -> StoredStage:
    """Return a stage after a number of completed calls, complete up to second 31."""
    return StoredStage(ContactStage, {}).apply(*(each for one in range(number) for each in call(one)), beat(31, **PBX))


def sizes(kept: StoredStage) -> tuple[int, int]:
    """Return how many conversations are in memory, and how many but for their rows."""
    found = conversations(kept)
    return len(found.live), len(found.frozen or ())


def conversations(kept: StoredStage) -> Any:
    """Return all conversations."""
    assert isinstance(kept.stage, ContactStage)
    return kept.stage.tracker.conversations


def test_a_finished_contact_is_packed_once_it_is_idle() -> None:
    """Of two calls two minutes after the flush at which progress was at 31 s, and not a second before; one that waits stays."""
    three = over(2).apply(event("contact.queued", 31, queue="A", channel="voice", conversation_id="w", event_id="w", **PBX))
    assert sizes(three) == (3, 0)
    three.apply(beat(31 + IDLE - 1, **PBX))
    assert sizes(three) == (3, 0)
    three.apply(beat(31 + IDLE, **PBX))
    assert sizes(three) == (1, 2)
    assert len(conversations(three)) == 3


def test_a_repeat_is_known_and_its_contact_packed_again() -> None:
    """A repeat of an event counts nothing after its contact was packed; the contact is packed again once it is idle."""
    one = over().apply(beat(31 + IDLE, **PBX))
    assert sizes(one) == (0, 1)
    before, facts = one.sums("queue:A"), len(one.facts)
    one.apply(*call(0))
    assert isinstance(one.stage, ContactStage)
    assert one.stage.tracker.repeated == 7
    assert (sizes(one), one.sums("queue:A"), len(one.facts)) == ((1, 0), before, facts)
    one.apply(beat(42 + 2 * IDLE, **PBX))
    assert sizes(one) == (0, 1)


def test_later_events_add_up() -> None:
    """A survey's answer after an hour finds its contact: rows and facts are those of a stage that packs nothing."""
    stages = []
    for puts_away in (True, False):
        stage = over()
        if not puts_away:
            conversations(stage).frozen = None
        stage.apply(beat(31 + IDLE, **PBX))
        assert sizes(stage) == ((0, 1) if puts_away else (1, 0))
        name = {"conversation_id": "pbx-1755561230.000000", "event_id": "s", **PBX}
        stage.apply(event("survey.answered", 3_600, kind="csat", score=5, **name), beat(3_601, **PBX))
        stages.append(stage)
    first, second = stages
    assert first.rows == second.rows
    assert first.facts == second.facts
    facts = conversations(first)["pbx-1755561230.000000\x1fpbx"].facts
    assert [fact.event_id for fact in facts] == [f"pbx-1:000000:{at}" for at in (0, 1, 11, 14, 16, 21, 30)] + ["s"]


def test_a_packed_contact_is_forgotten_after_its_retention() -> None:
    """A contact finished at 30 s is stored until the retention after it has passed, packed or not; then its row is deleted."""
    many = over(40).apply(beat(31 + IDLE, **PBX))
    assert sizes(many) == (0, 40)
    many.apply(beat(30 + RETENTION, **PBX))
    assert (sizes(many), len(many.subjects())) == ((0, 40), 40)
    conversations(many)._read = None  # nothing is read for it
    many.apply(beat(31 + RETENTION, **PBX))
    assert (sizes(many), many.subjects()) == ((0, 0), set())
    assert isinstance(many.stage, ContactStage)
    assert many.stage.tracker.held.counts == {"\x1fpbx": [0, 0]}


def test_a_conversation_in_several_rows_is_complete() -> None:
    """Of one in three rows another event writes the last alone, a restart reads all 41, and when it is forgotten no row is left."""
    arrived = event("contact.arrived", 0, channel="chat", direction="inbound", event_id="a", conversation_id="c0", **PBX)
    ended = event("contact.ended", 45, by="customer", event_id="z", conversation_id="c0", **PBX)
    long = StoredStage(ContactStage, {}).apply(arrived, *map(message, range(38)), ended, beat(46, **PBX)).apply(beat(46 + IDLE, **PBX))
    assert sizes(long) == (0, 1)
    assert len(long.rows_of("c0")) == 3
    first = long.rows_of("c0")[0]
    long.rows[first] = b"never read again: " + long.rows[first]
    long.apply(event("contact.categorized", 60, category="billing", event_id="k", conversation_id="c0", **PBX))
    assert long.rows[first].startswith(b"never")
    long.rows[first] = long.rows[first].removeprefix(b"never read again: ")
    names = ["a", *(f"m{number:02}" for number in range(38)), "z", "k"]
    assert [fact.event_id for fact in conversations(long.restart())["c0\x1fpbx"].facts] == names
    long.apply(beat(100, **PBX)).apply(beat(100 + IDLE, **PBX)).apply(beat(100 + RETENTION, **PBX))
    assert long.rows_of("c0") == []


def test_what_a_restart_left_unread_is_packed() -> None:
    """Contacts that were over at a restart are packed at the flushes after it, unread."""
    many = over(40).restart()
    assert len(conversations(many).unread) == 40
    many.apply(beat(41, **PBX))
    assert (sizes(many), len(conversations(many).unread)) == ((0, 40), 0)
    many.apply(call(17)[6])
    assert isinstance(many.stage, ContactStage)
    assert many.stage.tracker.repeated == 1


def test_a_flush_packs_a_limited_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """With any number of idle contacts, a flush packs a limited number and leaves the others to the next."""
    monkeypatch.setattr(contacts, "_PACKED_A_FLUSH", 15)
    many = over(40)
    left = [sizes(many.apply(beat(31 + IDLE + second, **PBX)))[0] for second in range(4)]
    assert left == [25, 10, 0, 0]


def test_a_contact_that_is_over_takes_little_room() -> None:
    """A call of seven events takes at most 400 bytes when packed, names included; unpacked it takes 3 kB."""
    stage = ContactStage(0, CONFIGURATION, TOPICS)
    count = 4_000
    records = [record(each) for number in range(count + 100) for each in call(number)]
    stage.process([*records[:700], record(beat(31, **PBX))])
    stage.collect()
    gc.collect()
    tracemalloc.start()
    try:
        stage.process(records[700:])
        stage.collect()
        for second in range(5):
            stage.process([record(beat(40 + IDLE + second, **PBX))])
            stage.collect()
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(stage.tracker.conversations.live), len(stage.tracker.conversations)) == (0, count + 100)
    each = taken / count
    print(f"{each:.0f} bytes a contact that is over")  # noqa: T201 - shown with -s
    assert each <= 400


def test_repeated_unpacking_leaves_no_bytes_behind() -> None:
    """A large contact is touched every few minutes, and each time packed with others, which stay: its bytes do not stay with them."""
    rows, text = PackedRows(), Random(1).randbytes(50_000)
    large, small = Unread((text,), 500, 10**9, None, 1, has_customer=False), Unread((b"{}",), 1, 10**9, None, 1, has_customer=False)
    for cycle in range(60):
        rows.put([("large", large), *((f"{cycle}-{number}", small) for number in range(31))])
        assert rows.take("large") == large
    packs = {id(each): each for each in rows.stored.values() if not isinstance(each, Unread)}

    assert len(rows) == 60 * 31
    # By itself the large one takes 50,000 bytes.
    assert sum(len(each.packed) for each in packs.values()) < 2 * 50_000
    assert all(rows.take(f"{cycle}-{number}") == small for cycle in range(60) for number in range(31))


def test_packs_that_are_empty_are_forgotten() -> None:
    """All contacts of a source are changed again and again within their retention of a day."""
    rows, each = PackedRows(), Unread((b"{}",), 1, 10**9, None, 1, has_customer=False)
    for _ in range(100):
        rows.put([(f"c{number}", each) for number in range(64)])
        assert all(rows.take(f"c{number}") == each for number in range(64))

    assert len(rows) == 0
    assert len(rows._due) <= 4


class TestPackedRows:
    """The rows themselves."""

    @staticmethod
    def unread(number: int) -> Unread:
        """Return rows that hold their number, due at 1,000 ms and their number."""
        return Unread((orjson.dumps(number),), number, 1_000 + number, None, number, has_customer=False)

    def filled(self, number: int) -> PackedRows:
        """Return a number of rows."""
        rows = PackedRows()
        rows.put((f"c{each}", self.unread(each)) for each in range(number))
        return rows

    def test_each_is_returned_once(self) -> None:
        """Of 100, more than three packs, each is found, returned unchanged, and then removed."""
        rows = self.filled(100)
        assert [*rows] == [f"c{number}" for number in range(100)]
        for number in (99, *range(99)):
            assert f"c{number}" in rows
            assert rows.take(f"c{number}") == self.unread(number)
            assert f"c{number}" not in rows
            assert rows.take(f"c{number}") is None
        assert (len(rows), rows.take_over(10**6)) == (0, [])

    def test_due_rows_are_returned(self) -> None:
        """Before 1,050 ms those of 0 to 49 are due, without the removed one; one that was packed again is due by its new time."""
        rows = self.filled(100)
        rows.take("c7")
        rows.put([("c7", self.unread(70))])
        due = sorted(rows.take_over(1_050))
        assert due == sorted((f"c{number}", number, 1) for number in range(50) if number != 7)
        assert len(rows) == 51
        assert rows.take_over(1_050) == []
        assert ("c7", 70, 1) in rows.take_over(1_071)

    def test_names_with_facts_since_an_instant(self) -> None:
        """Of 40, of which 32 are in a pack, those since 35 are beside it; since 30 the pack's are named too, though most are older."""
        rows = self.filled(40)
        assert rows.open_or_since(35) == ["c35", "c36", "c37", "c38", "c39"]
        assert {"c30", "c31", "c39"} <= set(rows.open_or_since(30))
        assert rows.open_or_since(40) == []
