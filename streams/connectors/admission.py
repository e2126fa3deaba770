"""Parse a request of the gateway: single events, each accepted and stamped or rejected with a reason; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec
import orjson
from pydantic import ValidationError

from schemas.base import composed
from schemas.decoding import Rejected as NotAnEventError
from schemas.decoding import decode_agent_event, decode_contact_event
from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS, encode, parse_agent_event, parse_contact_event, parse_customer_event
from schemas.limits import MAX_AHEAD_MS, MAX_COMPLETE_AHEAD_MS, MAX_RECORD_BYTES, MIN_TIME_MS, TimeReason
from schemas.operator import OPERATOR_KINDS
from schemas.other import SourceHeartbeat
from schemas.rejection import REJECT_REASONS
from schemas.times import format_ms, to_ms
from streams.connectors.lines import Rejected
from streams.connectors.permissions import PERMISSION_REASONS, Permissions

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.base import Event

__all__ = ["MAX_EVENTS", "REASONS", "Admission", "judge", "split"]

#: Why an event is rejected.
REASONS: Final = (*REJECT_REASONS, *get_args(TimeReason), *PERMISSION_REASONS)

#: A request with more events is rejected as too large.
MAX_EVENTS: Final = 10_000

_JSON_LINES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})


def _types(kinds: tuple[type[Event], ...]) -> frozenset[str]:
    return frozenset(str(kind.model_fields["type"].default) for kind in kinds)


_AGENT_TYPES = _types(AGENT_KINDS)
_CONTACT_TYPES = _types(CONTACT_KINDS)
_CUSTOMER_TYPES = _types(CUSTOMER_KINDS)

_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Admission:
    """A sender, and what it may send."""

    sender: str
    permissions: Permissions
    received_at: datetime

    @property
    def origin(self) -> str:
        """The origin in dead letters."""
        return f"gateway/{self.sender}"


def split(body: bytes, content_type: str) -> list[bytes]:
    """Return the bytes of each event in a request: one JSON object, an array of them, or JSON Lines.

    Any other body is returned as it is, for ``judge`` to reject.
    """
    content = body.strip()
    if not content:
        return []
    if content_type not in _JSON_LINES:
        if content.startswith(b"["):
            try:
                return [bytes(item) for item in _array(content)]
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return [content]
        if b"\n" not in content or _is_json(content):
            return [content]
    return [line for line in map(bytes.strip, content.split(b"\n")) if line]


def _is_json(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def judge(value: bytes, admission: Admission) -> Event | Rejected:
    """Return an event as it will be published, or why it is rejected.

    The gateway stamps ``received_at``, and ``source`` where it is absent. It drops fields that the contract does not know, because they
    are not validated.
    """
    about = "contacts"

    def refused(reason: str, detail: str) -> Rejected:
        return Rejected(admission.origin, reason, detail, value, about="agents" if about == "agents" else "contacts")

    if len(value) > MAX_RECORD_BYTES:
        return refused("too_large", f"{len(value)} bytes; at most {MAX_RECORD_BYTES}")
    try:
        value.decode()
        data = orjson.loads(value)
    except UnicodeDecodeError as error:
        return refused("invalid_utf8", f"byte {error.start}")
    except orjson.JSONDecodeError as error:
        return refused("invalid_json", f"{error.msg} at character {error.pos}")
    if not isinstance(data, dict):
        return refused("wrong_type", "record: an object")
    kind = data.get("type")
    if not isinstance(kind, str):
        return refused("missing_field", "type: required, as a text")
    data["received_at"] = format_ms(to_ms(admission.received_at))
    permissions = admission.permissions
    source = data.get("source")
    # As it will be published: null is absent, and names are composed.
    source = data["source"] = permissions.default_source if source is None else composed(source)
    if permissions.sources is not None and not (isinstance(source, str) and source in permissions.sources):
        return refused("source_not_permitted", _whose(permissions))
    if kind == "source.heartbeat" and data.get("instance") is not None:
        return refused("invalid_value", "instance: only a gateway sends its instance; leave instance out")
    parse = _parser(kind)
    if parse is None and kind in OPERATOR_KINDS:
        return refused("unknown_type", "type: an operator's order, which contact-streams alone publishes; a sender reports events")
    if parse is None:
        return refused("unknown_type", "type: none of the contact, agent and customer events of the contract")
    if permissions.types is not None and kind not in permissions.types:
        return refused("type_not_permitted", "type: this sender may not send events of this type")
    about = "agents" if kind in _AGENT_TYPES and kind not in _CONTACT_TYPES else "contacts"
    try:
        event = parse(orjson.dumps(data))
    except NotAnEventError as error:
        return refused(error.reason, error.detail)
    except (ValidationError, ValueError, TypeError, RecursionError) as error:
        return refused("invalid_value", _worded(error))
    if (why := permissions.refusal(event)) is not None:
        return refused(*why)
    occurred_ms, received_ms = to_ms(event.occurred_at), to_ms(admission.received_at)
    if occurred_ms < MIN_TIME_MS:
        return refused("time_too_old", "occurred_at: 2000 or later")
    if occurred_ms - received_ms > MAX_AHEAD_MS:
        return refused("time_in_future", f"occurred_at: at most {MAX_AHEAD_MS // 60_000} minutes after it is received")
    if isinstance(event, SourceHeartbeat) and to_ms(event.complete_through) - received_ms > MAX_COMPLETE_AHEAD_MS:
        limit = f"at most {MAX_COMPLETE_AHEAD_MS // 1000} seconds after it is received; is a local time labelled Z?"
        return refused("complete_through_in_future", f"complete_through: {limit}")
    size = len(encode(event))
    if size > MAX_RECORD_BYTES:
        return refused("too_large", f"{size} bytes as it is published; at most {MAX_RECORD_BYTES}")
    return event


def _whose(permissions: Permissions) -> str:
    """Return the refusal of a source that the sender may not report."""
    leave = "name one of them" if permissions.default_source is None else "leave source out"
    return f"source: this sender may report {str(permissions.sources)[:300]} only; {leave}"


def _parser(kind: str) -> Callable[[bytes], Event] | None:
    """Return the parser of a type of event, None for an unknown type."""
    if kind in _CONTACT_TYPES:
        return _contact
    if kind in _AGENT_TYPES:
        return _agent
    return parse_customer_event if kind in _CUSTOMER_TYPES else None


def _contact(value: bytes) -> Event:
    # The workers' decoder first: an event that it refuses would become a dead letter there.
    decode_contact_event(value)
    return parse_contact_event(value)


def _agent(value: bytes) -> Event:
    decode_agent_event(value)
    return parse_agent_event(value)


def _worded(error: Exception) -> str:
    """Return the text of an error, without what was sent."""
    if isinstance(error, ValidationError):
        first: Any = error.errors(include_input=False, include_url=False, include_context=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}"
    return "cannot be read as this type of event"
