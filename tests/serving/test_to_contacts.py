"""Figures of tiles, boards and alerts open the contacts behind them, as rows of the table do; without the right there are no links."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from streams.catalogue import WORDS
from streams.configuration.file import ConfigurationFile
from streams.serving.api import create_app
from streams.serving.call_backs import CallBacks, contacts_of
from streams.serving.event_log import Limits, Span
from streams.serving.explainer import Explainer
from tests.serving.chromium import Chromium, binary
from tests.serving.held_log import HeldLog
from tests.serving.records import Backend, alert, client_of, now_record, small_center, window
from tests.serving.test_dense_wall import pictures
from tests.serving.test_floor import CONTACTS, configured
from tests.serving.test_page import run, url
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp.typedefs import Handler

    from streams.serving.api import Serving

__all__ = ["pictures"]

pytestmark = pytest.mark.browser

TILES = [
    {"kind": "figure", "kpi": "waiting", "scope": "queue:sales", "channel": "voice"},
    {"kind": "figure", "kpi": "occupancy", "scope": "total:all"},
    {"kind": "queues", "channels": ["voice"], "columns": ["service_level_live", "in_progress"]},
    {"kind": "alerts"},
]
BOARD = {"boards": {"hall": {"title": {"en": "Hall"}, "pages": [{"columns": 2, "rows": 2, "tiles": TILES}]}}}
BEHIND = """[...document.querySelectorAll('.view.contacts .behind tbody tr')]
  .map(e => [...e.cells].slice(0, 2).map(c => c.innerText.replace(/\\n/g, ' ')))"""
CHOSEN = """Object.fromEntries([...new URLSearchParams(location.search)]
  .filter(([name]) => ['of', 'scope', 'channel', 'kpi', 'span'].includes(name)))"""
#: Every link to contacts beside the table and the navigation: its text for a screen reader.
WAYS = """[...document.querySelectorAll('a[href*="view=contacts"]')]
  .filter(e => !e.closest('nav') && e.checkVisibility()).map(e => e.ariaLabel)"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def serving(folder: Path, log: HeldLog | None = None) -> Serving:
    """Return a center where a call waits, three were offered, and alerts fire: of a level, of who waits, and of people."""
    file = folder / "center.yaml"
    file.write_bytes(orjson.dumps(BOARD))
    waiting: dict[str, Any] = {"waiting": 1, "waiting_since": "2026-04-01T08:59:00Z", "in_progress": 2}
    records = [now_record("total:all", revision=2, **waiting), window("total:all", kpis={}, revision=2)]
    held = Backend.fed([*small_center(), *records]).with_alerts(
        alert(),
        alert("queue:sales", rule="long", kpi="longest_wait", window=None, below=None, above=60, clear_at=60, severity="warning"),
        alert("team:north", None, rule="busy", kpi="occupancy", below=None, above=0.9, clear_at=0.9, severity="warning"),
    )
    return held.serving(
        file=ConfigurationFile(file, 0),
        explainer=Explainer(log or HeldLog(CONTACTS), configured, Limits()),
        call_backs=CallBacks(contacts_of(HeldLog(CONTACTS), configured, held.clock)),
    )


