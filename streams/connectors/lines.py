"""Lines of a log and what becomes of one: events, nothing, or a rejection that keeps its bytes; no files, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.base import Event

__all__ = ["MAX_LINE_BYTES", "Line", "Outcome", "Rejected"]

#: Asterisk's own lines end at 8 KiB; anything beyond this is not a line of a log.
MAX_LINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it stood in a file, without its line end."""

    #: Cut where its reader was told to, by default at MAX_LINE_BYTES; ``length`` says how long it really is.
    raw: bytes
    file: str
    number: int
    #: Byte offsets in the file: where the line begins, and where the next one does.
    start: int
    end: int
    length: int

    @property
    def origin(self) -> str:
        """Where to find it, ``file:line``."""
        return f"{self.file}:{self.number}"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Bytes that are no event, with the reason; what a dead letter is made from."""

    #: ``file:line`` or, from the gateway, ``gateway/sender``.
    origin: str
    #: One of a few words, for counting.
    reason: str
    #: For a person; never holds what the bytes hold.
    detail: str
    raw: bytes
    #: Byte offset in the file, where there is one.
    offset: int | None = None
    #: What it would have been about, as far as one can tell: decides its dead-letter topic.
    about: Literal["contacts", "agents"] = "contacts"


#: What one line gives: its events in order (none for a line that only informs), or a rejection.
Outcome = Sequence[Event] | Rejected
