"""What an operator orders: records that `contact-streams` alone writes into the topics of events, to every partition of them.

They are no events: no connector takes them in, and no decoder of events knows them. A worker carries one out where it stands among
the records, in the transaction that moves the offset beyond it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from schemas.base import Id, Label, Time

__all__ = [
    "OPERATOR_KINDS",
    "BadOrderError",
    "OperatorModel",
    "ProgressReset",
    "SourceQuarantined",
    "SourceReleased",
    "encode_order",
    "is_order",
    "parse_order",
]


class BadOrderError(ValueError):
    """A record has the type of an order, and not its form."""


class OperatorModel(BaseModel):
    """What every order carries; unknown further fields are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", use_attribute_docstrings=True, defer_build=True)

    type: str
    """The kind of order."""
    event_id: Id
    """Names the order; the same on every partition."""
    occurred_at: Time
    """When it was given, by the clock of the machine on which it was given."""
    why: Label | None = None
    """What for, in the operator's own words."""


class ProgressReset(OperatorModel):
    """Progress, and what sources have said of it, goes back to an instant where it lies beyond."""

    type: Literal["operator.progress_reset"] = "operator.progress_reset"
    to: Time
    """Nothing may lie beyond this; what lies before it stays as it is."""


class SourceQuarantined(OperatorModel):
    """From here on what a source sends is set aside; a source that is quarantined already stays so for the reason it has."""

    type: Literal["operator.source_quarantined"] = "operator.source_quarantined"
    source: Label


class SourceReleased(OperatorModel):
    """From here on what a source sends counts again, and it is judged anew."""

    type: Literal["operator.source_released"] = "operator.source_released"
    source: Label


#: The models by what stands under `type` in a record. Only additions.
OPERATOR_KINDS: dict[str, type[OperatorModel]] = {
    str(kind.model_fields["type"].default): kind for kind in (ProgressReset, SourceQuarantined, SourceReleased)
}


def encode_order(order: OperatorModel) -> bytes:
    """Return the record value of an order."""
    return order.model_dump_json(exclude_none=True).encode()


def is_order(value: bytes | None) -> bool:
    """Say whether a record holds an order, in its form or not."""
    try:
        return parse_order(value) is not None
    except BadOrderError:
        return True


def parse_order(value: bytes | None) -> OperatorModel | None:
    """Return the order that a record holds, None if it holds none; raise BadOrderError where it has the type of one and not its form."""
    if not value or b'"operator.' not in value:
        return None
    try:
        data = from_json(value)
    except ValueError:
        return None
    kind = data.get("type") if isinstance(data, dict) else None
    model = OPERATOR_KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return None
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise BadOrderError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
