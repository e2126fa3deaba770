"""Logs people in by OpenID Connect: authorization code with PKCE, and asks again and again whether they still may come in."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from streams.access.principals import Identity
from streams.serving.login.provider.claims import groups_of, name_of, subject_of
from streams.serving.login.provider.client import Client
from streams.serving.login.provider.keys import Keys
from streams.serving.login.provider.problems import ProviderAwayError, ProviderProblem, ProviderRefusedError, TokenError
from streams.serving.login.provider.settings import CALLBACK_PATH
from streams.serving.login.provider.tokens import check_access, check_id, check_logout, verified

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from streams.serving.login.provider.attempts import Attempt
    from streams.serving.login.provider.client import Tokens
    from streams.serving.login.provider.settings import Settings
    from streams.serving.login.sessions import Session

__all__ = ["LogoutNotice", "Provider", "ProviderSession"]

_log = logging.getLogger(__name__)

#: Within the time that a session's check may take.
_CHECK_SECONDS: Final = 8.0
_MAX_CODE: Final = 4000


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """Which sessions the provider ends: one, or without a session all of a subject."""

    subject: str | None
    session: str | None
    #: What the notice is called, so that it is taken once.
    id: str


class Provider:
    """One provider, as its settings say.

    Args:
        settings: the provider, and what this server is to it.
        session: asks it; follows no redirect and keeps no cookie.
        clock: seconds since the epoch.
        ticks: seconds that only go on.
    """

    def __init__(
        self, settings: Settings, session: aiohttp.ClientSession, *, clock: Callable[[], float], ticks: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.ticks = ticks
        self._clock = clock
        self._client = Client(settings, session, ticks)
        self._keys = Keys(self._client.keys, ticks)
        self._away = False
        self._misses_groups = False

    @property
    def redirect_uri(self) -> str:
        """The address that the provider sends browsers to; it has to be known there."""
        return self.settings.public_url + CALLBACK_PATH

    async def login_url(self, attempt: Attempt) -> str:
        """Return the address at the provider where a login begins; raise ProviderProblem."""
        offer = await self._client.offer()
        return str(
            URL(offer.authorization_endpoint).update_query(
                response_type="code",
                client_id=self.settings.client_id,
                redirect_uri=self.redirect_uri,
                scope=" ".join(self.settings.scopes),
                state=attempt.state,
                nonce=attempt.nonce,
                code_challenge=attempt.challenge,
                code_challenge_method="S256",
            )
        )

    async def logout_url(self) -> str | None:
        """Return the address where a browser ends its session at the provider, too; None where it offers none.

        It holds no ID token, so that none comes into a browser: the provider may ask whether the person means it.
        """
        address = (await self._client.offer()).end_session_endpoint
        if address is None:
            return None
        leads = {"client_id": self.settings.client_id, "post_logout_redirect_uri": f"{self.settings.public_url}/login"}
        return str(URL(address).update_query(leads))

    async def logged_in(self, attempt: Attempt, answer: Mapping[str, str]) -> tuple[Identity, ProviderSession]:
        """Return who has logged in, by the query of the address that the browser came back with.

        Raises:
            TokenError: the answer is not of this attempt, or what the provider says cannot be believed.
            ProviderRefusedError: the provider did not let the person in.
            ProviderProblem: the provider does not do its part.
        """
        offer = await self._client.offer()
        state = answer.get("state", "")
        if not state.isascii() or not hmac.compare_digest(state, attempt.state):
            raise TokenError("the answer is not of a login that this browser began (state)")
        # RFC 9207: where there are several providers, one could pass on a code of another.
        issuer = answer.get("iss")
        if issuer != offer.issuer and (issuer is not None or offer.authorization_response_iss_parameter_supported):
            raise TokenError("the answer is of another provider (iss)")
        code = answer.get("code", "")
        if "error" in answer or not 0 < len(code) <= _MAX_CODE:
            raise ProviderRefusedError("it refused the login")
        tokens = await self._client.redeem(code, attempt.verifier, self.redirect_uri)
        if tokens.id_token is None:
            raise ProviderProblem("it gives no ID token: is openid one of the scopes?")
        if tokens.refresh_token is None:
            raise ProviderProblem(
                "it gives no refresh token, without which it cannot be asked again whether a person may come in: allow it there"
            )
        claims = await self._id_claims(tokens.id_token, nonce=attempt.nonce)
        session = claims.get("sid")
        login = ProviderSession(self, subject_of(claims), session if isinstance(session, str) else None, tokens.refresh_token)
        return await self._identity(claims, tokens), login

    async def program(self, token: str) -> Identity:
        """Return whose access token a program brings.

        Raises:
            TokenError: it is not taken.
            ProviderProblem: the provider's keys are not there.
        """
        audience = self.settings.audience
        if audience is None:
            raise TokenError("no audience is configured, so that no token of the provider is taken from programs")
        claims, kind = await verified(token, self._keys)
        check_access(claims, kind, issuer=self.settings.issuer, audience=audience, now=self._clock())
        groups = groups_of(claims, self.settings.groups_claim)
        return Identity("provider", name_of(claims, self.settings.name_claim), tuple(sorted(groups or ())))

    async def notice(self, logout_token: str) -> LogoutNotice:
        """Return which sessions a logout token ends; raise TokenError or ProviderProblem."""
        claims, kind = await verified(logout_token, self._keys)
        check_logout(claims, kind, issuer=self.settings.issuer, client_id=self.settings.client_id, now=self._clock())
        session = claims.get("sid")
        return LogoutNotice(claims.get("sub"), session if isinstance(session, str) else None, str(claims["jti"]))

    async def goes_on(self, login: ProviderSession) -> Identity:
        """Ask whether a login still holds, and return who it is of by now; raise ProviderProblem or TokenError."""
        tokens = await self._client.refresh(login.refresh_token)
        if tokens.refresh_token is not None:
            login.refresh_token = tokens.refresh_token
        claims: Mapping[str, Any] | None = None
        if tokens.id_token is not None:
            claims = await self._id_claims(tokens.id_token, nonce=None)
        elif tokens.access_token is not None:
            claims = await self._client.userinfo(tokens.access_token)
        if claims is None:
            raise ProviderProblem("it does not say who a session is of: it gives no ID token anew and has no userinfo")
        if subject_of(claims) != login.subject:
            raise TokenError("it is of another person (sub)")
        return await self._identity(claims, tokens)

    def answered(self) -> None:
        """Say that the provider can be asked again."""
        if self._away:
            self._away = False
            _log.info("The provider %s can be asked again.", self.settings.issuer)

    def missed(self, problem: Exception) -> None:
        """Say once that the provider cannot be asked."""
        if not self._away:
            self._away = True
            minutes = self.settings.away_seconds / 60
            _log.warning("The provider %s: %s. Sessions go on for %g minutes.", self.settings.issuer, problem, minutes)

    async def _id_claims(self, token: str, *, nonce: str | None) -> dict[str, Any]:
        claims, _ = await verified(token, self._keys, from_provider=True)
        check_id(claims, issuer=self.settings.issuer, client_id=self.settings.client_id, nonce=nonce, now=self._clock())
        return claims

    async def _identity(self, claims: Mapping[str, Any], tokens: Tokens) -> Identity:
        name, groups = name_of(claims, self.settings.name_claim), groups_of(claims, self.settings.groups_claim)
        if groups is None and tokens.access_token is not None:
            said = await self._client.userinfo(tokens.access_token)
            if said is not None:
                if subject_of(said) != subject_of(claims):
                    raise TokenError("it is of another person (sub)")
                groups = groups_of(said, self.settings.groups_claim)
        if groups is None and not self._misses_groups:
            self._misses_groups = True
            _log.warning(
                "The provider %s says no groups: neither ID token nor userinfo holds %s. Add it there, or name another groups_claim.",
                self.settings.issuer,
                self.settings.groups_claim,
            )
        return Identity("provider", name, tuple(sorted(groups or ())))


@dataclass(slots=True, eq=False)
class ProviderSession:
    """What a session has at the provider; it is the session's ``check``."""

    provider: Provider
    subject: str
    #: What the provider calls the session, where it does.
    sid: str | None
    refresh_token: str = field(repr=False)
    #: Is told when the session ends, and why, in a word of ours.
    on_end: Callable[[Identity, str], None] | None = field(default=None, repr=False)
    #: When the provider last said that the session goes on.
    _heard: float = field(init=False)

    def __post_init__(self) -> None:
        self._heard = self.provider.ticks()

    def is_ended_by(self, notice: LogoutNotice) -> bool:
        """Say whether a logout of the provider means this one."""
        if notice.session is not None and self.sid is not None:
            return notice.session == self.sid and notice.subject in {None, self.subject}
        return notice.subject == self.subject

    async def __call__(self, session: Session) -> Identity | None:
        """Return who the session is of by now, None where it has ended."""
        found = await self._asked(session)
        if isinstance(found, Identity):
            return found
        if self.on_end is not None:
            self.on_end(session.identity, found)
        return None

    async def _asked(self, session: Session) -> Identity | str:
        """Return who the session is of by now, or why it has ended."""
        provider = self.provider
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                identity = await provider.goes_on(self)
        except ProviderRefusedError:
            provider.answered()
            return "the provider says so"
        except TokenError as error:
            provider.answered()
            _log.warning("A session ends: what the provider %s says of it is not taken, %s.", provider.settings.issuer, error)
            return "what the provider says is not taken"
        except (ProviderProblem, TimeoutError) as problem:
            provider.missed(problem if isinstance(problem, ProviderProblem) else ProviderAwayError("it does not answer in time"))
            lasts = provider.ticks() - self._heard < provider.settings.away_seconds
            return session.identity if lasts else "the provider cannot be asked"
        provider.answered()
        self._heard = provider.ticks()
        return identity
