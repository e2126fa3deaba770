"""The output of events: each gets its id, a small delay between its occurrence and its receipt, and its order."""

from __future__ import annotations

from functools import lru_cache
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from schemas.times import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

__all__ = ["MAX_DELAY_MS", "SOURCES", "Destination", "Emission", "Outbox", "heartbeat", "time_text"]

#: The maximum delay of an event, repeats included; heartbeats rely on it.
MAX_DELAY_MS: Final = 1_000

#: Every source of the simulation, and the longest usual delay of its events in milliseconds.
SOURCES: Final[dict[str, int]] = {"sim-telephony": 400, "sim-chat": 300, "sim-mail": 900, "sim-workforce": 250, "sim-survey": 600}

_MIN_DELAY_MS = 15
#: The share of events that are delivered twice, as by senders that retry.
_REPEATED = 0.002

#: The topic of an event; a heartbeat goes to every partition of all of them.
Destination = Literal["contact-events", "agent-events", "customer-events", "every-partition"]


class Emission(NamedTuple):
    """One event to publish once the time ``published_ms`` (its ``received_at``) has come."""

    published_ms: int
    destination: Destination
    #: The record key: conversation, person, or (of a heartbeat) source.
    key: str
    #: The event as in JSON.
    event: dict[str, Any]


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return format_ms(second * 1000)[:-4]


def time_text(ms: int) -> str:
    """Return the same as ``schemas.times.format_ms``, but faster."""
    return f"{_second(ms // 1000)}{ms % 1000:03d}Z"


def heartbeat(source: str, event_id: str, at_ms: int, complete_through_ms: int) -> Emission:
    """Return the heartbeat of a source at ``at_ms``."""
    event = {
        "type": "source.heartbeat",
        "event_id": event_id,
        "occurred_at": time_text(at_ms),
        "received_at": time_text(at_ms),
        "source": source,
        "complete_through": time_text(complete_through_ms),
    }
    return Emission(at_ms, "every-partition", source, event)


class Outbox:
    """Holds events between occurrence and receipt, and yields them in the order of ``received_at``."""

    def __init__(self, prefix: str, random: Random) -> None:
        self._prefix = prefix
        self._random = random
        self._number = count()
        self._order = count()
        self._heap: list[tuple[int, int, Emission]] = []

    def put(self, source: str, destination: Destination, key: str, at_ms: int, event: dict[str, Any]) -> None:
        """Send an event that occurs at ``at_ms``; ``event`` begins with its type and is completed here."""
        draw = self._random.random
        received_ms = at_ms + _MIN_DELAY_MS + int(draw() ** 2 * SOURCES[source])
        event["event_id"] = f"{self._prefix}-{next(self._number)}"
        event["occurred_at"] = time_text(at_ms)
        event["received_at"] = time_text(received_ms)
        event["source"] = source
        heappush(self._heap, (received_ms, next(self._order), Emission(received_ms, destination, key, event)))
        if draw() < _REPEATED:
            again_ms = received_ms + int(draw() * (at_ms + MAX_DELAY_MS - received_ms))
            repeat = Emission(again_ms, destination, key, {**event, "received_at": time_text(again_ms)})
            heappush(self._heap, (again_ms, next(self._order), repeat))

    def put_heartbeat(self, source: str, at_ms: int) -> None:
        """Send a heartbeat that is received at ``at_ms``, without a delay."""
        sign = heartbeat(source, f"{self._prefix}-{next(self._number)}", at_ms, at_ms - MAX_DELAY_MS)
        heappush(self._heap, (at_ms, next(self._order), sign))

    def before(self, ms: int) -> Iterator[Emission]:
        """Yield the events received before ``ms``, in order."""
        heap = self._heap
        while heap and heap[0][0] < ms:
            yield heappop(heap)[2]
