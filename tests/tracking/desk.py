"""A desk: a tracker with short forms of events, its sums and its pending work."""

from __future__ import annotations

from itertools import count
from typing import Any

import orjson
from msgspec.json import encode

from schemas.decoding import decode_contact_event
from schemas.times import format_ms
from streams.configuration import Configuration
from streams.tracking.contacts import ContactTracker
from streams.tracking.rows import read_row
from streams.tracking.scopes import Scope
from tests.support.slices import changed_slices

__all__ = ["CONFIGURATION", "START_MS", "Desk", "mail", "reply", "status"]

#: 2026-04-01 09:00 UTC; tests use seconds after it.
START_MS = 1_775_034_000_000
CONFIGURATION = Configuration.model_validate(
    {
        "queues": {
            "calls": {"channel": "voice", "department": "desk"},
            "mails": {"channel": "mail", "department": "desk"},
            "claims": {"channel": "mail"},
        }
    }
)


class Desk:
    """A contact tracker with short forms of events."""

    def __init__(self, configuration: Configuration = CONFIGURATION) -> None:
        self.configuration = configuration
        self.tracker = ContactTracker(configuration, keep_everything=True)
        self._numbers = count(1)
        self._sums: dict[tuple[str, Scope, int], dict[str, int]] = {}

    def apply(self, seconds: float, kind: str, conversation: str = "c", /, **fields: Any) -> Desk:
        """Apply an event of a kind, in seconds after the start."""
        at = format_ms(START_MS + round(seconds * 1000))
        common = {"event_id": f"e{next(self._numbers)}", "occurred_at": at, "received_at": at, "source": "test"}
        full = kind if "." in kind else f"contact.{kind}"
        event = decode_contact_event(orjson.dumps({**common, "type": full, "conversation_id": conversation, **fields}))
        self.tracker.apply(event)
        return self

    def sums(self, scope: str = "queue:mails", channel: str = "mail", *, kind: str = "pane") -> dict[str, int]:
        """Return the sums of a scope, without waits in queues."""
        self._flush()
        total: dict[str, int] = {}
        for (of_kind, of_scope, _), counts in self._sums.items():
            if (of_kind, of_scope) == (kind, Scope(scope, channel)):
                for name, amount in counts.items():
                    if not name.startswith(("answered_wait_", "abandoned_wait_")):
                        total[name] = total.get(name, 0) + amount
        return total

    def by_offer(self, field: str, scope: str = "queue:mails", channel: str = "mail") -> dict[int, int]:
        """Return the sums of a field by offer, by minutes from the start to the cell."""
        self._flush()
        wanted = ("cohort", Scope(scope, channel))
        return {
            (start - START_MS) // 60_000: c[field] for (*place, start), c in self._sums.items() if tuple(place) == wanted and field in c
        }

    def now(self, scope: str = "queue:mails", channel: str = "mail") -> dict[str, Any]:
        """Return what is pending in a scope, times as seconds after the start."""
        pending = self.pending(Scope(scope, channel))
        for name in ("backlog_hours", "replies_overdue", "reply_due_ms"):  # in test_correspondence.py
            pending.pop(name, None)
        if pending.get("backlog_oldest_ms") is not None:
            pending["backlog_oldest_ms"] = (pending["backlog_oldest_ms"] - START_MS) / 1000
        if "callback_due_ms" in pending:
            pending["callback_due_ms"] = [(due - START_MS) / 1000 for due in pending["callback_due_ms"]]
        return pending

    def pending(self, scope: Scope, passed_ms: int | None = None) -> dict[str, Any]:
        """Return what is pending in a scope, as in a now record."""
        self._flush()
        return self.tracker.pending(scope, passed_ms)

    def restarted(self) -> Desk:
        """Return a desk restored from the facts of this one."""
        other = Desk(self.configuration)
        other._numbers = self._numbers
        for name, row in self.tracker.changed_conversations():
            if row is not None:
                other.tracker.restore_conversation(name, read_row(encode(row)))
        other.tracker.restored()
        return other

    def _flush(self) -> None:
        self.tracker.flush()
        for key, counts in changed_slices(self.tracker.slices):
            self._sums[key] = dict(counts or {})


def mail(desk: Desk | None = None, conversation: str = "c") -> Desk:
    """Return a desk where a mail arrived at 0 and was queued at 10."""
    desk = desk if desk is not None else Desk()
    return desk.apply(0, "arrived", conversation, channel="mail").apply(10, "queued", conversation, queue="mails")


def reply(desk: Desk, seconds: float, **fields: Any) -> Desk:
    """Apply an agent's reply."""
    return desk.apply(seconds, "message", author_kind="agent", **fields)


def status(desk: Desk, seconds: float, value: str, **fields: Any) -> Desk:
    """Change the status."""
    return desk.apply(seconds, "status_changed", status=value, **fields)
