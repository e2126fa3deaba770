"""Every view in both languages on three screens with 1, 7 and 60 queues: nothing runs out of the window, nothing is cut, figures are there.

Pictures of all go to the folder that the environment variable of `test_dense_wall` names. Walls are read from five meters, too.
"""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from schemas.times import format_ms
from streams.catalogue import LANGUAGES
from streams.configuration import Configuration
from streams.configuration.access_places import places_by_scope
from streams.serving.agents import Agents
from streams.serving.call_backs import CallBacks, contacts_of
from streams.serving.event_log import Limits
from streams.serving.explainer import Explainer
from streams.serving.people import People
from tests.serving.chromium import Chromium, binary
from tests.serving.detail_center import NOW, QUARTER, day
from tests.serving.held_log import HeldLog, agent_event, contact_event
from tests.serving.page_views import BROKEN, CUT, views
from tests.serving.records import client_of, figure, now_record, person, window
from tests.serving.test_dense_wall import ARC, backend, pictures, queue, targets
from tests.serving.test_outlook import last_hour
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.catalogue.words import Language
    from streams.serving.api import Serving

__all__ = ["pictures"]

pytestmark = pytest.mark.browser

SIZES = [(1920, 1080), (3840, 2160), (390, 844)]
NUMBERS = (1, 7, 60)
#: The extremes, one each, for every change; all together are looked at in the night.
FEW: list[tuple[Language, int, int, int]] = [("ja", 390, 844, 60), ("en", 1920, 1080, 7)]
ALL: list[tuple[Language, int, int, int]] = [
    each
    for language, (width, height), number in product(LANGUAGES, SIZES, NUMBERS)
    if (each := (language, width, height, number)) not in FEW
]
#: Every figure that is shown, or the dash for none.
FIGURES = """[...document.querySelectorAll('main')].filter(e => e.checkVisibility())
  .flatMap(e => [...e.querySelectorAll('b, td, strong')]).filter(e => e.checkVisibility() && /[0-9–]/.test(e.innerText)).length"""

#: Of the first queues there is an outlook in full: it takes a sixth of a second each, which the pictures do not need.
FORESEEN = 12
#: Lines of text that are shown.
TEXT = "[...document.querySelectorAll('main')].find(e => e.checkVisibility()).innerText.trim().split('\\n').length"


