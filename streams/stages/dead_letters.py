"""Dead letters of records that cannot be used: bytes, headers and origin unchanged, and the reason."""

from __future__ import annotations

import gzip
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from schemas.dead_letters import CONTENT_ENCODING, Origin, TimestampType, dead_letter_headers
from streams.engine.stage import Output

if TYPE_CHECKING:
    from streams.engine.stage import Record

__all__ = ["APP_VERSION", "dead_letter"]


def _version() -> str:
    try:
        return version("contact-streams")
    except PackageNotFoundError:
        return "unknown"


APP_VERSION = _version()


#: Larger values are compressed: the sender's batch compression may have hidden their size.
PACKED_ABOVE_BYTES = 6 * 1024 * 1024
#: A value that is still too large is cut to this; larger key and headers are dropped.
_CUT_BYTES = 1024 * 1024
#: Overhead of a header beside name and content.
_HEADER_BYTES = 8


def dead_letter(
    topic: str, source: tuple[str, int], record: Record, reason: str, detail: str, *, consumer_group: str, failed_at_ms: int
) -> Output:
    """Return the dead letter of a record that the track stage refused; ``source`` is its topic and partition."""
    key, value, original = record.key, record.value, record.headers
    is_cut = len(key or b"") + sum(len(name) + len(content or b"") + _HEADER_BYTES for name, content in original) > _CUT_BYTES
    if is_cut:
        key, original = None, ()
    timestamp_type: TimestampType = "log_append_time" if getattr(record, "timestamp_type", 0) == 1 else "create_time"
    headers = dead_letter_headers(
        Origin(*source, record.offset, record.timestamp, timestamp_type, consumer_group),
        reason=reason,
        detail=detail,
        stage="track",
        app_version=APP_VERSION,
        failed_at_ms=failed_at_ms,
        original=original,
    )
    is_packed = False
    if value is not None and len(value) > PACKED_ABOVE_BYTES:
        packed = gzip.compress(value, compresslevel=1, mtime=0)
        is_cut = is_cut or len(packed) > PACKED_ABOVE_BYTES
        is_packed = not is_cut
        value = packed if is_packed else value[:_CUT_BYTES]
    if is_cut or is_packed:
        headers.append((CONTENT_ENCODING, b"cut" if is_cut else b"gzip"))
    return Output(topic, 0, key, value, tuple((name, content or b"") for name, content in headers))
