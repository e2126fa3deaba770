"""Sessions of browsers, in the memory of this process: bounded in number, and none for ever. The caller says what time it is."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from aiohttp import web

from streams.access.principals import Identity
from streams.listening.tokens import hash_of, is_secret, new_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.access.principals import Kind

__all__ = ["SESSION", "Check", "Cookie", "Session", "SessionIdentifier", "SessionLimits", "Sessions", "tend"]

_log = logging.getLogger(__name__)

#: Says what a session's identity is by now, None where it has ended at the provider. What it raises ends the session.
Check = Callable[["Session"], Awaitable["Identity | None"]]

#: A session is looked at so often, and its identity checked anew after so long; a check may take so long. Together 45 s.
_LOOK_SECONDS: Final = 5.0
_CHECK_AFTER_SECONDS: Final = 30.0
_CHECK_SECONDS: Final = 10.0
_CHECKS_AT_A_TIME: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How many sessions there may be, and for how long."""

    total: int = 10_000
    #: Of these by one identity; one more ends the one that was used longest ago.
    per_identity: int = 20
    #: A session that is not used for so long ends. An open page uses its own.
    idle_seconds: float = 30 * 60
    #: A session ends after so long, however much it is used.
    lasting_seconds: float = 12 * 60 * 60


@dataclass(slots=True, eq=False)
class Session:
    """One login of a browser. Times are seconds, of the caller's clock."""

    #: What it is called in lists; it opens nothing.
    id: str
    identity: Identity
    began: float
    used: float
    #: Says whether what it was begun by still holds, such as a password of the access file; None where that is not to be asked.
    stands: Callable[[], bool] | None = field(default=None, repr=False)
    #: What asks the provider whether the session goes on there; None where there is none.
    check: Check | None = field(default=None, repr=False)
    checked: float = 0.0
    #: Where a logout leads, such as the provider's own logout; None for the login page.
    logout_url: str | None = field(default=None, repr=False)
    #: What was opened in this session, such as an event stream, has to end too.
    ended: bool = False


#: Under which key a request holds its session.
SESSION: Final = web.RequestKey("session", Session)


class Sessions:
    """All sessions of this process, by the hash of their secrets."""

    def __init__(self, limits: SessionLimits | None = None) -> None:
        #: May be replaced while sessions are open: those that it does not permit end at the next look.
        self.limits = limits or SessionLimits()
        #: Hash → session, the one used last at the end.
        self._by_hash: dict[str, Session] = {}
        self._hashes: dict[str, str] = {}
        self._of: Counter[tuple[Kind, str]] = Counter()

    def __len__(self) -> int:
        return len(self._by_hash)

    def __iter__(self) -> Iterator[Session]:
        return iter([*self._by_hash.values()])

    def begin(
        self,
        identity: Identity,
        now: float,
        *,
        stands: Callable[[], bool] | None = None,
        check: Check | None = None,
        logout_url: str | None = None,
    ) -> str:
        """Begin a session and return its secret, which is not kept; where there are too many, the one used longest ago ends."""
        owner = (identity.kind, identity.name)
        while self._of[owner] >= self.limits.per_identity:
            self._end_oldest(owner)
        while len(self) >= self.limits.total:
            self._end_oldest()
        secret = new_secret()
        key = hash_of(secret)
        session = Session(
            secrets.token_hex(8), identity, began=now, used=now, stands=stands, check=check, checked=now, logout_url=logout_url
        )
        self._by_hash[key] = session
        self._hashes[session.id] = key
        self._of[owner] += 1
        return secret

    def find(self, secret: str, now: float) -> Session | None:
        """Return the session of a secret and take it as used; None where there is none, or where it is over."""
        if not is_secret(secret):
            return None
        key = hash_of(secret)
        session = self._by_hash.get(key)
        if session is None:
            return None
        if self._is_over(session, now):
            self.end(session.id)
            return None
        session.used = max(session.used, now)
        self._by_hash[key] = self._by_hash.pop(key)
        return session

    def end(self, session_id: str) -> bool:
        """End a session; return whether there was one."""
        key = self._hashes.pop(session_id, None)
        if key is None:
            return False
        session = self._by_hash.pop(key)
        session.ended = True
        owner = (session.identity.kind, session.identity.name)
        self._of[owner] -= 1
        if not self._of[owner]:
            del self._of[owner]
        return True

    def replace(self, session: Session, identity: Identity) -> None:
        """Go on with what an identity has become, such as one in other groups; end the session if it is another's."""
        if (identity.kind, identity.name) != (session.identity.kind, session.identity.name):
            self.end(session.id)
        else:
            session.identity = identity

    def sweep(self, now: float) -> None:
        """End what is over."""
        for session in self:
            if self._is_over(session, now):
                self.end(session.id)

    def _is_over(self, session: Session, now: float) -> bool:
        limits = self.limits
        late = now - session.used >= limits.idle_seconds or now - session.began >= limits.lasting_seconds
        return late or (session.stands is not None and not session.stands())

    def _end_oldest(self, owner: tuple[Kind, str] | None = None) -> None:
        for session in self._by_hash.values():
            if owner is None or (session.identity.kind, session.identity.name) == owner:
                self.end(session.id)
                return


