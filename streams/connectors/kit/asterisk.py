"""Members of Asterisk's queues, as its manager interface tells of them, and what a person's states are over all of them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.drafting import draft, hashed_id
from streams.connectors.kit.model import Compared, UnusableError

if TYPE_CHECKING:
    from datetime import datetime

    from streams.connectors.kit.fields import Fields
    from streams.connectors.kit.model import Context, Seen

__all__ = ["event_time", "member", "member_states"]

#: Of devices: they ring; they are in use; they are invalid or cannot be reached.
_RINGING, _IN_USE, _AWAY = {"6"}, {"2", "3", "7", "8"}, {"4", "5"}
_NOT_A_WORD: Final = re.compile(r"[^\w]+")

#: Queues of a person that are kept at most.
_MAX_QUEUES: Final = 200


def member(fields: Fields) -> str:
    """Return the name of a member, else the interface; raise UnusableError without either."""
    return fields.text("MemberName") or fields.text("Name") or fields.text("Interface") or fields.need("Location")


def event_time(fields: Fields) -> datetime:
    """Return when an event occurred; raise UnusableError where Asterisk does not say."""
    at = fields.time("Timestamp")
    if at is None:
        raise UnusableError("missing_field", "Timestamp: set timestampevents = yes in manager.conf")
    return at


def member_states(fields: Fields, kind: str, seen: Seen | None, context: Context) -> Compared:
    """Return how a person's states changed with one membership; each state is told once."""
    person, queue, at = member(fields), fields.need("Queue"), event_time(fields)
    queues: dict[str, Any] = dict((seen or {}).get("queues", {}))
    told: dict[str, Any] = dict((seen or {}).get("told", {}))
    if queue in queues and at.timestamp() < queues[queue]["at"]:
        return Compared((), seen)
    device = fields.text("Status") or ""
    if kind == "QueueMemberRemoved":
        queues[queue] = {"at": at.timestamp(), "removed": True}
    else:
        is_paused = (fields.text("Paused") or "0") not in {"0", "false"}
        reason = fields.text("PausedReason") or fields.text("Reason") if is_paused else None
        queues[queue] = {"at": at.timestamp(), "paused": is_paused, "reason": reason, "away": device in _AWAY}
    while len(queues) > _MAX_QUEUES:
        del queues[min(queues, key=lambda name: queues[name]["at"])]
    states: dict[str, tuple[str, str | None]] = {}
    if not context.settings.get("beside_queue_log"):
        states["presence"] = _presence(queues)
    if (activity := _activity(device, fields.text("InCall"))) is not None and kind != "QueueMemberRemoved":
        states["activity"] = (activity, None)
    events = []
    for axis, (state, reason) in states.items():
        # Of another queue something older may come: it changes what is known, and nothing that was told.
        last = told.get(axis, [None, None, 0.0])
        if last[:2] != [state, reason] and at.timestamp() >= last[2]:
            told[axis] = [state, reason, at.timestamp()]
            changed = {"person_id": person, "axis": axis, "state": state, "reason": reason}
            events.append(draft("agent.state_changed", hashed_id(person, queue, kind, device, axis, state, at.isoformat()), at, **changed))
    return Compared(events, {"queues": queues, "told": told})


def _presence(queues: dict[str, Any]) -> tuple[str, str | None]:
    """Return a person's presence and its reason: available while one queue may ring the person."""
    left = [each for each in queues.values() if not each.get("removed")]
    if not left:
        return "offline", None
    if all(each["away"] for each in left):
        return "unavailable", None
    paused = [each for each in left if not each["away"]]
    if not all(each["paused"] for each in paused):
        return "available", None
    reason = max(paused, key=lambda each: each["at"])["reason"]
    return (_NOT_A_WORD.sub("_", reason.lower()).strip("_") if reason else "") or "paused", reason


def _activity(device: str, in_call: str | None) -> str | None:
    if in_call == "1":
        return "handling"
    if device in _RINGING:
        return "ringing"
    return "busy" if device in _IN_USE else "idle" if device == "1" else None
