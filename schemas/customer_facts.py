"""Records of customer-facts and customer-links: what is known of customers, brought together where it is counted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CustomerFact", "CustomerLink"]


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
    """What there is to know of a conversation of a known customer; replaces what was told of it and that customer before."""

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
    """How far one part is complete: a source partition, the links, or another partition of customer-facts."""

    kind: Literal["progress"] = "progress"
    source_topic: str
    source_partition: int
    progress_ms: int | None
    received_through_ms: int | None


class FamilyFact(_Model):
    """Keys that links make one customer, for each partition where one of them is at home; replaces what was told of any of them."""

    kind: Literal["family"] = "family"
    keys: list[str] = Field(description="in order; the customer is counted where the first of them is at home")
    links: list[tuple[int, str, str]] = Field(description="from when on, told under, to")
    heard_ms: int = Field(description="the latest of the links; if gone, what is up to there is forgotten")
    gone: bool = Field(default=False, description="nothing was heard of them for long: each is a customer of its own again")


class CopyFact(_Model):
    """What is known under a key that is counted in another partition than that of its home; replaces the one before."""

    kind: Literal["copy"] = "copy"
    customer_key: str
    row: dict[str, Any] | None = Field(description="as in the state of its home; null when it is counted there no more")


class MovedFact(_Model):
    """What the last release knew under a key."""

    kind: Literal["moved"] = "moved"
    customer_key: str
    row: dict[str, Any]


class HeardFact(_Model):
    """When a linked key was last heard of."""

    kind: Literal["heard"] = "heard"
    customer_key: str
    at_ms: int | None
    active: bool


#: Partitions: by ``customer_key``, crc32 of its bytes modulo their number.
CustomerFact = Annotated[
    ContactFact | OrderFact | CancellationFact | StatusFact | FamilyFact | CopyFact | MovedFact | ProgressFact, Field(discriminator="kind")
]
CustomerLink = Annotated[LinkFact | HeardFact | ProgressFact, Field(discriminator="kind")]
