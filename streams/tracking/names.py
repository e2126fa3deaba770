"""Names that the configuration does not know: so many of a source count by themselves, the others together (`docs/counting.md`, 2).

What is admitted is a function of the partition's records in their order, and kept with its state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from schemas import structs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration import Configuration

__all__ = ["FIELDS", "OTHER", "Names"]

#: What names beyond the limit count under.
OTHER = "(other)"
#: Of no queue; it is ours.
_UNASSIGNED = "(unassigned)"
_HOUR_MS = 3_600_000

#: Fields with names that figures are kept by; a site only where it counts without a queue.
_OF_CONTACTS = {"queue": "queue", "category": "category"}
_WITH_SITE = ("contact.arrived", "contact.not_offered", "contact.excluded", "self_service.started")


def _fields() -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the fields of each type of event that hold such names, with the kind of each."""
    found = {}
    for union in (structs.ContactEvent, structs.AgentEvent, structs.CustomerEvent):
        for kind in get_args(union):
            wanted = dict(_OF_CONTACTS)
            if union is structs.AgentEvent:
                wanted = {"team": "team", "site": "site"} if "team" in kind.__struct_fields__ else {}
            elif kind.type in _WITH_SITE:
                wanted["site"] = "site"
            found[kind.type] = tuple((field, of) for field, of in wanted.items() if field in kind.__struct_fields__)
    return {type_: fields for type_, fields in found.items() if fields}


#: Type of event → (field, kind) of the names in it; types without are missing.
FIELDS = _fields()


class Names:
    """Which names are admitted on one partition, and how much of each source was beyond its limits."""

    def __init__(self, configuration: Configuration) -> None:
        limits = configuration.source_limits
        ours = {OTHER, _UNASSIGNED}
        self._configured = {
            "queue": frozenset(configuration.queues) | ours,
            "team": frozenset(configuration.teams) | ours,
            "site": frozenset(configuration.sites) | ours,
            "category": frozenset(ours),
        }
        self._limits = {
            "queue": limits.max_new_queues,
            "team": limits.max_new_teams,
            "site": limits.max_new_sites,
            "category": limits.max_new_categories,
        }
        self._idle_ms = _HOUR_MS * limits.names_idle_hours
        #: kind → name → [source that brought it, hour in which it was last named, in ms]
        self._admitted: dict[str, dict[str, list[Any]]] = {kind: {} for kind in self._limits}
        #: kind and source → nothing of it is idle before this, and it has as many as may be
        self._full_until: dict[tuple[str, str], int] = {}
        self._changed: set[tuple[str, str]] = set()
        #: source → kind → how often something was beyond its limit
        self.beyond: dict[str, dict[str, int]] = {}

    def admit(self, event: Any, fields: tuple[tuple[str, str], ...]) -> None:
        """Put ``(other)`` in place of the names in these fields of a decoded event that are beyond the limits of its source."""
        for field, kind in fields:
            name = getattr(event, field)
            if name is None or name in self._configured[kind]:
                continue
            entry = self._admitted[kind].get(name)
            hour = event.received_ms - event.received_ms % _HOUR_MS
            if entry is not None and hour <= entry[1] + self._idle_ms:
                if hour > entry[1]:
                    entry[1] = hour
                    self._changed.add((kind, entry[0]))
            elif not self._take(kind, name, event.source, hour):
                setattr(event, field, OTHER)
                self.note_beyond(event.source, kind)

    def _take(self, kind: str, name: str, source: str, hour: int) -> bool:
        """Admit a name if its source has not as many as may be, those apart of which nothing was heard for too long."""
        limit = self._limits[kind]
        if not limit:
            return True
        full_until = self._full_until.get((kind, source))
        if full_until is not None and hour <= full_until:
            return False
        admitted = self._admitted[kind]
        mine = {each: entry for each, entry in admitted.items() if entry[0] == source and each != name}
        idle = [each for each, entry in mine.items() if hour > entry[1] + self._idle_ms]
        if len(mine) - len(idle) >= limit:
            self._full_until[kind, source] = min(entry[1] for entry in mine.values() if hour <= entry[1] + self._idle_ms) + self._idle_ms
            return False
        for each in idle:
            del admitted[each]
        before = admitted.get(name)
        if before is not None:
            self._changed.add((kind, before[0]))
        admitted[name] = [source, hour]
        self._full_until.pop((kind, source), None)
        self._changed.add((kind, source))
        return True

    def note_beyond(self, source: str, kind: str) -> None:
        """Take note that something of a source was beyond a limit."""
        counts = self.beyond.setdefault(source, {})
        counts[kind] = counts.get(kind, 0) + 1

    def totals(self) -> dict[str, int]:
        """Return how much was beyond limits by kind, of all sources."""
        found: dict[str, int] = {}
        for counts in self.beyond.values():
            for kind, count in counts.items():
                found[kind] = found.get(kind, 0) + count
        return found

    def changed_rows(self) -> Iterator[tuple[str, dict[str, int] | None]]:
        """Yield ``kind|source`` and its names, each with the hour in which it was last named in ms; None if there are none left."""
        changed, self._changed = self._changed, set()
        for kind, source in changed:
            names = {name: entry[1] for name, entry in self._admitted[kind].items() if entry[0] == source}
            yield f"{kind}|{source}", names or None

    def restore_row(self, key: str, names: dict[str, int]) -> None:
        """Take back what ``changed_rows`` gave."""
        kind, source = key.split("|", 1)
        if kind in self._admitted:
            self._admitted[kind].update({name: [source, hour] for name, hour in names.items()})

    def restore_beyond(self, kept: dict[str, dict[str, int]]) -> None:
        """Take back how much was beyond limits."""
        self.beyond = {source: dict(counts) for source, counts in kept.items()}
