"""What a replay need not have at hand: rows in a temporary database, of which nothing is left when the process has ended."""

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

#: SQLite holds so much in memory, in KiB; all else is in a file.
_CACHE_KIB: Final = 8_192
_TABLES: Final = (
    "CREATE TABLE conversations (name TEXT UNIQUE, due INTEGER, lost INTEGER, last INTEGER, events INTEGER, customer INTEGER, row BLOB)",
    "CREATE INDEX conversation_due ON conversations (due)",
    "CREATE TABLE customers (key BLOB UNIQUE, last INTEGER, row BLOB)",
    "CREATE TABLE cells (place INTEGER, start INTEGER, counts BLOB)",
    "CREATE INDEX cell_place ON cells (place, start)",
)
#: Asked at every flush, so by the index: ordered otherwise it goes through all rows.
OPEN_BEFORE: Final = "SELECT name FROM conversations WHERE due < ? AND lost IS NOT NULL ORDER BY due"


class SpillError(Exception):
    """There is no room for what memory is not to hold; the message says where, and what to do."""


class Spill:
    """A database of no name: what does not fit into its cache is in a file of the temporary directory that no other process sees."""

    def __init__(self) -> None:
        self._open: sqlite3.Connection | None = None

    @property
    def database(self) -> sqlite3.Connection:
        """The connection, opened when it is first asked for: most inputs are small."""
        found = self._open
        if found is None:
            found = self._open = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            finalize(self, found.close)
            # What is lost with the process need not be made durable.
            for line in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", f"PRAGMA cache_size = -{_CACHE_KIB}", *_TABLES, "BEGIN"):
                found.execute(line)
        return found

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection to write by.

        Raises:
            SpillError: the disk is full.
        """
        try:
            yield self.database
        except sqlite3.OperationalError as error:
            message = f"what does not fit into memory cannot be kept in {gettempdir()} ({error}): let TMPDIR name a directory with room"
            raise SpillError(message) from error

    def close(self) -> None:
        """Give the file up, with all that is in it."""
        if self._open is not None:
            self._open.close()
            self._open = None


class ConversationRows:
    """Rows of conversations by name; as ``Frozen`` of ``streams.tracking.unread`` has it."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._number = 0
        #: it is not there
        self._missed: str | None = None

    def put(self, rows: Iterable[tuple[str, Unread]]) -> None:
        """Take in rows by name, of conversations that are not among them."""
        told = [(name, each.due_ms, each.lost_from_ms, each.last_ms, each.events, each.has_customer, each.rows[0]) for name, each in rows]
        with self._spill.writing() as database:
            database.executemany("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?)", told)
        self._number += len(told)
        self._missed = None

    def take(self, name: str) -> Unread | None:
        """Return the rows of a conversation, and forget them."""
        # Of a new conversation it is asked twice.
        if not self._number or name == self._missed:
            return None
        wanted = "SELECT rowid, row, events, due, lost, last, customer FROM conversations WHERE name = ?"
        found = self._spill.database.execute(wanted, (name,)).fetchone()
        if found is None:
            self._missed = name
            return None
        number, row, events, due, lost, last, customer = found
        with self._spill.writing() as database:
            database.execute("DELETE FROM conversations WHERE rowid = ?", (number,))
        self._number -= 1
        return Unread((row,), events, due, lost, last, bool(customer))

    def take_over(self, before_ms: int) -> list[tuple[str, int, int]]:
        """Forget what is over and was due before an instant; return names, each with its events and rows."""
        if not self._number:
            return []
        chosen = "FROM conversations WHERE due < ? AND lost IS NULL"
        found: list[tuple[str, int, int]] = self._spill.database.execute(f"SELECT name, events, 1 {chosen}", (before_ms,)).fetchall()
        if found:
            with self._spill.writing() as database:
                database.execute(f"DELETE {chosen}", (before_ms,))
            self._number -= len(found)
        return found

    def open_before(self, before_ms: int) -> list[str]:
        """Return the names of what is open and was due before an instant."""
        return self._names(OPEN_BEFORE, before_ms)

    def open_or_since(self, at_ms: int) -> list[str]:
        """Return the names of what is open, or has something of an instant or later."""
        return self._names("SELECT name FROM conversations WHERE lost IS NOT NULL OR last >= ? ORDER BY rowid", at_ms)

    def _names(self, wanted: str, *values: int) -> list[str]:
        return [name for (name,) in self._spill.database.execute(wanted, values)] if self._number else []

    def __contains__(self, name: object) -> bool:
        wanted = "SELECT 1 FROM conversations WHERE name = ?"
        return self._number > 0 and self._spill.database.execute(wanted, (name,)).fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names("SELECT name FROM conversations ORDER BY rowid"))

    def __len__(self) -> int:
        return self._number


class CustomerRows:
    """Packed customers by short key; as ``Cold`` of ``streams.tracking.customer_store`` has it."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._number = 0

    def put(self, rows: Iterable[tuple[bytes, int, bytes]]) -> None:
        """Take in customers, each with when something was last heard, that are not among them."""
        told = list(rows)
        with self._spill.writing() as database:
            database.executemany("INSERT INTO customers VALUES (?, ?, ?)", told)
        self._number += len(told)

    def get(self, key: bytes) -> bytes | None:
        """Return a customer."""
        found = self._spill.database.execute("SELECT row FROM customers WHERE key = ?", (key,)).fetchone() if self._number else None
        return None if found is None else found[0]

    def take(self, key: bytes) -> bytes | None:
        """Return a customer, and forget it."""
        found = self.get(key)
        if found is not None:
            with self._spill.writing() as database:
                database.execute("DELETE FROM customers WHERE key = ?", (key,))
            self._number -= 1
        return found

    def silent_before(self, at_ms: int) -> list[bytes]:
        """Return the keys of which nothing was heard at an instant or later."""
        if not self._number:
            return []
        return [key for (key,) in self._spill.database.execute("SELECT key FROM customers WHERE last < ?", (at_ms,))]

    def __contains__(self, key: object) -> bool:
        wanted = "SELECT 1 FROM customers WHERE key = ?"
        return self._number > 0 and self._spill.database.execute(wanted, (key,)).fetchone() is not None

    def __iter__(self) -> Iterator[bytes]:
        return iter([key for (key,) in self._spill.database.execute("SELECT key FROM customers")] if self._number else ())

    def __len__(self) -> int:
        return self._number


class CellRows:
    """Packed sums of the cells of one scope, of a cell that goes on several; as ``CellStore`` of ``streams.windows.batch_cells`` has it."""

    def __init__(self, spill: Spill, place: int) -> None:
        self._spill, self._place = spill, place

    def put(self, cells: Iterable[tuple[int, bytes]]) -> None:
        """Take in what is to be added to cells, by start."""
        place = self._place
        with self._spill.writing() as database:
            database.executemany("INSERT INTO cells VALUES (?, ?, ?)", [(place, start, packed) for start, packed in cells])

    def get(self, start_ms: int) -> list[bytes]:
        """Return all there is of a cell."""
        wanted = "SELECT counts FROM cells WHERE place = ? AND start = ?"
        return [packed for (packed,) in self._spill.database.execute(wanted, (self._place, start_ms))]

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Yield start and what there is of each cell, in order of the starts."""
        yield from self._spill.database.execute("SELECT start, counts FROM cells WHERE place = ? ORDER BY start", (self._place,))
