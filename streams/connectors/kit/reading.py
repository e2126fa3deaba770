"""From the bytes of a delivery or a file to its records; raises UnusableError where they are none. No input or output."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import orjson

from streams.connectors.kit.model import Record, UnusableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["block_records", "form_records", "joined_records", "json_records", "list_records"]

#: The most fields of a form, and headers of a block.
_MAX_FIELDS: Final = 1_000

_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n+")


def json_records(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the records of one JSON object, an array of objects, or JSON Lines.

    Raises:
        UnusableError: ``not_json`` or ``not_an_object``.
    """
    whole = body.strip()
    try:
        content = orjson.loads(whole)
    except orjson.JSONDecodeError:
        if b"\n" not in whole:
            raise UnusableError("not_json", "no JSON") from None
        yield from _lines(whole, origin)
        return
    entries = content if isinstance(content, list) else [content]
    for number, entry in enumerate(entries):
        yield Record(_an_object(entry), whole if len(entries) == 1 else orjson.dumps(entry), origin, number)


def _lines(whole: bytes, origin: str) -> Iterator[Record]:
    number = 0
    for line in map(bytes.strip, whole.split(b"\n")):
        if line:
            try:
                content = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UnusableError("not_json", f"record {number + 1} is no JSON") from error
            yield Record(_an_object(content), line, origin, number)
            number += 1


def list_records(*names: str) -> Callable[[bytes, str], Iterator[Record]]:
    """Return a reader of what a platform's export answers: one JSON object with the records as a list under one of these names.

    What is no such object is read as ``json_records`` does.
    """

    def read(body: bytes, origin: str) -> Iterator[Record]:
        for record in json_records(body, origin):
            name = next((each for each in names if isinstance(record.content.get(each), list)), None)
            if name is None:
                yield record
                continue
            for number, entry in enumerate(record.content[name]):
                yield Record(_an_object(entry), orjson.dumps(entry), origin, number)

    return read


def form_records(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the record of a form (``application/x-www-form-urlencoded``), one a line; of a field that comes twice the last one."""
    for number, line in enumerate(filter(None, map(bytes.strip, body.split(b"\n")))):
        try:
            fields = parse_qsl(line.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_MAX_FIELDS, errors="strict")
        except (UnicodeDecodeError, ValueError) as error:
            raise UnusableError("not_a_form", "no form fields in UTF-8") from error
        yield Record(dict(fields), line, origin, number)


def block_records(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the blocks of ``Name: value`` lines between blank lines; of a name that comes twice the last."""
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
    try:
        yield from json_records(body, origin)
    except UnusableError as error:
        if error.reason != "not_json" or b"}{" not in body:
            raise
    else:
        return
    text, at, number = body.decode("utf-8", "replace"), 0, 0
    decoder = json.JSONDecoder()
    while at < len(text):
        try:
            content, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            raise UnusableError("not_json", f"record {number + 1} is no JSON") from error
        yield Record(_an_object(content), text[at:end].encode(), origin, number)
        number += 1
        at = end
        while at < len(text) and text[at].isspace():
            at += 1
