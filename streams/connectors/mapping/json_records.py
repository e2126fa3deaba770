"""Split JSON into records: objects and lists of them, one after another, or an object a line."""

from __future__ import annotations

import json
import re
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.follow import read_lines
from streams.connectors.lines import Rejected
from streams.connectors.mapping.decoding import MAX_RECORD_BYTES, REPLACEMENT, decode, text_of_line
from streams.connectors.mapping.sources import Record
from streams.connectors.mapping.texts import BadRecordError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from streams.connectors.lines import Line
    from streams.connectors.mapping.format import Reading
    from streams.connectors.mapping.sources import Source

__all__ = ["MAX_JSON_BYTES", "json_document", "json_lines"]

#: A JSON file is read into memory; a larger one has to be JSON Lines.
MAX_JSON_BYTES: Final = 256 * 1024 * 1024

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_OBJECT: Final = "no JSON object; permitted: {…}"


def _no_number(_text: str) -> Any:
    raise ValueError("NaN and infinities are no JSON")


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)


def json_lines(source: Source) -> Generator[Record | Rejected]:
    """Yield the records of a file with an object a line."""
    with closing(read_lines(source.file, MAX_RECORD_BYTES)) as lines:
        for line in lines:
            if line.raw.strip():
                yield _of_line(line, source.reading)


def _of_line(line: Line, reading: Reading) -> Record | Rejected:
    try:
        text, replaced = text_of_line(line, reading)
        content = _DECODER.decode(text)
    except BadRecordError as error:
        return Rejected(line.origin, error.reason, error.detail, line.raw, line.start)
    except (ValueError, RecursionError) as error:
        return Rejected(line.origin, "invalid_json", _error_text(error), line.raw, line.start)
    if isinstance(content, dict):
        return Record(content, line.raw, line.origin, line.start, replaced)
    return Rejected(line.origin, "not_an_object", _OBJECT, line.raw, line.start)


def _error_text(error: Exception) -> str:
    """Return the error of a JSON text, without quoting it."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "is nested too deeply" if isinstance(error, RecursionError) else "holds a number that is none"


def json_document(source: Source) -> Generator[Record | Rejected]:
    """Yield the records of a file of objects and lists of them; raise MappingError."""
    reading, name = source.reading, source.file.name
    content = bytearray()
    with closing(source.file.chunks()) as chunks:
        for data in chunks:
            content += data
            if len(content) > MAX_JSON_BYTES:
                limit = (
                    f"{name} has more than {MAX_JSON_BYTES} bytes; permitted: at most as many, or JSON Lines of any size with format jsonl"
                )
                raise source.error(limit, "format")
    try:
        text, replaced = decode(bytes(content), reading)
    except UnicodeDecodeError as error:
        reason = f"{name}: byte {error.start} is no {reading.encoding} text; another encoding? Or read.bad_bytes: replace"
        raise source.error(reason) from error
    del content
    scan = _Scan(text.removeprefix("\ufeff"), name, reading.encoding, replaced=replaced > 0)
    lists = 0
    try:
        while not scan.at_end():
            if reading.records is not None and not scan.enter(reading.records.split(".")):
                break
            lists += 1
            yield from scan.records()
            if reading.records is not None:
                # Only the configured list holds records.
                break
    except (ValueError, RecursionError) as error:
        remaining = text[scan.begin : scan.begin + MAX_RECORD_BYTES // 4].encode(reading.encoding, "replace")
        yield Rejected(f"{name}:{scan.line()}", "invalid_json", f"{_error_text(error)}; the file is not read beyond this", remaining)
    if reading.records is not None and not lists:
        raise source.error(f"{name} has no list at {reading.records!r}", "records")


class _Scan:
    """A cursor over the values of a JSON text."""

    def __init__(self, text: str, name: str, encoding: str, *, replaced: bool) -> None:
        self._text = text
        self._name = name
        self._encoding = encoding
        self._replaced = replaced
        self._at = 0
        #: Start of the current value.
        self.begin = 0
        self._counted = (0, 1)

    def line(self) -> int:
        """Return the number of the line of ``begin``."""
        at, number = self._counted
        number += self._text.count("\n", at, self.begin)
        self._counted = (self.begin, number)
        return number

    def at_end(self) -> bool:
        """Return whether only white space follows."""
        self._skip()
        return self._at >= len(self._text)

    def enter(self, names: list[str]) -> bool:
        """Move to the list at a path of the object that begins here; return whether it exists."""
        for name in names:
            if self._peek() != "{" or not self._member(name):
                return False
        return self._peek() == "["

    def records(self) -> Iterator[Record | Rejected]:
        """Yield the records of the value that begins here: a list, or one object."""
        if self._peek() != "[":
            yield self._record()
            return
        self._take("[")
        if self._peek() == "]":
            self._take("]")
            return
        while True:
            yield self._record()
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

    def _record(self) -> Record | Rejected:
        content = self._value()
        text = self._text[self.begin : self._at]
        raw = text.encode(self._encoding, "replace")
        origin = f"{self._name}:{self.line()}"
        if len(raw) > MAX_RECORD_BYTES:
            return Rejected(origin, "too_long", f"{len(raw)} bytes; permitted: at most {MAX_RECORD_BYTES}", raw[:MAX_RECORD_BYTES])
        if not isinstance(content, dict):
            return Rejected(origin, "not_an_object", _OBJECT, raw)
        return Record(content, raw, origin, replaced=text.count(REPLACEMENT) if self._replaced else 0)

    def _value(self) -> Any:
        self._skip()
        self.begin = self._at
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        return value

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _peek(self) -> str:
        self._skip()
        self.begin = self._at
        return self._text[self._at : self._at + 1]

    def _take(self, mark: str) -> None:
        if self._peek() != mark:
            raise json.JSONDecodeError(f"Expecting {mark!r}", self._text, self._at)
        self._at += 1
