"""Whom to call back: customers who gave up waiting and have not got through since, from the contact events of the last hours."""

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
#: Links are read as far back as Kafka has them, unless told otherwise.
_LINKS_SECONDS: Final = 7 * 86_400.0
_NO_ONE: Final = {
    "total": 0, "abandoned": [], "got_through_total": 0, "got_through": [], "short_total": 0, "short_abandon_seconds": [],
}  # fmt: skip


def contacts_of(log: EventLog, configuration: Callable[[], Configuration], clock: Callable[[], float]) -> Materialized[RecentContacts]:
    """Return what reads contact events, for call-backs and for what people are at."""
    return Materialized(log, RecentContacts, configuration, look_back_seconds=MOST_HOURS * 3600.0, clock=clock)


def links_of(log: EventLog, configuration: Callable[[], Configuration], clock: Callable[[], float]) -> Materialized[LinkedKeys]:
    """Return what reads links between customers' keys from customer events."""
    return Materialized(log, LinkedKeys, configuration, look_back_seconds=_LINKS_SECONDS, clock=clock)


class CallBacks:
    """Who is to be called back, for the API; ``links`` may not be readable."""

    def __init__(self, contacts: Materialized[RecentContacts], links: Materialized[LinkedKeys] | None = None) -> None:
        self.readings = tuple(each for each in (contacts, links) if each is not None)
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

        def made(contacts: RecentContacts, configuration: Configuration) -> dict[str, Any]:
            now_ms = contacts.received_ms if unrestricted else as_of_ms
            if now_ms is None:
                return {"since": None, "abandoned_as_of": None, **_NO_ONE}
            since_ms = max(now_ms - hours * _HOUR_MS, self._contacts.known_since_ms)
            short = contacts.short_abandons(since_ms, lambda queue, _: wanted(queue))
            found, reached = contacts.who_gave_up(since_ms, lambda queue, _: wanted(queue), now_ms, linked or {})
            if order == "longest":
                found.sort(key=lambda each: (each.first_left_ms, each.conversation_id))
            return {
                "since": format_ms(since_ms),
                "abandoned_as_of": format_ms(now_ms),
                "total": len(found),
                "abandoned": [_told(each, configuration) for each in found[:limit]],
                "got_through_total": len(reached),
                "got_through": [_told(each, configuration) | {"reached": _time(each.reached_ms)} for each in reached[:limit]],
                "short_total": short.total(),
                "short_abandon_seconds": [limit_ms / 1000 for limit_ms in sorted(short)],
            }

        document = await self._contacts.query(asker, made)
        # Links that cannot be read are not waited for.
        read = self.readings if linked is not None else (self._contacts,)
        reading = next((found for each in read if (found := each.reading) is not None), None)
        return {
            **document,
            "complete": reading is None,
            "reading": None if reading is None else reading.document(unrestricted=unrestricted),
            "links_known": linked is not None,
        }


def link_document(links: Links, conversation_id: str, source: str | None) -> dict[str, str | None]:
    """Return the address of a contact at its platform, and what that is called, as answers have them."""
    link = links.of_conversation(conversation_id, source)
    return {"link": link, "platform": None if link is None else links.platform_of(source)}


def _time(ms: int | None) -> str | None:
    return None if ms is None else format_ms(ms)


def _told(customer: GaveUp, configuration: Configuration) -> dict[str, Any]:
    key = customer.customer_key
    return {
        "conversation_id": customer.conversation_id,
        "source": customer.source,
        "queue": customer.queue,
        "channel": customer.channel,
        "left": format_ms(customer.left_ms),
        "first_left": format_ms(customer.first_left_ms),
        "waited_seconds": customer.waited_ms / 1000,
        # Not the key itself: a sender may have put into it what it should not.
        "customer": None if key is None else blake2b(key.encode(), digest_size=4).hexdigest(),
        "times": customer.times,
        "waits_again": customer.waits_again,
        **link_document(configuration.links, customer.conversation_id, customer.source),
    }
