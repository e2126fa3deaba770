"""Orders of any shop, sent as signed JSON: for systems that have no connector of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record
from streams.connectors.kit.orders import CURRENCY, CUSTOMER, LINK, Buyer, cancelled, linked, placed
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECTOR"]


def _kind(record: Record) -> str:
    return Fields(record.content).need("event")


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = Fields(record.content, context.zone)
    order, at = fields.need("order_id"), fields.need_time("at")
    buyer = Buyer(context, mail=fields.text("customer.mail"), telephone=fields.text("customer.telephone"))
    value = fields.number("value")
    currency = fields.text("currency") or str(context.settings.get("currency") or CURRENCY.default)
    if _kind(record) == "order.cancelled":
        yield cancelled(order, at, buyer, value=value, currency=currency)
    else:
        yield placed(order, at, buyer, value=value, currency=currency)
        yield from linked(order, at, buyer)


CONNECTOR = Connector(
    name="order-webhook",
    title="Orders by webhook",
    family="order",
    delivery="live",
    ways=("webhook", "file"),
    kinds={"order.placed": "order.placed; customer.linked with `link`", "order.cancelled": "order.cancelled"},
    ignored={"order.updated": "an order counts with the value that it was placed with", "ping": "tests the address"},
    read=json_records,
    kind=_kind,
    translate=_translate,
    reports={},
    personal=("customer", "customer.*", "note", "items"),
    verification=Verification(
        header="X-Signature",
        encoding="hex",
        prefix="sha256=",
        signed="timestamp.body",
        timestamp_header="X-Signature-Timestamp",
        tolerance_seconds=300,
    ),
    settings=(CURRENCY, CUSTOMER, LINK),
)
