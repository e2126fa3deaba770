"""Amazon Connect's contact events as an API destination of EventBridge delivers them, by webhook.

A webhook is understood by itself: where a customer was passed on, the share of who did so ends when the next contact begins. Of a warm
transfer, in which both agents stay with the customer, that is too early: `amazon-connect-contact-events` remembers, and has it right.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from streams.connectors.kit.amazon_connect import AGENTS, QUEUES, conversation
from streams.connectors.kit.drafting import draft
from streams.connectors.kit.verification import Verification
from streams.connectors.platforms.amazon_connect_contact_events import CONNECTOR as FROM_SQS
from streams.connectors.platforms.amazon_connect_contact_events import detail_of, passed_on, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.connectors.kit.model import Context, Draft, Record

__all__ = ["CONNECTOR"]


def _translate(record: Record, context: Context) -> Iterator[Draft]:
    detail = detail_of(record)
    yield from told(record, context)
    before = passed_on(detail)
    if before is not None:
        at, whole = detail.need_time("initiationTimestamp"), conversation(detail, "initialContactId", "contactId")
        yield draft("contact.transferred", f"{before}-transferred", at, conversation_id=whole, contact_id=before)


CONNECTOR: Final = replace(
    FROM_SQS,
    name="amazon-connect-eventbridge",
    title="Amazon Connect contact events by webhook",
    ways=("webhook", "file"),
    kinds={**FROM_SQS.kinds, "INITIATED": "contact.arrived; of a transfer contact.transferred of the contact before"},
    translate=_translate,
    compare=None,
    key=None,
    verification=Verification(kind="token", header="X-Api-Key"),
    settings=(QUEUES, AGENTS, *(each for each in FROM_SQS.settings if each.name == "agent_events")),
    credentials=(),
    extra=None,
    guessed=(*FROM_SQS.guessed, "that a warm transfer's first agent leaves when the next contact begins"),
)
