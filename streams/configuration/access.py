"""The access file of the server: accounts, their rights, and where these hold; no clock, no network."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from streams.access.principals import Grant, Principal
from streams.access.rates import REQUESTS_PER_MINUTE
from streams.access.rights import Role
from streams.access.views import SMALLEST_GROUP
from streams.configuration.base import PERMITTED, Model, Name, refuse
from streams.configuration.definitions import Instant, effective_ms
from streams.configuration.problems import FileError, read_text
from streams.configuration.reading import problems_of, read_model
from streams.configuration.wording import permitted, schema_at, worded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from streams.access.principals import Identity

__all__ = [
    "ACCESS_NAME",
    "URL",
    "AccessError",
    "AccessFile",
    "CertificateEntry",
    "KioskEntry",
    "Provider",
    "RoleGrant",
    "SessionLimits",
    "TokenEntry",
    "UserEntry",
    "access_schema",
    "is_tls_or_local",
    "load_access",
    "parse_access",
]

ACCESS_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,79}$"
_HASH: Final = r"^sha256:(?:[0-9a-f]{64})$"
_ARGON2ID: Final = r"^\$argon2id\$v=19\$m=\d{1,7},t=\d{1,3},p=\d{1,3}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,172}$"
URL: Final = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
_HOST: Final = r"^[A-Za-z0-9.:*\[\]-]{1,255}$"
PERMITTED[_HASH] = "sha256: and 64 hexadecimal digits in lower case, as `contact-streams access` prints them"
PERMITTED[ACCESS_NAME] = "a name of 1 to 80 letters, digits and _ . @ + -"
PERMITTED[_ARGON2ID] = "the output of `contact-streams access user`: $argon2id$ and its kin"
PERMITTED[URL] = "an address that begins with https:// (or http://), without query"
PERMITTED[_HOST] = "a host name or address, with a port if it is not the scheme's own"

#: The values of these keys are secrets or their hashes: no message shows them.
_WITH_SECRETS: Final = frozenset({"tokens", "users", "kiosks"})
_SECRETS: Final = frozenset({"hashes", "password", "ticket"})
_MOST, _MOST_HASHES, _MOST_ROLES, _MOST_PLACES = 2_000, 10, 100, 500


class AccessError(FileError):
    """The access file cannot be used."""


def _fits(pattern: str, allowed: str) -> BeforeValidator:
    """Return the validator of a text that may be a secret; its message does not show the text."""

    def check(given: object) -> object:
        if not isinstance(given, str) or not re.fullmatch(pattern, given):
            message = f"not permitted; permitted: {allowed}"
            raise refuse(message)
        return given

    return BeforeValidator(check)


def _some(given: tuple[Any, ...]) -> tuple[Any, ...]:
    # An empty list would otherwise mean everywhere, the opposite of what it seems to mean.
    if not given:
        message = "is empty; permitted: at least one name, or no such key if the role holds everywhere"
        raise refuse(message)
    return given


Hash = Annotated[str, Field(pattern=_HASH), _fits(_HASH, PERMITTED[_HASH])]
AccessName = Annotated[str, Field(pattern=ACCESS_NAME)]
Names = Annotated[tuple[Name, ...], Field(strict=False, max_length=_MOST_PLACES), AfterValidator(_some)]


class RoleGrant(Model):
    """A role, and where it holds: in all that is named here together; without any, everywhere."""

    role: Role
    """The rights of the account; [access](access.md#rights) lists them for each role."""
    sites: Names | None = None
    """Sites with their queues, teams and agents."""
    departments: Names | None = None
    """Departments with their queues."""
    queues: Names | None = None
    """Queues."""
    teams: Names | None = None
    """Teams with their agents."""

    def grant(self) -> Grant:
        """Return the grant by which rights are checked."""
        named = {key: frozenset(getattr(self, key) or ()) for key in ("sites", "departments", "queues", "teams")}
        return Grant(self.role, **named)


Roles = Annotated[tuple[RoleGrant, ...], Field(strict=False, max_length=_MOST_ROLES)]


class TokenEntry(Model):
    """A program with a bearer token."""

    hashes: Annotated[tuple[Hash, ...], Field(strict=False, max_length=_MOST_HASHES)]
    """SHA-256 of its tokens, as `contact-streams access token` prints it: several while one replaces another."""
    expires: Instant | None = None
    """From when on none of them is accepted; without it, they are until they are deleted here."""
    roles: Roles
    """What it may do."""


class UserEntry(Model):
    """A user with a password, where no provider authenticates them."""

    password: Annotated[str, Field(pattern=_ARGON2ID), _fits(_ARGON2ID, PERMITTED[_ARGON2ID])]
    """Its argon2id hash, as `contact-streams access user` prints it."""
    roles: Roles
    """What the user may do."""


class KioskEntry(Model):
    """A screen that opens a link once."""

    ticket: Hash
    """SHA-256 of the ticket in the link, as `contact-streams access kiosk` prints it."""
    open_until: Instant | None = None
    """From when on the link opens nothing; a screen that opened it before continues. Without it, as long as this entry exists."""
    expires: Instant | None = None
    """From when on the screen shows nothing any more; without it, when this entry is deleted."""
    roles: Roles
    """What the screen may do."""


class CertificateEntry(Model):
    """A program with a client certificate."""

    roles: Roles
    """What it may do."""


class Provider(Model):
    """The OpenID Connect provider by which users log in."""

    issuer: Annotated[str, Field(pattern=URL)]
    """Its address, exactly as in its tokens."""
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    """The id of the server there; the secret comes from `CONTACT_STREAMS_OIDC_CLIENT_SECRET`."""
    groups_claim: Annotated[str, Field(min_length=1, max_length=200)] = "groups"
    """The claim with a user's groups; dots lead into nested claims, as in `realm_access.roles`."""
    name_claim: Annotated[str, Field(min_length=1, max_length=200)] = "preferred_username"
    """The claim with the name that the audit records; without it the audit records the subject."""
    audience: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The audience required in tokens of programs; without it the provider's tokens are accepted for logins only."""
    scopes: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(strict=False, max_length=20)] = (
        "openid",
        "profile",
    )
    """The scopes requested at a login."""
    away_minutes: Annotated[int, Field(ge=0, le=720)] = 10
    """How long sessions continue while the provider cannot be asked whether they may."""

    @model_validator(mode="after")
    def _is_by_tls(self) -> Self:
        if not is_tls_or_local(self.issuer):
            message = "issuer is not by TLS, so an attacker on the way could sign for it; permitted: https://, or http:// of this machine"
            raise refuse(message)
        return self

    @model_validator(mode="after")
    def _asks_for_openid(self) -> Self:
        if "openid" not in self.scopes:
            message = "scopes lacks openid; permitted: openid, and others beside it"
            raise refuse(message)
        return self


