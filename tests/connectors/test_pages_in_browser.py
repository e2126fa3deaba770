"""The survey's page and the beacon's script in a real browser: an answer by a tap in both languages, and the events of a FAQ page."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from streams.connectors.survey_links import SurveyLink
from tests.connectors.test_hooks import House, inside
from tests.connectors.test_pages import DAY, KEYS, beacon, survey
from tests.serving.chromium import Chromium, binary
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.browser

#: Folder of photographs.
_PHOTOGRAPHS = os.environ.get("PHOTOGRAPHS", "")


def browsing(scenario: Callable[[House, Chromium], Awaitable[None]], *connectors: object) -> None:
    """Run a scenario with a browser of the size of a telephone."""
    require(binary(), "pages are tried in a browser: apt-get install chromium")

    async def run(there: House) -> None:
        async with Chromium(width=390, height=844) as browser:
            await scenario(there, browser)

    inside(run, *connectors)  # type: ignore[arg-type]


async def photograph(browser: Chromium, name: str) -> None:
    """Save a photograph of the window, if requested."""
    if _PHOTOGRAPHS:
        await browser.photograph(Path(_PHOTOGRAPHS) / f"{name}.png")


@pytest.mark.parametrize(
    ("language", "question", "thanks"),
    [("en", "How likely", "Thank you for your answer: 9"), ("ja", "すすめたい", "ご回答ありがとうございました: 9")],
)
def test_an_answer_by_a_tap(language: str, question: str, thanks: str) -> None:
    """The page is drawn with its style, asks, takes an answer and lets it be changed; the browser has nothing to complain of."""

    async def scenario(there: House, browser: Chromium) -> None:
        link = SurveyLink("T-100", "nps", 0, 10, DAY)
        await browser.open(f"{there.address}/s/poll/{KEYS.token(link)}?lang={language}")
        assert question in await browser.ask("document.querySelector('legend').innerText")
        # The style is applied: buttons are large enough for a finger, and nothing is wider than the window.
        assert await browser.ask("Math.min(...[...document.querySelectorAll('button')].map(b => b.getBoundingClientRect().height))") >= 44
        assert await browser.ask("document.documentElement.scrollWidth <= innerWidth")
        await photograph(browser, f"survey-{language}")
        await browser.ask("document.querySelector('button[value=\"9\"]').click()")
        await browser.until("document.querySelector('[role=status]')")
        assert thanks == await browser.ask("document.querySelector('[role=status]').innerText")
        assert await browser.ask("document.querySelector('[aria-pressed=true]').value") == "9"
        await photograph(browser, f"survey-{language}-answered")
        await browser.ask("document.querySelector('button[value=\"3\"]').click()")
        await browser.until("document.querySelector('[aria-pressed=true]')?.value === '3'")
        assert [event["score"] for event in there.published()] == [9.0, 3.0]
        assert await browser.ask("document.cookie") == ""
        # A browser asks for an icon by itself.
        assert [line for line in browser.complaints if "favicon" not in line and "404" not in line] == []
        assert {address.partition("?")[0].rpartition("/")[0] for address in browser.requested if "favicon" not in address} == {
            f"{there.address}/s/poll"
        }

    browsing(scenario, survey(settings={"organization": "Acme"}), beacon())


def test_pages_that_ask_nothing() -> None:
    """A link that is none, in both languages, in the dark."""

    async def scenario(there: House, browser: Chromium) -> None:
        await browser.prefer("prefers-color-scheme", "dark")
        for language, title in (("en", "This link is not valid"), ("ja", "このリンクは無効です")):
            await browser.open(f"{there.address}/s/poll/nothing?lang={language}")
            assert await browser.ask("document.querySelector('h1').innerText") == title
            await photograph(browser, f"survey-not-valid-{language}")

    browsing(scenario, survey(settings={"organization": "Acme"}), beacon())


def test_the_beacon_of_a_faq_page() -> None:
    """A page of another origin loads the script: a visit that is solved, one that is left, one that is handed over."""

    async def scenario(there: House, browser: Chromium) -> None:
        page = (
            f'<!doctype html><p>Delivery takes two days.<button data-faq="solved">Helped</button><a data-faq="contact" href="#">Contact</a>'
            f'<script src="{there.address}/b/faq.js" data-category="Delivery"></script>'
        )
        app = web.Application()

        async def show(_: web.Request) -> web.Response:
            return web.Response(text=page, content_type="text/html")

        app.router.add_get("/", show)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
            origin = f"http://127.0.0.1:{port}"
            there.gateway.take_connectors({"faq": beacon(origins=[origin])})

            async def outcomes(count: int) -> list[str | None]:
                for _ in range(200):
                    if len(there.published()) >= count:
                        break
                    await asyncio.sleep(0.02)
                return [event.get("outcome") for event in there.published()]

            await browser.open(origin)
            assert await outcomes(1) == [None]
            await browser.ask("document.querySelector('button').click()")
            assert await outcomes(2) == [None, "confirmed_solved"]
            # It was solved: neither the next click nor leaving ends it again.
            await browser.ask("document.querySelector('a').click()")
            await browser.open(origin + "/?2")
            assert await outcomes(3) == [None, "confirmed_solved", None]
            await browser.open(origin + "/?3")
            assert sorted(map(str, (await outcomes(5))[3:])) == ["None", "left"]
            await browser.ask("document.querySelector('a').click()")
            assert (await outcomes(6))[5] == "handed_over"
            assert {event["category"] for event in there.published()} == {"Delivery"}
            assert len({event["conversation_id"] for event in there.published()}) == 3
        finally:
            await runner.cleanup()

    browsing(scenario, survey(), beacon())
