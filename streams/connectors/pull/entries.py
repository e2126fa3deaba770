"""What a polling connector writes in one transaction, and what it restores at its next start; with a twin in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.base import Event
from schemas.connector_state import ConnectorRecord, CursorRecord, SeenRecord
from streams.connectors.lines import Rejected
from streams.connectors.publishing import NotPublishedError
from streams.connectors.pull.states import Change, States

__all__ = ["STATE_TOPIC", "Entry", "FencedError", "Ledger", "MemoryLedger", "Restored", "cursor_key", "restore_row", "seen_key"]

STATE_TOPIC: Final = "connector-state.v1"

#: Records of one transaction.
_MOST_TOGETHER: Final = 10_000

_RECORD: Final = TypeAdapter[CursorRecord | SeenRecord](ConnectorRecord)


class FencedError(Exception):
    """Another process polls the same source now: this one has to end."""


@dataclass(slots=True)
class Restored:
    """What an earlier process left."""

    cursor: CursorRecord | None
    states: States


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What goes to Kafka together, or not at all."""

    events: Sequence[Event] = ()
    rejected: Sequence[Rejected] = ()
    changes: Sequence[Change] = ()
    cursor: CursorRecord | None = None

    def __bool__(self) -> bool:
        """Return whether there is anything to write."""
        return bool(self.events or self.rejected or self.changes or self.cursor)

    def parts(self) -> Iterator[Entry]:
        """Yield it as transactions of bounded size: all events before the records seen, and the cursor last.

        If the process ends in between, it polls the same again, and events count once by their ids.
        """
        if len(self.events) + len(self.rejected) + len(self.changes) <= _MOST_TOGETHER:
            yield self
            return
        for first in range(0, len(self.events), _MOST_TOGETHER):
            yield Entry(events=self.events[first : first + _MOST_TOGETHER])
        for first in range(0, len(self.rejected), _MOST_TOGETHER):
            yield Entry(rejected=self.rejected[first : first + _MOST_TOGETHER])
        for first in range(0, len(self.changes), _MOST_TOGETHER):
            yield Entry(changes=self.changes[first : first + _MOST_TOGETHER])
        yield Entry(cursor=self.cursor)


class Ledger(Protocol):
    """Where entries go."""

    async def open(self, remembered_days: int) -> Restored:
        """Fence other processes of this source, and return what they wrote.

        Raises:
            NotPublishedError: Kafka does not answer.
        """

    async def write(self, entry: Entry) -> None:
        """Write an entry; when this returns, it is there for every reader.

        Raises:
            NotPublishedError: it may be written or not; ``open`` shows which.
            FencedError: another process has opened the ledger of this source.
        """

    async def close(self) -> None:
        """Close, after a bounded wait."""


def cursor_key(source: str) -> bytes:
    """Return the key of a source's cursor."""
    return f"cursor|{source}".encode()


def seen_key(source: str, key: str) -> bytes:
    """Return the key of the last state of a record."""
    return f"seen|{source}|{key}".encode()


def restore_row(restored: Restored, source: str, key: bytes | None, value: bytes | None) -> None:
    """Apply a record of the topic to what is restored; ignore records of other sources."""
    text = (key or b"").decode(errors="replace")
    if value is None:
        prefix = f"seen|{source}|"
        if text.startswith(prefix):
            restored.states.forget(text[len(prefix) :])
        return
    try:
        record = _RECORD.validate_json(value)
    except ValidationError as error:
        raise NotPublishedError(f"{STATE_TOPIC} holds what this version cannot read ({error.error_count()} errors)") from None
    if record.source != source:
        return
    if isinstance(record, CursorRecord):
        restored.cursor = record
    else:
        restored.states.restore(record)


@dataclass(slots=True)
class MemoryLedger:
    """A ledger of lists, for tests: retains everything, and fails on demand."""

    source: str
    events: list[Event] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    #: Set to have nothing written; ``in_doubt`` to have the next entry written and not acknowledged.
    down: bool = False
    in_doubt: bool = False
    entries: int = 0
    _open: bool = False

    async def open(self, remembered_days: int) -> Restored:
        """See Ledger."""
        await asyncio.sleep(0)
        if self.down:
            raise NotPublishedError("the ledger in memory is down")
        restored = Restored(None, States(self.source, remembered_days))
        for key, value in self.rows.items():
            restore_row(restored, self.source, key, value)
        self._open = True
        return restored

    async def write(self, entry: Entry) -> None:
        """See Ledger."""
        await asyncio.sleep(0)
        if self.down or not self._open:
            self._open = False
            raise NotPublishedError("the ledger in memory is down")
        self.entries += 1
        self.events += entry.events
        self.rejected += entry.rejected
        self.rows |= {seen_key(self.source, key): value for key, value in entry.changes}
        if entry.cursor is not None:
            self.rows[cursor_key(self.source)] = orjson.dumps(entry.cursor.model_dump())
        if self.in_doubt:
            self.in_doubt = self._open = False
            raise NotPublishedError("the ledger in memory does not answer")

    async def close(self) -> None:
        """See Ledger."""
        self._open = False
