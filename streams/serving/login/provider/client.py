"""HTTP client of a provider: its metadata, keys, and tokens for a code or a refresh token. Answers are bounded in time and size."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote_plus

import aiohttp
import msgspec
from yarl import URL

from streams.configuration.access import is_tls_or_local
from streams.serving.login.provider.problems import ProviderAwayError, ProviderProblem, ProviderRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.serving.login.provider.settings import Settings

__all__ = ["Client", "Offer", "Tokens"]

_ANSWER_SECONDS: Final = 5.0
_MAX_ANSWER: Final = 512 * 1024
#: How long the metadata is cached.
_OFFER_SECONDS: Final = 60 * 60.0
#: How long a failure is cached: logins in this time send no request.
_PROBLEM_SECONDS: Final = 3.0
#: RFC 6749: the code was used or is old, the user is disabled, the session is over.
_OVER: Final = "invalid_grant"
_MAX_CODE: Final = 40

_T = TypeVar("_T")


class Offer(msgspec.Struct, frozen=True):
    """The metadata of a provider (OpenID Connect Discovery)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = msgspec.field(default_factory=lambda: ["client_secret_basic"])
    authorization_response_iss_parameter_supported: bool = False


class Tokens(msgspec.Struct, frozen=True):
    """The answer of a token endpoint."""

    id_token: str | None = None
    refresh_token: str | None = None
    access_token: str | None = None

    def __repr__(self) -> str:
        return "Tokens(...)"


class _Refusal(msgspec.Struct):
    error: str = ""


class Client:
    """The client of one provider; ``clock`` returns seconds of a monotonic clock."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._session = session
        self._clock = clock
        self._offer: Offer | None = None
        self._problem: ProviderProblem | None = None
        self._offered_at = float("-inf")
        self._asking = asyncio.Lock()

    async def offer(self) -> Offer:
        """Return the provider's metadata; raise ProviderProblem where it cannot be used."""
        async with self._asking:
            cache_seconds = _PROBLEM_SECONDS if self._problem else _OFFER_SECONDS
            if self._clock() - self._offered_at >= cache_seconds:
                try:
                    self._offer, self._problem = await self._fetch_offer(), None
                except ProviderProblem as problem:
                    self._problem = problem
                self._offered_at = self._clock()
            if self._offer is None:
                raise self._problem or ProviderAwayError("its metadata was not fetched yet")
            return self._offer

    async def keys(self) -> bytes:
        """Return the key set; raise ProviderProblem."""
        return await self._get((await self.offer()).jwks_uri)

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Return the tokens for the code of a login; raise ProviderProblem."""
        return await self._tokens(grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect_uri)

    async def refresh(self, refresh_token: str) -> Tokens:
        """Return new tokens of a session; raise ProviderRefusedError where it is over, else ProviderProblem."""
        return await self._tokens(grant_type="refresh_token", refresh_token=refresh_token)

    async def userinfo(self, access_token: str) -> Mapping[str, Any] | None:
        """Return the userinfo of a user; None where the provider offers none. Raise ProviderProblem."""
        address = (await self.offer()).userinfo_endpoint
        if address is None:
            return None
        return _read(await self._get(address, {"Authorization": f"Bearer {access_token}"}), dict[str, Any], "its userinfo")

    async def _fetch_offer(self) -> Offer:
        settings = self._settings
        body = await self._get(f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        offer = _read(body, Offer, "its metadata")
        if offer.issuer != settings.issuer:
            raise ProviderProblem(f"it calls itself {offer.issuer[:200]!r}, not {settings.issuer!r}: write the issuer as it does")
        addresses = (
            offer.authorization_endpoint,
            offer.token_endpoint,
            offer.jwks_uri,
            offer.userinfo_endpoint,
            offer.end_session_endpoint,
        )
        for address in addresses:
            if address is not None and not _is_safe(address, settings.issuer):
                raise ProviderProblem(f"one of its addresses is not by TLS: {address[:200]!r}")
        if settings.client_secret and "client_secret_basic" not in offer.token_endpoint_auth_methods_supported:
            raise ProviderProblem("it accepts no client secret by client_secret_basic")
        return offer

    async def _tokens(self, **form: str) -> Tokens:
        settings = self._settings
        headers = {"Accept": "application/json"}
        if settings.client_secret:
            # RFC 6749, 2.3.1: encode as in a form before joining.
            headers["Authorization"] = aiohttp.encode_basic_auth(quote_plus(settings.client_id), quote_plus(settings.client_secret))
        else:
            form["client_id"] = settings.client_id
        status, body = await self._request("POST", (await self.offer()).token_endpoint, headers, form)
        if status == 200:  # noqa: PLR2004 - HTTP
            return _read(body, Tokens, "its token endpoint's answer")
        try:
            code = msgspec.json.decode(body, type=_Refusal).error[:_MAX_CODE]
        except (msgspec.DecodeError, UnicodeDecodeError):
            code = ""
        if status == 400 and code == _OVER:  # noqa: PLR2004 - HTTP
            raise ProviderRefusedError("it reports that this is over")
        message = f"its token endpoint answers {status} {code if code.isascii() and code.isprintable() else ''}".rstrip()
        raise ProviderAwayError(message)

    async def _get(self, address: str, headers: Mapping[str, str] | None = None) -> bytes:
        status, body = await self._request("GET", address, {"Accept": "application/json", **(headers or {})})
        if status != 200:  # noqa: PLR2004 - HTTP
            raise ProviderAwayError(f"{URL(address).path} answers {status}")
        return body

    async def _request(
        self, method: str, address: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        body = bytearray()
        try:
            async with (
                asyncio.timeout(_ANSWER_SECONDS),
                self._session.request(method, URL(address), headers=headers, data=form, allow_redirects=False) as response,
            ):
                async for part in response.content.iter_any():
                    body += part
                    if len(body) > _MAX_ANSWER:
                        raise ProviderAwayError("its answer is too large")
                return response.status, bytes(body)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # Only the type: texts of these errors may quote an address with a token.
            raise ProviderAwayError(f"it cannot be asked ({type(error).__name__})") from None


def _read(body: bytes, kind: type[_T], what: str) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProviderAwayError(f"{what} cannot be read") from None


def _is_safe(address: str, issuer: str) -> bool:
    # Without TLS only on this machine, where the issuer is too.
    return address.startswith("https://") or (
        issuer.startswith("http://") and address.startswith("http://") and is_tls_or_local(issuer) and is_tls_or_local(address)
    )
