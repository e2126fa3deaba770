"""Decode records fast: a record value becomes a Struct with integer milliseconds, or `Rejected` states why not.

The models in `schemas.events` define what is valid; a property test holds this module to them. What it cannot read at once it leaves to
the models: they alone word a refusal, and they decide the few records that can be read in two ways.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast, get_args
from unicodedata import is_normalized

import msgspec
import orjson
from pydantic import ValidationError

from schemas import structs
from schemas.base import BLANKS, TEXT_PATTERN, composed
from schemas.by_type import own_code
from schemas.compiled import compiled
from schemas.events import (
    AGENT_KINDS,
    CONTACT_KINDS,
    CUSTOMER_KINDS,
    encode,
    parse_agent_event,
    parse_contact_event,
    parse_customer_event,
)
from schemas.limits import MAX_AHEAD_MS, MAX_RECORD_BYTES, MIN_TIME_MS, far_fetched
from schemas.rejection import REJECT_REASONS, Rejected, RejectReason
from schemas.times import SECOND_MS, SUFFIX_MS, parse_time_ms, to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pydantic_core import ErrorDetails

    from schemas.base import Event

__all__ = [
    "IS_COMPILED",
    "REJECT_REASONS",
    "RejectReason",
    "Rejected",
    "decode_agent_event",
    "decode_contact_event",
    "decode_customer_event",
    "decode_event",
    "source_of",
    "usual_agent_events",
    "usual_contact_events",
]

E_co = TypeVar("E_co", bound=structs.Event, covariant=True)


class Decode(Protocol[E_co]):
    """Returns the event of a record value, its times in milliseconds; raises Rejected."""

    def __call__(self, value: bytes | None) -> E_co:
        """Decode one record value."""


# ---- The fast path -----------------------------------------------------------------------------------------------------------------

#: Whether the extension is compiled.
IS_COMPILED = compiled is not None

#: Up to this many bytes a record has no room for what only a long one can hold: nesting beyond the models' limit, endless digits.
_SHORT = 500

#: A record with more openings than this may be nested more deeply than the models' parser goes (200).
_MANY_OPENINGS = 150

#: A number as long as this may hold more digits than the models' parser takes (4,300).
_IS_ENDLESS = re.compile(rb"[-+.0-9eE]{4000}").search

_BACKSLASH, _DELETE = b"\\\x7f"

_ASCII = bytes(range(0x80))

#: The UTF-8 bytes of U+3000 to U+9FFF.
_BYTES_OF_PLAIN = bytes([*range(0x80, 0xC0), *range(0xE3, 0xEA)])

#: The most texts that each cache holds.
_REMEMBERED = 4_096

#: The weight of a blank: more than all that a short record has beyond ASCII. The weight of an unsound text: more than any record.
_BLANK, _UNSOUND = 1 << 10, 1 << 60

#: Fields whose names recur, beside the site.
_NAMES = ("queue", "team", "category")

#: Contains all of U+3000 to U+9FFF that a text may not hold or consist of, or that compose with the character before them.
_SPECIAL = (
    b"\xe3\x80\x80",
    b"\xe3\x80\xaa",
    b"\xe3\x80\xab",
    b"\xe3\x80\xac",
    b"\xe3\x80\xad",
    b"\xe3\x80\xae",
    b"\xe3\x80\xaf",
    b"\xe3\x82\x99",
    b"\xe3\x82\x9a",
    b"\xe3\x85\xa4",
)

#: Where a text may begin or end with a blank: in JSON one follows a quote, or precedes one that closes a text, because neither a value
#: nor white space follows.
_HAS_BLANK_END = re.compile(rb' (?:"[,}\]\s]|(?<=" ))').search

_IS_TEXT = re.compile(TEXT_PATTERN.removesuffix("$")).fullmatch


#: Type of event → its times, and the check of those beyond the common ones.
_TIMES: dict[type, tuple[tuple[str, ...], Callable[[Any], object] | None]] = {
    kind: (("occurred_ms", "received_ms", *kind.further_times), far_fetched if kind.further_times else None)
    for union in (structs.ContactEvent, structs.AgentEvent, structs.CustomerEvent)
    for kind in get_args(union)
}


def _decoder(union: object, parse: Callable[[bytes], Any], kinds: Iterable[type[Event]]) -> Decode[Any]:
    """Return the function that decodes the records of one topic."""
    interpreted = _interpreted(union, parse, kinds)
    if compiled is None:
        return interpreted
    usual, read, times = compiled.decode, msgspec.json.Decoder(union).decode, _TIMES

    def decode(value: bytes | None) -> Any:
        event = usual(value, read, times)
        return interpreted(value) if event is None else event

    return decode


def _usual(union: object) -> Usual | None:
    """Return the function that decodes many records at once."""
    if compiled is None:
        return None
    decode_all, read, times = compiled.decode_all, msgspec.json.Decoder(union).decode, _TIMES
    return lambda records: decode_all(records, read, times, MIN_TIME_MS, MAX_AHEAD_MS)


def _interpreted(union: object, parse: Callable[[bytes], Any], kinds: Iterable[type[Event]]) -> Decode[Any]:
    """Return a decoder in pure Python."""
    read: Callable[[bytes], Any] = msgspec.json.Decoder(union).decode
    types = tuple(str(kind.model_fields["type"].default) for kind in kinds)
    finish = {kind: own_code(_finisher(kind)) for kind in get_args(union)}
    # Locals of this function are faster to reach from the inner one than the module's names.
    short, backslash, delete, blank, a_blank = _SHORT, _BACKSLASH, _DELETE, b" ", _BLANK
    beyond_blanks, has_blank_end = _BLANK - 1, _HAS_BLANK_END

    def decode(value: bytes | None) -> Any:
        try:
            event = read(value)  # type: ignore[arg-type]  # None raises, and the models report it
            # Ignored fields have not been read: decoding checks that they are UTF-8 as well.
            weight = 0 if value.isascii() else len(value) - len(value.decode())  # type: ignore[union-attr,arg-type]
            weight = finish[type(event)](event, weight + value.count(blank) * a_blank)  # type: ignore[union-attr]
        except (ValueError, TypeError, RecursionError):
            return _decode_by_models(value, read, parse, types)
        # Nearly all records are short and without an escape. Testing for one byte costs 40 ns; a pattern costs ten times that.
        if (
            (weight and (weight < 0 or weight & beyond_blanks or has_blank_end(value) is not None))  # type: ignore[arg-type]
            or backslash in value  # type: ignore[operator]
            or delete in value  # type: ignore[operator]
            or len(value) > short  # type: ignore[arg-type]
        ) and not _is_sound(cast("bytes", value), event):
            return _decode_by_models(value, read, parse, types)
        return event

    return decode


def _finisher(kind: type[structs.Event]) -> Callable[[Any, int], int]:
    """Return a function that sets the times of an event to milliseconds and returns the record's weight without its names."""
    second_ms, suffix_ms, weights, has_further = SECOND_MS, SUFFIX_MS, _WEIGHTS, bool(kind.further_times)
    others = tuple(name for name in _NAMES if name in kind.__struct_fields__)

    def finish(event: structs.Event, weight: int) -> int:
        text: Any = event.occurred_ms
        event.occurred_ms = second_ms[text[:19]] + suffix_ms[text[19:]]
        text = event.received_ms
        event.received_ms = second_ms[text[:19]] + suffix_ms[text[19:]]
        if has_further:
            _put_further_times(event)
        if weight:
            # If the names hold all blanks and all characters beyond ASCII, no other text holds any.
            weight -= weights[event.site]
            for name in others:
                weight -= weights[getattr(event, name)]
        return weight

    return finish


