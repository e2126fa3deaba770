"""Join tables with the records of a data file: stored on disk by key, so that neither has to fit into memory."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.inputs import Input
from streams.connectors.lines import Rejected
from streams.connectors.mapping.compiling import Row
from streams.connectors.mapping.sources import Record, Source
from streams.connectors.mapping.texts import BadRecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from streams.connectors.mapping.loading import Mapping
    from streams.connectors.mapping.plan import TablePlan

__all__ = ["MAX_ROWS_OF_A_RECORD", "join_tables"]

#: The most rows of a table that belong to one record.
MAX_ROWS_OF_A_RECORD: Final = 10_000

_ROWS: Final = (
    "CREATE TABLE rows (at INTEGER, key TEXT, number INTEGER, origin TEXT, start INTEGER, raw BLOB, replaced INTEGER, content TEXT, "
    "used INTEGER)"
)
_DECIMAL: Final = "\0decimal"


def join_tables(
    records: Generator[Record | Rejected], file: Input, mapping: Mapping, read: Callable[[Source], Generator[Record | Rejected]]
) -> Generator[Record | Rejected]:
    """Yield records with their rows of the tables; before them the rejected rows of tables, after them rows of no record.

    Raises:
        MappingError: a table does not have what the mapping names.
        OSError: a file cannot be read.
    """
    # On disk, in a file that SQLite removes with the connection.
    with closing(records), closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as store:
        store.execute("PRAGMA journal_mode = OFF")
        store.execute(_ROWS)
        store.execute("BEGIN")
        tables = list(enumerate(mapping.plan.tables.items()))
        for at, (name, table) in tables:
            yield from _store_rows(store, at, name, table, file, mapping, read)
        store.execute("CREATE INDEX by_key ON rows (at, key, number)")
        for record in records:
            yield record if isinstance(record, Rejected) else _with_rows(store, tables, record)
        for at, (name, _) in tables:
            for origin, start, raw in store.execute("SELECT origin, start, raw FROM rows WHERE at = ? AND used = 0 ORDER BY number", (at,)):
                yield Rejected(origin, "no_record", f"tables.{name}: the data file has no record that it belongs to", raw, start)


def _store_rows(
    store: sqlite3.Connection,
    at: int,
    name: str,
    table: TablePlan,
    file: Input,
    mapping: Mapping,
    read: Callable[[Source], Generator[Record | Rejected]],
) -> Generator[Rejected]:
    """Store the rows of a table; yield the rejected ones."""
    spec = table.spec
    table_file = file if spec.file is None else Input((file.path.parent if not file.is_standard_input else file.path.cwd()) / spec.file)
    source = Source(table_file, spec.read or mapping.plan.file.read, mapping, ("tables", name, "read"), table.paths)
    with closing(read(source)) as records:
        for record in records:
            if isinstance(record, Rejected):
                yield record
                continue
            try:
                key = table.readers.key(Row(record.values, None))
            except BadRecordError as error:
                yield Rejected(record.origin, error.reason, f"tables.{name}.key: {error.detail}", record.raw, record.offset)
                continue
            if key is None:
                yield Rejected(
                    record.origin, "missing_value", f"tables.{name}.key: there is nothing in its columns", record.raw, record.offset
                )
                continue
            content = json.dumps(record.values, default=_packed)
            row = (at, str(key), record.number, record.origin, record.offset, record.raw, record.replaced, content)
            store.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)", row)


def _with_rows(store: sqlite3.Connection, tables: list[tuple[int, tuple[str, TablePlan]]], record: Record) -> Record | Rejected:
    """Return a record with its rows, or its rejection."""
    rows_by_table: dict[str, tuple[Record, ...]] = {}
    row = Row(record.values, None)
    for at, (name, table) in tables:
        try:
            key = table.readers.record(row)
        except BadRecordError as error:
            return Rejected(record.origin, error.reason, f"tables.{name}.record: {error.detail}", record.raw, record.offset)
        if key is None:
            continue
        chosen = "FROM rows WHERE at = ? AND key = ? ORDER BY number LIMIT ?"
        limit = MAX_ROWS_OF_A_RECORD if table.spec.rows == "many" else 1
        rows = store.execute(f"SELECT content, raw, origin, start, replaced, number {chosen}", (at, str(key), limit + 1)).fetchall()
        store.execute("UPDATE rows SET used = 1 WHERE at = ? AND key = ?", (at, str(key)))
        if len(rows) > limit:
            detail = f"tables.{name}: more than {limit} rows of it belong to this record"
            return Rejected(record.origin, "too_many_rows", detail, record.raw, record.offset)
        rows_by_table[name] = tuple(_restored(*stored) for stored in rows)
    return replace(record, joined=rows_by_table)


def _restored(content: str, raw: bytes, origin: str, start: int | None, replaced: int, number: int) -> Record:
    return Record(json.loads(content, object_hook=_unpacked), raw, origin, start, replaced, number)


def _packed(value: Any) -> Any:
    """Return a Decimal as JSON."""
    return {_DECIMAL: str(value)}


def _unpacked(content: dict[str, Any]) -> Any:
    return Decimal(content[_DECIMAL]) if content.keys() == {_DECIMAL} else content
