"""Logging in and out: judges passwords and tickets, begins and ends sessions and devices."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NoReturn
from unicodedata import normalize

from aiohttp import web

from schemas.access_devices import EndedDevice, RedeemedTicket
from streams.access.principals import Identity, Principal
from streams.configuration.definitions import effective_ms
from streams.listening import client_of
from streams.listening.tokens import hash_of, is_secret, new_secret
from streams.serving.login.devices import Devices, identity_of, kiosk_of
from streams.serving.login.known import known_browser, make_known
from streams.serving.login.passwords import BusyError, Passwords, is_outdated
from streams.serving.login.sessions import Cookie, SessionIdentifier, SessionLimits, Sessions, tend
from streams.serving.login.throttle import Attempt, Throttle
from streams.serving.topic_writer import NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.serving.door import Running
    from streams.serving.login.redeeming import DeviceLog

__all__ = ["LOGIN", "DeviceIdentifier", "Entered", "Login", "Refused", "TicketError"]

_log = logging.getLogger(__name__)

#: Longer names are nobody's.
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Entered:
    """A login that succeeded: what the browser is to keep."""

    identity: Identity
    secret: str
    known: str


@dataclass(frozen=True, slots=True)
class Refused:
    """One that did not, and after how many seconds another attempt may be made."""

    reason: Literal["wrong", "throttled", "busy"]
    wait_seconds: float = 0.0
    #: The name that was typed, if an account has it: else it may be a password.
    account: str | None = None


class TicketError(Exception):
    """A ticket is none, has expired or was used: which of these is not told."""


class Login:
    """What the handlers of a server share.

    Args:
        access: the access file that is in force.
        secure: whether browsers reach the server by TLS alone.
        devices: the table of opened links, followed by somebody else.
        log: where such records go; None where there is no Kafka, and no link is opened.
        whose: whose a request is, as addresses go.
        clock: seconds since the epoch.
        monotonic: seconds that no one sets back.
    """

    def __init__(
        self,
        access: Running,
        *,
        secure: bool,
        devices: Devices | None = None,
        log: DeviceLog | None = None,
        whose: Callable[[web.Request], str] = lambda request: client_of(request.remote or ""),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        passwords: Passwords | None = None,
    ) -> None:
        self.access = access
        self.sessions = Sessions(self.limits)
        self.devices = Devices() if devices is None else devices
        self.session_cookie = Cookie("session", secure=secure)
        self.device_cookie = Cookie("device", secure=secure)
        self.known_cookie = Cookie("known", secure=secure)
        self.whose = whose
        self.clock = clock
        #: The path at which a provider's login begins, where there is a provider.
        self.provider_path: str | None = None
        self._log = log
        #: Tickets whose record is on its way, and the secrets for those where it is not known to have come.
        self._redeeming: set[str] = set()
        self._in_doubt: dict[str, str] = {}
        self._monotonic = monotonic
        self._throttle = Throttle()
        self._passwords = Passwords() if passwords is None else passwords

    @property
    def limits(self) -> SessionLimits:
        """How long sessions may last, by the access file."""
        session = self.access.running.session
        return SessionLimits(idle_seconds=session.idle_minutes * 60.0, lasting_seconds=session.hours * 3600.0)

    @property
    def identifiers(self) -> tuple[SessionIdentifier, DeviceIdentifier]:
        """The ways in which a browser proves from whom it is."""
        return SessionIdentifier(self.sessions, self.session_cookie, self.clock), DeviceIdentifier(self)

    def principal(self, identity: Identity) -> Principal:
        """Return what the access file makes of an identity now: one without grants where it makes nothing of it."""
        return self.access.running.principal(identity, self.clock() * 1000) or Principal(identity.name, identity.kind)

    async def tend(self) -> NoReturn:
        """End what is over, until cancelled."""
        try:
            await tend(self.sessions, self.clock, lambda: self.limits)
        finally:
            self._passwords.close()

    async def enter(self, request: web.Request, name: str, password: str) -> Entered | Refused:
        """Judge a name and a password; how long that takes, and what is answered, does not depend on whether there is such a name."""
        name = normalize("NFC", name.strip())[: _LONGEST_NAME + 1]
        users = self.access.running.users
        user = users.get(name)
        account = None if user is None else name
        entry = None if user is None else user.password
        browser = None if entry is None else known_browser(self.known_cookie.of(request), entry, name, self.clock())
        attempt = Attempt(name, self.whose(request), browser)
        wait = self._throttle.begin(attempt, self._monotonic())
        if wait:
            return Refused("throttled", wait, account)
        try:
            others = (each.password for each in users.values())
            right = await self._passwords.verify(entry, password, others, known=browser is not None)
        except BusyError:
            self._throttle.undecided(attempt)
            return Refused("busy", 5.0, account)
        if entry is None or not right:
            return Refused("wrong", account=account)
        self._throttle.succeeded(attempt)
        if is_outdated(entry):
            _log.info("The password of %s is kept by old parameters: `contact-streams access user %s` makes a new entry.", name, name)

        def stands() -> bool:
            now = self.access.running.users.get(name)
            return now is not None and now.password == entry

        if not stands():  # the file has changed meanwhile
            return Refused("wrong", account=account)
        identity = Identity("user", name)
        return Entered(identity, self.begin(request, identity, stands=stands), make_known(entry, name, self.clock()))

    def begin(self, request: web.Request, identity: Identity, *, stands: Callable[[], bool] | None = None) -> str:
        """Begin a session in place of the one that the browser has, and return its secret."""
        self.end_session_of(request)
        return self.sessions.begin(identity, self.clock(), stands=stands)

    def end_session_of(self, request: web.Request) -> str | None:
        """End the session that a request brings; return where that leads, such as the logout of a provider."""
        session = self.sessions.find(self.session_cookie.of(request), self.clock())
        if session is None:
            return None
        self.sessions.end(session.id)
        return session.logout_url

    async def redeem(self, ticket: str) -> tuple[Identity, str]:
        """Return whose ticket it was, and the secret of its device from now on.

        Raises:
            TicketError: it opens nothing.
            NotWrittenError: Kafka does not answer, or the topic has not been read yet.
        """
        kept = hash_of(ticket) if is_secret(ticket) else ""
        name = self._waiting(kept)
        if name is None:
            raise TicketError
        if kept in self._redeeming:
            raise NotWrittenError
        # Of a try whose record was in doubt the secret was not handed out: the next one may, if it turns out to be the device.
        secret = self._in_doubt.get(kept) or new_secret()
        device = hash_of(secret)
        # What has been read so far may say that it is used; what is still to be read says so after the record.
        if self.devices.is_used(kept) and not self.devices.has(kept, device):
            self._in_doubt.pop(kept, None)
            raise TicketError
        if not self.devices.is_used(kept):
            self._redeeming.add(kept)
            self._in_doubt[kept] = secret
            try:
                await self._written(RedeemedTicket(ticket=kept, device=device, at=self._now()))
            finally:
                self._redeeming.discard(kept)
        self._in_doubt.pop(kept, None)
        if not self.devices.has(kept, device) or self._waiting(kept) != name:
            raise TicketError
        return Identity("kiosk", name), secret

    async def end_device(self, ticket: str) -> None:
        """Let the device of a ticket in no more; raise NotWrittenError."""
        await self._written(EndedDevice(ticket=ticket, at=self._now()))

    def _waiting(self, ticket: str) -> str | None:
        """Return the name of the screen that the access file has a ticket for at this moment."""
        access = self.access.running
        name = kiosk_of(access, ticket)
        ends = () if name is None else (access.kiosks[name].open_until, access.kiosks[name].expires)
        return None if any(end is not None and self.clock() * 1000 >= effective_ms(end) for end in ends) else name

    async def _written(self, record: RedeemedTicket | EndedDevice) -> None:
        if self._log is None:
            raise NotWrittenError
        await self._log.write(record)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


#: Where handlers find it.
LOGIN: Final = web.AppKey("login", Login)


class DeviceIdentifier:
    """Tells by its cookie which screen a request is from."""

    def __init__(self, login: Login) -> None:
        self._login = login

    async def identify(self, request: web.Request) -> Identity | None:
        """Return the screen; None without such a cookie, or where its device has ended.

        Raises:
            web.HTTPServiceUnavailable: the topic of devices has not been read yet, and the page has to ask again.
        """
        secret = self._login.device_cookie.of(request)
        if not secret:
            return None
        # Who opens a page gets that of the login meanwhile, which goes on by itself.
        if not self._login.devices.known and "text/html" not in request.headers.get("Accept", ""):
            raise web.HTTPServiceUnavailable(reason="devices are still being read", headers={"Retry-After": "2"})
        return identity_of(self._login.access.running, self._login.devices, secret)
