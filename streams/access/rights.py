"""Rights, and the roles that hold them: checks, tests and documents come from these tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MEANINGS", "RIGHTS", "ROLES", "Right", "Role"]

Right = Literal["figures", "people", "contacts", "export", "explain", "audit", "alerts", "manage"]
Role = Literal["viewer", "supervisor", "auditor", "operator"]

RIGHTS: Final[tuple[Right, ...]] = get_args(Right)

#: Right → what it permits.
MEANINGS: Final[Mapping[Right, str]] = {
    "figures": "see figures of queues and groups, targets and alerts",
    "people": "see figures of single agents, and of groups of any size",
    "contacts": "see ids of conversations",
    "export": "save figures as a file",
    "explain": "ask which contacts are behind a figure",
    "audit": "read the audit of actions",
    "alerts": "acknowledge alerts, and silence them",
    "manage": "operate the installation: its state, resets, revoked sessions",
}

#: Role → its rights. A right holds at the places of the role's grant, and everywhere if it names none.
ROLES: Final[Mapping[Role, frozenset[Right]]] = {
    "viewer": frozenset({"figures"}),
    "supervisor": frozenset({"figures", "people", "contacts", "export", "explain", "alerts"}),
    "auditor": frozenset({"figures", "contacts", "export", "explain", "audit"}),
    "operator": frozenset({"figures", "export", "explain", "alerts", "manage"}),
}
