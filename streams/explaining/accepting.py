"""Accept the records that decode and whose times are within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from schemas.decoding import Rejected
from schemas.limits import bound_times

if TYPE_CHECKING:
    from schemas.decoding import Decode
    from schemas.structs import Event

__all__ = ["accepted"]

_E = TypeVar("_E", bound="Event")


def accepted(decode: Decode[_E], value: bytes | None, published_ms: int) -> _E | None:
    """Return the event of a record; None where a worker dead-letters it."""
    try:
        event = decode(value)
    except Rejected:
        return None
    return event if bound_times(event, published_ms) is None else None
