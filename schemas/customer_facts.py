"""Records of customer-facts and customer-links: facts of customers, partitioned by the key under which the customer is counted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CustomerFact", "CustomerLink"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


_SPACE = "the source of the ids, or the first of the sources joined with it"


class _CustomerEvent(_Model):
    event_id: str
    id_space: str | None = Field(default=None, description=_SPACE)
    customer_key: str
    at_ms: int = Field(description="occurred_at")
    sequence: int = 0


class ContactFact(_Model):
    """What is known of a conversation of a known customer; replaces the earlier record of that conversation and customer."""

    kind: Literal["contact"] = "contact"
    conversation_id: str
    id_space: str | None = Field(default=None, description=_SPACE)
    customer_key: str
    gone: bool = Field(default=False, description="it counts no more: excluded, or another customer's")
    start_ms: int | None = None
    queue: str | None = None
    channel: str | None = None
    category: str | None = None
    resolved: bool = Field(default=False, description="it was resolved once")
    first_contact: bool = Field(default=False, description="resolved at first contact, and not reopened since")


class OrderFact(_CustomerEvent):
    """An order."""

    kind: Literal["order"] = "order"
    order_id: str | None = None
    value_milli: int | None = Field(default=None, description="thousandths of the currency's main unit")
    currency: str | None = None


class CancellationFact(_CustomerEvent):
    """A cancelled order."""

    kind: Literal["cancellation"] = "cancellation"
    order_id: str | None = None


class StatusFact(_CustomerEvent):
    """A customer who was activated or churned."""

    kind: Literal["status"] = "status"
    active: bool


class LinkFact(_CustomerEvent):
    """Two keys of one customer."""

    kind: Literal["link"] = "link"
    linked_key: str


class ProgressFact(_Model):
    """How far an input is complete: a source partition, the links, or another partition of customer-facts."""

    kind: Literal["progress"] = "progress"
    source_topic: str
    source_partition: int
    progress_ms: int | None
    received_through_ms: int | None


class FamilyFact(_Model):
    """Keys that links join to one customer, for the home partition of each of them; replaces the earlier record of any of them."""

    kind: Literal["family"] = "family"
    keys: list[str] = Field(description="in order; the customer is counted in the home partition of the first")
    links: list[tuple[int, str, str]] = Field(description="from when on, key of the record, linked key")
    heard_ms: int = Field(description="the time of the latest link; if gone, links up to then are deleted")
    gone: bool = Field(default=False, description="the keys were silent for long: each is a customer of its own again")


class CopyFact(_Model):
    """State of a key that is counted in another partition than its home; replaces the earlier record."""

    kind: Literal["copy"] = "copy"
    customer_key: str
    row: dict[str, Any] | None = Field(description="as in the state of its home; null when it is counted there no more")


class MovedFact(_Model):
    """State of a key from the last release."""

    kind: Literal["moved"] = "moved"
    customer_key: str
    row: dict[str, Any]


class HeardFact(_Model):
    """When the key of a linked customer was last seen."""

    kind: Literal["heard"] = "heard"
    customer_key: str
    at_ms: int | None
    active: bool


#: Partitions: by ``customer_key``, crc32 of its bytes modulo their number.
CustomerFact = Annotated[
    ContactFact | OrderFact | CancellationFact | StatusFact | FamilyFact | CopyFact | MovedFact | ProgressFact, Field(discriminator="kind")
]
CustomerLink = Annotated[LinkFact | HeardFact | ProgressFact, Field(discriminator="kind")]
