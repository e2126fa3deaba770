"""Orders of an operator: records that only `contact-streams` writes into the topics of events, to every partition of them.

They are no events: connectors do not accept them, and decoders of events do not know them. A worker carries one out at its offset, in
the transaction that commits the offset after it.
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
    """A record has the type of an order, but not its form."""


class OperatorModel(BaseModel):
    """What every order carries; unknown further fields are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", use_attribute_docstrings=True, defer_build=True)

    type: str
    """The kind of order."""
    event_id: Id
    """Identifies the order; the same on every partition."""
    occurred_at: Time
    """When it was given, by the clock of the operator's machine."""
    why: Label | None = None
    """The reason, in the operator's own words."""


class ProgressReset(OperatorModel):
    """Progress, and the completeness that sources reported, go back to an instant if they lie beyond it."""

    type: Literal["operator.progress_reset"] = "operator.progress_reset"
    to: Time
    """Nothing may lie beyond this; earlier progress stays unchanged."""


class SourceQuarantined(OperatorModel):
    """From this record on, records of a source become dead letters; a source already quarantined keeps its reason."""

    type: Literal["operator.source_quarantined"] = "operator.source_quarantined"
    source: Label


class SourceReleased(OperatorModel):
    """From this record on, a source counts again, and its judging restarts."""

    type: Literal["operator.source_released"] = "operator.source_released"
    source: Label


#: The models by `type` of the record. Only additions.
OPERATOR_KINDS: dict[str, type[OperatorModel]] = {
    str(kind.model_fields["type"].default): kind for kind in (ProgressReset, SourceQuarantined, SourceReleased)
}


def encode_order(order: OperatorModel) -> bytes:
    """Return the record value of an order."""
    return order.model_dump_json(exclude_none=True).encode()


def is_order(value: bytes | None) -> bool:
    """Return whether a record has the type of an order, well-formed or not."""
    try:
        return parse_order(value) is not None
    except BadOrderError:
        return True


def parse_order(value: bytes | None) -> OperatorModel | None:
    """Return the order in a record, None if it has none; raise BadOrderError if it has the type of an order, but not its form."""
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