async def tend(sessions: Sessions, clock: Callable[[], float], limits: Callable[[], SessionLimits] | None = None) -> NoReturn:
    """End sessions that are over, and have each that has a ``check`` checked anew within 45 s of the last time, until cancelled.

    ``limits`` returns those that hold now.
    """
    at_a_time = asyncio.Semaphore(_CHECKS_AT_A_TIME)
    checking: dict[Session, asyncio.Task[None]] = {}

    async def check(session: Session, ask: Check) -> None:
        async with at_a_time:
            try:
                async with asyncio.timeout(_CHECK_SECONDS):
                    identity = await ask(session)
            except Exception as error:  # noqa: BLE001 - who cannot be checked is not let in
                # Without its text, which may quote what a provider said.
                _log.warning("A session of a provider could not be checked and ends: %s.", type(error).__name__)
                identity = None
        session.checked = clock()
        if identity is None:
            sessions.end(session.id)
        elif not session.ended:
            sessions.replace(session, identity)

    try:
        while True:
            now = clock()
            if limits is not None:
                sessions.limits = limits()
            sessions.sweep(now)
            checking = {session: task for session, task in checking.items() if not task.done()}
            for session in sessions:
                if session.check is not None and session not in checking and now - session.checked >= _CHECK_AFTER_SECONDS:
                    checking[session] = asyncio.create_task(check(session, session.check))
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        for task in checking.values():
            task.cancel()
        await asyncio.gather(*checking.values(), return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that scripts cannot read and that comes with no request which another site makes, but for following a link."""

    name: str
    #: Whether browsers reach the server by TLS alone. Without it the cookie is for this machine.
    secure: bool

    @property
    def full_name(self) -> str:
        """The name as it is sent; under TLS with the prefix that no other host or path can set."""
        return f"__Host-{self.name}" if self.secure else self.name

    def of(self, request: web.Request) -> str:
        """Return what a request brings; nothing where it brings none, or several, of which other pages may have set one.

        Browsers alone say where a cookie ends: at a semicolon. aiohttp ends it at a space too and trims other blanks, so that a cookie of
        another name, which pages of a sibling host may set, would hold one of this name.
        """
        pairs = (pair.partition("=") for line in request.headers.getall("Cookie", ()) for pair in line.split(";"))
        found = [value for name, _, value in pairs if name.strip(" \t") == self.full_name]
        return found[0].strip(" \t") if len(found) == 1 else ""

    def give(self, response: web.StreamResponse, value: str, *, seconds: int | None = None) -> None:
        """Have the browser keep a value, for so long or until it is closed."""
        response.set_cookie(self.full_name, value, path="/", httponly=True, secure=self.secure, samesite="Lax", max_age=seconds)

    def take(self, response: web.StreamResponse) -> None:
        """Have the browser forget it."""
        response.del_cookie(self.full_name, path="/", httponly=True, secure=self.secure, samesite="Lax")


class SessionIdentifier:
    """Tells by its cookie from whom a request is; the request then holds its session under ``SESSION``."""

    def __init__(self, sessions: Sessions, cookie: Cookie, clock: Callable[[], float]) -> None:
        self._sessions = sessions
        self._cookie = cookie
        self._clock = clock

    async def identify(self, request: web.Request) -> Identity | None:
        """Return whose session it is; None without one."""
        session = self._sessions.find(self._cookie.of(request), self._clock())
        if session is None:
            return None
        request[SESSION] = session
        return session.identity
