"""States of users of Genesys Cloud, as audits and notifications report them; pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from streams.connectors.kit.drafting import draft, renamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from streams.connectors.kit.fields import Fields
    from streams.connectors.kit.model import Context, Draft

__all__ = ["OF_USERS"]

#: States whose times differ by less than this changed together.
_TOGETHER: Final = timedelta(seconds=5)


def _state(context: Context, user: str, axis: str, state: str, at: datetime) -> Draft:
    agent = renamed(context.settings.get("agents"), user)
    return draft("agent.state_changed", f"{user}-{axis}-{at.timestamp():.3f}", at, person_id=agent, axis=axis, state=state.lower())


def _audited(body: Fields, context: Context) -> Iterator[Draft]:
    """Yield the presence that was set for a user, by its name on the desktop."""
    at, user = body.need_time("eventTime"), body.need("entity.id")
    for change in body.entries("propertyChanges"):
        if change.text("property") == "PRESENCE":
            state = change.need("newValues.0")
            yield _state(context, user, "presence", state, at)


def _presence(body: Fields, context: Context, user: str, prefix: str = "") -> list[Draft]:
    state, at = body.text(f"{prefix}presenceDefinition.systemPresence"), body.time(f"{prefix}modifiedDate")
    return [] if state is None or at is None else [_state(context, user, "presence", state, at)]


def _routing(body: Fields, context: Context, user: str, prefix: str = "") -> list[Draft]:
    state, at = body.text(f"{prefix}status"), body.time(f"{prefix}startTime")
    return [] if state is None or at is None else [_state(context, user, "routing", state, at)]


def _users_presence(body: Fields, context: Context) -> Iterator[Draft]:
    yield from _presence(body, context, body.text("source.id") or body.need("id"))


def _users_routing(body: Fields, context: Context) -> Iterator[Draft]:
    yield from _routing(body, context, body.text("routingStatus.userId") or body.need("id"), "routingStatus.")


def _users_activity(body: Fields, context: Context) -> Iterator[Draft]:
    """Yield the last change: a notification repeats all states, and reports other changes too."""
    user = body.need("id")
    states = [*_presence(body, context, user, "presence."), *_routing(body, context, user, "routingStatus.")]
    other = [at for path in ("dateActiveQueuesChanged", "outOfOffice.modifiedDate") if (at := body.time(path)) is not None]
    latest = max([*(state["occurred_at"] for state in states), *other], default=None)
    if latest is not None:
        yield from (state for state in states if latest - state["occurred_at"] < _TOGETHER)


#: Kind of record → what it becomes.
OF_USERS: Final[dict[str, Callable[[Fields, Context], Iterator[Draft]]]] = {
    "audit of UserPresence": _audited,
    "users.activity": _users_activity,
    "users.presence": _users_presence,
    "users.routingStatus": _users_routing,
}
