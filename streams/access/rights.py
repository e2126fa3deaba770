"""The rights and the roles that hold them: the one table that checks, tests and documents are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RIGHTS", "ROLES", "Right", "Role"]

Right = Literal["figures", "people", "contacts", "export", "explain", "audit", "manage"]

Role = Literal["viewer", "supervisor", "auditor", "operator"]

RIGHTS: tuple[Right, ...] = get_args(Right)

ROLES: Mapping[Role, frozenset[Right]] = {
    "viewer": frozenset({"figures"}),
    "supervisor": frozenset({"figures", "people", "contacts", "export", "explain"}),
    "auditor": frozenset({"figures", "export", "explain", "contacts", "audit"}),
    "operator": frozenset({"figures", "export", "explain", "manage"}),
}
