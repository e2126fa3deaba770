"""Records that cannot be used: each becomes a dead letter, and the stream continues."""

from __future__ import annotations

import gzip
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.dead_letters import origin_of, original_headers
from schemas.times import format_ms
from schemas.topics import topic
from streams.stages.counters import StageCounters
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from tests.tracking.harness import CONFIGURATION, event, ms, record

if TYPE_CHECKING:
    from streams.engine.stage import Output, Row

GOOD = event("contact.queued", 0, queue="A")


def changed(**fields: Any) -> bytes:
    """Return a good event with other fields; None takes one out."""
    return orjson.dumps({name: value for name, value in {**orjson.loads(GOOD), **fields}.items() if value is not None})


BAD = {
    "tombstone": (None, "empty"),
    "no bytes": (b"", "empty"),
    "truncated": (GOOD[:-10], "invalid_json"),
    "a foreign line": (b"1755561234|1755561230.1|sales|NONE|ENTERQUEUE||491701234567|1", "invalid_json"),
    "two lines": (GOOD + b"\n" + GOOD, "invalid_json"),
    "invalid UTF-8": (GOOD.replace(b'"A"', b'"\xff\xfe"'), "invalid_utf8"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "invalid_utf8"),
    "a list": (b"[" + GOOD + b"]", "wrong_type"),
    "unknown type": (changed(type="contact.teleported"), "unknown_type"),
    "no type": (changed(type=None), "missing_field"),
    "no queue": (changed(queue=None), "missing_field"),
    "no time": (changed(occurred_at=None), "missing_field"),
    "a number for a name": (changed(queue=7), "wrong_type"),
    "a number for a time": (changed(occurred_at=1_750_000_000), "wrong_type"),
    "an empty name": (changed(queue=""), "invalid_value"),
    "no offset": (changed(occurred_at="2026-06-15T09:00:00"), "invalid_value"),
    "a negative duration": (event("contact.answered", 0, queue="A", wait_seconds=-1), "invalid_value"),
    "a duration as text": (event("contact.answered", 0, queue="A", wait_seconds="12"), "wrong_type"),
    "1970": (changed(occurred_at="1970-01-01T00:00:00Z"), "time_too_old"),
    "2090": (changed(occurred_at="2090-01-01T00:00:00Z"), "time_in_future"),
    "received in 2090": (changed(received_at="2090-01-01T00:00:00Z"), "time_in_future"),
    "complete 3 s beyond its receipt": (event("source.heartbeat", 0, complete_through=format_ms(ms(3))), "complete_through_in_future"),
    "complete in 2099": (event("source.heartbeat", 0, complete_through="2099-01-01T00:00:00Z"), "complete_through_in_future"),
    "a heartbeat of Tokyo labelled Z": (
        event("source.heartbeat", 0, complete_through=format_ms(ms(9 * 3600))),
        "complete_through_in_future",
    ),
    "a callback in 401 days": (event("contact.callback_requested", 0, due=format_ms(ms(400 * 86_400 + 1))), "invalid_value"),
    "a callback in 9999": (event("contact.callback_attempted", 0, due="9999-12-31T23:59:59Z"), "invalid_value"),
    "an order in another form": (b'{"type":"operator.progress_reset","event_id":"r","to":7}', "invalid_value"),
    "an order of tomorrow": (b'{"type":"operator.unheard_of","event_id":"r"}', "unknown_type"),
    "5 MB": (changed(category="x" * 5_000_000), "too_large"),
    "deeply nested": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "invalid_json"),
}


def stage(counters: StageCounters | None = None) -> ContactStage:
    """Return a stage on partition 3 whose clock is at second 1000."""
    topics = TrackTopics("contacts", "panes", 2, "contact-dead", "group", lambda: ms(1_000))
    return ContactStage(3, CONFIGURATION, topics, counters)


def dead(outputs: list[Output]) -> list[Output]:
    """Return the dead letters among the outputs."""
    return [output for output in outputs if output.topic == "contact-dead"]


def without_watch(rows: list[Row]) -> dict[bytes, Any]:
    """Return rows without what is known of the bad records, which is of course another."""
    found = {key: orjson.loads(value or b"null") for key, value in rows}
    del found[b"m"]["sources"]
    return found


