"""Authentication and authorization of requests, checked at every request, and regularly on open streams."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import deque
from math import ceil
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from streams.access.principals import ANYONE, Identity, Principal
from streams.access.rates import RequestRates
from streams.access.views import EVERYTHING, NOTHING, Places, View
from streams.configuration.access import AccessError, AccessFile, parse_access
from streams.configuration.access_places import places_of
from streams.configuration.models import Configuration
from streams.configuration.watched import WatchedFile
from streams.listening.tokens import TOKEN_FORM, bearer_of, digest_of, is_token
from streams.serving.audit import NoAudit
from streams.serving.endpoints import ENDPOINT_BY_NAME
from streams.serving.login.paths import login_path
from streams.serving.problems import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from streams.access.rights import Right
    from streams.serving.audit import Audit
    from streams.serving.endpoints import Endpoint

__all__ = [
    "DOOR",
    "PRINCIPAL",
    "RECHECK_SECONDS",
    "Door",
    "Identifier",
    "LiveView",
    "Tokens",
    "WatchedAccess",
    "guard",
    "not_proven",
    "principal_of",
    "view_of",
]

_log = logging.getLogger(__name__)

#: How often the right is rechecked on an open stream.
RECHECK_SECONDS: Final = 15.0
#: How often signed-in agents are counted.
_COUNTED_SECONDS: Final = 5.0
_COUNTS: Final = 3
#: Views that are cached.
_MAX_VIEWS: Final = 256


class WatchedAccess(WatchedFile[AccessFile]):
    """The access file of a running server."""

    def __init__(self, path: Path, now_ms: int) -> None:
        """Read the file; raise AccessError if it cannot be used."""
        super().__init__(
            path, now_ms, "access", AccessError, parse_access, lambda file: [*file.tokens, *file.users, *file.groups, *file.kiosks]
        )


class Running(Protocol):
    """The holder of the access file in force, such as ``WatchedAccess``."""

    @property
    def running(self) -> AccessFile:
        """The file."""


class Identifier(Protocol):
    """One method of authentication."""

    async def identify(self, request: web.Request) -> Identity | None:
        """Return the identity that a request proves; None if it proves none by this method.

        It is called again while a stream is open, and returns None once the proof is void, such as after the end of a session.
        """


class Tokens:
    """Bearer tokens of the access file."""

    def __init__(self, access: Running) -> None:
        self._access = access
        self._of: AccessFile | None = None
        self._digests: list[tuple[bytes, str]] = []

    async def identify(self, request: web.Request) -> Identity | None:
        """Return the owner of the token in the Authorization header.

        Every hash is compared, each in constant time, so that the duration reveals nothing.
        """
        token = bearer_of(request.headers.get("Authorization"))
        if token is None or not is_token(token, TOKEN_FORM):
            return None
        if self._access.running is not self._of:
            self._of = self._access.running
            self._digests = [
                (bytes.fromhex(text.removeprefix("sha256:")), name) for name, entry in self._of.tokens.items() for text in entry.hashes
            ]
        given = digest_of(token)
        owner = None
        for digest, name in self._digests:
            if hmac.compare_digest(digest, given):
                owner = name
        return None if owner is None else Identity("token", owner)


class Door:
    """Authenticates requests, and returns the views of their principals.

    Args:
        access: the access file in force.
        configuration: returns the scopes of queues, teams and agents; the same object until it changes.
        signed_in: returns the number of signed-in agents by scope, from the records.
        identifiers: the methods of authentication, tried in their order after the bearer tokens of the file.
        audit: records denials.
        login: the path of the login page; None without one.
        clock: seconds since the epoch.
        monotonic: seconds of a monotonic clock.
    """

    def __init__(
        self,
        access: Running,
        *,
        configuration: Callable[[], Configuration] | None = None,
        signed_in: Callable[[], Mapping[str, int]] = dict,
        identifiers: Sequence[Identifier] = (),
        audit: Audit | None = None,
        login: str | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.access = access
        self.audit: Audit = NoAudit() if audit is None else audit
        self.identifiers: tuple[Identifier, ...] = (Tokens(access), *identifiers)
        self.login = login
        nothing = Configuration()
        self._configuration = configuration or (lambda: nothing)
        self._signed_in = signed_in
        self._clock = clock
        self._monotonic = monotonic
        self._rates = RequestRates()
        self._places = Places()
        self._places_of: tuple[Configuration, int] | None = None
        self._counted = 0.0
        self._counts: deque[Mapping[str, int]] = deque(maxlen=_COUNTS)
        self._views: dict[View, View] = {}

    async def identify(self, request: web.Request) -> Principal | None:
        """Return the current principal of a request; None if the access file knows no identity that it proves."""
        for identifier in self.identifiers:
            identity = await identifier.identify(request)
            if identity is not None:
                principal = self.access.running.principal(identity, self._clock() * 1000)
                if principal is not None:
                    return principal
        return None

    def wait_seconds(self, principal: Principal) -> float:
        """Count a request of an account and return 0, or return the seconds that it has to wait because of the rate limit."""
        per_minute = self.access.running.requests_per_minute
        wait = self._rates.wait(principal.account, self._monotonic(), per_minute)
        if wait and self._rates.is_new(principal.account):
            _log.warning("%s exceeds %d requests a minute (requests_per_minute) and is answered with 429.", principal.account, per_minute)
        return wait

    @property
    def files(self) -> tuple[AccessFile, Configuration]:
        """The access file and the configuration in force."""
        return self.access.running, self._configuration()

    @property
    def places(self) -> Places:
        """The scopes of queues, teams and agents; the same object until they change."""
        configuration, smallest = self._configuration(), self.access.running.smallest_group
        of, now = (configuration, smallest), self._clock()
        same = self._places_of is not None and self._places_of[0] is configuration and self._places_of[1] == smallest
        if same and 0 <= now - self._counted < _COUNTED_SECONDS:
            return self._places
        self._counts.append(self._signed_in())
        scopes = {scope for count in self._counts for scope in count}
        counts = ((scope, [count.get(scope, 0) for count in self._counts]) for scope in scopes)
        signed_in = {scope: (min(numbers), max(numbers)) for scope, numbers in counts}
        if not same or signed_in != self._places.signed_in:
            self._places, self._places_of = places_of(configuration, smallest_group=smallest, signed_in=signed_in), of
        self._counted = now
        return self._places

    def view(self, principal: Principal, right: Right) -> View:
        """Return the current view of a principal by a right; equal views are one object, for fast lookup."""
        view = principal.view(right, self.places)
        if len(self._views) > _MAX_VIEWS:
            self._views.clear()
        return self._views.setdefault(view, view)


DOOR: Final = web.AppKey("door", Door)
PRINCIPAL: Final = web.RequestKey("principal", Principal)


def principal_of(request: web.Request) -> Principal:
    """Return the principal that the guard has set; without a door every request has all rights."""
    principal: Principal | None = request.get(PRINCIPAL)
    if principal is not None:
        return principal
    return ANYONE if DOOR not in request.app else Principal("", "anyone")


def view_of(request: web.Request, right: Right) -> View:
    """Return the view of the request's principal by a right."""
    door = request.app.get(DOOR)
    if door is None:
        return EVERYTHING
    principal = principal_of(request)
    return door.view(principal, right) if principal.may(right) else NOTHING


