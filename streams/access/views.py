"""Views: the scopes whose figures an account sees, from its grants and from the places of queues, teams and agents."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "SMALLEST_GROUP",
    "TOTAL",
    "Area",
    "Places",
    "QueuePlace",
    "TeamPlace",
    "View",
    "area_of",
    "scopes_of",
    "view_of",
]

#: The smallest group of agents whose figures are shown, unless the access file sets another number.
SMALLEST_GROUP: Final = 5
TOTAL: Final = "total:all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Where a grant holds: in everything that it names, and everywhere if it names nothing."""

    sites: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    @property
    def everywhere(self) -> bool:
        """Whether it names nothing."""
        return not (self.sites or self.departments or self.queues or self.teams)

    @property
    def named(self) -> frozenset[str]:
        """The names, as ``site:NAME`` and its kin."""
        kinds = (("site", self.sites), ("department", self.departments), ("queue", self.queues), ("team", self.teams))
        return frozenset(f"{kind}:{name}" for kind, names in kinds for name in names)


class QueuePlace(NamedTuple):
    """The department, business and site of a queue."""

    department: str | None = None
    business: str | None = None
    site: str | None = None


class TeamPlace(NamedTuple):
    """The business and site of a team."""

    business: str | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Places of queues, teams and agents by name. One object is one state: it is equal only to itself."""

    queues: Mapping[str, QueuePlace] = field(default_factory=dict)
    teams: Mapping[str, TeamPlace] = field(default_factory=dict)
    #: Agent → team and site, that of the team where the agent has none.
    people: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    #: ``team:NAME``, ``site:NAME``, ``business:NAME`` or ``total:all`` → how many agents were signed in there of late: fewest and most.
    signed_in: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    #: The smallest group of agents whose figures are shown.
    smallest_group: int = SMALLEST_GROUP
    #: Views computed from this state, cached as long as it lives.
    views: dict[Hashable, View] = field(default_factory=dict, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class View:
    """The scopes whose figures an account sees. Equal views show the same, so that an answer for one serves the other.

    A scope is ``KIND:NAME``, as in ``queue:sales``, ``agent:ABE`` or ``total:all``.
    """

    #: None: all.
    scopes: frozenset[str] | None
    #: Those of them whose figures about agents are shown too; None: all of them.
    people: frozenset[str] | None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out, so that no record has to be checked."""
        return self.scopes is None and self.people is None

    def sees(self, scope_kind: str, scope: str) -> bool:
        """Return whether any figures of a scope are shown."""
        return self.scopes is None or f"{scope_kind}:{scope}" in self.scopes

    def sees_people(self, scope_kind: str, scope: str) -> bool:
        """Return whether figures of a scope about its agents are shown: in records those without a channel."""
        name = f"{scope_kind}:{scope}"
        return (self.scopes is None or name in self.scopes) and (self.people is None or name in self.people)

    def shows(self, scope_kind: str | None, scope: str, channel: str | None) -> bool:
        """Return whether a record is shown; one without a scope is about the entire stream, and shown if every scope is."""
        if scope_kind is None:
            return self.scopes is None
        return self.sees_people(scope_kind, scope) if channel is None else self.sees(scope_kind, scope)


EVERYTHING: Final = View(None, None)
NOTHING: Final = View(frozenset(), frozenset())


def area_of(named: Iterable[str]) -> Area:
    """Return the area with these names; see ``Area.named``."""
    names: dict[str, set[str]] = {"site": set(), "department": set(), "queue": set(), "team": set()}
    for scope in named:
        kind, _, name = scope.partition(":")
        if kind in names:
            names[kind].add(name)
    return Area(
        sites=frozenset(names["site"]),
        departments=frozenset(names["department"]),
        queues=frozenset(names["queue"]),
        teams=frozenset(names["team"]),
    )


def view_of(areas: Iterable[Area], people_areas: Iterable[Area], places: Places) -> View:
    """Return the view of figures in ``areas``, and of figures of agents, in groups of any size, in ``people_areas``."""
    scopes, free = scopes_of(tuple(areas), places), scopes_of(tuple(people_areas), places)
    if free is None:
        return View(scopes, None)
    shown = _Groups(places, scopes, free).shown()
    return View(scopes, shown if scopes is None else shown & scopes)


def scopes_of(areas: tuple[Area, ...], places: Places) -> frozenset[str] | None:
    """Return the scopes of areas, None for all."""
    if any(area.everywhere for area in areas):
        return None
    sites = frozenset[str]().union(*(area.sites for area in areas))
    departments = frozenset[str]().union(*(area.departments for area in areas))
    queues = {name for name, place in places.queues.items() if place.site in sites or place.department in departments}
    queues.update(*(area.queues for area in areas))
    teams = {name for name, place in places.teams.items() if place.site in sites}
    teams.update(*(area.teams for area in areas))
    people = {name for name, (team, site) in places.people.items() if team in teams or site in sites}
    departments |= _within((place.department, name in queues) for name, place in places.queues.items())
    businesses = _within(
        [
            *((place.business, name in queues) for name, place in places.queues.items()),
            *((place.business, name in teams) for name, place in places.teams.items()),
        ]
    )
    named = {"site": sites, "department": departments, "business": businesses, "queue": queues, "team": teams, "agent": people}
    return frozenset(f"{kind}:{name}" for kind, names in named.items() for name in names)


