"""What a connector that asks its platform has written together, and what it finds when it starts again; with a twin in memory."""

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

__all__ = ["STATE_TOPIC", "Entry", "FencedError", "Ledger", "MemoryLedger", "Restored", "cursor_key", "seen_key", "take"]

STATE_TOPIC: Final = "connector-state.v1"

#: Records of one transaction.
_MOST_TOGETHER: Final = 10_000

_RECORD: Final = TypeAdapter[CursorRecord | SeenRecord](ConnectorRecord)


class FencedError(Exception):
    """Another process has begun to ask for the same source: this one is to end."""


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
        """Say whether there is anything to write."""
        return bool(self.events or self.rejected or self.changes or self.cursor)

    def parts(self) -> Iterator[Entry]:
        """Yield it in transactions that Kafka has time for: all events before what was seen of them, and where to go on last.

        Should it end in between, the same is asked again, and its events count once by their ids.
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
        """Shut out other processes of this source, and return what is there.

        Raises:
            NotPublishedError: Kafka does not answer.
        """

    async def write(self, entry: Entry) -> None:
        """Write an entry; when this returns, it is there for every reader.

        Raises:
            NotPublishedError: it is there or not; ``open`` tells.
            FencedError: another process has opened the ledger of this source.
        """

    async def close(self) -> None:
        """Let go, after a bounded wait."""


def cursor_key(source: str) -> bytes:
    """Return the key of the place of a source."""
    return f"cursor|{source}".encode()


def seen_key(source: str, key: str) -> bytes:
    """Return the key of what was seen of a record."""
    return f"seen|{source}|{key}".encode()


def take(restored: Restored, source: str, key: bytes | None, value: bytes | None) -> None:
    """Take a record of the topic into what is restored; records of other sources are passed over."""
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
    """A ledger of lists, for tests: forgets nothing that was written, and fails when told to."""

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
            raise NotPublishedError("the ledger in memory was told to be down")
        restored = Restored(None, States(self.source, remembered_days))
        for key, value in self.rows.items():
            take(restored, self.source, key, value)
        self._open = True
        return restored

    async def write(self, entry: Entry) -> None:
        """See Ledger."""
        await asyncio.sleep(0)
        if self.down or not self._open:
            self._open = False
            raise NotPublishedError("the ledger in memory was told to be down")
        self.entries += 1
        self.events += entry.events
        self.rejected += entry.rejected
        self.rows |= {seen_key(self.source, key): value for key, value in entry.changes}
        if entry.cursor is not None:
            self.rows[cursor_key(self.source)] = orjson.dumps(entry.cursor.model_dump())
        if self.in_doubt:
            self.in_doubt = self._open = False
            raise NotPublishedError("the ledger in memory was told not to answer")

    async def close(self) -> None:
        """See Ledger."""
        self._open = False
