"""Dead letters read back: the verdict of the current decoder, which were replayed, and nothing that moves the cursor."""

from __future__ import annotations

import gzip
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import Origin, dead_letter_headers, original_headers
from schemas.times import parse_time_ms
from schemas.topics import TOPICS
from streams.commands.dead_letter_text import facts, pages, printable, row
from streams.connectors.dead_letters import DeadLetter, IncompleteError, Judge, ReplayedOffsets, Wanted, dead_letter_topics, ranges

NOW_MS = parse_time_ms("2026-06-15T09:00:00Z")
PERSONAL = "+49 170 1234567"


def event(**fields: Any) -> bytes:
    """Return a contact event that is right, but for these fields."""
    at = "2026-06-15T09:00:00Z"
    common = {"type": "contact.queued", "event_id": "e1", "occurred_at": at, "received_at": at, "source": "pbx", "conversation_id": "c1"}
    return orjson.dumps({**common, "queue": "sales", **fields})


def dead_letter(value: bytes | None, topic: str = "p.contact-events.v1", partition: int = 3, **further: bytes) -> DeadLetter:
    """Return a dead letter that the worker has written."""
    headers = dead_letter_headers(
        Origin(topic, partition, 42, NOW_MS, "log_append_time", "p.worker"),
        reason="invalid_json",
        detail="at 1",
        stage="track",
        app_version="1",
        failed_at_ms=NOW_MS,
        original=[("trace", b"\x00\xff")],
    )
    added = [(name.replace("_", "-"), content) for name, content in further.items()]
    return DeadLetter("p.contact-events-dead-letters.v1", 0, 7, NOW_MS, b"c1", value, tuple((n, c or b"") for n, c in [*headers, *added]))


FAR_FORECAST = event(type="forecast.set", interval_start="2028-01-01T00:00:00Z", interval_seconds=1800, volume=5)


class TestJudge:
    """What would become of a letter now."""

    @pytest.mark.parametrize(
        ("found", "outcome", "why"),
        [
            (dead_letter(event()), "accepted", ""),
            (dead_letter(b"?"), "rejected", "invalid_json"),
            (dead_letter(None), "rejected", "empty"),
            (dead_letter(event(received_at="2026-06-15T09:05:00.001Z")), "rejected", "time_in_future"),
            (dead_letter(event(received_at="2026-06-15T09:05:00Z")), "accepted", ""),
            (dead_letter(event(), topic="p.agent-events.v1"), "rejected", "unknown_type"),
            (dead_letter(event(type="order.placed", customer_key="v1:ann"), topic="p.customer-events.v1"), "accepted", ""),
            (dead_letter(event(), topic="p.customer-events.v1"), "rejected", "unknown_type"),
            (dead_letter(FAR_FORECAST, topic="p.customer-events.v1"), "rejected", "interval_start: at most 400 days"),
            (dead_letter(event(), topic="other.contact-events.v1"), "impossible", "none of ours"),
            (dead_letter(event(), partition=8), "impossible", "none of ours"),
            (dead_letter(gzip.compress(event()), dead_letter_content_encoding=b"gzip"), "accepted", ""),
            (dead_letter(gzip.compress(event())[:-9], dead_letter_content_encoding=b"gzip"), "impossible", "cut"),
            (dead_letter(event()[:20], dead_letter_content_encoding=b"cut"), "impossible", "first 20 bytes"),
            (
                DeadLetter("t", 0, 1, NOW_MS, b"pbx", b"a line", (("dead-letter-origin", b"queue_log:9"),)),
                "impossible",
                "never was a record",
            ),
        ],
        ids=range(15),
    )
    def test_each(self, found: DeadLetter, outcome: str, why: str) -> None:
        """As the track stage decides, by the clock of now; what cannot be replayed is distinguished from what would be rejected."""
        verdict = Judge("p").judge(found, NOW_MS)

        assert verdict.outcome == outcome
        assert why in verdict.why

    def test_no_source_is_left_out(self) -> None:
        """What comes from any topic with dead letters can go back there."""
        sources = [entry for entry in TOPICS if entry.dead_letters]

        assert len(sources) == 3
        for entry in sources:
            found = dead_letter(b"?", topic=entry.full_name("p"), partition=entry.partitions - 1)
            assert Judge("p").judge(found, NOW_MS).outcome == "rejected"

    def test_a_packed_value_is_unpacked(self) -> None:
        """What is sent back are the original bytes; a bomb is not unpacked beyond a bound."""
        giant = b"q" * (7 << 20)
        assert dead_letter(gzip.compress(giant), dead_letter_content_encoding=b"gzip").original() == giant
        with pytest.raises(IncompleteError, match="longer than"):
            dead_letter(gzip.compress(bytes(65 << 20)), dead_letter_content_encoding=b"gzip").original()


