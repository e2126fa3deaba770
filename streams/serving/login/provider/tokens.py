"""Verify tokens of a provider: signature, then claims by use. No network; the caller passes the time."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import TYPE_CHECKING, Any, Final

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jws import JWSRegistry
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from streams.serving.login.provider.problems import TokenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.serving.login.provider.keys import Keys

__all__ = ["ALGORITHMS", "LEEWAY_SECONDS", "Claims", "check_access", "check_id", "check_logout", "verified"]

#: The claims of a token, by name.
Claims = dict[str, Any]

#: Asymmetric signatures: neither ``none`` nor a shared secret.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")

#: How much clocks may differ.
LEEWAY_SECONDS: Final = 30

#: The size of a token with a few hundred groups; a request's header holds less than half.
_MAX_TOKEN: Final = 20_000
_MAX_TOKEN_OF_PROVIDER: Final = 100_000
_MAX_HEADER: Final = 1000
_MAX_KID: Final = 300
#: A logout token is issued when it is sent.
_LOGOUT_SECONDS: Final = 2 * 60

_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
#: The types of access tokens. Other kinds of tokens of the same issuer must not pass for one.
_ACCESS_TYPES: Final = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
_LOGOUT_TYPES: Final = frozenset({"", "jwt", "logout+jwt", "application/logout+jwt"})
#: Of Keycloak, which states the kind of a token in a claim.
_NOT_ACCESS: Final = frozenset({"id", "refresh", "offline", "logout"})

_REQUIRED: Final[ClaimsOption] = {"essential": True}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # With a repeated name, another reader could use the other claim.
    claims = dict(pairs)
    if len(claims) != len(pairs):
        raise ValueError("a name occurs in it twice")
    return claims


class _Decoder(json.JSONDecoder):
    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_once)


class _Registry(JWSRegistry):
    # Unknown headers are ignored (RFC 7515, 4); critical ones are rejected before.
    max_header_length = _MAX_HEADER


_REGISTRY: Final = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


async def verified(token: str, keys: Keys, *, from_provider: bool = False) -> tuple[Claims, str]:
    """Return the claims of a token that the provider signed, and its type in lower case; the claims are not checked yet.

    Keys in the token, and addresses of keys, are ignored.

    Raises:
        TokenError: the provider did not sign it.
        ProviderProblem: the provider's keys are missing.
    """
    if len(token) > (_MAX_TOKEN_OF_PROVIDER if from_provider else _MAX_TOKEN):
        raise TokenError("it is too long")
    header = _header(token)
    if header.get("alg") not in ALGORITHMS:
        raise TokenError("its algorithm is not permitted")
    if "crit" in header or "b64" in header:
        raise TokenError("it needs an unknown extension")
    kid, kind = header.get("kid"), header.get("typ", "")
    if not (kid is None or (isinstance(kid, str) and len(kid) <= _MAX_KID)) or not isinstance(kind, str):
        raise TokenError("its header cannot be read")
    key_set = await keys.that_may_verify(kid, from_provider=from_provider)
    try:
        claims = jwt.decode(token, key_set, algorithms=ALGORITHMS, registry=_REGISTRY, decoder_cls=_Decoder).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        # Without the error's text, which may quote the token.
        raise TokenError(f"its signature or form is wrong ({type(error).__name__})") from None
    return claims, kind.lower()


def _header(token: str) -> dict[str, Any]:
    segment, dots, _ = token.partition(".")
    if not token.isascii() or not dots or token.count(".") != 2 or len(segment) > _MAX_HEADER:  # noqa: PLR2004 - header.claims.signature
        raise TokenError("it is no signed token")
    try:
        header = json.loads(base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True), cls=_Decoder)
    except (binascii.Error, ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise TokenError("its header cannot be read")
    return header


def check_id(claims: Claims, *, issuer: str, client_id: str, nonce: str | None, now: float) -> None:
    """Check an ID token, for the login that sent ``nonce``; None for a refreshed one, which needs none.

    Raises:
        TokenError: it is not for this login.
    """
    _check(claims, now, iss={**_REQUIRED, "value": issuer}, aud={**_REQUIRED, "value": client_id}, sub=_REQUIRED, iat=_REQUIRED)
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise TokenError("it is for another client (azp)")
    if "events" in claims:
        raise TokenError("it is no ID token")
    if nonce is not None:
        given = claims.get("nonce")
        if not isinstance(given, str) or not given.isascii() or not hmac.compare_digest(given, nonce):
            raise TokenError("it is not of this login (nonce)")


def check_access(claims: Claims, kind: str, *, issuer: str, audience: str, now: float) -> None:
    """Check an access token of a program.

    Raises:
        TokenError: it is not for this server, or not valid now.
    """
    if kind not in _ACCESS_TYPES or str(claims.get("typ", "")).lower() in _NOT_ACCESS:
        raise TokenError("it is no access token (typ)")
    # An ID token, which a browser may know, and a logout token.
    if any(claim in claims for claim in ("nonce", "at_hash", "events")):
        raise TokenError("it is no access token")
    _check(claims, now, iss={**_REQUIRED, "value": issuer}, aud={**_REQUIRED, "value": audience}, sub=_REQUIRED)


def check_logout(claims: Claims, kind: str, *, issuer: str, client_id: str, now: float) -> None:
    """Check a logout token, with which the provider ends sessions.

    Raises:
        TokenError: it ends nothing.
    """
    if kind not in _LOGOUT_TYPES:
        raise TokenError("it is no logout token (typ)")
    _check(claims, now, iss={**_REQUIRED, "value": issuer}, aud={**_REQUIRED, "value": client_id}, iat=_REQUIRED, jti=_REQUIRED)
    if claims["iat"] < now - _LOGOUT_SECONDS - LEEWAY_SECONDS:
        raise TokenError("it is too old (iat)")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT_EVENT), dict):
        raise TokenError("it is no logout token (events)")
    if "nonce" in claims:
        raise TokenError("it is no logout token (nonce)")
    if not any(isinstance(claims.get(claim), str) and claims[claim] for claim in ("sub", "sid")):
        raise TokenError("it names no session (sub, sid)")


def _check(claims: Mapping[str, Any], now: float, **options: ClaimsOption) -> None:
    registry = JWTClaimsRegistry(now=int(now), leeway=LEEWAY_SECONDS, exp=_REQUIRED, **options)
    try:
        registry.validate(dict(claims))
    except ExpiredTokenError:
        raise TokenError("it has expired (exp)") from None
    except (InvalidClaimError, MissingClaimError) as error:
        raise TokenError(f"a claim is missing or wrong ({error.claim})") from None
