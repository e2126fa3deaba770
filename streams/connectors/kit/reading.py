"""Read the records of a delivery or a file; no input or output.

Where some are malformed, UnusableError is raised after all others have been yielded.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import orjson

from streams.connectors.kit.model import Record, UnusableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["block_records", "joined_records", "json_or_form_records", "json_records", "list_records", "loaded", "tamed", "written"]

#: The most fields of a form, and headers of a block.
_MAX_FIELDS: Final = 1_000

#: Limits of lenient reading: depth, and length of whole numbers.
_MAX_DEPTH: Final = 200
_MAX_BITS: Final = 63
_MAX_DIGITS: Final = 19

_JSON_BEGINS: Final = (b"{", b"[")
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n+")


def loaded(data: bytes | str) -> Any:
    """Return the content of JSON, also with half characters and endless numbers, which only a lenient reader accepts; raise ValueError."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return tamed(json.loads(data if isinstance(data, str) else data.decode(), parse_int=_bounded_int))
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


def written(content: Any) -> bytes:
    """Return content as JSON that every reader accepts, whatever it is."""
    try:
        return orjson.dumps(content, default=str)
    except TypeError:
        return orjson.dumps(tamed(content), default=str)


def tamed(value: Any, depth: int = 0) -> Any:
    """Return content that can be written: half characters are replaced, and values that are nested too deeply or endless dropped."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {tamed(str(name)): tamed(content, depth + 1) for name, content in value.items()} if depth < _MAX_DEPTH else None
    if isinstance(value, (list, tuple)):
        return [tamed(entry, depth + 1) for entry in value] if depth < _MAX_DEPTH else None
    return None if isinstance(value, int) and value.bit_length() > _MAX_BITS else value


def _bounded_int(text: str) -> float:
    return int(text) if len(text) < _MAX_DIGITS else float(text)


def json_records(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the records of one JSON object, an array of objects, or JSON Lines.

    Raises:
        UnusableError: ``not_json`` or ``not_an_object``.
    """
    text = body.strip()
    try:
        content = loaded(text)
    except ValueError:
        first, more, _ = text.partition(b"\n")
        # A malformed document over several lines: its lines are no records.
        if not more or (first.startswith((b"{", b"[")) and not first.rstrip().endswith(b"}")):
            raise UnusableError("not_json", "no JSON") from None
        yield from _lines(text, origin)
        return
    if not isinstance(content, list):
        yield Record(_an_object(content), text, origin)
        return
    yield from _objects(content, origin)


def _lines(text: bytes, origin: str) -> Iterator[Record]:
    number = 0
    unusable = _Unusable()
    for line in map(bytes.strip, text.split(b"\n")):
        if line:
            try:
                yield Record(_an_object(loaded(line)), line, origin, number)
            except ValueError:
                unusable.add(number, "not_json", "is no JSON")
            except UnusableError:
                unusable.add(number, "not_an_object", "is no JSON object")
            number += 1
    unusable.raise_if_any()


def _objects(entries: list[Any], origin: str) -> Iterator[Record]:
    unusable = _Unusable()
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            yield Record(entry, written(entry), origin, number)
        else:
            unusable.add(number, "not_an_object", "is no JSON object")
    unusable.raise_if_any()


class _Unusable:
    """The malformed records, reported at the end."""

    def __init__(self) -> None:
        self._count = 0
        self._first = ("", "")

    def add(self, number: int, reason: str, what: str) -> None:
        self._count += 1
        if self._count == 1:
            self._first = reason, f"record {number + 1} {what}"

    def raise_if_any(self) -> None:
        """Raise UnusableError if there was any."""
        reason, detail = self._first
        if self._count:
            raise UnusableError(reason, detail if self._count == 1 else f"{detail}, and {self._count - 1} more are none")


def list_records(*names: str) -> Callable[[bytes, str], Iterator[Record]]:
    """Return a reader of exports: one JSON object with the records as a list under one of these names.

    Other content is read as by ``json_records``.
    """

    def read(body: bytes, origin: str) -> Iterator[Record]:
        for record in json_records(body, origin):
            name = next((name for name in names if isinstance(record.content.get(name), list)), None)
            if name is None:
                yield record
                continue
            yield from _objects(record.content[name], origin)

    return read


def json_or_form_records(of_json: Callable[[bytes, str], Iterator[Record]]) -> Callable[[bytes, str], Iterator[Record]]:
    """Return a reader of JSON, by the given reader, or of one form (``application/x-www-form-urlencoded``) a line."""

    def read(body: bytes, origin: str) -> Iterator[Record]:
        return of_json(body, origin) if body.lstrip().startswith(_JSON_BEGINS) else _form_records(body, origin)

    return read


def _form_records(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the record of a form, one a line; of a repeated field the last value."""
    for number, line in enumerate(filter(None, map(bytes.strip, body.split(b"\n")))):
        try:
            fields = parse_qsl(line.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_MAX_FIELDS, errors="strict")
        except (UnicodeDecodeError, ValueError) as error:
            raise UnusableError("not_a_form", "no form fields in UTF-8") from error
        yield Record(dict(fields), line, origin, number)


def block_records(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the blocks of ``Name: value`` lines between blank lines; of a repeated name the last value."""
    number = 0
    for block in _BLANK_LINE.split(body.strip()):
        content: dict[str, Any] = {}
        for line in block.splitlines()[:_MAX_FIELDS]:
            name, colon, value = line.decode("utf-8", "replace").partition(":")
            if colon:
                content[name.strip()] = value.strip()
        if content:
            yield Record(content, block, origin, number)
            number += 1


def _an_object(content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise UnusableError("not_an_object", "a record is a JSON object")
    return content


def joined_records(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the records of JSON objects one after another, with or without white space between them, as Firehose writes them.

    Raises:
        UnusableError: ``not_json`` or ``not_an_object``.
    """
    if b"}{" not in body or _is_json(body):
        yield from json_records(body, origin)
        return
    text, at, number = body.decode("utf-8", "replace"), 0, 0
    decoder = json.JSONDecoder(parse_int=_bounded_int)
    unusable = _Unusable()
    while (at := _next(text, at)) < len(text):
        try:
            content, end = decoder.raw_decode(text, at)
            yield Record(_an_object(tamed(content)), text[at:end].encode(), origin, number)
        except (ValueError, RecursionError):
            # Continues in the next line, if there is one.
            end = text.find("\n", at) + 1 or len(text)
            unusable.add(number, "not_json", "is no JSON")
        except UnusableError:
            unusable.add(number, "not_an_object", "is no JSON object")
        number += 1
        at = end
    unusable.raise_if_any()


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body.strip())
    except orjson.JSONDecodeError:
        return False
    return True


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
