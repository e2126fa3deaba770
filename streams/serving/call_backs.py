"""Customers to call back: those who gave up waiting and have not got through since, from the contact events of the last hours."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from schemas.times import format_ms
from streams.explaining import LinkedKeys, RecentContacts
from streams.serving.materialized import Materialized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schemas.api import CallOrder
    from streams.configuration import Configuration
    from streams.configuration.floor import Links
    from streams.explaining.recent_contacts import GaveUp
    from streams.serving.event_log import EventLog

__all__ = ["MOST_HOURS", "CallBacks", "contacts_of", "link_document", "links_of"]

MOST_HOURS: Final = 24
_HOUR_MS: Final = 3_600_000
#: How far back links are read by default, or as far as Kafka has them.
_LINKS_SECONDS: Final = 7 * 86_400.0
_EMPTY: Final = {
    "total": 0, "abandoned": [], "got_through_total": 0, "got_through": [], "short_total": 0, "short_abandon_seconds": [],
}  # fmt: skip


def contacts_of(log: EventLog, configuration: Callable[[], Configuration], clock: Callable[[], float]) -> Materialized[RecentContacts]:
    """Return the recent contacts, for call-backs and for the contacts of agents at work."""
    return Materialized(log, RecentContacts, configuration, look_back_seconds=MOST_HOURS * 3600.0, clock=clock)


def links_of(log: EventLog, configuration: Callable[[], Configuration], clock: Callable[[], float]) -> Materialized[LinkedKeys]:
    """Return the links between customers' keys, from customer events."""
    return Materialized(log, LinkedKeys, configuration, look_back_seconds=_LINKS_SECONDS, clock=clock)


class CallBacks:
    """The customers to call back, for the API; ``links`` may be unreadable."""

    def __init__(self, contacts: Materialized[RecentContacts], links: Materialized[LinkedKeys] | None = None) -> None:
        self.readings = tuple(source for source in (contacts, links) if source is not None)
        self._contacts = contacts
        self._links = links

    async def document(
        self,
        asker: str,
        hours: int,
        wanted: Callable[[str], bool],
        limit: int,
        *,
        order: CallOrder = "newest",
        unrestricted: bool = True,
        as_of_ms: int | None = None,
    ) -> dict[str, Any]:
        """Return the customers who gave up within ``hours`` in wanted queues, at most ``limit``, as of the newest event.

        Unless ``unrestricted``, return them as of ``as_of_ms``: the time of the newest event reveals how busy hidden queues are.
        Customers who have got through since are listed separately, at most ``limit``.

        Raises:
            NoTurnError, TopicError, KafkaError, OSError, TimeoutError: as ``Materialized.query``.
        """
        linked: Mapping[str, str] | None = None
        if self._links is not None:
            linked = await self._links.query_if_readable(asker, lambda links, _: links.joined())

        def compute(contacts: RecentContacts, configuration: Configuration) -> dict[str, Any]:
            now_ms = contacts.received_ms if unrestricted else as_of_ms
            if now_ms is None:
                return {"since": None, "abandoned_as_of": None, **_EMPTY}
            since_ms = max(now_ms - hours * _HOUR_MS, self._contacts.known_since_ms)
            short = contacts.short_abandons(since_ms, lambda queue, _: wanted(queue))
            waiting, reached = contacts.who_gave_up(since_ms, lambda queue, _: wanted(queue), now_ms, linked or {})
            if order == "longest":
                waiting.sort(key=lambda customer: (customer.first_left_ms, customer.conversation_id))
            return {
                "since": format_ms(since_ms),
                "abandoned_as_of": format_ms(now_ms),
                "total": len(waiting),
                "abandoned": [_document(customer, configuration) for customer in waiting[:limit]],
                "got_through_total": len(reached),
                "got_through": [
                    _document(customer, configuration) | {"reached": _time(customer.reached_ms)} for customer in reached[:limit]
                ],
                "short_total": short.total(),
                "short_abandon_seconds": [limit_ms / 1000 for limit_ms in sorted(short)],
            }

        document = await self._contacts.query(asker, compute)
        # An answer does not wait for links that cannot be read.
        read = self.readings if linked is not None else (self._contacts,)
        reading = next((state for source in read if (state := source.reading) is not None), None)
        return {
            **document,
            "complete": reading is None,
            "reading": None if reading is None else reading.document(unrestricted=unrestricted),
            "links_known": linked is not None,
        }


def link_document(links: Links, conversation_id: str, source: str | None) -> dict[str, str | None]:
    """Return the link to a contact at its platform, and the platform's name, as answers have them."""
    link = links.of_conversation(conversation_id, source)
    return {"link": link, "platform": None if link is None else links.platform_of(source)}


def _time(ms: int | None) -> str | None:
    return None if ms is None else format_ms(ms)


def _document(customer: GaveUp, configuration: Configuration) -> dict[str, Any]:
    key = customer.customer_key
    return {
        "conversation_id": customer.conversation_id,
        "source": customer.source,
        "queue": customer.queue,
        "channel": customer.channel,
        "left": format_ms(customer.left_ms),
        "first_left": format_ms(customer.first_left_ms),
        "waited_seconds": customer.waited_ms / 1000,
        # Not the key itself: a sender may have put personal data into it.
        "customer": None if key is None else blake2b(key.encode(), digest_size=4).hexdigest(),
        "times": customer.times,
        "waits_again": customer.waits_again,
        **link_document(configuration.links, customer.conversation_id, customer.source),
    }
