"""Topics of contacts: categories by queue, with some complaints, and a few without a category; most are resolved within minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from random import Random

    from streams.demo.simulator.floor import Contact, Floor

__all__ = ["Topics", "topic_of"]

#: The first word of a queue's name → its topics, the most frequent first.
_TOPICS: Final[dict[str, tuple[str, ...]]] = {
    "Orders": ("Delivery date 配送日", "Change of order 注文変更", "Stock 在庫"),
    "Returns": ("Return 返品", "Exchange 交換", "Damaged goods 破損"),
    "Tariffs": ("Tariff advice 料金相談", "Contract 契約", "Moving house 引越し"),
    "Outages": ("Power outage 停電", "Meter メーター"),
    "Shop": ("Delivery date 配送日", "Coupon クーポン", "Return 返品"),
    "Billing": ("Invoice 請求書", "Payment 支払い", "Refund 返金"),
}
_NAMED: Final = 0.85
_COMPLAINT: Final = 0.05
_RESOLVED: Final = 0.8


def topic_of(queue: str, random: Random) -> str:
    """Return the topic of a contact of a queue."""
    topics = _TOPICS[queue.split(maxsplit=1)[0]]
    return random.choices(topics, range(len(topics), 0, -1))[0]


class Topics:
    """Publishes topics of contacts, with a separate random generator: it does not affect the floor."""

    def __init__(self, floor: Floor, random: Random) -> None:
        self._floor = floor
        self._random = random

    def name(self, contact: Contact, *, resolved: bool = False) -> None:
        """Publish the topic of a served contact, with some probability; ``resolved``: a complaint needs no further work."""
        random = self._random
        fields: dict[str, Any] = {"category": topic_of(contact.queue.name, random)} if random.random() < _NAMED else {}
        complaint = random.random() < _COMPLAINT
        if complaint:
            fields["complaint"] = True
        if not fields:
            return
        self._floor.emit(contact, "contact.categorized", fields)
        if complaint and not resolved:
            self._floor.emit(contact, "contact.status_changed", {"status": "open"})
            if random.random() < _RESOLVED:
                self._floor.agenda.after(
                    random.uniform(60, 900), self._floor.emit, contact, "contact.status_changed", {"status": "resolved"}
                )
