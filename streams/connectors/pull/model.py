"""The definition of a polling connector: each file of ``streams/connectors/live`` that polls has a `Pull`."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streams.connectors.pull.client import Client

__all__ = ["Cursor", "Page", "PollContext", "Pull", "basic", "text_of", "time_of", "utc_second"]

#: Where to continue, in the platform's own terms: JSON.
Cursor = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a platform."""

    #: As the connector's ``read`` takes them; empty for none.
    records: bytes
    #: Where to continue after it.
    cursor: Cursor
    #: Everything that occurred before this is in the answers so far; None where that is not known yet.
    complete_through: datetime | None = None
    #: The container of its records, such as a file's name, for dead letters.
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollContext:
    """What ``fetch`` is given."""

    #: Of the last page that is in Kafka; empty at first.
    cursor: Cursor
    client: Client
    settings: Mapping[str, Any]
    #: Where a first start begins.
    since: datetime
    now: Callable[[], datetime]


def no_headers(_: Mapping[str, Any]) -> Mapping[str, str]:
    """Return no headers."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """How to poll a platform.

    ``fetch`` yields pages until there is no more for now. Each is in Kafka before the next is requested, and after a failure it is called
    again with the cursor of the last one: it retains nothing between two calls. It raises PollError, or passes on that of the client.
    """

    #: Of the connector in ``streams/connectors/platforms`` that translates the answers.
    name: str
    fetch: Callable[[PollContext], AsyncGenerator[Page, None]]
    #: From the settings and credentials: the prefix of all addresses, and the headers of every request. Raises ValueError.
    base: Callable[[Mapping[str, Any]], str]
    headers: Callable[[Mapping[str, Any]], Mapping[str, str]] = no_headers
    #: Between two polls, unless configured otherwise.
    poll_seconds: float = 60.0
    #: Between two requests at least.
    spacing_seconds: float = 0.0


def text_of(settings: Mapping[str, Any], name: str) -> str:
    """Return a required setting; raise ValueError."""
    value = settings.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: required, a text")
    return value.strip()


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def time_of(cursor: Cursor, name: str) -> datetime | None:
    """Return a time that a cursor holds as ISO 8601, None if it holds none."""
    value = cursor.get(name)
    return None if value is None else datetime.fromisoformat(value)


def utc_second(at: datetime) -> str:
    """Return a time as most platforms take it: ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
