"""Sessions of bots: their ids, and the events that begin, end and hand over one. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.drafting import hashed_id
from streams.connectors.kit.model import Setting, UnusableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft

__all__ = ["SESSION_IDS", "Session", "categories_of", "names_of"]

SESSION_IDS: Final = Setting(
    name="session_ids",
    meaning="`hidden`: ids that may be numbers or addresses of customers become keyed hashes; `plain`: all of them stay as they are",
    default="hidden",
)

_GENERATED: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{24}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_A_NUMBER: Final = re.compile(r"[0-9](?:[ .()/\-]{0,2}[0-9]){6,}")


class Session:
    """One session of a bot, and the events about it.

    Raises:
        UnusableError: ``no_customer_key`` for an id that may be a customer's number or address, where no key is configured.
    """

    def __init__(self, context: Context, *, connector: str, identity: str) -> None:
        self._connector = connector
        plain = str(context.settings.get("session_ids") or SESSION_IDS.default) == "plain"
        personal = not _GENERATED.fullmatch(identity) and ("@" in identity or _A_NUMBER.search(identity) is not None)
        if personal and not plain:
            hidden = context.customer(identity)
            if hidden is None:
                raise UnusableError(
                    "no_customer_key", "the session's id may be a customer's number: configure a customer key, or plain session_ids"
                )
            identity = hidden
        self.id = identity

    def event(self, type_: str, at: datetime | None, which: str, **fields: Any) -> Draft:
        """Return an event; without a time it occurs when it is received.

        Args:
            type_: its type.
            at: when it occurred.
            which: distinguishes it from the session's other events, the same when it is sent again.
            fields: further fields of the event; None is left out.
        """
        draft: Draft = {
            "type": type_,
            "event_id": f"{self._connector}:{hashed_id(self.id, which, size=12)}-{type_.rpartition('.')[2]}",
            "conversation_id": self.id,
            **{name: value for name, value in fields.items() if value is not None},
        }
        if at is not None:
            draft["occurred_at"] = at
        return draft


def names_of(context: Context, setting: str, default: tuple[str, ...] = ()) -> frozenset[str]:
    """Return the names that a setting lists; raise UnusableError ``bad_setting``."""
    names = context.settings.get(setting)
    if names is None:
        return frozenset(default)
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise UnusableError("bad_setting", f"{setting}: a list of names")
    return frozenset(names)


def categories_of(context: Context) -> Mapping[str, str]:
    """Return the setting ``categories``; raise UnusableError ``bad_setting``."""
    categories = context.settings.get("categories") or {}
    if not isinstance(categories, dict):
        raise UnusableError("bad_setting", "categories: a name and its category a line")
    return {str(name): str(category) for name, category in categories.items()}
