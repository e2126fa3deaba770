"""Limits of the connections of a server."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ConnectionLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of the connections of a server."""

    #: Connections at a time; more are answered with 503.
    total: int = 1500
    #: Of these from one address. All clients of a proxy have its address.
    per_address: int = 750
    #: How long a client may read nothing of an answer.
    unread_seconds: float = 10.0
    #: How long a client may take to read an entire answer.
    answer_seconds: float = 60.0
    #: How long the head of a request may take, from its first byte.
    request_seconds: float = 10.0
    #: How long a TLS handshake may take, from the connection on.
    handshake_seconds: float = 10.0
    #: How long a connection may be open without a request; longer than in proxies, so that they close first.
    idle_seconds: float = 75.0
    #: Unread bytes of all clients together; beyond them, the client that has read nothing for longest is dropped.
    unsent_bytes: int = 256 * 1024 * 1024
    #: Interval of checks. Limits are counted in checks, so that a pause of the process makes no client slow.
    check_seconds: float = 1.0

    def checks(self, seconds: float) -> int:
        """Return the number of checks in a duration."""
        return max(1, round(seconds / self.check_seconds))
