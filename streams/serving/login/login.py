"""Login and logout: check passwords and tickets, begin and end sessions and devices."""

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
    from streams.serving.login.device_log import DeviceLog

__all__ = ["LOGIN", "DeviceIdentifier", "Entered", "Login", "Refused", "TicketError"]

_log = logging.getLogger(__name__)

#: No account has a longer name.
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Entered:
    """A successful login, with the values of the browser's cookies."""

    identity: Identity
    secret: str
    known: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused login, and after how many seconds another attempt is permitted."""

    reason: Literal["wrong", "throttled", "busy"]
    wait_seconds: float = 0.0
    #: The entered name, if an account has it: else it may be a password.
    account: str | None = None


class TicketError(Exception):
    """A ticket is invalid, has expired or was used: which of these is not reported."""


class Login:
    """The logins of one server, shared by its handlers.

    Args:
        access: the access file in force.
        secure: whether browsers reach the server by TLS alone.
        devices: the table of redeemed links, which the caller keeps up to date.
        log: writes redeemed links; None where there is no Kafka, and no link works.
        whose: returns the owner of a request, by its address.
        clock: seconds since the epoch.
        monotonic: seconds of a monotonic clock.
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
        #: Tickets whose record is being written, and the secrets of those whose write is unconfirmed.
        self._redeeming: set[str] = set()
        self._in_doubt: dict[str, str] = {}
        self._monotonic = monotonic
        self._throttle = Throttle()
        self._passwords = Passwords() if passwords is None else passwords

    @property
    def limits(self) -> SessionLimits:
        """The limits of sessions, by the access file."""
        session = self.access.running.session
        return SessionLimits(idle_seconds=session.idle_minutes * 60.0, lasting_seconds=session.hours * 3600.0)

    @property
    def identifiers(self) -> tuple[SessionIdentifier, DeviceIdentifier]:
        """The ways to identify a browser."""
        return SessionIdentifier(self.sessions, self.session_cookie, self.clock), DeviceIdentifier(self)

    def principal(self, identity: Identity) -> Principal:
        """Return the principal of an identity by the current access file; without an entry there it has no grants."""
        return self.access.running.principal(identity, self.clock() * 1000) or Principal(identity.name, identity.kind)

    async def tend(self) -> NoReturn:
        """End expired sessions, until cancelled."""
        try:
            await tend(self.sessions, self.clock, lambda: self.limits)
        finally:
            self._passwords.close()

    async def enter(self, request: web.Request, name: str, password: str) -> Entered | Refused:
        """Check a name and a password; neither time nor answer depends on whether the name exists."""
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
            is_right = await self._passwords.verify(entry, password, others, known=browser is not None)
        except BusyError:
            self._throttle.undecided(attempt)
            return Refused("busy", 5.0, account)
        if entry is None or not is_right:
            return Refused("wrong", account=account)
        self._throttle.succeeded(attempt)
        if is_outdated(entry):
            _log.info("The password of %s is hashed with old parameters: `contact-streams access user %s` prints a new entry.", name, name)

        def is_valid() -> bool:
            now = self.access.running.users.get(name)
            return now is not None and now.password == entry

        if not is_valid():  # the file has changed meanwhile
            return Refused("wrong", account=account)
        identity = Identity("user", name)
        return Entered(identity, self.begin(request, identity, is_valid=is_valid), make_known(entry, name, self.clock()))

    def begin(self, request: web.Request, identity: Identity, *, is_valid: Callable[[], bool] | None = None) -> str:
        """Begin a session that replaces the browser's earlier one, and return its secret."""
        self.end_session_of(request)
        return self.sessions.begin(identity, self.clock(), is_valid=is_valid)

    def end_session_of(self, request: web.Request) -> str | None:
        """End the session of a request; return the address to visit next, such as the logout of a provider."""
        session = self.sessions.find(self.session_cookie.of(request), self.clock())
        if session is None:
            return None
        self.sessions.end(session.id)
        return session.logout_url

    async def redeem(self, ticket: str) -> tuple[Identity, str]:
        """Return the screen of a ticket, and the secret of its device.

        Raises:
            TicketError: it is not valid.
            NotWrittenError: Kafka does not answer, or the topic has not been read yet.
        """
        key = hash_of(ticket) if is_secret(ticket) else ""
        name = self._redeemable(key)
        if name is None:
            raise TicketError
        if key in self._redeeming:
            raise NotWrittenError
        # After an unconfirmed write the secret was not handed out: the next try may use it, if its record is in the topic.
        secret = self._in_doubt.get(key) or new_secret()
        device = hash_of(secret)
        # Check what has been read so far; later records are checked after the write.
        if self.devices.is_used(key) and not self.devices.has(key, device):
            self._in_doubt.pop(key, None)
            raise TicketError
        if not self.devices.is_used(key):
            self._redeeming.add(key)
            self._in_doubt[key] = secret
            try:
                await self._write(RedeemedTicket(ticket=key, device=device, at=self._now()))
            finally:
                self._redeeming.discard(key)
        self._in_doubt.pop(key, None)
        if not self.devices.has(key, device) or self._redeemable(key) != name:
            raise TicketError
        return Identity("kiosk", name), secret

    async def end_device(self, ticket: str) -> None:
        """Revoke the device of a ticket; raise NotWrittenError."""
        await self._write(EndedDevice(ticket=ticket, at=self._now()))

    def _redeemable(self, ticket: str) -> str | None:
        """Return the name of the screen that may redeem a ticket now, by the access file."""
        access = self.access.running
        name = kiosk_of(access, ticket)
        ends = () if name is None else (access.kiosks[name].open_until, access.kiosks[name].expires)
        return None if any(end is not None and self.clock() * 1000 >= effective_ms(end) for end in ends) else name

    async def _write(self, record: RedeemedTicket | EndedDevice) -> None:
        if self._log is None:
            raise NotWrittenError
        await self._log.write(record)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


#: The key of the login in the application.
LOGIN: Final = web.AppKey("login", Login)


class DeviceIdentifier:
    """Identifies the screen of a request by its cookie."""

    def __init__(self, login: Login) -> None:
        self._login = login

    async def identify(self, request: web.Request) -> Identity | None:
        """Return the screen; None without such a cookie, or where its device has ended.

        Raises:
            web.HTTPServiceUnavailable: the topic of devices has not been read yet, and the page must retry.
        """
        secret = self._login.device_cookie.of(request)
        if not secret:
            return None
        # A page request gets the login page meanwhile, which continues by itself.
        if not self._login.devices.known and "text/html" not in request.headers.get("Accept", ""):
            raise web.HTTPServiceUnavailable(reason="devices are still being read", headers={"Retry-After": "2"})
        return identity_of(self._login.access.running, self._login.devices, secret)
