"""What serving says to the audit: an interface, and what stands in where nothing is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from schemas.audit import ANYONE, NOTHING, Actor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web
    from prometheus_client import Metric

    from schemas.audit import Action, ActorKind, AuditObject, Outcome
    from streams.access.principals import Principal

__all__ = ["ANYONE", "PROCESS", "Audit", "Known", "NoAudit", "NotRecordedError", "client_address", "endpoint_of"]


#: Serve itself, where no one has asked it to.
PROCESS = Actor(kind="process", name="serve")


class NotRecordedError(Exception):
    """Kafka has not acknowledged the record in time: what it is about must not be shown."""


class Known(Protocol):  # a principal is one
    """Who asks, as far as the audit is told."""

    @property
    def name(self) -> str | None:
        """The account."""

    @property
    def kind(self) -> ActorKind:
        """How it was identified."""


class Audit(Protocol):
    """Takes note of what is done or tried. Nothing given to it may hold a secret, or the id of a customer, conversation or agent."""

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
        """Take note, and have it written soon. Never waits, never raises.

        ``principal`` is None for who is not identified; ``request`` says from where, and which endpoint; ``reason`` is a word of ours;
        ``of`` is the account that it was done to, where that is another's: the record is of its places then.
        """

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
        """Return once Kafka has acknowledged the record.

        Raises:
            NotRecordedError: it did not, within seconds; answer 503 and show nothing.
        """

    def collect(self) -> Iterable[Metric]:
        """Return the metrics, for a registry."""


class NoAudit:
    """Stands in where nothing is recorded: serve without an access file."""

    def record(self, *_: Any, **__: Any) -> None:
        """Take no note."""

    async def recorded(self, *_: Any, **__: Any) -> None:
        """Return at once."""

    def collect(self) -> tuple[()]:
        """Return nothing."""
        return ()


def endpoint_of(request: web.Request) -> str:
    """Return method and path of a request as routed, parameters left out: what a client typed there is not ours to keep."""
    resource = request.match_info.route.resource
    return f"{request.method} {'(unknown)' if resource is None else resource.canonical}"


def client_address(request: web.Request | None) -> str | None:
    """Return where a request comes from."""
    return None if request is None else request.remote
