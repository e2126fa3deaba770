"""Web form: submissions of a form on your page, signed by your server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.desk import UNASSIGNED, about, arrival
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.messenger import digest
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import json_or_form_records, json_records
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECTOR"]

#: Our name of a field → its name in the form.
_FIELDS: Final = {
    "id": "id",
    "submitted_at": "submitted_at",
    "form": "form",
    "queue": "queue",
    "category": "category",
    "language": "language",
    "customer": "email",
}


def _kind(_record: Record) -> str:
    return "form"


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    configured = context.settings.get("fields") or {}
    if not isinstance(configured, dict) or not configured.keys() <= _FIELDS.keys():
        raise UnusableError("bad_setting", f"fields: only {', '.join(_FIELDS)}")
    names = {**_FIELDS, **configured}
    fields = Fields(record.content, context.zone)
    at = fields.need_time(names["submitted_at"])
    form = fields.text(names["form"])
    # Without an id, an unchanged form that is sent again is the same form.
    contact = f"form-{fields.text(names['id']) or digest(record.raw.hex())}"
    customer = fields.text(names["customer"])
    yield from arrival(
        contact,
        at,
        channel="web_form",
        queue=fields.text(names["queue"]) or str(context.settings.get("queue") or "") or UNASSIGNED,
        customer_key=context.customer(customer and customer.lower()),
        entry_point=form,
        language=fields.text(names["language"]),
    )
    category = fields.text(names["category"])
    if category is not None:
        yield about(contact, "contact.categorized", "categorized", at, category=category)


CONNECTOR = Connector(
    name="web-form",
    title="Web form",
    family="message",
    delivery="live",
    ways=("webhook", "file"),
    kinds={"form": "contact.arrived, contact.queued, contact.categorized"},
    ignored={},
    read=json_or_form_records(json_records),
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "first_response": "the form reports arrivals alone; the system that answers reports replies",
        "resolution": "the form reports arrivals alone; the system that answers reports replies",
    },
    # A form may ask anything.
    personal=("*",),
    verification=Verification(
        header="X-Signature", prefix="sha256=", signed="timestamp.body", timestamp_header="X-Timestamp", tolerance_seconds=300
    ),
    settings=(
        Setting(name="fields", meaning=f"Our name of a field ({', '.join(_FIELDS)}) → its name in the form", default={}),
        Setting(name="queue", meaning="The queue of forms that name none", default=""),
    ),
)
