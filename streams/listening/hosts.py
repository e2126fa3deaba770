"""Which names a server answers to, and from which pages a browser may change something there."""

from __future__ import annotations

import ipaddress
import logging
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from aiohttp import web

__all__ = ["HEALTH_PATHS", "Hosts", "host_of", "is_from_elsewhere"]

_log = logging.getLogger(__name__)

#: Orchestrators ask these by address, load balancers of HTTP/1.0 without any name.
HEALTH_PATHS: Final = frozenset({"/healthz", "/readyz"})
#: Takes any name: for a server behind a proxy that looks at names itself.
ANY: Final = "*"

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?")
_MAX_PORT: Final = 65_535
_USUAL_PORTS: Final = {"http": 80, "https": 443}
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Of names that are refused so many are told in the log, once each: they are anybody's.
_MOST_TOLD: Final = 20


def host_of(text: str) -> str | None:
    """Return the name or address of a ``Host`` header in its one form, lower case, without port and brackets; None if it is none."""
    found = _HOST.fullmatch(text)
    if found is None or int(found[3] or 0) > _MAX_PORT:
        return None
    name = (found[1] or found[2]).lower().removesuffix(".")
    return _address(name) or (None if found[1] or not name else name)


class Hosts:
    """The names that a server answers to.

    A page whose own name is turned to the address of this server (DNS rebinding) would read it through a browser as if it were its own; the
    browser still sends the page's name.

    Args:
        allowed: names and addresses, ``*`` for any; ``*.NAME`` for each name one label longer.
        more: others at any moment, such as those of a certificate.
    """

    def __init__(self, allowed: Iterable[str] = (), more: Callable[[], Collection[str]] = frozenset) -> None:
        self._allowed = frozenset(map(_listed, (*_LOOPBACK, *allowed)))
        self.more = more
        self._told: set[str] = set()

    def refusal(self, request: web.Request) -> int | None:
        """Return the status that turns a request for another host away: 400 if it names none or several, 421 for one not listed."""
        said = request.headers.getall("Host", [])
        is_health = request.path in HEALTH_PATHS
        if not said and is_health and request.version < (1, 1):
            return None
        if len(said) != 1 or (name := host_of(said[0])) is None:
            return 400
        # GET http://other/ HTTP/1.1: the other is who is asked.
        if not request.raw_path.startswith("/") and host_of(_bracketed(request.url.host or "")) != name:
            return 400
        if self._allows(name, request, is_health=is_health):
            return None
        if name not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(name)
            _log.warning("A request for a host that is not listed was refused; if clients use this name, say --allowed-host %s.", name)
        return 421

    def _allows(self, name: str, request: web.Request, *, is_health: bool) -> bool:
        address = _address(name)
        # A page that is at an address has no name that could be turned to another.
        if address is not None and (is_health or address in self._allowed or address == _local(request)):
            return True
        forms = {ANY, name} if address is not None else {ANY, name, f"*.{name.partition('.')[2]}"}
        return not forms.isdisjoint(self._allowed) or not forms.isdisjoint(map(_listed, self.more()))


def is_from_elsewhere(request: web.Request) -> bool:
    """Say whether a browser asks to change something for a page of another origin.

    ``Sec-Fetch-Site`` decides where the browser sends it, else ``Origin`` beside ``Host``; programs send neither, and no cookies unasked.
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
    # Without a port it is a usual one; which, only the proxy knows that ends TLS.
    same_port = port == own_port if own_port is not None else port in _USUAL_PORTS.values()
    name = host_of(_bracketed(parts.hostname or ""))
    return name is None or not same_port or name != host_of(_bracketed(own.hostname or ""))


def _listed(text: str) -> str:
    """Return a listed name in the form that it is compared in; a port is not looked at."""
    rest = text.removeprefix("*.")
    wildcard = text[: len(text) - len(rest)]
    found = host_of(rest) or _address(rest) or rest.lower()
    return f"{wildcard}{found}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _address(name: str) -> str | None:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None


def _local(request: web.Request) -> str | None:
    """Return the address of this machine at which the connection has come in."""
    local = None if request.transport is None else request.transport.get_extra_info("sockname")
    address = None if not local else _address(str(local[0]).partition("%")[0])
    if address is None:
        return None
    found = ipaddress.ip_address(address)
    return str(found.ipv4_mapped) if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None else address
