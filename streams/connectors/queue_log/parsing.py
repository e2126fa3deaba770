"""Translate Asterisk's queue_log to canonical events: pure, line by line; ``follow`` reads the files."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Literal

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
from streams.connectors.customer_keys import WITHHELD
from streams.connectors.lines import MAX_LINE_BYTES, Line, Outcome, Rejected
from streams.connectors.membership import Membership
from streams.connectors.queue_log.calls import OpenCalls
from streams.connectors.queue_log.clock import LogClock
from streams.connectors.queue_log.fields import NO_CALL, BadLineError, Fields, name_of, seconds, state_name, transfer_times
from streams.connectors.queue_log.instants import Instants
from streams.connectors.queue_log.kinds import CALL, INFORMATIONAL, LEFT, MEMBER, TIMED, KindTable, Meaning
from streams.connectors.queue_log.own import own_events

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo

    from schemas.base import Event

__all__ = ["QueueLogParser"]

_TIME_AND_CALL: Final = 2
_FIXED_FIELDS: Final = 5


class QueueLogParser:
    """Translates the lines of one queue_log, in their order.

    It remembers the members of each queue, the open calls, and how many events the last instants had; ``state`` and
    ``restore`` carry that over a restart. The caller handles line ends and files.

    Args:
        source: names this Asterisk; part of the ids of calls and events.
        now: the clock, to reject lines in the future.
        zone: of times written as calendar text; numbers are seconds since the epoch.
        site: stamped on every event, if given.
        customer_key: from a caller's number to a keyed hash (``hashed_customer``); without it nothing of the caller passes.
        ignored_kinds: further kinds that only inform, such as those a dialplan writes with ``QueueLog()``.
        kinds: what a site's own kinds become; with it ``ignored_kinds`` is not used.
        encoding: of the text; bytes that are none in it are replaced, and their lines counted.
        reports: what another connector reports of the same calls under the same source: ``hold``, ``wrap_up``.
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
        kinds: KindTable | None = None,
        encoding: str = "utf-8",
        reports: tuple[Literal["hold", "wrap_up"], ...] = (),
    ) -> None:
        self.source = source
        #: Kind → lines that only informed; ``blank`` for empty ones.
        self.ignored: Counter[str] = Counter()
        #: Lines with undecodable bytes, which were replaced.
        self.damaged = 0
        self._now = now
        self._clock = LogClock(zone)
        self._site = site
        self._customer_key = customer_key
        self._kinds = kinds or KindTable({}, ignored_kinds)
        self._encoding = encoding
        self._reports = reports or None
        self._members = Membership()
        self._calls = OpenCalls()
        self._instants = Instants()

    def notes(self) -> list[str]:
        """Return notes for the operator on how the lines were read, one sentence each."""
        notes = []
        if self.damaged:
            notes.append(f"{self.damaged} lines hold bytes that are no {self._encoding}: replaced, and counted all the same (--encoding)")
        if self._clock.ambiguous:
            when = "are in an hour that occurs twice, and their order does not resolve it: read as of the first time"
            notes.append(f"{self._clock.ambiguous} lines {when}")
        return notes

    def state(self) -> dict[str, Any]:
        """Return the state for a later parser of the same log, as JSON."""
        return {
            "members": self._members.state(),
            "away": self._members.away(),
            "instants": self._instants.state(),
            "calls": self._calls.state(),
            "clock": self._clock.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what ``state`` returned, also that of the last release, which had members and instants alone."""
        self._members.restore(state["members"], state.get("away"))
        self._instants.restore(state["instants"])
        self._calls.restore(state.get("calls", {}))
        self._clock.restore(state.get("clock", {}))

    def parse(self, line: Line, received_at: datetime | None = None) -> Outcome:
        """Return the events of a line, or why there are none.

        Without ``received_at`` the line is history: it counts as received when it occurred.
        """
        try:
            return self._parse(line, received_at)
        except BadLineError as error:
            return Rejected(line.origin, error.reason, error.detail, line.raw, line.start)
        except ValidationError as error:
            # Without the input: a dead letter's detail is read more widely than its bytes.
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return Rejected(line.origin, "not_permitted", f"{where}: {first['msg']}", line.raw, line.start)

    def _parse(self, line: Line, received_at: datetime | None) -> Outcome:
        if line.length > MAX_LINE_BYTES:
            raise BadLineError("too_long", f"{line.length} bytes; a line has at most {MAX_LINE_BYTES}. The first of them are kept.")
        raw = line.raw.removesuffix(b"\r")
        if not raw:
            self.ignored["blank"] += 1
            return ()
        fields, meaning = self._fields(self._text(raw))
        if meaning is not None and meaning.becomes == "ignored":
            self.ignored[fields.kind] += 1
            return ()
        # The same line has the same id, wherever the file was moved to and whatever precedes the line.
        digest = hashlib.blake2b(self.source.encode() + b"\0" + raw, digest_size=12).hexdigest()
        common = {
            "event_id": f"{digest}-{self._instants.lines_at(fields.at_ms, digest)}",
            "occurred_at": from_ms(fields.at_ms),
            "received_at": received_at or from_ms(fields.at_ms),
            "source": self.source,
            "site": self._site,
            "sequence": self._instants.events_at(fields.at_ms),
        }
        if meaning is not None:
            events = own_events(meaning, fields, common, self._calls)
        elif fields.kind in INFORMATIONAL:
            events = self._restarted(common) if fields.kind == "QUEUESTART" else []
            if not events:
                self.ignored[fields.kind] += 1
                return ()
        else:
            events = self._member(fields, common) if fields.kind in MEMBER else self._call(fields, common)
        self._instants.record(fields.at_ms, digest, len(events))
        return events

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode(self._encoding)
        except UnicodeError:
            self.damaged += 1
            return raw.decode(self._encoding, "replace")

    def _fields(self, text: str) -> tuple[Fields, Meaning | None]:
        """Return the fields of a line, and its meaning to the site or to a phone system, None if it is Asterisk's."""
        parts = text.split("|")
        at_ms = self._clock.read(parts[0]) if len(parts) >= _TIME_AND_CALL else None
        if at_ms is None:
            raise BadLineError("foreign", "does not begin with a time and a call, separated by |")
        if len(parts) < _FIXED_FIELDS:
            raise BadLineError("truncated", f"has {len(parts)} of the {_FIXED_FIELDS} fields that every line has")
        kind, parameters = parts[4], parts[5:]
        meaning = self._kinds.own(kind, parameters)
        if meaning is None and kind not in CALL and kind not in MEMBER and kind not in INFORMATIONAL:
            meaning = self._kinds.added(kind, parameters)
            if meaning is None:
                raise BadLineError("unknown_kind", "the fifth field is no kind of event that is known here, alone or with its parameters")
        if meaning is None:
            least = CALL.get(kind, 0)
            if len(parameters) < least:
                raise BadLineError("truncated", f"{kind} has {len(parameters)} of at least {least} parameters")
            # An empty one followed by others was written empty.
            if kind in TIMED and not any(parameters[least - 1 :]):
                raise BadLineError("truncated", f"{kind} without its last parameter")
        if at_ms < MIN_TIME_MS:
            raise BadLineError("time_too_old", "a time before the year 2000 is a clock that was not set")
        if at_ms > to_ms(self._now()) + MAX_AHEAD_MS:
            raise BadLineError("time_in_future", f"more than {MAX_AHEAD_MS // 60_000} minutes after now")
        return Fields(at_ms, parts[1], name_of(parts[2]), name_of(parts[3]), kind, parameters), meaning

    def _call(self, fields: Fields, common: dict[str, Any]) -> list[Event]:
        if fields.call in NO_CALL:
            raise BadLineError("no_call", f"{fields.kind} without the id of a call")
        kind, parameters = fields.kind, fields.parameters
        call = f"{self.source}:{fields.call}"
        common |= {"conversation_id": call, "contact_id": call}
        if kind == "ENTERQUEUE":
            return self._queued(fields, common)
        if kind == "CONNECT":
            wait = seconds(parameters, 0, "hold time")
            seconds(parameters, 2, "ring time")
            answered = ContactAnswered(**common, reports=self._reports, agent=fields.member, queue=fields.queue, wait_seconds=wait)
            self._calls.record_answered(fields.call, fields.queue, fields.member, fields.at_ms)
            return [answered]
        if kind in LEFT:
            reason, index = LEFT[kind]
            wait = seconds(parameters, index, "wait")
            left = ContactLeftQueue.model_validate(common | {"reason": reason, "queue": fields.queue, "wait_seconds": wait})
            self._calls.close(fields.call)
            return [left]
        if kind in {"COMPLETEAGENT", "COMPLETECALLER"}:
            return self._completed(fields, common)
        if kind in {"BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER"}:
            transfer_times(kind, parameters)
            kind_of_transfer = {"BLINDTRANSFER": "blind", "ATTENDEDTRANSFER": "attended"}.get(kind)
            self._calls.close(fields.call)
            return [ContactTransferred.model_validate(common | {"kind": kind_of_transfer, "from_queue": fields.queue})]
        if kind == "SYSCOMPAT":
            self._calls.close(fields.call)
            return [ContactEnded(**common, by="system")]
        if fields.member is None:
            raise BadLineError("no_member", f"{kind} without a member")
        # Ring times are in milliseconds here, though CONNECT has its own in seconds.
        ring = None if kind == "AGENTDUMP" else seconds(parameters, 0, "ring time", per_second=1000)
        outcome = {"RINGNOANSWER": "no_answer", "RINGCANCELED": "withdrawn", "AGENTDUMP": "declined"}[kind]
        return [
            ContactOfferEnded.model_validate(
                common | {"agent": fields.member, "outcome": outcome, "queue": fields.queue, "ring_seconds": ring},
            )
        ]

    def _queued(self, fields: Fields, common: dict[str, Any]) -> list[Event]:
        if fields.queue is None:
            raise BadLineError("no_queue", "ENTERQUEUE without a queue")
        queued = ContactQueued(**common, queue=fields.queue, channel="voice")
        self._calls.record_queued(fields.call, fields.queue, fields.at_ms)
        number = fields.parameters[1].strip()
        if self._customer_key is None or number.lower() in WITHHELD:
            return [queued]
        # The id of queued stays as it is without a key, so that a log read again with one counts nothing twice.
        arrival = common | {"event_id": f"{common['event_id']}-arrived", "channel": "voice", "customer_key": self._customer_key(number)}
        return [ContactArrived.model_validate(arrival), queued.model_copy(update={"sequence": common["sequence"] + 1})]

    def _completed(self, fields: Fields, common: dict[str, Any]) -> list[Event]:
        hold = seconds(fields.parameters, 0, "hold time")
        talk = seconds(fields.parameters, 1, "call time")
        ended = ContactEnded(**common, by="agent" if fields.kind == "COMPLETEAGENT" else "customer")
        events: list[Event] = [ended]
        waiting = self._calls.waiting_call(fields.call)
        # Only for a call that this log had before: the answer to another one may be in a file that was read separately.
        if waiting is not None and (fields.queue or waiting.queue) is not None:
            at_ms = fields.at_ms if talk is None else max(waiting.since_ms, fields.at_ms - round(talk * 1000))
            before = {"event_id": f"{common['event_id']}-answered", "sequence": self._instants.events_at(at_ms)}
            if at_ms < fields.at_ms:
                before |= {"occurred_at": from_ms(at_ms), "received_at": min(common["received_at"], from_ms(at_ms))}
            else:
                events = [ended.model_copy(update={"sequence": common["sequence"] + 1})]
            answer = {"agent": fields.member, "queue": fields.queue or waiting.queue, "wait_seconds": hold, "reports": self._reports}
            events.insert(0, ContactAnswered.model_validate(common | before | answer))
            if fields.member is not None:
                self._calls.record_answered(fields.call, fields.queue, fields.member, fields.at_ms)
        self._calls.close(fields.call)
        return events

    def _restarted(self, common: dict[str, Any]) -> list[Event]:
        """End all open calls: their channels ended with Asterisk."""
        events: list[Event] = []
        for number, call in enumerate(self._calls.take_all()):
            suffix = hashlib.blake2b(call.encode(), digest_size=6).hexdigest()
            conversation = f"{self.source}:{call}"
            own_fields = {"event_id": f"{common['event_id']}-{suffix}", "sequence": common["sequence"] + number}
            events.append(
                ContactEnded(**common | own_fields, conversation_id=conversation, contact_id=conversation, by="system", reason="QUEUESTART")
            )
        return events

    def _member(self, fields: Fields, common: dict[str, Any]) -> list[Event]:
        if fields.member is None:
            raise BadLineError("no_member", f"{fields.kind} without a member")
        if fields.kind in {"ADDMEMBER", "REMOVEMEMBER", "PAUSE", "UNPAUSE"} and fields.queue is None:
            raise BadLineError("no_queue", f"{fields.kind} without a queue")
        text = fields.parameters[0].strip() if fields.parameters else ""
        reason = (text or None) if fields.kind in {"PAUSE", "PAUSEALL"} else None
        pause = (state_name(reason) if reason else "") or "paused"
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
                return self._members.logged_on(person)
            case _:
                return self._members.logged_off(person)
