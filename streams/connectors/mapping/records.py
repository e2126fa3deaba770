"""Data files taken apart into records that know their line and their bytes: CSV, JSON, JSON Lines; a broken record stops no other."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, deque
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from streams.configuration.consistency import nearest
from streams.connectors.follow import read_lines
from streams.connectors.inputs import as_input
from streams.connectors.lines import Rejected
from streams.connectors.mapping.texts import BadRecordError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.connectors.inputs import Input
    from streams.connectors.lines import Line
    from streams.connectors.mapping.loading import Mapping

__all__ = ["MAX_JSON_BYTES", "MAX_RECORD_BYTES", "Record", "read_records"]

#: The longest record; a dead letter of it still fits into its topic.
MAX_RECORD_BYTES: Final = 1024 * 1024

#: A JSON file is read at once; a larger one belongs into JSON Lines.
MAX_JSON_BYTES: Final = 256 * 1024 * 1024

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_OBJECT: Final = "no JSON object; permitted: {…}"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the columns of a row by name, or a JSON object."""

    values: dict[str, Any]
    raw: bytes
    #: ``file:line``, the line where it begins.
    origin: str
    #: Byte offset of its beginning, where it is known.
    offset: int | None = None


def read_records(path: Path | Input, mapping: Mapping) -> Iterator[Record | Rejected]:
    """Yield every record of a data file, or why it is none.

    Raises:
        MappingError: the mapping names a column that the file does not have, or the file cannot be read as it says.
        OSError: the file cannot be read.
    """
    form = mapping.plan.file.read.format
    if form == "csv":
        return _csv(path, mapping)
    return _json_lines(path, mapping) if form == "jsonl" else _json(path, mapping)


def _text(line: Line, encoding: str) -> str:
    """Return the text of a line; raise BadRecordError."""
    if line.length > MAX_RECORD_BYTES:
        raise BadRecordError("too_long", f"{line.length} bytes; permitted: at most {MAX_RECORD_BYTES}. The first of them are kept.")
    try:
        text = line.raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadRecordError("not_text", f"byte {error.start} of the line is no {encoding} text; another encoding?") from None
    return text.removeprefix("\ufeff") if line.start == 0 else text


# ---- CSV ---------------------------------------------------------------------------------------------------------------------------


class _Supply:
    """The lines of a file as text; remembers which of them went into a row, and takes lines back."""

    def __init__(self, path: Path | Input, encoding: str) -> None:
        self.used: list[Line] = []
        self._lines = read_lines(path, MAX_RECORD_BYTES)
        self._returned: deque[Line] = deque()
        self._encoding = encoding

    def __iter__(self) -> _Supply:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.used.append(line)
        return _text(line, self._encoding) + "\n"

    def keep_one(self) -> Line:
        """Return the first line used, and take back the others: they may be rows of their own."""
        first, *others = self.used
        self._returned.extendleft(reversed(others))
        return first


def _csv(path: Path | Input, mapping: Mapping) -> Iterator[Record | Rejected]:
    reading = mapping.plan.file.read
    supply = _Supply(path, reading.encoding)
    rows = csv.reader(supply, delimiter=reading.delimiter, quotechar=reading.quote, strict=True)
    columns = [column.strip() for column in reading.columns] if reading.columns is not None else None
    if columns is not None:
        _check_columns(columns, f"{path.name} by read.columns", mapping)
    while True:
        supply.used = []
        try:
            cells = next(rows)
        except StopIteration:
            break
        except (csv.Error, BadRecordError) as error:
            if columns is None:
                raise mapping.error([(("read",), f"{path.name}:1: the header cannot be read: {error}")]) from error
            alone = len(supply.used) == 1 and isinstance(error, BadRecordError)
            reason = error.reason if alone and isinstance(error, BadRecordError) else "bad_csv"
            detail = str(error) if alone else "quotes that do not belong together; permitted: quotes around a column, doubled inside"
            line = supply.keep_one()
            yield Rejected(line.origin, reason, detail, line.raw, line.start)
            continue
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if columns is None:
            columns = cells
            _check_columns(columns, f"{path.name}:{supply.used[0].number}", mapping)
            continue
        yield _row(cells, columns, supply.used, short_rows=reading.short_rows)
    if columns is None:
        raise mapping.error([(("read",), f"{path.name}: is empty; permitted: a header with the columns, or read.columns")])


def _row(cells: list[str], columns: list[str], lines: list[Line], *, short_rows: bool) -> Record | Rejected:
    raw = b"\n".join(line.raw for line in lines)
    first = lines[0]
    if len(cells) > len(columns) or (len(cells) < len(columns) and not short_rows):
        permitted = f"permitted: {len(columns)}" + ("" if len(cells) > len(columns) else ", or fewer with read.short_rows")
        return Rejected(first.origin, "column_count", f"has {len(cells)} columns; {permitted}", raw[:MAX_RECORD_BYTES], first.start)
    return Record(dict(zip(columns, cells, strict=False)), raw, first.origin, first.start)


