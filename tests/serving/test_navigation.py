"""The navigation on one line: what there is no room for is behind a button; every view is reached by mouse and by key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.catalogue import LANGUAGES, WORDS
from tests.serving.chromium import Chromium, binary
from tests.serving.records import client_of
from tests.serving.test_dense_wall import pictures
from tests.serving.test_page import run, url
from tests.serving.test_sizes import center
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

    from streams.catalogue.words import Language

__all__ = ["pictures"]

pytestmark = pytest.mark.browser

SEEN = "[...document.querySelectorAll('#views a')].filter(e => e.checkVisibility({ visibilityProperty: true }))"
#: Ids of the views in the order of the list, and the group of each.
LIST = "import('./views.js').then(m => m.VIEWS.map(({ id, group }) => [id, group]))"
#: Whether the header's first line is on one line, within the window, and without overlap.
ONE_LINE = """(() => {
  const parts = [...document.querySelectorAll('h1, #views .ways a, #views .rest button, .standing > *')]
    .filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect());
  const middle = r => (r.top + r.bottom) / 2;
  const separate = parts.every((one, n) => parts.slice(n + 1).every(other => one.right <= other.left + 1 || other.right <= one.left + 1));
  return Math.max(...parts.map(middle)) - Math.min(...parts.map(middle)) < 8 && separate && parts.every(r => r.right <= innerWidth);
})()"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


async def opened(page: Chromium) -> None:
    """Open what is behind the button, by key, if there is anything."""
    if await page.ask("document.querySelector('#views .rest button').checkVisibility()"):
        await page.ask("document.querySelector('#views .rest button').focus()")
        await page.press("Enter")
        await page.until("document.querySelector('#more-views').checkVisibility()")


@pytest.mark.parametrize("language", [LANGUAGES[0], *(pytest.param(each, marks=pytest.mark.nightly) for each in LANGUAGES[1:])])
def test_every_view_is_reached_at_any_width(language: Language, pictures: Path) -> None:
    """On one line from small laptops to 4K; behind the button in their groups; on a telephone all behind the menu, by groups."""
    words = WORDS[language]

    async def check() -> None:
        async with client_of(center(7)) as client, Chromium(width=3840, height=2160) as page:
            await page.open(url(client, f"?lang={language}"))
            await page.until("document.querySelectorAll('#queues tbody tr').length === 7 && !document.body.matches('.stale')")
            listed = await page.ask(LIST)
            assert len(listed) == 13
            behind = {}
            for width, height in ((3840, 2160), (1920, 1080), (1500, 1000), (1366, 768), (1280, 800), (1024, 768), (800, 700)):
                await page.resize(width, height)
                await page.until(f"innerWidth === {width} && new Promise(done => setTimeout(() => done(true), 100))")
                if width > 1000:
                    await page.until(ONE_LINE)
                behind[width] = 13 - await page.ask(f"{SEEN}.length")
                await opened(page)
                await page.photograph(pictures / f"navigation-{language}-{width}.png")
                names = await page.ask(f"{SEEN}.map(e => e.textContent)")
                assert sorted(names) == sorted(words[f"view.{id_}"][:1].upper() + words[f"view.{id_}"][1:] for id_, _ in listed), width
                outside = f"{SEEN}.filter(e => {{ const r = e.getBoundingClientRect(); return r.right > innerWidth || r.left < 0; }})"
                assert (width, await page.ask(f"{outside}.map(e => e.textContent)")) == (width, [])
                labels = await page.ask(
                    "[...document.querySelectorAll('#views .panel .label')].filter(e => e.checkVisibility()).map(e => e.innerText)"
                )
                assert set(labels) <= {words[f"views.{group}"] for _, group in listed}
                await page.press("Escape")
                assert not await page.ask("document.querySelector('#more-views').checkVisibility()")
            # Who has room sees all; from 1,500 px on nothing is one click further than it was.
            assert (behind[3840], behind[1920]) == (0, 0)
            # Below 1,000 px they have a line of their own.
            assert list(behind.values())[:-1] == sorted(list(behind.values())[:-1])
            assert behind[1024] > 0

            await page.resize(390, 844)
            await page.until("document.querySelector('#menu').checkVisibility()")
            await page.ask("document.querySelector('#menu').click()")
            await page.until(f"{SEEN}.length === 13")
            await page.photograph(pictures / f"navigation-{language}-390.png")
            labels = await page.ask(
                "[...document.querySelectorAll('#views .ways .label')].filter(e => e.checkVisibility()).map(e => e.innerText)"
            )
            assert labels == [words[f"views.{group}"] for group in dict.fromkeys(group for _, group in listed)]
            assert await page.ask("document.documentElement.scrollWidth") == 390
            assert page.complaints == []

    run(check())


def test_the_button_by_key() -> None:
    """Enter and arrows open it, arrows go round its links, Escape returns to it, Enter on a link goes there; what is shown is marked."""
    active = "[document.activeElement.textContent, document.querySelector('#views .rest button').getAttribute('aria-expanded')]"
    button = "document.querySelector('#views .rest button')"

    async def check() -> None:
        async with client_of(center(1)) as client, Chromium(width=1100, height=800) as page:
            await page.open(url(client, ""))
            await page.until(f"{button}?.checkVisibility() && !document.body.matches('.stale')")
            last = await page.ask("[...document.querySelectorAll('#more-views a')].map(e => e.textContent)")
            await page.ask(f"{button}.focus()")
            assert await page.ask(active) == ["More", "false"]
            await page.press("ArrowDown")
            assert await page.ask(active) == [last[0], "true"]
            await page.press("ArrowUp")
            assert await page.ask(active) == [last[-1], "true"]
            await page.press("Escape")
            assert await page.ask(active) == ["More", "false"]
            await page.press("Enter")
            await page.ask("[...document.querySelectorAll('#more-views a')].find(e => e.textContent === 'Data quality').focus()")
            await page.press("Enter")
            await page.until("document.querySelector('main.view.quality:not([aria-busy])')")
            assert await page.ask(f"[{button}.getAttribute('aria-current'), {button}.getAttribute('aria-controls')]") == [
                "true",
                "more-views",
            ]
            assert await page.ask("document.querySelector('#more-views').checkVisibility()") is False
            current = "[...document.querySelectorAll('#views [aria-current=page]')].map(e => e.textContent)"
            assert await page.ask(current) == ["Data quality"]
            # A click beside it closes it.
            await page.ask(f"{button}.click()")
            await page.until("document.querySelector('#more-views').checkVisibility()")
            await page.ask("document.querySelector('h2').click()")
            assert await page.ask(active) == ["Data quality", "false"] or await page.ask(f"{button}.ariaExpanded") == "false"
            assert page.complaints == []

    run(check())
