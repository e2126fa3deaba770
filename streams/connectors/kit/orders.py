"""Orders: their events, and the customer's key. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from streams.connectors.kit.drafting import draft
from streams.connectors.kit.model import Setting, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft

__all__ = ["CURRENCY", "CUSTOMER", "LINK", "Buyer", "cancelled", "linked", "placed"]

CUSTOMER: Final = Setting(
    name="customer",
    meaning="What identifies the customer, as in other systems: `mail` (else the telephone) or `telephone` (else the mail address)",
    default="mail",
)
LINK: Final = Setting(
    name="link",
    meaning="Whether mail address and telephone of an order are one customer, so that the customer's calls and mails are found",
    default=False,
)
CURRENCY: Final = Setting(name="currency", meaning="Of the values, where the platform names none (ISO 4217)", default="JPY")

_NO_DIGIT: Final = re.compile(r"[^0-9+]")


class Buyer:
    """The customer of an order, as keyed hashes alone.

    Args:
        context: has the key, and the settings ``customer`` and ``link``.
        mail: the address, if there is one.
        telephone: the number, in any writing.

    Raises:
        UnusableError: ``missing_field``, if nothing identifies the customer, or no key is configured.
    """

    def __init__(self, context: Context, *, mail: str | None, telephone: str | None) -> None:
        if context.customer_key is None:
            raise UnusableError("missing_field", "customer_key: orders count by customer; set CONTACT_STREAMS_CUSTOMER_KEY")
        by_mail = context.customer(mail.strip().lower() if mail else None)
        by_telephone = context.customer(_NO_DIGIT.sub("", telephone) if telephone else None)
        keys = (by_telephone, by_mail) if context.settings.get("customer") == "telephone" else (by_mail, by_telephone)
        first, other = keys if keys[0] is not None else keys[::-1]
        if first is None:
            raise UnusableError("missing_field", "neither mail address nor telephone: nothing identifies the customer")
        self.key: str = first
        #: Of the same customer, where they are to be linked.
        self.other = other if context.settings.get("link") is True else None


def placed(order: str, at: datetime, buyer: Buyer, *, value: float | None, currency: str | None) -> Draft:
    """Return that an order was placed."""
    return _about(order, "order.placed", "placed", at, buyer, value, currency)


def cancelled(order: str, at: datetime, buyer: Buyer, *, value: float | None, currency: str | None) -> Draft:
    """Return that an order was cancelled."""
    return _about(order, "order.cancelled", "cancelled", at, buyer, value, currency)


def linked(order: str, at: datetime, buyer: Buyer) -> Iterator[Draft]:
    """Yield that an order's two identities are one customer, where configured."""
    if buyer.other is not None:
        yield draft("customer.linked", f"order-{order}-linked", at, customer_key=buyer.key, linked_key=buyer.other)


def _about(order: str, kind: str, what: str, at: datetime, buyer: Buyer, value: float | None, currency: str | None) -> Draft:
    known = currency if value is not None else None
    return draft(kind, f"order-{order}-{what}", at, customer_key=buyer.key, order_id=order, value=value, currency=known)