@asynccontextmanager
async def without(serving: Serving, **session: Any) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Serve with the given rights in the session's answer."""

    @web.middleware
    async def other_rights(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if request.path != "/api/v1/session" or not isinstance(answer, web.Response):
            return answer
        return web.json_response({**orjson.loads(answer.text or "{}"), **session})

    app = create_app(serving)
    app.middlewares.append(other_rights)
    async with TestClient(TestServer(app)) as client:
        yield client


def test_tiles_and_alerts_open_their_contacts(tmp_path: Path, pictures: Path) -> None:
    """By click and by Enter: who waits of a channel, what an alert is about, in the strip, in the list and on a board. People have none."""

    async def check() -> None:
        async with client_of(serving(tmp_path)) as client, Chromium(width=1500, height=1000) as page:
            await page.open(url(client, ""))
            await page.until(f"{WAYS}.length === 4")
            behind = WORDS["en"]["contacts.behind"]
            ways = await page.ask(WAYS)
            assert ways[0] == f"Service level 71.2 % (below 80 %) – {behind}"
            assert ways[2:] == [f"Voice · Waiting 1 – {behind}", f"Voice · Longest wait now 1:00 – {behind}"]
            await page.photograph(pictures / "ways-to-contacts.png")
            # A tile, by key: of all queues together, each contact with its queue.
            await page.ask("document.querySelector('#summary .channel a[href]').focus()")
            await page.press("Enter")
            await page.until(f"{BEHIND}.length === 1")
            assert await page.ask(BEHIND) == [["call 3sales · pbx · Open in pbx.example", "Waiting"]]
            assert await page.ask(CHOSEN) == {"scope": "total:all", "channel": "voice", "kpi": "waiting"}
            assert await page.ask("document.querySelector('.behind .choices select').selectedOptions[0].text") == "Total"
            await page.photograph(pictures / "contacts-of-all.png")
            # An alert, by click: in its window, or of now.
            for number, (queries, contacts) in enumerate(
                [
                    ({"kpi": "service_level_live", "span": "trailing_15m"}, ["call 1", "call 3", "call/2"]),
                    ({"kpi": "longest_wait"}, ["call 3"]),
                ]
            ):
                await page.open(url(client, ""))
                await page.until(f"{WAYS}.length === 4")
                await page.ask(f"document.querySelectorAll('#alerts .figure a[href]')[{number}].click()")
                await page.until(f"{BEHIND}.length === {len(contacts)}")
                assert [row[0].partition("pbx")[0] for row in await page.ask(BEHIND)] == contacts
                assert await page.ask(CHOSEN) == {"of": "sales", "channel": "voice", **queries}
            await page.open(url(client, "?view=alerts"))
            await page.until(f"{WAYS}.length >= 2")
            await page.open(url(client, "?view=board&board=hall&rotate=0"))
            labels = "[...document.querySelectorAll('.board a[href]')].filter(e => e.checkVisibility()).map(e => e.ariaLabel)"
            await page.until(f"{labels}.length === 3")
            assert await page.ask(labels) == [
                f"Waiting 2 · sales – {behind}",
                f"Service level 71.2% · sales – {behind}",
                f"Service level 71.2 % (below 80 %) – {behind}",
            ]
            await page.photograph(pictures / "board-to-contacts.png")
            await page.ask("document.querySelector('.board td a[href]').click()")
            await page.until(f"{BEHIND}.length === 3")
            assert await page.ask(CHOSEN) == {"of": "sales", "channel": "voice", "kpi": "service_level_live", "span": "trailing_15m"}
            assert page.complaints == []

        held = serving(tmp_path)
        places = ("", "?view=alerts", "?view=board&board=hall")
        # Who may not see contacts, or those of other queues alone, sees the same figures, and no way.
        for session in ({"rights": ["figures"]}, {"contacts_of": ["queue:claims"]}):
            async with without(held, **session) as client, Chromium(width=1500, height=1000) as page:
                for place in places:
                    await page.open(url(client, place))
                    ready = ".board .alerts li" if "board" in place else "#alerts li .figure" if place == "" else ".firing li"
                    await page.until(f"document.querySelector({ready!r})")
                    await asyncio.sleep(0.3)
                    assert await page.ask(WAYS) == [], (session, place)

    run(check())


class Halfway(HeldLog):
    """Reports half of its records as read, then waits for permission to continue."""

    def __init__(self, events: Any) -> None:
        super().__init__(events)
        self.may_go_on = asyncio.Event()

    async def events(self, since_ms: int, limits: Limits, take: Any, report: Any = None, **more: Any) -> Span:
        """Report how far it is, wait, and continue."""
        if report is not None:
            report(Span(self.topic, to_pass=8, passed=4))
        await self.may_go_on.wait()
        return await super().events(since_ms, limits, take, report, **more)


@pytest.mark.parametrize(("language", "progress"), [("en", "50 % read"), pytest.param("ja", "50%完了", marks=pytest.mark.nightly)])
def test_how_far_a_question_is(language: str, progress: str, tmp_path: Path, pictures: Path) -> None:
    """While events are read: since when, how much of them in percent and as a bar, and for how long; then the contacts."""

    async def check() -> None:
        log = Halfway(CONTACTS)
        async with client_of(serving(tmp_path, log)) as client, Chromium(width=1500, height=1000) as page:
            path = "/api/v1/contacts/reading?queue=sales&kpi=offered&channel=voice&window=trailing_15m"
            assert await (await client.get(path)).json() == {"reading": None}
            await page.open(url(client, f"?view=contacts&of=sales&kpi=offered&channel=voice&span=trailing_15m&lang={language}"))
            line = "document.querySelector('.behind .reading:not([hidden])')"
            await page.until(f"{line}?.innerText.includes({progress!r})")
            assert await page.ask(
                f"[{line}.querySelector('progress').value, /0:0[1-9]/.test({line}.querySelector('.taken').innerText)]"
            ) == [0.5, True]
            document = await (await client.get(path)).json()
            assert (document["reading"]["topic"], document["reading"]["share"]) == ("contactcenter.contact-events.v1", 0.5)
            # Another question is not it.
            assert await (await client.get(path.replace("sales", "claims"))).json() == {"reading": None}
            await page.photograph(pictures / f"behind-reading-{language}.png")
            log.may_go_on.set()
            await page.until(f"{BEHIND}.length === 3 && !{line}")
            assert await (await client.get(path)).json() == {"reading": None}
            assert page.complaints == []

    run(check())
