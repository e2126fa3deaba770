"""An application with a login, around an access file that a test writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher

from streams.configuration.access import AccessFile
from streams.listening.tokens import hash_of
from streams.serving.door import Door
from streams.serving.login.devices import Devices, key_of
from streams.serving.login.login import Login
from streams.serving.topic_writer import NotWrittenError
from tests.serving.records import Backend, Clock, small_center

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from schemas.access_devices import EndedDevice, RedeemedTicket
    from schemas.audit import Action, Outcome
    from streams.serving.api import Serving

__all__ = ["CHEAP", "PASSWORD", "Desk", "MemoryLog", "RecordingAudit", "Topic", "access_of", "kiosk_entry", "user_entry"]

#: The form allows for parameters below those of any use: it is not their cost that is looked at.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "seven blue herons"


def user_entry(password: str = PASSWORD, *, role: str = "viewer", **places: Any) -> dict[str, Any]:
    """Return the entry of a person."""
    return {"password": CHEAP.hash(password), "roles": [{"role": role, **places}]}


def kiosk_entry(ticket: str, *, role: str = "viewer", expires: str | None = None, **places: Any) -> dict[str, Any]:
    """Return the entry of a screen."""
    return {"ticket": hash_of(ticket), "roles": [{"role": role, **places}], **({} if expires is None else {"expires": expires})}


def access_of(**keys: Any) -> AccessFile:
    """Return the access file."""
    return AccessFile.model_validate(keys)


class Topic:
    """The topic of devices in memory: what is written comes to all servers in one order, when a test lets it."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes]] = []
        self.servers: list[Devices] = []

    def server(self) -> Devices:
        """Return the table of one more server, which has read all that there is."""
        devices = Devices()
        fresh = devices.empty()
        for key, value in self.records:
            fresh.feed(key, value, 0)
        devices.take_over(fresh)
        self.servers.append(devices)
        return devices

    def append(self, record: RedeemedTicket | EndedDevice) -> None:
        """Take a record."""
        self.records.append((key_of(record).encode(), record.model_dump_json().encode()))
        for server in self.servers:
            server.feed(*self.records[-1], 0)


class MemoryLog:
    """Writes to the topic in memory."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        #: What becomes of the next records: written, lost, or written without anyone's learning of it in time.
        self.fate = "written"

    async def write(self, record: RedeemedTicket | EndedDevice) -> None:
        if self.fate != "lost":
            self.topic.append(record)
        if self.fate != "written":
            raise NotWrittenError


class RecordingAudit:
    """An audit that remembers its records."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str | None, str | None]] = []

    def record(self, action: Action, outcome: Outcome = "done", *, principal: Any = None, reason: str | None = None, **_: Any) -> None:
        self.entries.append((action, outcome, None if principal is None else principal.name, reason))

    async def recorded(self, action: Action, outcome: Outcome = "done", **more: Any) -> None:
        self.record(action, outcome, **more)

    def collect(self) -> Iterator[Metric]:
        return iter(())


@dataclass
class Desk:
    """What a test holds of one server; ``running`` is its access file."""

    running: AccessFile
    topic: Topic = field(default_factory=Topic)
    clock: Clock = field(default_factory=Clock)
    secure: bool = False
    #: From where all requests come; None for where they do.
    address: str | None = None

    def __post_init__(self) -> None:
        self.audit = RecordingAudit()
        self.log = MemoryLog(self.topic)
        self.login = Login(
            self,
            secure=self.secure,
            devices=self.topic.server(),
            log=self.log,
            clock=self.clock,
            monotonic=self.clock,
        )
        if self.address is not None:
            self.login.whose = lambda _: self.address or ""
        self.door = Door(self, identifiers=self.login.identifiers, audit=self.audit, login="/login", clock=self.clock)

    def serving(self, **changes: Any) -> Serving:
        """Return what an application needs."""
        return Backend.fed(small_center()).serving(door=self.door, login=self.login, **changes)
