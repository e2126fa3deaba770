"""Lines of a log and what each becomes: events, nothing, or a rejection with its bytes; no files, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.base import Event

__all__ = ["MAX_LINE_BYTES", "Line", "Outcome", "Rejected"]

#: Asterisk's own lines end at 8 KiB; a longer text is no line of a log.
MAX_LINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, without its line end."""

    #: Cut at the limit of its reader, by default MAX_LINE_BYTES; ``length`` is its real length.
    raw: bytes
    file: str
    number: int
    #: Byte offsets in the file: of the line, and of the next one.
    start: int
    end: int
    length: int

    @property
    def origin(self) -> str:
        """Its location, ``file:line``."""
        return f"{self.file}:{self.number}"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Bytes that are no event, with the reason; it becomes a dead letter."""

    #: ``file:line`` or, from the gateway, ``gateway/sender``.
    origin: str
    #: As metrics count it.
    reason: str
    #: For operators; never holds content of the bytes.
    detail: str
    raw: bytes
    #: Byte offset in the file, where there is one.
    offset: int | None = None
    #: Its probable subject; decides its dead-letter topic.
    about: Literal["contacts", "agents"] = "contacts"


#: The result of one line: its events in order (none for a line that only informs), or a rejection.
Outcome = Sequence[Event] | Rejected
