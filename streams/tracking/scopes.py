"""Targets of postings: a scope and channel, or all scopes of a queue or a team at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from schemas.base import REPLY_CHANNELS
from streams.configuration.judges import definitions_of
from streams.tracking.spaces import Persons, space_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.configuration import Configuration
    from streams.configuration.definitions import DefinitionVersion
    from streams.configuration.judges import Definitions

__all__ = ["TOTAL", "QueueTargets", "Scope", "Targets"]

TOTAL = "total:all"

_T = TypeVar("_T")


class Scope(NamedTuple):
    """A scope and, for figures about contacts, a channel."""

    scope: str
    channel: str | None

    @property
    def is_individual(self) -> bool:
        """Whether it is the scope of one agent."""
        return self.channel is None and self.scope.startswith("agent:")


class QueueTargets(NamedTuple):
    """The numbers under which a queue and channel is booked."""

    everything: int
    """the queue and its larger scopes together"""
    queue: int
    larger: tuple[int, ...]
    place: tuple[str, str]
    """queue and channel by name"""
    larger_waiting: tuple[int, ...]
    """the larger scopes of waiting contacts: separate if another definition judges the queue"""
    beyond: int
    """the larger scopes together"""
    judged: str | None
    """the definition that judges the queue's contacts in larger scopes, if it is not theirs"""
    response: tuple[tuple[int | None, str], ...] | None
    """versions of the start of the first response; None if it is always the arrival"""
    bot_time: tuple[tuple[int | None, bool], ...] | None
    """versions of whether a bot's time is left out; None if it always counts"""
    replies: tuple[tuple[int | None, int], ...]
    """versions of the longest wait for a reply, in ms; empty: no target"""

    def responds_from(self, at_ms: int) -> str:
        """Return the start of a first response at an instant, as in a definition."""
        return _at(self.response, at_ms) or "arrived"

    def leaves_out_bot(self, at_ms: int) -> bool:
        """Return whether reply and resolution times that end at an instant leave out the time before a bot's handover."""
        return _at(self.bot_time, at_ms) or False

    def reply_ms(self, at_ms: int) -> int | None:
        """Return the longest wait in ms for a reply awaited from an instant on, None without a target."""
        return _at(self.replies, at_ms)


def _at(versions: Sequence[tuple[int | None, _T]] | None, at_ms: int) -> _T | None:
    """Return the version that holds at an instant, of ordered (start, value)."""
    if not versions:
        return None
    return next((value for since, value in reversed(versions) if since is None or since <= at_ms), None)


#: ``response`` and ``bot_time`` of queue targets.
_Times = tuple[tuple[tuple[int | None, str], ...] | None, tuple[tuple[int | None, bool], ...] | None]


def _times_of(versions: Sequence[DefinitionVersion]) -> _Times:
    """Return, by version of a definition, the start of a first response and whether a bot's time is left out."""
    response = tuple((version.from_ms if index else None, str(version.first_response)) for index, version in enumerate(versions))
    bot = tuple((version.from_ms if index else None, version.bot_time == "left_out") for index, version in enumerate(versions))
    needed = response if any(begin != "arrived" for _, begin in response) else None
    return needed, bot if any(left_out for _, left_out in bot) else None