def _put_further_times(event: structs.Event) -> None:
    """Replace the texts of the times beyond the common ones by milliseconds; raise ValueError if they are too far off."""
    for name in event.further_times:
        text = getattr(event, name)
        if text is not None:
            setattr(event, name, parse_time_ms(text))
    if far_fetched(event) is not None:
        raise ValueError("far-fetched")


def _is_sound(value: bytes, event: structs.Event) -> bool:
    """Return whether an unusual record in UTF-8 is certainly right; False leaves the decision to the models."""
    size = len(value)
    if size > _SHORT and (
        size > MAX_RECORD_BYTES or value.count(b"{") + value.count(b"[") > _MANY_OPENINGS or _IS_ENDLESS(value) is not None
    ):
        return False
    suspicious = _BACKSLASH in value or _DELETE in value or _HAS_BLANK_END(value) is not None
    if not (suspicious or value.isascii()):
        suspicious = not _PLAIN[value.translate(None, _ASCII)]
    return not suspicious or _texts_are_sound(event)


class _Weights(dict[str | None, int]):
    """A text → its UTF-8 bytes beyond its characters, and ``_BLANK`` for each blank in it, cached.

    An unsound text weighs more than a record can.
    """

    def __missing__(self, text: str | None) -> int:
        if text is None:
            return 0
        weight = len(text.encode()) - len(text) + _BLANK * text.count(" ") if _is_sound_text(text) else _UNSOUND
        if len(self) >= _REMEMBERED:
            self.clear()
        self[text] = weight
        return weight


