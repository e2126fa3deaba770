"""Harness of trackers: apply events, in seconds since a quarter of an hour, and read the slices."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson

from schemas.decoding import decode_agent_event, decode_contact_event
from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.tracking.agents import AgentTracker
from streams.tracking.contacts import ContactTracker
from tests.support.slices import changed_slices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.tracking.slices import Slices

__all__ = ["CONFIGURATION", "Booked", "Contacts", "People", "event", "ms", "record"]

#: Second 0 of all events: the start of a cell.
START_MS = parse_time_ms("2026-06-15T09:00:00Z")

CONFIGURATION = Configuration.model_validate(
    {
        "sites": {"bonn": {"zone": "Europe/Berlin"}},
        "queues": {
            "A": {"department": "help", "business": "acme", "site": "bonn"},
            "B": {"department": "help"},
            "C": {"department": "shop"},
            "M": {"department": "help", "channel": "mail"},
        },
        "teams": {"red": {"site": "bonn", "business": "acme"}, "blue": {}},
        "people": {"ann": {"team": "red"}},
    }
)

_numbers = count()


def ms(seconds: float) -> int:
    """Return an instant."""
    return START_MS + round(seconds * 1000)


def event(type_: str, seconds: float, *, received: float | None = None, **fields: Any) -> bytes:
    """Return an event as in the topic, by default received as it occurs."""
    name = "person_id" if type_.startswith(("agent.", "schedule.")) else "conversation_id"
    subject = {} if type_.startswith("source.") else {name: "ann" if name == "person_id" else "c1"}
    common = {
        "type": type_,
        "event_id": f"e{next(_numbers)}",
        "occurred_at": format_ms(ms(seconds)),
        "received_at": format_ms(ms(seconds if received is None else received)),
        "source": "test",
    }
    return orjson.dumps({**common, **subject, **fields})


def record(value: bytes | None, **fields: Any) -> Any:
    """Return a record of a source topic, published long after."""
    return SimpleNamespace(
        **{"topic": "source", "partition": 0, "offset": 0, "timestamp": ms(10**9), "key": None, "value": value, "headers": (), **fields}
    )


class Booked:
    """The slices that a tracker has written, read from the changes it reports."""

    def __init__(self) -> None:
        #: (kind, scope, channel, seconds of the start) → sums
        self.slices: dict[tuple[str, str, str | None, int], dict[str, int]] = {}

    def take(self, slices: Slices) -> None:
        """Record the changed slices."""
        for (kind, scope, start), counts in changed_slices(slices):
            key = (kind, scope.scope, scope.channel, (start - START_MS) // 1000)
            if counts:
                self.slices[key] = dict(counts)
            else:
                self.slices.pop(key, None)

    def sums(self, scope: str, channel: str | None = "voice", kind: str = "cohort") -> dict[str, int]:
        """Return the sums of all slices of a kind in a scope, without the histograms of waits."""
        total: dict[str, int] = defaultdict(int)
        for (its_kind, its_scope, its_channel, _), counts in self.slices.items():
            if (its_kind, its_scope, its_channel) == (kind, scope, channel):
                for field, amount in counts.items():
                    if "_wait_le_" not in field:
                        total[field] += amount
        return dict(total)

    def starts(self, scope: str, field: str, channel: str | None = "voice", kind: str = "pane") -> dict[int, int]:
        """Return the sums of a field by start in seconds."""
        return {
            start: counts[field]
            for (its_kind, its_scope, its_channel, start), counts in sorted(self.slices.items(), key=str)
            if (its_kind, its_scope, its_channel) == (kind, scope, channel) and field in counts
        }

    def scopes(self) -> set[str]:
        """Return the scopes with slices."""
        return {scope for _, scope, _, _ in self.slices}


class Contacts(Booked):
    """A contact tracker that evicts nothing."""

    def __init__(self, *events: bytes, configuration: Configuration = CONFIGURATION) -> None:
        super().__init__()
        self.tracker = ContactTracker(configuration, keep_everything=True)
        self.apply(events)

    def apply(self, events: Iterable[bytes]) -> None:
        """Apply events, flush and record the slices."""
        for value in events:
            self.tracker.apply(decode_contact_event(value))
        self.tracker.flush()
        self.take(self.tracker.slices)

    def now(self) -> dict[str, tuple[list[float], int]]:
        """Return entries of waiting contacts, in seconds, and number of active ones, by changed scope."""
        return {
            scope.scope: ([(entry - START_MS) / 1000 for entry in since], active) for scope, since, active in self.tracker.changed_now()
        }


class People(Booked):
    """An agent tracker that evicts nothing."""

    def __init__(self, configuration: Configuration = CONFIGURATION) -> None:
        super().__init__()
        self.tracker = AgentTracker(configuration, keep_everything=True)

    def apply(self, *events: bytes, through: float) -> None:
        """Apply events, advance the watermark to an instant, flush and record the slices."""
        for value in events:
            self.tracker.apply(decode_agent_event(value))
        self.tracker.watermark.heartbeat("test", ms(through), ms(through))
        self.tracker.flush()
        self.take(self.tracker.slices)

    def now(self) -> dict[str, dict[str, int]]:
        """Return agents per category by changed scope."""
        return {scope.scope: agents for scope, agents in self.tracker.changed_now()}