class Targets:
    """Numbers for scopes and for groups of scopes, assigned on first use.

    Amounts equal for a queue and all its larger scopes are booked once, under the group's number, and spread over
    its scopes when the slices are written.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.persons = Persons(configuration)
        self._numbers: dict[Scope, int] = {}
        self._queues: dict[tuple[str, str], QueueTargets] = {}
        self._defaults: dict[str, Definitions] = {}
        #: their ``_times_of``
        self._default_times: dict[str, _Times] = {}
        self._outside: dict[tuple[str | None, str], int] = {}
        self._people: dict[tuple[str | None, str | None, str | None], int] = {}
        self._agents: dict[str | None, int] = {}
        #: number → the scopes booked under it
        self.scopes: list[tuple[Scope, ...]] = []
        #: number of a group → the definition that judges it in larger scopes, if it is not theirs
        self.judged: dict[int, str] = {}
        #: scope → the numbers that feed it
        self.feeding: dict[Scope, list[int]] = {}

    def of_queue(self, queue: str, channel: str) -> QueueTargets:
        """Return the targets of a queue on a channel."""
        targets = self._queues.get((queue, channel))
        if targets is None:
            scopes = [Scope(name, channel) for name in self._configuration.scopes_of_queue(queue)]
            numbers = [self.number(scope) for scope in scopes]
            targets = self._queues[queue, channel] = self._targets_of((queue, channel), scopes, numbers)
        return targets

    def _targets_of(self, place: tuple[str, str], scopes: list[Scope], numbers: list[int]) -> QueueTargets:
        default = self._default_of(place[1])
        entry = self._configuration.queues.get(place[0])
        has_own = entry is not None and (entry.service_level is not None or entry.definitions is not None)
        definitions = definitions_of(self._configuration, *place) if has_own else default
        judged = definitions.first if definitions.own and definitions.first != default.first else None
        everything, larger = self.group(scopes), tuple(numbers[1:])
        waiting, beyond = larger, everything
        if judged is not None:
            waiting = tuple(self.group([scope]) for scope in scopes[1:])
            beyond = self.group(scopes[1:])
            self.judged.update(dict.fromkeys((everything, *waiting), judged))
        versions = definitions.versions[definitions.first]
        response, bot_time = self._default_times[place[1]] if definitions is default else _times_of(versions)
        replies = self._replies_of(place, versions)
        return QueueTargets(everything, numbers[0], larger, place, waiting, beyond, judged, response, bot_time, replies)

    def _default_of(self, channel: str) -> Definitions:
        """Return the definitions of larger scopes and of queues without their own: thousands share them."""
        definitions = self._defaults.get(channel)
        if definitions is None:
            definitions = self._defaults[channel] = definitions_of(self._configuration, None, channel)
            self._default_times[channel] = _times_of(definitions.versions[definitions.first])
        return definitions

    def _replies_of(self, place: tuple[str, str], versions: tuple[DefinitionVersion, ...]) -> tuple[tuple[int | None, int], ...]:
        entry = self._configuration.queues.get(place[0])
        if entry is not None and entry.reply_target_seconds is not None:
            return ((None, 1000 * entry.reply_target_seconds),)
        if place[1] not in REPLY_CHANNELS:
            return ()
        return tuple((version.from_ms if index else None, round(1000 * version.threshold_s)) for index, version in enumerate(versions))

    def outside(self, site: str | None, channel: str) -> int:
        """Return the group of events without a queue: the total, and the site if known."""
        group = self._outside.get((site, channel))
        if group is None:
            names = [TOTAL] if site is None else [f"site:{site}", TOTAL]
            group = self._outside[site, channel] = self.group([Scope(name, channel) for name in names])
        return group

    def site_of(self, queue: str) -> str | None:
        """Return the configured site of a queue."""
        entry = self._configuration.queues.get(queue)
        return entry.site if entry else None

    def of_person(self, team: str | None, site: str | None, name: str | None = None) -> int:
        """Return the group of an agent in a team at a site; with a name, of one with figures of its own."""
        group = self._people.get((team, site, name))
        if group is None:
            scopes = self.scopes_of_people(team, site)
            group = self.group(scopes if name is None else [Scope(f"agent:{name}", None), *scopes])
            self._people[team, site, name] = group
        return group

    def of_agent(self, name: str | None, conversation: str) -> int:
        """Return the group in which a conversation counts for its agent: the total alone, if the agent is not configured."""
        if name is not None and not self.persons.is_configured(name, space_of(conversation)):
            name = None
        group = self._agents.get(name)
        if group is None:
            configuration = self._configuration
            if name is None or name not in configuration.people:
                return self.number(Scope(TOTAL, None))
            group = self.of_person(*configuration.place_of_person(name), name if configuration.is_individual(name) else None)
            self._agents[name] = group
        return group

    def scopes_of_people(self, team: str | None, site: str | None) -> list[Scope]:
        """Return the scopes of a team at a site, the total last."""
        entry = self._configuration.teams.get(team) if team is not None else None
        pairs = (("team", team), ("site", site), ("business", entry.business if entry else None), ("total", "all"))
        return [Scope(f"{kind}:{name}", None) for kind, name in pairs if name is not None]

    def place_of(self, team: str | None, site: str | None) -> tuple[str | None, str | None]:
        """Return a team and a site; the team's site if none is known."""
        if site is None and team is not None:
            of_team = self._configuration.teams.get(team)
            site = of_team.site if of_team else None
        return team, site

    def channel_of(self, queue: str) -> str | None:
        """Return the configured channel of a queue."""
        entry = self._configuration.queues.get(queue)
        return entry.channel if entry else None

    def number(self, scope: Scope) -> int:
        """Return the number under which a single scope is booked."""
        number = self._numbers.get(scope)
        if number is None:
            number = self._numbers[scope] = self.group([scope])
        return number

    def group(self, scopes: list[Scope]) -> int:
        """Return a number under which these scopes are booked together."""
        number = len(self.scopes)
        self.scopes.append(tuple(scopes))
        for scope in scopes:
            self.feeding.setdefault(scope, []).append(number)
        return number
