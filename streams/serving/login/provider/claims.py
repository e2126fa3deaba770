"""Read subject, name and groups from the claims of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.serving.login.provider.problems import TokenError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["groups_of", "name_of", "subject_of"]

#: OpenID Connect bounds the name of a subject.
_MAX_SUBJECT: Final = 255
_MAX_NAME: Final = 200
_MAX_GROUPS: Final = 1000
_MAX_GROUP: Final = 200


def subject_of(claims: Mapping[str, Any]) -> str:
    """Return the provider's permanent id of the subject; raise TokenError where it is missing or invalid."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _is_name(subject, _MAX_SUBJECT):
        raise TokenError("a claim is missing or wrong (sub)")
    return subject


def name_of(claims: Mapping[str, Any], claim: str) -> str:
    """Return the display name in ``claim``, where it is printable; else the subject."""
    name = claims.get(claim)
    return name if isinstance(name, str) and _is_name(name, _MAX_NAME) else subject_of(claims)


def groups_of(claims: Mapping[str, Any], claim: str) -> frozenset[str] | None:
    """Return the groups in ``claim``, a name or a path such as ``realm_access.roles``; None where there is no such claim.

    Raises:
        TokenError: the claim is no list of names, or too long.
    """
    value = _at(claims, claim)
    if value is None:
        return None
    groups = [value] if isinstance(value, str) else value
    if not isinstance(groups, list) or len(groups) > _MAX_GROUPS:
        raise TokenError(f"{claim} is no list of at most {_MAX_GROUPS:,} groups")
    return frozenset(group for group in groups if isinstance(group, str) and _is_name(group, _MAX_GROUP))


def _at(claims: Mapping[str, Any], path: str) -> Any:
    # Some providers name claims as addresses, with dots in them.
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _is_name(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and text.isprintable() and bool(text.strip())
