"""The audit of serve: which actions are recorded, how often, and which wait for Kafka's acknowledgement."""

from __future__ import annotations

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from schemas.audit import ANYONE, NOTHING, Actor, AuditObject, AuditRecord
from schemas.times import from_ms
from streams.access.principals import Principal
from streams.serving.audit import NotRecordedError, client_address, endpoint_of
from streams.serving.audit.repeats import Repeats, alike
from streams.serving.audit.writer import AuditWriter, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

    from aiohttp import web
    from prometheus_client import Metric

    from schemas.audit import Action, Outcome
    from streams.configuration.watched import WatchedFile
    from streams.serving.audit import Known

__all__ = ["Auditor", "actor_of", "audit_record", "changed_file", "instance_of"]

#: How long an answer waits for Kafka's acknowledgement; then it is not shown.
_ACKNOWLEDGED_WITHIN_SECONDS: Final = 3.0
#: A page polls every few seconds: repeated views by one client are recorded once in this time.
_VIEWS_SECONDS: Final = 600.0
#: The first refusal of a client is recorded at once, the number of repeats after this time.
_REFUSED_SECONDS: Final = 60.0
#: How long writing may take when the process ends.
_FINISH_SECONDS: Final = 3.0

_VIEWS: Final = frozenset({"looked_at_agents", "looked_at_contacts", "audit_read"})
_REFUSED: Final = frozenset({"denied", "login_refused"})


def instance_of(what: str) -> str:
    """Return the name of this process: its kind, host and process id."""
    return f"{what}@{socket.gethostname()}/{os.getpid()}"


def audit_record(
    action: Action,
    outcome: Outcome = "done",
    *,
    actor: Actor,
    instance: str,
    at: float,
    client_address: str | None = None,
    about: AuditObject = NOTHING,
    reason: str | None = None,
    places: tuple[str, ...] | None = None,
) -> AuditRecord:
    """Return a record with an id of its own; ``at`` is in seconds since the epoch."""
    return AuditRecord(
        audit_id=uuid.uuid4().hex,
        at=from_ms(int(at * 1000)),
        action=action,
        outcome=outcome,
        actor=actor,
        places=places,
        client_address=client_address,
        about=about,
        reason=reason or None,
        instance=instance,
    )


def actor_of(principal: Known | None) -> Actor:
    """Return the actor of a record."""
    if principal is None or principal.kind == "anyone":
        return ANYONE
    return Actor(kind=principal.kind, name=principal.name or None)


def changed_file(file: WatchedFile[Any]) -> AuditObject:
    """Return a changed file as an object of the audit, with its hashes before and after."""
    return AuditObject(file=file.path.name, hash_before=file.text_hash_before, hash_after=file.text_hash)


@dataclass(slots=True)
class _Flight:
    """A record in flight, and the number of requests that wait for it."""

    entry: Entry
    waiting: int = 0


@dataclass(slots=True)
class Auditor:
    """Records through ``writer``. ``clock`` returns seconds since the epoch, ``monotonic`` seconds of a monotonic clock."""

    writer: AuditWriter
    instance: str
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    acknowledged_within_seconds: float = _ACKNOWLEDGED_WITHIN_SECONDS
    _views: Repeats = field(default_factory=lambda: Repeats(_VIEWS_SECONDS))
    _refused: Repeats = field(default_factory=lambda: Repeats(_REFUSED_SECONDS))
    _flights: dict[Hashable, _Flight] = field(default_factory=dict)

    def record(
        self,
        action: Action,
        outcome: Outcome = "done",
        *,
        principal: Known | None = None,
        request: web.Request | None = None,
        about: AuditObject = NOTHING,
        reason: str | None = None,
        of: Principal | None = None,
    ) -> None:
        """As ``Audit.record``."""
        record = self._of(action, outcome, principal, request, about, reason, of)
        if action not in _REFUSED or self._refused.is_first(record, self.monotonic()):
            self.writer.put(record)

    async def recorded(
        self,
        action: Action,
        outcome: Outcome = "done",
        *,
        principal: Known | None = None,
        request: web.Request | None = None,
        about: AuditObject = NOTHING,
        reason: str | None = None,
    ) -> None:
        """As ``Audit.recorded``."""
        record = self._of(action, outcome, principal, request, about, reason)
        is_view = action in _VIEWS
        if is_view and self._views.holds(record, self.monotonic()):
            return
        key: Hashable = alike(record) if is_view else record.audit_id
        flight = self._flights.get(key)
        if flight is None:
            entry = self.writer.put(record)
            if entry is None:
                raise NotRecordedError
            flight = self._flights[key] = _Flight(entry)
        await self._wait_acknowledged(key, flight)
        if is_view:
            self._views.remember(record, self.monotonic())

    async def _wait_acknowledged(self, key: Hashable, flight: _Flight) -> None:
        flight.waiting += 1
        try:
            done, _ = await asyncio.wait({flight.entry.acknowledged}, timeout=self.acknowledged_within_seconds)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                self._flights.pop(key, None)
        if not done or flight.entry.acknowledged.cancelled():
            if not flight.waiting:
                self.writer.withdraw(flight.entry)
            raise NotRecordedError

    async def run(self) -> NoReturn:
        """Write, and record how often refusals were repeated, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.writer.run())
            while True:
                await asyncio.sleep(1)
                self._record_repeats(self.monotonic())

    async def finish(self) -> None:
        """Write the remaining records, within seconds, while ``run`` still runs."""
        self._record_repeats(None)
        await self.writer.finish(_FINISH_SECONDS)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, for a registry."""
        return self.writer.collect()

    def _record_repeats(self, now: float | None) -> None:
        for record in self._refused.ended(now):
            self.writer.put(record)
        for _ in self._views.ended(now):
            pass

    def _of(
        self,
        action: Action,
        outcome: Outcome,
        principal: Known | None,
        request: web.Request | None,
        about: AuditObject,
        reason: str | None,
        of: Principal | None = None,
    ) -> AuditRecord:
        account = principal if of is None else of
        if request is not None and about.endpoint is None:
            about = about.model_copy(update={"endpoint": endpoint_of(request)})
        return audit_record(
            action,
            outcome,
            actor=actor_of(principal),
            instance=self.instance,
            at=self.clock(),
            client_address=client_address(request),
            about=about,
            reason=reason,
            places=account.places if isinstance(account, Principal) else None,
        )
