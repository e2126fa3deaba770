"""MailDealer: mails by its API, whose field names are settings: its specification is for the vendor's customers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.desk import UNASSIGNED, about, arrival, stamp
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import list_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

__all__ = ["CONNECTOR"]

#: Our names of a mail's fields; the first three have to be set.
_FIELDS: Final = ("id", "received_at", "status", "updated_at", "replied_at", "completed_at", "folder", "agent", "customer")
_REQUIRED: Final = _FIELDS[:3]
#: As the manual calls the states of a mail, from memory.
_STATUSES: Final = {
    "新着": "new",
    "返信処理中": "open",
    "対応依頼中": "open",
    "保留": "on_hold",
    "返信済み": "waiting_on_customer",
    "対応完了": "resolved",
}
_PERMITTED: Final = ("new", "open", "waiting_on_customer", "on_hold", "resolved", "closed")


def _kind(record: Record) -> str:
    if not record.content:
        raise UnusableError("unknown_kind", "a mail without a single field")
    if record.content.keys() >= {"headers", "body"}:
        return "request"
    return "mail"


def _names(context: Context) -> dict[str, str]:
    configured = context.settings.get("fields")
    if not isinstance(configured, dict) or not configured.keys() <= {*_FIELDS} or not all(configured.get(name) for name in _REQUIRED):
        raise UnusableError("bad_setting", f"fields: the API's names of {', '.join(_REQUIRED)}, and optionally of {', '.join(_FIELDS[3:])}")
    return {str(ours): str(theirs) for ours, theirs in configured.items() if theirs}


class _Mail:
    """A mail's fields by our names."""

    def __init__(self, record: Record, context: Context) -> None:
        """Read the names from the settings; raise UnusableError."""
        self._names = _names(context)
        self._fields = Fields(record.content, context.zone)

    def text(self, name: str) -> str | None:
        """Return a text, None where its field is not named or holds nothing."""
        return self._fields.text(self._names[name]) if name in self._names else None

    def time(self, name: str) -> datetime | None:
        """Return a time, None where its field is not named or holds nothing."""
        return self._fields.time(self._names[name]) if name in self._names else None

    def need(self, name: str) -> str:
        """Return a required text."""
        return self._fields.need(self._names[name])


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    """Yield a step for each time of the mail: the same time gives the same event at every poll."""
    mail = _Mail(record, context)
    number = mail.need("id")
    received = mail.time("received_at")
    if received is None:
        raise UnusableError("missing_field", "received_at: required")
    key = context.customer((mail.text("customer") or "").lower())
    yield from arrival(number, received, channel="mail", queue=mail.text("folder") or UNASSIGNED, customer_key=key)
    replied, completed = mail.time("replied_at"), mail.time("completed_at")
    if replied is not None:
        agent = mail.text("agent")
        yield about(number, "contact.message", f"reply-{stamp(replied)}", replied, author_kind="agent", agent=agent, public=True)
    configured = context.settings.get("statuses") or {}
    status = {**_STATUSES, **(configured if isinstance(configured, dict) else {})}.get(mail.need("status"))
    if status not in _PERMITTED:
        raise UnusableError("bad_setting", "statuses: the status of a mail is not among them")
    # Only completion has a time of its own; another change is not after the last update.
    completed_at = completed if status in {"resolved", "closed"} else None
    at = completed_at or mail.time("updated_at") or replied or received
    if status != "new" or at > received:
        yield about(number, "contact.status_changed", f"{status}-{stamp(at)}", at, status=status)


CONNECTOR = Connector(
    name="maildealer",
    title="MailDealer",
    family="desk",
    delivery="journal",
    ways=("pull", "file"),
    kinds={"mail": "contact.arrived, contact.queued, contact.message, contact.status_changed"},
    ignored={"request": "a request to the API, no answer of it"},
    read=list_records("mails", "mail", "items", "results", "data", "records"),
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "transfer": "a mail that goes to another folder stays counted where it arrived",
        "agent_state": "the API does not report it",
        "first_response": "",
        "resolution": "",
        "csat": "MailDealer asks none",
    },
    personal=("*",),
    settings=(
        Setting(name="url", meaning="What the addresses of its API begin with, https://…; needed to poll it"),
        Setting(name="path", meaning="Of the API that lists mails, after `url`"),
        Setting(
            name="request",
            meaning="The JSON that is sent; {since}, {until}, {page} (from 1), {offset} and {size} in it are filled in",
            default={},
        ),
        Setting(name="request_time", meaning="How {since} and {until} are written", default="%Y-%m-%d %H:%M:%S"),
        Setting(name="request_zone", meaning="And in which time zone", default="Asia/Tokyo"),
        Setting(name="page_mails", meaning="How many mails an answer has at most; 0 where one answer has all", default=0),
        Setting(name="fields", meaning=f"Our name ({', '.join(_FIELDS)}) → the API's name of the field", required=True),
        Setting(name="statuses", meaning=f"Status as the API writes it → {', '.join(_PERMITTED)}", default=dict(_STATUSES)),
    ),
    credentials=(Setting(name="api_token", meaning="The token, sent as X-MD-apitoken", required=True),),
    guessed=("Every field of the API: its specification is not public. The Japanese names of statuses (from memory).",),
)
