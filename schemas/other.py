"""Orders, customers, forecasts and the reports of a source about itself: one model a kind."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Channel, Event, Id, Name, Number, Seconds, Time, hold
from schemas.limits import far_fetched_forecast
from schemas.times import to_ms

__all__ = [
    "MAX_OPEN_IDS",
    "CustomerActivated",
    "CustomerChurned",
    "CustomerLinked",
    "CustomerModel",
    "ForecastSet",
    "OrderCancelled",
    "OrderPlaced",
    "SourceHeartbeat",
    "SourceSnapshot",
]

#: The most ids one snapshot may list; the limit of a record's size usually comes first.
MAX_OPEN_IDS = 50_000

Currency = Annotated[str, Field(min_length=3, max_length=3, pattern="^[A-Z]{3}$")]
"""An ISO 4217 code."""


class CustomerModel(Event):
    """What every customer event carries beside the common fields."""

    customer_key: Id
    """Keyed and versioned hash of the customer's identity."""


class OrderPlaced(CustomerModel):
    """A customer ordered something."""

    type: Literal["order.placed"] = "order.placed"
    order_id: Id | None = None
    """The order, so that a cancellation can name it."""
    value: Number | None = None
    """What it is worth, in the currency's main unit."""
    currency: Currency | None = None
    """The currency of the value."""


class OrderCancelled(CustomerModel):
    """A customer cancelled an order."""

    type: Literal["order.cancelled"] = "order.cancelled"
    order_id: Id | None = None
    """The cancelled order."""
    value: Number | None = None
    """What it was worth, in the currency's main unit."""
    currency: Currency | None = None
    """The currency of the value."""


class CustomerActivated(CustomerModel):
    """A person became a customer."""

    type: Literal["customer.activated"] = "customer.activated"


class CustomerChurned(CustomerModel):
    """A person stopped being a customer."""

    type: Literal["customer.churned"] = "customer.churned"


class CustomerLinked(CustomerModel):
    """Two keys belong to one customer."""

    type: Literal["customer.linked"] = "customer.linked"
    linked_key: Id
    """The other key of the same customer."""


class ForecastSet(Event):
    """What is expected of a queue in one interval; published keyed by `queue`."""

    type: Literal["forecast.set"] = "forecast.set"
    queue: Name
    """The queue."""
    channel: Channel | None = None
    """The channel; absent means all of the queue."""
    interval_start: Time
    """When the interval begins: at most 400 days after `occurred_at`."""
    interval_seconds: Seconds
    """How long it is: more than 0, and at most 31 days."""
    volume: Number | None = None
    """How many contacts are expected."""
    handle_seconds: Seconds | None = None
    """How long one is expected to take."""
    staff: Number | None = None
    """How many agents are needed."""

    @model_validator(mode="after")
    def _is_near(self) -> Self:
        hold(far_fetched_forecast(to_ms(self.occurred_at), to_ms(self.interval_start), self.interval_seconds))
        return self


class SourceHeartbeat(Event):
    """A source is alive and has reported everything up to a time; published to every partition of the topics of events."""

    type: Literal["source.heartbeat"] = "source.heartbeat"
    complete_through: Time
    """Nothing that occurred before this is still to come: at most 2 seconds after `received_at`."""
    ended: bool = False
    """The source has sent its last event, as at the end of a file: until it reports again it delays no figures, and its silence is no
    fault. With `instance`: that instance has ended."""
    instance: Id | None = None
    """The instance of the source that reports this, such as one of two gateways. The source is complete through the least of its
    instances, unless it reports its own completeness without `instance`. An instance silent for `source_timeout_seconds` delays no figures.
    With `instance` it is no sign of life of the source itself: a gateway serves senders that may have nothing to send, or be down."""


class SourceSnapshot(Event):
    """What is open at a source now; open items not listed are closed as lost. Goes to every partition of the topics of events."""

    type: Literal["source.snapshot"] = "source.snapshot"
    kind: Literal["contacts", "agents"]
    """The kind of the ids."""
    open_ids: Annotated[tuple[Id, ...], Field(max_length=MAX_OPEN_IDS)]
    """The ids that are open: contact ids (where a contact has none, its conversation id) or person ids."""
