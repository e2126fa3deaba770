"""The client of an address."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

__all__ = ["client_of", "is_loopback"]

#: A client of IPv6 has a network of this size, and may use any address in it.
_NETWORK_BITS = 64


@lru_cache(maxsize=4096)
def client_of(address: str) -> str:
    """Return what identifies the client of an address: an IPv4 address, the /64 network of an IPv6 one, else the text as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        if not parsed.is_loopback:
            return str(ipaddress.ip_network((int(parsed) >> _NETWORK_BITS << _NETWORK_BITS, _NETWORK_BITS)))
    return str(parsed)


def is_loopback(host: str) -> bool:
    """Return whether a host is reachable from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
