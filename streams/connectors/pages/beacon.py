"""The beacon of a FAQ: a script and an image that pages load, and the events they send; only configured sites may send."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from streams.connectors.configured import Configured
from streams.connectors.pages.publishing import page_sender
from streams.connectors.pages.recent import Recent
from streams.connectors.senders import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.connectors.intake import Intake
    from streams.connectors.pages.publishing import PagePublisher

__all__ = ["SCRIPT", "FaqBeacons"]

#: Where the beacon is, followed by the source's name; ``.js`` and ``.gif`` are its script and image.
_BEACON_PATH: Final = "/b/"

#: A session is one view of a page: a new random id each time, stored nowhere, and linked to no person.
SCRIPT: Final = """\
(()=>{let s=document.currentScript,u=s.src.replace(/\\.js.*/,""),c=s.dataset.category||"",i,d,
f=e=>navigator.sendBeacon(u,new URLSearchParams({e,s:i,c})),
b=()=>{d=0;i=[...crypto.getRandomValues(new Uint8Array(16))].map(x=>(x+256).toString(16).slice(1)).join("");f("started")},
g=e=>{if(!d){d=1;f(e)}};
addEventListener("click",e=>{let t=e.target.closest&&e.target.closest("[data-faq]");
if(t&&/^(solved|contact)$/.test(t.dataset.faq))g(t.dataset.faq)});
addEventListener("pagehide",()=>g("left"));
addEventListener("pageshow",e=>{if(e.persisted)b()});b()})()
"""

_FOR_OTHER_SITES: Final = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "cross-origin"}
_GIF: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")

_EVENTS: Final = frozenset({"started", "solved", "left", "contact"})
_SESSION: Final = re.compile(r"[0-9a-f]{32}")
_CATEGORY: Final = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_MAX_BODY_BYTES: Final = 1_024
#: The most events of a session a day, with repeats.
_EVENTS_OF_A_SESSION, _DAY_SECONDS = 6, 86_400.0
#: A burst is this many seconds of the rate.
_BURST_SECONDS: Final = 10


@dataclass(slots=True)
class _Beacon:
    configured: Configured
    origins: frozenset[str]
    rate: Bucket


class FaqBeacons:
    """The beacons of a gateway.

    Args:
        pages: publishes their events.
        intake: admits requests, as for senders.
        monotonic: seconds, for rates.
    """

    def __init__(self, pages: PagePublisher, intake: Intake, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pages = pages
        self._intake = intake
        self._monotonic = monotonic
        self._beacons: dict[str, _Beacon] = {}
        self._sessions = Recent(_EVENTS_OF_A_SESSION, _DAY_SECONDS)

    def take(self, connectors: Mapping[str, Configured]) -> None:
        """Apply these connectors from the next request on."""
        self._beacons = {}
        for source, configured in connectors.items():
            if configured.connector.name == "faq-beacon":
                settings = configured.context.settings
                rate = max(0.1, float(settings.get("events_per_second") or 50.0))
                listed = settings.get("origins") or ()
                origins = frozenset(
                    str(origin).rstrip("/").lower() for origin in (listed if isinstance(listed, (list, tuple)) else [listed])
                )
                self._beacons[source] = _Beacon(configured, origins, Bucket(rate, rate * _BURST_SECONDS, self._monotonic))

    @property
    def sources(self) -> frozenset[str]:
        """The sources whose beacons are served."""
        return frozenset(self._beacons)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Declare the routes."""
        router.add_get(_BEACON_PATH + "{source}.js", self._script)
        router.add_get(_BEACON_PATH + "{source}.gif", self._image)
        router.add_post(_BEACON_PATH + "{source}", self._receive)

    async def _script(self, request: web.Request) -> web.Response:
        beacon = self._beacons.get(request.match_info["source"])
        if beacon is None:
            return web.Response(status=404)
        self._pages.count(beacon.configured, "shown")
        headers = {"Cache-Control": "public, max-age=3600", **_FOR_OTHER_SITES}
        return web.Response(text=SCRIPT, content_type="text/javascript", charset="utf-8", headers=headers)

    async def _image(self, request: web.Request) -> web.Response:
        """Record the start of a session on a page without scripts; such a page reports no end."""
        beacon = self._beacons.get(request.match_info["source"])
        if beacon is None:
            return web.Response(status=404)
        if _origin(request.headers.get("Referer", "")) in beacon.origins:
            if request.method == "GET":
                await self._publish(beacon, "started", secrets.token_hex(16), request.query.get("c", ""))
        else:
            self._pages.count(beacon.configured, "not_permitted")
        # An image in any case: a page must not look broken.
        headers = {"Cache-Control": "no-store", **_FOR_OTHER_SITES}
        return web.Response(body=_GIF, content_type="image/gif", headers=headers)

    async def _receive(self, request: web.Request) -> web.Response:
        beacon = self._beacons.get(request.match_info["source"])
        if beacon is None:
            return web.Response(status=404)
        origin = request.headers.get("Origin", "")
        if origin.lower() not in beacon.origins:
            self._pages.count(beacon.configured, "not_permitted")
            return web.Response(status=403, headers={"Vary": "Origin"})
        headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin", "Cache-Control": "no-store"}
        sender = page_sender(beacon.configured.source)
        refusal = self._intake.stopped() or self._intake.refusal(request, sender)
        if refusal is not None:
            refusal.headers.update(headers)
            return refusal
        response = await self._intake.take(request, sender, lambda body: self._accept(beacon, body), is_proven=False)
        response.headers.update(headers)
        return response

    async def _accept(self, beacon: _Beacon, body: bytes) -> web.Response:
        self._intake.pay(page_sender(beacon.configured.source), 1)
        try:
            fields = parse_qs(body.decode(), max_num_fields=5) if len(body) <= _MAX_BODY_BYTES else {}
        except ValueError:
            fields = {}
        event, session, category = (fields.get(name, [""])[0] for name in ("e", "s", "c"))
        if event not in _EVENTS or not _SESSION.fullmatch(session):
            self._pages.count(beacon.configured, "not_valid")
            return web.Response(status=400)
        return web.Response(status=await self._publish(beacon, event, session, category))

    async def _publish(self, beacon: _Beacon, event: str, session: str, category: str) -> int:
        """Publish an event of a page, within its limits; return the status of the answer."""
        if beacon.rate.wait_seconds() > 0 or not self._sessions.allows(f"{beacon.configured.source}/{session}", self._monotonic()):
            self._pages.count(beacon.configured, "too_often")
            return 429
        beacon.rate.pay(1)
        content = {"event": event, "session": session, "category": category if _CATEGORY.fullmatch(category) else None}
        return 204 if await self._pages.publish(beacon.configured, content) else 503


def _origin(address: str) -> str:
    """Return the origin of an address as browsers write it, empty if it has none."""
    try:
        page = urlsplit(address)
    except ValueError:
        return ""
    return f"{page.scheme}://{page.netloc}".lower()