class TestDeadLetters:
    """Malformed records of every kind."""

    @pytest.mark.parametrize("name", BAD)
    def test_each_ends_as_a_dead_letter(self, name: str) -> None:
        """Bytes, key and headers are unchanged, origin and reason are in headers, the reason is counted, and the next record counts."""
        value, reason = BAD[name]
        counters = StageCounters()
        track = stage(counters)
        bad = record(
            value,
            topic="contacts",
            partition=3,
            offset=42,
            timestamp=ms(500),
            timestamp_type=1,
            key=b"\xffkey",
            headers=[("trace", b"\x00\x01"), ("trace", b"")],
        )
        track.process([bad, record(GOOD)])
        flush = track.collect()

        (dead_letter,) = dead(flush.outputs)
        assert (dead_letter.key, dead_letter.value, dead_letter.partition) == (b"\xffkey", value, 0)
        assert original_headers(dead_letter.headers) == [("trace", b"\x00\x01"), ("trace", b"")]
        origin = origin_of(dead_letter.headers)
        assert (origin.topic, origin.partition, origin.offset, origin.timestamp_ms) == ("contacts", 3, 42, ms(500))
        assert (origin.timestamp_type, origin.consumer_group) == ("log_append_time", "group")
        headers = dict(dead_letter.headers)
        assert (headers["dead-letter-reason"], headers["dead-letter-stage"]) == (reason.encode(), b"track")
        assert headers["dead-letter-failed-at"] == b"2026-06-15T09:16:40.000Z"
        assert len(headers["dead-letter-detail"]) <= 2_000
        assert (counters.rejected, counters.events) == ({reason: 1}, 2)
        assert "c1\x1ftest" in track.tracker.conversations

    def test_a_compressed_giant_fits_the_dead_letters(self) -> None:
        """A record of 20 MiB that its sender had compressed to a few kilobytes is packed again; unpacked it is the same."""
        giant = b'{"type":"' + b"q" * (20 << 20) + b'"}'
        track = stage()
        track.process([record(giant)])
        (dead_letter,) = dead(track.collect().outputs)

        assert dead_letter.value is not None
        assert len(dead_letter.value) < 1 << 20
        assert dict(dead_letter.headers)["dead-letter-content-encoding"] == b"gzip"
        assert gzip.decompress(dead_letter.value) == giant
        assert original_headers(dead_letter.headers) == []

    def test_what_cannot_be_packed_is_cut(self) -> None:
        """A giant that does not compress keeps its beginning and is marked as cut; the record itself is still in its topic."""
        giant = Random(1).randbytes(9 << 20)
        track = stage()
        track.process([record(giant)])
        (dead_letter,) = dead(track.collect().outputs)

        assert dead_letter.value == giant[: 1 << 20]
        assert dict(dead_letter.headers)["dead-letter-content-encoding"] == b"cut"

    @pytest.mark.parametrize(
        "many",
        [
            {"key": bytes(8 << 20)},
            {"headers": [("", None)] * 2_000_000},
            {"headers": [("h", bytes(8 << 20))]},
            {"key": bytes(2 << 20), "value": Random(1).randbytes((6 << 20) - 100)},
        ],
        ids=["a key", "headers without content", "a header", "a key and a value"],
    )
    def test_a_dead_letter_fits_its_topic_whatever_lies_beside_the_value(self, many: dict[str, Any]) -> None:
        """Packed, the 8 MiB that a batch may hold are one key or one header; with the letter's own headers they would be too large."""
        track = stage()
        track.process([record(**{"value": b"?", **many})])
        (dead_letter,) = dead(track.collect().outputs)

        room = int(topic("contact-events-dead-letters.v1").settings["max.message.bytes"])
        size = (
            len(dead_letter.key or b"")
            + len(dead_letter.value or b"")
            + sum(len(name) + len(content) + 10 for name, content in dead_letter.headers)
        )
        assert size < room - 1_000
        assert (dead_letter.key, original_headers(dead_letter.headers)) == (None, [])
        assert dict(dead_letter.headers)["dead-letter-content-encoding"] == b"cut"

    def test_a_batch_that_cannot_be_read_is_one_dead_letter(self) -> None:
        """It is counted without a source, and has its origin and reason."""
        counters = StageCounters()
        track = stage(counters)
        track.process([record(GOOD)])
        track.collect()
        track.refuse(record(None, offset=41, timestamp=ms(500), timestamp_type=1), "offsets 17 to 41 cannot be read")
        (dead_letter,) = dead(track.collect().outputs)

        headers = dict(dead_letter.headers)
        assert (dead_letter.key, dead_letter.value) == (None, None)
        assert (headers["dead-letter-reason"], headers["dead-letter-detail"]) == (b"unreadable_batch", b"offsets 17 to 41 cannot be read")
        assert (origin_of(dead_letter.headers).offset, origin_of(dead_letter.headers).timestamp_ms) == (41, ms(500))
        assert (counters.rejected, dead(track.collect().outputs)) == ({"unreadable_batch": 1}, [])

    def test_once(self) -> None:
        """A dead letter is in one flush, and not in the next."""
        track = stage()
        track.process([record(b"?")])

        assert len(dead(track.collect().outputs)) == 1
        assert track.collect().outputs == []

    def test_the_detail_quotes_nothing(self) -> None:
        """Content of a record may be a customer's: it is in the value alone."""
        track = stage()
        track.process([record(changed(queue=["+49 170 1234567"])), record(changed(type="+49 170 1234567"))])

        for dead_letter in dead(track.collect().outputs):
            assert b"1234567" not in dict(dead_letter.headers)["dead-letter-detail"]

    def test_all_at_once(self) -> None:
        """Many bad records between good ones: every one is counted by its reason, and the figures are those of the good ones."""
        counters = StageCounters()
        track, undisturbed = stage(counters), stage()
        good = [GOOD, event("contact.answered", 20, agent="ann"), event("contact.ended", 60)]
        track.process([record(value) for each in good for value in (*(value for value, _ in BAD.values()), each)])
        undisturbed.process([record(value) for value in good])
        found, expected = track.collect(), undisturbed.collect()

        assert sum(counters.rejected.values()) == 3 * len(BAD)
        assert [output for output in found.outputs if output.topic == "panes"] == expected.outputs
        assert without_watch(found.rows) == without_watch(expected.rows)

    def test_an_agent_event_among_contacts(self) -> None:
        """An event of the other topic is of an unknown type here, and a contact event is so there."""
        contacts = stage()
        agents = AgentStage(0, CONFIGURATION, TrackTopics("agents", "panes", 2, "contact-dead", "group", lambda: 0))
        contacts.process([record(event("agent.state_changed", 0, axis="presence", state="ready"))])
        agents.process([record(GOOD)])

        assert contacts.counters.rejected == agents.counters.rejected == {"unknown_type": 1}
