"""Asterisk's queue_log translated to canonical events: pure, line by line; reading files is ``follow``'s matter."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from schemas.agent import AgentStateChanged
from schemas.contact import (
    ContactAnswered,
    ContactArrived,
    ContactEnded,
    ContactLeftQueue,
    ContactOfferEnded,
    ContactQueued,
    ContactTransferred,
)
from schemas.limits import MAX_AHEAD_MS, MIN_TIME_MS
from schemas.times import from_ms, to_ms
from streams.connectors.lines import MAX_LINE_BYTES, Line, Outcome, Rejected
from streams.connectors.membership import Membership

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from schemas.base import Event

__all__ = ["EVENT_KINDS", "INFORMATIONAL", "QueueLogParser", "hashed_customer"]

#: Kinds that say nothing about a contact or a person's presence: counted, not rejected.
INFORMATIONAL: Final = frozenset({"CONFIGRELOAD", "DID", "INFO", "OUTCALL", "PENALTY", "QUEUESTART", "RINGINUSE"})

#: Kind → how many parameters it has at least, over all versions of Asterisk; fewer mean that the line was cut.
_CALL: Final = {
    "ENTERQUEUE": 2,
    "CONNECT": 1,
    "COMPLETEAGENT": 2,
    "COMPLETECALLER": 2,
    "ABANDON": 3,
    "EXITWITHTIMEOUT": 1,
    "EXITWITHKEY": 2,
    "EXITEMPTY": 1,
    "WITHDRAW": 3,
    "BLINDTRANSFER": 4,
    "ATTENDEDTRANSFER": 4,
    "TRANSFER": 2,
    "RINGNOANSWER": 1,
    "RINGCANCELED": 1,
    "AGENTDUMP": 0,
    "SYSCOMPAT": 0,
}
_MEMBER: Final = frozenset(
    {
        "ADDMEMBER",
        "REMOVEMEMBER",
        "PAUSE",
        "UNPAUSE",
        "PAUSEALL",
        "UNPAUSEALL",
        "AGENTLOGIN",
        "AGENTLOGOFF",
        "AGENTCALLBACKLOGIN",
        "AGENTCALLBACKLOGOFF",
    }
)

#: Every kind that becomes an event.
EVENT_KINDS: Final = frozenset(_CALL) | _MEMBER

#: Where a kind leaves the queue without an answer: its reason, and which parameter holds the wait in whole seconds.
_LEFT: Final = {
    "ABANDON": ("abandoned", 2),
    "EXITWITHTIMEOUT": ("timeout", 2),
    "EXITWITHKEY": ("keypress", 3),
    "EXITEMPTY": ("empty", 2),
    "WITHDRAW": ("withdrawn", 2),
}

#: Kinds whose last parameter of those that are always there is a number.
_TIMED: Final = frozenset(
    {"CONNECT", "COMPLETEAGENT", "COMPLETECALLER", "ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY", "WITHDRAW", "RINGNOANSWER", "RINGCANCELED"}
)

#: Words in place of the id of a call.
_NO_CALL: Final = frozenset({"", "NONE", "REALTIME", "MANAGER", "CLI"})

#: A number that stands for many callers would become one big customer.
_WITHHELD: Final = frozenset({"", "anonymous", "asterisk", "none", "private", "restricted", "unavailable", "unknown", "withheld"})

#: The last instants whose lines are told apart; a clock set back by less than this many lines' instants still keeps order.
_INSTANTS: Final = 64

_EPOCH_TIME = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?")
_CALENDAR_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
_NOT_A_WORD = re.compile(r"[^\w]+")
_TIME_AND_CALL = 2
_FIXED_FIELDS = 5


class _BadLineError(Exception):
    """A line is no event; carries reason and detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def hashed_customer(key: bytes, version: int = 1) -> Callable[[str], str]:
    """Return what turns a caller's number into a customer key: ``v<version>:`` and HMAC-SHA256 of its digits."""

    def keyed(number: str) -> str:
        digits = "".join(character for character in number if character.isalnum() or character == "+")
        return f"v{version}:{hmac.new(key, digits.encode(), hashlib.sha256).hexdigest()}"

    return keyed


