"""NEXT ENGINE: slips of orders as its search answers, with all values as texts and times of Japan without an offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen, Setting
from streams.connectors.kit.orders import CUSTOMER, LINK, Buyer, cancelled, linked, placed
from streams.connectors.kit.reading import list_records

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECTOR", "FIELDS"]

_ZONE: Final = ZoneInfo("Asia/Tokyo")
_CURRENCY: Final = "JPY"

#: The fields of a slip that are needed: fewer are answered faster.
FIELDS: Final = (
    "receive_order_id",
    "receive_order_date",
    "receive_order_import_date",
    "receive_order_cancel_type_id",
    "receive_order_cancel_date",
    "receive_order_total_amount",
    "receive_order_purchaser_mail_address",
    "receive_order_purchaser_tel",
    "receive_order_divide_from_order_id",
    "receive_order_deleted_flag",
    "receive_order_last_modified_null_safe_date",
)

#: Types of cancellation that cancel no order: it is valid; it was merged into another slip; it is under review.
_VALID, _MERGED, _ON_HOLD = "0", "3", "12"
_NOT_CANCELLED: Final = {_VALID, _MERGED, _ON_HOLD}


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    fields.need("receive_order_id")
    divided = fields.text("receive_order_divide_from_order_id")
    return "order" if divided in {None, "0"} else "divided"


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    """Report once that an order was placed, and once that it was cancelled."""
    fields = Fields(record.content, _ZONE)
    order = fields.need("receive_order_id")
    reported = set(seen["told"]) if seen else set()
    events = list(_events(order, fields, context, reported))
    return Compared(events, {"told": sorted(reported)})


def _events(order: str, fields: Fields, context: Context, reported: set[str]) -> Iterator[Draft]:
    kind = fields.text("receive_order_cancel_type_id") or _VALID
    is_cancelled = kind not in _NOT_CANCELLED or fields.text("receive_order_deleted_flag") == "1"
    value = fields.number("receive_order_total_amount")
    buyer = Buyer(context, mail=fields.text("receive_order_purchaser_mail_address"), telephone=fields.text("receive_order_purchaser_tel"))
    if "placed" not in reported:
        at = fields.time("receive_order_date") or fields.need_time("receive_order_import_date")
        yield placed(order, at, buyer, value=value, currency=_CURRENCY)
        yield from linked(order, at, buyer)
        reported.add("placed")
    if is_cancelled and "cancelled" not in reported:
        at = fields.time("receive_order_cancel_date") or fields.need_time("receive_order_last_modified_null_safe_date")
        yield cancelled(order, at, buyer, value=value, currency=_CURRENCY)
        reported.add("cancelled")


CONNECTOR = Connector(
    name="next-engine",
    title="NEXT ENGINE",
    family="order",
    delivery="journal",
    ways=("pull", "file"),
    kinds={"order": "order.placed; order.cancelled once it is cancelled or deleted; customer.linked with `link`"},
    ignored={"divided": "a part of a divided order: the order itself is counted"},
    read=list_records("data"),
    kind=_kind,
    compare=_compare,
    key=lambda record: Fields(record.content).need("receive_order_id"),
    # An order is cancelled while it is not delivered.
    remembered_days=180,
    reports={},
    personal=(
        "receive_order_purchaser_mail_address",
        "receive_order_purchaser_tel",
        "receive_order_purchaser_name",
        "receive_order_purchaser_kana",
        "receive_order_purchaser_address1",
        "receive_order_purchaser_address2",
        "receive_order_purchaser_zip_code",
        "receive_order_purchaser_fax",
        "receive_order_consignee_name",
        "receive_order_consignee_kana",
        "receive_order_consignee_address1",
        "receive_order_consignee_address2",
        "receive_order_consignee_zip_code",
        "receive_order_consignee_tel",
        "receive_order_note",
        "access_token",
        "refresh_token",
    ),
    settings=(
        Setting(name="tokens_file", meaning="File that stores the tokens, which NEXT ENGINE replaces; needed to poll it"),
        Setting(name="url", meaning="Where its API is", default="https://api.next-engine.org"),
        CUSTOMER,
        LINK,
    ),
    credentials=(
        Setting(name="access_token", meaning="As it was first given; once `tokens_file` exists, that one counts", required=True),
        Setting(name="refresh_token", meaning="The same", required=True),
    ),
    guessed=(
        "That a cancelled slip which becomes valid again (type 0 after another) is rare: it stays cancelled here.",
        "That a slip which is copied from another (`receive_order_copy_from_order_id`) is an order of its own.",
    ),
)
