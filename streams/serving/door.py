"""The door of the server: who asks, and what that one may. Looked up anew at every request, and on open streams again and again."""

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

#: On an open stream it is looked after so long whether the right still holds.
RECHECK_SECONDS: Final = 15.0
#: How many people are signed in where is counted once in so many seconds.
_COUNTED_SECONDS: Final = 5.0
_LOOKS: Final = 3
#: What different people see differs in so many ways.
_MAX_VIEWS: Final = 256


class WatchedAccess(WatchedFile[AccessFile]):
    """The access file of a running server."""

    def __init__(self, path: Path, now_ms: int) -> None:
        """Read the file; raise AccessError if it cannot be used."""
        super().__init__(
            path, now_ms, "access", AccessError, parse_access, lambda file: [*file.tokens, *file.users, *file.groups, *file.kiosks]
        )


class Running(Protocol):
    """Where the access file that is in force is found; ``WatchedAccess`` is one."""

    @property
    def running(self) -> AccessFile:
        """The file."""


class Identifier(Protocol):
    """One way to prove who one is."""

    async def identify(self, request: web.Request) -> Identity | None:
        """Return who a request proves to be from; None if it proves nothing in this way.

        It is asked again while a stream is open: what no longer proves anything, such as a session that was ended, returns None then.
        """


class Tokens:
    """Bearer tokens of the access file."""

    def __init__(self, access: Running) -> None:
        self._access = access
        self._of: AccessFile | None = None
        self._digests: list[tuple[bytes, str]] = []

    async def identify(self, request: web.Request) -> Identity | None:
        """Return whose token the Authorization header carries.

        Every hash is compared, each in constant time: how long it takes tells nothing.
        """
        token = bearer_of(request.headers.get("Authorization"))
        if token is None or not is_token(token, TOKEN_FORM):
            return None
        if self._access.running is not self._of:
            self._of = self._access.running
            self._digests = [
                (bytes.fromhex(each.removeprefix("sha256:")), name) for name, entry in self._of.tokens.items() for each in entry.hashes
            ]
        given = digest_of(token)
        found = None
        for digest, name in self._digests:
            if hmac.compare_digest(digest, given):
                found = name
        return None if found is None else Identity("token", found)