@dataclass(slots=True)
class _Instant:
    """The lines seen of one millisecond: how many events, and how often each line."""

    events: int = 0
    lines: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Fields:
    """One line, taken apart."""

    at_ms: int
    call: str
    queue: str | None
    member: str | None
    kind: str
    parameters: list[str]


class QueueLogParser:
    """Translates the lines of one queue_log, in their order.

    It remembers who is a member of which queue, and how many events the last instants had; ``state`` and
    ``restore`` carry that over a restart. Line ends and files are the caller's matter.

    Args:
        source: names this Asterisk; calls and event ids are told apart by it.
        now: the clock that says whether a line lies in the future.
        zone: of times written as calendar text; numbers are seconds since the epoch.
        site: stamped on every event, if given.
        customer_key: from a caller's number to a keyed hash (``hashed_customer``); without it nothing of the caller passes.
        ignored_kinds: further kinds that only inform, such as those a dialplan writes with ``QueueLog()``.
    """

    def __init__(
        self,
        source: str,
        *,
        now: Callable[[], datetime],
        zone: tzinfo = UTC,
        site: str | None = None,
        customer_key: Callable[[str], str] | None = None,
        ignored_kinds: frozenset[str] = frozenset(),
    ) -> None:
        self.source = source
        #: Kind → lines that only informed; ``blank`` for empty ones.
        self.ignored: Counter[str] = Counter()
        self._now = now
        self._zone = zone
        self._site = site
        self._customer_key = customer_key
        self._informational = INFORMATIONAL | ignored_kinds
        self._members = Membership()
        self._instants: OrderedDict[int, _Instant] = OrderedDict()

    def state(self) -> dict[str, Any]:
        """Return what a later parser of the same log has to know, as JSON."""
        return {
            "members": self._members.state(),
            "instants": [[at_ms, seen.events, dict(seen.lines)] for at_ms, seen in self._instants.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what ``state`` returned."""
        self._members.restore(state["members"])
        self._instants = OrderedDict((at_ms, _Instant(events, Counter(lines))) for at_ms, events, lines in state["instants"])

    def parse(self, line: Line, received_at: datetime | None = None) -> Outcome:
        """Return the events of a line, or why there are none.

        Without ``received_at`` the line is history: it counts as received when it occurred.
        """
        try:
            return self._parse(line, received_at)
        except _BadLineError as error:
            return Rejected(line.origin, error.reason, error.detail, line.raw, line.start)
        except ValidationError as error:
            # Without the input: a dead letter's detail is read more widely than its bytes.
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return Rejected(line.origin, "not_permitted", f"{where}: {first['msg']}", line.raw, line.start)

    def _parse(self, line: Line, received_at: datetime | None) -> Outcome:
        if line.length > MAX_LINE_BYTES:
            raise _BadLineError("too_long", f"{line.length} bytes; a line has at most {MAX_LINE_BYTES}. The first of them are kept.")
        raw = line.raw.removesuffix(b"\r")
        if not raw:
            self.ignored["blank"] += 1
            return ()
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise _BadLineError("not_utf8", f"byte {error.start} of the line is no UTF-8 text") from error
        fields = self._fields(text)
        if fields.kind in self._informational:
            self.ignored[fields.kind] += 1
            return ()
        # The same line, the same id, wherever the file was moved to and whatever stood before it.
        digest = hashlib.blake2b(self.source.encode() + b"\0" + raw, digest_size=12).hexdigest()
        instant = self._instants.get(fields.at_ms)
        nth = instant.lines[digest] if instant else 0
        common = {
            "event_id": f"{digest}-{nth}",
            "occurred_at": from_ms(fields.at_ms),
            "received_at": received_at or from_ms(fields.at_ms),
            "source": self.source,
            "site": self._site,
            "sequence": instant.events if instant else 0,
        }
        events = self._member(fields, common) if fields.kind in _MEMBER else self._call(fields, common)
        self._seen(fields.at_ms, digest, len(events))
        return events

    def _seen(self, at_ms: int, digest: str, events: int) -> None:
        instant = self._instants.get(at_ms)
        if instant is None:
            instant = self._instants[at_ms] = _Instant()
            if len(self._instants) > _INSTANTS:
                self._instants.popitem(last=False)
        instant.events += events
        instant.lines[digest] += 1

    def _fields(self, text: str) -> _Fields:
        parts = text.split("|")
        at_ms = self._time_ms(parts[0]) if len(parts) >= _TIME_AND_CALL else None
        if at_ms is None:
            raise _BadLineError("foreign", "does not begin with a time and a call, separated by |")
        if len(parts) < _FIXED_FIELDS:
            raise _BadLineError("truncated", f"has {len(parts)} of the {_FIXED_FIELDS} fields that every line has")
        kind, parameters = parts[4], parts[5:]
        if kind not in EVENT_KINDS and kind not in self._informational:
            raise _BadLineError("unknown_kind", "the fifth field is no kind of event that is known here")
        least = _CALL.get(kind, 0)
        if len(parameters) < least:
            raise _BadLineError("truncated", f"{kind} has {len(parameters)} of at least {least} parameters")
        if kind in _TIMED and not parameters[least - 1]:
            raise _BadLineError("truncated", f"{kind} without its last parameter")
        if at_ms < MIN_TIME_MS:
            raise _BadLineError("time_too_old", "a time before the year 2000 is a clock that was not set")
        if at_ms > to_ms(self._now()) + MAX_AHEAD_MS:
            raise _BadLineError("time_in_future", f"more than {MAX_AHEAD_MS // 60_000} minutes after now")
        return _Fields(at_ms, parts[1], _named(parts[2]), _named(parts[3]), kind, parameters)

    def _time_ms(self, text: str) -> int | None:
        """Return the milliseconds of a time, None if the text is no time."""
        if found := _EPOCH_TIME.fullmatch(text):
            seconds, fraction = found[1], found[2] or ""
            return int(seconds) * 1000 + int(fraction.ljust(3, "0")[:3])
        if not _CALENDAR_TIME.fullmatch(text):
            return None
        try:
            return to_ms(datetime.fromisoformat(text).replace(tzinfo=self._zone))
        except (ValueError, OverflowError):
            return None

    def _call(self, fields: _Fields, common: dict[str, Any]) -> list[Event]:
        if fields.call in _NO_CALL:
            raise _BadLineError("no_call", f"{fields.kind} without the id of a call")
        kind, parameters = fields.kind, fields.parameters
        call = f"{self.source}:{fields.call}"
        common |= {"conversation_id": call, "contact_id": call}
        if kind == "ENTERQUEUE":
            return self._queued(fields, common)
        if kind == "CONNECT":
            wait = _seconds(parameters, 0, "hold time")
            _seconds(parameters, 2, "ring time")
            return [ContactAnswered(**common, agent=fields.member, queue=fields.queue, wait_seconds=wait)]
        if kind in _LEFT:
            reason, index = _LEFT[kind]
            wait = _seconds(parameters, index, "wait")
            return [ContactLeftQueue.model_validate(common | {"reason": reason, "queue": fields.queue, "wait_seconds": wait})]
        if kind in {"COMPLETEAGENT", "COMPLETECALLER"}:
            _seconds(parameters, 0, "hold time")
            _seconds(parameters, 1, "call time")
            return [ContactEnded(**common, by="agent" if kind == "COMPLETEAGENT" else "customer")]
        if kind in {"BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER"}:
            _transfer_times(kind, parameters)
            how = {"BLINDTRANSFER": "blind", "ATTENDEDTRANSFER": "attended"}.get(kind)
            return [ContactTransferred.model_validate(common | {"kind": how, "from_queue": fields.queue})]
        if kind == "SYSCOMPAT":
            return [ContactEnded(**common, by="system")]
        if fields.member is None:
            raise _BadLineError("no_member", f"{kind} without a member")
        # Ring times are in milliseconds here, though CONNECT has its own in seconds.
        ring = None if kind == "AGENTDUMP" else _seconds(parameters, 0, "ring time", per_second=1000)
        outcome = {"RINGNOANSWER": "no_answer", "RINGCANCELED": "withdrawn", "AGENTDUMP": "declined"}[kind]
        return [
            ContactOfferEnded.model_validate(
                common | {"agent": fields.member, "outcome": outcome, "queue": fields.queue, "ring_seconds": ring},
            )
        ]

    def _queued(self, fields: _Fields, common: dict[str, Any]) -> list[Event]:
        if fields.queue is None:
            raise _BadLineError("no_queue", "ENTERQUEUE without a queue")
        queued = ContactQueued(**common, queue=fields.queue, channel="voice")
        number = fields.parameters[1].strip()
        if self._customer_key is None or number.lower() in _WITHHELD:
            return [queued]
        # The id of queued stays as it is without a key, so that a log read again with one counts nothing twice.
        arrival = common | {"event_id": f"{common['event_id']}-arrived", "channel": "voice", "customer_key": self._customer_key(number)}
        return [ContactArrived.model_validate(arrival), queued.model_copy(update={"sequence": common["sequence"] + 1})]

    def _member(self, fields: _Fields, common: dict[str, Any]) -> list[Event]:
        if fields.member is None:
            raise _BadLineError("no_member", f"{fields.kind} without a member")
        if fields.kind in {"ADDMEMBER", "REMOVEMEMBER", "PAUSE", "UNPAUSE"} and fields.queue is None:
            raise _BadLineError("no_queue", f"{fields.kind} without a queue")
        text = fields.parameters[0].strip() if fields.parameters else ""
        reason = (text or None) if fields.kind in {"PAUSE", "PAUSEALL"} else None
        pause = (_word(reason) if reason else "") or "paused"
        # Checked before the memberships change, so that a rejected line leaves no trace.
        event = AgentStateChanged(**common, person_id=fields.member, axis="presence", state=pause, reason=reason)
        return [event.model_copy(update={"state": self._presence(fields.kind, fields.member, fields.queue or "", text, pause)})]

    def _presence(self, kind: str, person: str, queue: str, text: str, pause: str) -> str:
        match kind:
            case "ADDMEMBER":
                # The parameter is empty or PAUSED.
                return self._members.added(person, queue, pause if text == "PAUSED" else None)
            case "REMOVEMEMBER":
                return self._members.removed(person, queue)
            case "PAUSE":
                return self._members.paused(person, queue, pause)
            case "UNPAUSE":
                return self._members.unpaused(person, queue)
            case "PAUSEALL":
                return self._members.paused_everywhere(person, pause)
            case "UNPAUSEALL":
                return self._members.unpaused_everywhere(person)
            case "AGENTLOGIN" | "AGENTCALLBACKLOGIN":
                return "available"
            case _:
                return "offline"


def _named(text: str) -> str | None:
    return None if text in {"", "NONE"} else text


def _word(text: str) -> str:
    """Return a pause reason as a state: lower case, words joined by _; empty if there is none."""
    return _NOT_A_WORD.sub("_", text.lower()).strip("_")


def _seconds(parameters: list[str], index: int, what: str, *, per_second: int = 1) -> float | None:
    """Return a duration in seconds, None where the line has none."""
    text = parameters[index] if index < len(parameters) else ""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise _BadLineError("not_a_number", f"the {what} is no number")
    if text.startswith("-"):
        raise _BadLineError("negative_duration", f"the {what} is negative")
    return float(text) / per_second


def _transfer_times(kind: str, parameters: list[str]) -> None:
    """Refuse negative times. How many parameters stand before them differs by kind and by method."""
    before = 3 if kind == "ATTENDEDTRANSFER" and parameters[0] == "LINK" else 2
    _seconds(parameters, before, "hold time")
    _seconds(parameters, before + 1, "call time")