_WEIGHTS = _Weights()


class _Plain(dict[bytes, bool]):
    """The part of a record beyond ASCII → whether all of it is of U+3000 to U+9FFF without the special characters, cached."""

    def __missing__(self, beyond_ascii: bytes) -> bool:
        is_plain = not beyond_ascii.translate(None, _BYTES_OF_PLAIN) and not any(special in beyond_ascii for special in _SPECIAL)
        if len(beyond_ascii) <= _SHORT:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[beyond_ascii] = is_plain
        return is_plain


_PLAIN = _Plain()


def _texts_are_sound(event: structs.Event) -> bool:
    """Return whether no text holds a refused character, is blank or has blanks at its ends, and all are composed."""
    for name in event.__struct_fields__:
        content = getattr(event, name)
        if isinstance(content, str):
            if not _is_sound_text(content):
                return False
        elif isinstance(content, tuple) and not all(map(_is_sound_text, content)):
            return False
    return True


def _is_sound_text(text: str) -> bool:
    return _IS_TEXT(text) is not None and is_normalized("NFC", text) and text == text.strip(BLANKS)


# ---- The slow path -----------------------------------------------------------------------------------------------------------------


def _decode_by_models(value: bytes | None, read: Callable[[bytes], Any], parse: Callable[[bytes], Any], types: tuple[str, ...]) -> Any:
    """Return a record as a Struct, validated by the models; raise Rejected as they word it."""
    if not value:
        raise Rejected("empty", "the record has no value")
    if len(value) > MAX_RECORD_BYTES:
        raise Rejected("too_large", f"{len(value)} bytes; at most {MAX_RECORD_BYTES}")
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise Rejected("invalid_utf8", f"byte {error.start}") from None
    try:
        model = parse(value)
    except ValidationError as error:
        raise _rejected(error.errors(include_url=False, include_input=False)[0], types) from None
    except ValueError as error:
        # The parser's message states what it expected and where, and quotes nothing.
        raise Rejected("invalid_json", str(error)) from None
    event = read(encode(model))
    wire_names = dict(zip(event.__struct_fields__, event.__struct_encode_fields__, strict=True))
    for name in ("occurred_ms", "received_ms", *event.further_times):
        moment = getattr(model, wire_names[name])
        setattr(event, name, None if moment is None else to_ms(moment))
    return event


#: Reason by pydantic's error type; every other type is an invalid value.
_REASONS: dict[str, RejectReason] = {
    "json_invalid": "invalid_json",
    "union_tag_invalid": "unknown_type",
    "union_tag_not_found": "missing_field",
    "missing": "missing_field",
    "model_attributes_type": "wrong_type",
    "model_type": "wrong_type",
    "dict_type": "wrong_type",
    "string_type": "wrong_type",
    "int_type": "wrong_type",
    "float_type": "wrong_type",
    "bool_type": "wrong_type",
    "tuple_type": "wrong_type",
    "time_type": "wrong_type",
}

_A_TEXT = "a text without control, format and private characters that is not blank"

