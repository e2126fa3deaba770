"""The permissions of a sender: sources, types, queues, sites and teams; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from streams.configuration.patterns import matches
from streams.configuration.senders import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from schemas.base import Event
    from streams.configuration.senders import Sender

__all__ = ["PERMISSION_REASONS", "QUEUE_FIELDS", "TEAM_FIELD", "Names", "Permissions"]

#: Why an event exceeds the permissions of its sender.
PERMISSION_REASONS: Final = (
    "source_not_permitted",
    "type_not_permitted",
    "queue_not_permitted",
    "site_not_permitted",
    "team_not_permitted",
)

#: The fields of events that name queues. ``to`` and ``with`` may name a queue, a team or an agent; no figure counts them.
QUEUE_FIELDS: Final = frozenset({"queue", "from_queue", "to_queue", "queues"})

#: The field of events that names a team, in whose figures, and those of its site, the agent then counts.
TEAM_FIELD: Final = "team"

#: Names whose match is cached; they come from senders.
_REMEMBERED: Final = 1_000


class Names:
    """Names by pattern: each ``*`` matches any text, also none."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self.exact = frozenset(pattern for pattern in self.patterns if "*" not in pattern)
        self._wide = [pattern for pattern in self.patterns if "*" in pattern]
        self._remembered: dict[str, bool] = {}

    def __contains__(self, name: str) -> bool:
        """Return whether a pattern matches a name."""
        if name in self.exact:
            return True
        if not self._wide:
            return False
        known = self._remembered.get(name)
        if known is None:
            known = any(matches(pattern, name) for pattern in self._wide)
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[name] = known
        return known

    def __str__(self) -> str:
        return ", ".join(self.patterns) or "none"


@dataclass(frozen=True, slots=True)
class Permissions:
    """The permissions of one sender; None permits anything."""

    sources: Names | None = None
    types: frozenset[str] | None = None
    queues: Names | None = None
    sites: Names | None = None
    teams: Names | None = None
    #: stamped on an event without a source, None where it has to name one
    default_source: str | None = None

    @classmethod
    def of(cls, name: str, sender: Sender) -> Permissions:
        """Return the permissions of a sender in the file: by default all types, and only the source of the sender's name."""
        sources = Names(sender.sources or [name])
        only = next(iter(sources.exact)) if len(sources.patterns) == len(sources.exact) == 1 else None
        types = None if sender.types is None else Names(sender.types)
        # A team counts in its configured site, so a sender that is confined to sites has to list its teams.
        teams = () if sender.teams is None and sender.sites is not None else sender.teams
        return cls(
            sources,
            None if types is None else frozenset(event_type for event_type in EVENT_TYPES if event_type in types),
            None if sender.queues is None else Names(sender.queues),
            None if sender.sites is None else Names(sender.sites),
            None if teams is None else Names(teams),
            name if name in sources else only,
        )

    @classmethod
    def of_own_source(cls, name: str) -> Permissions:
        """Return the permissions of a token of the environment: anything about the source of its sender's name."""
        return cls(Names([name]), default_source=name)

    def refusal(self, event: Event) -> tuple[str, str] | None:
        """Return reason and detail if an event names a queue, a site or a team that is not permitted."""
        if self.queues is not None:
            for field, get in _queue_fields(type(event)):
                if any(name not in self.queues for name in get(event)):
                    return "queue_not_permitted", f"{field}: this sender may name the queues {str(self.queues)[:300]}"
        if self.sites is not None and event.site is not None and event.site not in self.sites:
            return "site_not_permitted", f"site: this sender may name the sites {str(self.sites)[:300]}"
        if self.teams is not None and (team := getattr(event, TEAM_FIELD, None)) is not None and team not in self.teams:
            none = "" if self.teams.patterns else "; a sender that is confined to sites may name those in `teams` of the senders file"
            return "team_not_permitted", f"team: this sender may name the teams {str(self.teams)[:300]}{none}"
        return None


_known: dict[type[Event], list[tuple[str, Callable[[Event], tuple[str, ...]]]]] = {}


def _queue_fields(kind: type[Event]) -> list[tuple[str, Callable[[Event], tuple[str, ...]]]]:
    """Return the fields of a kind of event that name queues, each with its reader."""
    fields = _known.get(kind)
    if fields is None:
        fields = _known[kind] = [(field, _reader(field)) for field in kind.model_fields if field in QUEUE_FIELDS]
    return fields


def _reader(field: str) -> Callable[[Event], tuple[str, ...]]:
    def read(event: Event) -> tuple[str, ...]:
        value = getattr(event, field)
        return () if value is None else (value,) if isinstance(value, str) else value

    return read