class LiveView:
    """The view of an open stream's principal, rechecked regularly."""

    def __init__(self, request: web.Request, right: Right = "figures") -> None:
        self._request, self._right = request, right
        self._door = request.app.get(DOOR)
        #: None after the right has ended.
        self.view: View | None = view_of(request, right)
        self._files = None if self._door is None else self._door.files
        self._now = asyncio.get_running_loop().time
        self._checked = self._now()

    async def recheck(self) -> bool:
        """Recheck the view if it is time; return whether it has changed."""
        door = self._door
        if door is None or (self._files is not None and _same(door.files, self._files) and self._now() - self._checked < RECHECK_SECONDS):
            return False
        self._files, self._checked = door.files, self._now()
        before, principal = self.view, await door.identify(self._request)
        if principal is None or not principal.may(self._right):
            self.view = None
        else:
            self._request[PRINCIPAL] = principal
            self.view = door.view(principal, self._right)
        return self.view != before


def _same(files: tuple[object, object], others: tuple[object, object]) -> bool:
    return files[0] is others[0] and files[1] is others[1]


@web.middleware
async def guard(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Admit principals with the right of the endpoint; refusals do not reveal what exists."""
    door = request.app.get(DOOR)
    # A path without an endpoint is not found, for all principals.
    endpoint = ENDPOINT_BY_NAME.get(request.match_info.route.name or "")
    if door is None or endpoint is None or endpoint.right is None:
        return await handler(request)
    if _is_brought_by_another_page(request, endpoint):
        return problem(403, "a page of another site requests this: open it from a page of this server")
    principal = await door.identify(request)
    if principal is None:
        return _unknown(door, request, endpoint)
    wait = door.wait_seconds(principal)
    if wait:
        return problem(429, "this account sends too many requests: retry when Retry-After permits", retry_after_seconds=ceil(wait))
    request[PRINCIPAL] = principal
    if not principal.may(endpoint.right):
        door.audit.record("denied", "refused", principal=principal, request=request)
        # The API document publishes the right of every address.
        return _to_login(door, request, endpoint) or problem(
            403, f"this requires the right {endpoint.right!r}, which your roles do not have"
        )
    return await handler(request)


def _is_brought_by_another_page(request: web.Request, endpoint: Endpoint) -> bool:
    """Return whether a page of another site makes a browser send the request with its cookie.

    The page could not read the answer, but the audit would record an access by the user. Links may lead to figures.
    """
    if request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}:
        return False
    leads_here = (request.headers.get("Sec-Fetch-Mode"), request.headers.get("Sec-Fetch-Dest", "document")) == ("navigate", "document")
    return endpoint.right != "figures" or not leads_here


def _unknown(door: Door, request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    redirect = _to_login(door, request, endpoint)
    if redirect is not None:
        return redirect
    offered = "Authorization" in request.headers
    if offered:
        door.audit.record("denied", "refused", request=request, reason="what the request carries proves nothing")
    return not_proven(offered=offered)


def not_proven(*, offered: bool = False) -> web.Response:
    """Return the answer to an unauthenticated request; ``offered`` if its token is invalid."""
    challenge = 'Bearer realm="contact-streams"' + (', error="invalid_token"' if offered else "")
    return problem(401, "send a token, or log in", headers={"WWW-Authenticate": challenge})


def _to_login(door: Door, request: web.Request, endpoint: Endpoint) -> web.StreamResponse | None:
    """Return the redirect of a page request to the login; None for other requests."""
    if door.login is None or "text/html" not in endpoint.media or "text/html" not in request.headers.get("Accept", ""):
        return None
    return web.Response(status=303, headers={"Location": login_path(door.login, str(request.rel_url))})
