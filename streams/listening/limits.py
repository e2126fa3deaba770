"""What clients may take of a server."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ConnectionLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What clients may take of a server."""

    #: Connections at a time; more are answered with 503.
    total: int = 1500
    #: Of these from one address. All clients of a proxy come from its address.
    per_address: int = 750
    #: How long a client may read nothing of what it was sent.
    unread_seconds: float = 10.0
    #: How long it may take to read all of it.
    answer_seconds: float = 60.0
    #: How long the head of a request may take, from its first byte.
    request_seconds: float = 10.0
    #: How long a TLS handshake may take, from the connection on.
    handshake_seconds: float = 10.0
    #: How long a connection may be open without a request; longer than proxies keep theirs, so that they close first.
    idle_seconds: float = 75.0
    #: What may wait to be read by all clients together; beyond it, who has read nothing for longest is dropped.
    unsent_bytes: int = 256 * 1024 * 1024
    #: Limits are looked at so often, and counted in looks: a process that was paused takes no client for slow.
    look_seconds: float = 1.0

    def looks(self, seconds: float) -> int:
        """Return in how many looks so much time has passed."""
        return max(1, round(seconds / self.look_seconds))
