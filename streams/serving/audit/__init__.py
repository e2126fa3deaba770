"""The interface of the audit, and its implementation where nothing is recorded."""

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


#: Serve itself, for actions without a request.
PROCESS = Actor(kind="process", name="serve")


class NotRecordedError(Exception):
    """Kafka has not acknowledged the record in time: what it is about must not be shown."""


class Known(Protocol):  # a principal is one
    """The requesting account, as recorded in the audit."""

    @property
    def name(self) -> str | None:
        """The account."""

    @property
    def kind(self) -> ActorKind:
        """How the account was identified."""


class Audit(Protocol):
    """Records actions and attempts. No argument may hold a secret, or the id of a customer, conversation or agent."""

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
        """Record an action, to be written soon. Never waits, never raises.

        ``principal`` is None without an identified account; ``request`` gives address and endpoint; ``reason`` is a text of this program;
        ``of`` is the account acted on, where it is another one: the record then has its places.
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
            NotRecordedError: it did not within seconds; answer 503 and show nothing.
        """

    def collect(self) -> Iterable[Metric]:
        """Return the metrics, for a registry."""


class NoAudit:
    """The audit of serve without an access file: records nothing."""

    def record(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    async def recorded(self, *_: Any, **__: Any) -> None:
        """Return at once."""

    def collect(self) -> tuple[()]:
        """Return nothing."""
        return ()


def endpoint_of(request: web.Request) -> str:
    """Return method and path of a request as routed, without parameters: values from clients must not be stored."""
    resource = request.match_info.route.resource
    return f"{request.method} {'(unknown)' if resource is None else resource.canonical}"


def client_address(request: web.Request | None) -> str | None:
    """Return the address that a request comes from."""
    return None if request is None else request.remote
