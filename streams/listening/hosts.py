"""Check the host name of requests, and the origin of requests that change something."""

from __future__ import annotations

import ipaddress
import logging
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from aiohttp import web

__all__ = ["HEALTH_PATHS", "Hosts", "host_of", "is_cross_origin"]

_log = logging.getLogger(__name__)

#: Orchestrators request these by address, load balancers of HTTP/1.0 without any name.
HEALTH_PATHS: Final = frozenset({"/healthz", "/readyz"})
#: Allows any name: for a server behind a proxy that checks names itself.
ANY: Final = "*"

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?")
_MAX_PORT: Final = 65_535
_USUAL_PORTS: Final = {"http": 80, "https": 443}
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Refused names are logged once each, up to this many: any client can send them.
_MAX_LOGGED: Final = 20


def host_of(text: str) -> str | None:
    """Return the canonical name or address of a ``Host`` header: lower case, without port and brackets; None if it is none."""
    match = _HOST.fullmatch(text)
    if match is None or int(match[3] or 0) > _MAX_PORT:
        return None
    name = (match[1] or match[2]).lower().removesuffix(".")
    return _address(name) or (None if match[1] or not name else name)


class Hosts:
    """The names that a server answers to.

    This prevents DNS rebinding: a page whose name resolves to this server could read it through a browser; but the browser sends the
    page's name.

    Args:
        allowed: names and addresses, ``*`` for any; ``*.NAME`` for each name one label longer.
        more: returns further names, such as those of the current certificate.
    """

    def __init__(self, allowed: Iterable[str] = (), more: Callable[[], Collection[str]] = frozenset) -> None:
        self._allowed = frozenset(map(_listed, (*_LOOPBACK, *allowed)))
        self.more = more
        self._logged: set[str] = set()

    def refusal(self, request: web.Request) -> int | None:
        """Return the status that refuses a request for another host: 400 if it names none or several, 421 for one not listed."""
        headers = request.headers.getall("Host", [])
        is_health = request.path in HEALTH_PATHS
        if not headers and is_health and request.version < (1, 1):
            return None
        if len(headers) != 1 or (name := host_of(headers[0])) is None:
            return 400
        # In GET http://other/ HTTP/1.1 the other host is meant.
        if not request.raw_path.startswith("/") and host_of(_bracketed(request.url.host or "")) != name:
            return 400
        if self._allows(name, request, is_health=is_health):
            return None
        if name not in self._logged and len(self._logged) < _MAX_LOGGED:
            self._logged.add(name)
            _log.warning("A request for a host that is not listed was refused; if clients use this name, give --allowed-host %s.", name)
        return 421

    def _allows(self, name: str, request: web.Request, *, is_health: bool) -> bool:
        address = _address(name)
        # An address cannot be rebound.
        if address is not None and (is_health or address in self._allowed or address == _local(request)):
            return True
        forms = {ANY, name} if address is not None else {ANY, name, f"*.{name.partition('.')[2]}"}
        return not forms.isdisjoint(self._allowed) or not forms.isdisjoint(map(_listed, self.more()))


def is_cross_origin(request: web.Request) -> bool:
    """Return whether a browser's request changes something for a page of another origin.

    ``Sec-Fetch-Site`` decides where the browser sends it, else ``Origin`` and ``Host``; programs send neither, and no cookies by default.
    """
    if request.method in _SAFE_METHODS:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        parts, own = urlsplit(origin), urlsplit(f"//{request.headers.get('Host', '')}")
        port, own_port = parts.port or _USUAL_PORTS.get(parts.scheme), own.port
    except ValueError:
        return True
    # Without a port it is a default one; which, only the proxy that ends TLS knows.
    same_port = port == own_port if own_port is not None else port in _USUAL_PORTS.values()
    name = host_of(_bracketed(parts.hostname or ""))
    return name is None or not same_port or name != host_of(_bracketed(own.hostname or ""))


def _listed(text: str) -> str:
    """Return the canonical form of a listed name, without its port."""
    name = text.removeprefix("*.")
    wildcard = text[: len(text) - len(name)]
    return f"{wildcard}{host_of(name) or _address(name) or name.lower()}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _address(name: str) -> str | None:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None


def _local(request: web.Request) -> str | None:
    """Return the local address of the connection."""
    local = None if request.transport is None else request.transport.get_extra_info("sockname")
    address = None if not local else _address(str(local[0]).partition("%")[0])
    if address is None:
        return None
    parsed = ipaddress.ip_address(address)
    return str(parsed.ipv4_mapped) if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None else address
