"""Dead letters: nothing of the record is lost, and where it came from can be read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import HEADER_NAMES, MAX_DETAIL_BYTES, Header, Origin, dead_letter_headers, origin_of, original_headers

ORIGIN = Origin(
    topic="contactcenter.contact-events.v1",
    partition=3,
    offset=4_711,
    timestamp_ms=1_786_019_696_789,
    timestamp_type="log_append_time",
    consumer_group="contact-streams-track",
)


def built(detail: str = "queue: required", original: list[Header] | None = None, origin: Origin = ORIGIN) -> list[Header]:
    """Return the headers of a dead letter."""
    return dead_letter_headers(
        origin,
        reason="missing_field",
        detail=detail,
        stage="decode",
        app_version="0.1.0",
        failed_at_ms=1_786_019_700_000,
        original=original or [],
    )


def test_headers_state_origin_and_reason() -> None:
    """Every header has its name and plain text as its value."""
    assert built() == [
        ("dead-letter-original-topic", b"contactcenter.contact-events.v1"),
        ("dead-letter-original-partition", b"3"),
        ("dead-letter-original-offset", b"4711"),
        ("dead-letter-original-timestamp", b"1786019696789"),
        ("dead-letter-original-timestamp-type", b"log_append_time"),
        ("dead-letter-consumer-group", b"contact-streams-track"),
        ("dead-letter-reason", b"missing_field"),
        ("dead-letter-detail", b"queue: required"),
        ("dead-letter-stage", b"decode"),
        ("dead-letter-app-version", b"0.1.0"),
        ("dead-letter-failed-at", b"2026-08-06T12:35:00.000Z"),
    ]
    assert tuple(name for name, _ in built()) == HEADER_NAMES


HEADERS = st.lists(st.tuples(st.text(max_size=10), st.none() | st.binary(max_size=10)), max_size=5)


@given(HEADERS)
def test_original_headers_are_kept_and_can_be_taken_out_again(original: list[Header]) -> None:
    """A record's own headers, repeated and empty ones too, come first, unchanged and in order."""
    headers = built(original=original)

    assert headers[: len(original)] == original
    assert original_headers(headers) == original


@given(st.integers(0), st.integers(0), st.integers(-1), st.sampled_from(("create_time", "log_append_time")))
def test_the_origin_is_read_back(partition: int, offset: int, timestamp_ms: int, timestamp_type: str) -> None:
    """What replays dead letters finds the record's place again."""
    kind = "create_time" if timestamp_type == "create_time" else "log_append_time"
    origin = Origin("t", partition, offset, timestamp_ms, kind, "g")  # type: ignore[arg-type]

    assert origin_of(built(origin=origin)) == origin


def test_the_last_refusal_counts() -> None:
    """A dead letter that was replayed and refused again tells of the second time."""
    again = Origin("other", 1, 2, 3, "create_time", "g")

    assert origin_of(built(original=built(), origin=again)) == again


@given(st.text(min_size=600, max_size=3000))
def test_a_long_detail_is_cut_between_characters(detail: str) -> None:
    """The detail never exceeds its limit and stays readable text."""
    value = dict(built(detail=detail))["dead-letter-detail"]

    assert value is not None
    assert len(value) <= MAX_DETAIL_BYTES
    assert detail.encode(errors="replace").startswith(value)
    assert value.decode()


def test_half_a_surrogate_does_not_stop_a_dead_letter() -> None:
    """A detail that is no valid text is still written."""
    assert dict(built(detail="\ud800"))["dead-letter-detail"] == b"?"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("dead-letter-reason", b"empty")],
        [header for header in built() if header[0] != "dead-letter-original-offset"],
        [*built(), ("dead-letter-original-timestamp-type", b"no_time")],
        [*built(), ("dead-letter-original-partition", b"three")],
    ],
)
def test_another_record_has_no_origin(headers: list[Header]) -> None:
    """A foreign record in the topic is an error to its reader, not a wrong place."""
    with pytest.raises(ValueError, match=r"dead letter|invalid literal"):
        origin_of(headers)