class SessionLimits(Model):
    """The length of sessions."""

    idle_minutes: Annotated[int, Field(ge=1, le=10_080)] = 60
    """A session without any request, and without an open page, ends after this."""
    hours: Annotated[int, Field(ge=1, le=720)] = 12
    """A session ends after this in any case; one of a kiosk link lasts until its entry expires or is deleted."""


class AccessFile(Model):
    """The entire file. What it does not permit is not permitted."""

    tokens: dict[AccessName, TokenEntry] = Field(default_factory=dict, max_length=_MOST)
    """Programs with bearer tokens by name."""
    users: dict[AccessName, UserEntry] = Field(default_factory=dict, max_length=_MOST)
    """Users with passwords by the name they log in with."""
    provider: Provider | None = None
    """The provider by which users log in with OpenID Connect; without it by `users` alone."""
    groups: dict[Name, Roles] = Field(default_factory=dict, max_length=_MOST)
    """The rights of the provider's users, by the groups it names."""
    kiosks: dict[AccessName, KioskEntry] = Field(default_factory=dict, max_length=_MOST)
    """Screens with links by name."""
    certificates: dict[Name, CertificateEntry] = Field(default_factory=dict, max_length=_MOST)
    """Programs with client certificates, by their common name or an alternative name."""
    hosts: Annotated[tuple[Annotated[str, Field(pattern=_HOST)], ...], Field(strict=False, max_length=100)] = ()
    """Host names under which clients reach the server, beside those of the loopback; others are refused."""
    public_url: Annotated[str, Field(pattern=URL)] | None = None
    """The address that browsers use, where it is not the one the server listens on; its host is accepted too."""
    smallest_group: Annotated[int, Field(ge=1, le=1_000)] = SMALLEST_GROUP
    """The smallest group of agents whose figures are shown to viewers without the right `people`; 1 shows them all."""
    requests_per_minute: Annotated[int, Field(ge=60, le=1_000_000)] = REQUESTS_PER_MINUTE
    """How many requests one account may send a minute on average, and at once; further ones are answered with 429."""
    session: SessionLimits = SessionLimits()
    """How long a login lasts."""

    @model_validator(mode="after")
    def _each_secret_once(self) -> Self:
        owners: dict[str, str] = {}
        hashes = [(hash_, f"token {name}") for name, token in self.tokens.items() for hash_ in token.hashes]
        hashes += [(kiosk.ticket, f"kiosk {name}") for name, kiosk in self.kiosks.items()]
        for hash_, owner in hashes:
            if hash_ in owners:
                message = f"a hash of {owner} is one of {owners[hash_]} too; permitted: a secret of its own for each"
                raise refuse(message)
            owners[hash_] = owner
        return self

    @model_validator(mode="after")
    def _groups_have_a_provider(self) -> Self:
        if self.groups and self.provider is None:
            message = "groups needs a provider, which reports their members; permitted: both, or neither"
            raise refuse(message)
        return self

    @model_validator(mode="after")
    def _provider_knows_the_way_back(self) -> Self:
        if self.provider is not None and self.public_url is None:
            message = "provider needs public_url, to which it sends browsers back; permitted: both, or neither"
            raise refuse(message)
        if self.provider is not None and self.public_url is not None and not is_tls_or_local(self.public_url):
            message = "public_url is not by TLS, and logins at a provider could be read; permitted: https://, or http:// of this machine"
            raise refuse(message)
        return self

    def principal(self, identity: Identity, now_ms: float) -> Principal | None:
        """Return the principal of an identity at an instant; None if the file does not, or no longer, have it."""
        roles = self._roles(identity, now_ms)
        return None if roles is None else Principal(identity.name, identity.kind, tuple(role.grant() for role in roles))

    def _roles(self, identity: Identity, now_ms: float) -> tuple[RoleGrant, ...] | None:
        match identity.kind:
            case "token" | "kiosk" as kind:
                entries = self.tokens if kind == "token" else self.kiosks
                entry = entries.get(identity.name)
                return None if entry is None or _over(entry.expires, now_ms) else entry.roles
            case "user" | "certificate" as kind:
                lasting_entries = self.users if kind == "user" else self.certificates
                lasting = lasting_entries.get(identity.name)
                return None if lasting is None else lasting.roles
            case "provider":
                if self.provider is None:
                    return None
                return tuple(role for group in dict.fromkeys(identity.groups) for role in self.groups.get(group, ()))
        return None

    def granted(self) -> Iterator[tuple[tuple[str, ...], RoleGrant]]:
        """Yield every grant of the file with its location there."""
        kinds: tuple[tuple[Literal["tokens", "users", "kiosks", "certificates"], Any], ...] = (
            ("tokens", self.tokens),
            ("users", self.users),
            ("kiosks", self.kiosks),
            ("certificates", self.certificates),
        )
        for kind, entries in kinds:
            for name, entry in entries.items():
                yield from (((kind, name, "roles", str(index)), role) for index, role in enumerate(entry.roles))
        for name, roles in self.groups.items():
            yield from ((("groups", name, str(index)), role) for index, role in enumerate(roles))


