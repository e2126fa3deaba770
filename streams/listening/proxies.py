"""Proxies before a server, and what is believed from them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

__all__ = ["Proxies"]

#: Of addresses in ``X-Forwarded-For``, from the right: more proxies in a row are none of ours.
_MOST_HOPS: Final = 10


class Proxies:
    """The addresses whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.

    Args:
        networks: addresses and networks such as ``10.0.0.0/8``.

    Raises:
        ValueError: one of them is neither.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = tuple(_network(text) for text in networks)

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self._networks)

    def trusts(self, address: str | None) -> bool:
        """Say whether a peer is one of them."""
        found = _address(address or "")
        return found is not None and any(found.version == network.version and found in network for network in self._networks)

    def seen_through(self, request: web.Request) -> web.Request:
        """Return the request as it came to the first of the proxies: client address and scheme; as it is if it came from none of them."""
        if not self.trusts(request.remote):
            return request
        hops = [hop.strip() for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
        client = request.remote
        for hop in reversed(hops[-_MOST_HOPS:]):
            found = _address(_without_port(hop))
            if found is None:
                break
            client = str(found)
            if not self.trusts(client):
                break
        # The last proxy has the last word; it comes to us in plain text or not, and says how its client came.
        schemes = [each.strip().lower() for line in request.headers.getall("X-Forwarded-Proto", []) for each in line.split(",")]
        scheme = schemes[-1] if schemes and schemes[-1] in {"http", "https"} else request.scheme
        return request.clone(remote=client or "", scheme=scheme)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no address and no network such as 10.0.0.0/8 ({error})") from error


def _without_port(hop: str) -> str:
    """Some proxies say from which port a client came."""
    if hop.startswith("["):
        return hop.partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
