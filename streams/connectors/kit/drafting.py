"""Build canonical events; pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from streams.connectors.kit.model import Draft

__all__ = ["draft", "hashed_id", "renamed"]


def draft(kind: str, event_id: str, at: datetime, /, **fields: Any) -> Draft:
    """Return an event of a kind with the fields that are known; lists become tuples, as events have them."""
    known = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items() if value is not None}
    return {"type": kind, "event_id": event_id, "occurred_at": at, **known}


def hashed_id(*parts: object, size: int = 16) -> str:
    """Return an id of ``size`` bytes, in hexadecimal, of these parts, where the platform gives none."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=size).hexdigest()


def renamed(names: Mapping[str, str] | None, identity: str | None) -> str | None:
    """Return the configured name of a queue or an agent by the platform's id; the id where none is configured."""
    return None if identity is None else (names or {}).get(identity, identity)
