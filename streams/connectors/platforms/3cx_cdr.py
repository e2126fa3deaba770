"""3CX's call data records (CDR): lines of fields in the order configured in 3CX, one for each call when it is over."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.drafting import draft, renamed
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Record, Setting, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft

__all__ = ["CONNECTOR", "FIELDS"]

#: All that 3CX can write, in the order of its page; a record may end earlier.
FIELDS: Final = (
    "historyid", "callid", "duration", "time-start", "time-answered", "time-end", "reason-terminated", "from-no", "to-no", "from-dn",
    "to-dn", "dial-no", "reason-changed", "final-number", "final-dn", "bill-code", "bill-rate", "bill-cost", "bill-name", "chain",
    "from-type", "to-type", "final-type", "from-dispname", "to-dispname", "final-dispname", "missed-queue-calls",
)  # fmt: skip
_MAX_LINES: Final = 1_000_000
_LEAST_FIELDS: Final = 6
_TIME: Final = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
#: Party that ended the call.
_BY: Final = {"terminatedbysrc": "customer", "terminatedbydst": "agent"}


def _read(body: bytes, origin: str) -> Iterator[Record]:
    """Yield the lines that begin with ``Call``, or are one record each; their fields have the names of ``FIELDS``, or number by number."""
    for number, line in enumerate(body.splitlines()[:_MAX_LINES]):
        text = line.decode("utf-8-sig", "replace").strip()
        if not text or text.startswith("historyid,"):
            continue
        try:
            values = next(csv.reader(io.StringIO(text.removeprefix("Call ")), strict=False), [])
        except csv.Error as error:
            raise UnusableError("not_a_table", f"line {number + 1}: no fields separated by commas") from error
        yield Record({str(column): value.strip() for column, value in enumerate(values)}, line, origin, number)


def _named(record: Record, context: Context | None) -> Fields:
    """Return the fields of a record by name."""
    names = (context.settings.get("fields") if context is not None else None) or FIELDS
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise UnusableError("bad_setting", "fields: a list of names")
    content = {name: record.content.get(str(column)) for column, name in enumerate(names)}
    return Fields(content if len(record.content) >= _LEAST_FIELDS else {})


def _kind(record: Record) -> str:
    return "call" if len(record.content) >= _LEAST_FIELDS else "other"


def _time(fields: Fields, name: str, context: Context) -> datetime | None:
    text = fields.text(name)
    if text is None:
        return None
    if not _TIME.fullmatch(text):
        raise UnusableError("bad_time", f"{name}: no time such as 2026/02/05 09:00:00; are the `fields` in the order of 3CX's?")
    return Fields({name: text.replace("/", "-").replace(" ", "T")}, context.zone).need_time(name)


def _number(fields: Fields, name: str) -> str:
    """Return a number of a device without the kind before it."""
    return (fields.text(name) or "").rpartition(".")[2]


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = _named(record, context)
    call = fields.need("historyid")
    started, ended = _time(fields, "time-start", context), _time(fields, "time-end", context)
    if started is None or ended is None:
        raise UnusableError("missing_field", "time-start, time-end: required")
    answered = _time(fields, "time-answered", context)
    queue = _queue(fields, context)
    if queue is None or (fields.text("from-no") or "").startswith("Ext."):
        return
    agent = fields.text("final-dispname") or _number(fields, "final-dn") or None
    is_answered = (fields.text("final-type") or "").lower() == "extension" and answered is not None
    if is_answered and answered == started:
        # 3CX took the call itself and does not report when the agent did: the wait is unknown.
        raise UnusableError("missing_field", "time-answered: that of the agent; 3CX answered this call before its queue")
    common = {"conversation_id": f"{context.source}:{call}", "contact_id": f"{context.source}:{call}"}
    customer = context.caller(fields.text("from-no"))
    yield draft("contact.arrived", f"{call}-arrived", started, **common, channel="voice", direction="inbound", customer_key=customer)
    yield draft("contact.queued", f"{call}-queued", started, **common, queue=queue, channel="voice")
    waited_to = answered if is_answered and answered is not None else ended
    missed = dict.fromkeys(
        filter(None, (extension_text.strip().rpartition(".")[2] for extension_text in (fields.text("missed-queue-calls") or "").split(";")))
    )
    for position, extension in enumerate(list(missed)[:100]):
        offer: dict[str, Any] = {"agent": extension, "queue": queue, "outcome": "no_answer", "sequence": position}
        yield draft("contact.offer_ended", f"{call}-missed-{position}", waited_to, **common, **offer)
    by = _BY.get((fields.text("reason-terminated") or "").lower())
    if is_answered and answered is not None:
        yield draft("contact.answered", f"{call}-answered", answered, **common, queue=queue, agent=agent, sequence=100)
        yield draft("contact.ended", f"{call}-ended", ended, **common, by=by)
    else:
        reason = "abandoned" if by == "customer" else "overflow"
        yield draft("contact.left_queue", f"{call}-left", ended, **common, queue=queue, reason=reason, sequence=100)


def _queue(fields: Fields, context: Context) -> str | None:
    """Return the queue that a call went to, None if it went to none."""
    number, names = _number(fields, "to-dn") or _number(fields, "dial-no"), context.settings.get("queues") or {}
    if number in names:
        return renamed(names, number)
    return (fields.text("to-dispname") or number or None) if (fields.text("to-type") or "").lower() == "queue" else None


CONNECTOR: Final = Connector(
    name="3cx-cdr",
    title="3CX CDR",
    family="telephone",
    delivery="journal",
    ways=("connection", "file"),
    kinds={
        "call": "for a call from outside to a queue contact.arrived, contact.queued, contact.offer_ended (no_answer) of each agent who "
        "missed it, and contact.answered and contact.ended, or contact.left_queue (abandoned, overflow); for other calls nothing"
    },
    ignored={"other": "has fewer fields than any record"},
    read=_read,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "ring": "",
        "hold": "a record has the times of its call alone",
        "wrap_up": "a record has the times of its call alone",
        "ended_by": "",
        "transfer": "a record has the last number that a call went to, not the way there",
        "agent_state": "a record is of a call",
    },
    personal=("*",),
    settings=(
        Setting(name="fields", meaning="What 3CX writes, in its order; empty for all in the order of its page.", default=[]),
        Setting(name="queues", meaning="Number of a queue → its name; needed where 3CX writes no `to-type`.", default={}),
        Setting(name="host", meaning="Where 3CX is, as a server (passive socket).", default="127.0.0.1"),
        Setting(name="port", meaning="The port that is set there.", default=0),
        Setting(name="tls", meaning="Connect by TLS, through a tunnel: 3CX has none.", default=False),
        Setting(name="tls_ca", meaning="File of the authority that signed the certificate, if it is your own.", default=""),
    ),
    guessed=(
        "the values of to-type and final-type: Queue and Extension",
        "a call that the caller did not end and no agent answered went elsewhere (overflow)",
        "times are those of the zone of 3CX",
    ),
)
