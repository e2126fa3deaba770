"""What a platform's delivery may hold beside sound records: it takes none of them along, and nothing of a person with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import orjson
import pytest

from streams.connectors.customer_keys import hashed_customer
from streams.connectors.kit.messenger import digest
from streams.connectors.kit.model import Context
from streams.connectors.kit.reading import joined_records, json_records, list_records
from streams.connectors.kit.translating import redacted, translate
from streams.connectors.platforms import connector
from tests.connectors.test_hooks import BELL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.connectors.kit.model import Record
    from streams.connectors.kit.translating import Translated

NOW: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def bell(number: int) -> bytes:
    """Return a sound record."""
    return orjson.dumps({"kind": "ring", "id": f"e{number}", "at": "2026-03-02T11:59:59Z", "call": f"c{number}"})


def read(body: bytes, reader: Callable[[bytes, str], Iterator[Record]] = json_records) -> Translated:
    """Return what a delivery becomes."""
    return translate(replace(BELL, read=reader), body, Context(source="bell", settings={"queue": "sales"}), origin="hooks/bell", now=NOW)


def ids(done: Translated) -> list[str]:
    """Return the ids of the events."""
    return [event.event_id for event in done.events]


DEEP: Final = b'{"a":' * 400 + b"1" + b"}" * 400
ODD: Final = {
    "deep": DEEP,
    "no object": b"5",
    "null": b"null",
    "a list": b"[1]",
    "no kind": b"{}",
    "of another kind": b'{"kind":[]}',
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_record_affects_no_other(odd: bytes) -> None:
    """Between two sound records, which both count, any other line is one dead letter."""
    shapes = {
        b"[%s,%s,%s]": json_records,
        b"%s\n%s\n%s": json_records,
        b'{"events":[%s,%s,%s]}': list_records("events"),
    }
    for shape, reader in shapes.items():
        done = read(shape % (bell(1), odd, bell(2)), reader)
        assert ids(done) == ["e1", "e2"], shape
        assert len(done.rejected) == 1


@pytest.mark.parametrize("odd", [DEEP, b'{"kind":"\\ud800"}', b'{"kind":' + b"9" * 400 + b"}", b'{"kind":NaN}', b"{nope}\n"])
def test_so_in_records_one_after_another(odd: bytes) -> None:
    """As Firehose joins them; what is no JSON ends with its line."""
    done = read(bell(1) + odd + bell(2) + bell(3), joined_records)
    assert ids(done) == ["e1", "e2", "e3"]
    assert len(done.rejected) == 1


def test_a_broken_line_is_one_dead_letter_with_its_location() -> None:
    """Of several the first is named, and how many more there are."""
    done = read(b"\n".join([bell(1), b"{nope", bell(2), b"7", b"{", bell(3)]))
    assert ids(done) == ["e1", "e2", "e3"]
    assert [(each.reason, each.detail) for each in done.rejected] == [("not_json", "record 2 is no JSON, and 2 more are none")]


def test_the_inside_of_a_broken_document_is_no_record() -> None:
    """One document over several lines that was cut: a line of it that is an object by itself counts for nothing."""
    done = read(b'{\n"kind": "noise", "within":\n' + bell(1) + b"\n")
    assert not done.events
    assert [each.reason for each in done.rejected] == ["not_json"]


@pytest.mark.parametrize(
    "content",
    [
        {"customer": "Ann Other"},
        {"customer": [{"name": "Ann Other"}]},
        {"customer": [[{"name": ["Ann Other"]}]]},
        {"customer": {"name": {"first": "Ann Other"}}},
        {"Customer": {"NAME": "Ann Other"}},
        {"lines": {"text": "Ann Other"}},
        {"lines": "Ann Other"},
        {"reply": {"to": "Ann Other <ann@example.com>"}},
        {"more": {"called": "+49 30 1234 5678"}},
        {"more": [{"custom_phone_7": 493012345678}]},
        {"more": {"Caller_Name": "Ann Other"}},
        {"\ud800": {"email": "ann"}, "customer": {"name": "Ann Other"}},
    ],
    ids=str,
)
def test_personal_values_are_masked_in_any_shape(content: dict[str, object]) -> None:
    """At its path in another shape than the platform's, and in fields that no path names."""
    kept = redacted(content, ("customer.name", "lines.*.text"))
    assert b"(personal)" in kept
    for value in (b"Ann", b"ann", b"4930", b"1234"):
        assert value not in kept


def test_values_that_are_not_personal_are_kept() -> None:
    """A dead letter is there to be read."""
    content = {"kind": "ring", "at": "2026-03-02T11:59:59+01:00", "queue": {"name": "sales"}, "customer": {"name": None}, "n": [1, True]}
    assert orjson.loads(redacted(content, ("customer.name",))) == content


def test_authors_cannot_be_guessed() -> None:
    """Messengers number their users. With a key for customers no hash of a number and a day names a conversation; one of a key does."""
    event = {"sender": {"id": "4711"}, "recipient": {"id": "1"}, "timestamp": 1_772_452_799_000, "message": {"mid": "m"}}
    body = orjson.dumps({"object": "page", "entry": [{"id": "1", "messaging": [event]}]})

    def conversations(secret: bytes) -> set[str]:
        facebook = connector("facebook")
        context = Context(source="page", settings={"queue": "social"}, customer_key=hashed_customer(secret))
        done = translate(facebook, body, context, origin="hooks/page", now=NOW)
        return {event.conversation_id for event in done.events}  # type: ignore[attr-defined]

    [one], [again], [other] = conversations(b"k" * 16), conversations(b"k" * 16), conversations(b"o" * 16)
    assert one == again != other
    assert one != f"facebook-{digest('4711', '2026-03-02')}"
