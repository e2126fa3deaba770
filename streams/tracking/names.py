"""Limits of unconfigured names: those within a source's limit count separately, the others together (`docs/counting.md`, 2).

Admission depends on the partition's records in their order alone, and is stored with its state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from schemas import structs
from streams.tracking.channels import arrival_channel, has_visit, queues_without_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.configuration import Configuration
    from streams.tracking.state import Conversation

__all__ = ["FIELDS", "OTHER", "Names"]

#: What names beyond the limit count under.
OTHER = "(other)"
#: Name for contacts without a queue.
_UNASSIGNED = "(unassigned)"
_HOUR_MS = 3_600_000
#: Separator of queue and channel in a pair; it occurs in no name.
_AND = "\x1f"
#: Channels of a queue configured without one that a source may use outside of its limit.
_FREE_CHANNELS = 2

#: Fields with names that figures are kept by; a site only in events that count without a queue.
_OF_CONTACTS = {"queue": "queue", "category": "category"}
_WITH_SITE = ("contact.arrived", "contact.not_offered", "contact.excluded", "self_service.started")


def _fields() -> dict[type, tuple[tuple[str, str], ...]]:
    """Return the fields of each type of event with such names, with the kind of each."""
    fields_of = {}
    for union in (structs.ContactEvent, structs.AgentEvent, structs.CustomerEvent):
        for kind in get_args(union):
            wanted = dict(_OF_CONTACTS)
            if union is structs.AgentEvent:
                wanted = {"team": "team", "site": "site"} if "team" in kind.__struct_fields__ else {}
            elif kind.type in _WITH_SITE:
                wanted["site"] = "site"
            # An arrival after its queues changes their pairs.
            if kind.type == "contact.arrived":
                wanted["channel"] = "arrival"
            fields_of[kind] = tuple((field, of) for field, of in wanted.items() if field in kind.__struct_fields__)
    return {kind: fields for kind, fields in fields_of.items() if fields}


#: Type of event → (field, kind) of the names in it; types without are missing.
FIELDS = _fields()
#: Types of events that may have a channel.
_WITH_CHANNEL = frozenset(kind for kind in FIELDS if hasattr(kind, "channel"))


class Names:
    """Admitted names of one partition, and counts of names beyond the limits of each source."""

    def __init__(self, configuration: Configuration) -> None:
        limits = configuration.source_limits
        reserved = {OTHER, _UNASSIGNED}
        #: kind → names without a limit; the channels of queues may have one
        self.configured = {
            "queue": frozenset(configuration.queues) | reserved,
            "team": frozenset(configuration.teams) | reserved,
            "site": frozenset(configuration.sites) | reserved,
            "category": frozenset(reserved),
        }
        self._limits = {
            "queue": limits.max_new_queues,
            "team": limits.max_new_teams,
            "site": limits.max_new_sites,
            "category": limits.max_new_categories,
            "channel": limits.max_new_queues,
            "free_channel": None,
        }
        self._channels = {name: None if queue.channel is None else str(queue.channel) for name, queue in configuration.queues.items()}
        #: returns the conversation of an event
        self.conversation_of: Callable[[Any], Conversation | None] = _nothing
        self._idle_ms = _HOUR_MS * limits.names_idle_hours
        #: kind → name → [first source, hour of its last use, in ms]
        self._admitted: dict[str, dict[str, list[Any]]] = {kind: {} for kind in self._limits}
        #: kind and source at its limit → none of its names expires before this
        self._full_until: dict[tuple[str, str], int] = {}
        #: source and queue → number of channels used outside of the limit
        self._free: dict[tuple[str, str], int] = {}
        self._changed: set[tuple[str, str]] = set()
        #: source → kind → number of names beyond its limit
        self.beyond: dict[str, dict[str, int]] = {}

    def admit(self, event: Any, fields: tuple[tuple[str, str], ...]) -> None:
        """Replace names beyond the limits of the source by ``(other)``, in these fields of a decoded event."""
        for field, kind in fields:
            name = getattr(event, field)
            if kind == "arrival":
                self._admit_arrival(event)
            elif name is None:
                continue
            elif name not in self.configured[kind] and not self._admits(kind, name, event):
                setattr(event, field, OTHER)
                self.note_beyond(event.source, kind)
            elif kind == "queue":
                self._admit_channel(event, name)

    def _admits(self, kind: str, name: str, event: Any) -> bool:
        entry = self._admitted[kind].get(name)
        hour = event.received_ms - event.received_ms % _HOUR_MS
        if entry is None or hour > entry[1] + self._idle_ms:
            return self._take(kind, name, event.source, hour)
        if hour > entry[1]:
            entry[1] = hour
            self._changed.add((kind, entry[0]))
        return True

    def _admit_channel(self, event: Any, queue: str) -> None:
        """Replace a queue by ``(other)`` if the event's channel is beyond the limit."""
        own, channel = self._channels.get(queue), event.channel if type(event) in _WITH_CHANNEL else None
        conversation = None
        if channel is None:
            conversation = self.conversation_of(event)
            channel = (None if conversation is None else arrival_channel(conversation)) or own or "voice"
        if channel == own or queue in (OTHER, _UNASSIGNED):
            return
        if event.type != "contact.queued" and conversation is not None and has_visit(conversation, queue):
            return
        if not self._admits_pair(event, queue, channel):
            event.queue = OTHER
            self.note_beyond(event.source, "channel")

    def _admit_arrival(self, event: Any) -> None:
        """Keep a conversation on its channel if a later arrival would put its queues on a channel beyond the limit."""
        conversation = self.conversation_of(event)
        if conversation is None or conversation.knows(event.event_id):
            return
        for queue in queues_without_channel(conversation):
            own = self._channels.get(queue)
            if event.channel != own and queue not in (OTHER, _UNASSIGNED) and not self._admits_pair(event, queue, event.channel):
                event.channel = arrival_channel(conversation) or own or "voice"
                self.note_beyond(event.source, "channel")
                return

    def _admits_pair(self, event: Any, queue: str, channel: str) -> bool:
        """Return whether a queue counts separately on a channel that is not its own."""
        pair, free = f"{queue}{_AND}{channel}", self._admitted["free_channel"]
        if pair in free or not self._limits["channel"]:
            # Without a limit there is nothing to track.
            return True
        used = self._free.get((event.source, queue), 0)
        if self._channels.get(queue) is None and used < _FREE_CHANNELS and pair not in self._admitted["channel"]:
            free[pair] = [event.source, 0]
            self._free[event.source, queue] = used + 1
            self._changed.add(("free_channel", event.source))
            return True
        return self._admits("channel", pair, event)

    def _take(self, kind: str, name: str, source: str, hour: int) -> bool:
        """Admit a name if its source is below its limit, without names that were idle for too long."""
        limit = self._limits[kind]
        if not limit:
            return True
        full_until = self._full_until.get((kind, source))
        if full_until is not None and hour <= full_until:
            return False
        admitted = self._admitted[kind]
        mine = {other: entry for other, entry in admitted.items() if entry[0] == source and other != name}
        idle = [other for other, entry in mine.items() if hour > entry[1] + self._idle_ms]
        if len(mine) - len(idle) >= limit:
            self._full_until[kind, source] = min(entry[1] for entry in mine.values() if hour <= entry[1] + self._idle_ms) + self._idle_ms
            return False
        for expired in idle:
            del admitted[expired]
            if kind == "queue":
                self._forget_free(expired)
        before = admitted.get(name)
        if before is not None:
            self._changed.add((kind, before[0]))
        admitted[name] = [source, hour]
        self._full_until.pop((kind, source), None)
        self._changed.add((kind, source))
        return True

    def _forget_free(self, queue: str) -> None:
        """Forget the channels outside of the limit of an expired queue."""
        free = self._admitted["free_channel"]
        for pair in [pair for pair in free if pair.startswith(f"{queue}{_AND}")]:
            source = free.pop(pair)[0]
            self._free.pop((source, queue), None)
            self._changed.add(("free_channel", source))

    def note_beyond(self, source: str, kind: str) -> None:
        """Count a name of a source beyond a limit."""
        counts = self.beyond.setdefault(source, {})
        counts[kind] = counts.get(kind, 0) + 1

    def totals(self) -> dict[str, int]:
        """Return the numbers of names beyond limits by kind, over all sources."""
        totals: dict[str, int] = {}
        for counts in self.beyond.values():
            for kind, count in counts.items():
                totals[kind] = totals.get(kind, 0) + count
        return totals

    def changed_rows(self) -> Iterator[tuple[str, dict[str, int] | None]]:
        """Yield ``kind|source`` and its names, each with the hour of its last use in ms; None if none are left."""
        changed, self._changed = self._changed, set()
        for kind, source in changed:
            names = {name: entry[1] for name, entry in self._admitted[kind].items() if entry[0] == source}
            yield f"{kind}|{source}", names or None

    def restore_row(self, key: str, names: dict[str, int]) -> None:
        """Restore a row of ``changed_rows``."""
        kind, source = key.split("|", 1)
        if kind in self._admitted:
            self._admitted[kind].update({name: [source, hour] for name, hour in names.items()})
        if kind == "free_channel":
            for pair in names:
                used = (source, pair.partition(_AND)[0])
                self._free[used] = self._free.get(used, 0) + 1

    def restore_beyond(self, beyond: dict[str, dict[str, int]]) -> None:
        """Restore the counts beyond limits."""
        self.beyond = {source: dict(counts) for source, counts in beyond.items()}


def _nothing(_event: Any) -> None:
    """Return no conversation: the stage has none."""
