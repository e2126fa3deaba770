"""Whose an address is."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

__all__ = ["client_of", "is_loopback"]

#: Of IPv6 a client is given a whole network of this size, and may come from any address in it.
_NETWORK_BITS = 64


@lru_cache(maxsize=4096)
def client_of(address: str) -> str:
    """Return what all addresses of one client have in common: an IPv4 address, the /64 network of an IPv6 one, else the text as it is."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        if not found.is_loopback:
            return str(ipaddress.ip_network((int(found) >> _NETWORK_BITS << _NETWORK_BITS, _NETWORK_BITS)))
    return str(found)


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
