"""What a sender may send: sources, types, queues, sites and teams; pure."""

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

#: Why an event is refused that its sender may not send.
PERMISSION_REASONS: Final = (
    "source_not_permitted",
    "type_not_permitted",
    "queue_not_permitted",
    "site_not_permitted",
    "team_not_permitted",
)

#: The fields of events that name a queue or queues. ``to`` and ``with`` may name a queue, a team or an agent; they count nowhere.
QUEUE_FIELDS: Final = frozenset({"queue", "from_queue", "to_queue", "queues"})

#: The field of events that names a team, and puts a person and so their site into its figures.
TEAM_FIELD: Final = "team"

#: So many names that patterns were held against are remembered; names come from senders.
_REMEMBERED: Final = 1_000


class Names:
    """Names by pattern: each ``*`` in one stands for any text, also none."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self.exact = frozenset(each for each in self.patterns if "*" not in each)
        self._wide = [each for each in self.patterns if "*" in each]
        self._remembered: dict[str, bool] = {}

    def __contains__(self, name: str) -> bool:
        """Say whether a pattern fits a name."""
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
    """What one sender may send; None: anything."""

    sources: Names | None = None
    types: frozenset[str] | None = None
    queues: Names | None = None
    sites: Names | None = None
    teams: Names | None = None
    #: stamped on an event that names no source, None where it has to name one
    default_source: str | None = None

    @classmethod
    def of(cls, name: str, sender: Sender) -> Permissions:
        """Return what a sender of the file may send: by default for the source of its own name alone, of all types."""
        sources = Names(sender.sources or [name])
        only = next(iter(sources.exact)) if len(sources.patterns) == len(sources.exact) == 1 else None
        types = None if sender.types is None else Names(sender.types)
        # A team counts in the site that the configuration gives it: who is confined to sites says which teams are there.
        teams = () if sender.teams is None and sender.sites is not None else sender.teams
        return cls(
            sources,
            None if types is None else frozenset(each for each in EVENT_TYPES if each in types),
            None if sender.queues is None else Names(sender.queues),
            None if sender.sites is None else Names(sender.sites),
            None if teams is None else Names(teams),
            name if name in sources else only,
        )

    @classmethod
    def of_own_source(cls, name: str) -> Permissions:
        """Return what a token of the environment permits: anything about the source of its sender's name."""
        return cls(Names([name]), default_source=name)

    def refusal(self, event: Event) -> tuple[str, str] | None:
        """Return reason and detail if an event names a queue, a site or a team that is not permitted. What names none is not refused."""
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
    """Return the fields of a kind of event that name queues, each with what reads it."""
    found = _known.get(kind)
    if found is None:
        found = _known[kind] = [(field, _reader(field)) for field in kind.model_fields if field in QUEUE_FIELDS]
    return found


def _reader(field: str) -> Callable[[Event], tuple[str, ...]]:
    def read(event: Event) -> tuple[str, ...]:
        value = getattr(event, field)
        return () if value is None else (value,) if isinstance(value, str) else value

    return read
