"""Trusted proxies of a server, and the headers that they forward."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

__all__ = ["Proxies"]

#: Of addresses in ``X-Forwarded-For``, from the right: no deployment has more proxies in a row.
_MOST_HOPS: Final = 10


class Proxies:
    """The addresses whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are trusted.

    Args:
        networks: addresses and networks such as ``10.0.0.0/8``.

    Raises:
        ValueError: one of them is neither.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = tuple(_network(text) for text in networks)

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._networks)

    def trusts(self, address: str | None) -> bool:
        """Return whether a peer is a trusted proxy."""
        peer = _address(address or "")
        return peer is not None and any(peer.version == network.version and peer in network for network in self._networks)

    def seen_through(self, request: web.Request) -> web.Request:
        """Return the request with the client address and scheme that the first proxy saw; as it is without a trusted proxy."""
        if not self.trusts(request.remote):
            return request
        hops = [hop.strip() for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
        client = request.remote
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = _address(_without_port(hop))
            if address is None:
                break
            client = str(address)
            if not self.trusts(client):
                break
        # The last proxy decides: it reports the scheme of its client, whatever its own connection uses.
        schemes = [scheme.strip().lower() for line in request.headers.getall("X-Forwarded-Proto", []) for scheme in line.split(",")]
        scheme = schemes[-1] if schemes and schemes[-1] in {"http", "https"} else request.scheme
        return request.clone(remote=client or "", scheme=scheme)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no address and no network such as 10.0.0.0/8 ({error})") from error


def _without_port(hop: str) -> str:
    """Return an address without the client's port, which some proxies add."""
    if hop.startswith("["):
        return hop.partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
