"""Scopes that the configuration names: they are served from the beginning, and do not expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from schemas.base import Channel

if TYPE_CHECKING:
    from streams.configuration import Configuration

__all__ = ["Place", "configured_places", "lasting_places"]

#: A scope and, for figures about contacts, a channel.
Place = tuple[str, str | None]


def configured_places(configuration: Configuration) -> set[Place]:
    """Return the scopes and channels of which something is to be served before the first event about them."""
    found: set[Place] = set()
    for name, queue in configuration.queues.items():
        if queue.channel is not None:
            found |= {(scope, queue.channel) for scope in configuration.scopes_of_queue(name)}
    return found | {(f"team:{name}", None) for name in configuration.teams}


def lasting_places(configuration: Configuration) -> frozenset[Place]:
    """Return the scopes and channels that do not expire: those of a queue without a channel on every one, and all of people."""
    found = configured_places(configuration) | {("total:all", None)}
    for name, queue in configuration.queues.items():
        found |= {(scope, None) for scope in configuration.scopes_of_queue(name)[1:]}
        if queue.channel is None:
            found |= {(scope, channel) for scope in configuration.scopes_of_queue(name) for channel in get_args(Channel)}
    found |= {(f"site:{name}", None) for name in configuration.sites}
    found |= {(f"business:{team.business}", None) for team in configuration.teams.values() if team.business is not None}
    return frozenset(found)
