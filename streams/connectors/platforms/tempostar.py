"""TEMPOSTAR: orders as CSV, one row per article, with columns that its user chose."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Compared, Connector, Context, Draft, Record, Seen, Setting, UnusableError
from streams.connectors.kit.orders import CURRENCY, CUSTOMER, LINK, Buyer, cancelled, linked, placed
from streams.connectors.kit.reading import written
from streams.connectors.kit.tables import table_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["CONNECTOR"]

_ZONE: Final = ZoneInfo("Asia/Tokyo")
_TIME: Final = re.compile(r"([0-9]{4})[/-]([0-9]{1,2})[/-]([0-9]{1,2})(?: ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?")
_FILE_TIME: Final = re.compile(r"(20[0-9]{12})")
_MAX_ROWS: Final = 1_000

#: Meaning of a column → its name, unless configured.
_COLUMNS: Final = {
    "order": "システム受注番号",
    "at": "受注日時",
    "progress": "受注進捗コード",
    "mail": "注文者メールアドレス",
    "telephone": "注文者電話番号",
    "amount": "税込金額",
    "shipping": "配送毎配送料",
}

_rows = table_records("utf-8", "cp932")


def _read(body: bytes, origin: str) -> Iterator[Record]:
    """Yield an order for consecutive rows of its articles; raise UnusableError where there is no table."""
    rows: list[dict[str, Any]] = []
    number = 0
    for row in _rows(body, origin):
        if rows and (_numbers(row.content) != _numbers(rows[0]) or len(rows) >= _MAX_ROWS):
            yield _order(rows, origin, number)
            number += 1
            rows = []
        rows.append(row.content)
    if rows:
        yield _order(rows, origin, number)


def _numbers(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the numbers that the rows of an order share, whatever the columns are called: TEMPOSTAR's, and the shop's."""
    return tuple(value for name, value in row.items() if name.endswith("受注番号"))


def _order(rows: list[dict[str, Any]], origin: str, number: int) -> Record:
    # The numbers stay readable in a dead letter, the rows do not: the user chooses what a column holds.
    content = {"file": origin, "numbers": "/".join(map(str, _numbers(rows[0]))), "rows": rows}
    return Record(content, written(content), origin, number)


def _columns(context: Context) -> dict[str, str]:
    return {**_COLUMNS, **{str(name): str(column) for name, column in (context.settings.get("columns") or {}).items()}}


def _compare(record: Record, seen: Seen | None, context: Context) -> Compared:
    rows, columns = Fields(record.content).entries("rows"), _columns(context)
    if not rows:
        raise UnusableError("missing_field", "rows: an order has one at least")
    reported = set(seen["told"]) if seen else set()
    events = list(_events(rows, columns, context, reported, record.content.get("file")))
    return Compared(events, {"told": sorted(reported)})


def _events(rows: list[Fields], columns: dict[str, str], context: Context, reported: set[str], file: object) -> Iterator[Draft]:
    first = rows[0]
    order, at = first.need(columns["order"]), _time(first.need(columns["at"]), columns["at"])
    if any(row.text(columns["order"]) != order for row in rows):
        raise UnusableError("not_permitted", "rows of one order name several")
    buyer = Buyer(context, mail=first.text(columns["mail"]), telephone=first.text(columns["telephone"]))
    value = _value(rows, columns)
    currency = str(context.settings.get("currency") or CURRENCY.default)
    if "placed" not in reported:
        yield placed(order, at, buyer, value=value, currency=currency)
        yield from linked(order, at, buyer)
        reported.add("placed")
    codes = {str(code) for code in context.settings.get("cancelled_codes") or ()}
    if first.text(columns["progress"]) in codes and "cancelled" not in reported:
        # No column has the time: it is not before the file was written, nor before the order.
        yield cancelled(order, max(_file_time(file) or at, at), buyer, value=value, currency=currency)
        reported.add("cancelled")


def _value(rows: Iterable[Fields], columns: dict[str, str]) -> float | None:
    """Return the value of the articles, and of the shipping, which each row repeats, once."""
    amounts = [_number(row, columns["amount"]) for row in rows]
    shipping = [cost for row in rows if (cost := _number(row, columns["shipping"])) is not None]
    known_amounts = [amount for amount in amounts if amount is not None]
    return sum(known_amounts) + max(shipping, default=0.0) if len(known_amounts) == len(amounts) else None


def _number(row: Fields, column: str) -> float | None:
    text = row.text(column)
    return None if text is None else Fields({column: text.replace(",", "")}).number(column)


def _time(text: str, column: str) -> datetime:
    match = _TIME.fullmatch(text)
    try:
        if match is not None:
            return datetime(*(int(part or 0) for part in match.groups()), tzinfo=_ZONE)  # type: ignore[misc,arg-type]
    except ValueError:
        pass
    raise UnusableError("bad_time", f"{column}: no time such as 2026/03/02 18:00")


def _file_time(file: object) -> datetime | None:
    """Return the time in the name of a file, ``ordershipYYYYmmddhhmmssutf8.csv``."""
    match = _FILE_TIME.search(str(file))
    try:
        return None if match is None else datetime.strptime(match.group(1), "%Y%m%d%H%M%S").replace(tzinfo=_ZONE)
    except ValueError:
        return None


CONNECTOR = Connector(
    name="tempostar",
    title="TEMPOSTAR",
    family="order",
    delivery="journal",
    ways=("pull", "file"),
    kinds={"order": "order.placed; order.cancelled with `cancelled_codes`; customer.linked with `link`"},
    ignored={},
    read=_read,
    kind=lambda _: "order",
    compare=_compare,
    key=lambda record: Fields(record.content).need("numbers"),
    remembered_days=180,
    reports={},
    personal=("rows.*.*",),
    settings=(
        Setting(name="folder", meaning="Folder in which TEMPOSTAR's files arrive; needed to read them as they arrive"),
        Setting(name="host", meaning="The SFTP server that has the folder; without it the folder is on this machine"),
        Setting(name="port", meaning="Its port", default=22),
        Setting(name="host_key", meaning="Its public key, such as `ssh-ed25519 AAAA…`, which ssh-keyscan shows: another server is refused"),
        Setting(name="user", meaning="User name at that server"),
        Setting(name="pattern", meaning="Which files are read", default="*.csv"),
        Setting(
            name="lock",
            meaning="`ready`: a file is read once its .lock is there; `busy`: once it is gone; `none`: at once",
            default="ready",
        ),
        Setting(
            name="columns", meaning="Meaning of a column (order, at, progress, mail, telephone, amount, shipping) → its header", default={}
        ),
        Setting(
            name="cancelled_codes", meaning="Values of 受注進捗コード that mean a cancelled order, as your TEMPOSTAR is set up", default=[]
        ),
        CURRENCY,
        CUSTOMER,
        LINK,
    ),
    credentials=(
        Setting(name="password", meaning="Of the user of the SFTP server"),
        Setting(name="private_key", meaning="Or the key, as OpenSSH writes it, without a passphrase"),
    ),
    extra="sftp",
    guessed=(
        "That a .lock beside a file marks it as complete, as for files that are sent to TEMPOSTAR.",
        "The columns, and the meaning of 受注進捗コード: both are chosen in TEMPOSTAR; no public list was found.",
        "That 税込金額 is of the row's articles together, and 配送毎配送料 the same in each row of an order.",
        "That points and coupons are a way to pay: they are not taken off the value.",
    ),
)
