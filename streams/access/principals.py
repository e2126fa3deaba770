"""Identities and principals: a proven identity, and what the access file permits it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from streams.access.rights import ROLES, Role
from streams.access.views import NOTHING, TOTAL, Area, View, view_of

if TYPE_CHECKING:
    from streams.access.rights import Right
    from streams.access.views import Places

__all__ = ["ANYONE", "MOST_PLACES", "MOST_VIEWS", "Grant", "Identity", "Kind", "Principal"]

#: The most views to keep: users of a provider may be in any of its groups, so there are many combinations of grants.
MOST_VIEWS: Final = 512

#: The most places of an account that are listed.
MOST_PLACES: Final = 100

#: How an account was identified; ``anyone`` was not, where no access file requires it.
Kind = Literal["anyone", "token", "user", "provider", "kiosk", "certificate"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A proven identity; the access file alone decides what it may do."""

    kind: Kind
    #: Of the token, user, kiosk link or certificate in the access file; of the provider the user's name.
    name: str
    #: The groups of the user at the provider.
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant(Area):
    """A role, and where it holds."""

    role: Role

    def has(self, right: Right) -> bool:
        """Return whether it gives a right anywhere."""
        return right in ROLES[self.role]


@dataclass(frozen=True, slots=True)
class Principal:
    """An account with its grants."""

    name: str
    kind: Kind
    grants: tuple[Grant, ...] = ()

    @property
    def account(self) -> str:
        """Its unique name among accounts: ``KIND:NAME``."""
        return f"{self.kind}:{self.name}"

    @property
    def places(self) -> tuple[str, ...] | None:
        """The places of all its grants, only ``total:all`` if one of them holds everywhere; None if there are too many to list."""
        if any(grant.everywhere for grant in self.grants):
            return (TOTAL,)
        named = sorted({name for grant in self.grants for name in grant.named})
        return None if len(named) > MOST_PLACES else tuple(named)

    def may(self, right: Right) -> bool:
        """Return whether it has a right anywhere."""
        return any(grant.has(right) for grant in self.grants)

    def view(self, right: Right, places: Places) -> View:
        """Return where it has a right. Equal grants get the same object while the places are the same."""
        key = frozenset(self.grants), right
        view = places.views.get(key)
        if view is None:
            if len(places.views) >= MOST_VIEWS:
                places.views.clear()
            view = places.views[key] = self._view(right, places)
        return view

    def _view(self, right: Right, places: Places) -> View:
        areas = [grant for grant in self.grants if grant.has(right)]
        return view_of(areas, [grant for grant in self.grants if grant.has("people")], places) if areas else NOTHING


#: The principal of every request without an access file: all rights, everywhere.
ANYONE: Final = Principal("anyone", "anyone", (Grant("supervisor"), Grant("auditor"), Grant("operator")))
