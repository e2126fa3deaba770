"""Events and a configuration for the tests of the oracle."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.base import Event
from schemas.contact import ContactAnswered, ContactEnded, ContactQueued
from schemas.other import SourceHeartbeat
from schemas.times import parse_time, to_ms
from streams.configuration.models import Configuration

if TYPE_CHECKING:
    from tests.oracle.figures import Figure

__all__ = ["CONFIGURATION", "SEVEN", "beat", "call", "ms", "parts", "report"]

E = TypeVar("E", bound=Event)

#: The default start of events.
SEVEN = "2026-06-15T07:00:00Z"

CONFIGURATION = Configuration.model_validate(
    {
        "sites": {"berlin": {"zone": "Europe/Berlin"}, "tokyo": {"zone": "Asia/Tokyo"}, "early": {"zone": "UTC", "day_start": "06:00"}},
        "queues": {
            "A": {"department": "help"},
            "B": {"department": "help"},
            "C": {"department": "shop"},
            "osaka": {"site": "tokyo"},
            "bonn": {"site": "berlin"},
            "dawn": {"site": "early"},
        },
        "teams": {"red": {"site": "berlin", "business": "acme"}, "blue": {"site": "tokyo"}},
        "people": {"ann": {"team": "red"}},
    },
)

_numbers = count()


def report(kind: type[E], seconds: float, whom: str = "c1", /, *, start: str = SEVEN, delay: float = 0, **fields: Any) -> E:
    """Return an event of a conversation or person, some seconds after the start."""
    occurred = parse_time(start) + timedelta(seconds=seconds)
    keys = {"person_id": whom} if kind.__module__.endswith("agent") else {"conversation_id": whom}
    common = {
        "event_id": f"e{next(_numbers)}",
        "occurred_at": occurred,
        "received_at": occurred + timedelta(seconds=delay),
        "source": "test",
    }
    return kind(**{**common, **({} if kind is SourceHeartbeat else keys), **fields})


def beat(seconds: float, *, start: str = SEVEN, **fields: Any) -> SourceHeartbeat:
    """Return a heartbeat, by default complete through its own time."""
    through = parse_time(start) + timedelta(seconds=seconds)
    return report(SourceHeartbeat, seconds, start=start, **{"complete_through": through, **fields})


def ms(seconds: float, start: str = SEVEN) -> int:
    """Return an instant in milliseconds since 1970."""
    return to_ms(parse_time(start)) + round(seconds * 1000)


def parts(figure: Figure) -> tuple[float | None, float | None, float | None, float | None]:
    """Return value, numerator, denominator and coverage."""
    return figure["value"], figure["numerator"], figure["denominator"], figure["coverage"]


def call(whom: str, wait: float, queue: str = "A", *, given_up: bool = False, at: float = 0) -> list[Event]:
    """Return a call that waits until it is answered or abandoned."""
    end = report(ContactEnded, at + wait, whom, by="customer") if given_up else report(ContactAnswered, at + wait, whom)
    return [report(ContactQueued, at, whom, queue=queue), end]