def errors(complaints: list[str]) -> list[str]:
    """Return the browser's complaints, except for requests that the server refused: the page shows those."""
    return [each for each in complaints if "'source': 'network'" not in each]


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def intervals(name: str, channel: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield 27 hours of quarters: 20 contacts, 18 answered in time, of five minutes; each eighth is a bad one."""
    for start in range(NOW - 27 * 4 * QUARTER, NOW, QUARTER):
        met = 12 if start // QUARTER % 8 == 0 else 18
        kpis = {"offered": figure(20, 20), "answered": figure(18, 18), "abandoned": figure(2, 2), "handled": figure(18, 18)}
        kpis |= {"service_level": figure(met / 20, met, 20, 1), "aht": figure(300, 5400, 18, 1), "asa": figure(12, 216, 18, 1)}
        ends = {"window_start": format_ms(start), "window_end": format_ms(start + QUARTER), "final": True}
        key, value = window(f"queue:{name}", channel, name="interval_15m", kpis=kpis, **ends)
        yield key + f"|{start}".encode(), value


def day_of(number: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the day of every queue, by interval too, and of calls the last hour, so that there is an outlook; a mail of no queue."""
    for n in range(number):
        name, channel = queue(n), ("voice", "voice", "chat", "mail")[n % 4]
        met, offered = 300 - n, 330
        waits = {f"answered_wait_le_{edge}": 50 for edge in (5000, 10000, 15000, 20000, 30000)} | {"abandoned_wait_le_20000": 8}
        yield day(name, met, offered, channel, counts={"offered": offered, **waits, "flow_out_overflow": 2})
        yield from intervals(name, channel)
        if channel == "voice" and n < FORESEEN:
            yield last_hour(name)
    kpis = {"csat": figure(4.25, 425, 100, 0.8), "nps": figure(20, 20, 100, 0.8), "complaints": figure(3, 3)}
    about = {f"項目 {n} with a name of some length": figure(n, n) for n in range(1, 20)}
    yield day("total:all", 9000, 9900, kpis=kpis, by_label={"contacts_by_category": about})
    yield day("site:Tokyo", 4500, 4950)
    yield now_record(
        "queue:(unassigned)", "mail", backlog_untouched=3, backlog_in_progress=1, backlog_waiting_on_customer=0, backlog_on_hold=0
    )


def center(number: int) -> Serving:
    """Return a center with this number of queues at two sites and of agents, with an alert for each second queue."""
    placed = Configuration.model_validate(
        {
            "sites": {name: {"zone": "Asia/Tokyo", "individual_figures": True} for name in ("Tokyo", "大阪コールセンター")},
            "people": {f"person {n:02}": {"site": "Tokyo"} for n in range(number)},
            "queues": {
                queue(n): {"site": ("Tokyo", "大阪コールセンター")[n % 2], "department": ("Support", "Sales")[n // 2 % 2]}
                for n in range(number)
            },
        }
    )
    read, agents = Agents(), Agents()
    for n in range(number):
        assert read.feed(*person(f"person {n:02}", kpis={"occupancy": figure(n / 100, 36 * n, 3600, 1)}))
    agents.take_over(read)
    made = backend(number, alerts=max(1, number // 2))
    for key, value in day_of(number):
        assert made.store.feed(key, value)
    at = "2026-04-01T08:30:00.000Z"
    states = [agent_event(at, f"person {n:02}", "presence", "away", reason="lunch" if n % 2 else "break") for n in range(number)]
    gone = [contact_event("queued", at, f"call {n:02}", queue=queue(n), channel="voice") for n in range(number)]
    gone += [contact_event("ended", at, f"call {n:02}", by="customer") for n in range(number)]
    serving = made.serving(
        targets=targets(number),
        agents=agents,
        people=People(HeldLog(states), lambda: placed, made.clock),
        call_backs=CallBacks(contacts_of(HeldLog(gone), lambda: placed, made.clock)),
        explainer=Explainer(HeldLog(gone), lambda: placed, Limits()),
    )
    serving.figures.places = places_by_scope(placed)
    return serving


async def arcs_below(page: Chromium, language: str) -> list[Any]:
    """Return the texts of a wall that are too small from five meters: figures and alerts below 14 minutes of arc, headings below 10."""
    character = "国" if language == "ja" else "H"
    looks = [
        ("#queues td:not(.trend) > b, #summary b, #map .level, #map .longest", "0", 14),
        ("#alerts .figure", "0", 14),
        ("#queues thead th, #summary .heading, #map .legend", character, 10),
    ]
    found = []
    for selector, sample, least in looks:
        found += [[selector, *each] for each in await page.ask(f"{ARC}({selector!r}, {sample!r})") if each[0] < least]
    return found


async def look(language: Language, width: int, height: int, number: int, pictures: Path) -> None:
    """Look at every view."""
    wrong: dict[str, Any] = {}
    async with client_of(center(number)) as client, Chromium(width=width, height=height) as page:
        async for name, wall in views(page, client, f"lang={language}&rotate=0&board=floor", rows=number):
            await page.photograph(pictures / f"{name}-{number}-{language}-{width}.png")
            overflow = await page.ask("document.documentElement.scrollWidth") - width
            found = {
                "overflow": max(0, overflow),
                "cut": await page.ask(CUT),
                "broken": await page.ask(BROKEN),
                "complaints": errors(page.complaints),
            }
            if wall and width > 760:
                found["small"] = await arcs_below(page, language)
                found["scrolls"] = max(0, await page.ask("document.documentElement.scrollHeight") - height)
            found = {kind: details for kind, details in found.items() if details}
            if not await page.ask(FIGURES):
                found["figures"] = "none"
            if not await page.ask(f"{TEXT} > 1"):
                found["text"] = "a heading alone"
            if found:
                wrong[name] = found
    assert wrong == {}


@pytest.mark.parametrize(("language", "width", "height", "number"), FEW)
def test_every_view_fits(language: Language, width: int, height: int, number: int, pictures: Path) -> None:
    """On a telephone with 60 queues, and on a wide screen with 7."""
    asyncio.run(asyncio.wait_for(look(language, width, height, number, pictures), 180))


@pytest.mark.nightly
@pytest.mark.parametrize(("language", "width", "height", "number"), ALL)
def test_every_view_fits_in_any_size(language: Language, width: int, height: int, number: int, pictures: Path) -> None:
    """The rest of the combinations."""
    asyncio.run(asyncio.wait_for(look(language, width, height, number, pictures), 240))


def test_what_is_cut_would_be_seen(pictures: Path) -> None:
    """A text that its box hides a part of, and one beyond the edge, are found, so that finding none means something."""

    async def check() -> None:
        async with client_of(center(1)) as client, Chromium(width=390, height=844) as page:
            async for name, _ in views(page, client, "lang=en"):
                assert (name, await page.ask(CUT)) == ("overview", [])
                await page.ask("""document.querySelector('main').append(
                    Object.assign(document.createElement('p'), { textContent: 'cut', style: 'width: 5px; overflow: hidden' }),
                    Object.assign(document.createElement('p'), { textContent: 'outside', style: 'position: absolute; left: 380px' }))""")
                assert [each[:3] for each in await page.ask(CUT)] == ["<p ", "<p "]
                break

    asyncio.run(check())