def is_tls_or_local(url: str) -> bool:
    """Return whether an address is by TLS, or of this machine."""
    parts = urlsplit(url)
    try:
        return parts.scheme == "https" or parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _over(expires: str | None, now_ms: float) -> bool:
    return expires is not None and now_ms >= effective_ms(expires)


def load_access(path: Path) -> AccessFile:
    """Return the content of an access file.

    Raises:
        AccessError: it is missing, is no YAML, or has something that is not permitted; the error names all of that, and no secret.
    """
    return parse_access(path, read_text(path, AccessError))


def parse_access(path: Path, text: str) -> AccessFile:
    """Return the content of the text of ``path``; raise AccessError as ``load_access``."""
    return read_model(path, text, AccessFile, lambda wrong, document: problems_of(wrong, document, _worded), AccessError)


def _worded(error: Any) -> tuple[tuple[int | str, ...], str]:
    """Return location and reason; values near secrets are not shown."""
    schema = access_schema()
    where = [str(part) for part in error["loc"]]
    # An entry itself may be a misplaced secret.
    near_secret = where[:1] and where[0] in _WITH_SECRETS and (len(where) <= 2 or not _SECRETS.isdisjoint(where))  # noqa: PLR2004 - key and name
    if not near_secret or error["type"] in {"refused", "extra_forbidden", "missing"}:
        return worded(error, schema)
    at, here = schema_at(schema, error["loc"])
    return at, f"not permitted; permitted: {permitted(here, schema)}"


def access_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    return AccessFile.model_json_schema()