def _within(parts: Iterable[tuple[str | None, bool]]) -> frozenset[str]:
    """Return the larger scopes all of whose parts are visible."""
    seen: dict[str, bool] = {}
    for larger, part_is_seen in parts:
        if larger is not None:
            seen[larger] = seen.get(larger, True) and part_is_seen
    return frozenset(larger for larger, all_of_it in seen.items() if all_of_it)


_NONE: Final = (0, 0)
#: The orders in which visible parts of a larger scope are subtracted, to count the remaining agents.
_ORDERS: Final = (("team",), ("site",), ("business",), ("site", "team"), ("business", "team"), ("site", "business", "team"))


class _Groups:
    """The groups that are large enough for viewers without the right to single agents; docs/access.md has the rule.

    Args:
        places: of queues, teams and agents.
        scopes: whose figures are visible, None for all.
        free: where single agents are visible, so that the size of a group does not matter.
    """

    def __init__(self, places: Places, scopes: frozenset[str] | None, free: frozenset[str]) -> None:
        self._places, self._scopes, self._free = places, scopes, free
        #: Scope → its agents, and the groups that any of these or the scope itself belong to.
        self._members: dict[str, set[str]] = {}
        self._near: dict[str, set[str]] = {}
        for name, (team, site) in places.people.items():
            business = places.teams.get(team, TeamPlace()).business if team is not None else None
            groups = [f"{kind}:{larger}" for kind, larger in (("team", team), ("site", site), ("business", business)) if larger is not None]
            for group in (*groups, TOTAL):
                self._members.setdefault(group, set()).add(name)
                self._near.setdefault(group, set()).update(groups)
        for team in places.teams:
            for larger in self._larger_scopes(f"team:{team}"):
                self._near.setdefault(larger, set()).add(f"team:{team}")
        self._shown_of: dict[str, set[str]] = {"team": set(), "site": set(), "business": set(), "total": set()}

    def shown(self) -> frozenset[str]:
        """Return the scopes whose figures of agents are shown."""
        places = self._places
        known = {*self._members, *places.signed_in, *(f"team:{name}" for name in places.teams)}
        for kind, shown in self._shown_of.items():
            for scope in sorted(name for name in known if name.startswith(f"{kind}:")):
                if self._is_seen(scope) and (scope in self._free or self._is_large(scope)):
                    shown.add(scope)
        return self._free.union(*self._shown_of.values())

    def _is_seen(self, scope: str) -> bool:
        return self._scopes is None or scope in self._scopes

    def _is_large(self, scope: str) -> bool:
        """Return whether a group has enough agents, and so has the remainder without the smaller groups that are shown."""
        limit = self._places.smallest_group
        if self._number(scope, ()) < limit:
            return False
        if scope.startswith("team:"):  # no group is part of a team
            return True
        return all(not 0 < self._number(scope, tuple(self._parts(scope, order))) < limit for order in _ORDERS)

    def _number(self, scope: str, without: tuple[str, ...]) -> int:
        """Return how many agents the configuration places in a scope and not in others; if none, how many are signed in there."""
        members = self._members.get(scope, set()).difference(*(self._members.get(other, ()) for other in without))
        if members:
            return len(members)
        # Records of a scope and of its parts arrive at different moments: an agent who just signed in or out is no remainder.
        signed_in = self._places.signed_in
        return max(0, signed_in.get(scope, _NONE)[0] - sum(signed_in.get(other, _NONE)[1] for other in without))

    def _parts(self, scope: str, order: tuple[str, ...]) -> Iterator[str]:
        """Yield shown groups within a scope, without common members."""
        chosen, covered = set[str](), set[str]()
        for kind in order:
            shown = self._shown_of[kind]
            for group in sorted(shown if scope == TOTAL else shown & self._near.get(scope, set())):
                members = self._members.get(group, set())
                if (
                    group != scope
                    and self._lies_in(group, scope)
                    and covered.isdisjoint(members)
                    and chosen.isdisjoint(self._larger_scopes(group))
                ):
                    chosen.add(group)
                    covered |= members
                    yield group

    def _lies_in(self, part: str, larger: str) -> bool:
        if larger == TOTAL:
            return True
        members = self._members.get(part)
        return members <= self._members.get(larger, set()) if members else larger in self._larger_scopes(part)

    def _larger_scopes(self, part: str) -> tuple[str, ...]:
        """Return the site and business of a team."""
        kind, _, name = part.partition(":")
        place = self._places.teams.get(name) if kind == "team" else None
        if place is None:
            return ()
        return tuple(f"{kind}:{larger}" for kind, larger in (("site", place.site), ("business", place.business)) if larger is not None)