class Door:
    """Knows who a request is from, and what that one may see.

    Args:
        access: the access file that is in force.
        configuration: says where queues, teams and people belong; the same object while nothing has changed.
        signed_in: how many people are signed in by scope, as records say.
        identifiers: the ways to prove who one is, asked in their order; bearer tokens of the file come first.
        audit: is told of denials.
        login: the path of the page to log in at; None where there is none.
        clock: seconds since the epoch.
        monotonic: seconds that no one sets back.
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
        self._looks: deque[Mapping[str, int]] = deque(maxlen=_LOOKS)
        self._views: dict[View, View] = {}

    async def identify(self, request: web.Request) -> Principal | None:
        """Return the principal of a request at this moment, None if it proves to be from nobody that the access file knows."""
        for identifier in self.identifiers:
            identity = await identifier.identify(request)
            if identity is not None:
                principal = self.access.running.principal(identity, self._clock() * 1000)
                if principal is not None:
                    return principal
        return None

    def wait_seconds(self, principal: Principal) -> float:
        """Take a request of an account and return 0, or return for how long it has to wait, as it asks for more than one may."""
        per_minute = self.access.running.requests_per_minute
        wait = self._rates.wait(principal.account, self._monotonic(), per_minute)
        if wait and self._rates.is_new(principal.account):
            _log.warning(
                "%s asks more than %d times a minute (requests_per_minute) and is answered with 429.", principal.account, per_minute
            )
        return wait

    @property
    def files(self) -> tuple[AccessFile, Configuration]:
        """What is in force now."""
        return self.access.running, self._configuration()

    @property
    def places(self) -> Places:
        """What belongs where; the same object while nothing has changed."""
        configuration, smallest = self._configuration(), self.access.running.smallest_group
        of, now = (configuration, smallest), self._clock()
        same = self._places_of is not None and self._places_of[0] is configuration and self._places_of[1] == smallest
        if same and 0 <= now - self._counted < _COUNTED_SECONDS:
            return self._places
        self._looks.append(self._signed_in())
        scopes = {scope for look in self._looks for scope in look}
        counts = ((scope, [look.get(scope, 0) for look in self._looks]) for scope in scopes)
        signed_in = {scope: (min(numbers), max(numbers)) for scope, numbers in counts}
        if not same or signed_in != self._places.signed_in:
            self._places, self._places_of = places_of(configuration, smallest_group=smallest, signed_in=signed_in), of
        self._counted = now
        return self._places

    def view(self, principal: Principal, right: Right) -> View:
        """Return where a principal has a right at this moment; equal views are one object, so that they are found fast."""
        view = principal.view(right, self.places)
        if len(self._views) > _MAX_VIEWS:
            self._views.clear()
        return self._views.setdefault(view, view)


DOOR: Final = web.AppKey("door", Door)
PRINCIPAL: Final = web.RequestKey("principal", Principal)


def principal_of(request: web.Request) -> Principal:
    """Return who asks, as the guard found; without a door everybody may do everything."""
    found: Principal | None = request.get(PRINCIPAL)
    if found is not None:
        return found
    return ANYONE if DOOR not in request.app else Principal("", "anyone")


def view_of(request: web.Request, right: Right) -> View:
    """Return where who asks has a right."""
    door = request.app.get(DOOR)
    if door is None:
        return EVERYTHING
    principal = principal_of(request)
    return door.view(principal, right) if principal.may(right) else NOTHING


class LiveView:
    """What who asks sees on a stream, looked up anew again and again for as long as it is open."""

    def __init__(self, request: web.Request, right: Right = "figures") -> None:
        self._request, self._right = request, right
        self._door = request.app.get(DOOR)
        #: None: the right has ended.
        self.view: View | None = view_of(request, right)
        self._files = None if self._door is None else self._door.files
        self._now = asyncio.get_running_loop().time
        self._looked = self._now()

    async def look(self) -> bool:
        """Look whether it is time to, and return whether something else is seen than before."""
        door = self._door
        if door is None or (self._files is not None and _same(door.files, self._files) and self._now() - self._looked < RECHECK_SECONDS):
            return False
        self._files, self._looked = door.files, self._now()
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
    """Let in who has the right of the endpoint, and say nothing of what there is to all others."""
    door = request.app.get(DOOR)
    # What is no endpoint is nowhere: that holds for everybody.
    endpoint = ENDPOINT_BY_NAME.get(request.match_info.route.name or "")
    if door is None or endpoint is None or endpoint.right is None:
        return await handler(request)
    if _is_brought_by_another_page(request, endpoint):
        return problem(403, "another site's page asks for this: open it from a page of this server")
    principal = await door.identify(request)
    if principal is None:
        return _unknown(door, request, endpoint)
    wait = door.wait_seconds(principal)
    if wait:
        return problem(429, "this account asks too often: come again when Retry-After says", retry_after_seconds=ceil(wait))
    request[PRINCIPAL] = principal
    if not principal.may(endpoint.right):
        door.audit.record("denied", "refused", principal=principal, request=request)
        # Which address takes which right stands in the document of the API, for all to read.
        return _to_login(door, request, endpoint) or problem(403, f"this takes the right {endpoint.right!r}, which your roles do not have")
    return await handler(request)


def _is_brought_by_another_page(request: web.Request, endpoint: Endpoint) -> bool:
    """Say whether a page of elsewhere has a browser ask, which sends its cookie along: a look that the person has not taken.

    The page could not read the answer; but the audit would say that the person looked, and work would be done. Links lead to figures.
    """
    if request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}:
        return False
    leads_here = (request.headers.get("Sec-Fetch-Mode"), request.headers.get("Sec-Fetch-Dest", "document")) == ("navigate", "document")
    return endpoint.right != "figures" or not leads_here


def _unknown(door: Door, request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    sent = _to_login(door, request, endpoint)
    if sent is not None:
        return sent
    offered = "Authorization" in request.headers
    if offered:
        door.audit.record("denied", "refused", request=request, reason="what the request carries proves nothing")
    return not_proven(offered=offered)


def not_proven(*, offered: bool = False) -> web.Response:
    """Return what one is told who has not proven who one is; ``offered`` is one whose token proves nothing."""
    challenge = 'Bearer realm="contact-streams"' + (', error="invalid_token"' if offered else "")
    return problem(401, "show a token, or log in", headers={"WWW-Authenticate": challenge})


def _to_login(door: Door, request: web.Request, endpoint: Endpoint) -> web.StreamResponse | None:
    """Send who opens a page to the login, which says what there is to say; None for all that is not opened by a person."""
    if door.login is None or "text/html" not in endpoint.media or "text/html" not in request.headers.get("Accept", ""):
        return None
    return web.Response(status=303, headers={"Location": login_path(door.login, str(request.rel_url))})
