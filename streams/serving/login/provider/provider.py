"""Log users in by OpenID Connect, with authorization code and PKCE, and check periodically that they still have access."""

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

#: Shorter than the time limit of a session's check.
_CHECK_SECONDS: Final = 8.0
_MAX_CODE: Final = 4000


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """The sessions that the provider ends: one, or without a session all of a subject."""

    subject: str | None
    session: str | None
    #: The id of the notice, so that it applies once.
    id: str


class Provider:
    """One provider, by its settings.

    Args:
        settings: the provider, and this server as its client.
        session: HTTP session to it, without redirects and cookies.
        clock: seconds since the epoch.
        ticks: seconds of a monotonic clock.
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
        """The address that the provider redirects browsers to; it must be registered there."""
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
        """Return the address at which a browser ends its session at the provider too; None where the provider offers none.

        It holds no ID token, so that none reaches a browser: the provider may ask the user to confirm.
        """
        address = (await self._client.offer()).end_session_endpoint
        if address is None:
            return None
        leads = {"client_id": self.settings.client_id, "post_logout_redirect_uri": f"{self.settings.public_url}/login"}
        return str(URL(address).update_query(leads))

    async def logged_in(self, attempt: Attempt, answer: Mapping[str, str]) -> tuple[Identity, ProviderSession]:
        """Return the identity of a login, by the query of the redirect from the provider.

        Raises:
            TokenError: the answer is not of this attempt, or a token is not valid.
            ProviderRefusedError: the provider refused the login.
            ProviderProblem: the provider fails.
        """
        offer = await self._client.offer()
        state = answer.get("state", "")
        if not state.isascii() or not hmac.compare_digest(state, attempt.state):
            raise TokenError("the answer is not of a login that this browser began (state)")
        # RFC 9207: with several providers, one could pass on a code of another.
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
            raise ProviderProblem("it gives no refresh token, which later checks of the user's access need: allow it there")
        claims = await self._id_claims(tokens.id_token, nonce=attempt.nonce)
        session = claims.get("sid")
        login = ProviderSession(self, subject_of(claims), session if isinstance(session, str) else None, tokens.refresh_token)
        return await self._identity(claims, tokens), login

    async def program(self, token: str) -> Identity:
        """Return the identity of a program's access token.

        Raises:
            TokenError: it is rejected.
            ProviderProblem: the provider's keys are missing.
        """
        audience = self.settings.audience
        if audience is None:
            raise TokenError("no audience is configured, so that tokens of programs are not accepted")
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

    async def confirm(self, login: ProviderSession) -> Identity:
        """Check that a login still holds, and return its current identity; raise ProviderProblem or TokenError."""
        tokens = await self._client.refresh(login.refresh_token)
        if tokens.refresh_token is not None:
            login.refresh_token = tokens.refresh_token
        claims: Mapping[str, Any] | None = None
        if tokens.id_token is not None:
            claims = await self._id_claims(tokens.id_token, nonce=None)
        elif tokens.access_token is not None:
            claims = await self._client.userinfo(tokens.access_token)
        if claims is None:
            raise ProviderProblem("it does not return the user of a session: it gives no new ID token and has no userinfo")
        if subject_of(claims) != login.subject:
            raise TokenError("it is of another user (sub)")
        return await self._identity(claims, tokens)

    def log_back(self) -> None:
        """Log once that the provider can be reached again."""
        if self._away:
            self._away = False
            _log.info("The provider %s can be reached again.", self.settings.issuer)

    def log_away(self, problem: Exception) -> None:
        """Log once that the provider cannot be reached."""
        if not self._away:
            self._away = True
            minutes = self.settings.away_seconds / 60
            _log.warning("The provider %s: %s. Sessions continue for %g minutes.", self.settings.issuer, problem, minutes)

    async def _id_claims(self, token: str, *, nonce: str | None) -> dict[str, Any]:
        claims, _ = await verified(token, self._keys, from_provider=True)
        check_id(claims, issuer=self.settings.issuer, client_id=self.settings.client_id, nonce=nonce, now=self._clock())
        return claims

    async def _identity(self, claims: Mapping[str, Any], tokens: Tokens) -> Identity:
        name, groups = name_of(claims, self.settings.name_claim), groups_of(claims, self.settings.groups_claim)
        if groups is None and tokens.access_token is not None:
            userinfo = await self._client.userinfo(tokens.access_token)
            if userinfo is not None:
                if subject_of(userinfo) != subject_of(claims):
                    raise TokenError("it is of another user (sub)")
                groups = groups_of(userinfo, self.settings.groups_claim)
        if groups is None and not self._misses_groups:
            self._misses_groups = True
            _log.warning(
                "The provider %s returns no groups: neither ID token nor userinfo holds %s. Add it there, or name another groups_claim.",
                self.settings.issuer,
                self.settings.groups_claim,
            )
        return Identity("provider", name, tuple(sorted(groups or ())))


@dataclass(slots=True, eq=False)
class ProviderSession:
    """The provider's side of a session; it is the session's ``check``."""

    provider: Provider
    subject: str
    #: The provider's id of the session, where it gives one.
    sid: str | None
    refresh_token: str = field(repr=False)
    #: Called when the session ends, with the reason.
    on_end: Callable[[Identity, str], None] | None = field(default=None, repr=False)
    #: When the provider last confirmed the session.
    _confirmed_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._confirmed_at = self.provider.ticks()

    def is_ended_by(self, notice: LogoutNotice) -> bool:
        """Return whether a logout notice applies to this session."""
        if notice.session is not None and self.sid is not None:
            return notice.session == self.sid and notice.subject in {None, self.subject}
        return notice.subject == self.subject

    async def __call__(self, session: Session) -> Identity | None:
        """Return the current identity of the session, None where it has ended."""
        result = await self._confirm(session)
        if isinstance(result, Identity):
            return result
        if self.on_end is not None:
            self.on_end(session.identity, result)
        return None

    async def _confirm(self, session: Session) -> Identity | str:
        """Return the current identity of the session, or why it has ended."""
        provider = self.provider
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                identity = await provider.confirm(self)
        except ProviderRefusedError:
            provider.log_back()
            return "the provider says so"
        except TokenError as error:
            provider.log_back()
            _log.warning("A session ends: the answer of the provider %s is rejected, %s.", provider.settings.issuer, error)
            return "what the provider says is not taken"
        except (ProviderProblem, TimeoutError) as problem:
            provider.log_away(problem if isinstance(problem, ProviderProblem) else ProviderAwayError("it does not answer in time"))
            is_in_grace = provider.ticks() - self._confirmed_at < provider.settings.away_seconds
            return session.identity if is_in_grace else "the provider cannot be asked"
        provider.log_back()
        self._confirmed_at = provider.ticks()
        return identity
