"""Translate fixtures of desks, and make records invalid on purpose."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from schemas.events import encode
from streams.connectors.platforms import connector
from tests.support.platforms import FIXTURES, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.connectors.kit.model import Record
    from streams.connectors.kit.translating import Translated

__all__ = ["PERSONAL", "becomes", "content", "documents", "paths", "records", "rejections", "set_at"]

#: Personal values of the fixtures of desks: none of them may pass.
PERSONAL = ("Haru", "Kusunoki", "haru.kusunoki", "5550 0142", "parcel never came", "203.0.113.9", "Kobe")


def records(name: str) -> list[Record]:
    """Return the records of all fixtures of a connector."""
    return [each for sent in documents(name) for each in connector(name).read(orjson.dumps(sent), name)]


@cache
def documents(name: str) -> list[Any]:
    """Return the contents of all fixtures of a connector as they were sent: each a JSON object or array."""
    contents: list[Any] = []
    for path in sorted((FIXTURES / name).iterdir()):
        if path.name.endswith(("settings.json", "ours.json")):
            continue
        raw = path.read_bytes()
        contents += map(orjson.loads, filter(None, raw.splitlines()) if path.suffix == ".jsonl" else [raw])
    return contents


def becomes(name: str, *bodies: object, settings: dict[str, Any] | None = None, source: str = "desk") -> Translated:
    """Return the translation of deliveries, each JSON or bytes."""
    raw = [body if isinstance(body, bytes) else orjson.dumps(body) for body in bodies]
    return translated(connector(name), [(f"{number}", body) for number, body in enumerate(raw)], settings=settings, source=source)


def content(done: Translated) -> dict[str, dict[str, Any]]:
    """Return the events by id, without the time they were received."""
    by_id: dict[str, dict[str, Any]] = {}
    for event in done.events:
        fields = orjson.loads(encode(event))
        del fields["received_at"]
        assert by_id.setdefault(fields["event_id"], fields) == fields, "one id, two meanings"
    return by_id


def rejections(done: Translated) -> list[tuple[str, str]]:
    """Return reason and detail of each rejection."""
    return [(each.reason, each.detail) for each in done.rejected]


def paths(value: object, *above: str | int) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each value of a content."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        yield (*above, step)
        yield from paths(each, *above, step)


def set_at(sent: Any, path: tuple[str | int, ...], value: object) -> bytes:
    """Return the JSON of a content with another value at a path."""
    copy = orjson.loads(orjson.dumps(sent))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return json.dumps(copy).encode()
