"""Records of customer-facts: what the source partitions know of customers, brought together where links can join any two."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CustomerFact"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


_SPACE = "the source that the ids are of, or the first of those joined with it"


class _Told(_Model):
    event_id: str
    id_space: str | None = Field(default=None, description=_SPACE)
    customer_key: str
    at_ms: int = Field(description="occurred_at")
    sequence: int = 0


class ContactFact(_Model):
    """What there is to know of a conversation of a known customer; replaces what was told of it before."""

    kind: Literal["contact"] = "contact"
    conversation_id: str
    id_space: str | None = Field(default=None, description=_SPACE)
    customer_key: str
    gone: bool = Field(default=False, description="it counts no more: excluded, or not inbound")
    start_ms: int | None = None
    queue: str | None = None
    channel: str | None = None
    category: str | None = None
    resolved: bool = Field(default=False, description="it was resolved once")
    first_contact: bool = Field(default=False, description="resolved at first contact, and not reopened since")


class OrderFact(_Told):
    """An order."""

    kind: Literal["order"] = "order"
    order_id: str | None = None
    value_milli: int | None = Field(default=None, description="thousandths of the currency's main unit")
    currency: str | None = None


class CancellationFact(_Told):
    """An order taken back."""

    kind: Literal["cancellation"] = "cancellation"
    order_id: str | None = None


class StatusFact(_Told):
    """A customer who came or went."""

    kind: Literal["status"] = "status"
    active: bool


class LinkFact(_Told):
    """Two keys of one customer."""

    kind: Literal["link"] = "link"
    linked_key: str


class ProgressFact(_Model):
    """How far one source partition is complete."""

    kind: Literal["progress"] = "progress"
    source_topic: str
    source_partition: int
    progress_ms: int | None
    received_through_ms: int | None


#: Keys: ``contact|conversation_id``, ``event|event_id``, ``progress|source topic|source partition``.
CustomerFact = Annotated[ContactFact | OrderFact | CancellationFact | StatusFact | LinkFact | ProgressFact, Field(discriminator="kind")]
