"""Common parts of help desks: drafts about a ticket, with ids of the ticket and its change, and names of groups. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.drafting import draft
from streams.connectors.kit.model import Setting, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft

__all__ = [
    "UNASSIGNED",
    "about",
    "arrival",
    "assigned",
    "channel_of",
    "channels_setting",
    "in_ms",
    "moved",
    "queue_of",
    "queues_setting",
    "second",
    "stamp",
]

#: The queue of a ticket without a group.
UNASSIGNED: Final = "(unassigned)"


def second(at: datetime) -> datetime:
    """Return a time without its fraction: feeds of one platform report the same time with different precision."""
    return at.replace(microsecond=0)


def stamp(at: datetime) -> int:
    """Return the seconds since the epoch, for ids."""
    return int(at.timestamp())


def in_ms(at: datetime) -> int:
    """Return the milliseconds since the epoch, as ``revision`` has them."""
    return int(at.timestamp() * 1000)


def about(ticket: str, kind: str, what: str, at: datetime, /, **fields: Any) -> Draft:
    """Return a draft about a ticket; fields that are None are left out.

    Args:
        ticket: the platform's id, of conversation and contact.
        kind: the type of event.
        what: the change, unique within the ticket whichever feed reports it; with the ticket it is the ``event_id``.
        at: when.
        fields: of the type.
    """
    return draft(kind, f"{ticket}-{what}", at, conversation_id=ticket, contact_id=ticket, **fields)


def arrival(ticket: str, at: datetime, *, channel: str, queue: str, customer_key: str | None = None, **fields: Any) -> Iterator[Draft]:
    """Yield that a ticket arrived and waits in a queue."""
    yield about(ticket, "contact.arrived", "arrived", at, channel=channel, customer_key=customer_key, **fields)
    yield about(ticket, "contact.queued", "queued", at, channel=channel, queue=queue)


def assigned(ticket: str, at: datetime, agent: str | None) -> Draft:
    """Return that a ticket was assigned to an agent, or unassigned."""
    return about(ticket, "contact.assigned", f"assigned-{agent or 'none'}-{stamp(at)}", at, agent=agent)


def moved(ticket: str, at: datetime, context: Context, *, group: str | None, previous: str | None, channel: str) -> Iterator[Draft]:
    """Yield that a ticket moved from one group to another; its first group is no transfer."""
    what = f"moved-{group or 'none'}-{stamp(at)}"
    to, from_queue = queue_of(context, group), None if previous in {None, "0"} else queue_of(context, previous)
    if from_queue is not None:
        yield about(ticket, "contact.transferred", f"{what}-transferred", at, kind="queue", from_queue=from_queue, to_queue=to)
    yield about(ticket, "contact.queued", f"{what}-queued", at, channel=channel, queue=to)


def queues_setting(what: str) -> Setting:
    """Return the setting that names queues, for ids of groups, teams or inboxes."""
    return Setting(name="queues", meaning=f"Id of {what} → name of its queue; one that is not named is called by its id", default={})


def channels_setting(default: Mapping[str, str]) -> Setting:
    """Return the setting that maps a way into the desk to its channel."""
    meaning = "Way into the desk, as the platform calls it → channel; one that is not named is `ticket`"
    return Setting(name="channels", meaning=meaning, default=dict(default))


def queue_of(context: Context, group: str | None) -> str:
    """Return the name of a group's queue."""
    if group in {None, "0"}:
        return UNASSIGNED
    return str(_table(context, "queues").get(str(group), group))


def channel_of(context: Context, way: str | None, default: Mapping[str, str]) -> str:
    """Return the channel of a way into the desk."""
    channels = _table(context, "channels")
    return str(channels.get(way or "") or default.get(way or "") or "ticket")


def _table(context: Context, name: str) -> Mapping[str, Any]:
    """Return a setting that is a table, its keys as text: YAML reads ids as numbers."""
    raw = context.settings.get(name) or {}
    if not isinstance(raw, dict):
        raise UnusableError("bad_setting", f"{name}: an id and its meaning a line")
    return {str(key): value for key, value in raw.items()}
