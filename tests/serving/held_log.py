"""Events that a test holds, in place of a topic of Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from schemas.times import parse_time_ms
from streams.serving.event_log import EventLog, Limits, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["HeldLog", "Record", "agent_event", "contact_event"]


class Record(NamedTuple):
    """What a consumer gives of a record."""

    value: bytes
    offset: int
    partition: int
    timestamp: int


def _event(kind: str, at: str, subject: Mapping[str, str], **more: Any) -> dict[str, Any]:
    who = next(iter(subject.values()))
    return {"type": kind, "event_id": f"{who}-{kind}-{at}", "occurred_at": at, "received_at": at, "source": "pbx", **subject, **more}


def contact_event(kind: str, at: str, conversation: str, **more: Any) -> dict[str, Any]:
    """Return a contact event, received when it occurred."""
    return _event(f"contact.{kind}", at, {"conversation_id": conversation}, **more)


def agent_event(at: str, person: str, axis: str, state: str, **more: Any) -> dict[str, Any]:
    """Return a person's change of state, received when it occurred."""
    return _event("agent.state_changed", at, {"person_id": person}, axis=axis, state=state, **more) | {"event_id": f"{person}-{axis}-{at}"}


class HeldLog(EventLog):
    """Gives the same records as often as it is asked, but for those that are behind an offset already."""

    def __init__(self, events: Iterable[Mapping[str, Any]], *, first_offset: int = 0, incomplete: str | None = None) -> None:
        super().__init__("nowhere:1", "contactcenter")
        self.records = [
            Record(orjson.dumps(event), first_offset + number, 0, parse_time_ms(event["received_at"]))
            for number, event in enumerate(events)
        ]
        self._incomplete = incomplete
        #: How often it was read, and how many records of it were given.
        self.read, self.given = 0, 0

    async def events(self, since_ms: int, limits: Limits, take: Any, report: Any = None, *, after: Mapping[int, int] | None = None) -> Span:
        """Give to ``take`` what was published since, and is not behind already."""
        behind = (after or {}).get(0, -1)
        found = [record for record in self.records if record.offset > behind and (after or record.timestamp >= since_ms)]
        self.read, self.given = self.read + 1, self.given + len(found)
        take(found)
        span = Span(self.topic, len(found), sum(len(record.value) for record in found))
        if self._incomplete is not None:
            span.incomplete.append(self._incomplete)
        return span