def test_the_headers_of_a_second_way_back_are_the_records_own() -> None:
    """A letter that was sent back and refused again loses the mark of the first time."""
    found = dead_letter(b"?", dead_letter_replayed_from=b"p.contact-events-dead-letters.v1/0/3")

    assert original_headers(found.headers) == [("trace", b"\x00\xff")]


class TestMarks:
    """Which were sent back."""

    @given(st.sets(st.integers(0, 60)), st.integers(0, 30), st.integers(0, 40))
    def test_notes_are_read_as_they_are_written(self, offsets: set[int], begin: int, size: int) -> None:
        """Exactly the offsets of the note are marked, as far as the topic still has them."""
        replayed = ReplayedOffsets(begin, begin + size)
        replayed.add(ranges(sorted(offsets)))

        assert {offset for offset in range(70) if offset in replayed} == {each for each in offsets if begin <= each < begin + size}

    def test_a_note(self) -> None:
        """Neighbors become a span."""
        assert ranges([3, 4, 5, 9, 11, 12]) == "3-5,9,11-12"

    @pytest.mark.parametrize("text", ["", ",", "-", "x", "5-", "-5", "9-2", "٣", "1e3"])
    def test_an_invalid_note_marks_nothing_else(self, text: str) -> None:
        """Others may write to the topic: nonsense is passed over."""
        replayed = ReplayedOffsets(0, 20)
        replayed.add(text)

        assert {offset for offset in range(20) if offset in replayed} <= {5}


class TestShown:
    """What people see."""

    @given(st.binary() | st.text())
    def test_nothing_moves_the_cursor(self, sent: bytes | str) -> None:
        """Whatever was sent is shown in printable characters alone."""
        assert printable(sent).isprintable()

    def test_escapes(self) -> None:
        """A sequence that would color the terminal, turn the text around or hide in it is spelt out."""
        assert printable(b"a\x1b[31m\xff\n") == r"a\x1b[31m\xff\n"
        assert printable("x\u202ey\u200bz") == r"x\u202ey\u200bz"
        assert printable("注文 ok") == "注文 ok"

    def test_a_line_is_no_longer_than_it_helps(self) -> None:
        """Of a list of all that is permitted the begin is shown; names are those that `show` takes."""
        line = row(dead_letter(b"?", dead_letter_detail=b"type: one of " + b"contact.queued, " * 40), "p")

        assert line.startswith("contact-events-dead-letters.v1/0/7  ")
        assert line.endswith("…")
        assert len(line) < 300

    def test_a_list_has_no_values(self) -> None:
        """A line names location, reason, origin, key and size; only ``show`` has what was sent."""
        found = dead_letter(event(queue=PERSONAL))
        lines = [row(found, "p"), orjson.dumps(facts(found)).decode()]

        assert not any(PERSONAL in line for line in lines)
        assert lines[0].startswith(
            "contact-events-dead-letters.v1/0/7  2026-06-15T09:00:00.000Z  invalid_json    contact-events.v1/3/42  key c1"
        )
        assert facts(found)["source"] == {"topic": "p.contact-events.v1", "partition": 3, "offset": 42}
        assert any(PERSONAL in line for line in pages(found))

    @pytest.mark.parametrize("value", [None, b"", b"text\nand \x1b[0m more", Random(1).randbytes(100), event(queue="注文")[:-20]])
    def test_one_dead_letter(self, value: bytes | None) -> None:
        """Any value can be shown, as text or in hex, one printable line after the other."""
        lines = list(pages(dead_letter(value)))

        assert all(line.isprintable() for line in lines)
        assert "  trace: \\x00\\xff" in lines

    def test_hex(self) -> None:
        """What is no text is shown byte by byte."""
        (line,) = list(pages(dead_letter(b"\xff\xfeA")))[-1:]

        assert line.split() == ["00000000", "ff", "fe", "41", "..A"]


def test_wanted() -> None:
    """By reason, and by when they were set aside: from an instant on, and before another."""
    found = dead_letter(b"?")

    assert Wanted(frozenset({"invalid_json"}), NOW_MS, NOW_MS + 1).matches(found)
    assert not Wanted(frozenset({"empty"})).matches(found)
    assert not Wanted(until_ms=NOW_MS).matches(found)
    assert not Wanted(since_ms=NOW_MS + 1).matches(found)


def test_topics_by_source() -> None:
    """A source is named as people write it; one without dead letters is refused."""
    for name in ("contact-events", "contact-events.v1", "p.contact-events.v1"):
        assert dead_letter_topics("p", name) == {"p.contact-events-dead-letters.v1": 1}
    assert len(dead_letter_topics("p")) == 3
    with pytest.raises(ValueError, match="queue-panes"):
        dead_letter_topics("p", "queue-panes.v1")
