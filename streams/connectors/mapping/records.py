"""Split data files into records with their line and bytes: CSV, JSON, workbooks; a malformed record stops no other."""

from __future__ import annotations

import csv
from collections import Counter, deque
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from streams.configuration.consistency import nearest
from streams.connectors.follow import read_lines
from streams.connectors.inputs import as_input
from streams.connectors.lines import Rejected
from streams.connectors.mapping.decoding import MAX_RECORD_BYTES, as_utf_8, text_of_line
from streams.connectors.mapping.joining import join_tables
from streams.connectors.mapping.json_records import json_document, json_lines
from streams.connectors.mapping.sources import Record, Source
from streams.connectors.mapping.texts import BadRecordError
from streams.connectors.mapping.workbooks import WorkbookError, sheet_rows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from streams.connectors.inputs import Input
    from streams.connectors.lines import Line
    from streams.connectors.mapping.format import Reading
    from streams.connectors.mapping.loading import Mapping

__all__ = ["MAX_RECORD_BYTES", "Record", "read_records", "read_source"]


def read_records(path: Path | Input, mapping: Mapping) -> Generator[Record | Rejected]:
    """Yield every record of a data file, or its rejection; the files are closed with the generator.

    Raises:
        MappingError: the mapping names a column that the file does not have, or the file cannot be read as it states.
        OSError: the file cannot be read.
    """
    records = read_source(Source(as_input(path), mapping.plan.file.read, mapping, columns=mapping.plan.paths))
    return join_tables(records, as_input(path), mapping, read_source) if mapping.plan.tables else records


def read_source(source: Source) -> Generator[Record | Rejected]:
    """Yield every record of a source as ``read_records`` does."""
    with closing(_records(source)) as records:
        for number, record in enumerate(records, start=1):
            yield replace(record, number=number) if isinstance(record, Record) else record


def _records(source: Source) -> Generator[Record | Rejected]:
    if source.reading.format == "xlsx":
        return _workbook(source)
    file, reading = as_utf_8(source.file, source.reading)
    source = replace(source, file=file, reading=reading)
    if reading.format == "csv":
        return _csv(source)
    return json_lines(source) if reading.format == "jsonl" else json_document(source)


# ---- CSV ---------------------------------------------------------------------------------------------------------------------------


class _Supply:
    """The lines of a file as text; records which of them a row used, and accepts lines back."""

    def __init__(self, lines: Iterator[Line], reading: Reading) -> None:
        self.used: list[Line] = []
        self.replaced = 0
        self._lines = lines
        self._returned: deque[Line] = deque()
        self._reading = reading

    def __iter__(self) -> _Supply:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.used.append(line)
        text, replaced = text_of_line(line, self._reading)
        self.replaced += replaced
        return text + "\n"

    def begin(self) -> None:
        """Reset for the next row."""
        self.used, self.replaced = [], 0

    def keep_first(self) -> Line:
        """Return the first line used, and put the others back: they may be rows of their own."""
        first, *others = self.used
        self._returned.extendleft(reversed(others))
        return first


def _csv(source: Source) -> Generator[Record | Rejected]:
    with closing(read_lines(source.file, MAX_RECORD_BYTES)) as lines:
        yield from _rows(source, _Supply(lines, source.reading))


def _rows(source: Source, supply: _Supply) -> Iterator[Record | Rejected]:
    reading, name = source.reading, source.file.name
    rows = csv.reader(supply, delimiter=reading.delimiter, quotechar=reading.quote, strict=True)
    columns = _named_columns(source)
    while True:
        supply.begin()
        try:
            cells = next(rows)
        except StopIteration:
            break
        except (csv.Error, BadRecordError) as error:
            if columns is None:
                raise source.error(f"{name}:1: the header cannot be read: {error}") from error
            alone = len(supply.used) == 1 and isinstance(error, BadRecordError)
            reason = error.reason if alone and isinstance(error, BadRecordError) else "bad_csv"
            detail = str(error) if alone else "quotes that do not belong together; permitted: quotes around a column, doubled inside"
            line = supply.keep_first()
            yield Rejected(line.origin, reason, detail, line.raw, line.start)
            continue
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if columns is None:
            columns = cells
            _check_columns(columns, f"{name}:{supply.used[0].number}", source)
            continue
        yield _row(cells, columns, supply, short_rows=reading.short_rows)
    if columns is None:
        raise source.error(f"{name}: is empty; permitted: a header with the columns, or read.columns")


def _named_columns(source: Source) -> list[str] | None:
    """Return the columns that the mapping names, None where the file has a header."""
    if source.reading.columns is None:
        return None
    columns = [column.strip() for column in source.reading.columns]
    _check_columns(columns, f"{source.file.name} by read.columns", source)
    return columns


def _row(cells: list[str], columns: list[str], supply: _Supply, *, short_rows: bool) -> Record | Rejected:
    raw = b"\n".join(line.raw for line in supply.used)
    first = supply.used[0]
    if len(cells) > len(columns) or (len(cells) < len(columns) and not short_rows):
        detail = _count_of_columns(len(cells), len(columns))
        return Rejected(first.origin, "column_count", detail, raw[:MAX_RECORD_BYTES], first.start)
    return Record(dict(zip(columns, cells, strict=False)), raw, first.origin, first.start, supply.replaced)


def _count_of_columns(cells: int, columns: int) -> str:
    return f"has {cells} columns; permitted: {columns}" + ("" if cells > columns else ", or fewer with read.short_rows")


def _check_columns(columns: Sequence[str], header: str, source: Source) -> None:
    """Raise MappingError with each column the mapping uses that is missing or repeated."""
    times = Counter(columns)
    problems = [
        (location, f"unknown column {name!r}{nearest(name, columns)}" if not times[name] else f"column {name!r} occurs twice in {header}")
        for location, name in source.columns
        if times[name] != 1
    ]
    if not problems:
        return
    if any(not times[name] for _, name in source.columns):
        problems.append((source.location, f"the columns of {header} are: {', '.join(filter(None, columns))}"))
    raise source.mapping.error(problems)


# ---- Workbooks ---------------------------------------------------------------------------------------------------------------------


def _workbook(source: Source) -> Generator[Record | Rejected]:
    name = source.file.name
    columns = _named_columns(source)
    try:
        with closing(sheet_rows(source.file, source.reading.sheet)) as rows:
            for number, cells in rows:
                if columns is None:
                    columns = ["" if cell is None else str(cell).strip() for cell in cells]
                    _check_columns(columns, f"{name}:{number}", source)
                    continue
                raw = orjson.dumps([cell if cell is None or isinstance(cell, (str, bool)) else str(cell) for cell in cells])
                if len(raw) > MAX_RECORD_BYTES:
                    yield Rejected(
                        f"{name}:{number}", "too_long", f"{len(raw)} bytes; permitted: at most {MAX_RECORD_BYTES}", raw[:MAX_RECORD_BYTES]
                    )
                elif len(cells) > len(columns):
                    yield Rejected(f"{name}:{number}", "column_count", _count_of_columns(len(cells), len(columns)), raw)
                else:
                    yield Record(dict(zip(columns, cells, strict=False)), raw, f"{name}:{number}")
    except WorkbookError as error:
        raise source.error(f"{name}: {error}", *error.key) from error
    if columns is None:
        raise source.error(f"{name}: is empty; permitted: a header with the columns, or read.columns")
