"""What every event has in common: the base model and the field types with their limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from unicodedata import normalize

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.times import TIME_PATTERN, TimeFormatError, format_ms, parse_time, to_ms

__all__ = [
    "BLANKS",
    "MAX_LIST",
    "MAX_SECONDS",
    "REPLY_CHANNELS",
    "TEXT_PATTERN",
    "Channel",
    "Count",
    "Event",
    "Id",
    "Label",
    "Language",
    "Name",
    "Number",
    "Seconds",
    "Time",
    "composed",
    "hold",
]

#: Ten years: a longer duration is an error of the sender.
MAX_SECONDS = 315_576_000.0

#: The most entries a list of skills or queues may have.
MAX_LIST = 500

#: Characters that no text holds: controls, and characters that are invisible, turn the direction or disguise a text: line
#: separators, format characters (zero-width, bidirectional, tags), fillers, private use. Variation selectors distinguish names.
_REFUSED = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180e"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ue000-\uf8ff\ufeff\uffa0\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000f0000-\U0010ffff"
)

#: None of these, and at least one character that is not white space; Rust, Python and ECMA (`u`) regular expressions read it alike.
TEXT_PATTERN = rf"^[^{_REFUSED}]*[^{_REFUSED}\x20\xa0\u1680\u2000-\u200a\u202f\u205f\u3000][^{_REFUSED}]*$"


#: White space, as in the pattern. A text of nothing else stays unchanged, and the pattern refuses it.
BLANKS = "\x20\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


def composed(value: object) -> object:
    """Return a text in Unicode's composed form (NFC), without white space at its ends: texts that look the same are equal."""
    if not isinstance(value, str):
        return value
    value = value.strip(BLANKS) or value
    return value if value.isascii() else normalize("NFC", value)


_COMPOSED = BeforeValidator(composed)


def _read_time(value: object) -> datetime:
    """Return a UTC datetime in milliseconds from RFC 3339 text (the wire) or an aware datetime (Python callers)."""
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            kind, message = "time_format", "a time needs an offset from UTC"
            raise PydanticCustomError(kind, message)
        utc = value.astimezone(UTC)
        return utc.replace(microsecond=utc.microsecond // 1000 * 1000)
    if not isinstance(value, str):
        kind, message = "time_type", "a time is an RFC 3339 text"
        raise PydanticCustomError(kind, message)
    try:
        return parse_time(value)
    except TimeFormatError as error:
        kind, message = "time_format", "a time is YYYY-MM-DDTHH:MM:SS, an optional fraction, and Z or an offset"
        raise PydanticCustomError(kind, message) from error


def _write_time(value: datetime) -> str:
    return format_ms(to_ms(value))


Id = Annotated[str, Field(min_length=1, max_length=200, pattern=TEXT_PATTERN), _COMPOSED]
"""An identifier as the platform writes it, 1 to 200 characters."""

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=TEXT_PATTERN), _COMPOSED]
"""A name given by users: a queue, a team, a category, 1 to 200 characters."""

Label = Annotated[str, Field(min_length=1, max_length=100, pattern=TEXT_PATTERN), _COMPOSED]
"""A short term of a platform's own vocabulary, 1 to 100 characters."""

Language = Annotated[str, Field(min_length=2, max_length=35, pattern=TEXT_PATTERN), _COMPOSED]
"""A BCP 47 language tag."""

Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
"""A duration: finite, from 0 to ten years."""

Number = Annotated[float, Field(ge=0, le=1e15)]
"""A finite amount, 0 or more."""

Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""A whole number, 0 or more."""

Time = Annotated[
    datetime,
    PlainValidator(_read_time),
    PlainSerializer(_write_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIME_PATTERN}),
]
"""A moment in UTC, rounded down to the millisecond; RFC 3339 text with an offset on the wire."""

Channel = Literal[
    "voice",
    "mail",
    "web_form",
    "chat",
    "social",
    "video",
    "ticket",
    "sms",
    "callback",
    "survey",
    "faq",
    "bot",
]
"""How the customer and the business communicate."""

#: Channels where an agent answers by writing: the first public message is the answer, and handling is touch time.
REPLY_CHANNELS = frozenset({"mail", "web_form", "ticket", "social", "sms"})


def hold(far_fetched: str | None) -> None:
    """Raise the error of a model's validator for an event with times too long or too far off."""
    if far_fetched is not None:
        kind, message = "far_fetched", "{permitted}"
        raise PydanticCustomError(kind, message, {"permitted": far_fetched})


class Event(BaseModel):
    """What every event carries; unknown further fields are ignored, so that a newer sender may add some."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        allow_inf_nan=False,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        # On first use: a worker reads nearly all records without the models, and starts sooner.
        defer_build=True,
    )

    type: str
    """The kind of event; the first field, so that a reader finds it at once."""
    event_id: Id
    """Identifies the event among those of its source; the same when the sender repeats it."""
    occurred_at: Time
    """When it happened, by the platform's clock."""
    received_at: Time
    """When the connector received it."""
    source: Label
    """The connector instance that published it; ids are its own, and shared only with the sources that the configuration joins."""
    site: Label | None = None
    """The site it belongs to."""
    sequence: Annotated[int, Field(ge=0, le=9_007_199_254_740_991)] | None = None
    """The platform's own order among its events of one instant; absent means 0."""
    revision: Annotated[int, Field(ge=0, le=9_007_199_254_740_991)] | None = None
    """The revision of this event by its source, such as the time of the update in milliseconds: of several contact events with one
    `event_id` the highest counts, in whatever order they arrive. Absent means 0."""
    schema_version: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """The version of this contract the sender wrote."""
