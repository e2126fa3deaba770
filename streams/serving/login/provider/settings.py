"""Settings of the provider from the access file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.configuration.access import AccessFile

__all__ = ["CALLBACK_PATH", "LOGIN_PATH", "MISSING", "Settings", "settings_of"]

#: Where a login at the provider begins, and where the provider sends the browser back to.
LOGIN_PATH: Final = "/login/provider"
CALLBACK_PATH: Final = "/login/provider/callback"

#: The message without the libraries.
MISSING: Final = "logins at a provider need joserfc: pip install 'contact-streams[login]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The provider, and this server as its client."""

    #: As the provider writes it; an address with TLS, or of this machine.
    issuer: str
    client_id: str
    #: Empty for a public client.
    client_secret: str = field(default="", repr=False)
    #: The address of this server for users, without a trailing slash.
    public_url: str
    scopes: tuple[str, ...] = ("openid", "profile")
    #: The claim with the groups, a name or a path.
    groups_claim: str = "groups"
    #: The claim with the display name.
    name_claim: str = "preferred_username"
    #: The required audience of tokens of programs; None where they are not accepted.
    audience: str | None = None
    #: How long sessions continue while the provider cannot be reached.
    away_seconds: float = 10 * 60.0


def settings_of(access: AccessFile, client_secret: str) -> Settings | None:
    """Return the provider settings of an access file; None without a provider."""
    provider = access.provider
    if provider is None or access.public_url is None:
        return None
    return Settings(
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret=client_secret,
        public_url=access.public_url.rstrip("/"),
        scopes=provider.scopes,
        groups_claim=provider.groups_claim,
        name_claim=provider.name_claim,
        audience=provider.audience,
        away_seconds=provider.away_minutes * 60.0,
    )
