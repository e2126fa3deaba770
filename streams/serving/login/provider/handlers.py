"""HTTP handlers of logins at the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from streams.serving.login.handlers import form_of, shown
from streams.serving.login.paths import HOME, own_path
from streams.serving.login.provider.attempts import ATTEMPT_SECONDS
from streams.serving.login.provider.logins import PROVIDER_LOGINS
from streams.serving.login.provider.problems import ProviderProblem, ProviderRefusedError, TokenError
from streams.serving.login.texts import language_of
from streams.serving.problems import problem

if TYPE_CHECKING:
    from streams.serving.login.provider.logins import ProviderLogins
    from streams.serving.login.provider.provider import Provider

__all__ = ["begin", "end_sessions", "handle_callback"]

_RETRY_SECONDS = 10


async def begin(request: web.Request) -> web.StreamResponse:
    """Send a browser to the provider."""
    logins, provider = _of(request)
    target = own_path(request.query.get("next", HOME))
    cookie, attempt = logins.attempts.begin(target)
    try:
        address = await provider.login_url(attempt)
    except ProviderProblem as error:
        logins.log_problem("No login at the provider %s is possible: %s.", provider.settings.issuer, error)
        return await _back(request, target, "provider_away", 503)
    response = web.Response(status=303, headers={"Location": address})
    logins.attempt_cookie.set(response, cookie, seconds=ATTEMPT_SECONDS)
    return response


async def handle_callback(request: web.Request) -> web.StreamResponse:
    """Complete the login of a browser that returns from the provider."""
    logins, provider = _of(request)
    attempt = logins.attempts.of(logins.attempt_cookie.of(request))
    if attempt is None:
        return await _back(request, HOME, "provider_again", 403)
    if logins.under_way.locked():
        return problem(503, "too many logins are under way", retry_after_seconds=_RETRY_SECONDS)
    async with logins.under_way:
        try:
            identity, session = await provider.logged_in(attempt, request.query)
            logout_url = await provider.logout_url()
        except (TokenError, ProviderRefusedError) as error:
            logins.audit.record("login_refused", "refused", request=request, reason=f"at the provider: {error}")
            logins.log_problem("A login at the provider %s is rejected: %s.", provider.settings.issuer, error)
            return await _back(request, attempt.target, "provider_again", 403)
        except ProviderProblem as error:
            logins.log_problem("No login at the provider %s is possible: %s.", provider.settings.issuer, error)
            return await _back(request, attempt.target, "provider_away", 503)
    secret = logins.begin_session(request, identity, session, logout_url)
    principal = logins.login.principal(identity)
    if secret is None:
        logins.audit.record("login_refused", "refused", principal=principal, request=request, reason="none of the groups has a role")
        return await _back(request, attempt.target, "no_rights", 403)
    logins.audit.record("login", principal=principal, request=request)
    response = web.Response(status=303, headers={"Location": attempt.target})
    logins.login.session_cookie.set(response, secret)
    logins.attempt_cookie.delete(response)
    return response


async def end_sessions(request: web.Request) -> web.StreamResponse:
    """Handle a logout notice of the provider (OpenID Connect Back-Channel Logout)."""
    logins, provider = _of(request)
    form = await form_of(request)
    try:
        logins.end(await provider.notice(form.get("logout_token", "")))
    except TokenError as error:
        return problem(400, f"the logout token is rejected: {error}")
    except ProviderProblem:
        return problem(503, "the provider's keys cannot be fetched", retry_after_seconds=_RETRY_SECONDS)
    return web.Response()


def _of(request: web.Request) -> tuple[ProviderLogins, Provider]:
    logins = request.app.get(PROVIDER_LOGINS)
    provider = None if logins is None else logins.provider
    if logins is None or provider is None:
        raise web.HTTPNotFound
    return logins, provider


async def _back(request: web.Request, target: str, trouble: str, status: int) -> web.Response:
    """Show the login page with what went wrong, and end the attempt."""
    language = language_of(None, request.headers.get("Accept-Language", ""))
    response = await shown(request, target, language, trouble, status=status)
    request.app[PROVIDER_LOGINS].attempt_cookie.delete(response)
    return response
