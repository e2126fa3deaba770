"""Views: of which scopes one sees figures, from grants and from where the configuration puts queues, teams and people."""

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

#: Figures of people are not shown of fewer, unless the access file says another number.
SMALLEST_GROUP: Final = 5
TOTAL: Final = "total:all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Where a grant holds: in everything that is named, and everywhere if nothing is."""

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
        """What it names, as ``site:NAME`` and its kin."""
        kinds = (("site", self.sites), ("department", self.departments), ("queue", self.queues), ("team", self.teams))
        return frozenset(f"{kind}:{name}" for kind, names in kinds for name in names)


class QueuePlace(NamedTuple):
    """What a queue belongs to."""

    department: str | None = None
    business: str | None = None
    site: str | None = None


class TeamPlace(NamedTuple):
    """What a team belongs to."""

    business: str | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """What belongs where, by name. One object is one state of it: it is equal to itself alone."""

    queues: Mapping[str, QueuePlace] = field(default_factory=dict)
    teams: Mapping[str, TeamPlace] = field(default_factory=dict)
    #: person → team and site, that of the team where the person has none
    people: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    #: ``team:NAME``, ``site:NAME``, ``business:NAME`` or ``total:all`` → how many people were signed in there of late: fewest and most
    signed_in: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    #: Figures of people are shown of no fewer.
    smallest_group: int = SMALLEST_GROUP
    #: What has been worked out of this state; it goes with it.
    views: dict[Hashable, View] = field(default_factory=dict, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class View:
    """Of which scopes one sees figures. Equal views show the same, so that what is made for one serves the other.

    A scope is ``KIND:NAME``, as in ``queue:sales``, ``agent:ABE`` or ``total:all``.
    """

    #: None: all there are.
    scopes: frozenset[str] | None
    #: Of these the ones whose figures about people are shown too; None: all of them.
    people: frozenset[str] | None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out, so that nothing has to be looked at."""
        return self.scopes is None and self.people is None

    def sees(self, scope_kind: str, scope: str) -> bool:
        """Say whether figures of a scope are there at all."""
        return self.scopes is None or f"{scope_kind}:{scope}" in self.scopes

    def sees_people(self, scope_kind: str, scope: str) -> bool:
        """Say whether figures of a scope about its people are there: in records those without a channel."""
        name = f"{scope_kind}:{scope}"
        return (self.scopes is None or name in self.scopes) and (self.people is None or name in self.people)

    def shows(self, scope_kind: str | None, scope: str, channel: str | None) -> bool:
        """Say whether a record is there; one without a scope is about the stream as a whole, and there for who sees every scope."""
        if scope_kind is None:
            return self.scopes is None
        return self.sees_people(scope_kind, scope) if channel is None else self.sees(scope_kind, scope)


EVERYTHING: Final = View(None, None)
NOTHING: Final = View(frozenset(), frozenset())


def area_of(named: Iterable[str]) -> Area:
    """Return the area that names this; see ``Area.named``."""
    names: dict[str, set[str]] = {"site": set(), "department": set(), "queue": set(), "team": set()}
    for each in named:
        kind, _, name = each.partition(":")
        if kind in names:
            names[kind].add(name)
    return Area(
        sites=frozenset(names["site"]),
        departments=frozenset(names["department"]),
        queues=frozenset(names["queue"]),
        teams=frozenset(names["team"]),
    )


def view_of(areas: Iterable[Area], people_areas: Iterable[Area], places: Places) -> View:
    """Return the view of who may see figures in ``areas``, and those of people, however few, in ``people_areas``."""
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
    """Return the larger scopes all of whose parts are seen."""
    seen: dict[str, bool] = {}
    for whole, part_is_seen in parts:
        if whole is not None:
            seen[whole] = seen.get(whole, True) and part_is_seen
    return frozenset(whole for whole, all_of_it in seen.items() if all_of_it)


_NONE: Final = (0, 0)
#: In these orders what is seen of a larger scope is taken away from it, to see how many people would be left.
_ORDERS: Final = (("team",), ("site",), ("business",), ("site", "team"), ("business", "team"), ("site", "business", "team"))


class _Groups:
    """Which groups are large enough to be shown to who may not see single people; docs/access.md says the rule.

    Args:
        places: what belongs where.
        scopes: what is seen of figures at all, None for everything.
        free: where single people may be seen, so that no number matters.
    """

    def __init__(self, places: Places, scopes: frozenset[str] | None, free: frozenset[str]) -> None:
        self._places, self._scopes, self._free = places, scopes, free
        #: scope → its people, and the groups that have any of these or belong there
        self._members: dict[str, set[str]] = {}
        self._near: dict[str, set[str]] = {}
        for name, (team, site) in places.people.items():
            business = places.teams.get(team, TeamPlace()).business if team is not None else None
            groups = [f"{kind}:{whole}" for kind, whole in (("team", team), ("site", site), ("business", business)) if whole is not None]
            for group in (*groups, TOTAL):
                self._members.setdefault(group, set()).add(name)
                self._near.setdefault(group, set()).update(groups)
        for team in places.teams:
            for whole in self._wholes(f"team:{team}"):
                self._near.setdefault(whole, set()).add(f"team:{team}")
        self._shown_of: dict[str, set[str]] = {"team": set(), "site": set(), "business": set(), "total": set()}

    def shown(self) -> frozenset[str]:
        """Return the scopes whose figures of people are shown."""
        places = self._places
        known = {*self._members, *places.signed_in, *(f"team:{name}" for name in places.teams)}
        for kind, shown in self._shown_of.items():
            for scope in sorted(each for each in known if each.startswith(f"{kind}:")):
                if self._is_seen(scope) and (scope in self._free or self._is_large(scope)):
                    shown.add(scope)
        return self._free.union(*self._shown_of.values())

    def _is_seen(self, scope: str) -> bool:
        return self._scopes is None or scope in self._scopes

    def _is_large(self, scope: str) -> bool:
        """Say whether there are enough people in a group, and in what would be left of it without the smaller groups that are shown."""
        limit = self._places.smallest_group
        if self._number(scope, ()) < limit:
            return False
        if scope.startswith("team:"):  # nothing lies in a team
            return True
        return all(not 0 < self._number(scope, tuple(self._parts(scope, order))) < limit for order in _ORDERS)

    def _number(self, scope: str, without: tuple[str, ...]) -> int:
        """Return how many people the configuration places in a scope and not in others; if none, how many are signed in there."""
        members = self._members.get(scope, set()).difference(*(self._members.get(each, ()) for each in without))
        if members:
            return len(members)
        # Records of a whole and of its parts come at moments of their own: who has just signed in or out is not left over.
        signed_in = self._places.signed_in
        return max(0, signed_in.get(scope, _NONE)[0] - sum(signed_in.get(each, _NONE)[1] for each in without))

    def _parts(self, scope: str, order: tuple[str, ...]) -> Iterator[str]:
        """Yield groups that are shown and lie in a scope, each apart from those before it."""
        taken, covered = set[str](), set[str]()
        for kind in order:
            shown = self._shown_of[kind]
            for each in sorted(shown if scope == TOTAL else shown & self._near.get(scope, set())):
                members = self._members.get(each, set())
                if each != scope and self._lies_in(each, scope) and covered.isdisjoint(members) and taken.isdisjoint(self._wholes(each)):
                    taken.add(each)
                    covered |= members
                    yield each

    def _lies_in(self, part: str, whole: str) -> bool:
        if whole == TOTAL:
            return True
        members = self._members.get(part)
        return members <= self._members.get(whole, set()) if members else whole in self._wholes(part)

    def _wholes(self, part: str) -> tuple[str, ...]:
        """Return what a team belongs to."""
        kind, _, name = part.partition(":")
        place = self._places.teams.get(name) if kind == "team" else None
        if place is None:
            return ()
        return tuple(f"{kind}:{whole}" for kind, whole in (("site", place.site), ("business", place.business)) if whole is not None)
