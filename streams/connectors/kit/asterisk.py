"""Members of Asterisk's queues, as its manager interface reports them, and an agent's states over all queues. Pure."""

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

#: Statuses of devices: ringing; in use; invalid or unreachable.
_RINGING, _IN_USE, _AWAY = {"6"}, {"2", "3", "7", "8"}, {"4", "5"}
_NOT_A_WORD: Final = re.compile(r"[^\w]+")

#: Queues of an agent at most.
_MAX_QUEUES: Final = 200


def member(fields: Fields) -> str:
    """Return the name of a member, else the interface; raise UnusableError without either."""
    return fields.text("MemberName") or fields.text("Name") or fields.text("Interface") or fields.need("Location")


def event_time(fields: Fields) -> datetime:
    """Return when an event occurred; raise UnusableError where Asterisk does not report it."""
    at = fields.time("Timestamp")
    if at is None:
        raise UnusableError("missing_field", "Timestamp: set timestampevents = yes in manager.conf")
    return at


def member_states(fields: Fields, kind: str, seen: Seen | None, context: Context) -> Compared:
    """Return how an agent's states changed with one membership; each state is reported once."""
    agent, queue, at = member(fields), fields.need("Queue"), event_time(fields)
    queues: dict[str, Any] = dict((seen or {}).get("queues", {}))
    reported: dict[str, Any] = dict((seen or {}).get("told", {}))
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
        # Another queue may bring something older: it changes the state, and no event that was reported.
        last = reported.get(axis, [None, None, 0.0])
        if last[:2] != [state, reason] and at.timestamp() >= last[2]:
            reported[axis] = [state, reason, at.timestamp()]
            changed = {"person_id": agent, "axis": axis, "state": state, "reason": reason}
            events.append(draft("agent.state_changed", hashed_id(agent, queue, kind, device, axis, state, at.isoformat()), at, **changed))
    return Compared(events, {"queues": queues, "told": reported})


def _presence(queues: dict[str, Any]) -> tuple[str, str | None]:
    """Return an agent's presence and its reason: available while one queue may ring the agent."""
    memberships = [membership for membership in queues.values() if not membership.get("removed")]
    if not memberships:
        return "offline", None
    reachable = [membership for membership in memberships if not membership["away"]]
    if not reachable:
        return "unavailable", None
    if not all(membership["paused"] for membership in reachable):
        return "available", None
    reason = max(reachable, key=lambda membership: membership["at"])["reason"]
    return (_NOT_A_WORD.sub("_", reason.lower()).strip("_") if reason else "") or "paused", reason


def _activity(device: str, in_call: str | None) -> str | None:
    if in_call == "1":
        return "handling"
    if device in _RINGING:
        return "ringing"
    return "busy" if device in _IN_USE else "idle" if device == "1" else None
