"""Whom to call back: customers who gave up waiting and have not got through since, from the contact events of the last hours."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from schemas.times import format_ms
from streams.explaining import Abandoned
from streams.serving.reading_on import ReadingOn

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.configuration import Configuration
    from streams.explaining.abandoned import GaveUp
    from streams.serving.event_log import EventLog

__all__ = ["MOST_HOURS", "CallBacks"]

MOST_HOURS: Final = 24
_HOUR_MS: Final = 3_600_000


class CallBacks:
    """Who is to be called back, for the API."""

    def __init__(self, log: EventLog, configuration: Callable[[], Configuration], clock: Callable[[], float]) -> None:
        self._reading = ReadingOn(log, Abandoned, configuration, look_back_seconds=MOST_HOURS * 3600.0, clock=clock)

    async def document(self, asker: str, hours: int, wanted: Callable[[str], bool], limit: int, at_ms: int | None = None) -> dict[str, Any]:
        """Return those who gave up within so many hours in queues that are wanted, at most ``limit``; as of ``at_ms`` or the newest event.

        Raises:
            NoTurnError, TopicError, KafkaError, OSError, TimeoutError: as ``ReadingOn.told``.
        """

        def made(abandoned: Abandoned, configuration: Configuration) -> dict[str, Any]:
            now_ms = abandoned.received_ms if at_ms is None else at_ms
            if now_ms is None:
                return {"since": None, "abandoned_as_of": None, "total": 0, "abandoned": []}
            since_ms = max(now_ms - hours * _HOUR_MS, self._reading.known_since_ms)
            found = abandoned.to_call(since_ms, lambda queue, _: wanted(queue))
            return {
                "since": format_ms(since_ms),
                "abandoned_as_of": format_ms(now_ms),
                "total": len(found),
                "abandoned": [_told(each, configuration) for each in found[:limit]],
            }

        document = await self._reading.told(asker, made)
        return {**document, "complete": self._reading.complete}


def _told(customer: GaveUp, configuration: Configuration) -> dict[str, Any]:
    key = customer.customer_key
    return {
        "conversation_id": customer.conversation_id,
        "source": customer.source,
        "queue": customer.queue,
        "channel": customer.channel,
        "left": format_ms(customer.left_ms),
        "waited_seconds": customer.waited_ms / 1000,
        # Not the key itself: a sender may have put into it what it should not.
        "customer": None if key is None else blake2b(key.encode(), digest_size=4).hexdigest(),
        "times": customer.times,
        "waits_again": customer.waits_again,
        "link": configuration.links.of_conversation(customer.conversation_id, customer.source),
    }