def _check_columns(columns: list[str], where: str, mapping: Mapping) -> None:
    """Raise MappingError for each column the mapping uses that is not there, or there twice."""
    times, listed = Counter(columns), ", ".join(filter(None, columns))
    problems = [
        (
            location,
            f"unknown column {name!r}{nearest(name, columns)}; permitted: the columns of {where}: {listed}",
        )
        if not times[name]
        else (location, f"column {name!r} stands twice in {where}")
        for location, name in mapping.plan.paths
        if times[name] != 1
    ]
    if problems:
        raise mapping.error(problems)


# ---- JSON --------------------------------------------------------------------------------------------------------------------------


def _no_number(_word: str) -> Any:
    raise ValueError("NaN and infinities are no JSON")


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)


def _json_lines(path: Path | Input, mapping: Mapping) -> Iterator[Record | Rejected]:
    encoding = mapping.plan.file.read.encoding
    for line in read_lines(path, MAX_RECORD_BYTES):
        if not line.raw.strip():
            continue
        try:
            found = _DECODER.decode(_text(line, encoding))
        except BadRecordError as error:
            yield Rejected(line.origin, error.reason, error.detail, line.raw, line.start)
        except (ValueError, RecursionError) as error:
            yield Rejected(line.origin, "invalid_json", _worded(error), line.raw, line.start)
        else:
            if isinstance(found, dict):
                yield Record(found, line.raw, line.origin, line.start)
            else:
                yield Rejected(line.origin, "not_an_object", _OBJECT, line.raw, line.start)


def _worded(error: Exception) -> str:
    """Return what is wrong with a JSON text, without quoting it."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "is nested too deeply" if isinstance(error, RecursionError) else "holds a number that is none"


def _json(path: Path | Input, mapping: Mapping) -> Iterator[Record | Rejected]:
    with as_input(path).opened() as file:
        content = file.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        limit = f"{path.name} has more than {MAX_JSON_BYTES} bytes; permitted: at most as many, or JSON Lines of any size with format jsonl"
        raise mapping.error([(("read", "format"), limit)])
    reading = mapping.plan.file.read
    try:
        text = content.decode(reading.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise mapping.error([(("read",), f"{path.name}: byte {error.start} is no {reading.encoding} text; another encoding?")]) from error
    scan = _Scan(text, path.name)
    lists = 0
    try:
        while not scan.at_end():
            if reading.records is not None and not scan.enter(reading.records.split(".")):
                break
            lists += 1
            yield from scan.records(reading.encoding)
            if reading.records is not None:
                # One list was asked for; what stands around it is nobody's record.
                break
    except (ValueError, RecursionError) as error:
        rest = text[scan.begin : scan.begin + MAX_RECORD_BYTES // 4].encode(reading.encoding)
        yield Rejected(f"{path.name}:{scan.line()}", "invalid_json", f"{_worded(error)}; the file is not read beyond this", rest)
    if reading.records is not None and not lists:
        raise mapping.error([(("read", "records"), f"{path.name} has no list at {reading.records!r}")])


class _Scan:
    """A place in a JSON text that moves from value to value."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0
        #: Where the value began that is being read.
        self.begin = 0
        self._counted = (0, 1)

    def line(self) -> int:
        """Return the number of the line of ``begin``."""
        at, number = self._counted
        number += self._text.count("\n", at, self.begin)
        self._counted = (self.begin, number)
        return number

    def at_end(self) -> bool:
        """Say whether nothing follows."""
        self._skip()
        return self._at >= len(self._text)

    def enter(self, names: list[str]) -> bool:
        """Move to the list at a path of the object that begins here; say whether it is there."""
        for name in names:
            if self._peek() != "{" or not self._member(name):
                return False
        return self._peek() == "["

    def records(self, encoding: str) -> Iterator[Record | Rejected]:
        """Yield the records of the value that begins here: a list, or one object."""
        if self._peek() != "[":
            yield self._record(encoding)
            return
        self._take("[")
        if self._peek() == "]":
            self._take("]")
            return
        while True:
            yield self._record(encoding)
            if self._peek() != ",":
                break
            self._take(",")
        self._take("]")

    def _member(self, name: str) -> bool:
        self._take("{")
        while self._peek() == '"':
            key = self._value()
            self._take(":")
            if key == name:
                return True
            self._value()
            if self._peek() == ",":
                self._take(",")
        return False

    def _record(self, encoding: str) -> Record | Rejected:
        found = self._value()
        raw = self._text[self.begin : self._at].encode(encoding)
        origin = f"{self._name}:{self.line()}"
        if len(raw) > MAX_RECORD_BYTES:
            return Rejected(origin, "too_long", f"{len(raw)} bytes; permitted: at most {MAX_RECORD_BYTES}", raw[:MAX_RECORD_BYTES])
        return Record(found, raw, origin) if isinstance(found, dict) else Rejected(origin, "not_an_object", _OBJECT, raw)

    def _value(self) -> Any:
        self._skip()
        self.begin = self._at
        found, self._at = _DECODER.raw_decode(self._text, self._at)
        return found

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _peek(self) -> str:
        self._skip()
        self.begin = self._at
        return self._text[self._at : self._at + 1]

    def _take(self, mark: str) -> None:
        if self._peek() != mark:
            raise json.JSONDecodeError(f"Expecting {mark!r}", self._text, self._at)
        self._at += 1
