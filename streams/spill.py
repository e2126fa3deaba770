"""State of a replay that memory cannot hold: rows in a temporary database, deleted when the process ends."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final
from weakref import finalize

from streams.tracking.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["OPEN_BEFORE", "CellRows", "ConversationRows", "CustomerRows", "Spill", "SpillError"]

#: SQLite's cache in memory, in KiB; the remaining data is in a file.
_CACHE_KIB: Final = 8_192
_TABLES: Final = (
    "CREATE TABLE conversations (name TEXT UNIQUE, due INTEGER, lost INTEGER, last INTEGER, events INTEGER, customer INTEGER, row BLOB)",
    "CREATE INDEX conversation_due ON conversations (due)",
    "CREATE TABLE customers (key BLOB UNIQUE, last INTEGER, row BLOB)",
    "CREATE TABLE cells (scope INTEGER, start INTEGER, counts BLOB)",
    "CREATE INDEX cell_scope ON cells (scope, start)",
)
#: Runs at every flush, so it uses the index: another order would scan all rows.
OPEN_BEFORE: Final = "SELECT name FROM conversations WHERE due < ? AND lost IS NOT NULL ORDER BY due"


class SpillError(Exception):
    """The disk is full; the message states where, and what to do."""


class Spill:
    """An unnamed database: what does not fit into its cache is in an unlinked file of the temporary directory."""

    def __init__(self) -> None:
        self._open: sqlite3.Connection | None = None

    @property
    def database(self) -> sqlite3.Connection:
        """The connection, opened on first use: most inputs are small."""
        connection = self._open
        if connection is None:
            connection = self._open = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            finalize(self, connection.close)
            # The data need not be durable: it ends with the process.
            for line in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", f"PRAGMA cache_size = -{_CACHE_KIB}", *_TABLES, "BEGIN"):
                connection.execute(line)
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for writing.

        Raises:
            SpillError: the disk is full.
        """
        try:
            yield self.database
        except sqlite3.OperationalError as error:
            message = f"temporary data cannot be written to {gettempdir()} ({error}): set TMPDIR to a directory with free space"
            raise SpillError(message) from error

    def close(self) -> None:
        """Delete the file and its content."""
        if self._open is not None:
            self._open.close()
            self._open = None


class ConversationRows:
    """Rows of conversations by name: the protocol ``Frozen`` of ``streams.tracking.unread``."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._number = 0
        #: the last name that was not found
        self._missed: str | None = None

    def put(self, rows: Iterable[tuple[str, Unread]]) -> None:
        """Insert rows by name, of conversations that are not stored yet."""
        records = [
            (name, unread.due_ms, unread.lost_from_ms, unread.last_ms, unread.events, unread.has_customer, unread.rows[0])
            for name, unread in rows
        ]
        with self._spill.writing() as database:
            database.executemany("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?)", records)
        self._number += len(records)
        self._missed = None

    def take(self, name: str) -> Unread | None:
        """Remove and return the rows of a conversation."""
        # A new conversation is requested twice.
        if not self._number or name == self._missed:
            return None
        query = "SELECT rowid, row, events, due, lost, last, customer FROM conversations WHERE name = ?"
        record = self._spill.database.execute(query, (name,)).fetchone()
        if record is None:
            self._missed = name
            return None
        number, row, events, due, lost, last, customer = record
        with self._spill.writing() as database:
            database.execute("DELETE FROM conversations WHERE rowid = ?", (number,))
        self._number -= 1
        return Unread((row,), events, due, lost, last, bool(customer))

    def take_over(self, before_ms: int) -> list[tuple[str, int, int]]:
        """Remove ended conversations that were due before an instant; return each name with its numbers of events and rows."""
        if not self._number:
            return []
        chosen = "FROM conversations WHERE due < ? AND lost IS NULL"
        removed: list[tuple[str, int, int]] = self._spill.database.execute(f"SELECT name, events, 1 {chosen}", (before_ms,)).fetchall()
        if removed:
            with self._spill.writing() as database:
                database.execute(f"DELETE {chosen}", (before_ms,))
            self._number -= len(removed)
        return removed

    def open_before(self, before_ms: int) -> list[str]:
        """Return the names of open conversations that were due before an instant."""
        return self._names(OPEN_BEFORE, before_ms)

    def open_or_since(self, at_ms: int) -> list[str]:
        """Return the names of conversations that are open or have events at an instant or later."""
        return self._names("SELECT name FROM conversations WHERE lost IS NOT NULL OR last >= ? ORDER BY rowid", at_ms)

    def _names(self, query: str, *values: int) -> list[str]:
        return [name for (name,) in self._spill.database.execute(query, values)] if self._number else []

    def __contains__(self, name: object) -> bool:
        query = "SELECT 1 FROM conversations WHERE name = ?"
        return self._number > 0 and self._spill.database.execute(query, (name,)).fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names("SELECT name FROM conversations ORDER BY rowid"))

    def __len__(self) -> int:
        return self._number


class CustomerRows:
    """Packed customers by short key: the protocol ``Cold`` of ``streams.tracking.customer_store``."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._number = 0

    def put(self, rows: Iterable[tuple[bytes, int, bytes]]) -> None:
        """Insert customers that are not stored yet, each with the time it was last seen."""
        records = list(rows)
        with self._spill.writing() as database:
            database.executemany("INSERT INTO customers VALUES (?, ?, ?)", records)
        self._number += len(records)

    def get(self, key: bytes) -> bytes | None:
        """Return a customer."""
        record = self._spill.database.execute("SELECT row FROM customers WHERE key = ?", (key,)).fetchone() if self._number else None
        return None if record is None else record[0]

    def take(self, key: bytes) -> bytes | None:
        """Remove and return a customer."""
        row = self.get(key)
        if row is not None:
            with self._spill.writing() as database:
                database.execute("DELETE FROM customers WHERE key = ?", (key,))
            self._number -= 1
        return row

    def silent_before(self, at_ms: int) -> list[bytes]:
        """Return the keys of customers last seen before an instant."""
        if not self._number:
            return []
        return [key for (key,) in self._spill.database.execute("SELECT key FROM customers WHERE last < ?", (at_ms,))]

    def __contains__(self, key: object) -> bool:
        query = "SELECT 1 FROM customers WHERE key = ?"
        return self._number > 0 and self._spill.database.execute(query, (key,)).fetchone() is not None

    def __iter__(self) -> Iterator[bytes]:
        return iter([key for (key,) in self._spill.database.execute("SELECT key FROM customers")] if self._number else ())

    def __len__(self) -> int:
        return self._number


class CellRows:
    """Packed sums of the cells of one scope, several per growing cell: the protocol ``CellStore`` of ``streams.windows.batch_cells``."""

    def __init__(self, spill: Spill, scope: int) -> None:
        """Store the cells of the scope with this number."""
        self._spill, self._scope = spill, scope

    def put(self, cells: Iterable[tuple[int, bytes]]) -> None:
        """Insert sums to add to cells, by start."""
        scope = self._scope
        with self._spill.writing() as database:
            database.executemany("INSERT INTO cells VALUES (?, ?, ?)", [(scope, start, packed) for start, packed in cells])

    def get(self, start_ms: int) -> list[bytes]:
        """Return all sums of a cell."""
        query = "SELECT counts FROM cells WHERE scope = ? AND start = ?"
        return [packed for (packed,) in self._spill.database.execute(query, (self._scope, start_ms))]

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Yield start and sums of each cell, in order of the starts."""
        yield from self._spill.database.execute("SELECT start, counts FROM cells WHERE scope = ? ORDER BY start", (self._scope,))