#: What a field may hold, by pydantic's error type, filled from the error's context: limits and literals, never input.
_PERMITTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "time_type": "a time as text, such as 2026-08-06T12:34:56.789Z",
    "time_format": "a time such as 2026-08-06T12:34:56.789Z, with Z or an offset",
    "string_too_short": "a length of at least {min_length}",
    "string_too_long": "a length of at most {max_length}",
    "too_long": "at most {max_length} entries",
    "literal_error": "one of {expected}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
}


def _rejected(error: ErrorDetails, types: tuple[str, ...]) -> Rejected:
    """Word the first error of a validation; the context of an unknown type holds input and is not used."""
    kind = error["type"]
    reason = _REASONS.get(kind, "invalid_value")
    if kind == "far_fetched":
        return Rejected(reason, str(error["ctx"]["permitted"]))
    path = ".".join(str(part) for part in error["loc"][1:])
    if kind == "union_tag_not_found":
        return Rejected(reason, "type: required")
    if kind == "union_tag_invalid":
        return Rejected(reason, f"type: one of {', '.join(types)}")
    if kind == "missing":
        return Rejected(reason, f"{path}: required")
    if kind == "string_pattern_mismatch":
        pattern = error["ctx"]["pattern"]
        permitted = _A_TEXT if pattern == TEXT_PATTERN else f"a text like {pattern}"
        return Rejected(reason, f"{path}: {permitted}")
    permitted = _PERMITTED.get(kind, "an object" if not path else "another value").format(**_integral(error.get("ctx", {})))
    return Rejected(reason, f"{path or 'record'}: {permitted}")


def _integral(context: dict[str, Any]) -> dict[str, Any]:
    """Return the context with whole numbers written without a fraction."""
    return {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in context.items()}


class _Sourced(msgspec.Struct):
    source: str


_read_source = msgspec.json.Decoder(_Sourced).decode

#: As `schemas.base.Label` has it.
_LONGEST_SOURCE = 100


def source_of(value: bytes | None) -> str | None:
    """Return the source that a rejected record names; None if it names none that an event could have."""
    if value is None or len(value) > MAX_RECORD_BYTES:
        return None
    try:
        source = _read_source(value).source
    except (ValueError, RecursionError):
        return None
    source = cast("str", composed(source))
    return source if len(source) <= _LONGEST_SOURCE and _IS_TEXT(source) is not None else None


# ---- The topics --------------------------------------------------------------------------------------------------------------------

#: Decodes many records at once, if compiled: the event of each record that is certainly valid and whose times are plausible, else None.
Usual: TypeAlias = "Callable[[Sequence[Any]], list[Any]]"

#: Decodes a record value of contact-events.
decode_contact_event: Decode[structs.ContactEvent] = _decoder(structs.ContactEvent, parse_contact_event, CONTACT_KINDS)

usual_contact_events: Usual | None = _usual(structs.ContactEvent)

#: Decodes a record value of agent-events.
decode_agent_event: Decode[structs.AgentEvent] = _decoder(structs.AgentEvent, parse_agent_event, AGENT_KINDS)

usual_agent_events: Usual | None = _usual(structs.AgentEvent)

#: Decodes a record value of customer-events.
decode_customer_event: Decode[structs.CustomerEvent] = _decoder(structs.CustomerEvent, parse_customer_event, CUSTOMER_KINDS)

#: Type of an event → the parser of its topic's records.
_PARSE: dict[str, Callable[[bytes], Event]] = {
    str(kind.model_fields["type"].default): parse
    for kinds, parse in ((CONTACT_KINDS, parse_contact_event), (AGENT_KINDS, parse_agent_event), (CUSTOMER_KINDS, parse_customer_event))
    for kind in kinds
}


def _parse_event(value: bytes) -> Event:
    try:
        parse = _PARSE[orjson.loads(value)["type"]]
    except (LookupError, TypeError):
        parse = parse_contact_event
    return parse(value)


#: Decodes an event of any topic; the decoder of its own topic states more exactly why it is refused.
decode_event: Decode[structs.ContactEvent | structs.AgentEvent | structs.CustomerEvent] = _decoder(
    structs.ContactEvent | structs.AgentEvent | structs.CustomerEvent, _parse_event, (*CONTACT_KINDS, *AGENT_KINDS, *CUSTOMER_KINDS)
)
