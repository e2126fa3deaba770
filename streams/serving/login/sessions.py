"""Sessions of browsers, in the memory of this process: bounded in number and duration. The caller passes the time."""

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

#: Returns the current identity of a session, None where it has ended at the provider. An exception ends the session.
Check = Callable[["Session"], Awaitable["Identity | None"]]

#: How often sessions are scanned, after how long an identity is checked again, and how long a check may take: together 45 s.
_SCAN_SECONDS: Final = 5.0
_CHECK_AFTER_SECONDS: Final = 30.0
_CHECK_SECONDS: Final = 10.0
_CHECKS_AT_A_TIME: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Limits of number and duration of sessions."""

    total: int = 10_000
    #: Per identity; one more ends the least recently used.
    per_identity: int = 20
    #: A session that is unused for this long ends. An open page uses its own.
    idle_seconds: float = 30 * 60
    #: A session ends after this long, even if it is used.
    lasting_seconds: float = 12 * 60 * 60


@dataclass(slots=True, eq=False)
class Session:
    """One login of a browser. Times are seconds, of the caller's clock."""

    #: Its id in lists; it grants no access.
    id: str
    identity: Identity
    began: float
    used: float
    #: Returns whether its grounds still hold, such as a password of the access file; None without such a check.
    is_valid: Callable[[], bool] | None = field(default=None, repr=False)
    #: Checks the session at the provider; None where there is none.
    check: Check | None = field(default=None, repr=False)
    checked: float = 0.0
    #: The address after a logout, such as the provider's own logout; None for the login page.
    logout_url: str | None = field(default=None, repr=False)
    #: Whether it has ended; its event streams end too.
    ended: bool = False


#: The key of the session in a request.
SESSION: Final = web.RequestKey("session", Session)


class Sessions:
    """All sessions of this process, by the hash of their secrets."""

    def __init__(self, limits: SessionLimits | None = None) -> None:
        #: May be replaced while sessions are open: those beyond the new limits end at the next scan.
        self.limits = limits or SessionLimits()
        #: Hash → session, the most recently used last.
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
        is_valid: Callable[[], bool] | None = None,
        check: Check | None = None,
        logout_url: str | None = None,
    ) -> str:
        """Begin a session and return its secret, which is not stored; where there are too many, end the least recently used."""
        owner = (identity.kind, identity.name)
        while self._of[owner] >= self.limits.per_identity:
            self._end_oldest(owner)
        while len(self) >= self.limits.total:
            self._end_oldest()
        secret = new_secret()
        key = hash_of(secret)
        session = Session(
            secrets.token_hex(8), identity, began=now, used=now, is_valid=is_valid, check=check, checked=now, logout_url=logout_url
        )
        self._by_hash[key] = session
        self._hashes[session.id] = key
        self._of[owner] += 1
        return secret

    def find(self, secret: str, now: float) -> Session | None:
        """Return the session of a secret and mark it used; None where there is none, or where it is over."""
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
        """Replace the identity of a session, such as after a change of groups; end the session if it is another account's."""
        if (identity.kind, identity.name) != (session.identity.kind, session.identity.name):
            self.end(session.id)
        else:
            session.identity = identity

    def sweep(self, now: float) -> None:
        """End sessions that are over."""
        for session in self:
            if self._is_over(session, now):
                self.end(session.id)

    def _is_over(self, session: Session, now: float) -> bool:
        limits = self.limits
        late = now - session.used >= limits.idle_seconds or now - session.began >= limits.lasting_seconds
        return late or (session.is_valid is not None and not session.is_valid())

    def _end_oldest(self, owner: tuple[Kind, str] | None = None) -> None:
        for session in self._by_hash.values():
            if owner is None or (session.identity.kind, session.identity.name) == owner:
                self.end(session.id)
                return


async def tend(sessions: Sessions, clock: Callable[[], float], limits: Callable[[], SessionLimits] | None = None) -> NoReturn:
    """End sessions that are over, and run each ``check`` again within 45 s of the last time, until cancelled.

    ``limits`` returns the current limits.
    """
    at_a_time = asyncio.Semaphore(_CHECKS_AT_A_TIME)
    checking: dict[Session, asyncio.Task[None]] = {}

    async def check(session: Session, ask: Check) -> None:
        async with at_a_time:
            try:
                async with asyncio.timeout(_CHECK_SECONDS):
                    identity = await ask(session)
            except Exception as error:  # noqa: BLE001 - a failed check ends the session
                # Without its text, which may quote the provider's answer.
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
            await asyncio.sleep(_SCAN_SECONDS)
    finally:
        for task in checking.values():
            task.cancel()
        await asyncio.gather(*checking.values(), return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that scripts cannot read, and that requests from other sites do not carry, except for links."""

    name: str
    #: Whether browsers reach the server by TLS alone. If not, the cookie is for this machine.
    secure: bool

    @property
    def full_name(self) -> str:
        """The name as sent; under TLS with the prefix that no other host or path can set."""
        return f"__Host-{self.name}" if self.secure else self.name

    def of(self, request: web.Request) -> str:
        """Return the value in a request; empty where there is none, or several, of which another page may have set one.

        Browsers end a cookie at a semicolon. aiohttp ends it at a space too and trims other blanks, so that a cookie of another name,
        set by a page of a sibling host, could hold one of this name.
        """
        pairs = (pair.partition("=") for line in request.headers.getall("Cookie", ()) for pair in line.split(";"))
        values = [value for name, _, value in pairs if name.strip(" \t") == self.full_name]
        return values[0].strip(" \t") if len(values) == 1 else ""

    def set(self, response: web.StreamResponse, value: str, *, seconds: int | None = None) -> None:
        """Set the cookie, for so many seconds or until the browser closes."""
        response.set_cookie(self.full_name, value, path="/", httponly=True, secure=self.secure, samesite="Lax", max_age=seconds)

    def delete(self, response: web.StreamResponse) -> None:
        """Delete the cookie."""
        response.del_cookie(self.full_name, path="/", httponly=True, secure=self.secure, samesite="Lax")


class SessionIdentifier:
    """Identifies the user of a request by its cookie; stores the session in the request under ``SESSION``."""

    def __init__(self, sessions: Sessions, cookie: Cookie, clock: Callable[[], float]) -> None:
        self._sessions = sessions
        self._cookie = cookie
        self._clock = clock

    async def identify(self, request: web.Request) -> Identity | None:
        """Return the identity of the session; None without one."""
        session = self._sessions.find(self._cookie.of(request), self._clock())
        if session is None:
            return None
        request[SESSION] = session
        return session.identity
