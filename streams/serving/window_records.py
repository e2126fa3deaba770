"""Compact window records: they are many, and most of their content repeats."""

from __future__ import annotations

import zlib
from typing import Annotated, Any, Literal

import msgspec
import orjson
from msgspec import Meta

from schemas.metrics import ScopeKind

__all__ = ["Packing", "Seen", "WindowRecord", "read_window", "unpacked_window"]

_Count = Annotated[int, Meta(ge=0)]
#: 8 KiB: twice the size of a record; memory for compression grows with it.
_WINDOW_BITS, _MEMORY_LEVEL = -13, 6
#: A pattern is replaced by a newer record when it compresses by less than this factor.
_WORTH = 8
_MAX_PATTERNS = 32


class Seen(msgspec.Struct, frozen=True, gc=False):
    """As `schemas.metrics.FigureValue`."""

    value: float | None
    numerator: float | None = None
    denominator: float | None = None
    coverage: float | None = None


class _Other(msgspec.Struct, frozen=True, gc=False):
    kpis: dict[str, Seen]


class WindowRecord(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="window"):
    """As `schemas.metrics.WindowFigures`, which costs ten times as much time and memory."""

    scope_kind: ScopeKind
    scope: str
    channel: str | None
    as_of: str
    complete_through: str | None
    revision: Annotated[int, Meta(ge=1)]
    window: str
    window_start: str
    window_end: str
    final: bool
    late_events: _Count
    definitions: dict[str, str]
    kpis: dict[str, Seen]
    counts: dict[str, int]
    by_definition: dict[str, dict[str, Seen]] | None = None
    by_label: dict[str, dict[str, Seen]] = {}
    by_outcome: _Other | None = None
    exceptions: list[str] | None = None
    without_exceptions: _Other | None = None

    @property
    def kind(self) -> Literal["window"]:
        """The kind, as other records have it."""
        return "window"


class _Now(msgspec.Struct, tag_field="kind", tag="now"):
    pass


class _Progress(msgspec.Struct, tag_field="kind", tag="progress"):
    pass


class _Definition(msgspec.Struct, tag_field="kind", tag="definition"):
    pass


_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder(WindowRecord | _Now | _Progress | _Definition)
_WINDOW = msgspec.json.Decoder(WindowRecord)


def read_window(value: bytes) -> WindowRecord | None:
    """Return a window record, None for other kinds; raise ValueError if it is not a metric record."""
    try:
        record = _ANY.decode(value)
    except msgspec.MsgspecError as error:
        raise ValueError("not a metric record") from error
    if not isinstance(record, WindowRecord):
        return None
    # Unread fields are passed on too: the value must be UTF-8 without lone surrogates.
    if b"\\u" in value:
        orjson.loads(value)
    elif not value.isascii():
        value.decode()
    return record


class Packing:
    """Compresses similar records against a pattern record, to a twentieth of their size."""

    def __init__(self) -> None:
        self._patterns: dict[str, bytes] = {}

    def pack(self, kind: str, value: bytes) -> tuple[bytes, bytes]:
        """Return the compressed text, and the pattern that decompresses it."""
        pattern = self._patterns.get(kind, b"")
        packed = _deflated(value, pattern)
        if len(packed) * _WORTH > len(value) and (kind in self._patterns or len(self._patterns) < _MAX_PATTERNS):
            self._patterns[kind] = value
        return packed, pattern

    @staticmethod
    def unpack(packed: bytes, pattern: bytes) -> bytes:
        """Return the original text."""
        return zlib.decompressobj(_WINDOW_BITS, zdict=pattern).decompress(packed)


def unpacked_window(packed: bytes, pattern: bytes) -> WindowRecord:
    """Return the record of a packed value."""
    return _WINDOW.decode(Packing.unpack(packed, pattern))


def _deflated(value: bytes, pattern: bytes) -> bytes:
    deflate = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, pattern)
    # Copied: zlib returns a shrunk block of 16 KiB, and tens of thousands of these fragment the memory.
    return bytes(memoryview(deflate.compress(value) + deflate.flush()))
