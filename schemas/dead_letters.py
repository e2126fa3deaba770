"""The headers of a dead letter: where a record came from and why it could not be processed; key, value and own headers stay unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from schemas.times import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CONTENT_ENCODING",
    "HEADER_NAMES",
    "MAX_DETAIL_BYTES",
    "REPLAYED",
    "REPLAYED_FROM",
    "Header",
    "Origin",
    "TimestampType",
    "dead_letter_headers",
    "origin_of",
    "original_headers",
]

Header = tuple[str, bytes | None]
"""One record header in Kafka: a name, which may occur twice, and bytes or nothing."""

TimestampType = Literal["create_time", "log_append_time"]

ORIGINAL_TOPIC: Final = "dead-letter-original-topic"
ORIGINAL_PARTITION: Final = "dead-letter-original-partition"
ORIGINAL_OFFSET: Final = "dead-letter-original-offset"
ORIGINAL_TIMESTAMP: Final = "dead-letter-original-timestamp"
ORIGINAL_TIMESTAMP_TYPE: Final = "dead-letter-original-timestamp-type"
CONSUMER_GROUP: Final = "dead-letter-consumer-group"
REASON: Final = "dead-letter-reason"
DETAIL: Final = "dead-letter-detail"
STAGE: Final = "dead-letter-stage"
APP_VERSION: Final = "dead-letter-app-version"
FAILED_AT: Final = "dead-letter-failed-at"

#: Every header added here, in the order it is added.
HEADER_NAMES: Final = (
    ORIGINAL_TOPIC,
    ORIGINAL_PARTITION,
    ORIGINAL_OFFSET,
    ORIGINAL_TIMESTAMP,
    ORIGINAL_TIMESTAMP_TYPE,
    CONSUMER_GROUP,
    REASON,
    DETAIL,
    STAGE,
    APP_VERSION,
    FAILED_AT,
)

#: Added where the value had to be packed to fit: ``gzip``, or ``cut`` where only its beginning is kept (the record is still in its topic).
CONTENT_ENCODING: Final = "dead-letter-content-encoding"

#: On a replayed record: the dead letter it was, ``topic/partition/offset``.
REPLAYED_FROM: Final = "dead-letter-replayed-from"

#: On a note among the dead letters, which has neither key nor value: the replayed offsets of its partition, ``17-20,25``.
#: It is written in the transaction that replays them.
REPLAYED: Final = "dead-letter-replayed"

_OURS: Final = frozenset({*HEADER_NAMES, CONTENT_ENCODING, REPLAYED_FROM})

#: A longer detail is cut: the record must still fit its topic.
MAX_DETAIL_BYTES: Final = 2000


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record was read, and by which consumer group; the timestamp is in milliseconds since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    timestamp_type: TimestampType
    consumer_group: str


def dead_letter_headers(
    origin: Origin,
    *,
    reason: str,
    detail: str,
    stage: str,
    app_version: str,
    failed_at_ms: int,
    original: Iterable[Header] = (),
) -> list[Header]:
    """Return the headers of a dead letter: the record's own, unchanged and first, then one of each of `HEADER_NAMES`.

    `reason` is the stable id that is counted, `detail` the sentence for readers, `stage` the step that refused the record.
    """
    values = (
        origin.topic,
        str(origin.partition),
        str(origin.offset),
        str(origin.timestamp_ms),
        origin.timestamp_type,
        origin.consumer_group,
        reason,
        _cut(detail),
        stage,
        app_version,
        format_ms(failed_at_ms),
    )
    added: list[Header] = [(name, _bytes(value)) for name, value in zip(HEADER_NAMES, values, strict=True)]
    return [*original, *added]


def original_headers(headers: Iterable[Header]) -> list[Header]:
    """Return the headers a record had before it became a dead letter, to publish it again."""
    return [header for header in headers if header[0] not in _OURS]


def origin_of(headers: Iterable[Header]) -> Origin:
    """Return where a dead letter came from; raise ValueError when its headers do not state it.

    The last header of a name counts: it is the one added last.
    """
    headers_by_name = {name: value.decode(errors="replace") for name, value in headers if name in HEADER_NAMES and value is not None}
    missing = [name for name in HEADER_NAMES[:6] if name not in headers_by_name]
    if missing:
        raise ValueError(f"not a dead letter: no {', '.join(missing)}")
    timestamp_type = headers_by_name[ORIGINAL_TIMESTAMP_TYPE]
    if timestamp_type not in {"create_time", "log_append_time"}:
        raise ValueError(f"not a dead letter: {ORIGINAL_TIMESTAMP_TYPE}")
    return Origin(
        topic=headers_by_name[ORIGINAL_TOPIC],
        partition=int(headers_by_name[ORIGINAL_PARTITION]),
        offset=int(headers_by_name[ORIGINAL_OFFSET]),
        timestamp_ms=int(headers_by_name[ORIGINAL_TIMESTAMP]),
        timestamp_type="create_time" if timestamp_type == "create_time" else "log_append_time",
        consumer_group=headers_by_name[CONSUMER_GROUP],
    )


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _cut(text: str) -> str:
    """Return `text`, at most `MAX_DETAIL_BYTES` long in UTF-8 and never cut inside a character."""
    return _bytes(text)[:MAX_DETAIL_BYTES].decode(errors="ignore")
