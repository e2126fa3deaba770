"""A morning made by hand: six contacts of which everything is known."""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["CONFIGURATION", "EVENTS", "event", "jsonl"]

DAY = "2026-03-02T"

#: 20 seconds; abandoned is missed, who asks for a callback counts nowhere.
CONFIGURATION = """
default_zone: UTC
service_level: {threshold_s: 20}
queues:
  support 窓口: {channel: voice, department: care}
  other: {channel: voice, department: care}
"""


def event(kind: str, at: str, contact: str, **more: Any) -> dict[str, Any]:
    """Return an event that was received when it occurred."""
    occurred = f"{DAY}{at}.000Z"
    return {
        "type": kind,
        "event_id": f"{contact}-{kind}-{at}",
        "occurred_at": occurred,
        "received_at": occurred,
        "source": "pbx",
        "conversation_id": contact,
        **more,
    }


def queued(at: str, contact: str, queue: str = "support 窓口") -> dict[str, Any]:
    """Return the entry into a queue."""
    return event("contact.queued", at, contact, queue=queue)


#: met: answered after 10 s; late: answered after 30 s; gone: abandoned after 12 s; back: asked for a callback after 30 s; here: still
#: waiting at the end, two minutes by then; elsewhere: another queue.
EVENTS: list[dict[str, Any]] = [
    queued("09:00:00", "met"),
    queued("09:00:05", "late"),
    event("contact.answered", "09:00:10", "met", agent="ann"),
    event("contact.answered", "09:00:35", "late", agent="bob"),
    queued("09:01:00", "gone"),
    event("contact.left_queue", "09:01:12", "gone", reason="abandoned"),
    queued("09:02:00", "back"),
    event("contact.left_queue", "09:02:30", "back", reason="callback"),
    queued("09:03:00", "here"),
    event("contact.ended", "09:03:00", "met", by="customer"),
    queued("09:03:10", "elsewhere", "other"),
    event("contact.answered", "09:03:12", "elsewhere", agent="ann"),
    event("contact.ended", "09:05:00", "late", by="agent"),
]


def jsonl(events: list[dict[str, Any]]) -> bytes:
    """Return events as a file has them."""
    return b"".join(orjson.dumps(each) + b"\n" for each in events)
