"""Logins at the provider of the current access file: their sessions, their end, and access tokens of programs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NoReturn

import aiohttp
from aiohttp import web

from streams.listening.tokens import bearer_of
from streams.serving.audit import NoAudit
from streams.serving.login.provider.attempts import Attempts
from streams.serving.login.provider.problems import ProviderProblem, TokenError
from streams.serving.login.provider.settings import LOGIN_PATH, MISSING, settings_of
from streams.serving.login.sessions import Cookie

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.access.principals import Identity
    from streams.serving.audit import Audit
    from streams.serving.login.login import Login
    from streams.serving.login.provider.provider import LogoutNotice, Provider, ProviderSession

__all__ = ["PROVIDER_LOGINS", "ProviderLogins"]

_log = logging.getLogger(__name__)

#: Logins completed at the provider at a time; further ones get 503.
_AT_A_TIME: Final = 20
#: Logout notices remembered, so that each applies once.
_NOTICES: Final = 10_000
_MAX_AUTHORIZATION: Final = 20_000
#: A warning that a request from outside can cause is logged once in this time.
_WARN_EVERY_SECONDS: Final = 10.0


class ProviderLogins:
    """The provider logins of one server, shared by its handlers; identifies programs by tokens of the provider.

    Args:
        login: the sessions, and the access file in force.
        client_secret: empty for a public client.
        audit: records logins, and sessions that the provider ends.
        ticks: seconds of a monotonic clock.
    """

    def __init__(
        self, login: Login, *, client_secret: str = "", audit: Audit | None = None, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        login.provider_path = LOGIN_PATH
        self.login = login
        self.audit: Audit = NoAudit() if audit is None else audit
        self.attempts = Attempts(login.clock)
        self.attempt_cookie = Cookie("attempt", secure=login.session_cookie.secure)
        self.under_way = asyncio.Semaphore(_AT_A_TIME)
        self._client_secret = client_secret
        self._ticks = ticks
        self._http: aiohttp.ClientSession | None = None
        self._over = False
        self._provider: Provider | None = None
        self._notices: OrderedDict[str, None] = OrderedDict()
        self._warned_at: dict[str, float] = {}

    async def run(self) -> NoReturn:
        """Hold the connections to the provider, until cancelled."""
        try:
            await asyncio.get_running_loop().create_future()
            raise AssertionError
        finally:
            self._over, self._provider = True, None
            if self._http is not None:
                await self._http.close()

    @property
    def provider(self) -> Provider | None:
        """The provider of the current access file; None without one. A changed provider starts without state."""
        settings = settings_of(self.login.access.running, self._client_secret)
        if settings is None or self._over:
            self._provider = None
        elif self._provider is None or self._provider.settings != settings:
            try:
                from streams.serving.login.provider.provider import Provider  # noqa: PLC0415 - an extra
            except ImportError:
                self.log_problem("No login at the provider is possible: %s.", MISSING)
                return None
            self._provider = Provider(settings, self._connected(), clock=self.login.clock, ticks=self._ticks)
        return self._provider

    async def identify(self, request: web.Request) -> Identity | None:
        """Return the identity of a request's access token; None without a valid one.

        Raises:
            web.HTTPServiceUnavailable: the provider's keys are missing, and cannot be fetched.
        """
        token = bearer_of(request.headers.get("Authorization"), longest=_MAX_AUTHORIZATION)
        if token is None or token.count(".") != 2:  # noqa: PLR2004 - a JWT
            return None
        provider = self.provider
        if provider is None or provider.settings.audience is None:
            return None
        try:
            return await provider.program(token)
        except TokenError as error:
            self.log_problem("A token of the provider is rejected: %s.", error)
            return None
        except ProviderProblem as error:
            raise web.HTTPServiceUnavailable(reason="the provider's keys cannot be fetched", headers={"Retry-After": "10"}) from error

    def begin_session(self, request: web.Request, identity: Identity, session: ProviderSession, logout_url: str | None) -> str | None:
        """Begin a session that replaces the browser's earlier one; None where the access file grants nothing."""
        login, provider = self.login, session.provider
        principal = login.access.running.principal(identity, login.clock() * 1000)
        if principal is None or not principal.grants or self.provider is not provider:
            return None
        login.end_session_of(request)
        session.on_end = self._ended
        return login.sessions.begin(
            identity, login.clock(), is_valid=lambda: self.provider is provider, check=session, logout_url=logout_url
        )

    def end(self, notice: LogoutNotice) -> None:
        """End the sessions of a logout notice; a repeated notice has no effect."""
        from streams.serving.login.provider.provider import ProviderSession  # noqa: PLC0415 - as above

        if notice.id in self._notices:
            return
        self._notices[notice.id] = None
        if len(self._notices) > _NOTICES:
            self._notices.popitem(last=False)
        for session in self.login.sessions:
            if isinstance(session.check, ProviderSession) and session.check.is_ended_by(notice):
                self.login.sessions.end(session.id)
                self._ended(session.identity, "the provider says so")

    def _ended(self, identity: Identity, reason: str) -> None:
        self.audit.record("session_ended", principal=self.login.principal(identity), reason=reason)

    def log_problem(self, text: str, *values: object) -> None:
        """Log a warning that requests from outside can cause, at a limited rate."""
        if self._ticks() - self._warned_at.get(text, float("-inf")) >= _WARN_EVERY_SECONDS:
            self._warned_at[text] = self._ticks()
            _log.warning(text, *values)

    def _connected(self) -> aiohttp.ClientSession:
        if self._http is None:
            headers = {"User-Agent": "contact-streams"}
            self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), headers=headers, trust_env=True)
        return self._http


#: The key of the provider logins in the application.
PROVIDER_LOGINS: Final = web.AppKey("provider_logins", ProviderLogins)
