"""Keys of scopes: a scope and its channel; which are served from the beginning, and which never expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from schemas.base import Channel

if TYPE_CHECKING:
    from streams.configuration import Configuration

__all__ = ["ScopeKey", "configured_scope_keys", "permanent_scope_keys"]

#: A scope and, for figures about contacts, a channel.
ScopeKey = tuple[str, str | None]


def configured_scope_keys(configuration: Configuration) -> set[ScopeKey]:
    """Return the scopes and channels that are served before their first event."""
    keys: set[ScopeKey] = set()
    for name, queue in configuration.queues.items():
        if queue.channel is not None:
            keys |= {(scope, queue.channel) for scope in configuration.scopes_of_queue(name)}
    return keys | {(f"team:{name}", None) for name in configuration.teams}


def permanent_scope_keys(configuration: Configuration) -> frozenset[ScopeKey]:
    """Return the scopes and channels that never expire; a queue without a channel has every channel."""
    keys = configured_scope_keys(configuration) | {("total:all", None)}
    for name, queue in configuration.queues.items():
        keys |= {(scope, None) for scope in configuration.scopes_of_queue(name)[1:]}
        if queue.channel is None:
            keys |= {(scope, channel) for scope in configuration.scopes_of_queue(name) for channel in get_args(Channel)}
    keys |= {(f"site:{name}", None) for name in configuration.sites}
    keys |= {(f"business:{team.business}", None) for team in configuration.teams.values() if team.business is not None}
    return frozenset(keys)
