"""A mailbox as a desk: mails that appear in folders, as `streams/connectors/live/imap.py` reads them by IMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.desk import UNASSIGNED, about, in_ms
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.messenger import FAR_FUTURE_MS, digest
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import json_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

__all__ = ["CONNECTOR", "ROLES"]

#: What a folder is for.
ROLES: Final = ("inbox", "sent", "done", "junk")
_BY_MACHINE: Final = ("auto-", "bulk", "list", "junk")


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    role = fields.need("role")
    if role not in ROLES:
        raise UnusableError("unknown_kind", "role: inbox, sent, done or junk")
    if role == "inbox" and _automatic(fields):
        return "automatic mails"
    return role


def _automatic(fields: Fields) -> bool:
    submitted, precedence = ((fields.text(name) or "").strip().lower() for name in ("auto_submitted", "precedence"))
    return submitted.startswith(_BY_MACHINE) or precedence in _BY_MACHINE


def _thread(fields: Fields) -> str:
    """Return the id of the conversation, a hash of the first mail of its thread: ids of mails name hosts and may name persons."""
    references = fields.get("references")
    first = references[0] if isinstance(references, list) and references and isinstance(references[0], str) else None
    return f"mail-{digest((first or fields.text('in_reply_to') or fields.need('message_id')).strip())}"


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    fields = Fields(record.content)
    role, thread, at = fields.need("role"), _thread(fields), fields.need_time("at")
    # A server stores when a mail was delivered, not when it was moved.
    seen_at = fields.time("seen_at") or at
    mail, uid = digest(fields.need("message_id").strip()), f"{fields.need('uidvalidity')}-{fields.need('uid')}"
    begins = fields.get("references") in (None, []) and fields.text("in_reply_to") is None
    if role == "junk":
        yield about(thread, "contact.excluded", "spam", seen_at, reason="spam")
    elif role == "done":
        yield about(thread, "contact.status_changed", f"done-{uid}", seen_at, status="resolved")
    elif role == "sent":
        yield from _sent(thread, mail, at, fields, context, begins=begins)
    else:
        yield from _received(thread, mail, at, fields, context)
        if fields.true("back"):
            yield about(thread, "contact.status_changed", f"back-{uid}", seen_at, status="reopened")
        elif not begins:
            yield about(thread, "contact.status_changed", f"words-{mail}", at, status="open")


def _received(thread: str, mail: str, at: datetime, fields: Fields, context: Context) -> Iterator[Draft]:
    sender = fields.text("from")
    # Of the mails of a thread the first one is its arrival, in whatever order they are read.
    revision = FAR_FUTURE_MS - in_ms(at)
    queue = fields.text("queue") or str(context.settings.get("queue") or "") or UNASSIGNED
    key = context.customer(sender and sender.lower())
    yield about(thread, "contact.arrived", "arrived", at, channel="mail", customer_key=key, revision=revision)
    yield about(thread, "contact.queued", "queued", at, channel="mail", queue=queue, revision=revision)
    yield about(thread, "contact.message", f"message-{mail}", at, author_kind="customer", public=True)


def _sent(thread: str, mail: str, at: datetime, fields: Fields, context: Context, *, begins: bool) -> Iterator[Draft]:
    if begins:
        # A thread that the business begins is no contact of a customer.
        revision = FAR_FUTURE_MS - in_ms(at)
        yield about(thread, "contact.arrived", "arrived", at, channel="mail", direction="outbound", revision=revision)
        return
    agents = context.settings.get("agents") or {}
    sender = fields.text("from")
    agent = agents.get(sender.lower()) if sender and isinstance(agents, dict) else None
    is_automatic = _automatic(fields)
    yield about(
        thread,
        "contact.message",
        f"message-{mail}",
        at,
        author_kind="system" if is_automatic else "agent",
        agent=None if is_automatic or agent is None else str(agent),
        public=True,
        automatic=is_automatic,
    )


CONNECTOR = Connector(
    name="imap",
    title="IMAP",
    family="desk",
    delivery="journal",
    ways=("pull", "file"),
    kinds={
        "inbox": "contact.arrived, contact.queued, contact.message; contact.status_changed of a further mail and of one that is moved back",
        "sent": "contact.message; contact.arrived, outbound, of a thread that begins with it",
        "done": "contact.status_changed",
        "junk": "contact.excluded",
    },
    ignored={"automatic mails": "a receipt, a report of delivery or a mail to a list: no customer waits for an answer to it"},
    read=json_records,
    kind=_kind,
    translate=_translate,
    reports={
        "arrival": "",
        "queue": "",
        "transfer": "a mail that goes to another folder stays counted where it arrived",
        "agent_state": "a mailbox does not report it",
        "first_response": "",
        "resolution": "",
        "csat": "a mailbox asks none",
    },
    personal=("from", "message_id", "in_reply_to", "references", "subject"),
    settings=(
        Setting(name="host", meaning="The IMAP server", required=True),
        Setting(name="port", meaning="Its port", default=993),
        Setting(name="tls", meaning="TLS from the first byte; `false` to this machine alone", default=True),
        Setting(
            name="folders",
            meaning="Folder → `inbox`, `sent`, `done` or `junk`, or such as `{role: inbox, queue: billing}`",
            default={"INBOX": "inbox", "Sent": "sent"},
        ),
        Setting(name="queue", meaning="The queue of mails in folders that name none", default=""),
        Setting(name="agents", meaning="Address that an agent sends from → the agent; without it replies name no agent", default={}),
    ),
    credentials=(
        Setting(name="user", meaning="Login name; permission to read is enough", required=True),
        Setting(name="password", meaning="The password, or one for this program alone", required=True),
    ),
    extra="imap",
)
