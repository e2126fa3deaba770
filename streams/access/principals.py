"""Who asks, and what that one may: an identity that was proven, and the principal that the access file makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from streams.access.rights import ROLES, Role
from streams.access.views import NOTHING, TOTAL, Area, View, view_of

if TYPE_CHECKING:
    from streams.access.rights import Right
    from streams.access.views import Places

__all__ = ["ANYONE", "MOST_PLACES", "MOST_VIEWS", "Grant", "Identity", "Kind", "Principal"]

#: People of a provider may be in any of its groups: of as many ways to see, the views are kept.
MOST_VIEWS: Final = 512

#: So many places of an account are told.
MOST_PLACES: Final = 100

#: How one has proven who one is; ``anyone`` has not, where no access file asks.
Kind = Literal["anyone", "token", "user", "provider", "kiosk", "certificate"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who one has proven to be; what that permits stands in the access file alone."""

    kind: Kind
    #: Of the token, user, kiosk link or certificate in the access file; of the provider the person's.
    name: str
    #: What the provider says the person belongs to.
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant(Area):
    """A role, and where it holds."""

    role: Role

    def has(self, right: Right) -> bool:
        """Say whether it gives a right anywhere."""
        return right in ROLES[self.role]


@dataclass(frozen=True, slots=True)
class Principal:
    """One who may do something."""

    name: str
    kind: Kind
    grants: tuple[Grant, ...] = ()

    @property
    def account(self) -> str:
        """What it is called where accounts are told apart: ``KIND:NAME``."""
        return f"{self.kind}:{self.name}"

    @property
    def places(self) -> tuple[str, ...] | None:
        """What its grants name together, ``total:all`` alone where one of them holds everywhere; None if that is too much to be told."""
        if any(grant.everywhere for grant in self.grants):
            return (TOTAL,)
        named = sorted({name for grant in self.grants for name in grant.named})
        return None if len(named) > MOST_PLACES else tuple(named)

    def may(self, right: Right) -> bool:
        """Say whether one has a right anywhere."""
        return any(grant.has(right) for grant in self.grants)

    def view(self, right: Right, places: Places) -> View:
        """Return where one has a right. Equal grants get the same object while the places are the same."""
        key = frozenset(self.grants), right
        found = places.views.get(key)
        if found is None:
            if len(places.views) >= MOST_VIEWS:
                places.views.clear()
            found = places.views[key] = self._view(right, places)
        return found

    def _view(self, right: Right, places: Places) -> View:
        areas = [grant for grant in self.grants if grant.has(right)]
        return view_of(areas, [grant for grant in self.grants if grant.has("people")], places) if areas else NOTHING


#: Who asks where no access file is: all rights, everywhere.
ANYONE: Final = Principal("anyone", "anyone", (Grant("supervisor"), Grant("auditor"), Grant("operator")))
